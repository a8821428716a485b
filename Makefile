.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help demo console setup test lint bench lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: setup ## Watch the simulated arm obey (SEED=n changes scenes and commands)
	. ./env.sh && vlm-robot demo --seed $(or $(SEED),1)

console: setup ## Tell the simulated arm what to do, in your browser
	. ./env.sh && vlm-robot console --demo

setup: ## Make .venv and install/ (ROS_WHEELS=kilted or jazzy)
	@scripts/setup

test: lint ## Run the tests
	. ./env.sh && pytest -q test

lint: setup ## Check style and types
	. ./env.sh && ruff check . && ruff format --check . && mypy vlm_robot_ros

bench: setup ## Measure rates, conversion, smoothness, latency, transport: a quarter of an hour
	. ./env.sh && set -e && for name in policy_rate encoder_rate conversion smoothness node_latency transport; do \
	  printf '\n== %s\n' $$name; python benchmarks/$$name.py; done

lock: ## Resolve the pinned versions anew
	scripts/lock

clean: ## Remove what setup made
	rm -rf .venv build install log
