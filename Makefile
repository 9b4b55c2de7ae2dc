# SPDX-License-Identifier: GPL-2.0
#
# The front door: every verb is one script of scripts/, which can be called
# alone and tells with --help what else it can do.
#
# make bench takes SECTIONS="memory processes", and QUICK=1 for few pairs and
# small sizes.

CONFIG ?= standard
export CONFIG

.DEFAULT_GOAL := help
.NOTPARALLEL:

VERBS := help deps kernel tools demo check check-programs check-races \
	 check-chain check-random bench test vm lint bisect \
	 apply export agree post docs clean distclean
.PHONY: $(VERBS)

help:
	@echo 'Usage: make VERB [CONFIG=standard|debug]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 18

deps: ## install the Debian packages that are missing
	@scripts/deps

demo: deps ## build all, checkpoint a real program half way, restart it, compare
	@scripts/demo

check: deps ## build all and run every selftest in the test machine
	@scripts/build
	@scripts/test

check-programs: deps ## checkpoint and restart unmodified Debian programs
	@scripts/build
	@scripts/check-programs

MINUTES ?= 10
check-races: deps ## races for MINUTES=10 each (CONFIG=debug finds most)
	@scripts/build
	@scripts/test --env CKPT_RACE_SECONDS=$$(($(MINUTES) * 60)) \
		--timeout $$(($(MINUTES) * 60 * 40 + 3600)) races

ROUNDS ?= 100
check-chain: deps ## one job, checkpointed and restarted ROUNDS=100 times in turn
	@scripts/build
	@scripts/test --env CKPT_ROUNDS=$(ROUNDS) --timeout $$(($(ROUNDS) * 30 + 300)) chain

check-random: deps ## checkpoint random trees of tasks [SEEDS=500, or SEED=N for one]
	@scripts/build
	@scripts/check-random
bench: deps ## measure, against CRIU and the machine's limits [QUICK=1] [SECTIONS=]
	@scripts/build
	@scripts/bench $(if $(QUICK),--quick) $(SECTIONS)

kernel: deps ## unpack, patch and build the kernel (and its user space headers)
	@scripts/build kernel

tools: deps ## build checkpoint, restart and ckptinfo
	@scripts/build tools

test: check

vm: deps ## a shell in the test machine
	@scripts/build
	@scripts/vm --shell

lint: deps ## the kernel's own checkers on every patch, test and document
	@scripts/lint

bisect: deps ## every patch builds alone, with the option on and off
	@scripts/bisect

apply: deps ## make the kernel tree in build/linux from patches/
	@scripts/fetch
	@scripts/apply

export: ## make patches/ from the commits in build/linux
	@scripts/export

agree: ## prove that patches/ and build/linux are the same
	@scripts/agree

post: ## write the mails to send the series to a list
	@scripts/post

docs: deps ## check the documentation and the manual pages
	@scripts/lint rst man

clean: ## remove what was built; keep the kernel tree
	rm -rf build/kernel-* build/linux-headers build/bin build/selftests* \
		build/stripped build/log build/init build/initramfs*

distclean: ## remove build/, with the kernel tree and any work in it
	rm -rf build
