# What all tables share: sets -> LR pictures -> networks -> SR pictures -> scores -> tables. Every file appears under its
# name only when it is whole; a folder of pictures F has F.begun, which puts an older one aside, and F.done. What is interrupted goes
# on: pictures that are there stay, and runs resume.

# Records are words: A=B (left, right), or A|B|C (field). A table has, by its paper's makefile,
#   rows (ROW=METHOD), sets (COLUMN=SET), kinds of scores; or maps (methods), opinions (sets), taggers; title, reading
# and here
#   cells (ROW|COLUMN|METHOD|SET), scores (ROW|COLUMN|FILE), files beside the table
# A need is a word too, SORT:NAME:...; `missing` tells their forms, and says which are lacking.

comma := ,
left = $(firstword $(subst =, ,$1))
right = $(lastword $(subst =, ,$1))
rights = $(foreach x,$1,$(call right,$x))
field = $(word $1,$(subst |, ,$(subst ||,|-|,$2)))

# --- sets: hr.SET, labels.SET, lr.SET, and what must be made before lr.SET is used --------------------

define read_set
sets += $1
hr.$1 := $(if $(filter-out -,$2),$(DATA)/$2)
made.$1 := $(filter-out -,$4)
lr.$1 := $(if $(filter-out -,$3),$(DATA)/$3,$(if $(filter-out -,$4),$(W)/lr/$1))
lr_ready.$1 := $(if $(filter-out -,$3),$(DATA)/$3,$(if $(filter-out -,$4),$(W)/lr/$1.done))
labels.$1 := $(filter-out -,$5)
endef
$(foreach row,$(shell awk -F '\t' 'NR > 1 { print $$1 "|" $$2 "|" $$3 "|" $$4 "|" $$5 }' $(HERE)/datasets.tsv),$(eval \
  $(call read_set,$(call field,1,$(row)),$(call field,2,$(row)),$(call field,3,$(row)),$(call field,4,$(row)),$(call \
  field,5,$(row)))))

# --- networks: a method is a preset, or a published checkpoint ----------------------------------------

# Published ones, by their names in share/catalogue.tsv; they are taken where they are there.
published.esrgan := ESRGAN
published.sed-p := SeD
published.sfd-rrdb := SFD
published.bsrgan := BSRGAN
published.realesrgan := RealESRGAN_x4plus
published.realesrnet := RealESRNet_x4plus
published.swinir-real := SwinIR-M-x4-real
published.nafnet-gopro := NAFNet-GoPro-width32
published.dape := dape
published.seesr := seesr
$(foreach m,compact-x4 compact-x4-real realesr-general-x4v3 realesr-animevideov3,$(eval published.$m := $m))

PRESETS := $(patsubst $(SHARE)/presets/train-%.toml,%,$(wildcard $(SHARE)/presets/train-*.toml))
FIDELITY := psnr-rrdb psnr-swinir swinir-real-psnr realesrnet se-rrdb nafnet-gopro nafnet-rain
trained_by = $(or $(filter dape seesr,$1),$(if $(filter $(FIDELITY),$1),psnr,gan))
EXTENDS := $(shell awk -F '"' '/^extends/ { sub(/.*train-/, "", FILENAME); sub(/\.toml/, "", FILENAME); print FILENAME "=" $$2 }' \
  $(SHARE)/presets/train-*.toml)
with_bases = $1 $(foreach b,$(patsubst $1=%,%,$(filter $1=%,$(EXTENDS))),$(call with_bases,$b))

# What a preset starts from that only we have.
$(foreach p,swinir-real swinir-real-ldl swinir-real-sed,$(eval start.$p := swinir-real-psnr))
$(foreach p,se-rrdb-gan se-rrdb-sed,$(eval start.$p := se-rrdb))
$(foreach p,nafnet-rain-gan nafnet-rain-sfd,$(eval start.$p := nafnet-rain))
chain = $1 $(foreach s,$(start.$1),$(call chain,$s))

# What a preset is trained on.
$(foreach p,$(PRESETS),$(eval trained_on.$p := DF2K))
$(foreach p,$(filter realesr% swinir-real% se-rrdb% sfd-real,$(PRESETS)),$(eval trained_on.$p := DF2K OST))
$(foreach p,$(filter nafnet-gopro%,$(PRESETS)),$(eval trained_on.$p := GoPro-train))
$(foreach p,$(filter nafnet-rain%,$(PRESETS)),$(eval trained_on.$p := Rain100L-train))
trained_on.dape := COCO-train
trained_on.seesr := LSDIR FFHQ-10k

