# SFD: Semantic Feature Discrimination, and SFD-IQA (CVPR 2025). Rows and sets as in sed.mk.
TABLES += sfd-table1 sfd-table2 sfd-table3 sfd-table4 sfd-table5 sfd-figure8 sfd-figure9 sfd-supp-table1 sfd-supp-table2

sfd-table1.title := SFD Table 1: classical super-resolution, PSNR, SSIM, LPIPS, DISTS
sfd-table1.rows := ESRGAN=esrgan LDL=ldl SeD=sed-p RRDB+SFD=sfd-rrdb SwinIR+GAN=sfd-swinir-gan SwinIR+SFD=sfd-swinir
sfd-table1.sets := Set5=Set5 Set14=Set14 Urban100=Urban100 DIV2K100=DIV2K
sfd-table1.kinds := sfd

sfd-table2.title := SFD Table 2: real photographs
sfd-table2.rows := BSRGAN=bsrgan RealESRGAN=realesrgan LDL=realesrgan-ldl RealSwinIR=swinir-real SFD=sfd-real
sfd-table2.sets := RealD2K=RealD2K RealSR=RealSR DRealSR=DRealSR
sfd-table2.kinds := sfd niqe

# Opinions: sr-iqa's scores of a set, correlated. Which fit precedes PLCC isn't said; this is without one. NIQE and
# IL-NIQE fall as opinions rise: theirs are negated, as the paper prints them. Rows are ROW=MEASURE.
sfd-table3.title := SFD Table 3: SFD-IQA and others against opinions
sfd-table3.reading := --negated NIQE,IL-NIQE
sfd-table3.rows := NIQE=niqe IL-NIQE=ilniqe CLIPQA=clipiqa SFD-IQA=sfd-iqa
sfd-table3.opinions := PIPAL KonIQ-10k Ma LIVE-itW
sfd-table3.scores = $(foreach r,$(sfd-table3.rows),$(foreach s,$(call there,set,$(sfd-table3.opinions)),$(if $(call \
  there,measure,$(call right,$r)),$(call left,$r)|$s|$(W)/scores/opinions/$s.tsv|measure=$(call right,$r))))

# PIPAL's classes 00, 01 and 03, and KonIQ-10k's own division, as COLUMN=SET:GROUP.
sfd-table4.title := SFD Table 4: the parts of SFD-IQA
sfd-table4.reading := --columns methods --dataset subset
sfd-table4.rows := baseline=clipiqa with_feat_d=sfd-iqa-feat-d with_tg_d=sfd-iqa-tg-d sfd_iqa=sfd-iqa
sfd-table4.opinions := PIPAL KonIQ-10k
sfd-table4.groups := PIPAL/Trad.SR=PIPAL:type=00 PIPAL/PSNR.SR=PIPAL:type=01 PIPAL/GAN.SR=PIPAL:type=03 \
  KonIQ-10k/Train=KonIQ-10k:set=training KonIQ-10k/Val=KonIQ-10k:set=validation KonIQ-10k/Test=KonIQ-10k:set=test
sfd-table4.scores = $(foreach r,$(sfd-table4.rows),$(foreach g,$(sfd-table4.groups),$(call \
  group_score,$r,$(call left,$g),$(subst :, ,$(patsubst $(call left,$g)=%,%,$g)))))
group_score = $(if $(and $(call there,set,$(firstword $3)),$(call there,measure,$(call right,$1))),$(call \
  left,$1)|$2|$(W)/scores/opinions-by/$(firstword $3).tsv|measure=$(call right,$1)$(comma)$(lastword $3))

# Measured in RGB, as NAFNet's own are; on Rain100L others take Y, and the paper doesn't say.
sfd-table5.title := SFD Table 5: deraining and deblurring
sfd-table5.cells := $(foreach s,Rain100L:rain GoPro:gopro,$(foreach r,NAFNet: NAFNet+vanilla:-gan NAFNet+SFD:-sfd,$(firstword \
  $(subst :, ,$r))|$(firstword $(subst :, ,$s))|nafnet-$(lastword $(subst :, ,$s))$(word 2,$(subst :, ,$r))|$(firstword \
  $(subst :, ,$s))))
sfd-table5.kinds := rgb

# What Figure 8 shows isn't in our notes; it is taken to be what Table 5 measures, seen: a page for each set.
sfd-figure8.title := SFD Figure 8: deraining and deblurring side by side (pages)
sfd-figure8.cells := $(filter NAFNet+SFD|%,$(sfd-table5.cells))
sfd-figure8.files = $(foreach c,$(call cells_there,sfd-figure8),$(W)/tables/sfd-figure8-$(call field,4,$c).html)

sfd-figure9.title := SFD Figure 9: t-SNE of what a PatchGAN and Feat-D see
sfd-figure9.maps := gan-p sfd-rrdb

sfd-supp-table1.title := SFD supplement, Table 1: B100 and Manga109
sfd-supp-table1.rows := ESRGAN=esrgan LDL=ldl SeD-P=sed-p RRDB+SFD=sfd-rrdb SwinIR+GAN=sfd-swinir-gan SwinIR+SFD=sfd-swinir
sfd-supp-table1.sets := B100=B100 Manga109=Manga109
sfd-supp-table1.kinds := sfd

# sr-train's SFD reads CLIP's RN50 alone: the row ViT-B/16 is the paper's.
sfd-supp-table2.title := SFD supplement, Table 2: CLIP's networks
sfd-supp-table2.rows := RN50=sfd-rrdb
sfd-supp-table2.sets := Set5=Set5 DIV2K100=DIV2K
sfd-supp-table2.kinds := sfd
sfd-supp-table2.reading := --rows extractor
