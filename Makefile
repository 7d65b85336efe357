# OMERO on AWS. `make` lists the targets; each that needs set-up runs it first.

PYTHON ?= python3
WORKSPACE ?= $(or $(TF_WORKSPACE),demo)
RUN := .venv/bin/python -m
OMERO := .venv/bin/omero-aws
# Tests at a time: those that run Terraform wait most of their time.
JOBS ?= 4

export PYTHONDONTWRITEBYTECODE ?= 1
# The locked Node, pipenv, and Terraform where set-up had to fetch it: before the machine's own, if it has any.
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.PHONY: help setup setup-omero setup-bioformats setup-web setup-audit aws rehearse changes arrivals e2e peers nightly test local-aws lint audit kills bench bench-web schema docs format lock clean

help: ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1 \2/p' $(MAKEFILE_LIST) | while read -r name text; do printf '  %-12s %s\n' "$$name" "$$text"; done

setup: ## Fetch and verify all that is needed, into this checkout.
	@$(PYTHON) scripts/deploy/bootstrap.py --quiet

setup-omero: setup ## Install OMERO's own parser, which the tests ask (Python 3.10 and a C++ compiler; minutes, once).
	@$(PYTHON) scripts/deploy/omero_parts.py --quiet

setup-bioformats: setup ## Install Bio-Formats, which the tests ask which files are one image (a JDK).
	@$(PYTHON) scripts/deploy/bioformats_parts.py --quiet

setup-web: setup ## Install OMERO.web and a cache server, which `make peers` runs (as setup-omero; a minute, once).
	@$(PYTHON) scripts/deploy/web_parts.py --quiet

setup-audit:
	@$(PYTHON) scripts/deploy/bootstrap.py --quiet --audit

aws: setup ## Run an AWS on this machine in the foreground (PORT=... for a fixed port).
	@$(RUN) local_aws $(if $(PORT),--port $(PORT))

rehearse: setup ## Deploy WORKSPACE to an AWS on this machine, prove it, destroy it (KEEP=1 leaves it up).
	@$(OMERO) rehearse $(WORKSPACE) $(if $(KEEP),--keep)

changes: setup ## Change a deployed workspace, setting by setting, on the AWS on this machine (CHAIN=1 for one chain).
	@$(OMERO) changes $(if $(CHAIN),--chain $(CHAIN))

arrivals: setup ## Have 300 filesets arrive by SFTP and 300 through S3, with faults, and see each in OMERO once (COUNT=300).
	@$(OMERO) rehearse ways-in --again nothing --deliveries $(or $(COUNT),300)

e2e: setup ## Rehearse the examples that cover all others, and the cheapest chain of changes.
	@$(OMERO) e2e $(ARGS)

peers: setup-web ## Run the real OMERO.web with a real cache, as each topology has it.
	@$(RUN) pytest -m "peers and not nightly" -n $(JOBS) --dist loadfile $(ARGS)

nightly: setup lint test audit local-aws kills peers ## All that is too long for every change: every example, every change, Terraform tests, kills.
	@$(RUN) pytest -n $(JOBS) -m nightly
	@$(RUN) scripts.rehearsal.e2e --all
	@$(OMERO) changes
	@$(MAKE) --no-print-directory arrivals
	@$(OMERO) evidence

# Without OMERO's own parser or Bio-Formats all other tests run, and those that ask them fail.
test: setup ## All tests but the long ones: those of `make local-aws` run only if what they are about has changed.
	-@$(PYTHON) scripts/deploy/omero_parts.py --quiet
	-@$(PYTHON) scripts/deploy/bioformats_parts.py --quiet
	@$(RUN) pytest -n $(JOBS) --dist worksteal $(ARGS)
	@$(OMERO) terraform-tests --if-changed

local-aws: setup ## The tests of the AWS on this machine that apply the real Terraform; records what they passed for.
	@$(OMERO) terraform-tests

lint: setup ## ruff and mypy --strict.
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

audit: setup-audit ## checkov over the stacks of every workspace.
	@$(OMERO) audit

kills: setup ## Randomised imports with kills and faults (RUNS=500), and 2,000 hostile names.
	@HOSTILE_NAMES=2000 $(RUN) pytest -q -n $(JOBS) -k hostile tests/scripts/ingest/imports
	@IMPORT_RUNS=$(or $(RUNS),500) $(RUN) pytest -q -n $(JOBS) tests/scripts/ingest/imports/test_kills.py

bench: setup ## Seconds and memory of synthesis and plan.
	@$(OMERO) bench
	@$(OMERO) bench-imports

bench-web: setup-web ## Requests a second, memory and start of the real OMERO.web by workers and threads.
	@$(RUN) tests.peers.bench

schema: setup ## Write the JSON Schema of the workspace files.
	@$(OMERO) schema

docs: setup ## Write docs/commands.md and docs/evidence.md.
	@$(OMERO) docs

format: setup ## Format the code.
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .

lock: setup ## Lock the newest packages that the Pipfile allows, without naming an index.
	@$(OMERO) lock

clean: ## Remove what set-up and rehearsals made.
	rm -rf .tools .venv node_modules cdktf.out .rehearsal .mypy_cache .ruff_cache .pytest_cache
