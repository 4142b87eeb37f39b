# iq-lotse. `make` or `make help` lists the targets.
SHELL := /bin/bash
PYTHON_VERSION := 3.10
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_PROCESSES := $(shell n=$$(($$(nproc) + 1)); m=$$(awk '/MemAvailable/ { print int($$2 / 5500000) }' /proc/meminfo); echo $$((m < 1 ? 1 : m < n ? m : n)))

.DEFAULT_GOAL := help
.PHONY: help setup train run test pytest lint bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml .ci/setup
	@bash .ci/setup $(PYTHON_VERSION) $(VENV)
	@touch $(STAMP)

setup: $(STAMP) ## find Python 3.10, make .venv, install the locked packages

train: setup ## train the model, if anything it is made from has changed
	@$(BIN)/lotse train

run: setup ## set up, train, fill the directory, start: open the page and chat
	@$(BIN)/lotse serve

lint: setup ## ruff (check and format) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy actions bot bench

# Side by side: most tests need no model, and those that do wait for it; hence the training goes first (nice). A test process
# with its own engine takes up to 5 GB of memory, and waits for it half of the time: one more of them than processors, if
# there is room.
test: setup ## set up, then lint, train and run all tests side by side
	@$(MAKE) --no-print-directory -j3 lint train pytest

pytest: setup
	@nice -n 2 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist worksteal

bench: setup ## measure training, start-up, parse and turn times against Rasa's default pipeline (takes long)
	@$(BIN)/python -m bench

fuzz: setup ## attack a running guide with 20,000 generated inputs (`python -m bench fuzz --help` for more)
	@$(BIN)/python -m bench fuzz

clean: ## remove everything that was made here: environment, models, databases
	rm -rf $(VENV) var models results .rasa build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
