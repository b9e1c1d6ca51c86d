# SPDX-License-Identifier: GPL-3.0-or-later
"""How people's heads differ, and how expressions move them: the prior of head tracking.

    python make_head_shapes.py --out ../../engine/capture/head/head_shapes.npz

Places: the 80 landmarks that head tracking solves for, then the 56 places near which optical flow follows the skin, the
hair and the ears. On each of two models (ICT FaceKit, MIT; MakeHuman, CC0) some people are rendered at rest from the
front; a landmark lies on the skin vertex that is seen under it. Shapes: mean, principal components and what they leave
out, of random people of both models, each model counting half. Expressions: principal components of both models' ARKit
shapes with random weights.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from people import ict_people, makehuman_people
from people.background import Background
from people.person import Lighting, Pose, View
from people.render_set import DATA, FOLDERS, random_person

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.head.canonical_face import (
    EYE_CORNERS,
    FLOW_LANDMARKS,
    SOLVED_LANDMARKS,
    canonical_face,
    flow_places,
)
from hmtalker.capture.head.head_pose_model import nearest_rotations

RENDERED = (11, 12, 13, 14)
"""Seeds of the people on whom landmarks are laid onto vertices."""
EYE_DISTANCE = 0.063
MARKS, SKIN = len(SOLVED_LANDMARKS), len(FLOW_LANDMARKS)
HAIR = slice(MARKS + SKIN, MARKS + SKIN + 12)
EYES = [[SOLVED_LANDMARKS.index(number) for number in side] for side in EYE_CORNERS]
SPREAD = 0.25
"""Of the expression weights' standard deviations: how far people are from what is usual while they talk."""
SKIN_VERTICES = {"ict": 11248, "makehuman": 13380}


@dataclass
class Skin:
    """One person's skin: points [V,3] and normals [V,3] in metres, shapes [52,V,3]."""

    points: np.ndarray
    normals: np.ndarray
    shapes: np.ndarray


def skin_of(model: str, seed: int) -> Skin:
    """The skin of ``random_person(model, seed)``, without its looks."""
    folder, count = DATA / FOLDERS[model], SKIN_VERTICES[model]
    if model == "ict":
        table = ict_people._model(folder / ict_people.FILE)
        amounts = np.clip(np.random.default_rng((seed, 815)).normal(0, 0.8, len(table["id_deltas"])), -2, 2)
        points = table["points"] + np.tensordot(amounts, table["id_deltas"], 1) * 0.01
        points = points - np.stack([points[eye].mean(0) for eye in ict_people._EYES.values()]).mean(0)
        quads, shapes = table["quads"], table["deltas"]
    else:
        recipe = makehuman_people.random_recipe(folder, np.random.default_rng((seed, 4711)), 1.0)
        builder = makehuman_people._Builder(folder, recipe)
        points, shapes = builder.metres(builder.points), builder.shapes * makehuman_people.METRES_PER_UNIT
        quads = builder.base.quads[~builder.base.is_lining]
    quads = quads[quads.max(1) < count]
    normals = np.zeros((count, 3))
    across = np.cross(points[quads[:, 1]] - points[quads[:, 0]], points[quads[:, 2]] - points[quads[:, 0]])
    for corner in quads.T:
        np.add.at(normals, corner, across)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return Skin(points[:count], normals, shapes[:, :count])


