# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion settings and the motion state: what a file or a host program may hand to the engine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hmtalker.head_pose import HeadPose
from hmtalker.motion.config import MOUTH_GRIDS, GridShape, MotionConfig
from hmtalker.motion.state import MotionState


def test_settings_survive_json():
    config = MotionConfig(
        feature_dimension=512,
        fusion="concat",
        mouth_grid="parent",
        face_center=(0.0, -0.05, 0.01),
        face_half_extent=(0.3, 0.3, 0.2),
    )
    assert MotionConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_missing_settings_take_their_defaults():
    assert MotionConfig.from_dict({}) == MotionConfig()


@pytest.mark.parametrize(
    "data",
    [
        {"colour": 1},
        {"fusion": "sum"},
        {"mouth_grid": "huge"},
        {"feature_dimension": "512"},
        {"feature_dimension": 10**12},
        {"grid_levels": 10**9},
        {"grid_levels": True},
        {"face_finest": float("nan")},
        {"face_center": [0.0, 1.0]},
        {"face_half_extent": [0.1, 0.0, 0.1]},
        {"mouth_center": [0.0, float("inf"), 0.0]},
        {"use_explicit": False, "use_implicit": False},
    ],
)
def test_nonsense_settings_are_refused(data):
    with pytest.raises(ValueError):
        MotionConfig.from_dict(data)


def test_grid_tables_have_the_parents_sizes():
    assert GridShape(16.0, 38.4).sides == tuple(1 + side for side in (16, 18, 19, 21, 22, 24, 26, 28, 31, 33, 36, 39))
    assert MOUTH_GRIDS["parent"].sides == tuple(1 + side for side in (64, 64, 63, 63, 62, 62, 61, 60, 60, 59, 59, 58))
    assert MOUTH_GRIDS["sane"].sides[0] == 17
    assert MOUTH_GRIDS["sane"].sides[-1] == 59
    assert GridShape(16.0, 38.4).features == 36


def test_switches_decide_the_effective_fusion():
    assert MotionConfig().effective_fusion == "gate"
    assert MotionConfig(use_explicit=False).effective_fusion == "implicit"
    assert MotionConfig(use_implicit=False).effective_fusion == "explicit"


def test_state_checks_what_it_is_given():
    state = MotionState(np.ones(17), np.zeros(32), 0.5, HeadPose((0.1, 0.0, 0.0)))
    assert state.action_units.dtype == np.float32
    assert state.implicit is not None
    with pytest.raises(ValueError, match="17 Action Units"):
        MotionState(np.ones(16))
    with pytest.raises(ValueError, match="32 numbers"):
        MotionState(np.ones(17), np.zeros(31))
    with pytest.raises(ValueError, match="audio influence"):
        MotionState(np.ones(17), audio_influence=1.5)


def run_python(code):
    """Run code in an interpreter of its own, in which hmtalker can be imported; returns what it printed."""
    tests = str(Path(__file__).resolve().parent.parent)
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {tests!r}); import conftest; {code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_portable_twin_runs_where_neither_torch_nor_scipy_exists():
    code = "sys.modules['torch'] = sys.modules['scipy'] = None; import hmtalker.motion.portable; print('fine')"
    assert run_python(code) == "fine"


def test_importing_the_package_is_light():
    code = "import hmtalker.motion, hmtalker.motion.state; print({'torch', 'numba', 'scipy'} & set(sys.modules))"
    assert run_python(code) == "set()"
