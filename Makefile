# Everything one does with Peavey from its source folder; `make` alone lists it.

PLUGIN_NAME ?= peavey
PLUGIN_TAG ?= latest
# The image that the plugin is built on; empty means the Dockerfile's own.
BASE ?=
# More flags for `docker build`, e.g. --network host.
BUILD_FLAGS ?=
# The Python that .venv is made with.
PYTHON ?= python3
# With NO_SKIPS=1, `make test` fails when it had to leave anything out.
NO_SKIPS ?=
# More flags for pytest, e.g. -k journal.
PYTEST_FLAGS ?=
# With QUICK=1, `make bench` takes less than three minutes, and keeps none of its figures.
QUICK ?=
# More flags for the benchmarks, or the names of those to run.
BENCH_FLAGS ?=
# Over how many processes the tests are spread: they wait more than they compute. 0 means one after the other.
WORKERS ?= 3
# How many examples `make fuzz` has each test try; `make test` has it try a hundred.
FUZZ_EXAMPLES ?= 10000
# Where `make cli` puts the command: PREFIX/bin/peavey.
PREFIX ?= /usr/local
# Where all that is made goes, but for .venv.
BUILD ?= build

VENV := .venv
PLUGIN := $(PLUGIN_NAME):$(PLUGIN_TAG)
IMAGE := peavey-rootfs:$(PLUGIN_TAG)
FOLDER := $(BUILD)/plugin
COMPILED := $(BUILD)/compiled
HOST := $(PYTHON) tests/testbed/host.py $(if $(NO_SKIPS),--required)
PYTEST := -m pytest $(if $(NO_SKIPS),-p tests.testbed.no_skips) $(PYTEST_FLAGS)
SPREAD := $(if $(filter-out 0,$(WORKERS)),-p tests.testbed.spread -n $(WORKERS) --max-worker-restart 0)

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List what make can do here
	@echo "usage: make TARGET [VARIABLE=value]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "variables: PLUGIN_NAME=$(PLUGIN_NAME) PLUGIN_TAG=$(PLUGIN_TAG) BASE=$(BASE) BUILD_FLAGS=$(BUILD_FLAGS)" \
		"PYTHON=$(PYTHON) PREFIX=$(PREFIX) NO_SKIPS=$(NO_SKIPS) WORKERS=$(WORKERS) PYTEST_FLAGS=$(PYTEST_FLAGS)" \
		"QUICK=$(QUICK) BENCH_FLAGS=$(BENCH_FLAGS)"

# ---- try and test

.PHONY: demo
demo: $(VENV)/installed ## Kill the driver under a printing container, and count the lines
	@$(VENV)/bin/python -m tests.demo

.PHONY: test
test: $(VENV)/installed ## Run the tests, on the pure modules and then on the compiled ones
	@$(HOST) engine image registry receivers unit node promtool shells browser compiler
	$(VENV)/bin/python $(PYTEST) $(SPREAD)
	@if $(HOST) --required compiler; then \
		$(MAKE) --no-print-directory test-compiled; \
	else \
		echo "LEFT OUT: the tests of the compiled modules, as said above"; test -z "$(NO_SKIPS)"; \
	fi

# The tests of what is compiled, and a few of the whole, in which compiled modules meet the others; all others have run,
# on the pure modules. They, and the pages that they compare, lie beside the compiled package: no path leads them to
# the pure one.
COMPILED_TESTS := $(addprefix tests/,test_compiled.py docker fuzz records transforms delivery/test_tail.py \
	$(patsubst %,journal/test_%.py,corruption readback reader recovery scanner seeking writer) \
	$(patsubst %,scenarios/test_%.py,lines nothing_lost)) \
	$(wildcard tests/sinks/*/test_encoder.py tests/sinks/*/test_rules_of_*.py tests/sinks/syslog/test_rfc5424.py)
.PHONY: test-compiled
test-compiled: $(COMPILED)/installed
	rm -rf $(COMPILED)/tests $(COMPILED)/docs
	cp -R tests docs pyproject.toml $(COMPILED)
	cd $(COMPILED) && PEAVEY_COMPILED=1 $(abspath $(VENV))/bin/python $(PYTEST) $(SPREAD) \
		$(COMPILED_TESTS)

.PHONY: screenshots
screenshots: $(VENV)/installed ## Make the pictures of the web page that the documentation shows
	@$(HOST) --required browser
	$(VENV)/bin/python -m tests.console.screenshots

.PHONY: chaos
chaos: $(VENV)/installed ## Kill the driver a hundred times and more under full load (long)
	@$(HOST) engine compiler
	$(VENV)/bin/python $(PYTEST) -m chaos

