# Set-up happens by itself: every target that needs the environment depends on .venv/ready.
PYTHON ?= python3
BIN := .venv/bin
SCENES := runs/scenes
# Without the theme's notice of its successor; a broken link ends the build.
BUILD_SITE := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.PHONY: quickstart test test-slow lint docs figures screenshots clean

quickstart: .venv/ready
	$(BIN)/switchseg make-scenes --out $(SCENES) --images 400 --seed 1
	$(BIN)/switchseg compare configs/quickstart.yaml --norms syncbn gn sn --out runs/quickstart --data.root $(SCENES)

# One thread for each of the two processes: more would wait for each other.
test: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

# By stealing: slow tests stand side by side, and one process would have most of them at the end.
test-slow: .venv/ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m slow

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BUILD_SITE) --quiet

docs: .venv/ready
	$(BUILD_SITE)

# All tables and figures of README and docs, and the page of the commands, from what lies in the repository.
figures: .venv/ready
	$(BIN)/python -m docs.made

screenshots: .venv/ready
	$(BIN)/python -m docs.made.screenshots runs/quickstart

.venv/ready: pyproject.toml setup.py constraints.txt $(wildcard src/switchseg/*/csrc/*)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet -e '.[dev]' -c constraints.txt
	touch .venv/ready

clean:
	rm -rf .venv runs build dist
