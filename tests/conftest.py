# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the engine importable as ``hmtalker`` straight from the working tree when it is not installed."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _alias_engine() -> None:
    if importlib.util.find_spec("hmtalker") is not None:
        return
    engine = ROOT / "engine"
    spec = importlib.util.spec_from_file_location(
        "hmtalker", engine / "__init__.py", submodule_search_locations=[str(engine)]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hmtalker"] = module
    spec.loader.exec_module(module)


_alias_engine()
