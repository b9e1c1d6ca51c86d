# SPDX-License-Identifier: GPL-3.0-or-later
"""Head pose from 2-D landmarks, on heads whose pose is known because the test drew them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

pytest.importorskip("scipy")

from hmtalker.capture.head.bundle_adjustment import BundleSettings, solve_head_motion
from hmtalker.capture.head.head_pose_model import (
    Head,
    HeadMotion,
    Poses,
    differentiate,
    jitter,
    nearest_rotations,
    project,
    rotation_matrices,
    rotation_vectors,
)
from hmtalker.errors import CancelledError, HMTalkerError
from hmtalker.head_pose import HeadPose

SIZE = (640, 480)
CENTRE = np.array([320.0, 240.0])
FOCAL = 900.0


def generic_face() -> tuple[np.ndarray, tuple[list[int], list[int]], np.ndarray, np.ndarray]:
    """Points on the front of an ellipsoid with a nose: shape [L,3] metres, eyes, lids, and how much each jaws [L]."""
    across, up = np.meshgrid(np.linspace(-0.95, 0.95, 11), np.linspace(-0.95, 0.95, 11))
    inside = across**2 + up**2 < 1
    x, y = 0.07 * across[inside], 0.10 * up[inside]
    nose = 0.025 * np.exp(-((x / 0.012) ** 2) - ((y + 0.005) / 0.03) ** 2)
    z = 0.08 * np.sqrt(np.maximum(1 - (x / 0.075) ** 2 - (y / 0.105) ** 2, 0.02)) - 0.06 + nose
    shape = np.stack([x, y, z], axis=1)
    corners = np.array([[-0.045, 0.03, 0.0], [-0.018, 0.03, 0.008], [0.018, 0.03, 0.008], [0.045, 0.03, 0.0]])
    first = len(shape)
    shape = np.concatenate([shape, corners])
    lids = (np.abs(np.abs(shape[:, 0]) - 0.03) < 0.012) & (np.abs(shape[:, 1] - 0.03) < 0.012)
    jaw = np.clip((-0.03 - shape[:, 1]) / 0.03, 0, 1)
    lids[first:] = False
    return shape, ([first, first + 1], [first + 2, first + 3]), lids, jaw


@dataclass
class Footage:
    landmarks: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    shape: np.ndarray
    clips: np.ndarray


def film(seed: int, frames: int = 300, noise: float = 0.5, yaw: float = 20.0, clip: int = 100) -> Footage:
    """A person with proportions of their own turns, nods, talks and blinks; noisy landmarks with a few wild ones."""
    rng = np.random.default_rng(seed)
    generic, eyes, lids, jaw = generic_face()
    stretch = 1 + rng.normal(0, 0.06, 3)
    bumps = sum(
        rng.normal(0, 0.003, 3) * np.exp(-((generic - centre) ** 2).sum(1) / 0.03**2)[:, None]
        for centre in generic[rng.integers(len(generic), size=8)]
    )
    shape = generic * stretch + bumps
    shape *= 0.063 / np.linalg.norm(shape[eyes[0]].mean(0) - shape[eyes[1]].mean(0))
    time = np.arange(frames)
    clips = time // clip
    phase = rng.uniform(0, 2 * np.pi, 6) + 5.0 * clips[:, None]
    wave = np.sin(2 * np.pi * time[:, None] / np.array([110, 70, 90, 130, 80, 120]) + phase)
    angles = np.radians(wave[:, :3] * [8, yaw, 5])
    rotations = np.stack([HeadPose(tuple(row)).matrix() for row in angles])
    translations = np.array([0.01, -0.02, -0.7]) + wave[:, 3:] * [0.02, 0.015, 0.02]
    opening = np.maximum(0, np.sin(time / 2.1 + phase[:, 0])) * rng.uniform(0.3, 1, frames)
    blink = (time % 60 < 5).astype(float)
    points = shape + np.zeros((frames, 1, 3))
    points[..., 1] -= 0.015 * opening[:, None] * jaw + 0.006 * blink[:, None] * lids
    points[..., 2] -= 0.006 * opening[:, None] * jaw
    seen = points @ rotations.transpose(0, 2, 1) + translations[:, None]
    landmarks = CENTRE + FOCAL * seen[..., :2] * [1, -1] / -seen[..., 2:]
    landmarks += rng.normal(0, noise, landmarks.shape)
    wild = rng.random(landmarks.shape[:2]) < 0.01
    landmarks[wild] += rng.normal(0, 25, (int(wild.sum()), 2))
    return Footage(landmarks, rotations, translations, shape, clips)


def solve(footage: Footage, **options: object) -> HeadMotion:
    generic, eyes, _, _ = generic_face()
    return solve_head_motion(footage.landmarks, generic, eyes, SIZE, footage.clips, **options)


def errors(footage: Footage, motion: HeadMotion) -> tuple[np.ndarray, np.ndarray]:
    """Degrees and metres per frame, once what no picture tells is taken out: the head's own axes and origin, the size
    of the world, and one constant offset (a wrong focal length puts all at another distance)."""
    turn = nearest_rotations((motion.rotations.transpose(0, 2, 1) @ footage.rotations).mean(0))
    aligned = motion.rotations @ turn
    count = len(footage.rotations)
    rows = np.concatenate(
        [motion.translations[..., None], motion.rotations, np.broadcast_to(np.eye(3), (count, 3, 3))], axis=2
    ).reshape(3 * count, 7)
    known = np.linalg.lstsq(rows, footage.translations.reshape(-1), rcond=None)[0]
    left = footage.translations - (rows @ known).reshape(count, 3)
    angle = np.linalg.norm(rotation_vectors(aligned.transpose(0, 2, 1) @ footage.rotations), axis=1)
    return np.degrees(angle), np.linalg.norm(left, axis=1)


def error_jitter(footage: Footage, motion: HeadMotion) -> tuple[float, float]:
    """Degrees and millimetres of the second difference of what is left of the pose's error."""
    turn = nearest_rotations((motion.rotations.transpose(0, 2, 1) @ footage.rotations).mean(0))
    left = jitter(
        motion.rotations @ turn @ footage.rotations.transpose(0, 2, 1),
        motion.translations - footage.translations,
        footage.clips,
    )
    return left.degrees, left.millimetres


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_known_poses_are_found_again(seed: int) -> None:
    footage = film(seed)
    motion = solve(footage)
    angle, distance = errors(footage, motion)
    assert np.median(angle) <= 0.5
    assert np.median(distance) <= 0.003
    degrees, millimetres = error_jitter(footage, motion)
    assert degrees <= 0.1
    assert millimetres <= 0.3
    assert motion.focal == pytest.approx(FOCAL, rel=0.05)
    assert not motion.interpolated.any()


