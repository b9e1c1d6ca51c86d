# SPDX-License-Identifier: GPL-3.0-or-later
"""Jitter of the head's pose on real clips of one person: with and without flow and the temporal prior."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from head_pose_people import Moment, Seen, each_frame_alone, watch

from hmtalker.capture.head.bundle_adjustment import BundleSettings
from hmtalker.capture.head.canonical_face import SOLVED_LANDMARKS
from hmtalker.capture.head.capture_motion import solve_capture
from hmtalker.capture.head.head_pose_model import jitter
from hmtalker.capture.head.pose_smoothing import Smoothness
from hmtalker.capture.video_file import probe, read_frames

DEGREES, MILLIMETRES = 0.1, 0.3
"""Limits of the pose's second difference, root mean square."""


def frames_of(files: list[Path]) -> Iterator[Moment]:
    """All frames of some videos; their true poses are not known."""
    for clip, path in enumerate(files):
        for _, image in read_frames(probe(path)):
            yield Moment(image, np.eye(3), np.zeros(3), clip, np.nan)


def chosen(folder: Path, count: int) -> list[Path]:
    """`count` videos of a folder, evenly spaced by name."""
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".mpg", ".mp4", ".mov", ".avi", ".mkv"))
    return [files[i] for i in np.unique(np.linspace(0, len(files) - 1, count).astype(int))]


def seen_in(files: list[Path]) -> tuple[Seen, tuple[int, int]]:
    cv2.setNumThreads(1)
    info = probe(files[0])
    return watch(frames_of(files)), (info.width, info.height)


def measure(folder: Path, count: int) -> bool:
    """Print the figures; whether the limits hold with flow and prior."""
    seen, size = seen_in(chosen(folder, count))
    print(
        f"{count} clips, {len(seen.clips)} frames, {np.isfinite(seen.landmarks[:, 0, 0]).mean():.1%} with a face, "
        f"{np.isfinite(seen.flow[..., 0]).mean():.0%} of flow points found, {len(set(seen.tracks.tolist()))} set(s) of "
        f"skin points, {1000 * seen.flow_seconds:.1f} ms a frame of flow"
    )
    theirs = jitter(*each_frame_alone(seen.landmarks, size), seen.clips)
    print(f"each frame alone (PnP): jitter {theirs.degrees:.3f} degrees, {theirs.millimetres:.3f} mm")
    landmarks = seen.landmarks[:, list(SOLVED_LANDMARKS), :2]
    rough = BundleSettings(smoothness=Smoothness(100.0, 1000.0))
    good = False
    for flow in (None, seen.flow):
        for settings in (rough, None):
            solved = solve_capture(landmarks, flow, seen.tracks, seen.clips, size, settings)
            motion = solved.motion
            spread = np.degrees(np.ptp(np.percentile(motion.head_poses(np.zeros(3))[:, :3], [1, 99], axis=0), axis=0))
            print(
                f"{'landmarks' if flow is None else 'with flow'}, {'no temporal prior' if settings else 'all'}: "
                f"jitter {motion.jitter.degrees:.3f} degrees, {motion.jitter.millimetres:.3f} mm; focal "
                f"{motion.focal:.0f} px, distance {-np.median(motion.translations[:, 2]):.2f} m; error "
                f"{np.nanmedian(motion.errors):.2f} px; "
                f"pitch, yaw, roll span {spread.round(1).tolist()} degrees; {int(solved.outliers.sum())} outliers; "
                f"{motion.seconds:.0f} s",
                flush=True,
            )
            good = motion.jitter.degrees <= DEGREES and motion.jitter.millimetres <= MILLIMETRES
    return good
