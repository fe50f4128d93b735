# `make demo` and `make test` need nothing but Python 3.10 or newer: they make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test lint sanitize clean

demo: $(STAMP)
	$(BIN)/python benchmarks/demo.py

test: $(STAMP) lint
	$(BIN)/python -m pytest -q

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The compiled loops under gcc's or clang's sanitizers, in build/sanitize; SECONDS=300 makes random calls for longer.
sanitize: $(STAMP)
	$(BIN)/python tests/sanitize.py $(if $(SECONDS),--seconds $(SECONDS))

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info demo
