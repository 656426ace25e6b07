# The README's table: SeD Table 1's protocol, on what anybody can have without asking.
TABLES += readme-table

readme-table.title := Bicubic, the shipped models and Real-ESRGAN by SeD Table 1's protocol
readme-table.rows := bicubic=bicubic compact-x4=compact-x4 compact-x4-real=compact-x4-real \
  RealESRGAN_x4plus=realesrgan realesr-general-x4v3=realesr-general-x4v3 realesr-animevideov3=realesr-animevideov3
readme-table.sets := Set5=Set5 Set14=Set14 B100=B100
readme-table.kinds := sed
