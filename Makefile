# The doors to flatkit for people and for CI. The work is done by tools/setup.sh, the flatkit command and pytest.
.DEFAULT_GOAL := help
.PHONY: help setup workshop seats demo test test-long check quick bundles recordings site text text-back vectors bench bench-ui bench-seats fuzz accept clean distclean

BIN = $(shell tools/setup.sh bin)
# An emulated machine leaves half of two processors idle: two lanes of test files halve that.
LANES = -n 2 --dist loadfile --no-loadscope-reorder
FAST = not build and not vm and not ui and not install and not long
IMAGE ?= auto
DEMO ?= all
SEATS ?= 30

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## find or install what flatkit needs on this host; says each thing it does
	@tools/setup.sh run

workshop: setup ## open the course in JupyterLab, in a folder of your own (~/flatkit-course)
	@"$(BIN)/flatkit" images build-lab
	@exec "$(BIN)/flatkit" course

seats: setup ## a room of learners on this host, in their browsers; as root (SEATS=30)
	@exec "$(BIN)/flatkit" seats up --seats $(SEATS)

demo: setup ## boot a machine from a Butane config and check it, in this terminal (IMAGE=stable for real Flatcar)
	@exec "$(BIN)/flatkit" demo run provision --image $(IMAGE)

test: ## every test: pure ones, real machines, notebooks, set-up in an empty place
	@tools/setup.sh test
	@exec "$(BIN)/python" -m pytest -m "not long" $(LANES) $(PYTEST_ARGS)

test-long: ## the tests that take very long
	@tools/setup.sh long
	@exec "$(BIN)/python" -m pytest -m long $(PYTEST_ARGS)

check: ## style, types, layers, notebooks and the fast tests
	@tools/setup.sh test
	"$(BIN)/ruff" check .
	"$(BIN)/ruff" format --check .
	"$(BIN)/mypy"
	"$(BIN)/python" tools/check_notebooks.py notebooks
	"$(BIN)/python" tools/check_prose.py
	@exec "$(BIN)/python" -m pytest -q -m "$(FAST)" --ignore tests/project/test_linters.py $(LANES) $(PYTEST_ARGS)

quick: ## style, types and the fast tests that your changes touch
	@tools/setup.sh test
	@"$(BIN)/python" tools/quick.py

bundles: ## build what the notebook's widgets load, from flatkit/widgets/js (needs Node.js)
	@cd flatkit/widgets/js && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs

recordings: setup ## play every demo on the lab image and record it (DEMO=name for one): shown where nothing can boot
	@"$(BIN)/flatkit" demo run $(DEMO) --image lab --record flatkit/recordings

site: setup ## write the course as pages with recorded runs, into the folder site: nothing is fetched when they are shown
	@"$(BIN)/python" tools/make_site.py site

text: setup ## write each notebook as Markdown into the folder text, for review and translation
	@"$(BIN)/python" tools/notebook_text.py write text

text-back: setup ## rebuild the notebooks from the folder text
	@"$(BIN)/python" tools/notebook_text.py read text/*.md

vectors: ## compare with the recorded cases in the folder VECTORS (make vectors VECTORS=DIR)
	@tools/setup.sh run
	@exec "$(BIN)/python" tools/vectors.py "$(VECTORS)"

bench: ## measure how long the usual things take
	@tools/setup.sh test
	"$(BIN)/python" tools/bench_butane.py --check
	"$(BIN)/python" tools/bench_images.py --check
	"$(BIN)/python" tools/bench_room.py --check
	"$(BIN)/python" tools/bench_board.py --check
	"$(BIN)/python" tools/bench_machines.py --check

bench-ui: ## measure how quick the notebook's widgets are, in a real JupyterLab and browser
	@tools/setup.sh test
	@exec "$(BIN)/python" tools/bench_ui.py --check

bench-seats: ## log thirty learners in at once, and print how long it takes and how much memory (as root)
	@tools/setup.sh test
	@exec "$(BIN)/python" -m pytest -q -s -m long tests/seats $(PYTEST_ARGS)

fuzz: ## feed made-up configs to the translator
	@tools/setup.sh test
	@exec "$(BIN)/python" tools/fuzz_butane.py

accept: ## every demo on a real Flatcar image, with a dated report: make accept IMAGE=stable (DRY=1: the lab image in its place)
	@tools/setup.sh test
	@exec "$(BIN)/python" -m tools.accept $(if $(DRY),--dry) $(ACCEPT_ARGS) "$(if $(filter auto,$(IMAGE)),stable,$(IMAGE))"

clean: ## remove the machines that flatkit made, and end the daemons that setup started
	@if [ -x "$(BIN)/flatkit" ]; then "$(BIN)/flatkit" clean --yes; fi
	@tools/setup.sh stop

distclean: clean ## also remove .venv and the cache (images); the course's folder and your progress stay
	@if [ -x "$(BIN)/python" ]; then \
	  cache=$$("$(BIN)/python" -c 'from flatkit import paths; print(paths.cache_dir())') && \
	  echo "removing $$cache" && rm -rf -- "$$cache"; fi
	@echo "removing .venv" && rm -rf .venv
	@rm -rf dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
