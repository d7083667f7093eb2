# Digit Lab. `make` alone lists the targets.
# For GNU make 3.81 or newer (macOS has 3.81) and any POSIX shell; all paths are relative, so the checkout may have
# spaces in its name.

RUN = .venv/bin/python
export PYTHON HOST PORT RELOAD
# Where this is set, each of the many processes that the tests start would compile our code, the tests and pytest's plugins
# anew: thirteen seconds for each process of pytest alone.
unexport PYTHONDONTWRITEBYTECODE

# Some shells and compilers set HOST for their own ends: from the environment only an address counts. On the command
# line (make app HOST=...) anything does.
ifeq ($(origin HOST),environment)
ifeq ($(filter localhost 0.0.0.0 127.% 10.% 172.% 192.168.% ::%,$(HOST)),)
HOST :=
endif
endif

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install app test test-fast test-cluster test-faults parity lint format bench model lock clean app-ready dev-ready

help: ## this list
	@echo 'Digit Lab: make TARGET'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1|/p' Makefile | \
	    while IFS='|' read -r name does; do printf '  %-13s %s\n' "$$name" "$$does"; done

install: dev-ready ## .venv with everything for running and testing, and the command digitlab

app: app-ready ## the app, on port 8501 or the next free one. PORT=8600, HOST=0.0.0.0 (for a classroom), RELOAD=1
	@exec $(RUN) .ci/serve.py

test: dev-ready ## the whole test suite, in three processes. ARGS="-k drawing -x" goes to pytest
	$(RUN) -m pytest -n 3 --dist worksteal --ignore=tests/cluster $(ARGS)

test-fast: dev-ready ## the tests that start no training, process or browser: what you run while you work
	$(RUN) -m pytest -n 2 --dist worksteal --ignore=tests/cluster -m "not slow" $(ARGS)

test-cluster: dev-ready ## trainings on a real Ray cluster of two nodes, on this machine; installs Ray. ARGS goes to pytest
	@sh .ci/venv.sh requirements-cluster.txt
	$(RUN) -m pytest tests/cluster $(ARGS)

test-faults: dev-ready ## damaged files, full disks, kills, races, fuzzing: for hours. Writes docs/reliability.md. ARGS goes to pytest
	DIGITLAB_FAULTS=long $(RUN) -m pytest tests/faults $(ARGS)

parity: dev-ready ## how far what runs in a browser is from the server: 10,000 digits and 2,000 drawings under Node
	$(RUN) -m tests.javascript.parity $(ARGS)

lint: dev-ready ## ruff (rules and layout) and mypy
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: dev-ready ## lays the code out and sorts the imports
	$(RUN) -m ruff check --select I --fix .
	$(RUN) -m ruff format .

bench: dev-ready ## measure speed and compare with peers: about 100 minutes on an idle machine. Writes benchmarks/RESULTS.md
	$(RUN) benchmarks/_all.py $(ARGS)

model: dev-ready ## the shipped model, trained again: needs an NVIDIA GPU with CUDA 13, and Node. Writes mnist_core/models/default
	$(RUN) -m pip install --quiet "jax[cuda13]>=0.10,<0.12"
	mkdir -p build/model
	$(RUN) benchmarks/shipped/draw.py final build/model/final.npz
	$(RUN) benchmarks/shipped/train.py final build/model/final.npz build/model
	$(RUN) benchmarks/shipped/install.py build/model
	$(RUN) benchmarks/shipped/browser.py

LOCK = $(RUN) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
    --constraint deploy/locks/constraints.txt --custom-compile-command 'make lock'
LOCKS = deploy/locks/requirements
lock: dev-ready ## the newest versions that the requirements allow, with hashes, for Docker and CI. Writes deploy/locks/
	$(LOCK) requirements-dev.txt -o $(LOCKS)-dev.txt
	$(LOCK) requirements.txt requirements-sign-in.txt -c $(LOCKS)-dev.txt -o $(LOCKS).txt
	$(LOCK) requirements-cluster.txt -c $(LOCKS)-dev.txt -o $(LOCKS)-cluster.txt

clean: ## removes .venv and caches; keeps runs/ and the data
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . \( -path ./.git -o -path ./runs \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

app-ready:
	@sh .ci/venv.sh requirements.txt

dev-ready:
	@sh .ci/venv.sh requirements-dev.txt