@pytest.fixture(scope="module")
def gaps() -> tuple[Footage, HeadMotion]:
    footage = film(4, frames=200)
    footage.landmarks[40:52] = np.nan
    footage.landmarks[95:100] = np.nan
    # A detection on something else: points in disorder.
    footage.landmarks[150] = np.random.default_rng(0).uniform(0, 480, footage.landmarks[150].shape)
    footage.landmarks[160:, :5] = np.nan
    return footage, solve(footage)


def test_frames_without_a_face_are_flagged_and_interpolated(gaps: tuple[Footage, HeadMotion]) -> None:
    footage, motion = gaps
    assert np.flatnonzero(motion.interpolated).tolist() == [*range(40, 52), *range(95, 100), 150]
    angle, distance = errors(footage, motion)
    assert angle[40:52].max() < 5
    # nothing but the clip's end follows: at some 0.5 degrees a frame the head goes on alone
    assert angle[95:100].max() < 8
    assert angle[150] < 1
    assert distance[40:52].max() < 0.02


def test_errors_are_missing_where_landmarks_are(gaps: tuple[Footage, HeadMotion]) -> None:
    footage, motion = gaps
    assert np.array_equal(np.isnan(motion.errors), np.isnan(footage.landmarks).any(-1).all(1))
    assert np.nanmedian(motion.errors) < 1.0
    assert motion.errors[150] > 20


def test_the_eyes_are_as_far_apart_as_told(gaps: tuple[Footage, HeadMotion]) -> None:
    _, motion = gaps
    _, eyes, _, _ = generic_face()
    left, right = (motion.shape[side].mean(0) for side in eyes)
    assert np.linalg.norm(left - right) == pytest.approx(0.063, abs=1e-9)


def test_the_jaw_counts_less_than_the_brow(gaps: tuple[Footage, HeadMotion]) -> None:
    _, motion = gaps
    _, _, lids, jaw = generic_face()
    still = (jaw == 0) & ~lids
    assert motion.deviation[jaw == 1].mean() > 3 * motion.deviation[still].mean()


def test_camera_and_head_poses_take_the_shape_to_the_same_pixels(gaps: tuple[Footage, HeadMotion]) -> None:
    _, motion = gaps
    camera, pivot = motion.camera(*SIZE), np.array([0.01, -0.05, -0.08])
    for frame in (0, 77, 199):
        values = motion.head_poses(pivot)[frame]
        posed = (motion.shape - pivot) @ HeadPose(tuple(values[:3])).matrix().T + pivot + values[3:]
        seen = posed @ camera.world_to_camera[:3, :3].T + camera.world_to_camera[:3, 3]
        pixels = seen @ camera.K.T
        poses = Poses(motion.rotations, motion.translations.copy(), np.zeros((len(motion.rotations), 0)))
        poses.offsets[:, 2] = np.log(-motion.translations[:, 2] / motion.focal)
        head = Head(motion.shape, np.zeros((0, len(motion.shape), 3)), motion.focal)
        expected = project(head, poses[np.array([frame])], motion.centre)[0].T
        assert np.allclose(pixels[:, :2] / pixels[:, 2:], expected, atol=1e-6)


