# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin points followed by optical flow, on a textured face that the test itself turns and draws."""

from __future__ import annotations

import copy

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")
pytest.importorskip("scipy")

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.head.canonical_face import SOLVED_LANDMARKS, canonical_face, fitted_mesh, flow_places
from hmtalker.capture.head.canonical_mesh import canonical_triangles
from hmtalker.capture.head.capture_motion import ANOTHER_PERSON, GOOD, NO_FACE, solve_capture
from hmtalker.capture.head.frontal_view import CELL, HIGH, LOW, depth_grid
from hmtalker.capture.head.one_person import other_people
from hmtalker.capture.head.rigid_flow import POINTS, RigidFlow
from hmtalker.head_pose import HeadPose

SIZE = 220
SCALE = 1000.0
"""Pixels a metre."""


class Head:
    """The canonical face with a skin of its own, seen by a weak-perspective camera."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        spots = rng.uniform(0, 255, (400, 400)).astype(np.float32)
        self.skin = cv2.normalize(cv2.GaussianBlur(spots, (0, 0), 3.0), None, 40, 215, cv2.NORM_MINMAX)

    def affine(self, yaw: float, pitch: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
        turn = HeadPose((np.radians(pitch), np.radians(yaw), 0.0)).matrix()
        middle = np.array([[SIZE / 2 + shift[0]], [SIZE / 2 + 30 + shift[1]]])
        return np.concatenate([SCALE * turn[:2] * [[1], [-1]], middle], axis=1)

    def draw(self, affine: np.ndarray) -> np.ndarray:
        """uint8 [SIZE,SIZE,3]: each pixel's point of the face is found by repeated substitution of its depth."""
        v, u = np.mgrid[:SIZE, :SIZE].astype(np.float64)
        depth, z = depth_grid(), np.full((SIZE, SIZE), 0.04)
        for _ in range(8):
            flat = np.stack([u - affine[0, 2] * z - affine[0, 3], v - affine[1, 2] * z - affine[1, 3]])
            x, y = np.einsum("ij,jvu->ivu", np.linalg.inv(affine[:, :2]), flat)
            cells = ((x - LOW[0]) / CELL).astype(np.float32), ((HIGH[1] - y) / CELL).astype(np.float32)
            z = cv2.remap(depth, *cells, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        places = (1000 * x + 200).astype(np.float32), (200 - 1000 * y).astype(np.float32)
        grey = cv2.remap(self.skin, *places, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)

    def landmarks(self, affine: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """float32 [478,3] with an error of 1 px that all share, and 0.3 px of their own."""
        face = canonical_face()
        flat = np.concatenate([face, np.ones((478, 1))], axis=1) @ affine.T
        flat += rng.normal(0, 1, 2) + rng.normal(0, 0.3, flat.shape)
        return np.concatenate([flat, np.zeros((478, 1))], axis=1).astype(np.float32)


def follow(head: Head, flow: RigidFlow, affines: list[np.ndarray]) -> np.ndarray:
    rng = np.random.default_rng(1)
    return np.stack([flow.step(head.draw(a), head.landmarks(a, rng)) for a in affines])


def places_apart(rows: np.ndarray, affines: list[np.ndarray]) -> np.ndarray:
    """Pixels [T,K] between a row's points and where the first row's points go, taken at the canonical depth."""
    depth, face = depth_grid(), np.full((POINTS, 3), np.nan)
    for index, (u, v) in enumerate(rows[0].astype(np.float64)):
        z = 0.04
        for _ in range(20 if np.isfinite(u) else 0):
            x, y = np.linalg.solve(affines[0][:, :2], [u, v] - affines[0][:, 2] * z - affines[0][:, 3])
            column, row = round((x - LOW[0]) / CELL), round((HIGH[1] - y) / CELL)
            z = float(depth[np.clip(row, 0, len(depth) - 1), np.clip(column, 0, depth.shape[1] - 1)])
            face[index] = x, y, z
    there = np.stack([np.concatenate([face, np.ones((POINTS, 1))], axis=1) @ affine.T for affine in affines])
    return np.linalg.norm(rows - there, axis=2)


def test_skin_points_are_followed_more_exactly_than_landmarks() -> None:
    head, flow = Head(0), RigidFlow()
    affines = [head.affine(yaw, pitch, (yaw / 3, pitch)) for yaw, pitch in ((0, 0), (2, 1), (5, -2), (-4, 3), (0, 0))]
    rows = follow(head, flow, affines)
    assert flow.track == 0
    assert rows.shape == (5, POINTS, 2)
    assert rows.dtype == np.float32
    apart = places_apart(rows, affines)
    assert np.isfinite(apart).mean() > 0.7
    assert np.nanmedian(apart[1:]) < 0.15


def test_errors_do_not_add_up_over_a_turn_and_back() -> None:
    head, flow = Head(1), RigidFlow()
    yaws = [*range(0, 24, 3), *range(24, 0, -3), 0]
    affines = [head.affine(yaw) for yaw in yaws]
    rows = follow(head, flow, affines)
    apart = places_apart(rows, affines)
    assert np.nanmedian(apart[-1]) < 0.3
    assert np.isfinite(apart[len(yaws) // 2]).sum() >= 14


def test_points_are_the_same_after_a_cut() -> None:
    head, flow = Head(2), RigidFlow()
    affines = [head.affine(0), head.affine(3, 0, (25, -10))]
    rng = np.random.default_rng(0)
    first = flow.step(head.draw(affines[0]), head.landmarks(affines[0], rng))
    flow.reset()
    second = flow.step(head.draw(affines[1]), head.landmarks(affines[1], rng))
    assert flow.track == 0
    assert np.nanmedian(places_apart(np.stack([first, second]), affines)[1]) < 0.2


def test_another_face_gets_points_of_its_own() -> None:
    one, two, flow = Head(3), Head(4), RigidFlow()
    affine, rng = one.affine(0), np.random.default_rng(0)
    tracks = []
    for head in (one, two, one):
        flow.reset()
        for _ in range(12):
            flow.step(head.draw(affine), head.landmarks(affine, rng))
        tracks.append(flow.track)
    assert tracks == [0, 1, 0]


def test_a_head_that_comes_in_turned_away_gets_points_on_its_far_side_later() -> None:
    head, flow = Head(6), RigidFlow()
    affines = [head.affine(yaw) for yaw in (24, 16, 8, 0, -8, -16, -24, -20)]
    rows = follow(head, flow, affines)
    hidden = np.isnan(rows[0, :, 0]) & np.isfinite(rows[-1, :, 0])
    assert hidden.sum() >= 4
    places = flow_places()[hidden]
    assert (np.sign(places[:, 0]) == np.sign(places[0, 0])).all()
    assert flow.track == 0


def test_copies_of_settled_points_follow_the_same_points() -> None:
    head, flow = Head(7), RigidFlow()
    follow(head, flow, [head.affine(18), head.affine(10)])
    flow.settle()
    ends = [head.affine(-12)]
    one = follow(head, copy.deepcopy(flow), [head.affine(2), head.affine(-10), *ends])[-1]
    other = follow(head, copy.deepcopy(flow), [head.affine(14), head.affine(4), *ends])[-1]
    both = np.isfinite(one[:, 0]) & np.isfinite(other[:, 0])
    assert both.sum() >= 14
    assert np.median(np.linalg.norm(one[both] - other[both], axis=1)) < 0.5


@pytest.mark.parametrize("what", ["none", "nan", "huge", "outside", "tiny"])
def test_frames_without_a_usable_face_give_no_points(what: str) -> None:
    head, flow = Head(5), RigidFlow()
    landmarks = head.landmarks(head.affine(0), np.random.default_rng(0))
    given = {
        "none": None,
        "nan": np.full_like(landmarks, np.nan),
        "huge": landmarks * np.float32(1e20),
        "outside": landmarks + np.float32(5000),
        "tiny": landmarks * np.float32(0.01),
    }[what]
    row = flow.step(head.draw(head.affine(0)), given)
    assert np.isnan(row).all()
    assert flow.track == -1


def people(frames: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A person's landmarks [T,80,2] and flow [T,56,2] before a camera, and the true rotations."""
    rng = np.random.default_rng(seed)
    middles, bumps = canonical_face()[rng.integers(468, size=12)], rng.normal(0, 0.003, (12, 3))

    def own(points: np.ndarray) -> np.ndarray:
        near = np.exp(-((points[:, None] - middles) ** 2).sum(-1) / (2 * 0.02**2))
        return points + near @ bumps

    face, places = own(canonical_face()[list(SOLVED_LANDMARKS)]), own(flow_places())
    time = np.arange(frames)
    angles = np.radians(np.stack([5 * np.sin(time / 17 + seed), 15 * np.sin(time / 23), 3 * np.sin(time / 31)], axis=1))
    rotations = np.stack([HeadPose(tuple(row)).matrix() for row in angles])

    def seen(points: np.ndarray, noise: float) -> np.ndarray:
        there = points @ rotations.transpose(0, 2, 1) + [0.01, 0.0, -0.9]
        flat = np.array([319.5, 239.5]) + 1000 * there[..., :2] * [1, -1] / -there[..., 2:]
        return (flat + rng.normal(0, noise, flat.shape)).astype(np.float32)

    return seen(face, 0.8), seen(places, 0.1), rotations


def test_a_capture_is_solved_from_the_few_points_that_are_kept() -> None:
    landmarks, flow, rotations = people(80, 0)
    landmarks[50:55] = np.nan
    flow[50:55] = np.nan
    shares: list[float] = []
    head = solve_capture(
        landmarks, flow, np.zeros(80, np.int16), np.arange(80) // 60, (640, 480), progress=shares.append
    )
    assert head.reasons.tolist() == [NO_FACE if 50 <= frame < 55 else GOOD for frame in range(80)]
    assert not head.outliers.any()
    assert np.array_equal(np.isnan(head.errors), np.isnan(landmarks[:, 0, 0]))
    relative = head.motion.rotations[10].T @ head.motion.rotations[75]
    true = rotations[10].T @ rotations[75]
    assert np.degrees(np.arccos(np.clip((np.trace(relative.T @ true) - 1) / 2, -1, 1))) < 0.5
    assert head.motion.centre.tolist() == [320, 240]
    assert head.mesh().shape == (478, 3)
    assert shares[-1] == 1.0


def test_a_second_person_between_is_told_from_the_first() -> None:
    one, two = people(60, 1), people(30, 2)
    # Clips of 10 frames; every third shows the other person.
    clips = np.arange(90) // 10
    other = clips % 3 == 2
    landmarks = np.empty((90, 80, 2), np.float32)
    landmarks[~other], landmarks[other] = one[0], two[0]
    tracks = other.astype(np.int16)
    assert np.array_equal(other_people(landmarks, clips, tracks), other)
    head = solve_capture(landmarks, None, tracks, clips, (640, 480))
    assert np.array_equal(head.reasons == ANOTHER_PERSON, other)


def test_one_person_is_not_taken_for_two() -> None:
    landmarks, _, _ = people(300, 3)
    assert not other_people(landmarks, np.arange(300) // 50, np.zeros(300, int)).any()


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_too_few_frames_are_one_sentence(frames: int) -> None:
    landmarks, flow, _ = people(5, 0)
    with pytest.raises(CaptureError, match="show a face"):
        solve_capture(landmarks[:frames], flow[:frames], np.zeros(frames, int), np.zeros(frames, int), (640, 480))


def test_the_mesh_of_a_person_passes_through_the_solved_landmarks() -> None:
    face = canonical_face()
    assert np.allclose(fitted_mesh(face[list(SOLVED_LANDMARKS)]), face, atol=1e-4)
    wide = face[list(SOLVED_LANDMARKS)] * [1.1, 1, 1]
    assert np.abs(fitted_mesh(wide)[list(SOLVED_LANDMARKS)] - wide).max() < 0.001
    assert canonical_triangles().max() == 467
