# liqlab: `make report` on a machine with Python >= 3.11 (with venv) and make, nothing else.

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
PIP := $(BIN)/python -m pip install --quiet

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# as pip does; behind a company's proxy only the system's certificates are right
export UV_SYSTEM_CERTS ?= 1
# containers often set it; then each of the many processes here would compile all that it imports, half of its time
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup report lab test test-base test-all lint bench api lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null || sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1   \2/p' Makefile

setup: $(READY)  ## the environment in .venv, exactly as locked

# Again only when the lock or the package's own description has changed.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("liqlab needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(PIP) uv || echo "uv cannot be installed; going on with pip, which takes a minute longer"
	@test -x $(BIN)/uv && $(UV) --require-hashes -r requirements.lock || $(PIP) --require-hashes -r requirements.lock
	@test -x $(BIN)/uv && $(UV) --no-deps -e . || $(PIP) --no-deps -e .
	@$(BIN)/python -m liqlab.engine.warm together 2>/dev/null & $(BIN)/python -m liqlab.engine.warm lookback apart; wait
	@touch $@

report: $(READY)  ## run all notebooks and build the site: site/index.html
	$(BIN)/liqlab report

lab: $(READY)  ## the notebooks, live in JupyterLab
	$(BIN)/jupyter lab notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

lint: $(READY)  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## style, types, tests and doctests, with reduced counts
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-base: $(READY)  ## the wheel without extras in an empty environment, and the README's calls in it
	$(BIN)/python -m tests.base_install

test-all: lint  ## the same with long counts
	LIQLAB_LONG=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

bench: $(READY)  ## how fast the ledger and the maps are here, and other programs where their sources are named
	$(BIN)/python -m bench
	$(BIN)/python -m bench.peers

api: $(READY)  ## record the public names and signatures, after a change that is meant: tests/api.json
	$(BIN)/python -m research.api_snapshot tests/api.json

lock: $(READY)  ## resolve pyproject.toml anew into requirements.lock
	$(BIN)/uv pip compile pyproject.toml --all-extras --upgrade --universal --python-version 3.11.0 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.lock

clean:  ## remove what was built; .venv stays
	rm -rf site site-failed build dist .pytest_cache .hypothesis .mypy_cache .ruff_cache .benchmarks
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