def test_clips_do_not_pull_on_each_other() -> None:
    footage = film(5, frames=120, clip=60)
    footage.translations[60:] += [0.08, 0, 0]
    seen = footage.shape @ footage.rotations.transpose(0, 2, 1) + footage.translations[:, None]
    footage.landmarks[:] = CENTRE + FOCAL * seen[..., :2] * [1, -1] / -seen[..., 2:]
    footage.landmarks[56:60] = np.nan
    cut = errors(footage, solve(footage))[1]
    joined = errors(footage, solve(replace(footage, clips=np.zeros(120, int))))[1]
    assert cut[56:60].max() < 0.5 * joined[56:60].max()


def test_a_quick_nod_is_not_damped() -> None:
    footage = film(10, frames=90, noise=0.3)
    within = np.arange(90) - 45
    nod = np.radians(8) * np.sin(2 * np.pi * 3 * within / 25) * (np.abs(within) <= 8)
    footage.rotations[:] = np.stack([HeadPose((angle, 0.0, 0.0)).matrix() for angle in nod])
    seen = footage.shape @ footage.rotations.transpose(0, 2, 1) + footage.translations[:, None]
    clean = CENTRE + FOCAL * seen[..., :2] * [1, -1] / -seen[..., 2:]
    footage.landmarks[:] = clean + np.random.default_rng(0).normal(0, 0.3, clean.shape)
    found = solve(footage, settings=BundleSettings(focal=FOCAL)).head_poses(np.zeros(3))[:, 0]
    moving = np.abs(within) <= 8
    gain = np.polyfit(nod[moving], found[moving], 1)[0]
    assert 0.95 < gain < 1.05
    assert np.degrees(np.abs(np.diff(found[:30], n=2))).max() < 0.1


def test_a_known_lens_is_kept() -> None:
    motion = solve(film(6, frames=60), settings=BundleSettings(focal=FOCAL))
    assert motion.focal == FOCAL


def test_derivatives_are_those_of_the_projection() -> None:
    rng = np.random.default_rng(0)
    shape = generic_face()[0][::9]
    head = Head(shape, rng.normal(0, 0.003, (2, *shape.shape)), FOCAL)
    offsets = rng.normal([0.02, 0.01, -7.1], 0.02, (3, 3))
    poses = Poses(rotation_matrices(rng.normal(0, 0.4, (3, 3))), offsets, rng.normal(size=(3, 2)))
    d = differentiate(head, poses, CENTRE)
    h = 1e-6
    assert np.allclose(d.pixels, project(head, poses, CENTRE))
    for axis in range(8):
        step = np.zeros((3, 8))
        step[:, axis] = h
        high, low = (project(head, poses.moved(sign * step), CENTRE) for sign in (1, -1))
        assert np.allclose(d.pose[:, axis], (high - low) / (2 * h), rtol=1e-5, atol=1e-3)
    for axis in range(3):
        shift = h * np.eye(3)[axis]
        high, low = (project(replace(head, shape=shape + sign * shift), poses, CENTRE) for sign in (1, -1))
        assert np.allclose(d.point[:, axis], (high - low) / (2 * h), rtol=1e-5, atol=1e-3)
    high, low = (project(replace(head, focal=FOCAL * np.exp(sign * h)), poses, CENTRE) for sign in (1, -1))
    assert np.allclose(d.focal, (high - low) / (2 * h), rtol=1e-5, atol=1e-3)


def test_rotation_vectors_and_matrices_are_inverse() -> None:
    vectors = np.random.default_rng(1).normal(0, 0.8, (20, 3))
    vectors[0] = 0
    vectors[1] = [1e-8, 0, 0]
    assert np.allclose(rotation_vectors(rotation_matrices(vectors)), vectors)


def test_too_few_faces_is_one_sentence() -> None:
    footage = film(7, frames=20)
    footage.landmarks[2:] = np.nan
    with pytest.raises(HMTalkerError, match="Only 2 of 20 frames show a face"):
        solve(footage)


def test_cancel_ends_solving() -> None:
    with pytest.raises(CancelledError):
        solve(film(8, frames=20), cancelled=lambda: True)


def test_progress_rises_to_one() -> None:
    shares: list[float] = []
    solve(film(9, frames=30), progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
