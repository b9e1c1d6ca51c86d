# SPDX-License-Identifier: GPL-3.0-or-later
"""One video of a captured dataset: where the head is in each of its pictures, and what the face does there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..camera import Camera
from ..capture.framing import Framing
from ..capture.pose_stage import load_head
from ..capture.video_file import FPS, VideoInfo
from ..errors import HMTalkerError

LENGTH_OFF = 0.2
"""Seconds by which a video may differ from the one that was captured under its name."""
LONGEST_GAP = 3
"""Grid frames without a usable face that are bridged."""


@dataclass(frozen=True)
class Person:
    """The person of a capture, in its canonical space, in metres, and how they were filmed."""

    camera: Camera
    """Of the whole picture."""
    framing: Framing
    """The square of the whole picture that the dataset's own pictures show."""
    pivot: np.ndarray
    """float64 [3]"""
    mesh: np.ndarray
    """float64 [478,3], the face at rest."""


@dataclass(frozen=True)
class Performed:
    """What was measured of n pictures."""

    known: np.ndarray
    """bool [n]: there is a face, and it was measured."""
    head: np.ndarray
    """float64 [n,6] pitch, yaw, roll, x, y, z (head_pose.HeadPose)."""
    action_units: np.ndarray
    """float64 [n,17]"""
    body: np.ndarray
    """float64 [n,3] metres that neck and clothes have moved."""
    rows: np.ndarray
    """int [n]: the dataset's frame that shows the same, or nearly the same."""


class Footage:
    """One source video of the dataset `folder`."""

    def __init__(self, folder: Path, name: str = "") -> None:
        """name: of the video, with or without suffix, needed where there are several. Raises HMTalkerError."""
        self.folder = folder
        try:
            facts = json.loads((folder / "report_facts.json").read_text("utf-8"))
            number = self._choose(facts["sources"], name)
            self.source: dict[str, Any] = facts["sources"][number]
            head = load_head(folder / "head.npz")
            crop = json.loads((folder / "camera.json").read_text("utf-8"))["crop"]
            self.person = Person(head.camera, Framing(**crop), np.asarray(head.pivot), np.asarray(head.mesh, float))
            with np.load(folder / "performance.npz", allow_pickle=False) as data:
                tables = {key: data[key] for key in ("usable", "head", "action_units", "body")}
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise HMTalkerError(
                f"'{folder}' is not a finished capture ({error}); run 'hmtalker capture' to its end first."
            ) from error
        starts = np.cumsum([0, *(clip["frames"] for clip in facts["clips"])])
        own = [(clip, int(start)) for clip, start in zip(facts["clips"], starts, strict=False)]
        own = [(clip, start) for clip, start in own if clip["source"] == number]
        if not own:
            raise HMTalkerError(f"No part of '{self.name}' could be used when it was captured; choose another video.")
        self.grid = np.concatenate([clip["begin"] + np.arange(clip["frames"]) for clip, _ in own])
        """int [m] the grid frames, 25 a second, that were measured, rising."""
        self.rows = np.concatenate([start + np.arange(clip["frames"]) for clip, start in own])
        """int [m] their numbers in the dataset."""
        self._usable = tables["usable"][self.rows]
        self._values = np.concatenate([tables[key][self.rows] for key in ("head", "action_units", "body")], 1)

    @property
    def name(self) -> str:
        return str(self.source["name"])

    @property
    def seconds(self) -> float:
        return float(self.source["seconds"])

    def check(self, info: VideoInfo) -> None:
        """Raises HMTalkerError where `info` is not the video that was captured."""
        camera = self.person.camera
        if (info.width, info.height) != (camera.width, camera.height) or abs(info.seconds - self.seconds) > LENGTH_OFF:
            raise HMTalkerError(
                f"'{info.path.name}' is not the video that was captured as '{self.name}' in '{self.folder}' (its size "
                "or length differs); give the same file, or capture it anew."
            )

    def at_pictures(self, times: np.ndarray) -> Performed:
        """What was measured, for pictures shown at `times` [n] seconds after the first, rising.

        The grid of 25 a second saw some of the pictures, or some of them twice; the others lie between those.
        """
        pictures, moments = np.arange(len(times)), (self.grid + 0.5) / FPS + 1e-6
        step = float(np.median(np.diff(times))) if len(times) > 1 else 1 / FPS
        seen = np.clip(np.searchsorted(times, moments, side="right") - 1, 0, len(times) - 1)
        rows = self.rows[np.searchsorted(seen, pictures).clip(0, len(seen) - 1)]
        measured = self._usable & (moments < times[-1] + step + 1e-6)
        good, first = np.unique(seen[measured], return_index=True)
        if not len(good):
            head, units, body = np.split(np.zeros((len(times), 26)), [6, 23], 1)
            return Performed(np.zeros(len(times), bool), head, units, body, rows)
        values = self._values[measured][first]
        columns = np.stack([np.interp(pictures, good, column) for column in values.T], 1)
        after = good[np.searchsorted(good, pictures).clip(0, len(good) - 1)]
        before = good[(np.searchsorted(good, pictures, side="right") - 1).clip(0, len(good) - 1)]
        # beyond the ends, too: a film may end between two grid frames
        gap = LONGEST_GAP * max(1.0, 1 / (step * FPS))
        known = (after - before <= gap) & (np.minimum(abs(pictures - before), abs(pictures - after)) <= gap)
        return Performed(known, columns[:, :6], columns[:, 6:23], columns[:, 23:], rows)

    def at_frames(self) -> Performed:
        """The same for the dataset's own frames, in order."""
        values = self._values.astype(float)
        return Performed(self._usable, values[:, :6], values[:, 6:23], values[:, 23:], self.rows)

    def _choose(self, sources: list[dict[str, Any]], name: str) -> int:
        names = [str(source["name"]) for source in sources]
        if not name and len(names) == 1:
            return 0
        found = [i for i, source in enumerate(sources) if name in (source["name"], source["file_name"])]
        if len(found) == 1:
            return found[0]
        some = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        if not name:
            raise HMTalkerError(f"'{self.folder}' holds {len(names)} videos; say which with --clip ({some}).")
        raise HMTalkerError(f"'{self.folder}' holds no video '{name}'; there are {some}.")
