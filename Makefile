# crmctl: everything is made in .venv; nothing outside this folder changes.

VENV := .venv
PYTHON := $(VENV)/bin/python
WORKERS ?= 2
ARGS ?=

.PHONY: help demo test lint full bench clean

help:
	@echo 'make demo    the main job on sample data, with a tour'
	@echo 'make test    every test, on SQLite and a real PostgreSQL   (ARGS="-k name" narrows)'
	@echo 'make lint    style and types'
	@echo 'make full    lint, the tests at full scale, the benchmarks'
	@echo 'make bench   the benchmarks alone                          (ARGS="--rows 100000")'
	@echo 'make clean   remove what these made'

demo:
	@sh .ci/venv postgres
	@$(PYTHON) -m crmctl demo $(ARGS)

test:
	@sh .ci/venv dev,postgres
	$(PYTHON) -m pytest -n $(WORKERS) tests $(ARGS)

lint:
	@sh .ci/venv dev,postgres
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

full: lint
	$(PYTHON) -m pytest -n $(WORKERS) tests --full $(ARGS)
	$(PYTHON) -m benchmarks.import_customers
	$(PYTHON) -m benchmarks.regrade
	$(PYTHON) -m benchmarks.owners
	$(PYTHON) -m benchmarks.audit
	$(PYTHON) -m benchmarks.complaints
	$(PYTHON) -m benchmarks.backup
	$(PYTHON) -m benchmarks.purge
	$(PYTHON) -m benchmarks.keys
	$(PYTHON) -m benchmarks.startup

bench:
	@sh .ci/venv dev,postgres
	$(PYTHON) -m benchmarks.import_customers $(ARGS)
	$(PYTHON) -m benchmarks.startup

clean:
	rm -rf $(VENV) build dist *.egg-info demo demo.keys benchmarks/out
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
