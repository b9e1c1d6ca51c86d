# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that a training environment's Python runs: makes the folder ``engine`` known as ``hmtalker``, and serves.

    PYTHON -I -B engine/worker/bootstrap.py

The environment holds only the packages that the engine needs; the engine is always the one beside this file, so that
its version and the caller's never differ. Processes that the engine spawns import this file again, for the same end.
Nothing here needs more than Python 3.5, so that an older Python can say what is wrong with it.
"""

import importlib
import importlib.util
import json
import os
import sys

OLDEST_PYTHON = (3, 11)


def register_engine():
    """Put the package ``hmtalker`` into ``sys.modules``, whatever the folder is called."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    path = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location("hmtalker", path, submodule_search_locations=[folder])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hmtalker"] = module
    spec.loader.exec_module(module)


def main():
    """Serve one request; returns the exit status."""
    if sys.version_info < OLDEST_PYTHON:
        versions = (*sys.version_info[:2], *OLDEST_PYTHON)
        sentence = "The training environment has Python {}.{}, {}.{} or newer is needed; delete it and make it again."
        said = {"type": "failed", "sentence": sentence.format(*versions)}
        print(json.dumps(said), flush=True)
        return 1
    return importlib.import_module("hmtalker.worker.serve").serve()


if sys.version_info >= OLDEST_PYTHON:
    register_engine()
if __name__ == "__main__":
    sys.exit(main())
