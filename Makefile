# The contributor's verbs. Each sets up all it needs in .venv; only Python 3.11 or newer and make must be there.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := -m pip install -q --disable-pip-version-check
LOCKED := $(INSTALL) --require-hashes
COMPILE := $(BIN)/uv pip compile -q --no-header --no-annotate --generate-hashes --python-version 3.11
UNIVERSAL := --universal --fork-strategy fewest
ON_WINDOWS := --python-platform windows $(addprefix --extra ,signatures trust objects serve)
AZURITE := 3.35.0
AXE := 4.14.1
RACES := names startup audit_again download memory

.PHONY: help demo test test-windows test-stores test-browser lint cover docs wheel bundle bench lock \
  newest oldest clean

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed  ## see the whole thing work on a sandbox
	$(BIN)/repo-manager demo

test: .venv/ready  ## run all tests
	$(BIN)/python -m pytest -q -n auto --dist worksteal

newest: .venv/lock  ## run all tests with the newest packages that pyproject.toml allows
	$(PYTHON) -m venv --clear .venv-newest
	$(BIN)/uv pip install -q --python .venv-newest -e '.[all]' --group dev
	.venv-newest/bin/python -m pytest -q -n auto --dist worksteal

oldest: .venv/lock  ## the same with the oldest ones
	$(PYTHON) -m venv --clear .venv-oldest
	$(BIN)/uv pip install -q --python .venv-oldest --resolution lowest-direct -e '.[all]' --group dev
	.venv-oldest/bin/python -m pytest -q -n auto --dist worksteal

test-windows: .venv/ready  ## run the tests under Windows Python and Wine; sets up both on Debian
	embed=$$($(BIN)/python tests/windows/tier.py embed) && \
	  $(MAKE) bundle PYTHON_EMBED=$$embed PYTHON_EMBED_SHA256=$$(sha256sum $$embed | cut -d ' ' -f 1)
	$(BIN)/python tests/windows/tier.py test
	PYTHONPATH=tests:tests/worlds $(BIN)/python -m windows.console

test-stores: .venv/ready .stores/azurite-$(AZURITE)  ## test against a real Azurite and nginx; gets both
	command -v nginx >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends nginx-light; }
	$(BIN)/python -m pytest -q -m stores

test-browser: .venv/browser .browser/axe-$(AXE)  ## test the fleet page in Chromium; gets it on Debian; needs root
	command -v chromium >/dev/null || [ -n "$$REPO_MANAGER_BROWSER" ] || { \
	  apt-get update -q && apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; }
	$(BIN)/python -m pytest -q -m browser tests/browser

lint: .venv/ready  ## style, types, the map's arrows, the generated pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 repo_manager
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/generate.py --check

cover: .venv/ready  ## branch coverage; the pure core must be whole
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -q -n auto --dist worksteal -m "not slow and not stores and not browser"
	$(BIN)/coverage combine -q
	$(BIN)/coverage report
	$(BIN)/coverage report --fail-under=100 --include='repo_manager/core/*'

docs: .venv/ready  ## write the generated pages anew
	$(BIN)/python docs/generate.py

wheel: .venv/ready  ## build the wheel and run its command in a clean environment
	rm -rf dist
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist .
	$(PYTHON) -m venv dist/venv
	dist/venv/bin/python $(LOCKED) -r requirements/run.txt
	dist/venv/bin/python $(INSTALL) --no-deps dist/*.whl
	cd dist && venv/bin/repo-manager --version && venv/bin/repo-manager catalog check && venv/bin/repo-manager -q demo
	mkdir dist/empty && dist/venv/bin/repo-manager --repository dist/empty audit --format html --fail-on never >dist/audit.html

# PYTHON_EMBED=FILE  python.org's embeddable Python for 64-bit Windows; fetched from there where none is named.
# PYTHON_EMBED_SHA256=DIGEST  said by whoever builds, where it is a version that bundle/build.py does not know.
bundle: .venv/installed  ## build the zip for Windows servers without internet or Python
	rm -rf dist/bundle
	$(BIN)/python -m pip wheel -q --disable-pip-version-check --no-deps --no-build-isolation -w dist/bundle .
	$(BIN)/python bundle/build.py dist/bundle/*.whl --python "$(PYTHON_EMBED)" --sha256 "$(PYTHON_EMBED_SHA256)"

# The files fit each other because all are made from one resolution. uv is needed for this and for the next two alone.
lock: .venv/lock  ## write requirements/ with the newest packages that pyproject.toml allows
	$(COMPILE) $(UNIVERSAL) --upgrade pyproject.toml --all-extras $(addprefix --group ,dev browser bundle lock) -o .venv/all.txt
	for group in build browser lock; do \
	  $(COMPILE) $(UNIVERSAL) --group $$group -c .venv/all.txt -o requirements/$$group.txt || exit 1; done
	$(COMPILE) $(UNIVERSAL) pyproject.toml -c .venv/all.txt -o requirements/run.txt
	$(COMPILE) $(UNIVERSAL) pyproject.toml --all-extras -c .venv/all.txt -o requirements/all.txt
	$(COMPILE) $(UNIVERSAL) pyproject.toml --all-extras --group dev -c .venv/all.txt -o requirements/dev.txt
	$(COMPILE) $(ON_WINDOWS) pyproject.toml --group tests -c .venv/all.txt -o requirements/windows.txt
	$(COMPILE) $(ON_WINDOWS) pyproject.toml --group bundle -c .venv/all.txt -o requirements/bundle.txt

bench: .venv/ready  ## all races of bench/
	for race in $(RACES); do $(BIN)/python bench/$$race.py || exit 1; done

# Not among the others: it takes ten minutes or more, and 12 GB of disk.
bench-fanout: .stores/azurite-$(AZURITE)

bench-%: .venv/ready
	$(BIN)/python bench/$*.py

clean:  ## remove what the other verbs made
	rm -rf .venv .venv-newest .venv-oldest .windows .stores .browser dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# With the pip that comes with Python: what it installs is pinned, with hashes, and so is what builds the project.
.venv/installed: pyproject.toml requirements/run.txt requirements/build.txt
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python $(LOCKED) -r requirements/run.txt -r requirements/build.txt
	$(BIN)/python $(INSTALL) --no-deps --no-build-isolation -e .
	touch $@

.venv/ready: .venv/installed requirements/dev.txt
	$(BIN)/python $(LOCKED) -r requirements/dev.txt
	touch $@

# Microsoft's own stand-in for Azure Blob Storage. Debian's packages are got only where node and npm are missing.
.stores/azurite-$(AZURITE):
	command -v npm >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm; }
	mkdir -p .stores
	npm install --prefix .stores --no-save --no-audit --no-fund --loglevel=error azurite@$(AZURITE)
	touch $@

# What looks for barriers in a page. It is one file of JavaScript, which the tests read.
.browser/axe-$(AXE):
	command -v npm >/dev/null || { apt-get update -q && apt-get install -y -q --no-install-recommends nodejs npm; }
	mkdir -p .browser
	npm install --prefix .browser --no-save --no-audit --no-fund --loglevel=error axe-core@$(AXE)
	touch $@

.venv/browser: .venv/ready requirements/browser.txt
	$(BIN)/python $(LOCKED) -r requirements/browser.txt
	touch $@

.venv/lock: .venv/installed requirements/lock.txt
	$(BIN)/python $(LOCKED) -r requirements/lock.txt
	touch $@
