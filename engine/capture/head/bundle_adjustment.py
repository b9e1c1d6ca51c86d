# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundle adjustment of one person's head: one shape, one focal length and every frame's pose from 2-D landmarks.

Gauss-Newton with a Schur complement. Given the shape and the lens, frames are independent, so each pose is eliminated
by its own 6 x 6 block (in blocks of frames, so memory does not grow with the video) and only the shape and the focal
length, [3 L + 1], are solved densely; poses are then re-solved at the new shape. Landmarks are weighted by how rigidly
they turn out to move, each observation by a Cauchy loss. A canonical face serves as a prior on the shape and fixes the
gauge: the solved shape is laid onto it, at a given distance between the eyes. After the joint solution, the poses are
smoothed (``pose_smoothing``) with shape and lens fixed, about the point of the neck that the head turns about.

Of expressions, both the modes (``expression_fit``) and which of them a person uses together are learnt on the way.

Landmark errors are not independent from frame to frame or from point to point (a tracker's bias follows the pose and
the expression), so both kinds of evidence are capped: `independent_frames`, `independent_landmarks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...errors import CancelledError
from ..errors import CaptureError
from .bundle_equations import (
    Observations,
    Points,
    Prior,
    State,
    adjust,
    deviations,
    distances,
    pose_equations,
    refine,
    squared_residuals,
)
from .expression_fit import fit_modes, usual_amounts
from .first_poses import fill_gaps, weak_perspective
from .head_population import Population
from .head_pose_model import Head, HeadMotion, Poses, jitter, nearest_rotations
from .pose_smoothing import Smoothness, smooth_poses
from .turning_point import turning_point

FEWEST_LANDMARKS = 8
MODE_ROUNDS = 2
"""How often poses and a person's expression modes take turns after each round of the joint solution; then poses and
how much of each mode the person shows."""
LASTING = 4.0
"""Frames that an expression lasts: so many tell as much of the amounts as one ..."""
BEFORE = 20.0
"""... and so many independent ones are set against what is found, in which each amount has the same size."""
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
    distance_guess: float = 0.9
    """Metres from the camera at which people are filmed, whatever was cropped later: tells the focal length ..."""
    distance_deviation: float = 0.1
    """... and the width of that prior, as a logarithm. People vary more, but what the points tell of the lens is biased
    alike in all frames: with 0.35 the focal length came out up to 55 % wrong."""
    eye_distance: float = 0.063
    """Metres between the two eyes' landmarks, which sets the scale."""
    shape_deviation: float = 0.004
    """Metres, by which a person's landmarks differ from the generic face where no population is given ..."""
    flow_deviation: float = 0.006
    """... and the skin points that flow follows from the places that they were chosen at."""
    mode_deviation: tuple[float, float] = (0.5, 0.00005)
    """A person's expression modes differ from the generic ones by this share of their size, and so many metres."""
    cauchy: float = 1.5
    """Deviations at which an observation counts half."""
    independent_frames: int = 300
    independent_landmarks: tuple[float, float] = (20.0, 1.0)
    """How many landmarks' evidence all of them give, without and with flow: a network's errors go together."""
    independent_flow: float = 30.0
    noise: tuple[float, float] = (0.0008, 0.0002)
    """Metres on the face that the best landmark, the best skin point is off by: nothing is trusted more."""
    smoothness: Smoothness = field(default_factory=Smoothness)


def solve_head_motion(
    landmarks: np.ndarray,
    canonical: np.ndarray,
    eyes: tuple[Sequence[int], Sequence[int]],
    size: tuple[int, int],
    clips: np.ndarray | None = None,
    flow: Sequence[Points] = (),
    flow_canonical: np.ndarray | None = None,
    modes: np.ndarray | None = None,
    population: Population | None = None,
    excluded: np.ndarray | None = None,
    settings: BundleSettings | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> HeadMotion:
    """Find one person's head shape, lens and pose per frame.

    landmarks: [T,L,2] pixels (corner of the image at (0, 0)), NaN where there is none. canonical: [L,3] metres, a
    generic face (x right in the image, y up, z toward the camera). eyes: the landmarks of either eye, whose means are
    `eye_distance` apart. size: width and height of the image; the principal point is its centre. clips: [T], equal
    for frames of one clip. flow: sets of K skin points near the places `flow_canonical` [K,3] of the generic face; a
    frame shows one set at most. modes: [E,L+K,3] metres, how the generic face's landmarks and places move with one
    standard deviation of each of E expression modes. population: how people's L+K landmarks and places differ from
    the generic ones; None: each by itself, by what `settings` say. excluded: bool [T], faces that are not to be used.
    progress: called with 0..1.

    The solved shape has the landmarks first, then the skin points of each set in turn. Raises CaptureError where too
    few frames show a face, CancelledError when `cancelled` says so.
    """
    started = time.perf_counter()
    settings = settings or BundleSettings()
    report = progress or (lambda share: None)

    def step_done(share: float) -> None:
        report(share)
        if cancelled is not None and cancelled():
            raise CancelledError("Head tracking was cancelled.")

    landmarks = np.asarray(landmarks)
    count = len(landmarks)
    clips = np.zeros(count, int) if clips is None else np.asarray(clips)
    usable = np.isfinite(landmarks).all(-1).sum(1) >= FEWEST_LANDMARKS
    if excluded is not None:
        usable &= ~excluded
    if usable.sum() < 3:
        raise CaptureError(
            f"Only {int(usable.sum())} of {count} frames show a face, too few to find the head's pose; "
            "check that the face is in the picture and lit."
        )
    faces = [np.asarray(canonical, np.float64)]
    if flow_canonical is not None:
        faces += [np.asarray(flow_canonical, np.float64)] * len(flow)
    marks = slice(0, len(faces[0]))
    reference = np.concatenate(faces)
    measured = _eye_distance(reference, eyes)
    reference = reference * (settings.eye_distance / measured)
    origin = reference[marks].mean(0)
    reference = reference - origin
    centre = np.array(size, np.float64) / 2
    bends = np.zeros((0, len(reference), 3))
    if modes is not None:
        own, others = modes[:, : len(faces[0])], modes[:, len(faces[0]) :]
        bends = np.concatenate([own, *[others] * len(flow)], axis=1) * (settings.eye_distance / measured)
    share, least = settings.mode_deviation
    mode_spread = least + share * np.sqrt((bends**2).sum(2).sum(0) / max(1, len(bends)))
    deviation = np.repeat(
        [settings.shape_deviation, settings.flow_deviation], [len(faces[0]), len(reference) - len(faces[0])]
    )
    covariance = np.diag(np.tile(deviation**2, 3))
    if population is not None:
        places = np.arange(len(faces[0]), len(population.mean))
        order = np.concatenate([np.arange(len(faces[0])), *[places] * len(flow)])
        covariance = population.covariance(order) * (settings.eye_distance / measured) ** 2
    precision, spread = np.linalg.inv(covariance), np.sqrt(np.diag(covariance).reshape(3, -1).mean(0))

    def prior(frames: int) -> Prior:
        evidence = max(1.0, frames / settings.independent_frames)
        lens = np.inf if settings.focal else evidence / settings.distance_deviation**2
        return Prior(reference, guess, evidence * precision, lens)

    def anchor(state: State) -> State:
        return _onto(state, reference, eyes, marks)

    def trust(deviation: np.ndarray) -> np.ndarray:
        """Points that err together count as fewer."""
        result = np.ones(len(reference))
        limits = [settings.independent_landmarks[bool(flow)]] + [settings.independent_flow] * len(flow)
        first = 0
        for face, limit in zip(faces, limits, strict=True):
            part = slice(first, first + len(face))
            result[part] = min(1.0, limit / ((deviation[part].min() / deviation[part]) ** 2).sum())
            first = part.stop
        return result

    seen = np.flatnonzero(usable)
    groups = [Points(landmarks), *flow]
    ones = np.ones(len(reference))
    observed = Observations(groups, seen, centre, ones, ones, settings.cauchy, np.eye(len(bends)))
    poses = weak_perspective(observed, reference[marks])
    metre = float(np.exp(-np.median(poses.offsets[:, 2])))  # in pixels
    guess = settings.focal or settings.distance_guess * metre
    floors = metre * np.repeat([settings.noise[0], settings.noise[1]], [len(faces[0]), len(reference) - len(faces[0])])
    # At first every point may be off by as much as people differ.
    observed.deviation = spread * metre
    observed.trust = trust(observed.deviation)
    step_done(0.02)

    few = np.unique(np.linspace(0, len(seen) - 1, SUBSET).astype(int))
    part = observed.at(few)
    state = State(Head(reference.copy(), bends, guess), poses[few])
    for turn in range(5):
        state = adjust(part, state, prior(len(few)), anchor, 6, 1e-4)
        for _ in range(MODE_ROUNDS if turn and len(bends) else 0):
            # Not before the shape is roughly known: what it lacks would go into the modes.
            state = anchor(fit_modes(part, state, prior(len(few)), bends, mode_spread))
            state.poses = refine(part, state, 2)
        for _ in range(MODE_ROUNDS if turn and len(bends) else 0):
            evidence = min(len(few), len(seen) / LASTING)
            part.certainty = np.linalg.inv(usual_amounts(part, state, evidence, BEFORE))
            state.poses = refine(part, state, 2)
        part.deviation = deviations(part, state, floors)
        part.trust = trust(part.deviation)
        step_done(0.02 + 0.08 * (turn + 1))
    observed.deviation, observed.trust, observed.certainty = part.deviation, part.trust, part.certainty
    state.poses = refine(observed, State(state.head, poses), 6)
    off = distances(observed, state, marks) > DISTANT
    kept = np.flatnonzero(~off)
    if len(kept) < 3:
        raise CaptureError("The landmarks do not fit one face; check that the video shows one person throughout.")
    step_done(0.5)
    joint = min(len(kept), max(SUBSET, int(LARGEST_WORK / (3 * len(reference) + 1) ** 2)))
    used = kept[np.unique(np.linspace(0, len(kept) - 1, joint).astype(int))]
    solved = adjust(observed.at(used), state.at(used), prior(len(used)), anchor, 3)
    observed.deviation = deviations(observed.at(used), solved, floors)
    observed.trust = trust(observed.deviation)
    inliers = observed.at(kept)
    solved.poses = refine(inliers, State(solved.head, state.poses[kept]), 4)
    step_done(0.85)

    missing = np.ones(count, bool)
    missing[seen[kept]] = False
    whole = replace(observed, frames=np.arange(count))
    start = fill_gaps(solved.poses, missing)

    away = start.translations(solved.head.focal) - start.rotations @ origin
    neck = turning_point(start.rotations, away, clips, missing)
    turned = _about(State(solved.head, start), neck - origin)

    def equations(poses: Poses, frames: slice) -> tuple[np.ndarray, np.ndarray]:
        hessian, gradient, _ = pose_equations(whole.at(np.arange(count)[frames]), State(turned.head, poses))
        unseen = missing[frames]
        hessian[unseen, :6], hessian[unseen, :, :6], gradient[unseen] = 0, 0, 0
        return hessian, gradient

    smooth = smooth_poses(turned.poses, equations, solved.head.focal, clips, missing, settings.smoothness)
    final = _about(State(turned.head, smooth), origin - neck).poses
    step_done(1.0)

    shape = solved.head.shape + origin
    translations = final.translations(solved.head.focal) - final.rotations @ origin
    return HeadMotion(
        shape=shape,
        focal=solved.head.focal,
        centre=centre,
        rotations=final.rotations,
        translations=translations,
        interpolated=missing,
        errors=_errors(observed, State(solved.head, final[seen]), count, marks),
        deviation=observed.deviation,
        jitter=jitter(final.rotations, translations, clips),
        seconds=time.perf_counter() - started,
    )


def _errors(observed: Observations, state: State, count: int, marks: slice) -> np.ndarray:
    """float32 [count] median residual in pixels of the more rigid half of the landmarks, NaN without a face."""
    rigid = observed.deviation[marks] <= np.median(observed.deviation[marks])
    result = np.full(count, np.nan, np.float32)
    for first in range(0, len(observed), 4096):
        block = np.arange(first, min(first + 4096, len(observed)))
        squares = squared_residuals(observed.at(block), state.at(block))[:, marks][:, rigid]
        result[observed.frames[block]] = np.sqrt(np.nanmedian(squares, axis=1))
    return result


def _eye_distance(shape: np.ndarray, eyes: tuple[Sequence[int], Sequence[int]]) -> float:
    return float(np.linalg.norm(shape[list(eyes[0])].mean(0) - shape[list(eyes[1])].mean(0)))


def _about(state: State, point: np.ndarray) -> State:
    """The same pictures with the head's origin moved to a `point` [3] of the head."""
    head, poses = state.head, state.poses
    position = poses.translations(head.focal) + poses.rotations @ point
    offsets = np.concatenate([position[:, :2], np.log(-position[:, 2:] / head.focal)], axis=1)
    return State(replace(head, shape=head.shape - point), Poses(poses.rotations, offsets, poses.amounts))


def _onto(state: State, reference: np.ndarray, eyes: tuple[Sequence[int], Sequence[int]], marks: slice) -> State:
    """The same pictures with the landmarks laid onto `reference`, at its distance between the eyes."""
    head, poses = state.head, state.poses
    scale = _eye_distance(reference, eyes) / _eye_distance(head.shape, eyes)
    middle, goal = head.shape[marks].mean(0), reference[marks].mean(0)
    turn = nearest_rotations((reference[marks] - goal).T @ (head.shape[marks] - middle))
    shape = scale * (head.shape - middle) @ turn.T + goal
    # x_old = turn^T (x_new - goal) / scale + middle; depth is moved by the rotated origin's z. The modes stay: the
    # turn and the scale are small.
    rotations = poses.rotations @ turn.T
    position = poses.translations(head.focal) + poses.rotations @ middle
    position = scale * position - rotations @ goal
    offsets = np.concatenate([position[:, :2], np.log(-position[:, 2:] / head.focal)], axis=1)
    return State(replace(head, shape=shape), Poses(rotations, offsets, poses.amounts))
