# `make demo` shows the product, `make test` runs everything that CI runs. CONTRIBUTING.md has the rest.

PYTHON ?= python3
REPORTS := build/reports
VENV := .venv/bin
INSTALLED := .venv/.installed
# Not in node_modules, where npm tidies up and the build hook of the package touches npm's own mark.
MODULES := .venv/.modules
BUILT := python/torchtwin/labextension/package.json
LINKED := .venv/share/jupyter/labextensions/torchtwin
WORKSPACE := build/demo/workspaces/.imported
EXERCISE := build/demo/notebooks/linear_by_hand.ipynb
# The demo's own workspace, settings and runtime files: it starts the same for everyone and leaves nothing in the home
# folder.
DEMO := JUPYTERLAB_WORKSPACES_DIR=build/demo/workspaces JUPYTERLAB_SETTINGS_DIR=build/demo/settings \
  JUPYTER_RUNTIME_DIR=$(CURDIR)/build/demo/runtime

SOURCES := $(shell find src style schema -type f 2>/dev/null) package.json tsconfig.json lab.config.cjs

# npm's scripts need jupyter-builder.
export PATH := $(CURDIR)/$(VENV):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo build test check lint types pytest vitest e2e packaging wheel court bench screenshot clean chromium
.DELETE_ON_ERROR:
# `wheel` builds from clean what `e2e` is looking at.
.NOTPARALLEL:

demo: build $(WORKSPACE) $(EXERCISE)
	@$(DEMO) exec $(VENV)/jupyter lab --config=examples/demo_config.py

build: $(BUILT)

test: check e2e packaging

# The two kinds of tests side by side: each keeps one processor busy.
check: lint types
	@$(MAKE) vitest & $(MAKE) pytest; python=$$?; wait $$! && exit $$python

lint: $(INSTALLED)
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	npm run --silent lint

types: $(INSTALLED)
	$(VENV)/mypy
	npm run --silent types

pytest: $(INSTALLED)
	$(VENV)/python -m pytest --junitxml=$(REPORTS)/pytest.xml

vitest: $(MODULES)
	npm run --silent test -- --reporter=default --reporter=junit --outputFile.junit=$(REPORTS)/vitest.xml

e2e: build chromium
	npm run --silent test:e2e

packaging: wheel
	$(VENV)/python -m pytest tests/packaging --junitxml=$(REPORTS)/packaging.xml

# From clean, because the build hook is content with an old front end where it finds one.
wheel: $(INSTALLED)
	rm -rf dist lib python/torchtwin/labextension python/torchtwin/server/static
	$(VENV)/python -m build --wheel
	@touch $(MODULES) $(INSTALLED)  # as above

# Some minutes; a small part of it is among the Python tests.
court: $(INSTALLED)
	$(VENV)/python -m benchmarks.court

# Twenty minutes or more. The peers that are not installed are left out: pip install -e '.[bench]'
bench: $(INSTALLED)
	$(VENV)/python -m benchmarks.overhead

screenshot: build chromium
	npm run --silent screenshot

clean:
	rm -rf build dist lib test-results python/torchtwin/labextension python/torchtwin/server/static $(LINKED) $(INSTALLED)

.venv/.torch:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo 'Torchtwin needs Python 3.11 or newer; "$(PYTHON)" is not. Name one: make PYTHON=python3.12'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo 'Python lacks its venv module. On Debian: apt-get install python3-venv'; exit 1; }
	test -x $(VENV)/python || $(PYTHON) -m venv .venv
	$(VENV)/pip install --quiet 'torch==2.13.0'
	touch $@

$(MODULES): package-lock.json $(if $(wildcard node_modules/.bin/tsc),,missing-modules)
	@node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 ? b < 19 : a === 22 ? b < 12 : a < 20 || a === 21) ? 1 : 0)' 2>/dev/null \
	  || { echo "Torchtwin is built with Node 20.19 or newer; found $$(node --version 2>/dev/null || echo none). See https://nodejs.org"; exit 1; }
	PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci
	@mkdir -p $(@D)
	touch $@

.PHONY: missing-modules
missing-modules:

# The first installation builds the front end; later builds are seen through the link at once.
$(INSTALLED): $(MODULES) .venv/.torch pyproject.toml install.json $(wildcard jupyter-config/*/*)
	rm -rf $(LINKED)
	$(VENV)/pip install --quiet -e '.[dev]'
	$(VENV)/jupyter-builder develop . --overwrite
	@touch $(MODULES)  # the build hook has had npm write the lock file anew, as it was
	touch $@

$(BUILT): $(SOURCES) | $(INSTALLED)
	npm run --silent build

$(WORKSPACE): examples/demo.jupyterlab-workspace | $(INSTALLED)
	@mkdir -p $(@D) build/demo/settings/@jupyterlab/apputils-extension
	@echo '{"fetchNews": "false"}' > build/demo/settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings
	@$(DEMO) $(VENV)/jupyter lab workspaces import $< > /dev/null
	@touch $@

# A copy to work in, made anew when the exercise itself has changed; `rm -r build/demo` gives a fresh one.
$(EXERCISE): examples/linear_by_hand.ipynb
	@mkdir -p $(@D)
	@cp $< $@

chromium:
	@command -v chromium > /dev/null || test "$$(id -u)" != 0 || { apt-get update -qq && apt-get install -y -qq chromium; }
	@command -v chromium > /dev/null || { echo 'The end-to-end tests need Chromium: apt-get install chromium'; exit 1; }
