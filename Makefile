# `make demo` and `make test` need nothing but Python 3.10 or newer: they make their own environment.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SECONDS ?= 60
SEED ?= 0

.PHONY: demo test test-fast lint sanitize fuzz docs web-demo clean

demo: $(STAMP)
	$(BIN)/python benchmarks/demo.py

test: $(STAMP) lint
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

# Two minutes, on two idle cores.
test-fast: $(STAMP)
	$(BIN)/python -m pytest -q -n 2 --dist worksteal -m "not slow and not fuzz"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The compiled loops under gcc's or clang's sanitizers, in build/sanitize; SECONDS=300 makes random calls for longer.
sanitize: $(STAMP)
	$(BIN)/python tests/sanitize.py $(if $(SECONDS),--seconds $(SECONDS))

# For all targets together; under atheris where that is installed. SECURITY.md has more.
fuzz: $(STAMP)
	$(BIN)/python -m fuzz --engine auto --seconds $(SECONDS) --seed $(SEED)

# The page that decodes and runs the network of `make demo`, in build/web-demo; it opens without a server.
web-demo: $(STAMP)
	$(BIN)/python web/demo/build.py

# The site, in build/site; warnings are errors, broken links and anchors among them. It needs no network.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir build/site

$(VENV)/.docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	touch $@

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist *.egg-info demo