# --- measures -----------------------------------------------------------------------------------------

clip := CLIP-RN50 clip-vocabulary
weights.lpips := lpips-alex alexnet
weights.dists := dists vgg16
weights.fid := inception-fid
weights.niqe := niqe
weights.ilniqe := ilniqe
weights.musiq := musiq-koniq
weights.maniqa := maniqa-pipal
$(foreach m,clipiqa sfd-iqa sfd-iqa-feat-d sfd-iqa-tg-d,$(eval weights.$m := $(clip)))

# Kinds of scores: the program, its options, its measures.
score.sed := sr-metrics --protocol sed --align crop
measures.sed := lpips psnr ssim
score.sfd := sr-metrics --protocol sfd --align crop
measures.sfd := psnr ssim lpips dists
score.rgb := sr-metrics --protocol rgb --scale 1
measures.rgb := psnr lpips dists
score.seesr := sr-metrics --protocol seesr
measures.seesr := psnr ssim lpips dists fid
score.niqe := sr-iqa
measures.niqe := niqe
score.iqa-seesr := sr-iqa --protocol seesr
measures.iqa-seesr := niqe maniqa musiq clipiqa
KINDS := sed sfd rgb seesr niqe iqa-seesr

# --- what a table needs, and which of it is there -----------------------------------------------------

WANTED := $(if $(filter all,$(GOALS)),$(filter-out readme-table,$(TABLES)),$(filter $(TABLES),$(GOALS)))

mapped := DIV2K
$(foreach t,$(TABLES),$(if $($t.maps),$(eval $t.cells := $(foreach m,$($t.maps),-|$(mapped)|$m|$(mapped)))))
$(foreach t,$(TABLES),$(if $($t.maps),$(eval $t.files = $$(foreach c,$$(call cells_there,$t),$(W)/tables/$t-$$(call \
  field,3,$$c).png))))
$(foreach t,$(TABLES),$(eval $t.cells ?= $(foreach s,$($t.sets),$(foreach r,$($t.rows),$(call left,$r)|$(call \
  left,$s)|$(call right,$r)|$(call right,$s)))))

with_commas = $(subst $(eval) ,$(comma),$(strip $1))
# ID, published: what is trained already (=) needs nothing, but a published one is preferred to it.
trained = $(wildcard $(W)/models/$1.safetensors $(W)/models/$1.done)
network_needs_of = model:$1:$2:$(if $(trained),=,$(call with_commas,$(filter $(PRESETS),$(call chain,$1)))):$(call \
  with_commas,$(trained_on.$1))
network_needs = $(call network_needs_of,$1,$(published.$1))
diffusion_needs = $(call network_needs,seesr) $(tagger_needs) weights:stable-diffusion-2-base
tagger_needs = $(call network_needs,dape) weights:ram weights:ram-tags weights:ram-thresholds
method_needs = $(foreach m,$(sort $1),$(if $(filter $(DIFFUSED),$m),$(diffusion_needs),$(if $(filter-out bicubic,$m),$(call \
  network_needs,$m))))
measure_needs = $(foreach m,$(sort $1),$(if $(weights.$m),measure:$m:$(call with_commas,$(weights.$m)))) $(if $(filter \
  sfd-iqa%,$1),$(call method_needs,sfd-real))
needs = $(foreach c,$($1.cells),set:$(call field,4,$c) $(call method_needs,$(call field,3,$c))) \
  $(call measure_needs,$(foreach k,$($1.kinds),$(measures.$k))) \
  $(if $($1.opinions),$(addprefix set:,$($1.opinions)) $(call measure_needs,$(call rights,$($1.rows)))) \
  $(if $($1.taggers),set:COCO-Val $(tagger_needs)) \
  $(foreach m,$($1.maps),$(patsubst model:%,run:%,$(call network_needs_of,$m,)))

WEIGHT_FOLDERS := $(WEIGHTS) $(SR_WEIGHTS) $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/sr-tools/weights $(SHARE)/weights \
  $(SHARE)/models
