# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads alone before the film's own torso: what lies behind them, training on them, and comparing them that way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
torch = pytest.importorskip("torch")

from hmtalker.camera import Camera
from hmtalker.motion.model import MotionConfig
from hmtalker.training.dataset import Dataset, Performance, Pictures
from hmtalker.training.head_frames import HeadFrames, SourceFrames, read_background
from hmtalker.training.motion_stage import SurfaceMotion
from hmtalker.training.presets import PRESETS, SMOKE
from hmtalker.training.source_torso import behind_the_head, head_alpha
from hmtalker.training.surface import CLOTH, FACE, MOUTH, Surface
from hmtalker.training.targets import Crop, target_of
from hmtalker.training.trainer import Trainer

SIZE = 48
SKIN, SHIRT = (200, 150, 120), (30, 60, 160)
WALL = np.full((SIZE, SIZE, 3), (0.1, 0.5, 0.2), np.float32)
JAW_AT, SIDES = 28, slice(12, 36)
"""Rows from which the body is seen under the head, and the columns of both."""


def frame() -> tuple[np.ndarray, np.ndarray]:
    """A head on a body of the same width: rgba and masks."""
    rgba, masks = np.zeros((SIZE, SIZE, 4), np.uint8), np.zeros((SIZE, SIZE, 3), np.uint8)
    rgba[6:, SIDES, 3] = 255
    rgba[6:JAW_AT, SIDES, :3], rgba[JAW_AT:, SIDES, :3] = SKIN, SHIRT
    masks[6:JAW_AT, SIDES, 2] = 255
    return rgba, masks


def test_the_torso_and_the_wall_stay_as_they_are():
    rgba, masks = frame()
    behind = behind_the_head(rgba, masks, WALL)
    assert behind[JAW_AT:, SIDES] == pytest.approx(np.broadcast_to(np.float32(SHIRT) / 255, (20, 24, 3)), abs=1e-3)
    assert behind[:, :12] == pytest.approx(WALL[:, :12])
    assert behind[:6] == pytest.approx(WALL[:6])


def test_the_neck_goes_on_under_the_head_and_not_beside_it():
    rgba, masks = frame()
    behind = behind_the_head(rgba, masks, WALL)
    neck = behind[JAW_AT - 3 : JAW_AT, 16:32] * 255
    assert neck == pytest.approx(np.broadcast_to(SHIRT, neck.shape), rel=0.25)
    assert behind[8:20, SIDES] == pytest.approx(WALL[8:20, SIDES])
    assert (neck[0] < neck[-1]).all()


def test_without_a_background_it_is_grey_and_without_a_body_there_is_no_neck():
    rgba, masks = frame()
    rgba[JAW_AT:] = 0
    assert (behind_the_head(rgba, masks, None) == 0.5).all()


def test_only_the_head_is_left_of_the_alpha():
    rgba, masks = frame()
    masks[30, 20] = (9, 9, 9)
    alpha = head_alpha(rgba, masks)
    assert (alpha[6:JAW_AT, SIDES] == 255).all()
    assert alpha[30, 20] == 27
    assert alpha[JAW_AT:].sum() == 27


