.DEFAULT_GOAL := help
SHELL := /bin/bash
.PHONY: help setup test lint lock clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: ## Make .venv and install/ (ROS_WHEELS=kilted or jazzy)
	@scripts/setup

test: lint ## Run the tests
	. ./env.sh && pytest -q test

lint: setup ## Check style and types
	. ./env.sh && ruff check . && ruff format --check . && mypy vlm_robot_ros

lock: ## Resolve the pinned versions anew
	scripts/lock

clean: ## Remove what setup made
	rm -rf .venv build install log
