# SPDX-License-Identifier: GPL-3.0-or-later
"""Videos of synthetic people whose head pose is known exactly: talking, blinking, turning, nodding, with motion blur.

A person is "makehuman SEED" or "ict SEED". What they do follows from the seed: yaw up to ±20° and slow changes of the
other five numbers, a livelier sway of 0.5 to 1 Hz on top, a quick nod in every clip; jaw, lips, cheeks, brows and lids
as in talk. The camera: a 512 px square picture, focal length 900 to 1500 px, half a frame of exposure (mean of three
moments), sensor noise, colour at half resolution, JPEG.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import cv2
import numpy as np
from head_pose_scores import passed, scores, table_row
from people.camera_effects import CameraEffects
from people.person import Person, Pose, View
from people.render_set import random_person

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.capture.head.bundle_adjustment import BundleSettings
from hmtalker.capture.head.canonical_face import SOLVED_LANDMARKS, canonical_face
from hmtalker.capture.head.capture_motion import solve_capture
from hmtalker.capture.head.pose_smoothing import Smoothness
from hmtalker.capture.head.rigid_flow import RigidFlow
from hmtalker.head_pose import HeadPose

WHO = ("ict 301", "makehuman 302", "ict 303")
"""Models and seeds; nothing was tuned on these."""
FPS = 25
CLIP = 75
"""Frames between cuts."""
NODS = 3.0
"""Hertz of the quick nod."""


@dataclass
class Moment:
    """One frame: the picture uint8 [H,W,3], head -> camera (canonical axes), the clip, metres between the eyeballs."""

    image: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    clip: int
    eye_distance: float


def person(kind: str, seed: int, data: Path) -> Person:
    """kind: makehuman or ict. data: the folder that holds makehuman_cc0 and ict_facekit."""
    return random_person(kind, seed, data)


def view(seed: int, height: tuple[float, float] = (190.0, 300.0)) -> View:
    """A camera of its own for each seed; `height`: range of the face from hairline to chin, in pixels."""
    rng = np.random.default_rng((seed, 1))
    focal = float(rng.uniform(900, 1500))
    return View(512, 512, distance=focal * 0.18 / rng.uniform(*height), focal=focal, offset=(0.0, 0.02))


def head_motion(seed: int, frames: int) -> np.ndarray:
    """[2 frames, 6] pitch, yaw, roll, x, y, z as HeadPose takes them, at every half frame."""
    rng = np.random.default_rng((seed, 2))
    time = np.arange(2 * frames) / 2
    clips = (time // CLIP)[:, None]
    slow = np.sin(2 * np.pi * time[:, None] / rng.uniform(70, 160, 6) + rng.uniform(0, 6, 6) + 5.0 * clips)
    sway = np.sin(2 * np.pi * time[:, None] * rng.uniform(0.5, 1.0, 6) / FPS + rng.uniform(0, 6, 6) + 3.0 * clips)
    motion = slow * [6, 18, 4, 0.015, 0.01, 0.02] + sway * [1.5, 2.0, 1.0, 0.003, 0.003, 0.003]
    within = time % CLIP - rng.integers(25, 60)
    motion[:, 0] += 4 * np.sin(2 * np.pi * NODS * within / FPS) * np.exp(-((within / 6) ** 2))
    motion[:, :3] = np.radians(motion[:, :3])
    return motion


def expressions(seed: int, frames: int) -> np.ndarray:
    """[2 frames, 52] ARKit weights at every half frame."""
    rng = np.random.default_rng((seed, 3))
    time = np.arange(2 * frames) / 2
    weights = np.zeros((2 * frames, len(ARKIT_NAMES)))
    talks = np.clip(np.sin(2 * np.pi * time / 60 + rng.uniform(0, 6)) + 0.5, 0, 1)
    blink = np.clip(1.3 - np.abs((time % rng.integers(50, 90)) - 20) / 2.5, 0, 1)
    shared: dict[str, np.ndarray] = {}
    for index, name in enumerate(ARKIT_NAMES):
        stem = name.removesuffix("Left").removesuffix("Right")
        wave = np.sin(time / rng.uniform(1.6, 5) + rng.uniform(0, 6))
        slow = np.sin(time / rng.uniform(12, 30) + rng.uniform(0, 6))
        if name == "jawOpen":
            weights[:, index] = 0.45 * np.clip(wave, 0, 1) * talks
        elif stem == "eyeBlink":
            weights[:, index] = blink
        elif stem in ("mouthSmile", "cheekSquint"):
            weights[:, index] = shared.setdefault("smile", 0.35 * np.clip(slow, 0, 1)) * (1 if stem[0] == "m" else 0.6)
        elif stem in ("mouthFunnel", "mouthPucker", "mouthLowerDown", "mouthUpperUp", "mouthStretch", "jawForward"):
            weights[:, index] = shared.setdefault(stem, 0.35 * np.clip(wave, 0, 1) * talks)
        elif stem in ("browInnerUp", "browOuterUp"):
            weights[:, index] = shared.setdefault("brows", 0.3 * np.clip(slow, 0, 1))
        elif stem == "browDown":
            weights[:, index] = shared.setdefault("frown", 0.2 * np.clip(slow, 0, 1))
        elif stem == "noseSneer":
            weights[:, index] = shared.setdefault("sneer", 0.1 * np.clip(slow, 0, 1))
    return weights


def film(who: Person, seed: int, frames: int) -> Iterator[Moment]:
    """The frames of one person, one at a time."""
    look, motion, weights = view(seed), head_motion(seed, frames), expressions(seed, frames)
    for frame in range(frames):
        effects = CameraEffects(shot=0.012, read=0.003, jpeg=92, blur=0.6, chroma_half=True, seed=1000 * seed + frame)
        now = Pose(weights[2 * frame], HeadPose.from_array(motion[2 * frame]), look, effects=effects)
        # The shutter is open for half a frame: a quarter before and a quarter after.
        ahead = 0.5 * (motion[2 * frame] + motion[2 * frame + 1])
        later = replace(now, arkit=weights[2 * frame + 1], head=HeadPose.from_array(ahead))
        drawn = who.render(now, later)
        yield Moment(drawn.rgb, drawn.rotation, drawn.translation, frame // CLIP, drawn.eye_distance)


@dataclass
class Seen:
    """What the face tracker and the flow make of a film, and the truth."""

    landmarks: np.ndarray
    blendshapes: np.ndarray
    flow: np.ndarray
    tracks: np.ndarray
    clips: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    flow_seconds: float
    """Processor time a frame."""


def watch(moments: Iterator[Moment]) -> Seen:
    """Track the face of a film, frame by frame, as capture does."""
    tracker, flow = FaceTracker(load_networks(find_networks())), RigidFlow()
    columns: list[list] = [[] for _ in range(7)]
    spent, clip = 0.0, -1
    for moment in moments:
        if moment.clip != clip:
            tracker.reset()
            flow.reset()
            clip = moment.clip
        face = tracker.track(moment.image)
        began = time.process_time()
        row = flow.step(moment.image, None if face is None else face.landmarks)
        spent += time.process_time() - began
        empty = np.full((478, 3), np.nan, np.float32), np.full(52, np.nan, np.float32)
        landmarks, blendshapes = empty if face is None else (face.landmarks, face.blendshapes)
        values = (landmarks, blendshapes, row, flow.track, clip, moment.rotation, moment.translation)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    return Seen(*(np.array(column) for column in columns), spent / max(len(columns[0]), 1))


def each_frame_alone(landmarks: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The peer: OpenCV's PnP of every frame's 468 landmarks with the canonical face and a 63° camera, as MediaPipe's
    default is. Rotations [T,3,3], translations [T,3]; frames without a face repeat the one before."""
    face, focal = canonical_face()[:468], 0.5 * size[1] / np.tan(np.radians(63) / 2)
    axes = np.diag([1.0, -1.0, -1.0])
    matrix = np.array([[focal, 0, size[0] / 2 - 0.5], [0, focal, size[1] / 2 - 0.5], [0, 0, 1]])
    rotations, translations = [np.eye(3)], [np.zeros(3)]
    for frame in landmarks[:, :468, :2].astype(np.float64):
        if not np.isfinite(frame).all():
            rotations.append(rotations[-1])
            translations.append(translations[-1])
            continue
        _, turn, shift = cv2.solvePnP(face @ axes, frame, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
        rotations.append(axes @ cv2.Rodrigues(turn)[0] @ axes)
        translations.append(axes @ shift[:, 0])
    return np.array(rotations[1:]), np.array(translations[1:])


def seen_of(kind: str, seed: int, frames: int, data: Path, folder: Path | None) -> Seen:
    """What is seen of a person's film; kept in `folder`, and read from there the next time. A change of the people, the
    face tracker or the flow wants an empty folder."""
    path = None if folder is None else folder / f"{kind}_{seed}_{frames}.npz"
    if path is not None and path.exists():
        with np.load(path) as kept:
            return Seen(**{field.name: kept[field.name] for field in fields(Seen)})
    seen = watch(film(person(kind, seed, data), seed, frames))
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **{field.name: getattr(seen, field.name) for field in fields(Seen)})
    return seen


