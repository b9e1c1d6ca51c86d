# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar against the test frames of the person it was trained on: every metric in one pass over the frames.

Pose and upper face are given, the lower face comes from the voice (``audio``) or from the frame's own Action Units and
the voice (``action_units``). Pictures are compared as they would be stored in PNG files, never as coded video.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..avatar import load_avatar
from ..errors import HMTalkerError
from ..render import Renderer
from ..training.source_torso import SOURCE, behind_the_head
from .held_out import DRIVERS, Voice, regions_of
from .held_out_frames import HeldOutFrames, Stretch
from .image_metrics import Lpips, Means, open_lpips, over, picture_scores, to_8bit
from .peak_memory import peak_megabytes
from .source_paste import head_of, wanted_paste
from .sync import STEPS_A_FRAME, SyncScorer, judge, load_sync_scorer, shifted_similarity

METRICS = ("picture", "lpips", "lmd", "aue", "jitter", "sync", "identity")
NEEDING_LANDMARKS = frozenset(("lmd", "aue", "jitter", "sync", "identity"))
COVERED = 250
"""Alpha of 255 from which a pixel is the person's alone."""

Progress = Callable[[int, int], None]
"""Frames done, frames in all."""


@dataclass
class _Video:
    """What is gathered about one sequence of frames: the real one, or that of a driver."""

    trackers: Any = None
    means: Means = field(default_factory=Means)
    landmarks: list[np.ndarray] = field(default_factory=list)
    blendshapes: list[np.ndarray] = field(default_factory=list)
    sync: np.ndarray | None = None
    other_sync: np.ndarray | None = None
    """With the voice of the stretch before."""
    sync_frames: int = 0

    def seen(self) -> tuple[np.ndarray, np.ndarray]:
        return np.stack(self.landmarks), np.stack(self.blendshapes)


def evaluate(
    avatar_file: str | Path,
    dataset: str | Path,
    drivers: Sequence[str] = DRIVERS,
    metrics: Sequence[str] = METRICS,
    most_frames: int | None = None,
    progress: Progress | None = None,
    lpips: Lpips | None = None,
    networks: Any = None,
    paste: str | None = None,
) -> dict[str, Any]:
    """All figures, JSON-ready: "drivers" by name, "real" (the real video's own), "avatar", "speed", "notes".

    lpips, networks: in place of the installation's (tests). A metric whose network is missing is left out and noted.
    paste: "source" draws the head alone over the real torso and background, "avatar" the whole person over the
    background; None as the avatar was trained.
    Raises :class:`HMTalkerError`.
    """
    frames = HeldOutFrames(dataset)
    return _Evaluation(Path(avatar_file), frames, drivers, metrics, lpips, networks, paste).run(most_frames, progress)


