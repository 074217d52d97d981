# `make` alone lists what there is. Needs Python 3.11 or newer, make, and a network to PyPI the first time.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first Python that is new enough; name another with `make PYTHON=...`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
RUN_STAMP := $(VENV)/run.stamp
TEST_STAMP := $(VENV)/test.stamp

.PHONY: help
help: ## List what there is.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "make %-8s %s\n", $$1, $$2 }'

.PHONY: run
run: $(RUN_STAMP) ## Start Hilum and play one day of a hospital; DICOM=DIR sends your own images.
	@$(BIN)/hilum demo $(if $(DICOM),--dicom "$(DICOM)") $(ARGUMENTS)

.PHONY: test
test: $(TEST_STAMP) ## Run all tests; ARGUMENTS="-k worklist" chooses some.
	$(BIN)/python -m pytest $(ARGUMENTS)

.PHONY: lint
lint: $(TEST_STAMP) ## Check format, style, types and the order of rooms.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: check
check: lint test ## All that a change must pass.

.PHONY: bench
bench: $(TEST_STAMP) ## Measure beside the peers that are installed, and print ratios.
	$(BIN)/python -m benchmarks $(ARGUMENTS)

.PHONY: viewer
viewer: $(RUN_STAMP) ## Build the OHIF viewer from its npm package and install it beside Hilum; needs npm.
	$(BIN)/python viewer/build.py
	$(INSTALL) --no-deps --no-build-isolation --force-reinstall ./viewer

.PHONY: docs
docs: $(TEST_STAMP) ## Write the generated reference pages anew.
	$(BIN)/python -m hilum.cli.reference docs/reference

.PHONY: format
format: $(TEST_STAMP) ## Format the code, and mend what can be mended.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: clean
clean: ## Remove the environment and all caches, but no hilum-data.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Hilum needs Python 3.11 or newer; none was found." \
		"Install one, or name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "making $(VENV) with $(PYTHON)"
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python has no venv module here." \
		"On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }

$(RUN_STAMP): requirements/run.lock pyproject.toml | $(BIN)/python
	@echo "installing what Hilum needs (requirements/run.lock)"
	@$(INSTALL) --require-hashes -r requirements/run.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(TEST_STAMP): requirements/test.lock $(RUN_STAMP)
	@echo "installing what the tests need (requirements/test.lock)"
	@$(INSTALL) --require-hashes -r requirements/test.lock
	@touch $@
