# SPDX-License-Identifier: GPL-3.0-or-later
# make demo            a talking head from the bundled speech sample, in out/demo (needs only Python 3.11)
# make demo AUDIO=file.mp3 OUT=folder
# make test            everything that CI runs
PYTHON ?= $(shell command -v python3.11 || command -v python3)
OUT ?= out/demo
SECONDS ?=
AUDIO ?=
ENVIRONMENTS = $(PYTHON) .ci/distribution/environments.py
ZIP = dist/hm_talker-$(shell sed -n 's/^version = "\(.*\)"/\1/p' blender_manifest.toml)-$(PLATFORM).zip
PLATFORM = $(shell $(PYTHON) -c "import build_addon; print(build_addon.this_platform().replace('-', '_'))")

.PHONY: demo zip test docs lint test-engine test-blender bench clean

demo:
	@$(ENVIRONMENTS) build blender-4.5
	@.venv/build/bin/python build_addon.py build
	@.venv/blender-4.5/bin/python benchmarks/demo.py --zip $(ZIP) --out "$(OUT)" $(if $(AUDIO),--audio "$(AUDIO)") $(if $(SECONDS),--seconds $(SECONDS))

zip:
	@$(ENVIRONMENTS) build blender-4.5
	@.venv/build/bin/python build_addon.py build

test:
	@.ci/test

docs:
	@$(ENVIRONMENTS) docs
	@.venv/docs/bin/python -m sphinx -q -W --keep-going -b html docs out/site
	@echo "out/site/index.html"

lint:
	@$(ENVIRONMENTS) test
	.venv/test/bin/ruff check .
	.venv/test/bin/ruff format --check .
	.venv/test/bin/mypy

test-engine:
	@$(ENVIRONMENTS) test
	.venv/test/bin/python -m pytest -q --ignore tests/blender tests

test-blender: zip
	HMTALKER_ZIP=$(abspath $(ZIP)) .venv/blender-4.5/bin/python -m pytest -q tests/blender

bench:
	@$(ENVIRONMENTS) test
	.venv/test/bin/python benchmarks/bench.py

clean:
	rm -rf build dist out .venv .cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
