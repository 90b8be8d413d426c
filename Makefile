# Two commands on a fresh machine: `make quickstart` sets up and runs the main job, `make test` sets up and runs the tests.
PYTHON ?= python3
BIN := .venv/bin
export MPLBACKEND := Agg

.PHONY: quickstart test test-long test-bits test-well lint docs benchmarks clean

quickstart: .venv/installed
	$(BIN)/orbitscope quickstart --out quickstart

# One thread per worker: two busy threads on small tensors collapse when anything else wants a core.
test: .venv/installed-dev lint
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

# Proofs at full size (convection, convergence on fine grids, ...): some minutes each.
test-long: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m long

# What must hold on every processor: the narrow and the wide vector units of torch, and other random draws of the property tests than CI's.
PROPERTY := $(shell grep -rlE 'from hypothesis|import hypothesis' tests --include='*.py')
test-bits: .venv/installed-dev
	for width in default avx2 avx512; do ATEN_CPU_CAPABILITY=$$width MKL_CBWR=COMPATIBLE OMP_NUM_THREADS=1 \
	  $(BIN)/pytest -n 2 --dist worksteal tests/physics tests/nn tests/symmetry || exit 1; done
	for seed in $$(seq 1 20); do env -u CI OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal --hypothesis-seed=$$seed $(PROPERTY) || exit 1; done

# The Well's own loader on our files. It has an environment of its own: the package pins an old fsspec, which ours must not follow.
test-well: .venv/installed-dev .venv-well/installed
	OMP_NUM_THREADS=1 ORBITSCOPE_THE_WELL_PYTHON=.venv-well/bin/python $(BIN)/pytest tests/data/test_the_well_package.py

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

docs: .venv/installed-dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/mkdocs build --strict

benchmarks: .venv/installed-dev
	for file in benchmarks/*.py; do $(BIN)/python $$file; done

# torch goes first and by its exact version: what a later dependency asks for is then already there.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

.venv-well/installed: constraints.txt
	$(PYTHON) -m venv .venv-well
	.venv-well/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt) the_well==1.2.0
	touch $@

clean:
	rm -rf .venv .venv-well quickstart site build dist
