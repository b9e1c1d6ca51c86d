# SPDX-License-Identifier: GPL-3.0-or-later
"""How an avatar moves in the held-out clips: rendered, tracked, and compared with the tracked real video.

Only motion is measured, so landmarks and blendshape scores are all that is kept of a video, and those of the real one
are made once. The figures are those of ``hmtalker evaluate`` (docs/evaluation.md), for each clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmtalker.action_units import LOWER_INDEX
from hmtalker.avatar import Avatar
from hmtalker.capture.face.face_landmarks import FaceTracker
from hmtalker.capture.face.face_networks import FaceNetworks
from hmtalker.evaluation.action_unit_error import ActionUnitError
from hmtalker.evaluation.held_out import Voice
from hmtalker.evaluation.held_out_frames import HeldOutFrames, Stretch
from hmtalker.evaluation.image_metrics import over, to_8bit
from hmtalker.evaluation.landmark_distance import COMMON_SIDE, mouth_distances
from hmtalker.evaluation.sync import STEPS_A_FRAME, judge, load_sync_scorer, shifted_similarity
from hmtalker.render import Renderer


@dataclass(frozen=True)
class Seen:
    """A tracked video: the stretches, one after the other."""

    landmarks: np.ndarray
    """float32 [n,478,3], NaN where there is no face."""
    blendshapes: np.ndarray
    """float32 [n,52]"""

    def parts(self, stretches: list[Stretch]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Landmarks and blendshapes of each stretch."""
        cuts = np.cumsum([len(stretch) for stretch in stretches])[:-1]
        return list(zip(np.split(self.landmarks, cuts), np.split(self.blendshapes, cuts), strict=True))


def save_videos(path: Path, videos: Mapping[str, Seen]) -> None:
    """Keep tracked videos by name."""
    np.savez(path, **{f"{name}.{part}": value for name, seen in videos.items() for part, value in vars(seen).items()})


def load_videos(path: Path) -> dict[str, Seen]:
    """What :func:`save_videos` kept."""
    with np.load(path, allow_pickle=False) as data:
        names = {name.rpartition(".")[0] for name in data.files}
        return {name: Seen(data[f"{name}.landmarks"], data[f"{name}.blendshapes"]) for name in sorted(names)}


def track(clips: Iterable[Iterable[np.ndarray]], networks: FaceNetworks) -> Seen:
    """clips: the frames of each, uint8 [H,W,3]; nothing is carried over from clip to clip."""
    landmarks, blendshapes = [], []
    tracker = FaceTracker(networks)
    for frames in clips:
        tracker.reset()
        for frame in frames:
            face = tracker.track(frame)
            landmarks.append(np.full((478, 3), np.nan, np.float32) if face is None else face.landmarks)
            blendshapes.append(np.zeros(52, np.float32) if face is None else face.blendshapes)
    return Seen(np.stack(landmarks).astype(np.float32), np.stack(blendshapes).astype(np.float32))


def real_video(frames: HeldOutFrames, stretches: list[Stretch], networks: FaceNetworks) -> Seen:
    """The person."""
    return track(
        ((to_8bit(over(frames.read(int(row))[0], frames.background)) for row in stretch.rows) for stretch in stretches),
        networks,
    )


def rendered_video(
    avatar: Avatar,
    driver: str,
    frames: HeldOutFrames,
    stretches: list[Stretch],
    units: np.ndarray,
    networks: FaceNetworks,
) -> Seen:
    """The avatar, driven by "audio" or "action_units" (and audio). units: [T,17] of the dataset's frames."""
    renderer = Renderer(avatar)
    encoder = avatar.header["encoder"]["id"]

    def drawn(stretch: Stretch) -> Iterable[np.ndarray]:
        voice = Voice(renderer.motion, frames.speech(stretch.clip, encoder), frames.frames_of(stretch.clip))
        for place, row in enumerate(stretch.rows):
            body = None if frames.body is None else frames.body[row]
            state = voice.state(driver, stretch.first + place, units[row], frames.head[row], body)
            yield to_8bit(over(renderer.render_srgb8(state, frames.camera), frames.background))

    try:
        return track(map(drawn, stretches), networks)
    finally:
        renderer.close()


@dataclass(frozen=True)
class Figures:
    """Of one video, an entry a clip."""

    lmd: np.ndarray
    """LMD*, pixels of a frame whose longer side is 512."""
    aue: np.ndarray
    """AUE-L*"""
    sync: float
    """Confidence of our own scorer, over all clips."""


def figures(
    real: Seen, videos: Mapping[str, Seen], frames: HeldOutFrames, stretches: list[Stretch]
) -> tuple[dict[str, Figures], float]:
    """Of all `videos` on one scale of Action Units; and AUE-L* of a face that does not move."""
    parts = {name: video.parts(stretches) for name, video in videos.items()}
    truth = real.parts(stretches)
    errors = ActionUnitError()
    for number, stretch in enumerate(stretches):
        errors.add(truth[number], {name: part[number] for name, part in parts.items()}, frames.silent(stretch))
    measured, ours, known = errors.measure()
    clips = np.repeat(np.arange(len(stretches)), [len(stretch) for stretch in stretches])
    lower = list(LOWER_INDEX)
    scale = COMMON_SIDE / max(frames.camera.width, frames.camera.height)
    result = {}
    for name, part in parts.items():
        square = ((measured - ours[name]).astype(np.float64) ** 2)[:, lower].sum(1)
        square[~known[name]] = np.nan
        away = [mouth_distances(part[n][0], truth[n][0]) for n in range(len(stretches))]
        result[name] = Figures(
            np.array([np.nanmean(distances) * scale for distances in away]),
            np.array([np.nanmean(square[clips == clip]) for clip in range(len(stretches))]),
            _sync([landmarks for landmarks, _ in part], frames, stretches),
        )
    return result, float(measured.astype(np.float64).var(0)[lower].sum())


def _sync(landmarks: list[np.ndarray], frames: HeldOutFrames, stretches: list[Stretch]) -> float:
    scorer, sums = load_sync_scorer(), 0.0
    for part, stretch in zip(landmarks, stretches, strict=True):
        speech = frames.speech(stretch.clip)
        heard = scorer.hear(speech[: len(speech) // STEPS_A_FRAME * STEPS_A_FRAME])
        sums = sums + shifted_similarity(scorer.watch(part), heard, stretch.first)
    return judge(np.asarray(sums)).confidence
