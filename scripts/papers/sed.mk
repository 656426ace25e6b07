# SeD: Semantic-Aware Discriminator (CVPR 2024). A row is ROW=METHOD, where a method is a preset of share/presets or one
# of rules.mk's; rows of the paper that are not here have no program of ours. A set is COLUMN=SET of datasets.tsv.
TABLES += sed-table1 sed-table2 sed-table3 sed-table4 sed-table5 sed-table6 sed-table7 sed-table8 sed-figure5

sed_benchmarks := Set5=Set5 Set14=Set14 DIV2K=DIV2K Urban100=Urban100 Manga109=Manga109
sed_ablation := Set5=Set5 Urban100=Urban100 Manga109=Manga109

sed-table1.title := SeD Table 1: classical super-resolution, LPIPS, PSNR, SSIM
sed-table1.rows := ESRGAN=esrgan RRDB+LDL=ldl RRDB+P=gan-p RRDB+P+SeD=sed-p RRDB+U=gan-u RRDB+U+SeD=sed-u \
  SwinIR+LDL=ldl-swinir SwinIR+P=gan-p-swinir SwinIR+P+SeD=sed-p-swinir SwinIR+U=gan-u-swinir \
  SwinIR+U+SeD=sed-u-swinir
sed-table1.sets := $(sed_benchmarks)
sed-table1.kinds := sed

sed-table2.title := SeD Table 2: real photographs, NIQE
sed-table2.rows := RealESRGAN/vanilla=realesrgan RealESRGAN/LDL=realesrgan-ldl RealESRGAN/SeD=realesrgan-sed \
  SwinIR/vanilla=swinir-real SwinIR/LDL=swinir-real-ldl SwinIR/SeD=swinir-real-sed
sed-table2.sets := DPED=DPED OST300=OST300 RealSRSet=RealSRSet
sed-table2.kinds := niqe
sed-table2.reading := --rows generator,discriminator

sed-table3.title := SeD Table 3: ways to fuse semantics
sed-table3.rows := SeD-A=sed-a SeD-B=sed-b SeD-C=sed-c SeD-our=sed-p
sed-table3.sets := $(sed_ablation)
sed-table3.kinds := sed
sed-table3.reading := --rows fusion

sed-table4.title := SeD Table 4: layers that semantics come from
sed-table4.rows := 1=sed-p-layer1 2=sed-p-layer2 3=sed-p 4=sed-p-layer4
sed-table4.sets := $(sed_ablation)
sed-table4.kinds := sed
sed-table4.reading := --rows layer

sed-table5.title := SeD Table 5: networks that semantics come from
sed-table5.rows := ResNet-50=sed-p-resnet50 CLIP=sed-p
sed-table5.sets := $(sed_ablation)
sed-table5.kinds := sed
sed-table5.reading := --rows extractor

sed-table6.title := SeD Table 6: larger sets
sed-table6.rows := ESRGAN=esrgan RRDB+LDL=ldl RRDB+SeD=sed-p
sed-table6.sets := LSDIR=LSDIR-250 HQ-50K=HQ-50K
sed-table6.kinds := sed

sed-table7.title := SeD Table 7: the image-wise discriminator
sed-table7.rows := ESRGAN=esrgan RRDB+V+SeD=sed-v
sed-table7.sets := $(sed_benchmarks)
sed-table7.kinds := sed

sed-table8.title := SeD Table 8: semantics in the generator too, NIQE on RealSR
sed-table8.rows := 1/RRDB/none=realesrnet 2/Se-RRDB/none=se-rrdb 3/RRDB/vanilla=realesrgan \
  4/Se-RRDB/vanilla=se-rrdb-gan 5/RRDB/SeD=realesrgan-sed 6/Se-RRDB/SeD=se-rrdb-sed
sed-table8.sets := canon=RealSR-Canon nikon=RealSR-Nikon
sed-table8.kinds := niqe
sed-table8.reading := --rows experiment,generator,discriminator --columns split

# What discriminators see of real and of restored pictures: a picture for each, NAME.png. They are those of our own runs.
sed-figure5.title := SeD Figure 5: t-SNE of what P and P+SeD see
sed-figure5.maps := gan-p sed-p
