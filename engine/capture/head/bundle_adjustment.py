# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundle adjustment of one person's head: one shape, one focal length and every frame's pose from 2-D landmarks.

Gauss-Newton with a Schur complement. Given the shape and the lens, frames are independent, so each pose is eliminated
by its own 6 x 6 block (in blocks of frames, so memory does not grow with the video) and only the shape and the focal
length, [3 L + 1], are solved densely; poses are then re-solved at the new shape. Landmarks are weighted by how rigidly
they turn out to move, each observation by a Cauchy loss. A canonical face serves as a prior on the shape and fixes the
gauge: the solved shape is laid onto it, at a given distance between the eyes. After the joint solution, the poses are
smoothed (``pose_smoothing``) with shape and lens fixed.

Landmark errors are not independent from frame to frame or from point to point (a tracker's bias follows the pose and
the expression), so both kinds of evidence are capped: `independent_frames`, `independent_landmarks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...errors import CancelledError
from ..errors import CaptureError
from .bundle_equations import (
    Observations,
    Prior,
    State,
    adjust,
    deviations,
    distances,
    pose_equations,
    refine,
    squared_residuals,
)
from .head_pose_model import HeadMotion, Poses, jitter, nearest_rotations, rotation_matrices, rotation_vectors
from .pose_smoothing import Smoothness, smooth_poses

FEWEST_LANDMARKS = 8
SUBSET = 400
"""Frames, evenly spaced, on which shape, lens and rigidity are found before the others are used."""
LARGEST_WORK = 4e9
"""Frames times squared unknowns in the last joint steps. 15,000 frames of 170 landmarks are within it; with more,
evenly spaced frames settle the shape, and the other frames' poses follow from it."""
DISTANT = 4.0
"""A frame whose median landmark lies so many deviations off shows no face, or another one (1.2 is normal)."""


@dataclass(frozen=True)
class BundleSettings:
    """What is known beforehand, and how much each piece of evidence counts."""

    focal: float | None = None
    """Pixels, when the lens is known; solved otherwise."""
    focal_guess: float = 1.5
    """Where solving for the focal length starts, in widths (or heights, the larger) of the image ..."""
    focal_deviation: float = 0.4
    """... and the width of its prior, as a logarithm."""
    eye_distance: float = 0.063
    """Metres between the two eyes' landmarks, which sets the scale."""
    shape_deviation: float = 0.004
    """Metres, by which a person's landmarks differ from the canonical face."""
    cauchy: float = 3.0
    """Deviations at which an observation counts half."""
    independent_frames: int = 300
    independent_landmarks: int = 40
    smoothness: Smoothness = field(default_factory=Smoothness)


def solve_head_motion(
    landmarks: np.ndarray,
    canonical: np.ndarray,
    eyes: tuple[Sequence[int], Sequence[int]],
    size: tuple[int, int],
    clips: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    settings: BundleSettings | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadMotion:
    """Find one person's head shape, lens and pose per frame.

    landmarks: [T,L,2] pixels (corner of the image at (0, 0)), NaN where there is none. canonical: [L,3] metres, a
    generic face (x right in the image, y up, z toward the camera). eyes: the landmarks of either eye, whose means are
    `eye_distance` apart. size: width and height of the image; the principal point is its centre. clips: [T], equal
    for frames of one clip. weights: [T,L] in 0..1, visibility. progress: called with 0..1.

    Raises CaptureError where too few frames show a face, CancelledError when `cancelled` says so.
    """
    started = time.perf_counter()
    settings = settings or BundleSettings()
    report = progress or (lambda share: None)

    def step_done(share: float) -> None:
        report(share)
        if cancelled is not None and cancelled():
            raise CancelledError("Head tracking was cancelled.")

    landmarks = np.asarray(landmarks)
    clips = np.zeros(len(landmarks), int) if clips is None else np.asarray(clips)
    visible = np.isfinite(landmarks).all(-1)
    strength = np.where(visible, 1.0 if weights is None else np.clip(np.nan_to_num(weights), 0, 1), 0.0)
    usable = (strength > 0.05).sum(1) >= FEWEST_LANDMARKS
    if usable.sum() < 3:
        raise CaptureError(
            f"Only {int(usable.sum())} of {len(landmarks)} frames show a face, too few to find the head's pose; "
            "check that the face is in the picture and lit."
        )
    reference = np.asarray(canonical, np.float64)
    reference = reference * (settings.eye_distance / _eye_distance(reference, eyes))
    origin = reference.mean(0)
    reference = reference - origin
    centre = np.array(size, np.float64) / 2
    guess = settings.focal or settings.focal_guess * max(size)

    def prior(frames: int) -> Prior:
        evidence = max(1.0, frames / settings.independent_frames)
        lens = np.inf if settings.focal else evidence / settings.focal_deviation**2
        return Prior(reference, guess, evidence / settings.shape_deviation**2, lens)

    def anchor(state: State) -> State:
        return _onto(state, reference, eyes)

    seen = np.flatnonzero(usable)
    pixels = np.where(visible[..., None], landmarks, 0.0).transpose(0, 2, 1).copy()
    observed = Observations(pixels[seen], strength[seen], centre, np.empty(0), settings.cauchy)
    poses = _weak_perspective(observed, reference)
    # At first every point may be off by as much as people differ.
    observed.deviation = np.full(len(reference), settings.shape_deviation / np.exp(np.median(poses.offsets[:, 2])))
    step_done(0.02)

    few = np.unique(np.linspace(0, len(seen) - 1, SUBSET).astype(int))
    part = observed.subset(few)
    state = State(reference.copy(), guess, poses[few])
    for turn in range(5):
        state = adjust(part, state, prior(len(few)), anchor, 6, 1e-4)
        part.deviation = deviations(part, state)
        step_done(0.02 + 0.08 * (turn + 1))
    observed.deviation = part.deviation
    state.poses = refine(observed, State(state.shape, state.focal, poses), 6)
    off = distances(observed, state) > DISTANT
    kept = np.flatnonzero(~off)
    if len(kept) < 3:
        raise CaptureError("The landmarks do not fit one face; check that the video shows one person throughout.")
    step_done(0.5)
    joint = min(len(kept), max(SUBSET, int(LARGEST_WORK / (3 * len(reference) + 1) ** 2)))
    used = kept[np.unique(np.linspace(0, len(kept) - 1, joint).astype(int))]
    solved = adjust(observed.subset(used), state.at(used), prior(len(used)), anchor, 3)
    inliers = observed.subset(kept)
    solved.poses = refine(inliers, State(solved.shape, solved.focal, state.poses[kept]), 4)
    observed.deviation = deviations(inliers, solved)
    step_done(0.85)

    missing = np.ones(len(landmarks), bool)
    missing[seen[kept]] = False
    whole = Observations(pixels, np.where(missing[:, None], 0, strength), centre, observed.deviation, settings.cauchy)
    start = _fill(solved.poses, missing)
    information = (observed.deviation.min() / observed.deviation) ** 2
    share = min(1.0, settings.independent_landmarks / information.sum())

    def equations(current: Poses) -> tuple[np.ndarray, np.ndarray]:
        hessian, gradient, _ = pose_equations(whole, State(solved.shape, solved.focal, current))
        return share * hessian, share * gradient

    final = smooth_poses(start, equations, solved.focal, clips, missing, settings.smoothness)
    step_done(1.0)

    shape = solved.shape + origin
    translations = final.translations(solved.focal) - final.rotations @ origin
    residuals = np.sqrt(squared_residuals(whole, State(solved.shape, solved.focal, final)))
    return HeadMotion(
        shape=shape,
        focal=solved.focal,
        centre=centre,
        rotations=final.rotations,
        translations=translations,
        interpolated=missing,
        residuals=np.where(visible, residuals, np.nan).astype(np.float32),
        rigidity=information,
        jitter=jitter(final.rotations, translations, clips),
        seconds=time.perf_counter() - started,
    )


def _eye_distance(shape: np.ndarray, eyes: tuple[Sequence[int], Sequence[int]]) -> float:
    return float(np.linalg.norm(shape[list(eyes[0])].mean(0) - shape[list(eyes[1])].mean(0)))


def _weak_perspective(observed: Observations, shape: np.ndarray) -> Poses:
    """Start poses: the affine map from the shape to the pixels, and the scaled rotation nearest to it."""
    w = observed.weights / observed.weights.sum(1, keepdims=True)
    middle, pixel_middle = w @ shape, np.einsum("tl,tkl->tk", w, observed.pixels)
    moment = np.einsum("tl,li,lj->tij", w, shape, shape, optimize=True) - middle[:, :, None] * middle[:, None]
    mixed = np.einsum("tl,tkl,lj->tkj", w, observed.pixels, shape, optimize=True)
    mixed -= pixel_middle[:, :, None] * middle[:, None]
    affine = np.linalg.solve(moment + 1e-9 * np.eye(3), mixed.transpose(0, 2, 1)).transpose(0, 2, 1)
    affine[:, 1] *= -1
    gain = np.linalg.norm(affine, axis=2).mean(1)
    rows = affine / np.linalg.norm(affine, axis=2, keepdims=True)
    rotations = nearest_rotations(np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1))
    shift = (pixel_middle - observed.centre) * [1, -1] / gain[:, None]
    shift -= np.einsum("tij,tj->ti", rotations, middle)[:, :2]
    return Poses(rotations, np.concatenate([shift, -np.log(gain)[:, None]], axis=1))


def _onto(state: State, reference: np.ndarray, eyes: tuple[Sequence[int], Sequence[int]]) -> State:
    """The same pictures with the shape laid onto `reference`, at its distance between the eyes."""
    scale = _eye_distance(reference, eyes) / _eye_distance(state.shape, eyes)
    middle = state.shape.mean(0)
    turn = nearest_rotations((reference - reference.mean(0)).T @ (state.shape - middle))
    shape = scale * (state.shape - middle) @ turn.T + reference.mean(0)
    # x_old = turn^T (x_new - reference middle) / scale + middle; depth is moved by the rotated origin's z.
    rotations = state.poses.rotations @ turn.T
    position = state.poses.translations(state.focal) + state.poses.rotations @ middle
    position = scale * position - rotations @ reference.mean(0)
    offsets = np.concatenate([position[:, :2], np.log(-position[:, 2:] / state.focal)], axis=1)
    return State(shape, state.focal, Poses(rotations, offsets))


def _fill(poses: Poses, missing: np.ndarray) -> Poses:
    """Poses of the frames that are not missing -> of all, the missing ones between their neighbours."""
    known, frames = np.flatnonzero(~missing), np.arange(len(missing))
    offsets = np.stack([np.interp(frames, known, column) for column in poses.offsets.T], axis=1)
    before = np.clip(np.searchsorted(known, frames, side="right") - 1, 0, len(known) - 1)
    after = np.minimum(before + 1, len(known) - 1)
    share = np.clip((frames - known[before]) / np.maximum(known[after] - known[before], 1), 0, 1)
    turn = rotation_vectors(poses.rotations[after] @ poses.rotations[before].transpose(0, 2, 1))
    return Poses(rotation_matrices(share[:, None] * turn) @ poses.rotations[before], offsets)