def laid_on(points: np.ndarray, goal: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Factor, rotation, shift that bring `points` [n,3] nearest to `goal` [n,3]."""
    a, b = points - points.mean(0), goal - goal.mean(0)
    turn = nearest_rotations(b.T @ a)
    factor = float(np.trace(turn.T @ (b.T @ a)) / (a**2).sum())
    return factor, turn, goal.mean(0) - factor * points.mean(0) @ turn.T


def places_on(model: str, seed: int, tracker: FaceTracker) -> np.ndarray:
    """int [136]: the vertex of each place."""
    skin = skin_of(model, seed)
    seen = random_person(model, seed).render(
        Pose(view=View(512, 512, distance=0.9, focal=1400), lighting=Lighting(), background=Background("colour"))
    )
    tracker.reset()
    tracker.track(seen.rgb)
    face = tracker.track(seen.rgb)
    if face is None:
        raise SystemExit(f"No face was found on {model} {seed}.")
    away = skin.points @ seen.rotation.T + seen.translation
    depth = -away[:, 2]
    focal, (left, top) = seen.intrinsics[0, 0], seen.intrinsics[:2, 2]
    pixels = np.stack([left + focal * away[:, 0] / depth, top - focal * away[:, 1] / depth], 1) - 0.5
    hidden = ((skin.normals @ seen.rotation.T) * -away).sum(1) <= 0
    vertices = []
    for number in (*SOLVED_LANDMARKS, *FLOW_LANDMARKS):
        distance = np.where(hidden, 1e9, np.hypot(*(pixels - face.landmarks[number, :2]).T))
        near = np.flatnonzero(distance < 8)
        near = near if len(near) else np.argsort(distance)[:3]
        front = near[depth[near] < depth[near].min() + 0.012]
        vertices.append(front[np.argmin(distance[front])])
    factor, turn, shift = laid_on(canonical_face()[list(FLOW_LANDMARKS)], skin.points[vertices[MARKS:]])
    for index, place in enumerate(factor * flow_places()[SKIN:] @ turn.T + shift):
        weight, facing = ((1, 1, 0), 0.0) if index < 12 else ((1, 1, 0.3), 0.1)  # hair is sought by height and side
        distance = ((skin.points - place) ** 2 * weight).sum(1)
        vertices.append(np.argmin(np.where(skin.normals[:, 2] > facing, distance, 1e9)))
    return np.array(vertices)


def eye_distance(points: np.ndarray) -> float:
    return float(np.linalg.norm(points[EYES[0]].mean(0) - points[EYES[1]].mean(0)))


def aligned(groups: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    """Groups [n,136,3] of heads with their landmarks turned onto the mean's, and the mean [136,3] of the groups."""
    groups = [np.stack([head * (EYE_DISTANCE / eye_distance(head)) for head in group]) for group in groups]
    groups = [group - group[:, :MARKS].mean(1, keepdims=True) for group in groups]
    mean = np.mean([group.mean(0) for group in groups], axis=0)
    for _ in range(5):
        for group in groups:
            for head in group:
                head[:] = head @ laid_on(head[:MARKS], mean[:MARKS])[1].T
        mean = np.mean([group.mean(0) for group in groups], axis=0)
        mean *= EYE_DISTANCE / eye_distance(mean)
    return groups, mean


def expression_modes(shapes: list[np.ndarray], count: int) -> np.ndarray:
    """[count,136,3] metres. Weights are normal, left and right correlated by 0.8; hair and ears do not move."""
    stems = np.array([name.removesuffix("Left").removesuffix("Right") for name in ARKIT_NAMES])
    size = np.array([0.6 if s == "eyeBlink" else 0.1 if s.startswith(("eyeLook", "tongue")) else 0.35 for s in stems])
    paired = (stems[:, None] == stems) & ~np.isin(stems, ("mouth", "jaw"))
    covariance = np.where(np.eye(len(stems)) > 0, 1.0, 0.8 * paired) * size[:, None] * size
    root = SPREAD * np.linalg.cholesky(covariance + 1e-9 * np.eye(len(stems)))
    rows = []
    for moved in shapes:
        still = moved.copy()
        still[:, MARKS + SKIN :] = 0
        rows.append(root.T @ still.reshape(len(still), -1) / np.sqrt(len(shapes)))
    _, sizes, directions = np.linalg.svd(np.concatenate(rows), full_matrices=False)
    return np.asarray((sizes[:count, None] * directions[:count]).reshape(count, -1, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--components", type=int, default=20)
    parser.add_argument("--modes", type=int, default=20)
    parser.add_argument("--people", type=int, default=60, help="of MakeHuman; five times as many of ICT")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    tracker = FaceTracker(load_networks(find_networks()))
    at = {model: np.stack([places_on(model, seed, tracker) for seed in RENDERED]) for model in FOLDERS}

    table = ict_people._model(DATA / FOLDERS["ict"] / ict_people.FILE)
    rest, differ = table["points"][at["ict"]].mean(0), 0.01 * table["id_deltas"][:, at["ict"]].mean(1)
    amounts = np.random.default_rng(5).normal(size=(5 * given.people, len(differ)))
    skins = [skin_of("makehuman", seed) for seed in range(1, given.people + 1)]
    heads = [rest + np.tensordot(amounts, differ, 1), np.stack([s.points[at["makehuman"]].mean(0) for s in skins])]
    one = {"ict": skin_of("ict", RENDERED[0]), "makehuman": skins[-1]}
    models = ("ict", "makehuman")
    scales = [EYE_DISTANCE / np.mean([eye_distance(head) for head in group]) for group in (rest[None], heads[1])]
    shapes = [one[m].shapes[:, at[m]].mean(1) * scale for m, scale in zip(models, scales, strict=True)]
    normals = sum(one[model].normals[at[model]].mean(0) for model in models)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)

    groups, mean = aligned(heads)
    away = np.concatenate([(g - mean).reshape(len(g), -1) / np.sqrt(len(groups) * len(g)) for g in groups])
    _, sizes, directions = np.linalg.svd(away, full_matrices=False)
    scaled = (sizes[:, None] * directions).reshape(len(sizes), -1, 3)
    left = np.sqrt((scaled[given.components :] ** 2).sum(0).mean(1))
    # Hair stands 8 mm (6 mm) out of the scalp, by much the same everywhere.
    mean[HAIR] += 0.008 * normals[HAIR]
    thickness = np.zeros((1, *mean.shape))
    thickness[0, HAIR] = 0.006 * normals[HAIR]
    counts = (MARKS, SKIN, 12, len(mean) - HAIR.stop)
    across, along = (
        np.hypot(np.repeat(v, counts), left) for v in ([0.002, 0.005, 0.006, 0.010], [0.002, 0.0015, 0.004, 0.010])
    )
    modes = expression_modes(shapes, given.modes)

    face = canonical_face()[list(SOLVED_LANDMARKS)]
    face = face * (EYE_DISTANCE / eye_distance(face))
    turn = laid_on(mean[:MARKS], face)[1]
    result = {
        "mean": (mean - mean[:MARKS].mean(0)) @ turn.T + face.mean(0),
        "components": np.concatenate([scaled[: given.components], thickness]) @ turn.T,
        "normals": normals @ turn.T,
        "across": across,
        "along": along,
        "modes": modes @ turn.T,
    }
    np.savez_compressed(given.out, **{name: values.astype(np.float32) for name, values in result.items()})
    print(f"{given.out}: {given.out.stat().st_size} bytes; left out {1000 * left.mean():.1f} mm a point")


if __name__ == "__main__":
    main()