ifneq ($(and $(WANTED),$(READY)),)
  NEEDS := $(sort $(foreach t,$(WANTED),$(call needs,$t)))
  FOUND := $(shell $(HERE)/missing $(if $(filter yes,$(PARTIAL)),--partial) $(if $(TOYS),--toys) --data $(DATA) \
    --weights $(WEIGHT_FOLDERS) -- $(NEEDS))
  ifneq ($(.SHELLSTATUS),0)
    $(error Something is missing, nothing was started; PARTIAL=yes leaves it out)
  endif
endif
LACKING := $(patsubst lacking:%,%,$(filter lacking:%,$(FOUND))) $(if $(filter lacking:model:sfd-real,$(FOUND)),$(addprefix \
  measure:,sfd-iqa sfd-iqa-feat-d sfd-iqa-tg-d))

# Names of a kind (set, measure, ...) less those that lack something.
there = $(filter-out $(patsubst $1:%,%,$(filter $1:%,$(LACKING))),$2)
heads = $(foreach n,$1,$(word 1,$(subst :, ,$n)):$(word 2,$(subst :, ,$n)))
methods_there = $(foreach m,$1,$(if $(filter $(LACKING),$(call heads,$(call method_needs,$m))),,$m))
# A map is of what our own run saw, whatever is published.
run_there = $(if $(and $($1.maps),$(filter run:$2,$(LACKING))),,yes)
cells_there = $(foreach c,$($1.cells),$(if $(and $(call there,set,$(call field,4,$c)),$(call methods_there,$(call \
  field,3,$c)),$(call run_there,$1,$(call field,3,$c))),$c))
measures_there = $(call there,measure,$(measures.$1))

wanted_cells := $(foreach t,$(WANTED),$(call cells_there,$t))
wanted_sets := $(sort $(foreach c,$(wanted_cells),$(call field,4,$c)) $(if $(foreach t,$(WANTED),$($t.taggers)),$(call \
  there,set,COCO-Val)))

# Writes a text to a file unless it is in there: for what results depend on beside the dates of files. Our own files are
# named without OUT, which may move. make -n takes the list for new, and lets it be. (make 4.3 doesn't always leave out the
# newline at the end of what it reads.)
remember = $(if $(READY),$(if $(call same,[$(own_text)],$(if $(wildcard $1),[$(strip $(file <$1))])),,$(call \
  rewrite,$1,$(own_text))))
own_text = $(strip $(subst $(W)/,,$2))
same = $(and $(findstring $1,$2),$(findstring $2,$1))
rewrite = $(if $(DRY),$(eval .PHONY: $1),$(shell mkdir -p $(dir $1))$(file >$1,$2))
# Where weights are that programs look for by name.
weights_place := $(W)/weights.list
$(if $(WANTED),$(call remember,$(weights_place),$(WEIGHTS)))

# --- folders of pictures ------------------------------------------------------------------------------

# FOLDER, what it comes of, the command, and what tells its pictures from others: a source elsewhere may be older
define folder_rule
$(call remember,$1.list,$4)
$1.begun: $2 $1.list
	@mkdir -p $(dir $1)
	rm -f $1.done
	[ ! -e $1 ] || mv $1 $1.until-$$$$(date +%Y%m%d-%H%M%S)
	@touch $$@
$1.done: $1.begun
	$3
	@touch $$@
endef

degrade = sr-degrade -m $(made.$1) $(THREADS) $(hr.$1) -o $(W)/lr/$1 --skip-existing
$(foreach s,$(wanted_sets),$(if $(made.$s),$(eval $(call folder_rule,$(W)/lr/$s,$(hr.$s),$(call degrade,$s),$(made.$s) \
  $(hr.$s)))))

# --- training -----------------------------------------------------------------------------------------

# The published checkpoint, or what we train.
model = $(or $(patsubst model:$1=%,%,$(filter model:$1=%,$(FOUND))),$(W)/models/$1$(if $(filter seesr,$1),,.safetensors))
model_ready = $(if $(filter $(W)/models/seesr,$(call model,$1)),$(W)/models/seesr.done,$(call model,$1))

