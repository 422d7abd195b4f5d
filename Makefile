# Everything runs in .venv, which is made on the first call. Versions are those of constraints.txt,
# in the environment and in isolated builds alike.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
WERROR ?= OFF
# Another MuJoCo: make MUJOCO=3.17.0 test; from one to another with `make clean` between.
MUJOCO ?= $(shell sed -n 's/^mujoco==//p' constraints.txt)
PYTHONS ?= 3.11 3.12 3.13
VERSIONS := build/constraints-mujoco-$(MUJOCO).txt
export PIP_CONSTRAINT := $(CURDIR)/$(VERSIONS)
export PIP_BUILD_CONSTRAINT := $(CURDIR)/$(VERSIONS)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
CXX_FILES := $(shell find cpp -name '*.cpp' -o -name '*.hpp')

.PHONY: demo test lint bench sanitize mutation docs wheels test-wheels clean

demo: $(VENV)/installed  ## a small run from training to figures; everything lands in demo/
	$(BIN)/python experiments/reproduce.py --scale demo --out demo

test: $(VENV)/tools  ## the whole test suite
	$(BIN)/python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile

lint: $(VENV)/tools  ## formatting, linters, types, and a build without a warning
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(CXX_FILES)
	$(BIN)/cmake -S . -B build/lint -DPGCORE_WERROR=ON -DPGCORE_TESTS=ON -DCMAKE_BUILD_TYPE=Release \
	  -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python
	$(BIN)/cmake --build build/lint --parallel
	ls cpp/pgcore/*.cpp cpp/pgcore/terms/*.cpp | xargs -P 2 -n 1 $(BIN)/clang-tidy -p build/lint --quiet

bench: $(VENV)/bench  ## every benchmark, one after the other; on an idle machine, please
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file || exit 1; done

sanitize: $(VENV)/tools  ## the C++ tests: plain, under ASan and UBSan, and under TSan
	for kind in none address,undefined thread; do \
	  set=$$kind; [ $$kind = none ] && set=; \
	  $(BIN)/cmake -S . -B build/sanitize-$$kind -DPGCORE_TESTS=ON -DPGCORE_SANITIZE=$$set \
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
$(VERSIONS): constraints.txt
	mkdir -p build && sed 's/^mujoco==.*/mujoco==$(MUJOCO)/' constraints.txt > $@

$(VENV)/installed: pyproject.toml constraints.txt CMakeLists.txt $(CXX_FILES) | $(VERSIONS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --editable . -C cmake.define.PGCORE_WERROR=$(WERROR)
	touch $@

$(VENV)/tools: $(VENV)/installed
	$(BIN)/pip install --quiet --editable '.[test,docs]' -C cmake.define.PGCORE_WERROR=$(WERROR)
	touch $@

$(VENV)/mutation: $(VENV)/tools
	$(BIN)/pip install --quiet --editable '.[mutation]' -C cmake.define.PGCORE_WERROR=$(WERROR)
	touch $@

$(VENV)/bench: $(VENV)/tools
	$(BIN)/pip install --quiet --editable '.[bench]' -C cmake.define.PGCORE_WERROR=$(WERROR)
	touch $@
