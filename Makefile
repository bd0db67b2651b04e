# make demo   sets up, trains, predicts, segments, evaluates on the synthetic volume: a table and a picture
# make test   sets up, lints, type-checks, tests
# make bench  ours beside peers, each in an environment of its own
#
# TORCH chooses the build: "make demo TORCH=torch==2.13.0" takes the CUDA build.
PYTHON ?= python3.11
TORCH ?= torch==2.13.0+cpu
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check

.PHONY: setup demo test lint bench clean

setup: $(VENV)/.done

# torch first: left to the other packages, pip would take another build of it
$(VENV)/.done: setup.py constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)" 2>/dev/null || $(PIP) "$(TORCH)" --extra-index-url $(TORCH_INDEX)
	$(PIP) -c constraints.txt -e ".[test]"
	touch $@

demo: setup
	$(BIN)/python demo.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/python -m pytest -n 2

bench: setup
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
