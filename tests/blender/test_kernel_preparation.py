# SPDX-License-Identifier: GPL-3.0-or-later
"""Nobody waits for a compiler: kernels are prepared beside the interface, and a panel says so while it lasts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import bpy


@pytest.fixture
def preparation(part, monkeypatch):
    module = part("hmtalker_blender.kernel_preparation")
    monkeypatch.setattr(module, "_thread", None)
    monkeypatch.setattr(part("engine.frames.warm_up"), "_ready", False)
    yield module
    module.forget()


def test_in_background_mode_nobody_waits_and_nothing_is_prepared(preparation, tiny_file):
    assert bpy.ops.hmtalker.add_avatar(filepath=str(tiny_file)) == {"FINISHED"}
    assert preparation._thread is None
    assert preparation.progress() is None


def test_preparing_ends_with_warm_kernels_in_the_cache(preparation, part, monkeypatch):
    monkeypatch.setattr(preparation, "WORTH_MENTIONING", 0.0)
    preparation.start()
    first = preparation._thread
    preparation.start()  # asks for nothing new
    assert preparation._thread is first
    told = set()
    while preparation._thread.is_alive():
        if (now := preparation.progress()) is not None:
            told.add(now)
    assert all(0 <= fraction <= 1 and "once on this computer" in text for fraction, text in told)
    assert preparation.progress() is None
    assert part("engine.frames.warm_up").is_warm()
    assert any(Path(os.environ["NUMBA_CACHE_DIR"]).rglob("*.nbi"))
