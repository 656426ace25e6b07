# Published networks or the papers' own training, on whole sets.
READY := yes
NOTE :=
THREADS :=
DIFFUSE :=
training :=
TSNE :=
