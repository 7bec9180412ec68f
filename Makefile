# The contributor's verbs. Each sets up all it needs in .venv; only Python 3.11 or newer and make must be there.

PYTHON ?= python3
BIN := .venv/bin
RACES := names startup audit_again download memory

.PHONY: help demo test lint cover docs wheel bench clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## see the whole thing work on a sandbox
	$(BIN)/repo-manager demo

test: .venv/ready  ## run all tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

lint: .venv/ready  ## style, types, the map's arrows, the generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 repo_manager
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check

cover: .venv/ready  ## branch coverage; the pure core must be whole
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -p no:xdist -m "not slow"
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=100 --include="$(shell $(BIN)/python docs/generate.py --core-modules)"

docs: .venv/ready  ## write the generated pages anew
	$(BIN)/python docs/generate.py

wheel: .venv/ready  ## build the wheel and run its command in a clean environment
	rm -rf dist
	$(BIN)/python -m pip wheel -q --no-deps -w dist .
	$(PYTHON) -m venv dist/venv
	dist/venv/bin/python -m pip install -q dist/*.whl
	cd dist && venv/bin/repo-manager --version && venv/bin/repo-manager catalog check && venv/bin/repo-manager -q demo

bench: .venv/ready  ## all races of bench/
	for race in $(RACES); do $(BIN)/python bench/$$race.py || exit 1; done

bench-%: .venv/ready
	$(BIN)/python bench/$*.py

clean:  ## remove what the other verbs made
	rm -rf .venv dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

.venv/ready: .venv/installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -e . --group dev
	touch $@
