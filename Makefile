# The first interpreter that is new enough and can make virtual environments.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2> /dev/null \
	&& echo $$python && break; done)
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test venv lit pytest lint typecheck counts pages bench fuzz clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: venv ## Build a small ViT, compile it, run it on the simulated cluster, print the report
	$(BIN)/softex demo

test: venv ## Run every check; ends with "N passed, N failed"
	$(BIN)/python test/run_all.py

venv: $(VENV)/.installed ## Make the virtual environment and install the package into it

# The link is for pyright, which does not follow the import hook of an editable installation.
$(VENV)/.installed: pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer not found: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install -qq -e '.[dev]'
	@mkdir -p $(VENV)/tree && ln -sfn ../.. $(VENV)/tree/softex_mlir
	@touch $@

lit: venv ## Run the lit/FileCheck tests only
	$(BIN)/lit -q test

pytest: venv ## Run the pytest tests only
	$(BIN)/pytest -q

lint: venv ## Check formatting, lint rules and generated pages
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python test/pages.py --check

typecheck: venv ## Check types
	$(BIN)/pyright

counts: venv ## Record cycle counts of the benchmark models in test/counts.csv (minutes)
	$(BIN)/python test/record_counts.py > test/counts.csv.new
	mv test/counts.csv.new test/counts.csv

bench: venv ## Reproduce the published figures (minutes)
	$(BIN)/softex bench vit-base
	$(BIN)/softex bench kernels

fuzz: venv ## Broken files of every kind, property tests with 100,000 cases each, all of every matrix (hours; FUZZ_MINUTES=N)
	cd test/fuzz && $(abspath $(BIN))/python campaign.py --cases $${FUZZ_CASES:-10000} --keep $(abspath fuzz-failures) --state $(abspath fuzz-failures.json)
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(abspath build/bounds-checked) $(BIN)/pytest -q test/sim/test_programs.py test/models/test_late_effects.py
	cd test/fuzz && NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(abspath build/bounds-checked) $(abspath $(BIN))/python campaign.py elf-code bare-metal --cases 1000 --keep $(abspath fuzz-failures/bounds-checked)
	FUZZ_CASES=100000 $(if $(FUZZ_MINUTES),timeout --signal INT $(FUZZ_MINUTES)m) $(BIN)/pytest -q -m "hypothesis or matrix" $(if $(FUZZ_MINUTES),|| test $$? = 124)

pages: venv ## Write the pages that are made from the code
	$(BIN)/python test/pages.py

clean: ## Remove everything that was built
	rm -rf $(VENV) build *.egg-info .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