class _Evaluation:
    def __init__(
        self, avatar_file: Path, frames: HeldOutFrames, drivers: Sequence[str], metrics: Sequence[str],
        lpips: Lpips | None, networks: Any, paste: str | None,
    ) -> None:  # fmt: skip
        for name in (*drivers, *metrics):
            if name not in (*DRIVERS, *METRICS):
                raise HMTalkerError(f"There is nothing called '{name}' to evaluate; there are {', '.join(METRICS)}.")
        self.file, self.frames, self.drivers = avatar_file, frames, tuple(drivers)
        self.avatar = load_avatar(avatar_file)
        frames.use(self.avatar.units)
        self.paste = wanted_paste(self.avatar, paste)
        self.notes: list[str] = []
        self.wanted = set(metrics)
        self.size = (frames.camera.height, frames.camera.width)
        self.networks = networks or self._optional(NEEDING_LANDMARKS, _open_networks)
        self.lpips = lpips if lpips and "lpips" in self.wanted else self._optional({"lpips"}, open_lpips)
        self.scorer: SyncScorer | None = self._optional({"sync"}, load_sync_scorer)
        self.identity = self._optional({"identity"}, _open_identity)
        self._prepare()

    def _optional(self, names: frozenset[str] | set[str], make: Callable[[], Any]) -> Any:
        """What `make` makes if any of the metrics `names` is wanted; else None, and they are struck out."""
        if not self.wanted & names:
            return None
        try:
            return make()
        except HMTalkerError as error:
            self.notes.append(f"Not measured: {', '.join(sorted(self.wanted & names))}. {error}")
        except ImportError as error:
            self.notes.append(f"Not measured: {', '.join(sorted(self.wanted & names))}; '{error.name}' is missing.")
        self.wanted -= names
        return None

    def _prepare(self) -> None:
        from .action_unit_error import ActionUnitError
        from .jitter import Flicker, LandmarkJitter
        from .landmark_distance import LandmarkDistance

        self.real, self.ours = _Video(), {driver: _Video() for driver in self.drivers}
        self.lmd = {driver: LandmarkDistance(self.size) for driver in self.drivers}
        self.unit_error = ActionUnitError(self.avatar.units)
        self.flicker = {driver: Flicker() for driver in self.drivers}
        self.jitter = {name: LandmarkJitter(self.size) for name in ("real", *self.drivers)}
        self.likeness: dict[str, list[float]] = {driver: [] for driver in self.drivers}
        self.render_seconds: list[float] = []
        self.heard_before: np.ndarray | None = None

    def run(self, most: int | None, progress: Progress | None) -> dict[str, Any]:
        stretches = self.frames.stretches(most)
        count, done = sum(map(len, stretches)), 0
        renderer = Renderer(head_of(self.avatar) if self.paste == SOURCE else self.avatar)
        encoder_id = self.avatar.header["encoder"]["id"]
        rendering_peak = float("nan")
        try:
            for stretch in stretches:
                speech = self.frames.speech(stretch.clip, encoder_id)
                voice = Voice(renderer.motion, speech, self.frames.frames_of(stretch.clip))
                self._begin()
                for place, row in enumerate(map(int, stretch.rows)):
                    self._frame(renderer, voice, stretch, place, row)
                    if not done:
                        rendering_peak = peak_megabytes()
                    done += 1
                    if progress is not None:
                        progress(done, count)
                self._end(stretch)
            threads = renderer.threads
        finally:
            renderer.close()
        return self._report(stretches, threads, rendering_peak)

    def _begin(self) -> None:
        for video in (self.real, *self.ours.values()):
            video.landmarks.clear()
            video.blendshapes.clear()
            if self.networks is not None:
                from ..capture.face.face_landmarks import FaceTracker

                video.trackers = FaceTracker(self.networks)
        for flicker in self.flicker.values():
            flicker.cut()

    def _frame(self, renderer: Renderer, voice: Voice, stretch: Stretch, place: int, row: int) -> None:
        rgba, masks = self.frames.read(row)
        truth8 = to_8bit(over(rgba, self.frames.background))
        truth, regions, covered = truth8.astype(np.float32) / 255, regions_of(masks), rgba[..., 3] >= COVERED
        face = self._track(self.real, truth8)
        behind = self.frames.background
        if self.paste == SOURCE:
            behind = behind_the_head(rgba, masks, behind)
        for driver in self.drivers:
            body = None if self.frames.body is None else self.frames.body[row]
            units, head = self.frames.action_units[row], self.frames.head[row]
            state = voice.state(driver, stretch.first + place, units, head, body)
            started = time.perf_counter()
            drawn = renderer.render_srgb8(state, self.frames.camera)
            self.render_seconds.append(time.perf_counter() - started)
            image8 = to_8bit(over(drawn, behind))
            if self.wanted & {"picture", "lpips"}:
                image = image8.astype(np.float32) / 255
                self.ours[driver].means.add(picture_scores(image, truth, regions, face, self.lpips))
            self._track(self.ours[driver], image8)
            if "jitter" in self.wanted:
                self.flicker[driver].add(truth8, image8, covered)
            if self.identity is not None:
                same = self.identity(image8, self.ours[driver].landmarks[-1], truth8, self.real.landmarks[-1], row)
                self.likeness[driver] += [same] if same is not None else []

    def _track(self, video: _Video, image: np.ndarray) -> np.ndarray | None:
        face = video.trackers.track(image) if video.trackers is not None else None
        nothing = np.full((478, 3), np.nan, np.float32)
        video.landmarks.append(nothing if face is None else face.landmarks)
        video.blendshapes.append(np.zeros(52, np.float32) if face is None else face.blendshapes)
        return None if face is None else face.landmarks

    def _end(self, stretch: Stretch) -> None:
        """Take in what only whole stretches tell."""
        if self.networks is None:
            return
        silent, real = self.frames.silent(stretch), self.real.seen()
        for driver, video in self.ours.items():
            ours = video.seen()
            if "lmd" in self.wanted:
                self.lmd[driver].add(ours[0], real[0])
            if "jitter" in self.wanted:
                self.jitter[driver].add(ours[0], silent)
        if "aue" in self.wanted:
            self.unit_error.add(real, {driver: video.seen() for driver, video in self.ours.items()}, silent)
        if "jitter" in self.wanted:
            self.jitter["real"].add(real[0], silent)
        if self.scorer is not None:
            self._hear(stretch)

    def _hear(self, stretch: Stretch) -> None:
        assert self.scorer is not None
        speech = self.frames.speech(stretch.clip)
        try:
            heard = self.scorer.hear(speech[: len(speech) // STEPS_A_FRAME * STEPS_A_FRAME])
        except HMTalkerError as error:
            self.notes.append(f"Not measured: sync. {error}")
            self.scorer = None
            return
        for video in (self.real, *self.ours.values()):
            seen = self.scorer.watch(np.stack(video.landmarks))
            sums = shifted_similarity(seen, heard, stretch.first)
            video.sync = sums if video.sync is None else video.sync + sums
            if self.heard_before is not None:
                sums = shifted_similarity(seen, self.heard_before, stretch.first)
                video.other_sync = sums if video.other_sync is None else video.other_sync + sums
            video.sync_frames += int(np.isfinite(seen[:, 0]).sum())
        self.heard_before = heard

    def _report(self, stretches: list[Stretch], threads: int, rendering_peak: float) -> dict[str, Any]:
        results: dict[str, dict[str, Any]] = {}
        unit_errors = self.unit_error.tables()
        real: dict[str, Any] = self.jitter["real"].table() | self._sync_table(self.real)
        for driver, video in self.ours.items():
            flicker, real_flicker = self.flicker[driver].table()
            real |= real_flicker
            table: dict[str, Any] = dict(video.means.table())
            if "lmd" in self.wanted:
                table |= self.lmd[driver].table()
            table |= unit_errors.get(driver, {})
            table |= self.jitter[driver].table() | flicker | self._sync_table(video)
            if self.likeness[driver]:
                table["identity"] = float(np.mean(self.likeness[driver]))
            results[driver] = table
        later = self.render_seconds[len(self.drivers) :] or self.render_seconds
        header = self.avatar.header
        return {
            "avatar": {
                "name": self.avatar.name,
                "file": self.file.name,
                "megabytes": self.file.stat().st_size / 1e6,
                "face Gaussians": len(self.avatar.face.means),
                "mouth Gaussians": len(self.avatar.mouth.means),
                "training seconds": header.get("training", {}).get("seconds"),
                "preset": header.get("training", {}).get("name", header.get("training", {}).get("preset")),
            },
            "dataset": {
                "frames": sum(map(len, stretches)),
                "clips": len({stretch.clip for stretch in stretches}),
                "size": [self.frames.camera.width, self.frames.camera.height],
                "background": "background.png" if self.frames.background is not None else "grey",
                "torso": self.paste,
            },
            "drivers": results,
            "real": real,
            "speed": {
                "frames a second": 1 / float(np.mean(later)),
                "threads": threads,
                "peak megabytes after the first frame": rendering_peak,
                "peak megabytes of the evaluation": peak_megabytes(),
            },
            "notes": self.notes,
        }

    def _sync_table(self, video: _Video) -> dict[str, Any]:
        if video.sync is None:
            return {}
        score = judge(video.sync, video.sync_frames)
        other = {} if video.other_sync is None else {"sync confidence, other voice": judge(video.other_sync).confidence}
        return {
            "sync confidence": score.confidence,
            "sync similarity": score.similarity,
            "sync distance": score.distance,
            "sync offset": score.offset,
            "sync curve": list(score.curve),
        } | other


def _open_networks() -> Any:
    from ..capture.face.face_networks import find_networks, load_networks

    return load_networks(find_networks())


def _open_identity() -> Any:
    from .identity import open_likeness

    return open_likeness()
