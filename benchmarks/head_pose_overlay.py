# SPDX-License-Identifier: GPL-3.0-or-later
"""A video with the solved head drawn over it: the person's mesh moved by the solved pose, not the landmarks.

    python benchmarks/head_pose_overlay.py VIDEO... --out overlay.mp4 [--sheet sheet.png] [--scale 2]

Drawn: the mesh's front (thin lines), the head's axes at the nose bridge (red right, green up, blue forward), the flow
points of the frame (dots). A mesh that swims, trembles or lags against the face shows a wrong pose.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)
from head_pose_recording import frames_of, seen_in

from hmtalker.capture.head.canonical_face import SOLVED_LANDMARKS
from hmtalker.capture.head.canonical_mesh import canonical_triangles
from hmtalker.capture.head.capture_motion import CaptureHead, solve_capture

BRIDGE = 168


def draw(
    image: np.ndarray, head: CaptureHead, frame: int, mesh: np.ndarray, flow: np.ndarray, scale: int
) -> np.ndarray:
    """uint8 RGB, `scale` times as large."""
    motion = head.motion

    def pixels(points: np.ndarray) -> np.ndarray:
        seen = points @ motion.rotations[frame].T + motion.translations[frame]
        flat = motion.centre + motion.focal * seen[:, :2] * [1, -1] / -seen[:, 2:]
        return scale * flat

    canvas = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    corners = pixels(mesh)[canonical_triangles()]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    front = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] < 0
    lines = canvas.copy()
    cv2.polylines(lines, list((corners[front] * 16).astype(np.int32)), True, (80, 255, 120), 1, cv2.LINE_AA, 4)
    canvas = cv2.addWeighted(lines, 0.55, canvas, 0.45, 0)
    for x, y in scale * (flow[np.isfinite(flow[:, 0])] + 0.5):
        cv2.circle(canvas, (round(float(x)), round(float(y))), 2, (255, 230, 0), -1, cv2.LINE_AA)
    root = mesh[BRIDGE]
    for axis, colour in zip(0.04 * np.eye(3), ((255, 60, 60), (60, 220, 60), (80, 120, 255)), strict=True):
        start, end = pixels(np.stack([root, root + axis])).round().astype(int).tolist()
        cv2.line(canvas, start, end, colour, 2, cv2.LINE_AA)
    text = f"{frame} {('good', 'no face', 'bad fit', 'another person')[int(head.reasons[frame])]}"
    cv2.putText(canvas, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return canvas


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="an .mp4")
    parser.add_argument("--sheet", type=Path, help="a .png with some of its frames")
    parser.add_argument("--frames", type=int, default=12, help="frames on the sheet")
    parser.add_argument("--scale", type=int, default=2)
    options = parser.parse_args()
    seen, size = seen_in(options.videos)
    landmarks = seen.landmarks[:, list(SOLVED_LANDMARKS), :2]
    head = solve_capture(landmarks, seen.flow, seen.tracks, seen.clips, size)
    mesh = head.mesh()[:468]
    picture = (options.scale * size[0], options.scale * size[1])
    writer = cv2.VideoWriter(str(options.out), cv2.VideoWriter.fourcc(*"mp4v"), 25, picture)
    kept, wanted = [], set(np.linspace(0, len(seen.clips) - 1, options.frames).astype(int).tolist())
    for frame, moment in enumerate(frames_of(options.videos)):
        drawn = draw(moment.image, head, frame, mesh, seen.flow[frame], options.scale)
        writer.write(drawn[..., ::-1])
        if frame in wanted:
            kept.append(drawn)
    writer.release()
    print(f"wrote {options.out}: {len(seen.clips)} frames, jitter {head.motion.jitter}")
    if options.sheet:
        rows = [np.concatenate(kept[first : first + 4], axis=1) for first in range(0, len(kept) - len(kept) % 4, 4)]
        cv2.imwrite(str(options.sheet), np.concatenate(rows)[..., ::-1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
