.DEFAULT_GOAL := help
SHELL := /bin/bash
# Each worker has DDS domains of its own. Nodes meet deadlines only where cores are left for them.
TEST_WORKERS ?= 2
TEST_OPTIONS = -n $(TEST_WORKERS) --dist worksteal
.PHONY: help demo console setup test test-all lint docs bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## Watch the simulated arm obey (SEED=n changes scenes and commands)
	. ./env.sh && vlm-robot demo --seed $(or $(SEED),1)

console: setup ## Tell the simulated arm what to do, in your browser
	. ./env.sh && vlm-robot console --demo

setup: ## Make .venv and install/ (ROS_WHEELS=kilted or jazzy)
	@scripts/setup

test: lint ## Run the essential tests, those with real nodes among them: about 10 minutes
	. ./env.sh && pytest -q $(TEST_OPTIONS) -m "not long" test

test-all: lint ## Run all tests, those with nodes one by one: about 50 minutes
	. ./env.sh && pytest -q $(TEST_OPTIONS) -m "not ros" test && pytest -q -m ros test

lint: setup ## Check style and types
	. ./env.sh && ruff check . && ruff format --check . && mypy vlm_robot_ros

docs: setup ## Build the documentation in docs/_build/html
	@.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --target .venv/docs \
	  --require-hashes -r requirements/docs.lock
	. ./env.sh && python docs/generate.py --check && python -c "import sys; sys.path.append('.venv/docs'); \
	  from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))" -W --keep-going -q docs docs/_build/html

bench: setup ## Measure rates, conversion, smoothness, latency, transport, memory: half an hour
	-.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --target .venv/bench -r requirements/bench.txt
	. ./env.sh && set -eo pipefail && mkdir -p runs && for call in policy_rate.py encoder_rate.py conversion.py \
	  smoothness.py node_latency.py "transport.py --cameras 2 3 4" "node_memory.py --minutes 5"; do \
	  printf '\n## %s\n\n' "$$call"; python benchmarks/$$call; done | tee runs/bench.md
	. ./env.sh && python benchmarks/draw.py runs/bench.md runs/bench.png && echo "tables in runs/bench.md, picture in runs/bench.png"

lock: ## Resolve the pinned versions again
	scripts/lock

clean: ## Remove what setup made
	rm -rf .venv build install log
