# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the head is in every frame of every clip, solved over all of them at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..camera import Camera
from .array_file import write_arrays
from .head.bundle_adjustment import BundleSettings
from .head.canonical_face import EYE_CORNERS, SOLVED_LANDMARKS
from .head.capture_motion import GOOD as GOOD
from .head.capture_motion import solve_capture
from .head.head_pose_model import HeadMotion, Jitter, jitter
from .journal import Journal, digest
from .read_stage import Footage

VERSION = 2
PIVOT_FROM_EYES = (0.0, -0.10, -0.09)
"""Metres from between the eyes to the middle of the neck, about which a head nods and turns (estimated)."""


@dataclass(frozen=True)
class HeadTrack:
    """The head in T frames."""

    rotations: np.ndarray
    """float64 [T,3,3] head to the camera's canonical axes."""
    poses: np.ndarray
    """float32 [T,6] pitch, yaw, roll in radians and metres about `pivot`, relative to the mean pose (HeadPose)."""
    camera: Camera
    """The still camera of the whole picture, seen from the mean pose."""
    pivot: np.ndarray
    """float64 [3] metres."""
    mesh: np.ndarray
    """float32 [478,3] metres: the person's face at rest."""
    reasons: np.ndarray
    """uint8 [T] ``head.capture_motion``: GOOD, or why the frame is of no use."""
    errors: np.ndarray
    """float32 [T] median distance of the rigid points from the solved face, pixels."""
    jitter: Jitter
    clip_jitter: np.ndarray
    """float32 [C,2] degrees and millimetres."""


def solve_head(
    journal: Journal, footage: Footage, focal: float | None, advance: Callable[..., None], cancelled: Callable[[], bool]
) -> HeadTrack:
    """Solve, or load what was solved from the same reading; advances by shares of 1."""
    path = journal.folder / "head.npz"
    inputs = digest(VERSION, [(c.name, c.begin, c.end, footage.sources[c.source].digest) for c in footage.clips], focal)
    if not journal.is_done("head", inputs, path):
        _solve(path, footage, focal, advance, cancelled)
        journal.mark("head", inputs)
    return load_head(path)


def load_head(path: Path) -> HeadTrack:
    """Read head.npz."""
    with np.load(path) as data:
        size = data["size"]
        return HeadTrack(
            rotations=data["rotations"],
            poses=data["poses"],
            camera=Camera(int(size[0]), int(size[1]), data["K"], data["world_to_camera"]),
            pivot=data["pivot"],
            mesh=data["mesh"],
            reasons=data["reasons"],
            errors=data["errors"],
            jitter=Jitter(*data["jitter"].tolist()),
            clip_jitter=data["clip_jitter"],
        )


def _solve(
    path: Path, footage: Footage, focal: float | None, advance: Callable[..., None], cancelled: Callable[[], bool]
) -> None:
    landmarks, flow, tracks, shots = [], [], [], []
    for clip, seen in footage.tracking():
        landmarks.append(seen.landmarks[:, list(SOLVED_LANDMARKS), :2])
        flow.append(seen.flow)
        tracks.append(seen.tracks)
        shots.append(np.full(len(seen), clip.shot, np.int32))
    told = 0.0

    def progress(share: float) -> None:
        nonlocal told
        advance(max(0.0, share - told))
        told = max(told, share)

    info = footage.sources[0].info
    head = solve_capture(
        np.concatenate(landmarks),
        np.concatenate(flow),
        np.concatenate(tracks),
        np.concatenate(shots),
        (info.width, info.height),
        settings=BundleSettings(focal=focal),
        progress=progress,
        cancelled=cancelled,
    )
    motion: HeadMotion = head.motion
    camera = motion.camera(info.width, info.height)
    mesh = np.asarray(head.mesh())
    pivot = mesh[np.ravel(EYE_CORNERS)].mean(0) + PIVOT_FROM_EYES
    write_arrays(
        path,
        rotations=motion.rotations,
        poses=motion.head_poses(pivot).astype(np.float32),
        size=np.array([info.width, info.height]),
        K=camera.K,
        world_to_camera=camera.world_to_camera,
        pivot=pivot,
        mesh=mesh.astype(np.float32),
        reasons=head.reasons,
        errors=head.errors,
        jitter=np.array([motion.jitter.degrees, motion.jitter.millimetres]),
        clip_jitter=_clip_jitter(motion, footage),
    )


def _clip_jitter(motion: HeadMotion, footage: Footage) -> np.ndarray:
    rows, start = [], 0
    for clip in footage.clips:
        part = slice(start, start + clip.frames)
        start += clip.frames
        of_clip = jitter(motion.rotations[part], motion.translations[part], np.zeros(clip.frames, int))
        rows.append((of_clip.degrees, of_clip.millimetres))
    return np.array(rows, np.float32)
