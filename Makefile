# The two commands a new user needs are `make demo` and `make test`; both set up everything they use.
# Paths are relative, so that a clone in a folder with spaces works.

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.installed
TYPES := tests/pipeline/dashboards/types
PYTEST_ARGS ?=
# One per core: most tests wait for a server most of their time. A file's tests stay together, and share its servers.
PYTEST_WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
DJANGO_SUITE_ARGS ?=

.PHONY: help demo up test test-long django-suite bench lint format servers dashboard-types lock wheel clean

help: ## Show this list.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

demo: $(STAMP) ## Set everything up, drive real traffic through real servers, report.
	@$(RUN) -m calendar_sync.demo

up: $(STAMP) ## Start everything, print the addresses, keep it running until Ctrl-C.
	@$(RUN) -m calendar_sync.demo up

test: lint servers dashboard-types ## Set everything up, check the code, run every test but the long ones.
	@$(RUN) -m logging_pkg.cli generate --check
	@$(RUN) -m logging_pkg.cli check
	@$(RUN) -m pytest -m "not long" $(PYTEST_WORKERS) $(PYTEST_ARGS)

test-long: servers ## Run the tests that take minutes each.
	@$(RUN) -m pytest -m long $(PYTEST_ARGS)

django-suite: $(STAMP) ## Run Django's own tests without and with the instrumentation, and compare.
	@$(RUN) -m tests.django_suite $(DJANGO_SUITE_ARGS)

bench: servers ## Measure this project beside the others of its field, in one run.
	@$(RUN) -m tests.performance.run $(BENCH_ARGS)

lint: $(STAMP) ## Check style, types and layers.
	@$(RUN) -m ruff check --quiet
	@$(RUN) -m ruff format --check --quiet
	@$(RUN) -m mypy
	@$(VENV)/bin/lint-imports --no-logo > $(VENV)/lint-imports.log || { cat $(VENV)/lint-imports.log; exit 1; }

format: $(STAMP) ## Rewrite the code in the project's format.
	@$(RUN) -m ruff check --fix --quiet
	@$(RUN) -m ruff format

servers: $(STAMP) ## Find or build Loki, Prometheus and Alertmanager (minutes the first time, then cached).
	@$(RUN) -m logging_pkg.cli stack build

# Without Node or a registry the test that needs it says so and is skipped; everything else runs.
dashboard-types: ## Install Grafana's types, which the dashboards are checked against (needs Node).
	@command -v npm > /dev/null || { echo " ▸ no npm: the dashboards are not checked against Grafana's types"; exit 0; }; \
	if ! [ $(TYPES)/node_modules/.installed -nt $(TYPES)/package-lock.json ]; then \
	  echo " ▸ Grafana's types from npm (some seconds the first time)"; \
	  npm ci --prefix $(TYPES) --ignore-scripts --no-audit --no-fund --loglevel=error > /dev/null \
	    && touch $(TYPES)/node_modules/.installed && echo " ✓ Grafana's types" || echo "npm ci in $(TYPES) failed" >&2; \
	fi

# Needs `uv` on the PATH; everybody else only needs the file it writes.
lock: ## Pin the dependencies anew.
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes \
	  --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements.lock

wheel: $(STAMP) ## Build the wheel into dist/.
	@$(RUN) -m pip --quiet wheel --no-deps --wheel-dir dist .

clean: ## Delete what the other targets made in this folder (the servers stay in the user's cache).
	rm -rf $(VENV) $(TYPES)/node_modules .logpipe dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $$($(PYTHON) --version) found. Name another: make PYTHON=python3.12"; exit 1; }
	@echo " ▸ python environment in $(VENV) (a minute the first time)"
	@$(PYTHON) -m venv $(VENV)
	@# The lock file is whole: resolved again, a package asked for with an extra would be taken in a newer release than it says.
	@$(RUN) -m pip --quiet --disable-pip-version-check install --require-hashes --no-deps -r requirements.lock
	@$(RUN) -m pip --quiet --disable-pip-version-check install --no-deps --editable .
	@$(RUN) -m pip --quiet check
	@touch $@
	@echo " ✓ python environment"
