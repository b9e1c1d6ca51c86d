# SPDX-License-Identifier: GPL-3.0-or-later
"""A filmed person starts as a surface that looks like the reference frame and moves as the landmarks did."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker.camera import Camera
from hmtalker.capture.head.canonical_face import canonical_face
from hmtalker.errors import HMTalkerError
from hmtalker.head_pose import HeadPose
from hmtalker.training.filmed_motion import (
    CHANNELS,
    fit_shapes,
    generic_shapes,
    spread_over,
    way_from_mesh,
    with_motion,
)
from hmtalker.training.filmed_surface import Reference, choose_reference, filmed_surface, mesh_depth, tucked
from hmtalker.training.frame_store import AHEAD, FrameStore
from hmtalker.training.mouth_interior import mouth_interior
from hmtalker.training.parameters import GaussianParameters
from hmtalker.training.scene import Scene
from hmtalker.training.surface import CLOTH, FACE, HAIR, NECK

SIZE = 128
PIVOT = np.array([0.0, -0.06, -0.05])
MESH = np.array(canonical_face())
POSE = np.array([0.05, -0.12, 0.03, 0.004, 0.002, -0.006], np.float32)


def camera() -> Camera:
    K = np.array([[260.0, 0, SIZE / 2], [0, 260.0, SIZE / 2 - 4], [0, 0, 1]])
    world_to_camera = np.diag([1.0, -1, -1, 1])
    world_to_camera[:3, 3] = (0, -0.01, 0.62)
    return Camera(SIZE, SIZE, K, world_to_camera)


def pixels(points: np.ndarray) -> np.ndarray:
    seen = camera()
    view = points @ seen.world_to_camera[:3, :3].T + seen.world_to_camera[:3, 3]
    image = view @ seen.K.T
    return image[:, :2] / image[:, 2:]


def posed(points: np.ndarray, pose: np.ndarray = POSE) -> np.ndarray:
    rotation = np.asarray(HeadPose.from_array(pose).matrix(), np.float64)
    return (points - PIVOT) @ rotation.T + PIVOT + pose[3:]


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A coloured face with hair above and a body below, where the mesh is."""
    place = pixels(posed(MESH))
    y, x = np.mgrid[:SIZE, :SIZE]
    middle, reach = place.mean(0), np.ptp(place, axis=0) / 2
    round_face = ((x - middle[0]) / reach[0]) ** 2 + ((y - middle[1]) / reach[1]) ** 2 < 1
    hair = (((x - middle[0]) / reach[0] / 1.25) ** 2 + ((y - middle[1] + 12) / reach[1] / 1.2) ** 2 < 1) & ~round_face
    hair &= y < middle[1] + 10
    body = (y > middle[1] + 0.8 * reach[1]) & (abs(x - middle[0]) < 1.3 * reach[0]) & ~round_face & ~hair
    rgba = np.zeros((SIZE, SIZE, 4), np.uint8)
    shade = (120 + 100 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    rgba[..., 0], rgba[..., 1], rgba[..., 2] = shade, 255 - shade, 128
    rgba[..., 3] = 255 * (round_face | hair | body)
    masks = np.zeros((SIZE, SIZE, 3), np.uint8)
    masks[..., 1], masks[..., 2] = 255 * hair, 255 * round_face
    return Reference(rgba, masks, POSE)


@pytest.fixture(scope="module")
def surface(reference):
    return filmed_surface(reference, MESH, camera(), PIVOT)


def draw(surface, pose: np.ndarray, body: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    shapes = fit_shapes(np.zeros((40, 478, 3)), np.zeros((40, 19)), np.ones(40, bool), MESH, generic_shapes())
    whole = with_motion(*(getattr(surface, name) for name in surface.__dataclass_fields__), shapes)
    parameters = GaussianParameters.on_surface(whole, 0)
    with torch.no_grad():
        offsets = torch.zeros(parameters.count, 10)
        layer = Scene(PIVOT, 1).layer("face", parameters, offsets, pose, camera(), body)
    return layer.rgb.numpy(), layer.alpha.numpy()


def test_the_start_already_looks_like_the_reference_frame(reference, surface):
    rgb, alpha = draw(surface, POSE)
    solid = reference.rgba[..., 3] > 0
    assert alpha[solid].mean() > 0.97
    assert alpha[~solid].mean() < 0.03
    assert np.abs(rgb - reference.rgba[..., :3] / 255)[solid].mean() < 0.05


def test_a_turned_head_leaves_no_gap_at_the_neck(reference, surface):
    turned = np.array([0.0, np.radians(15), 0.0, 0, 0, 0], np.float32)
    _, alpha = draw(surface, turned)
    chin = pixels(posed(MESH, turned))[152]
    column = alpha[round(chin[1]) - 6 : round(chin[1]) + 14, round(chin[0])]
    assert column.min() > 0.9


def test_the_body_shifts_without_the_head(surface):
    _, still = draw(surface, POSE)
    _, moved = draw(surface, POSE, np.array([0.012, 0, 0], np.float32))
    assert np.abs(moved - still)[: SIZE // 2].max() < 0.02
    rows = slice(SIZE - 10, SIZE)
    x = np.arange(SIZE)
    shift = (moved[rows] @ x).sum() / moved[rows].sum() - (still[rows] @ x).sum() / still[rows].sum()
    assert shift == pytest.approx(0.012 * 260 / 0.68, abs=1.2)


def test_regions_and_weights_say_what_turns_with_the_head(surface):
    assert set(np.unique(surface.regions)) == {FACE, HAIR, NECK, CLOTH}
    assert (surface.head_weights[np.isin(surface.regions, (FACE, HAIR))] == 1).all()
    cloth = surface.regions == CLOTH
    assert surface.head_weights[cloth].max() < 0.01
    assert 0.2 < surface.head_weights[surface.regions == NECK].mean() < 1


def test_depth_of_the_mesh_is_where_the_mesh_is():
    depth, inside = mesh_depth(posed(MESH), camera())
    nose = pixels(posed(MESH))[1].astype(int)
    assert inside[nose[1], nose[0]]
    true = (posed(MESH) @ camera().world_to_camera[:3, :3].T + camera().world_to_camera[:3, 3])[1, 2]
    assert depth[nose[1], nose[0]] == pytest.approx(true, abs=0.003)
    assert not inside[0, 0]


def test_the_neck_grows_upward_behind_the_head_alone():
    body, head = np.zeros((20, 5), bool), np.zeros((20, 5), bool)
    body[12:], head[4:12] = True, True
    grown = tucked(body, head, 3)
    assert np.flatnonzero(grown[:, 2]).tolist() == list(range(9, 20))


def test_shapes_are_learnt_from_the_landmarks():
    rng = np.random.default_rng(0)
    channels = np.abs(rng.normal(0, 1, (600, 19))) * (rng.random((600, 19)) < 0.4)
    channels[:60] = 0
    true = rng.normal(0, 0.001, (19, 478, 3))
    true[3] = generic_shapes()[3]
    channels[:, 3] = 0  # never performed
    way = np.tensordot(channels, true, 1) + rng.normal(0, 1e-5, (600, 478, 3)) + 0.002
    shapes = fit_shapes(way, channels, np.ones(600, bool), MESH, generic_shapes())
    assert np.abs(shapes.mesh - MESH - 0.002).max() < 1e-4
    performed = [index for index in range(19) if index != 3]
    # the prior counts as 40 frames beside these 540, in which each unit is active in four of ten
    away = np.linalg.norm(true[performed] - generic_shapes()[performed])
    assert np.linalg.norm(shapes.units[performed] - true[performed]) < 0.25 * away
    assert np.allclose(shapes.units[3], generic_shapes()[3], atol=1e-6)


def test_details_keep_what_action_units_do_not_say():
    rng = np.random.default_rng(1)
    hidden = np.zeros((478, 3))
    hidden[[13, 14, 17, 0]] = (0, 0, 0.004)
    weight = np.sin(np.arange(400) / 5)
    weight[:50] = 0
    channels = np.zeros((400, 19))
    channels[50:, CHANNELS.index("AU25")] = rng.random(350) * 3 + 0.5
    way = weight[:, None, None] * hidden + np.tensordot(channels, generic_shapes(), 1)
    shapes = fit_shapes(way, channels, np.ones(400, bool), MESH, generic_shapes())
    said = np.tensordot(shapes.detail_weights, shapes.details, 1)
    left = way - np.tensordot(channels, shapes.units, 1)
    assert np.abs(said - left)[:, [13, 14, 17, 0]].max() < 4e-4


def test_landmarks_of_a_turned_face_lie_on_the_mesh():
    rotation = np.asarray(HeadPose.from_array(POSE).matrix(), np.float64)
    seen = (MESH @ rotation.T)[None] * 1500 * [1, -1, -1] + [200, 150, 0]
    way = way_from_mesh(seen, rotation[None], MESH)
    assert np.abs(way).max() < 1e-6
    assert np.isnan(way_from_mesh(np.full((1, 478, 3), np.nan), rotation[None], MESH)).all()


def test_motion_dies_away_from_the_face():
    shape = np.zeros((1, 478, 3))
    shape[..., 1] = 0.01
    far = np.array([[0.0, -0.3, 0.0], MESH[152]])
    moved = spread_over(far, MESH, shape)[0]
    assert np.abs(moved[0]).max() < 1e-4
    assert moved[1, 1] == pytest.approx(0.01, abs=1e-3)


def test_teeth_lie_behind_the_lips_and_the_lower_ones_follow_the_jaw():
    shapes = fit_shapes(np.zeros((40, 478, 3)), np.zeros((40, 19)), np.ones(40, bool), MESH, generic_shapes())
    mouth = mouth_interior(shapes, 400)
    assert (mouth.positions[:, 2] < MESH[[13, 14], 2].mean()).all()
    jaw = mouth.shape_deltas[CHANNELS.index("AU26")].astype(float)[:, 1]
    upper = mouth.positions[:, 1] > MESH[[13, 14], 1].mean() + 0.004
    assert jaw[~upper].min() < -0.002
    assert (jaw[upper & (mouth.positions[:, 2] > MESH[13, 2] - 0.012)] == 0).all()


def test_the_reference_is_a_resting_frame_in_the_middle():
    head = np.zeros((5, 6))
    head[:, 1] = np.radians([20, 1, 0.5, -15, 0])
    units = np.zeros((5, 17))
    units[2, 14], units[4, 16] = 3, 2
    assert choose_reference(head, units, np.arange(5)) == 1


@pytest.fixture
def pictures_on_disk(tmp_path):
    """uint8 [8,6,8,4] and the files that hold them."""
    import cv2

    images = np.random.default_rng(0).integers(0, 255, (8, 6, 8, 4), np.uint8)
    files = []
    for index, image in enumerate(images):
        files.append(tmp_path / f"{index}.png")
        cv2.imwrite(str(files[-1]), cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA))
    return images, files


def test_pictures_that_are_expected_come_as_they_are(pictures_on_disk):
    images, files = pictures_on_disk
    store = FrameStore(files, 4)
    for expected, asked in ((1, 1), (2, 3), (2, 2), (4, 4), (4, 4)):
        store.expect(expected)
        assert np.array_equal(store[asked], images[asked])
    files[5].unlink()
    store.expect(5)
    with pytest.raises(HMTalkerError, match=r"5\.png' of the dataset is missing"):
        store[5]
    for index in range(8):  # nothing piles up that nobody comes for
        store.expect(index)
    assert len(store._coming) <= AHEAD


def test_pictures_on_disk_read_like_an_array(pictures_on_disk):
    images, files = pictures_on_disk
    store = FrameStore(files, 4, kept_bytes=2 * 6 * 8 * 4)
    assert store.shape == images.shape
    for index in (0, 3, 1, 1, 2, 0):
        assert np.array_equal(store[index], images[index])
    assert np.array_equal(store[2, ..., 3], images[2, ..., 3])
    assert np.array_equal(store.all(), images)
    files[0].unlink()
    assert len(store._kept) <= 2
    with pytest.raises(HMTalkerError, match="missing or damaged"):
        FrameStore(files, 4)
