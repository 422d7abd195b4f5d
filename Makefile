# Everything runs in .venv, which is made on the first call. Versions are those of constraints.txt,
# in the environment and in isolated builds alike.
# The distribution's Python where it can make environments and extensions: it is built with profile-guided
# optimization, which one that pyenv compiles is not by default. Another: make PYTHON=python3.12 test.
CAN_BUILD := import ensurepip, os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")
PYTHON ?= $(shell /usr/bin/python3.11 -c '$(CAN_BUILD)' 2> /dev/null && echo /usr/bin/python3.11 || echo python3.11)
VENV := .venv
BIN := $(VENV)/bin
WERROR ?= OFF
# Another MuJoCo: make MUJOCO=3.17.0 test; from one to another with `make clean` between.
MUJOCO ?= $(shell sed -n 's/^mujoco==//p' constraints.txt)
PYTHONS ?= 3.11 3.12 3.13
# of the tests: one more than there are cores, since many wait for processes of their own
CORES := $(shell env -u OMP_NUM_THREADS nproc)
WORKERS := $(shell echo $$(($(CORES) < 8 ? $(CORES) + 1 : 8)))
VERSIONS := build/constraints-mujoco-$(MUJOCO).txt
export PIP_CONSTRAINT := $(CURDIR)/$(VERSIONS)
export PIP_BUILD_CONSTRAINT := $(CURDIR)/$(VERSIONS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Modules are compiled when they are first imported; a container that forbids to keep them (many do) would have
# every process compile them anew.
unexport PYTHONDONTWRITEBYTECODE
CXX_FILES := $(shell find cpp -name '*.cpp' -o -name '*.hpp')

.PHONY: demo test lint lint-python lint-cpp bench sanitize mutation docs wheels test-wheels clean

demo: $(VENV)/installed  ## a small run from training to figures; everything lands in demo/
	$(BIN)/python experiments/reproduce.py --scale demo --out demo

test: $(VENV)/compiled  ## the whole test suite
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

lint: lint-python lint-cpp  ## formatting, linters, types, and a build without a warning

lint-python: $(VENV)/tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lint-cpp: $(VENV)/tools
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/cmake -S . -B build/lint -DPGCORE_WERROR=ON -DPGCORE_TESTS=ON -DCMAKE_BUILD_TYPE=Release \
	  -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python
	$(BIN)/cmake --build build/lint --parallel
	ls cpp/pgcore/*.cpp cpp/pgcore/terms/*.cpp | xargs -P 2 -n 1 $(BIN)/clang-tidy -p build/lint --quiet

bench: $(VENV)/bench  ## every benchmark, one after the other; on an idle machine, please
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

sanitize: lint-cpp  ## the C++ tests: plain, under ASan and UBSan, and under TSan
	build/lint/pgcore_tests
	for kind in address,undefined thread; do \
	  $(BIN)/cmake -S . -B build/sanitize-$$kind -DPGCORE_TESTS=ON -DPGCORE_SANITIZE=$$kind \
	    -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python > /dev/null && \
	  $(BIN)/cmake --build build/sanitize-$$kind --parallel > /dev/null && \
	  echo "== $$kind" && TSAN_OPTIONS=suppressions=$(CURDIR)/cpp/tests/tsan.supp \
	    build/sanitize-$$kind/pgcore_tests || exit 1; \
	done

mutation: $(VENV)/mutation  ## faults put into a copy of the code; every one must fail a test, or be explained
	cd tests && ../$(BIN)/python -m mutation.rooms
	cd tests && ../$(BIN)/python -m mutation.core

docs: $(VENV)/tools  ## the site, in build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

wheels:  ## dist/mujoco-$(MUJOCO): manylinux wheels for every Python of PYTHONS
	$(PYTHON) release/wheels.py build --pythons $(PYTHONS) --mujoco $(MUJOCO)

test-wheels:  ## each of them in a fresh environment
	$(PYTHON) release/wheels.py test --pythons $(PYTHONS) --mujoco $(MUJOCO)

clean:
	rm -rf $(VENV) build demo dist

# The environments: to use pgcore, to work on it, to test its tests, and to compare it with others.
INSTALL := $(BIN)/pip install --quiet --no-compile --config-settings cmake.define.PGCORE_WERROR=$(WERROR) --editable

$(VERSIONS): constraints.txt
	mkdir -p build && sed 's/^mujoco==.*/mujoco==$(MUJOCO)/' constraints.txt > $@

# Without compiling: most of the 18,000 modules are never imported.
# Once: another Python over it would leave the interpreter of one with the library of the other.
$(BIN)/pip:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml constraints.txt CMakeLists.txt $(CXX_FILES) | $(VERSIONS) $(BIN)/pip
	$(INSTALL) .
	touch $@

$(VENV)/tools: pyproject.toml constraints.txt CMakeLists.txt $(CXX_FILES) | $(VERSIONS) $(BIN)/pip
	$(INSTALL) '.[test,docs]'
	touch $(VENV)/installed $@

# What tests import, by one process: several at once would each compile all of it.
$(VENV)/compiled: $(VENV)/tools
	$(BIN)/python -m pytest --collect-only --quiet > $@.log || { cat $@.log; exit 1; }
	touch $@

$(VENV)/mutation: $(VENV)/tools
	$(INSTALL) '.[mutation]'
	touch $@

$(VENV)/bench: $(VENV)/tools
	$(INSTALL) '.[bench]'
	touch $@
