# Everything a person types here. Plain `make` prints the targets.
# Overridable: PYTHON (the Python that .venv is made from), ARGS (what `make test` hands to pytest,
# `make chaos`, `make mutants` and `make bench` to their commands), SECONDS (how long chaos may take).
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup setup-dev demo test chaos oracle sweep simulate-long mutants bench check fmt diagram lock clean

VENV := .venv/bin
SET_UP := PYTHON="$(PYTHON)" bash tools/set_up.sh
CAN_RUN := .venv/.can-run
CAN_TEST := .venv/.can-test
CAN_BENCH := .venv-bench/.can-bench

help:  ## Print these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(CAN_RUN)  ## Set up .venv to run; the command is then .venv/bin/orchestrator

setup-dev: $(CAN_TEST)  ## Set up .venv to test and check as well

demo: setup  ## Patch a simulated fleet in waves, live, on a throw-away SQLite file
	@$(VENV)/orchestrator demo

# Four workers, as half of the long tests wait for real processes. Those are many: they compile once.
test: setup-dev  ## Run the whole test suite, on SQLite and a PostgreSQL of its own
	@PYTHONDONTWRITEBYTECODE= $(VENV)/python -m pytest -n 4 --dist worksteal $(ARGS)

chaos: setup-dev  ## Kill, pause and cut off real processes for SECONDS=540 (ARGS="kill --cycles 100": one part)
	@$(VENV)/python -m tests.chaos $(or $(ARGS),all --seconds $(or $(SECONDS),540))

sweep: setup-dev  ## Die once at every point of every simulated scenario, for half an hour (ARGS="--part 1/6")
	@$(VENV)/python -m tests.simulation sweep $(ARGS)

simulate-long: setup-dev  ## Play 100,000 simulated nights, for two hours (ARGS="--first 5000000 --schedules 1000")
	@$(VENV)/python -m tests.simulation hunt --first 1000000 --schedules 100000 $(ARGS)

oracle: setup-dev  ## Compare every fire with a walk of the wall clock: all zones, ten years (ARGS="--years 1")
	@$(VENV)/python -m tests.oracle $(ARGS)

mutants: setup-dev  ## Plant each known bug and let the simulation find it, for hours (ARGS="--schedules 500")
	@$(VENV)/python -m tests.mutants $(ARGS)

bench: $(CAN_BENCH)  ## Measure the product beside its rivals and its bars, in ten minutes (ARGS="only a")
	@.venv-bench/bin/python -m benchmarks $(ARGS)

check: setup-dev  ## Check style, types, who imports whom, and what is generated
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports --no-logo
	@$(VENV)/deptry .
	@$(VENV)/python -m tools.draw --check
	@$(VENV)/python -m tools.answers --check

fmt: setup-dev  ## Format the code and mend what ruff can mend
	@$(VENV)/ruff check --fix-only .
	@$(VENV)/ruff format .

diagram: setup-dev  ## Draw the state diagram and the table of Azure's answers anew
	@$(VENV)/python -m tools.draw
	@$(VENV)/python -m tools.answers

lock: setup-dev  ## Write the locks anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@bash tools/lock.sh $(ARGS)

clean:  ## Remove .venv and every cache
	rm -rf .venv .venv-bench .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(CAN_RUN): requirements-runtime.txt pyproject.toml tools/set_up.sh
	@$(SET_UP) requirements-runtime.txt
	@touch $@

$(CAN_BENCH): requirements-bench.txt pyproject.toml tools/set_up.sh
	@$(SET_UP) requirements-bench.txt .venv-bench
	@touch $@

$(CAN_TEST): requirements.txt pyproject.toml tools/set_up.sh
	@$(SET_UP) requirements.txt
	@touch $(CAN_RUN) $@
