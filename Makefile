# Headway: every command that a person or CI needs. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
SITE := $(VENV)/bin/sphinx-build -q -W --keep-going -b dirhtml -c infra/docs docs build/site
DISTRIBUTIONS := schemas producers projector gateway clients/python

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: setup ## run a real audio pipeline and watch it: SIZE=files BATCH=id FILES=folder
	HEADWAY_DEMO_SIZE='$(SIZE)' HEADWAY_DEMO_BATCH='$(BATCH)' HEADWAY_DEMO_FILES='$(FILES)' $(PY) -m examples.denoise.demo

up: setup ## start Kafka, PostgreSQL, projector and gateway, and wait until healthy
	$(PY) -m infra.local up

down: ## stop all that `make up` started
	@if [ -x $(PY) ]; then $(PY) -m infra.local down; fi

test: setup-tests ## run every test on real Kafka, PostgreSQL and Chromium: ARGS='-k name' FAULTS=full
	HEADWAY_TEST_FAULTS='$(FAULTS)' tests/run $(ARGS)

soak: $(STAMP) ## run everything under faults and check every invariant: MINUTES=20 SEED=n
	@$(PY) -m infra.local install --for stack
	PYTHONPATH=tests:. $(PY) -m soak --minutes '$(MINUTES)' --seed '$(SEED)'

bench: $(STAMP) ## measure, beside the limits in the same run: QUESTIONS='replay produce'
	@$(PY) -m infra.local install --for stack,browser
	$(PY) -m bench $(QUESTIONS)

check: $(STAMP) ## formatting, lint, types, import rules, generated files, containers, chart
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy schemas producers projector gateway clients infra bench examples tests
	$(VENV)/bin/lint-imports
	$(PY) schemas/generate.py --check
	$(PY) schemas/compatibility.py --check
	$(PY) -m headway_gateway.openapi --check
	$(PY) -m infra.docs.settings_reference --check
	$(PY) -m bench.capacity --check
	$(VENV)/bin/hadolint infra/images/Dockerfile
	$(VENV)/bin/docker-compose -f infra/compose.yaml config --quiet
	$(PY) -m infra.helm.check
	$(SITE)

release: $(STAMP) ## build the distributions into dist/ and try them in a clean environment: VERSION=x.y.z
	$(PY) -m infra.release --version '$(VERSION)'

docs: $(STAMP) ## the documentation as a site, in build/site
	$(SITE)

format: $(STAMP) ## format and mend what can be mended
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

lock: $(STAMP) ## pin the newest versions that fit in requirements.lock
	$(PY) -m pip install -q uv
	$(VENV)/bin/uv pip compile -q requirements.in --upgrade --universal --python-version 3.11 \
	    --no-header --no-annotate --no-emit-index-url \
	    $(addprefix --no-emit-package headway-,events projector gateway client) --no-emit-package headway -o requirements.lock

setup: $(STAMP) ## install what the stack needs (done by the others)
	@$(PY) -m infra.local install --for stack

setup-tests: $(STAMP)
	@$(PY) -m infra.local install --for stack,browser,node,proxy

clean: down ## stop the stack, and remove its data and what was installed
	@if [ -x $(PY) ]; then $(PY) -m infra.local clean; fi
	rm -rf $(VENV)

$(STAMP): requirements.lock $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check -r requirements.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation $(addprefix -e ./,$(DISTRIBUTIONS))
	touch $@

.PHONY: help demo up down test soak bench check release docs format lock setup setup-tests clean
