# The short front of the build: every target here is one call of meson, ninja or a script.
#
#	make [BUILD=release|debug|asan]     build into build-$(BUILD)
#	make demo                           the firewall over the shipped capture, twice, compared
#	make test [BUILD=…]                 every test of that build
#	make test-arm64 [PROGRAMS=20000]    the JIT of arm64 under qemu-user
#	make check                          format, layers, headers, symbols, warnings, cppcheck
#	make bench                          figures: start to first packet, time of a listing
#	make bench-maps [OPTS=--json]       maps beside the kernel's, in nanoseconds an operation
#	make fuzz [FUZZ_SECONDS=60]         libFuzzer on each input, needs clang
#	make oracle CORPUS=DIR              the verifier against recorded verdicts, tests/oracle/README.md
#	make ref                            docs/ref and docs/parity anew from their tables
#	make install [PREFIX=…] [DESTDIR=…] command, library, headers, manual page
#	make deps                           installs what is missing (root) or prints how
BUILD ?= release
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 60
PROGRAMS ?= 20000
ORACLE ?= ../shared/oracle
DIR = build-$(BUILD)

# Release carries symbols: a crash report without them helps nobody.
OPTIONS_release = --buildtype=debugoptimized
OPTIONS_debug = --buildtype=debug
# A report ends the process: a sanitiser that only prints would let a test pass.
SANITIZE = --buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined \
	-Dc_args=-fno-sanitize-recover=all
OPTIONS_asan = $(SANITIZE)
OPTIONS_fuzz = $(SANITIZE) -Db_lundef=false -Dfuzz=true
OPTIONS_clang = --buildtype=debug
CC_fuzz = clang
CC_clang = clang

build: $(DIR)/build.ninja
	@ninja -C $(DIR) | scripts/quiet.sh

build-%/build.ninja:
	@scripts/deps.sh
	@$(if $(CC_$*),CC=$(CC_$*)) meson setup --prefix=$(PREFIX) $(OPTIONS_$*) build-$* >build-$*.log 2>&1 || \
		{ cat build-$*.log; rm -rf build-$*; exit 1; }
	@mv build-$*.log build-$*/setup.log

demo: $(DIR)/build.ninja
	@ninja -C $(DIR) tools/skep/skep examples/xdp_firewall.bpf.o | scripts/quiet.sh
	@scripts/demo.sh $(DIR)

test: build
	@status=0; meson test -C $(DIR) --no-rebuild --print-errorlogs $(TESTS) || status=$$?; \
	scripts/tally.py --skipped $(DIR)/meson-logs/testlog.json; exit $$status

test-arm64: $(DIR)/build.ninja
	@ninja -C $(DIR) tests/isa/run-conformance | scripts/quiet.sh
	@scripts/arm64.sh build-arm64 $(DIR)/tests/isa/run-conformance $(PROGRAMS)

check:
	@scripts/check/run

bench: build
	@bench/run $(DIR)

bench-maps: build
	@$(DIR)/bench/maps/bench_maps $(OPTS) $(DIR)/bench/maps/maps.bpf.o

fuzz: build-fuzz/build.ninja
	@scripts/fuzz.sh build-fuzz $(FUZZ_SECONDS)

oracle: build
	@$(DIR)/tests/oracle/oracle_run $(OPTS) $(if $(CORPUS),$(ORACLE)/verdicts.csv $(CORPUS)/obj/selftests-v3)

ref: build
	@docs/ref/check.sh $(DIR)/docs/ref/generate-ref docs/ref --write
	@docs/parity/check.sh $(DIR)/docs/parity/generate-parity docs/parity --write

install: build
	@meson configure $(DIR) -Dprefix=$(PREFIX)
	@meson install -C $(DIR) --quiet

deps:
	@scripts/deps.sh

clean:
	rm -rf build-*/

.PHONY: ref build demo test test-arm64 check bench bench-maps fuzz oracle install deps clean
.PRECIOUS: build-%/build.ninja
