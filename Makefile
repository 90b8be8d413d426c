# Two commands on a fresh machine: `make quickstart` sets up and runs the main job, `make test` sets up and runs the tests.
PYTHON ?= python3
BIN := .venv/bin
export MPLBACKEND := Agg
# Where the environment forbids to keep bytecode, every one of some hundred processes of the tests would compile all modules again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: quickstart test suite test-bits test-long test-types test-versions test-well test-guests lint style types docs site benchmarks clean

quickstart: .venv/installed
	$(BIN)/orbitscope quickstart --out quickstart

# One thread per worker: two busy threads on small tensors collapse when anything else wants a core.
# The types need one core for as long as a tenth of the tests, so they are checked beside them, and no core waits.
test: .venv/installed-dev
	$(MAKE) style site
	$(MAKE) -j2 types suite

suite: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal

# What is compared in its last digits (docs/design-decisions.md, "Which bits are promised where"): the tests of moved copies and of built-in
# symmetry with every vector width that this processor has and in two modes of the library of products and transforms, then the
# property tests with 20 draws of their own, never those of CI.
BITS := tests/symmetry tests/physics tests/nn tests/studies/test_approximate_equivariance.py $(addprefix tests/emulators/test_,\
	equivariant_models.py paper_models.py augment.py loss.py) $(addprefix tests/probe/test_,equivariance.py curves.py lie.py frames.py)
WIDTHS := default avx2 $(shell grep -qs avx512f /proc/cpuinfo && echo avx512)

test-bits: .venv/installed-dev
	for width in $(WIDTHS); do ATEN_CPU_CAPABILITY=$$width OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal $(BITS) || exit 1; done
	for mode in COMPATIBLE AVX2; do MKL_CBWR=$$mode OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal $(BITS) || exit 1; done
	for seed in $$(seq 20); do \
		env -u CI OMP_NUM_THREADS=1 $(BIN)/pytest -m hypothesis --hypothesis-seed=$$seed -p no:cacheprovider tests || exit 1; done

# Proofs at full size (convection, convergence on fine grids, ...): some minutes each.
test-long: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m long

# Types and shapes of every call into the rooms that tests/conftest.py names, against the annotations, while tests of them run.
test-types: .venv/installed-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal --check-types tests/symmetry tests/nn/test_equivariant_layers.py \
		$(addprefix tests/data/test_,trajectories.py split.py normalisation.py) $(addprefix tests/training/test_,losses.py loggers.py) \
		$(addprefix tests/probe/test_,equivariance.py kinds.py own_metric.py breaking.py lie.py learnt.py netcdf.py losses_and_steps.py)

# The lowest versions of the dependencies that pyproject.toml allows, and the newest with a newer Python: a selection of every room.
# What old libraries warn of is no fault of ours.
PYTHON_NEWEST ?= python3.13
SELECTION := tests/symmetry/test_action.py tests/symmetry/test_representations.py tests/physics/test_heat.py tests/data/test_cf.py \
	tests/data/test_trajectories.py tests/nn/test_equivariant_layers.py tests/training/test_fit.py tests/probe/test_run.py \
	tests/probe/test_netcdf.py tests/probe/test_equivariance.py tests/report/test_write.py tests/cli/test_help.py

test-versions: .venv-lowest/installed .venv-newest/installed
	for end in lowest newest; do OMP_NUM_THREADS=1 .venv-$$end/bin/pytest -W default -n 2 --dist worksteal $(SELECTION) || exit 1; done

# The Well's own loader on our files. It has an environment of its own: the package pins an old fsspec, which ours must not follow.
test-well: .venv/installed-dev .venv-well/installed
	OMP_NUM_THREADS=1 ORBITSCOPE_THE_WELL_PYTHON=.venv-well/bin/python $(BIN)/pytest tests/data/test_the_well_package.py

# Presets of `adapt` on the classes of the libraries that they are for, which pull in much and pin one another's versions.
test-guests: .venv-guests/installed
	OMP_NUM_THREADS=1 .venv-guests/bin/pytest -p no:cacheprovider tests/emulators/test_guest_packages.py

lint: style types

style: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# In one process: every further one reads and infers torch, numpy and our own modules again, which takes a third of the time of the whole.
types: .venv/installed-dev
	$(BIN)/pyright

docs: .venv/installed-dev site

# The whole site, every docstring included: a page that does not build, or a link that leads nowhere, is an error.
site: .venv/installed-dev
	$(BIN)/mkdocs build --strict --quiet

benchmarks: .venv/installed-dev
	for file in benchmarks/*.py; do $(BIN)/python $$file; done

# torch goes first and by its exact version: what a later dependency asks for is then already there.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,docs]'
	touch $@

.venv-well/installed: constraints.txt
	$(PYTHON) -m venv .venv-well
	.venv-well/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt) the_well==1.2.0
	touch $@

.venv-guests/installed: constraints.txt pyproject.toml tests/emulators/guest_packages.txt
	$(PYTHON) -m venv .venv-guests
	.venv-guests/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	.venv-guests/bin/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable . pytest hypothesis zarr cftime
	.venv-guests/bin/pip install --quiet --disable-pip-version-check --no-deps --requirement tests/emulators/guest_packages.txt
	touch $@

.venv-lowest/installed: pyproject.toml constraints.txt tests/versions.py
	$(PYTHON) -m venv .venv-lowest
	$(PYTHON) tests/versions.py > .venv-lowest/lowest.txt
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	.venv-lowest/bin/pip install --quiet --disable-pip-version-check --constraint .venv-lowest/lowest.txt --editable . \
		pytest pytest-xdist hypothesis zarr cftime
	touch $@

.venv-newest/installed: pyproject.toml constraints.txt
	$(PYTHON_NEWEST) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' constraints.txt)
	.venv-newest/bin/pip install --quiet --disable-pip-version-check --editable . pytest pytest-xdist hypothesis zarr cftime
	touch $@

clean:
	rm -rf .venv .venv-well .venv-guests .venv-lowest .venv-newest quickstart site build dist
