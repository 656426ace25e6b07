# Shares a batch among make's jobs, and among machines that run the same line in the same shared folder:
#   make -f shards.mk -j 2 SHARDS=16 RUN='sr-upscale -r photos/ -o big/ --skip-existing --threads 4'
# A shard is claimed by making a folder, which only one can, and has a file when it is done; STATE holds both, a folder for
# each RUN. Where a machine died its claims stay: `make -f shards.mk SHARDS=16 RUN='...' release` frees them.

SHARDS ?= 16
RUN ?= $(error say what to do: RUN='sr-upscale -r photos/ -o big/ --skip-existing')
STATE ?= .shards-$(SHARDS)-$(firstword $(shell printf %s '$(subst ','\'',$(RUN))' | cksum))
NUMBERS := $(shell seq $(SHARDS) 2>/dev/null)
$(if $(filter $(SHARDS),$(lastword $(NUMBERS))),,$(error SHARDS=$(SHARDS) is no number of shards))

all: $(patsubst %,$(STATE)/%.done,$(NUMBERS))

$(STATE)/%.done: | $(STATE)
	@if mkdir '$(STATE)/$*.claim' 2>/dev/null; then \
	  trap "rmdir '$(STATE)/$*.claim'; exit 130" INT TERM HUP; \
	  if $(RUN) --shard $*/$(SHARDS); then touch '$@'; \
	  else status=$$?; rmdir '$(STATE)/$*.claim'; exit $$status; fi; \
	else echo 'shard $*/$(SHARDS) is under way elsewhere' >&2; fi

$(STATE):
	@mkdir -p '$@'

release:
	@for claim in '$(STATE)'/*.claim; do \
	  [ ! -d "$$claim" ] || [ -e "$${claim%.claim}.done" ] || rmdir "$$claim"; done

.PHONY: all release
