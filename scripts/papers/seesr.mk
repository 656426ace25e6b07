# SeeSR: Semantics-aware real-world super-resolution (CVPR 2024). Rows and sets as in sed.mk; the methods seesr-* are
# sr-diffuse with the options below.
TABLES += seesr-table2 seesr-table3 seesr-table4 seesr-table5 seesr-table6 seesr-table7 seesr-table8

diffuse.seesr :=
diffuse.seesr-noise := --start noise
diffuse.seesr-none := --tagger none --no-hard --no-soft
diffuse.seesr-ram := --tagger ram
diffuse.seesr-hard := --no-soft
diffuse.seesr-soft := --no-hard
DIFFUSED := seesr seesr-noise seesr-none seesr-ram seesr-hard seesr-soft

seesr-table2.title := SeeSR Table 2: all measures
seesr-table2.rows := BSRGAN=bsrgan Real-ESRGAN=realesrgan LDL=realesrgan-ldl SeeSR=seesr
seesr-table2.sets := DIV2K-Val=DIV2K-Val RealSR=RealSR-crops DrealSR=DRealSR-crops RealLR200=RealLR200
seesr-table2.kinds := seesr iqa-seesr

# Recognition in enlarged COCO pictures: theirs is an outside network. What it says of OUT/PROFILE/sr/METHOD/COCO-Val
# goes into OUT/PROFILE/detector/METHOD.tsv (columns dataset, which is the task, measure, value) and joins the table.
seesr-table3.title := SeeSR Table 3: recognition in COCO, by an outside detector
seesr-table3.reading := --columns methods --dataset task --unranked GT,zoomed_LR
seesr-table3.rows := zoomed_LR=bicubic BSRGAN=bsrgan Real-ESRGAN=realesrgan LDL=realesrgan-ldl SeeSR=seesr
seesr-table3.sets := COCO-Val=COCO-Val
seesr-table3.scores = $(foreach c,$(call cells_there,seesr-table3),$(foreach \
  f,$(wildcard $(W)/detector/$(call field,3,$c).tsv),$(call field,1,$c)||$f))
seesr-table3.files = $(foreach c,$(call cells_there,seesr-table3),$(call folder,$(call field,3,$c),$(call field,4,$c)).done) \
  $(W)/tables/seesr-table3.txt
seesr-table3.told = 'The pictures are in $(W)/sr/METHOD/COCO-Val, with the labels $(DATA)/$(labels.COCO-Val).' \
  'The paper has them segmented by a network trained on COCO (we take it to be OpenSeeD). With detectron2:' \
  '  python tools/train_net.py --eval-only --config-file CONFIG MODEL.WEIGHTS FILE DATASETS.TEST "(METHOD,)"' \
  'Lines "object detection<TAB>AP<TAB>18.4" below "dataset<TAB>measure<TAB>value" in $(W)/detector/METHOD.tsv join the table.'

# A user study: a page on which people choose the best. What they save goes into OUT/PROFILE/votes/, and is counted.
seesr-table4.title := SeeSR Table 4: a user study (a page to choose on, and its votes)
seesr-table4.rows := BSRGAN=bsrgan Real-ESRGAN=realesrgan LDL=realesrgan-ldl SeeSR=seesr
seesr-table4.sets := RealLR200=RealLR200
seesr-table4.votes = $(wildcard $(W)/votes/*.tsv)
seesr-table4.files = $(if $(word 2,$(call cells_there,seesr-table4)),$(W)/tables/seesr-table4.html) \
  $(if $(seesr-table4.votes),$(addprefix $(W)/tables/seesr-table4.,tsv md tex))

seesr-table5.title := SeeSR Table 5: beginning with the picture or with noise
seesr-table5.rows := without_lre=seesr-noise with_lre=seesr
seesr-table5.sets := DIV2K-Val=DIV2K-Val DrealSR=DRealSR-crops
seesr-table5.kinds := seesr iqa-seesr
seesr-table5.reading := --columns methods

# Labels are COCO's.
seesr-table6.title := SeeSR Table 6: tags of degraded pictures
seesr-table6.reading := --rows model --percent ap
seesr-table6.taggers := RAM=ram DAPE=dape
seesr-table6.scores = $(foreach t,$(seesr-table6.taggers),$(if $(and $(call there,set,COCO-Val),$(call \
  there,$(if $(filter dape,$(call right,$t)),model,weights),$(call right,$t))),$(call \
  left,$t)||$(W)/scores/tags/$(call right,$t).tsv|class=all))

# Ablations in use: the paper trains each of them anew.
seesr-table7.title := SeeSR Table 7: prompts
seesr-table7.rows := 1/none/no/no=seesr-none 2/RAM/yes/yes=seesr-ram 3/DAPE/yes/no=seesr-hard 4/DAPE/no/yes=seesr-soft \
  SeeSR/DAPE/yes/yes=seesr
seesr-table7.sets := DIV2K-Val=DIV2K-Val DrealSR=DRealSR-crops
seesr-table7.kinds := seesr iqa-seesr
seesr-table7.reading := --rows experiment,tagger,hard_prompt,soft_prompt

# Seconds are this machine's for a picture of 128 x 128: of two pictures less those of one, so without loading.
seesr-table8.title := SeeSR Table 8: parameters, steps, seconds
seesr-table8.cells := Real-ESRGAN||realesrgan|RealSR-crops SeeSR||seesr|RealSR-crops
seesr-table8.scores = $(foreach c,$(call cells_there,seesr-table8),$(call \
  field,1,$c)||$(W)/scores/complexity/$(call field,3,$c).tsv)
