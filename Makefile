# Needs Python >= 3.11 with venv, and make. Everything else, Node for the CDK too, comes into .venv on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
# How many tests run at the same time: they wait more often than they compute.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# A file of tests is one worker's, and those that take longest come first.
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 10
# How often each side of a comparison is measured.
ROUNDS ?= 5
# Where the files of a release go; the release workflow uploads them from there.
DIST ?= dist/python
# It wants older versions than the rest, so it has an environment of its own.
CHECKOV := $(VENV)/checkov/.ready
# The Python that functions run on, as WebAssembly: it need not be on the machine.
LAMBDA := $(VENV)/lambda
PYODIDE := 314.0.7
ON_PYODIDE := --python-version 3.14 --python-platform wasm32-pyodide2024 --only-binary :all:
# Real payloads: what GitHub's own library has as examples.
PAYLOADS := $(VENV)/payloads
WEBHOOKS_EXAMPLES := 7.6.1
NPM_INSTALL := $(BIN)/npm install --silent --no-fund --no-audit --no-package-lock --prefix
PIN := $(BIN)/uv pip compile --quiet --upgrade --no-emit-index-url --no-annotate --no-header
PIN_ALL := $(PIN) --universal --python-version 3.11

# The CDK, jsii and projen find the Node of the environment, not one that happens to be there.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A synth takes twice as long without bytecode.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help environment bench-environment demo pictures faults test test-all check bench hostile docs format generate lock authorities vectors dist release-check release clean

help:
	@echo "make demo      deploy the examples to a local AWS and send bursts at them"
	@echo "make pictures  the same, and its pictures into docs/pictures"
	@echo "make faults    10,000 webhooks while everything fails; SEED=42 repeats a run, WEBHOOKS=700 makes it short"
	@echo "make test      what to run before a commit: every part is touched"
	@echo "make test-all  every test; tests/docs or another folder by .venv/bin/pytest tests/docs"
	@echo "make check     format, lint, types, layers, generated files"
	@echo "make bench     measure it beside what else one could take; ROUNDS=1 is quick"
	@echo "make hostile   what a stranger can cost: processor time and memory, for each way to sign"
	@echo "make docs      build the site, and say how to look at it"
	@echo "make format    mend what a machine can"
	@echo "make generate  write what projen owns, and API.md"
	@echo "make lock      pin the newest of what development needs"
	@echo "make authorities  fetch the certificates of Amazon's authorities for RDS"
	@echo "make vectors   ask the libraries of the providers again what they accept"
	@echo "make release   give what is unreleased a version: VERSION=1.2.3"
	@echo "make dist      build the files of a release, in dist/python"
	@echo "make release-check  a release built, uploaded to a registry here, installed from it and used"
	@echo "make clean     remove the environment and what was built"

demo: $(READY)
	@$(BIN)/python examples/demo.py --pictures build

pictures: $(READY)
	@$(BIN)/python examples/demo.py --pictures docs/pictures

faults: $(READY)
	@$(BIN)/python faults $(if $(SEED),--seed $(SEED)) $(if $(WEBHOOKS),--webhooks $(WEBHOOKS))

# All that the tests need, made by itself: making it is no part of how long they take.
environment: $(READY) $(CHECKOV) $(LAMBDA)/.ready $(PAYLOADS)/$(WEBHOOKS_EXAMPLES)

bench-environment: $(BENCH)/.ready

test: environment
	$(PYTEST) -m "not slow or smoke"

test-all: environment
	$(PYTEST)

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests tools faults hatch_build.py .projenrc.py projenrc $(wildcard examples/*.py) $(wildcard benchmarks/*.py)
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/app
	$(BIN)/lint-imports --no-cache
	$(BIN)/zizmor --quiet --offline --no-progress .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/python tools/api_md.py --check
	$(BIN)/python tools/generated.py --check

bench: $(BENCH)/.ready
	@PYTHONPATH=examples $(BENCH)/bin/python benchmarks/bench.py --rounds $(ROUNDS)

hostile: $(READY)
	@PYTHONPATH=tests $(BIN)/python benchmarks/hostile.py

docs: $(READY)
	@$(BIN)/python tools/docs_site.py

format: $(READY)
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

generate: $(READY)
	$(BIN)/python tools/generated.py
	$(BIN)/python tools/api_md.py

lock: $(READY)
	$(BIN)/python tools/ministack_pins.py
	$(BIN)/python tools/generated.py
	$(PIN_ALL) --extra local --extra mysql --extra postgres pyproject.toml requirements-dev.in --output-file requirements-dev.txt
	$(PIN_ALL) --extra local --extra postgres pyproject.toml benchmarks/requirements.in --output-file benchmarks/requirements.txt
	echo checkov | $(PIN_ALL) - --output-file requirements-checkov.txt
	printf '%s\n' boto3 hypothesis pg8000 PyMySQL pytest | $(PIN) $(ON_PYODIDE) - --output-file requirements-lambda.txt

authorities: $(READY)
	$(BIN)/python tools/rds_authorities.py

# The libraries go into .venv/providers.
vectors: $(READY)
	@PYTHONPATH=tools $(BIN)/python -m provider_vectors

# By what is pinned, and without the network. The wheel is built from the sdist.
dist: $(READY)
	@rm -rf $(DIST)
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --no-create-gitignore --out-dir $(DIST) $(DIST_OPTIONS)

release-check: dist
	@PYTHONPATH=tools:examples $(BIN)/python -m release_check

# What it made is kept, for the next version to be held to.
release: $(READY)
	@$(BIN)/python tools/release.py --prepare $(VERSION)
	@$(BIN)/python tools/last_release.py $(VERSION)
	@echo "commit it, and push the tag v$(VERSION): the release workflow does the rest"

clean:
	rm -rf $(VENV) $(BENCH) build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements-dev.txt
	$(call environment,$(VENV),$<)

# One of its own: AWS Solutions Constructs want another release of the CDK than development does.
$(BENCH)/.ready: benchmarks/requirements.txt
	$(call environment,$(BENCH),$<)

define environment
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: $(PYTHON) must be Python 3.11 or newer with venv; name another: make PYTHON=python3.13 …"; exit 1; }
	@echo "making $(1) (the first time, half a minute to two)"
	@$(PYTHON) -m venv --clear $(1)
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check $$(grep '^uv==' $(2))
	@# It has a module of aws-cdk-lib's name, which is written over it, and not by chance the other way round.
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps $$(grep '^aws-cdk-cloud-assembly-schema==' $(2))
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --compile-bytecode --requirements $(2)
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --editable .
	@touch $(1)/.ready
endef

$(CHECKOV): requirements-checkov.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(BIN)/uv pip install --quiet --python $(@D)/bin/python --compile-bytecode --requirements requirements-checkov.txt
	@touch $@

$(LAMBDA)/.ready: requirements-lambda.txt | $(READY)
	@rm -rf $(LAMBDA)
	@$(NPM_INSTALL) $(LAMBDA) pyodide@$(PYODIDE)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python $(ON_PYODIDE) --target $(LAMBDA)/packages --requirements requirements-lambda.txt
	@touch $@

$(PAYLOADS)/$(WEBHOOKS_EXAMPLES): | $(READY)
	@rm -rf $(PAYLOADS)
	@$(NPM_INSTALL) $(PAYLOADS) @octokit/webhooks-examples@$(WEBHOOKS_EXAMPLES)
	@touch $@
