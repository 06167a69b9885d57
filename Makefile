# The verbs of this project; `make` alone lists them. Each prepares what it needs by itself.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin
# More arguments for pytest: make test ARGS="tests/core -x"
ARGS ?=
# Another interpreter for .venv: make setup PYTHON=/path/to/python3
PYTHON ?=
export PYTHON

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  make \1|\2/' \
		| awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

.PHONY: setup
setup: ## Make .venv with the pinned packages; install RabbitMQ and Redis (Debian) if missing
	@scripts/setup
	@echo "Ready. Try: make demo, or $(BIN)/igsend --help"

.PHONY: demo
demo: ## Watch it work: private broker, fake Instagram, one request of every kind (KEEP=1 stays up)
	@scripts/setup
	@$(BIN)/igsend demo

.PHONY: check
check: ## Lint, types, import rules, schemas, coverage of the core; needs no broker
	@scripts/setup python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest --quiet tests/architecture tests/contract
	$(BIN)/pytest --quiet tests/core --cov=worker/core --cov-branch --cov-fail-under=100

.PHONY: fix
fix: ## Repair what the linter can repair, and format
	@scripts/setup python
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: test
test: ## Run all tests, on private nodes (or IGSEND_TEST_AMQP_URL, IGSEND_TEST_REDIS_URL)
	@scripts/setup tests
	@scripts/deploy-tools || echo "The tests that need these tools are skipped."
	@IGSEND_TEST_REQUIRE_NODES=1 $(BIN)/pytest $(ARGS)

.PHONY: policy-scan
policy-scan: ## Scan the rendered chart and the Dockerfile with checkov, an environment of its own (1 GB)
	@scripts/setup python
	@scripts/deploy-tools
	@scripts/policy-scan

.PHONY: chaos
chaos: ## Break everything on purpose and balance the books: 10,000 requests, 300 faults (ARGS="--seed 2")
	@scripts/setup tests
	@$(BIN)/python -m tests.chaos $(ARGS)

.PHONY: bench
bench: ## Measure against a bare loop and task queues (20 min), write docs/performance.md (ARGS="--help")
	@scripts/bench-setup
	@$(BIN)/python -m tests.bench --write $(ARGS)

.PHONY: fuzz
fuzz: ## Fuzz what reads foreign bytes, guided by coverage: 60 s each (ARGS=600 for longer)
	@scripts/setup python
	@$(BIN)/pip install --quiet 'atheris>=3'
	@for target in body content_header frames; do $(BIN)/python -m tests.fuzz $$target $(ARGS) || exit 1; done

.PHONY: test-brokers
test-brokers: ## Run the tests that need a broker on RabbitMQ 4.0 and 4.3 too (root: debootstrap)
	@scripts/setup tests
	@scripts/newer-brokers tests/integration tests/e2e tests/chaos tests/dead_letters $(ARGS)

.PHONY: image-replay
image-replay: ## Follow the steps of deploy/Dockerfile without an engine, and try what they make
	@scripts/setup python
	@$(BIN)/python -m tests.deploy.replay_image

.PHONY: reference
reference: ## Write schemas/asyncapi.yaml and docs/reference.md anew, after a change to the schemas
	@scripts/setup python
	$(BIN)/python -m tests.contract.reference

.PHONY: lock
lock: ## Write requirements.lock anew from pyproject.toml (UPGRADE=1 takes newer releases)
	@scripts/setup python
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile pyproject.toml scripts/lock.in --quiet \
		--extra dev --extra tracing --allow-unsafe --generate-hashes --strip-extras \
		--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile scripts/deploy-tools.in --quiet \
		--generate-hashes --strip-extras \
		--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		$(if $(UPGRADE),--upgrade) --output-file scripts/deploy-tools.lock
	CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/pip-compile pyproject.toml --quiet --constraint requirements.lock --extra tracing \
		--generate-hashes --strip-extras \
		--no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
		--output-file deploy/requirements.lock

.PHONY: clean
clean: ## Remove .venv, caches and build results
	rm -rf .venv .venv-bench .venv-deploy .venv-policy dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	rm -f .coverage .coverage.*
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
