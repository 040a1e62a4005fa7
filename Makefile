# fer-edge: every target first installs what it needs into .venv. `make help` lists the targets.
SHELL := /bin/sh
.DEFAULT_GOAL := help

VENV   := .venv
BIN    := $(VENV)/bin
ARCH   ?= bn-cnn
RECIPE ?= modern
RUN    ?= runs/$(ARCH)
OUT    ?= models
# 1: the versions and hashes in locks/. 0: the newest versions that pyproject.toml allows.
LOCKED ?= 1

# Prefer the newest Python that TensorFlow supports; the runtime alone works on 3.11 or newer.
find_python = $(shell for low_high in "3,11 3,14" "3,11 4,0"; do set -- $$low_high; \
	for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	"$$python" -c "import sys, venv, ensurepip; sys.exit(not ($$1) <= sys.version_info[:2] < ($$2))" 2>/dev/null \
	&& echo "$$python" && exit; done; done)

.PHONY: help setup demo test check format train convert bundle fuzz faults bench docs lock audit release wheel-test arm-test test-mediapipe ci-setup clean

help: ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

$(VENV)/pyvenv.cfg:
	@python='$(find_python)'; test -n "$$python" || { \
	echo "Error: cannot find Python 3.11 or newer with venv; install it (Debian: apt install python3 python3-venv) or give its path: make PYTHON=/path/to/python3" >&2; exit 1; }; \
	echo "Setting up $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv $(VENV)

# The runtime, as on a Raspberry Pi.
$(VENV)/.runtime: $(VENV)/pyvenv.cfg pyproject.toml locks/build.txt locks/runtime.txt
	@echo "Installing the runtime"
	@sh scripts/install.sh $(BIN)/python runtime $(LOCKED)
	@touch $@

# Everything else: training, conversion, tests and checks.
$(VENV)/.everything: $(VENV)/.runtime locks/development.txt
	@echo "Installing TensorFlow and the tools (about 2 GB)"
	@sh scripts/install.sh $(BIN)/python development $(LOCKED)
	@touch $@

setup: $(VENV)/.everything ## Install everything into .venv: runtime, training, tools [LOCKED=0: newest versions]

demo: $(VENV)/.runtime ## Run on a portrait, or on INPUT=image|folder|video|camera index
	@FER_EDGE="$(BIN)/fer-edge" sh scripts/demo.sh "$(INPUT)"

test: $(VENV)/.everything ## Run all tests (PYTEST="-m 'not slow'" skips the slow ones)
	@$(BIN)/python -m pytest $(PYTEST)

# MediaPipe needs a separate environment, in build/mediapipe.
test-mediapipe: $(VENV)/.everything ## Run the MediaPipe tests in a separate environment
	@sh scripts/test_mediapipe.sh $(BIN)/python

# System libraries (apt) and PyTorch.
ci-setup: $(VENV)/.everything ## Install the requirements of optional tests, as CI does (apt, PyTorch)
	@sh scripts/ci_setup.sh $(BIN)/python

check: $(VENV)/.everything ## Check lint, formatting, spelling, wording and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@status=0; $(BIN)/codespell || status=1; $(BIN)/python scripts/check_phrases.py || status=1; exit $$status
	@$(BIN)/mypy

format: $(VENV)/.everything ## Format the code and apply the linter's fixes
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

train: $(if $(DATA),$(VENV)/.everything) ## Train: DATA=fer2013.tar.gz [ARCH= RECIPE=modern|paper|distill EPOCHS= SEED= LIMIT= VOTES= TEACHER= MIXUP= FOLD=1/5 RUN= RESUME=1 OVERWRITE=1]
	@test -n "$(DATA)" || { \
	echo "Error: missing DATA=PATH, the FER-2013 data set; download it from Kaggle (\"Challenges in Representation Learning: Facial Expression Recognition Challenge\"). Accepted: fer2013.tar.gz as downloaded, fer2013.csv or icml_face_data.csv (plain, .gz, .zip, .tar.gz), or a folder train/<emotion>/*.png. Then: make train DATA=path/to/fer2013.tar.gz" >&2; exit 1; }
	@$(BIN)/fer-train fit "$(DATA)" --arch $(ARCH) --recipe $(RECIPE) --out "$(RUN)" \
	$(if $(EPOCHS),--epochs $(EPOCHS)) $(if $(LIMIT),--limit $(LIMIT)) $(if $(VOTES),--votes "$(VOTES)") $(foreach model,$(TEACHER),--teacher "$(model)") \
	$(if $(MIXUP),--mixup $(MIXUP)) $(if $(FOLD),--fold $(FOLD)) $(if $(SEED),--seed $(SEED)) $(if $(RESUME),--resume) $(if $(OVERWRITE),--overwrite)

convert: $(VENV)/.everything ## Convert RUN=runs/bn-cnn into OUT=models [DATA= OVERWRITE=1]
	@$(BIN)/fer-convert "$(RUN)" $(if $(DATA),--data "$(DATA)") --out "$(OUT)" $(if $(OVERWRITE),--overwrite)

bundle: $(VENV)/.everything ## Make RUN=… a bundled model [NAME=default|accurate DATA= SAMPLES=]
	@$(BIN)/python -m fer_convert.release.bundle "$(RUN)" $(if $(NAME),--name "$(NAME)") $(if $(SAMPLES),--samples $(SAMPLES)) $(if $(DATA),--data "$(DATA)")

fuzz: $(VENV)/.everything ## Run 20,000 damaged and hostile inputs [CASES= SEED= KINDS=]
	@$(BIN)/python -m tests.fuzz $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED)) $(if $(KINDS),--kinds $(KINDS))

faults: $(VENV)/.everything ## Kill commands at 500 random moments [KILLS= SEED= SIGNALS=KILL,INT,TERM,HUP]
	@$(BIN)/python -m tests.faults $(if $(KILLS),--kills $(KILLS)) $(if $(SEED),--seed $(SEED)) $(if $(SIGNALS),--signals $(SIGNALS))

bench: $(VENV)/.everything ## Measure speed, training and memory; write bench/results.json [VIDEO=]
	@$(BIN)/python -m bench $(if $(VIDEO),--video "$(VIDEO)")

lock: $(VENV)/.everything ## Update the versions and hashes in locks/
	@sh scripts/lock.sh $(BIN)/python

docs: $(VENV)/.everything ## Build the documentation into build/docs, with warnings as errors
	@$(BIN)/python -m docs.website

wheel-test: $(VENV)/.everything ## Build the wheel and run it in an empty environment
	@sh scripts/wheel_test.sh $(BIN)/python

audit: $(VENV)/.runtime ## Check the runtime's dependencies for known vulnerabilities
	@sh scripts/audit.sh $(BIN)/python

release: $(VENV)/.everything ## Build the wheel twice, compare, and write it with its bill of materials into dist/
	@sh scripts/release.sh $(BIN)/python

arm-test: $(VENV)/.everything ## Run the wheel on emulated 64-bit ARM (root on Debian, ten minutes) [DATA=fer2013.tar.gz]
	@sh scripts/arm_test.sh $(BIN)/python "$(DATA)"

clean: ## Remove everything the other targets created, except runs/ and models/
	rm -rf $(VENV) build dist demo .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