def measure(who: list[str], frames: int, data: Path, folder: Path | None = None) -> bool:
    """Print errors for each person, with and without flow and next to the peer; whether all limits hold."""
    good = True
    for name in who:
        kind, seed = name.split()
        good &= report(name, int(seed), seen_of(kind, int(seed), frames, data, folder))
    return good


def cost(name: str, frames: int, data: Path, folder: Path | None, length: int = 12_000) -> None:
    """Print how long a capture of `length` frames takes to solve: one person's film again and again."""
    kind, seed = name.split()
    seen = seen_of(kind, int(seed), frames, data, folder)
    again = np.arange(length) % len(seen.clips)
    clips = seen.clips[again] + (seen.clips.max() + 1) * (np.arange(length) // len(seen.clips))
    landmarks = seen.landmarks[again][:, list(SOLVED_LANDMARKS), :2]
    flow, tracks = seen.flow[again], seen.tracks[again]
    began = time.process_time()
    solved = solve_capture(landmarks, flow, tracks, clips, (512, 512))
    spent = time.process_time() - began
    print(f"{length} frames: {spent:.0f} s of processor time, {solved.motion.seconds:.0f} s on the clock")


def report(name: str, seed: int, seen: Seen) -> bool:
    look = view(seed)
    size = (look.width, look.height)
    truth = (seen.rotations, seen.translations, seen.clips)
    height = float(np.nanmedian(np.ptp(seen.landmarks[..., 1], axis=1)))
    print(
        f"{name}: {len(seen.clips)} frames, face {height:.0f} px high, {np.isfinite(seen.flow[..., 0]).mean():.0%} of "
        f"flow points found, {1000 * seen.flow_seconds:.1f} ms a frame of flow",
        flush=True,
    )
    print(f"  each frame alone (PnP): {table_row(scores(*each_frame_alone(seen.landmarks, size), *truth))}", flush=True)
    landmarks = seen.landmarks[:, list(SOLVED_LANDMARKS), :2]
    rough = BundleSettings(smoothness=Smoothness(100.0, 1000.0))
    for label, flow, settings in (
        ("landmarks, no flow", None, None),
        ("flow, no temporal prior", seen.flow, rough),
        ("flow", seen.flow, None),
    ):
        solved = solve_capture(landmarks, flow, seen.tracks, seen.clips, size, settings)
        motion = solved.motion
        row = scores(motion.rotations, motion.translations, *truth)
        print(
            f"  {label}: {table_row(row)}; focal {motion.focal / look.focal - 1:+.0%}, "
            f"{int(solved.outliers.sum())} outliers, {motion.seconds:.0f} s",
            flush=True,
        )
    print(f"  {'pass' if passed(row) else 'FAIL'}")
    return passed(row)
