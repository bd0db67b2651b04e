# make demo       sets up, trains, predicts, segments, evaluates on the synthetic volume: a table, a picture and a report
# make test       sets up, lints, type-checks, tests: some minutes
# make test-all   the same with the long tests: real volumes, killed processes, other programs' readers; types of macOS too
# make bench      ours beside peers, each in an environment of its own
#
# PYTHON       3.11, 3.12 or 3.13: "make test PYTHON=python3.12"; unnamed: that of the environment, else the first that is found
# TORCH        the build: "make demo TORCH=torch==2.13.0" takes the registry's, on Linux the CUDA build; unnamed: the CPU build
# TORCH_INDEX  where the CPU build is looked for when the registry does not have it
# VENV         the environment's folder, made anew where another PYTHON or TORCH is named, or it is half made
PYTHON ?=
TORCH ?=
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
VENV := .venv
export PYTHON TORCH TORCH_INDEX VENV
BIN := $(VENV)/bin

# a program that is started once more is not compiled once more: tests start some thousand
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test test-all lint lint-all bench clean

setup:
	@sh .ci/environment.sh

demo: setup
	"$(BIN)/python" demo.py

lint: setup
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"

# macOS lacks functions that Linux has; the type checker knows which
lint-all: lint
	"$(BIN)/mypy" --platform darwin --cache-dir .mypy_cache/darwin

test: lint
	"$(BIN)/python" -m pytest -n 2 -m "not slow and not faults"

test-all: lint-all
	"$(BIN)/python" -m pytest -n 2

bench: setup
	"$(BIN)/python" -m benchmarks

clean:
	rm -rf "$(VENV)" build *.egg-info .pytest_cache .mypy_cache .ruff_cache