.PHONY: fuzz
fuzz: $(VENV)/installed ## Feed every parser with odd input, FUZZ_EXAMPLES a test (long)
	FUZZ_EXAMPLES=$(FUZZ_EXAMPLES) $(VENV)/bin/python $(PYTEST) $(SPREAD) tests/fuzz

# The benchmarks measure the `plugin` that Python finds: here the compiled one, which is what gets installed.
.PHONY: bench
bench: $(VENV)/installed ## Measure Peavey beside Docker's own drivers, as root (QUICK=1: only to see that it works)
	@$(HOST) --required engine compiler
	@$(MAKE) --no-print-directory $(COMPILED)/installed
	rm -rf $(COMPILED)/tests $(COMPILED)/docs
	PYTHONPATH=$(abspath $(COMPILED)):$(CURDIR) $(VENV)/bin/python -P -m bench $(if $(QUICK),--quick) $(BENCH_FLAGS)

.PHONY: lint
lint: $(VENV)/installed ## Check style and types
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

.PHONY: format
format: $(VENV)/installed ## Bring the source into the common format
	$(VENV)/bin/ruff check --fix-only
	$(VENV)/bin/ruff format

.PHONY: lock
lock: $(VENV)/installed ## Pin the dependencies and build tools again, with the hashes of every platform
	$(VENV)/bin/pip install --quiet uv
	$(VENV)/bin/uv pip compile pyproject.toml --output-file requirements.lock --quiet --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url
	$(VENV)/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' | \
		$(VENV)/bin/uv pip compile - --output-file requirements-build.lock --quiet --upgrade --universal \
		--python-version 3.11 --generate-hashes --no-annotate --no-header --no-emit-index-url

# ---- the managed plugin (docs/install.md)

.PHONY: plugin
plugin: ## Build the managed plugin and hand it to the Docker engine
	@! docker plugin inspect $(PLUGIN) >/dev/null 2>&1 || { \
		echo "$(PLUGIN) is already installed: upgrade it from a registry (docs/install.md), or make uninstall" >&2; exit 1; }
	docker build $(BUILD_FLAGS) $(if $(BASE),--build-arg BASE=$(BASE)) --tag $(IMAGE) .
	rm -rf $(FOLDER)
	mkdir -p $(FOLDER)/rootfs
	container=$$(docker create $(IMAGE)) && trap "docker rm $$container >/dev/null" EXIT && \
		docker export $$container | tar -x -C $(FOLDER)/rootfs --exclude=.dockerenv --exclude='dev/*'
	cp config.json $(FOLDER)
	docker plugin create $(PLUGIN) $(FOLDER)

# Without --timeout 0 the engine ends every `docker logs -f` after 30 seconds.
.PHONY: enable
enable: ## Start the plugin
	docker plugin enable --timeout 0 $(PLUGIN)

.PHONY: install
install: ## Build the plugin and start it
	@$(MAKE) --no-print-directory plugin
	@$(MAKE) --no-print-directory enable

.PHONY: cli
cli: ## Install the command `peavey` for the managed plugin on this host, as root
	install -D -m 755 plugin/commands/wrapper.sh $(PREFIX)/bin/peavey

.PHONY: push
push: ## Push the plugin to the registry that PLUGIN_NAME names
	docker plugin push $(PLUGIN)

.PHONY: uninstall
uninstall: ## Stop the plugin and remove it, with the logs it keeps
	@if docker plugin inspect $(PLUGIN) >/dev/null 2>&1; then \
		docker plugin rm --force $(PLUGIN); \
	else \
		echo "$(PLUGIN) is not installed"; \
	fi
	@docker image rm --force $(IMAGE) >/dev/null

# ---- the source folder

.PHONY: clean
clean: ## Remove all that was made here
	rm -rf build dist *.egg-info $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find plugin tests bench -name __pycache__ -prune -exec rm -rf {} +
	find plugin '(' -name '*.so' -o -name '*.c' ')' -delete

# An editable install of the pure modules: a compiled one would hide the source that is being edited.
$(VENV)/installed: pyproject.toml setup.py
	@$(HOST) python
	$(PYTHON) -m venv $(VENV)
	PEAVEY_PURE=1 $(VENV)/bin/pip install --quiet --editable '.[dev]'
	@touch $@

$(COMPILED)/installed: $(VENV)/installed $(shell find plugin -name '*.py' -o -name '*.pxd')
	rm -rf $(COMPILED) build/lib* build/bdist*
	PEAVEY_COMPILED=1 $(VENV)/bin/pip install --quiet --no-deps --target $(COMPILED) .
	@touch $@
