# SPDX-License-Identifier: GPL-3.0-or-later
"""How a generic face's 478 landmarks move with each Action Unit: the prior for people who never performed one.

    python make_shapes.py --makehuman MAKEHUMAN --out ../../engine/training/generic_face_shapes.npz

Synthetic people (``benchmarks/people``, MakeHuman, CC0) are rendered at rest; each landmark is laid onto the skin
vertex that is seen under it, and goes where that vertex goes. Mean of several people, metres per intensity 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from people.background import Background
from people.person import Lighting, Pose, View
from people.render_set import random_person
from people.units import labels, to_arkit

from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.head_pose import HeadPose
from hmtalker.training.filmed_motion import AS_CHANNEL, CHANNELS

INTENSITY = {"AU45": 2.0}
FULL = 5.0
EYE_DISTANCE = 0.063
"""Metres between the eyes' centres that lengths are brought to."""
AS_UNIT = {channel: code for code, channel in AS_CHANNEL.items()}
SHOWN = (*CHANNELS, "AU16", "AU24", "AU27", "AU28")
"""The 17, pucker and funnel, and what the extended set has beyond them."""


def shapes_of(seed: int, tracker: FaceTracker) -> np.ndarray | None:
    """float64 [23,478,3] metres per intensity 1, or None where the face is not found."""
    person = random_person("makehuman", seed=seed)
    rest = to_arkit(labels(), person.figure)
    view = View(512, 512, distance=0.55, focal=1100)
    pose = Pose(rest, HeadPose((0.0, 0.0, 0.0)), view, Lighting(), Background("colour"))
    seen = person.render(pose)
    tracker.reset()
    face = tracker.track(seen.rgb)
    if face is None:
        return None
    points = person.points(rest)
    in_camera = points @ seen.rotation.T + seen.translation
    depth = -in_camera[:, 2]
    K = seen.intrinsics
    x, y = K[0, 0] * in_camera[:, 0] / depth + K[0, 2], K[1, 2] - K[1, 1] * in_camera[:, 1] / depth
    pixels = np.stack([x, y], 1) - 0.5  # the tracker counts from a pixel's middle
    vertices = []
    for x, y in face.landmarks[:, :2]:
        near = np.flatnonzero(np.hypot(pixels[:, 0] - x, pixels[:, 1] - y) < 7)
        if not len(near):
            near = np.argsort(np.hypot(pixels[:, 0] - x, pixels[:, 1] - y))[:3]
        front = near[depth[near] < depth[near].min() + 0.012]  # not the tongue, nor the back of the head
        vertices.append(front[np.argmin(np.hypot(pixels[front, 0] - x, pixels[front, 1] - y))])
    scale = EYE_DISTANCE / seen.eye_distance
    result = []
    for channel in SHOWN:
        code = AS_UNIT.get(channel, channel)
        full = INTENSITY.get(code, FULL)
        moved = person.points(to_arkit(labels(**{code: full}), person.figure))
        result.append((moved - points)[vertices] * scale / full)
    return np.array(result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    tracker = FaceTracker(load_networks(find_networks()))
    found = [shapes for seed in range(arguments.people) if (shapes := shapes_of(seed, tracker)) is not None]
    shapes = np.median(found, axis=0)
    np.savez_compressed(arguments.out, channels=np.array(SHOWN), shapes=shapes.astype(np.float16))
    for channel, shape in zip(SHOWN, shapes, strict=True):
        length = np.linalg.norm(shape, axis=1)
        print(f"{channel:7} {1000 * length.max():.2f} mm at landmark {length.argmax()}")


if __name__ == "__main__":
    main()
