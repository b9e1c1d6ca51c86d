# SPDX-License-Identifier: GPL-3.0-or-later
"""A window onto a finished face is what the whole face shows there, and costs less."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker.camera import Camera
from hmtalker.gaussians.gaussian_set import GaussianSet
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.training.field_rows import FieldRows
from hmtalker.training.finished_face import FinishedFace, in_sight
from hmtalker.training.parameters import GaussianParameters, inverse_softplus
from hmtalker.training.scene import Scene
from hmtalker.training.targets import Crop

SIZE, COUNT = 96, 3000
PIVOT = np.float32([0, 0.02, -0.08])
HEAD = np.float32([0.1, -0.2, 0.05, 0.01, -0.01, 0.02])
BODY = np.float32([0.004, -0.006, 0.002])
CAMERA = Camera.in_front(SIZE, SIZE, 0.7, 0.3)
WINDOWS = [Crop(40, 52, 56, 68), Crop(0, 0, 16, 16), Crop(80, 64, 96, 96), Crop(0, 0, SIZE, SIZE)]


@pytest.fixture(scope="module")
def face():
    """Gaussians all over a head and what is under it, and a field that moves them by up to 2 cm."""
    rng, turning = np.random.default_rng(0), torch.random.fork_rng()
    values = GaussianSet(
        means=rng.uniform([-0.13, -0.15, -0.1], [0.13, 0.13, 0.1], (COUNT, 3)).astype(np.float32),
        raw_scales=inverse_softplus(rng.uniform(0.001, 0.005, (COUNT, 3))).astype(np.float32),
        quaternions=rng.standard_normal((COUNT, 4)).astype(np.float32),
        raw_opacities=rng.standard_normal(COUNT).astype(np.float32),
        sh=rng.uniform(-0.5, 0.5, (COUNT, 9, 3)).astype(np.float32),
        head_weights=rng.uniform(0, 1, COUNT).astype(np.float32),
    )
    with turning:
        torch.manual_seed(0)
        field = MotionModel(MotionConfig()).face_field
        torch.nn.init.uniform_(field.encoding.grid, -1, 1)
        torch.nn.init.uniform_(field.layers[2], -2, 2)
        lower, upper = torch.randn(2, 32)
    scene, parameters = Scene(PIVOT, 1), GaussianParameters(values)
    with torch.no_grad():
        rows = FieldRows(field, scene.threads)
        offsets = rows.offsets(parameters.means, lower, upper)
    assert 0.005 < offsets[:, :3].norm(dim=1).max() < 0.02
    return parameters, field, scene, offsets, lower, upper


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_shows_what_the_whole_face_shows_there(face, window):
    parameters, field, scene, offsets, lower, upper = face
    camera = window.camera(CAMERA)
    with torch.no_grad():
        whole = scene.layer("face", parameters, offsets, HEAD, camera, BODY)
    expected = whole.rgb.clone(), whole.alpha.clone()
    drawn = FinishedFace(parameters, field, scene).layer(lower, upper, HEAD, camera, BODY)
    assert drawn.alpha.max() > 0.5
    for here, there in zip((drawn.rgb, drawn.alpha), expected, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=2e-6)


def test_a_small_window_asks_a_part_of_the_face(face):
    values = face[0].gaussian_set()
    asked = [len(in_sight(values, HEAD, PIVOT, window.camera(CAMERA), BODY)) for window in WINDOWS]
    assert 0 < asked[0] < 0.5 * asked[-1]
    assert asked[-1] > 0.9 * COUNT


def test_the_same_window_twice_is_the_same_to_the_bit(face):
    parameters, field, scene, _, lower, upper = face
    finished = FinishedFace(parameters, field, scene)

    def draw(window: Crop):
        return finished.layer(lower, upper, HEAD, window.camera(CAMERA), None).rgb.clone()

    first = draw(WINDOWS[0])
    draw(WINDOWS[1])
    assert torch.equal(draw(WINDOWS[0]), first)


def test_what_stands_beside_the_camera_or_behind_it_stays_in():
    one = GaussianSet(
        means=np.float32([[0, 0, 0.7], [0, 0, 2.0], [1.0, 0, 0]]),
        raw_scales=np.zeros((3, 3), np.float32),
        quaternions=np.float32([[1, 0, 0, 0]] * 3),
        raw_opacities=np.zeros(3, np.float32),
        sh=np.zeros((3, 1, 3), np.float32),
        head_weights=np.ones(3, np.float32),
    )
    assert in_sight(one, np.zeros(6, np.float32), np.zeros(3, np.float32), CAMERA).tolist() == [0, 1]