def square(region: int, low: float, high: float, colour: tuple[float, float, float], depth: float = 0.0) -> Surface:
    """14 x 14 samples facing the camera, between two heights in metres; one shape moves them a little."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(-0.04, 0.04, 14), np.linspace(low, high, 14)))
    positions = np.stack([x, y, np.full_like(x, depth)], 1).astype(np.float32)
    count = len(positions)
    deltas = np.zeros((1, count, 3), np.float16)
    deltas[0, :, 1] = -0.002
    return Surface(
        positions,
        np.tile(np.float32([0, 0, 1]), (count, 1)),
        np.full(count, (0.08 / 13) ** 2, np.float32),
        np.full(count, region, np.uint8),
        np.full(count, float(region != CLOTH), np.float32),
        np.tile(np.float32(colour), (count, 1)),
        deltas,
        ["open"],
    )


def joined(*surfaces: Surface) -> Surface:
    fields = ("positions", "normals", "areas", "regions", "head_weights", "colors")
    parts = [np.concatenate([getattr(s, name) for s in surfaces]) for name in fields]
    return Surface(*parts, np.concatenate([s.shape_deltas for s in surfaces], 1), ["open"])


@pytest.fixture(scope="module")
def person():
    rgba, masks = frame()
    count = 4
    pictures = Pictures(
        np.repeat(rgba[None], count, 0),
        np.repeat(masks[None], count, 0),
        np.zeros((count, 17), np.float32),
        np.zeros((count, 6), np.float32),
        np.full(count, -1),
        np.full(count, -1),
        np.arange(count) == 3,
        np.tile([4, 4, SIZE - 4, SIZE - 4], (count, 1)),
        np.ones(count, bool),
    )
    rng = np.random.default_rng(0)
    performance = Performance(
        np.zeros((40, 17), np.float32),
        np.zeros((40, 6), np.float32),
        np.repeat([0, 1], 20),
        np.tile(np.arange(20), 2),
        np.array([True, True]),
        [rng.standard_normal((1, 40, 8)).astype(np.float16) for _ in range(2)],
        np.zeros((40, 2), np.float32),
        np.zeros((40, 0), np.float32),
    )
    camera = Camera.in_front(SIZE, SIZE, 0.7, 0.25)
    face = joined(square(FACE, -0.02, 0.06, (0.7, 0.5, 0.4)), square(CLOTH, -0.08, -0.02, (0.1, 0.2, 0.6)))
    mouth = square(MOUTH, -0.01, 0.0, (0.4, 0.2, 0.2), -0.01)
    surface = SurfaceMotion(face, mouth, lambda units, pucker, funnel: units[:, :1] / 5)
    return Dataset(camera, np.zeros(3), performance, pictures), surface


def test_heads_and_what_is_behind_them_make_the_whole_frame(person):
    pictures = person[0].pictures
    heads = replace(pictures, rgba=HeadFrames(pictures))
    source, crop = SourceFrames(pictures, WALL), Crop(4, 2, 40, 44)
    target = target_of(heads, 1, crop)
    image = target.person + (1 - target.person_alpha)[..., None] * source.behind(1, crop)
    assert image.numpy() == pytest.approx(source.whole(1, crop).numpy(), abs=1e-5)
    assert heads.rgba[0, 2:5, :, 3].shape == (3, SIZE)
    assert len(heads.rgba) == 4
    assert (pictures.rgba[0][JAW_AT:, SIDES, 3] == 255).all()  # the film itself is not changed


def test_the_papers_way_trains_a_head_alone(person, tmp_path):
    dataset, surface = person
    preset = replace(SMOKE, torso="source", shares={FACE: 1.0, CLOTH: 1.0, MOUTH: 0.5})
    trainer = Trainer(dataset, preset, surface, MotionConfig(feature_dimension=8), tmp_path, 1, background=WALL)
    assert (trainer.trained.face.head_weights == 1).all()
    trained = trainer.run()
    assert trained.face.means[:, 1].min() > -0.04
    whole = Trainer(dataset, SMOKE, surface, MotionConfig(feature_dimension=8), tmp_path / "whole", 1)
    assert (whole.trained.face.head_weights == 0).any()


def test_the_joint_stage_sees_the_film_behind_the_head(person, tmp_path, monkeypatch):
    dataset, surface = person
    preset = replace(SMOKE, torso="source")
    trainer = Trainer(dataset, preset, surface, MotionConfig(feature_dimension=8), tmp_path, 1, background=WALL)
    stage, _ = trainer._joint()
    with torch.no_grad():
        stage.face.raw_opacities.fill_(-20)
        stage.mouth.raw_opacities.fill_(-20)
    seen = []

    def compared(image, truth, _weight):
        seen.append((image.detach().numpy(), truth.numpy()))
        return torch.zeros((), requires_grad=True), torch.zeros(()), torch.zeros(())

    monkeypatch.setattr("hmtalker.training.joint_stage.photometric", compared)
    stage.step()
    image, truth = seen[0]  # no head is drawn: the film's torso and wall are there, and equal
    assert image == pytest.approx(behind_the_head(*frame(), WALL), abs=1e-4)
    assert image[JAW_AT:] == pytest.approx(truth[JAW_AT:], abs=1e-3)
    assert np.abs(image - truth)[8:20, SIDES].mean() > 0.1


def test_the_paper_and_its_parent_keep_the_films_torso_and_the_others_have_their_own():
    assert {name for name, preset in PRESETS.items() if preset.torso == "source"} == {"paper", "parent"}


def test_a_dataset_without_a_plate_has_no_background(tmp_path):
    assert read_background(tmp_path) is None
    cv2.imwrite(str(tmp_path / "background.png"), np.full((4, 5, 3), (0, 0, 255), np.uint8))
    assert read_background(tmp_path)[0, 0] == pytest.approx([1, 0, 0])