train = sr-train $(trained_by) --config $1 -o $(W)/runs/$1 --resume --data $(foreach s,$(trained_on.$1),$(hr.$s)) \
  $(addprefix --lr ,$(foreach s,$(trained_on.$1),$(lr.$s))) $(addprefix --start ,$(foreach s,$(start.$1),$(call model,$s))) \
  $(if $(filter seesr,$1),--dape $(call model,dape)) --weights $(WEIGHTS) $(THREADS) $(call training,$1) \
  --export $(W)/models/$1$(if $(filter seesr,$1),,.safetensors) $(if $(filter sfd-real,$1),--export-sfd $(W)/models/sfd-iqa.safetensors)

# An older run is kept beside the new one.
define train_rule
$(W)/runs/$1.begun: $(patsubst %,$(SHARE)/presets/train-%.toml,$(call with_bases,$1)) \
  $(foreach s,$(start.$1),$(call model_ready,$s)) $(if $(filter seesr,$1),$(call model_ready,dape))
	@mkdir -p $(W)/runs $(W)/models
	[ ! -e $(W)/runs/$1 ] || mv $(W)/runs/$1 $(W)/runs/$1.until-$$$$(date +%Y%m%d-%H%M%S)
	@touch $$@
$(W)/models/$1$(if $(filter seesr,$1),.done,.safetensors) $(if $(filter sfd-real,$1),$(W)/models/sfd-iqa.safetensors) &: $(W)/runs/$1.begun
	$(call train,$1)
	@touch $$@
endef
$(foreach p,$(PRESETS),$(eval $(call train_rule,$p)))

# --- SR pictures --------------------------------------------------------------------------------------

folder = $(W)/sr/$1/$2
upscale = sr-upscale -m $(if $(filter bicubic,$1),bicubic,$(call model,$1))
diffuse = sr-diffuse --seesr $(call model,seesr) $(if $(filter %-ram %-none,$1),,--dape $(call model,dape)) $(DIFFUSE) \
  $(diffuse.$1)
enlarger = $(if $(filter $(DIFFUSED),$1),$(diffuse),$(upscale))
enlarge = $(enlarger) --weights $(WEIGHTS) $(THREADS)
comes_of = $(if $(filter $(DIFFUSED),$1),$(call model_ready,seesr) $(call model_ready,dape) $(weights_place),$(if $(filter-out \
  bicubic,$1),$(call model_ready,$1)))

$(foreach p,$(sort $(foreach c,$(wanted_cells),$(call field,3,$c)|$(call field,4,$c))),$(eval $(call folder_rule,$(call \
  folder,$(call field,1,$p),$(call field,2,$p)),$(lr_ready.$(call field,2,$p)) $(call comes_of,$(call field,1,$p)),$(call \
  enlarge,$(call field,1,$p)) $(lr.$(call field,2,$p)) -o $(call folder,$(call field,1,$p),$(call field,2,$p)) \
  --skip-existing,$(call enlarger,$(call field,1,$p)) $(lr.$(call field,2,$p)))))

# --- scores -------------------------------------------------------------------------------------------

# COMMAND's output as the target
written = @mkdir -p $(@D)
into = > $@.part && mv $@.part $@

score = $(W)/scores/$1/$2/$3.tsv
with_reference = $(filter sr-metrics,$(firstword $(score.$1)))
scored = $(if $(and $(call measures_there,$1),$(or $(hr.$2),$(if $(call with_reference,$1),,yes))),yes)
table_scores = $(foreach c,$(call cells_there,$1),$(foreach k,$($1.kinds),$(if $(call scored,$k,$(call field,4,$c)),$(call \
  field,1,$c)|$(call field,2,$c)|$(call score,$k,$(call field,3,$c),$(call field,4,$c)))))
wanted_scores := $(sort $(foreach t,$(WANTED),$(foreach c,$(call cells_there,$t),$(foreach k,$($t.kinds),$(if $(call \
  scored,$k,$(call field,4,$c)),$k|$(call field,3,$c)|$(call field,4,$c))))))

# KIND, METHOD, SET
define score_rule
$(call score,$1,$2,$3): $(call folder,$2,$3).done $(W)/scores/$1.list $(if $(call with_reference,$1),$(hr.$3)) \
  $(if $(strip $(foreach m,$(call measures_there,$1),$(weights.$m))),$(weights_place))
	$$(written)
	$(score.$1) -m $(call with_commas,$(call measures_there,$1)) --weights $(WEIGHTS) $(THREADS) $(call folder,$2,$3) \
	  $(if $(call with_reference,$1),$(hr.$3)) $$(into)
