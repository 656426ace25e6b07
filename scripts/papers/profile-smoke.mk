# Every chain with toys: networks of a few features, two iterations, two or three pictures of 144 x 144 a set.
override DATA := $(W)/data
override WEIGHTS := $(W)/weights
export SR_WEIGHTS :=
export XDG_DATA_HOME := $(W)/nobody
NOTE := Made with PROFILE=smoke of toy networks and toy pictures, to see that the parts fit; our figures mean nothing
THREADS := --threads 1
TSNE := --perplexity 2 --iterations 250
DIFFUSE := --steps 2 --process-size 64

toy_rrdb := $(addprefix --set generator.,features=8 blocks=1 growth=4)
toy_se-rrdb := $(addprefix --set generator.,features=8 blocks=2 growth=4 fused=[2])
toy_swinir := $(addprefix --set generator.,embedding=8 depths=[1,1] heads=[2,2])
toy_nafnet := $(addprefix --set generator.,width=4 encoder_blocks=[1,1] decoder_blocks=[1,1])
toy_generator = $(or $(strip $(foreach f,se-rrdb swinir nafnet,$(if $(findstring $f,$1),$(toy_$f)))),$(toy_rrdb))
toy_adversary = $(if $(findstring sfd,$1),--set sfd.width=4,$(if $(filter gan,$(trained_by)),--set discriminator.width=4 $(if \
  $(findstring sed,$1),--set discriminator.fusion.head_width=8)))
# VGG-style discriminators know crops of 128 and 256 alone.
toy_crop = $(if $(filter esrgan ldl ldl-swinir gan-v sed-v,$1),128,64)
# Nor can batch normalisation learn from the one place that CLIP sees in such an LR crop.
toy_batch = $(if $(filter se-rrdb%,$1),2,1)
training = --iterations 2 --batch $(toy_batch) --crop $(toy_crop) --precision fp32 --set data.workers=1 $(if $(filter seesr,$1),--set \
  accumulate=1) $(if $(filter-out dape seesr,$1),$(toy_generator) $(toy_adversary))

# What published networks are in the paper profile. Others are trained.
TOYS := toy-rrdb=psnr-rrdb toy-swinir=psnr-swinir toy-swinir-real=swinir-real-psnr toy-nafnet=nafnet-gopro
aliases.toy-rrdb := RRDB_ESRGAN_x4 RRDB_PSNR_x4 RRDB ESRGAN_SRx4_DF2KOST_official-ff704c30 RealESRGAN_x4plus \
  RealESRNet_x4plus BSRGAN
aliases.toy-swinir := 001_classicalSR_DF2K_s64w8_SwinIR-M_x4
aliases.toy-swinir-real := 003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_GAN
aliases.toy-nafnet := NAFNet-GoPro-width32

# NAME, PRESET
define toy_rule
$(W)/toys/$1.safetensors: $(W)/weights.done $(W)/data.done
	@mkdir -p $(W)/toys
	rm -rf $(W)/toys/$1
	sr-train psnr --config $2 -o $(W)/toys/$1 --data $(hr.$(firstword $(trained_on.$2))) \
	  $(addprefix --lr ,$(lr.$(firstword $(trained_on.$2)))) $(THREADS) $(call training,$2) --set generator.start= --export $$@
endef
# Made before all else: make reads its files again when this one is new.
ifneq ($(filter $(TABLES) all,$(GOALS)),)
  READY := $(wildcard $(W)/ready.mk)
  ifeq ($(DRY),)
    include $(W)/ready.mk
  else ifeq ($(READY),)
    $(error make -n has no plan with PROFILE=smoke before its toys are made)
  endif
endif
SHARED := $(wildcard $(ROOT)/../shared/data)
$(W)/weights.done: $(HERE)/smoke-weights
	rm -rf $(W)/weights
	$(HERE)/smoke-weights $(W)/weights
	sr-iqa fit-niqe $(SHARE)/samples -o $(W)/weights/niqe_pris_params.safetensors $(THREADS)
	@touch $@
$(W)/data.done: $(HERE)/smoke-data $(HERE)/datasets.tsv
	rm -rf $(W)/data
	$(HERE)/smoke-data $(W)/data $(SHARED)
	@touch $@
