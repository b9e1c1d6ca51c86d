# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernels are compiled ahead of the first frame, for exactly the types that frames use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("numba", reason="the CPU rasterizer is compiled by numba")

from hmtalker.frames import warm_up as module
from hmtalker.frames.warm_up import is_warm, start_warm_up, warm_up

HERE = Path(__file__).resolve().parent

COUNT = """
import sys; sys.path[:0] = [{here!r}, {tests!r}]
import conftest
from hmtalker.frames.warm_up import start_warm_up
seen = []
thread = start_warm_up(lambda fraction, what: seen.append(fraction))
thread.join()
assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1, seen
from hmtalker.frames import pipeline
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from tiny_avatar import make_tiny_avatar
kernels = [value for value in vars(pipeline).values() if hasattr(value, "signatures")]
before = sum(len(kernel.signatures) for kernel in kernels)
assert before >= len(kernels) > 5
renderer = Renderer(make_tiny_avatar(size=64), threads=2)
renderer.render(MotionState.rest())
renderer.render_srgb8(MotionState.rest())
print(sum(len(kernel.signatures) for kernel in kernels) - before)
"""


def test_after_it_a_frame_compiles_nothing():
    code = COUNT.format(here=str(HERE), tests=str(HERE.parent))
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() == "0"


def test_cancelling_stops_between_two_steps(monkeypatch):
    monkeypatch.setattr(module, "_ready", False)
    told = []
    assert warm_up(lambda fraction, what: told.append(what), cancelled=lambda: len(told) == 1) is False
    assert len(told) == 1
    assert not is_warm()


def test_the_second_call_has_nothing_to_do(monkeypatch):
    monkeypatch.setattr(module, "_steps", lambda: iter([(0.0, "one", lambda: None)]))
    monkeypatch.setattr(module, "_ready", False)
    told = []
    assert warm_up(lambda fraction, what: told.append((fraction, what)))
    assert told == [(0.0, "one"), (1.0, "Ready")]
    assert is_warm()
    start_warm_up(lambda fraction, what: told.append((fraction, what))).join()
    assert told[2:] == [(1.0, "Ready")]