endef
$(foreach s,$(wanted_scores),$(eval $(call score_rule,$(call field,1,$s),$(call field,2,$s),$(call field,3,$s))))
$(foreach k,$(sort $(foreach s,$(wanted_scores),$(call field,1,$s))),$(call remember,$(W)/scores/$k.list,$(score.$k) $(call \
  measures_there,$k)))

# Opinions: scores of each set, and how they agree with people. PIPAL's classes have long names.
opinion_measures := $(call there,measure,niqe ilniqe clipiqa sfd-iqa sfd-iqa-feat-d sfd-iqa-tg-d)
division.PIPAL := --by type
division.KonIQ-10k := --by set
define opinion_rule
$(W)/opinions/$1.tsv: $(lr.$1) $(W)/opinions/measures.list $(weights_place) \
  $(if $(filter sfd-iqa%,$(opinion_measures)),$(W)/models/sfd-iqa.safetensors)
	$$(written)
	sr-iqa -m $(call with_commas,$(foreach m,$(opinion_measures),$m$(if $(filter sfd-iqa%,$m),=$(W)/models/sfd-iqa.safetensors))) \
	  --weights $(WEIGHTS) $(THREADS) $(lr.$1) $$(into)
$(W)/scores/opinions/$1.tsv: $(W)/opinions/$1.tsv $(DATA)/$(labels.$1)
	$$(written)
	sr-iqa correlate $$^ $$(into)
$(W)/scores/opinions-by/$1.tsv: $(W)/opinions/$1.tsv $(DATA)/$(labels.$1)
	$$(written)
	sr-iqa correlate $(division.$1) $$^ | sed 's/\t\(0[0-6]\) [^\t]*/\t\1/' $$(into)
endef
wanted_opinions := $(call there,set,$(sort $(foreach t,$(WANTED),$($t.opinions))))
$(foreach s,$(wanted_opinions),$(eval $(call opinion_rule,$s)))
$(if $(wanted_opinions),$(call remember,$(W)/opinions/measures.list,$(opinion_measures) $(DATA)))

# Tags of degraded pictures against COCO's labels.
$(W)/scores/tags/%.tsv: $(W)/lr/COCO-Val.done $(DATA)/$(labels.COCO-Val) $(SHARE)/synonyms/coco.tsv $(weights_place)
	$(written)
	sr-tag eval -m $(if $(filter dape,$*),$(call model,dape),$*) --weights $(WEIGHTS) $(THREADS) \
	  --truth $(DATA)/$(labels.COCO-Val) --synonyms $(SHARE)/synonyms/coco.tsv $(lr.COCO-Val) $(into)
$(W)/scores/tags/dape.tsv: $(call model_ready,dape)

# Parameters in millions, steps, seconds a picture.
$(W)/scores/complexity/%.tsv: $(HERE)/complexity
	$(written)
	$(HERE)/complexity $(lr.RealSR-crops) $(call enlarge,$*) $(into)
$(foreach c,$(seesr-table8.cells),$(eval $(W)/scores/complexity/$(call field,3,$c).tsv: $(lr_ready.RealSR-crops) $(call \
  comes_of,$(call field,3,$c)) $(call folder,$(call field,3,$c),RealSR-crops).list))

# --- tables -------------------------------------------------------------------------------------------

reference = $(wildcard $(HERE)/reference/$(subst -,_,$1).tsv)
$(foreach t,$(TABLES),$(eval $t.scores ?= $$(call table_scores,$t)))

# A table of the paper's numbers, ours, or both; others are files alone.
tabulated = $(if $(or $(call reference,$1),$(strip $($1.scores))),$(W)/tables/$1.tsv)
define table_rule
.PHONY: $1
$1: $(call tabulated,$1) $($1.files)
endef
define tabulate_rule
$(W)/tables/$1.tsv $(W)/tables/$1.md $(W)/tables/$1.tex &: $(call reference,$1) $(HERE)/tabulate $(W)/tables/$1.list \
  $(sort $(foreach s,$($1.scores),$(call field,3,$s)))
	$(HERE)/tabulate -o $(W)/tables/$1 $(addprefix --reference ,$(call reference,$1)) $($1.reading) \
	  --datasets '$(call with_commas,$(foreach s,$($1.sets),$(call left,$s)))' --title "$($1.title)" --note '$(NOTE)' \
	  $(foreach s,$($1.scores),'$s')
