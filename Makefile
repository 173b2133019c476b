# Everything that a newcomer or a contributor does, one word each: `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
SPEECH := edgeasr/demo/speech
FILES ?= $(wildcard $(SPEECH)/*.flac)
REFERENCE ?= $(SPEECH)/speech.tsv

DEVICE := build/virtual-device
LIVE := -v --durations=0 -o log_cli=true --log-cli-level=INFO --log-cli-format='%(asctime)s %(message)s' --log-cli-date-format=%H:%M:%S

.PHONY: help demo test test-build test-arm64 test-trixie test-first-hour test-dist test-device check bench soak clean

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.done-demo ## install what is missing, then see it at work: speech in, transcripts out over MQTT
	@$(PY) -m edgeasr demo $(ARGS)

test: $(VENV)/.done-test ## install what is missing, then run all tests (ARGS="-k word" for some)
	@tools/setup.sh mosquitto
	@tools/setup.sh systemd
	@$(PY) -m pytest --durations=10 $(ARGS)

test-build: $(VENV)/.done-test-build ## build a bundle from a handful of utterances, all tools in turn (needs ../shared; 2 GB of wheels)
	@$(PY) -m pytest tests/tools $(ARGS)

test-arm64: $(VENV)/.done-test ## install the package into an emulated aarch64 Bookworm and compare the words (root or sudo; 1 GB)
	@tools/setup.sh arm64
	@$(PY) -m tools.arm64 $(ARGS)

test-trixie: ## run all tests in a bare Debian 13, with Python 3.13 (root or sudo; 3 GB)
	@tools/setup.sh debian
	@tools/trixie.sh build "$${ARGS:-}"

test-first-hour: $(VENV)/.done-test ## run the README's lines as they stand in bare Debian 12 and 13, as root and as a user (as root; 20 min, 4 GB)
	@tools/setup.sh debian
	@tools/setup.sh container
	@$(PY) -m pytest tests/first_hour $(LIVE) $(ARGS)

test-dist: $(VENV)/.done-dist ## build wheel and source distribution, look into both, and run a share of the latter's tests
	@$(PY) -m tools.distribution

test-device: $(VENV)/.done-test ## boot an emulated Debian machine and try the service there, under its systemd (half an hour; as root or with sudo)
	@tools/setup.sh emulator
	@tools/virtual_device/build.sh $(DEVICE) $(PY)
	@EDGEASR_VIRTUAL_DEVICE=$(DEVICE) $(PY) -m pytest tests/device $(LIVE) $(ARGS)

check: $(VENV)/.done-check ## what a change has to pass: ruff, mypy --strict and all tests
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@tools/setup.sh mosquitto
	@tools/setup.sh systemd
	@$(PY) -m pytest $(ARGS)

bench: $(VENV)/.done-bench ## measure speed, latency, memory and accuracy (FILES="a.wav b.wav" REFERENCE=texts.tsv)
	@$(PY) -m edgeasr bench $(FILES) --reference $(REFERENCE) $(ARGS)

soak: $(VENV)/.done-test ## play speech to the daemon for half an hour while things break, and count (ARGS="--minutes 120")
	@tools/setup.sh mosquitto
	@$(PY) -m tools.soak $(ARGS)

clean: ## remove the virtual environment, caches and build outputs
	@for root in build/arm64-root build/trixie-root build/first-hour; do [ ! -d $$root ] || [ -w $$root ] || sudo rm -rf --one-file-system $$root; done
	@rm -rf $(VENV) build dist ./*.egg-info models/build models/*.egg-info edgeasr/decoder/_native*.so bench-out .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.done-check: EXTRAS := test,dev
$(VENV)/.done-test-build: EXTRAS := test,tools
$(VENV)/.done-%: EXTRAS = $*
$(VENV)/.done-%: pyproject.toml tools/setup.sh $(wildcard edgeasr/decoder/native/*)
	@tools/setup.sh venv $(VENV) $(EXTRAS)
	@touch $@
