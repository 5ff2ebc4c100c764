# Everything starts from python3 (3.11 or newer, with venv) alone. `make` lists the targets.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/pytest
WEB := src/overround/web/static/.built
WEB_MODULES := web/node_modules/.installed
WEB_SOURCES := $(shell find web/src web/public -type f) web/index.html web/vite.config.ts web/tsconfig.json web/package.json
NPM := web/npm.sh
SOURCES := src tests benchmarks tools scripts

# The stamp holds the path of the checkout: console scripts and the editable install name it, so a
# moved checkout needs a new environment, and so does one whose interpreter has been removed.
HEALTHY := $(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] && $(BIN)/python -c '' 2>/dev/null && echo yes)
ifneq ($(HEALTHY),yes)
$(STAMP): FORCE
endif

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup web demo test test-page docs check check-format check-lint check-types check-layers check-house check-docker check-web house format bench bench-growth bench-smoke bench-normalise bench-writer bench-journal bench-api bench-streams screenshots bench-page soak crash lock clean FORCE

help: ## List the targets
	@echo "Overround: odds comparison for a bookmaker's trading desk"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-22s %s\n", $$1, $$2 }'
	@echo
	@echo "ARGS=... is passed on to demo, test, bench, crash and lock; PYTHON=... chooses the interpreter for setup."

setup: $(STAMP) ## Install what the lock file names into .venv; leaves .venv/bin/overround
	@echo 'Ready: $(BIN)/overround'

web: $(WEB) ## Build the page at / (with npm where Node is there, else with Node from a Python package)

demo: $(STAMP) $(WEB) ## Run the whole system on recorded responses, with its page on 127.0.0.1:8000
	@exec $(BIN)/overround demo $(ARGS)

# Named tests run at once: in one process, without the page's build and without its tests.
test: $(STAMP) $(if $(ARGS),,$(WEB)) ## Run all tests, or those of ARGS alone (PostgreSQL comes with the packages)
ifeq ($(ARGS),)
	$(NPM) test --silent
	$(PYTEST) -n 2 --dist worksteal
	$(MAKE) test-page
else
	$(PYTEST) $(ARGS)
endif

test-page: $(STAMP) $(WEB) ## Run the tests of the page in Chromium, which is installed where that is possible
	$(BIN)/python -m tests.browser.chromium
	$(PYTEST) tests/browser $(ARGS)

docs: $(STAMP) ## Write docs/api.md and the page's types from the OpenAPI document
	$(BIN)/python -m tools.api_docs
	$(BIN)/python -m tools.api_types

check: check-format check-lint check-types check-layers check-house check-docker check-web ## Format, lint, types, import layers, house rules, Dockerfile, the page's types (-k: go on after a finding)

check-format: $(STAMP)
	$(BIN)/ruff format --check $(SOURCES)

check-lint: $(STAMP)
	$(BIN)/ruff check $(SOURCES)

check-types: $(STAMP)
	$(BIN)/mypy

check-layers: $(STAMP)
	$(BIN)/lint-imports --no-logo

check-house: $(STAMP)
	$(BIN)/python -m tools.house_rules

house: $(STAMP) ## Print the figures of the house: sizes, arrows, prose, and what a scrape passes (ARGS=--list: one by one)
	@$(BIN)/python -m tools.house_figures $(ARGS)

check-docker: $(STAMP)
	$(BIN)/hadolint Dockerfile

check-web: $(WEB_MODULES)
	$(BIN)/python -m tools.api_types --check
	$(NPM) run --silent types

format: $(STAMP) ## Format the code and apply safe lint fixes
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(STAMP) ## Measure the whole pipeline against its budgets; writes to docs/benchmarks
	$(BIN)/python -m benchmarks.pipeline $(ARGS)

bench-growth: $(STAMP) ## Measure how cost and memory grow, up to 20,000 events at 10 bookmakers
	$(BIN)/python -m benchmarks.growth $(ARGS)

bench-smoke: $(STAMP) ## Check a small run: counts exactly, ratios with wide margins
	$(BIN)/python -m benchmarks.smoke $(ARGS)

bench-normalise: $(STAMP) ## Measure normalising the recordings against bare decoding
	$(BIN)/python -m benchmarks.normalise $(ARGS)

bench-writer: $(STAMP) ## Measure the write handler alone on PostgreSQL
	$(BIN)/python -m benchmarks.writer $(ARGS)

bench-journal: $(STAMP) ## Measure the journal alone: synced appends beside bare ones, opening a backlog
	$(BIN)/python -m benchmarks.journal $(ARGS)

bench-api: $(STAMP) ## Measure the API against a bare route, while a cycle runs
	$(BIN)/python -m benchmarks.api $(ARGS)

bench-streams: $(STAMP) ## Measure the live stream: 200 clients, 20 of them slow, while cycles run
	$(BIN)/python -m benchmarks.streams $(ARGS)

screenshots: $(STAMP) $(WEB) ## Take the pictures of docs/screenshots anew, in Chromium
	$(BIN)/python -m tests.browser.screenshots $(ARGS)

bench-page: $(STAMP) $(WEB) ## Measure the page on 2,000 events against its budgets, in Chromium
	$(BIN)/python -m tests.browser $(ARGS)

soak: $(STAMP) $(WEB) ## Let prices move for 10 minutes, and see whether the page's memory stays flat
	$(BIN)/python -m tests.browser --soak 10 $(ARGS)

crash: $(STAMP) ## Kill processes 1,000 times and more, and look for what is lost or doubled (docs/promises.md)
	$(BIN)/python -m tests.crash $(ARGS)

lock: $(STAMP) ## Resolve requirements.lock anew, ARGS=--upgrade for newer versions (uv comes and goes)
	@set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	$(BIN)/python -m venv "$$dir/uv"; \
	"$$dir/uv/bin/python" -m pip install --quiet --disable-pip-version-check uv; \
	"$$dir/uv/bin/uv" pip compile pyproject.toml --extra dev --generate-hashes --universal --python-version 3.11 \
	  --no-emit-index-url --no-emit-find-links --no-header --quiet -o requirements.lock $(ARGS)

clean: ## Remove .venv, the built page and the tools' caches
	rm -rf $(VENV) web/node_modules src/overround/web/static .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# pip finds everything present when only pyproject.toml changed, and then downloads nothing.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Overround needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
	  echo "Name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' has no venv module (Debian and Ubuntu package it as python3-venv)." >&2; exit 1; }
	@echo 'Installing into $(VENV); the first time this takes about a minute'
	@[ "$(HEALTHY)" = yes ] || $(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@printf '%s' '$(CURDIR)' > $@

$(WEB_MODULES): web/package-lock.json web/.npmrc $(STAMP)
	@$(NPM) ci --silent
	@touch $@

$(WEB): $(WEB_MODULES) $(WEB_SOURCES)
	@$(NPM) run --silent build -- --logLevel warn
	@touch $@