endef
$(foreach t,$(WANTED),$(eval $(call table_rule,$t)))
$(foreach t,$(WANTED),$(if $(call tabulated,$t),$(eval $(call tabulate_rule,$t))))
$(foreach t,$(WANTED),$(call remember,$(W)/tables/$t.list,$($t.reading) $($t.scores) $(NOTE)))

# Pages of pictures beside what they are compared with. FILE, folders, command
define page_rule
$1: $2
	$$(written)
	$3 --report $1 $(patsubst %.done,%,$2) > /dev/null
endef
$(foreach c,$(call cells_there,sfd-figure8),$(eval $(call page_rule,$(W)/tables/sfd-figure8-$(call field,4,$c).html,$(call \
  folder,$(call field,3,$c),$(call field,4,$c)).done $(hr.$(call field,4,$c)),sr-metrics --protocol rgb --scale 1 $(THREADS))))

# A study's methods are called as their folders.
$(W)/tables/seesr-table4.html: $(foreach c,$(call cells_there,seesr-table4),$(call folder,$(call field,3,$c),RealLR200).done)
	$(written)
	@rm -rf $(W)/study && mkdir -p $(W)/study
	$(foreach f,$(^:.done=),ln -s $f $(W)/study/$(notdir $(patsubst %/,%,$(dir $f)));)
	sr-metrics study --reference $(lr.RealLR200) $(foreach f,$(^:.done=),$(W)/study/$(notdir $(patsubst %/,%,$(dir $f)))) -o $@
# Votes come from elsewhere with dates of their own, and browsers put spaces into their names.
$(if $(filter seesr-table4,$(WANTED)),$(if $(seesr-table4.votes),$(call remember,$(W)/votes.list,$(shell \
  find $(W)/votes -maxdepth 1 -name '[!.]*.tsv' -printf '%f %s %T@\n' | LC_ALL=C sort))))
$(W)/tables/seesr-table4.%: $(W)/votes.list
	$(written)
	sr-metrics votes --format $(patsubst tex,latex,$*) $(W)/votes/*.tsv $(into)

# What a run's discriminator sees, and the same in the plane. SeD's look at the HR pictures too.
define features_rule
$(W)/features/$1.tsv: $(W)/models/$1.safetensors $(call folder,$1,$(mapped)).done $(hr.$(mapped)) $(weights_place)
	$$(written)
	sr-iqa features -m $(if $(filter sfd%,$1),feat-d=)$(W)/runs/$1 $(if $(filter sed%,$1),--hr $(hr.$(mapped))) \
	  --weights $(WEIGHTS) $(THREADS) $(hr.$(mapped)) $(call folder,$1,$(mapped)) $$(into)
endef
$(foreach m,$(sort $(foreach t,$(WANTED),$($t.maps))),$(eval $(call features_rule,$m)))
$(W)/features/%.map: $(W)/features/%.tsv
	sr-iqa tsne $(TSNE) $(THREADS) $< $(into)
# FIGURE, METHOD
define map_rule
$(W)/tables/$1-$2.png: $(W)/features/$2.map $(ROOT)/scripts/plot-tsne
	$$(written)
	$(ROOT)/scripts/plot-tsne $$< --names HR,SR -o $$@
endef
$(foreach t,$(WANTED),$(foreach m,$($t.maps),$(eval $(call map_rule,$t,$m))))

$(W)/tables/seesr-table3.txt: $(HERE)/seesr.mk
	$(written)
	@printf '%s\n' $(seesr-table3.told) $(into)
	@cat $@

# --- the toys of PROFILE=smoke ------------------------------------------------------------------------

ifdef TOYS
$(foreach t,$(TOYS),$(eval $(call toy_rule,$(call left,$t),$(call right,$t))))
$(W)/ready.mk: $(foreach t,$(TOYS),$(W)/toys/$(call left,$t).safetensors)
	$(foreach t,$(TOYS),$(foreach a,$(aliases.$(call left,$t)),cp $(W)/toys/$(call left,$t).safetensors $(W)/weights/$a.safetensors;))
	@touch $@
endif
