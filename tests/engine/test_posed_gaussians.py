# SPDX-License-Identifier: GPL-3.0-or-later
"""The posed head for other programs: harmonics turn with it, and a PLY holds what was written."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from hmtalker.gaussians import sh as spherical_harmonics
from hmtalker.gaussians.ply_file import AFTER, BEFORE, PlyError, fields, read_ply, write_ply
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.posed_gaussians import UPRIGHT, posed_gaussians
from hmtalker.render import Renderer

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import make_tiny_avatar


@pytest.fixture(scope="module")
def renderer():
    renderer = Renderer(make_tiny_avatar(), threads=1)
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def state() -> MotionState:
    rng = np.random.default_rng(3)
    units = rng.uniform(0, 2, 17).astype(np.float32)
    return MotionState(
        units, rng.normal(size=32).astype(np.float32), 1.0, HeadPose((0.3, -0.5, 0.2), (0.01, 0.0, 0.02))
    )


def seen(splats, sh, camera):
    return spherical_harmonics.colors(sh.astype(np.float64), splats.means - camera)


def test_the_harmonics_turn_with_the_head(renderer, state):
    splats, sh = posed_gaussians(renderer, state)
    face, mouth = renderer.posed(state)
    expected = np.concatenate([face.colors, mouth.colors])
    avatar = renderer.avatar
    weights = np.concatenate([avatar.face.head_weights, avatar.mouth.head_weights])
    error = np.abs(seen(splats, sh, avatar.camera.position) - expected).max(1)
    whole = (weights == 0) | (weights == 1)
    assert whole.sum() > 100
    assert error[whole].max() < 1e-4  # in the neck, which follows in part, both are approximations of their own
    np.testing.assert_array_equal(splats.means, np.concatenate([face.means, mouth.means]))


def test_turned_axes_show_the_same_head_to_a_turned_camera(renderer, state):
    splats, sh = posed_gaussians(renderer, state)
    turned, turned_sh = posed_gaussians(renderer, state, UPRIGHT)
    camera = renderer.avatar.camera.position
    np.testing.assert_allclose(seen(turned, turned_sh, UPRIGHT @ camera), seen(splats, sh, camera), atol=1e-5)
    top = int(np.argmax(splats.means[:, 1]))
    assert turned.means[top, 2] == pytest.approx(splats.means[top, 1])


def test_a_ply_is_read_back(renderer, state, tmp_path):
    splats, sh = posed_gaussians(renderer, state)
    write_ply(tmp_path / "head.ply", splats, sh, ("synthetic media", "two\nlines"))
    again, again_sh = read_ply(tmp_path / "head.ply")
    np.testing.assert_array_equal(again.means, splats.means)
    np.testing.assert_array_equal(again_sh, sh)
    np.testing.assert_allclose(again.scales, splats.scales, rtol=1e-5)
    np.testing.assert_allclose(again.opacities, splats.opacities, atol=2e-6)
    np.testing.assert_allclose(again.quaternions, splats.quaternions, atol=1e-6)


def test_the_properties_stand_in_the_order_of_3dgs(renderer, state, tmp_path):
    splats, sh = posed_gaussians(renderer, state)
    write_ply(tmp_path / "head.ply", splats, sh)
    data = (tmp_path / "head.ply").read_bytes()
    header, _, body = data.partition(b"end_header\n")
    names = [line.split()[-1] for line in header.decode().splitlines() if line.startswith("property float")]
    assert names == [*BEFORE, *(f"f_rest_{k}" for k in range(24)), *AFTER] == list(fields(9))
    row = np.frombuffer(body, "<f4")[: len(names)]
    assert row[names.index("f_rest_8")] == sh[0, 1, 1], "all of red, then green"
    assert row[names.index("opacity")] == pytest.approx(
        np.log(splats.opacities[0] / (1 - splats.opacities[0])), abs=1e-4
    )
    assert row[names.index("rot_0")] == splats.quaternions[0, 0]


@pytest.mark.parametrize("damage", [lambda d: d[:-5], lambda d: d + b"x", lambda d: b"nothing", lambda d: d[4:]])
def test_damaged_files_are_one_sentence(renderer, state, tmp_path, damage):
    write_ply(tmp_path / "head.ply", *posed_gaussians(renderer, state))
    path = tmp_path / "bad.ply"
    path.write_bytes(damage((tmp_path / "head.ply").read_bytes()))
    with pytest.raises(PlyError, match=r"bad\.ply"):
        read_ply(path)
    with pytest.raises(PlyError, match="choose another"):
        read_ply(tmp_path / "none.ply")
