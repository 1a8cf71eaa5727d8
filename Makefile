# What a checkout can do; `make` alone lists it. Needs Python 3.11 or newer with its venv module, git and make.
#
#   PYTHON=python3.12     the interpreter that .venv is made from
#   ARGS="..."            further arguments for `serve`, `test`, `bench`
#   LAMBENT_REQUIRE=all   a test that is left out is a failure

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:
MAKEFLAGS += --no-print-directory

PYTHON ?=
ARGS ?=

setup := PYTHON="$(PYTHON)" sh tools/setup.sh
bin := .venv/bin
# Upgrades on purpose only: `make lock` keeps what is locked as far as pyproject.toml allows, `make lock UPGRADE=1` does not.
# PIP_FIND_LINKS: local wheels would get into the lock files with hashes that no one else can reproduce.
pip_compile := PIP_FIND_LINKS= $(bin)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | while IFS='|' read -r name text; do printf '%-20s %s\n' "$$name" "$$text"; done

.PHONY: demo
demo: core ## install into .venv, start a server, deploy examples/hello and invoke it
	@$(bin)/lambent demo

.PHONY: serve
serve: neighbours ## run the server on 127.0.0.1:4566, with the embedded stand-in for S3 and others (ARGS="--tls self-signed")
	@exec $(bin)/lambent serve $(ARGS)

.PHONY: test
test: dev ## install what the tests need, run them, say what was left out and how to add it
	@$(bin)/python tools/run_tests.py $(ARGS)

.PHONY: check
check: dev ## formatter, linter, types, generated files, layers: everything but the tests
	@echo "check: format"     && $(bin)/ruff format --check
	@echo "check: lint"       && $(bin)/ruff check
	@echo "check: types"      && $(bin)/mypy --strict
	@echo "check: generated"  && $(bin)/python tools/generate.py --check
	@echo "check: tidy tests" && $(bin)/python -m pytest -q tests/tidy

.PHONY: format
format: dev ## rewrite the sources as the checks want them
	@$(bin)/ruff format
	@$(bin)/ruff check --fix

.PHONY: generate
generate: dev ## write the generated sources anew from botocore's models
	@$(bin)/python tools/generate.py

.PHONY: bench
bench: core ## measure, each figure beside its yardstick in the same run
	@$(bin)/python -m bench $(ARGS)

.PHONY: bench-peers
bench-peers: core ## the same client against MiniStack, in its own environment
	@$(setup) peers
	@$(bin)/python -m bench.peers $(ARGS)

.PHONY: soak
soak: dev ## longer campaigns of the property tests, the simulation, kill -9 under events, figures, usage
	@LAMBENT_SIMULATION_SEEDS=400 $(bin)/python -m pytest -q --hypothesis-profile=deep tests/unit tests/simulation $(ARGS)
	@$(setup) clients
	@LAMBENT_CRASH_RUNS=20 LAMBENT_CRASH_EVENTS=10000 LAMBENT_CRASH_KILLS_MAX=4 LAMBENT_CRASH_CREATES=1000 \
		.cache/clients/bin/python -m pytest -q -s tests/acceptance/test_async_crash.py tests/acceptance/test_crash.py \
		tests/acceptance/test_event_source_crash.py tests/acceptance/test_stream_crash.py
	@LAMBENT_FIGURES_CALLS=10000 .cache/clients/bin/python -m pytest -q -s tests/acceptance/test_figures_reconcile.py
	@LAMBENT_USAGE_CALLS=10000 LAMBENT_USAGE_KILLS=12 .cache/clients/bin/python -m pytest -q -s \
		tests/acceptance/test_usage_crash.py

.PHONY: conformance
conformance: dev ## run the clients' tests, write the evidence and docs/conformance.md anew (ARGS=a file: add to it)
	@$(setup) clients
	@rm -f .cache/observed.jsonl
	@LAMBENT_TEST_OBSERVED=$(CURDIR)/.cache/observed.jsonl .cache/clients/bin/python -m pytest -q \
		$(or $(ARGS),tests/wire tests/iac tests/acceptance)
	@$(bin)/python tools/observed.py $(if $(ARGS),add,write) .cache/observed.jsonl

.PHONY: dotnet-client
dotnet-client: core ## compile the client of the .NET runtimes, which a wheel carries and a checkout does not
	@$(bin)/python tools/dotnet.py client

.PHONY: lock
lock: dev ## write requirements/*.txt anew (UPGRADE=1: newest versions)
	@echo "lock: core.txt"    && $(pip_compile) pyproject.toml -o requirements/core.txt
	@echo "lock: build.txt"   && $(pip_compile) --only-build-deps --build-deps-for editable -c requirements/core.txt pyproject.toml -o requirements/build.txt
	@echo "lock: neighbours.txt" && $(pip_compile) --extra neighbours --extra apis --extra otlp --extra tls -c requirements/core.txt pyproject.toml -o requirements/neighbours.txt
	@echo "lock: dev.txt"     && $(pip_compile) --extra dev -c requirements/core.txt -c requirements/build.txt -c requirements/neighbours.txt pyproject.toml -o requirements/dev.txt
	@echo "lock: clients.txt" && $(pip_compile) requirements/clients.in -o requirements/clients.txt
	@echo "lock: awscli.txt"  && $(pip_compile) requirements/awscli.in -o requirements/awscli.txt
	@echo "lock: ansible.txt" && $(pip_compile) requirements/ansible.in -o requirements/ansible.txt
	@echo "lock: celery.txt"  && $(pip_compile) requirements/celery.in -o requirements/celery.txt
	@echo "lock: focus.txt"   && $(pip_compile) requirements/focus.in -o requirements/focus.txt
	@echo "lock: javascript"  && cd requirements/javascript && npm install --package-lock-only --ignore-scripts --omit-lockfile-registry-resolved
	@echo "lock: peers.txt"   && $(pip_compile) requirements/peers.in -o requirements/peers.txt
	@echo "lock: dotnet.txt"  && $(pip_compile) requirements/dotnet.in -o requirements/dotnet.txt

.PHONY: clean
clean: ## remove what was built: environments, caches
	rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist src/lambent/runtimes/dotnet_client/built
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environments. tools/setup.py decides by its stamps whether there is anything to do.
.PHONY: core neighbours dev
core:
	@$(setup) core
neighbours:
	@$(setup) neighbours
dev:
	@$(setup) dev
