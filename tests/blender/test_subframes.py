# SPDX-License-Identifier: GPL-3.0-or-later
"""Between two frames the face is what the curves say there, also where motion is blurred."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import add_camera, prepare, still, use_cycles


@pytest.fixture
def moving(avatar, scene, part):
    """The tiny avatar opening its mouth and moving aside between frames 7 and 8."""
    prepare(scene, 96, 72)
    add_camera(scene)
    for frame, value in ((7, 0.0), (8, 4.0)):
        avatar.hmtalker.AU26, avatar.location.x = value, value / 20
        avatar.hmtalker.keyframe_insert("AU26", frame=frame)
        avatar.keyframe_insert("location", frame=frame)
    for curve in part("hmtalker_blender.versions").action_fcurves(avatar):
        for key in curve.keyframe_points:
            key.interpolation = "LINEAR"
    return avatar


def choose(scene, engine: str) -> None:
    if engine == "CYCLES":
        use_cycles(scene)
    else:
        scene.render.engine = engine


@pytest.mark.parametrize("engine", ["HMTALKER", "CYCLES"])
def test_frame_7_and_a_half_is_the_face_of_7_and_a_half(moving, scene, tmp_path, engine):
    choose(scene, engine)
    scene.frame_set(7, subframe=0.5)
    between = still(scene, tmp_path)
    scene.frame_set(7)
    before = still(scene, tmp_path)
    moving.animation_data.action = None
    moving.hmtalker.AU26, moving.location.x = 2.0, 0.1
    assert np.array_equal(between, still(scene, tmp_path))
    assert abs(between - before).max() > 0.1


def test_motion_blur_smears_the_avatar_about_where_it_is(moving, scene, tmp_path):
    use_cycles(scene)
    scene.cycles.samples = 32
    scene.frame_set(7, subframe=0.5)
    sharp = still(scene, tmp_path)
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 0.5
    blurred = still(scene, tmp_path)
    columns = np.arange(sharp.shape[1])

    def middle(picture) -> float:
        return float((picture[..., 3].sum(0) * columns).sum() / picture[..., 3].sum())

    assert middle(blurred) == pytest.approx(middle(sharp), abs=0.5)
    assert ((blurred[..., 3] > 0.05) & (blurred[..., 3] < 0.95)).sum() > 1.5 * (
        (sharp[..., 3] > 0.05) & (sharp[..., 3] < 0.95)
    ).sum()
    scene.render.use_motion_blur = False
    assert np.array_equal(still(scene, tmp_path), sharp)  # and nothing of another moment is left on the card


def test_a_face_that_moves_alone_is_as_sharp_as_without_blur(moving, scene, tmp_path):
    use_cycles(scene)
    scene.cycles.samples = 32
    moving.keyframe_delete("location", frame=7)
    moving.keyframe_delete("location", frame=8)
    scene.frame_set(7, subframe=0.5)
    sharp = still(scene, tmp_path)
    scene.render.use_motion_blur, scene.render.motion_blur_shutter = True, 0.5
    assert abs(still(scene, tmp_path) - sharp).mean() < 1e-3
    assert not moving.cycles.use_deform_motion  # faces with as many vertices by chance would be torn otherwise
