# Everything happens in .venv, which each target sets up first; make help lists the targets.
# Another interpreter: make PYTHON=python3.13 test. More for pytest: make test PYTEST_ARGS="-k digest".
# Tests run on all cores: make test PYTEST_ARGS="-n 0" runs them in one process.
PYTHON ?= python3
PYTEST_ARGS ?=
export PYTHON
# What another Python was told must not decide what is tested here.
unexport PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONPATH VIRTUAL_ENV

# -P: the checkout must not be on the import path, where its rooms would pose as top-level modules.
run := .venv/bin/python -P

.DEFAULT_GOAL := help
.PHONY: help setup test test-all frameworks demo bench torture lint format docs transcripts lock clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' Makefile | expand -t 12

setup: ## make .venv hold what the other targets need
	@sh .ci/setup

test: lint ## check everything: style, types, tests
	@$(run) -m pytest tests -n auto --dist worksteal $(PYTEST_ARGS)

frameworks: setup ## check what needs torch, xgboost, lightgbm, datasets, plotly, altair or Jupyter; installs them
	@$(run) -m pip install --quiet --requirement tests/frameworks.txt
	@$(run) -m pytest tests -m frameworks $(PYTEST_ARGS)

test-all: test frameworks ## both

demo: setup ## run the digits example
	@$(run) examples/digits/demo.py

bench: setup ## measure against the budgets, and beside others
	@$(run) -m uv pip install --quiet --requirement benchmarks/peers.txt
	@.venv/bin/python benchmarks/run.py

torture: setup ## the long runs: crashes, kills, full disks, and properties with twenty times the examples
	@$(run) -m pytest tests -m "torture or (hypothesis and not frameworks)" --hypothesis-profile=deep \
		-n auto --dist worksteal -o faulthandler_timeout=0 $(PYTEST_ARGS)

lint: setup ## check style and types only
	@$(run) -m ruff check --quiet .
	@$(run) -m ruff format --check --quiet .
	@cd .venv/src && ../bin/python -P -m mypy --num-workers 2 --config-file ../../pyproject.toml --package lineal

format: setup ## rewrite the files in the house style
	@$(run) -m ruff check --fix --quiet .
	@$(run) -m ruff format --quiet .

docs: setup ## write the pages that say what the code does: events and reference; freeze events that are new
	@.venv/bin/python docs/write.py
	@.venv/bin/python docs/reference.py

transcripts: setup ## write anew what each verb prints, which tests compare
	@$(run) tests/cli/golden/transcripts.py

lock: setup ## lock the dependencies anew; make lock LOCK_ARGS=--upgrade for newer ones
	@$(run) -m uv pip compile --quiet --universal --fork-strategy fewest --python-version 3.11 --generate-hashes \
		--no-header --group dev --output-file requirements.lock $(LOCK_ARGS) pyproject.toml

clean: ## remove what setup, builds and checks made
	rm -rf .venv build dist *.egg-info .demo .hypothesis .mypy_cache .ruff_cache tests/.pytest_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
