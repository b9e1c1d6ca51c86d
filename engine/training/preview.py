# SPDX-License-Identifier: GPL-3.0-or-later
"""How far training is, as a picture: one frame drawn by the present state beside the same frame of the film."""

from __future__ import annotations

import contextlib
import time
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .. import action_units
from ..png_file import write_png
from .branch_stage import Conditions
from .composed import composed
from .dataset import Dataset, Pictures
from .scene import Scene, over
from .targets import Crop, target_of

if TYPE_CHECKING:
    from .trainer import Trained

EVERY_SECONDS = 30.0
LARGEST_COST = 0.015
"""Share of the time that pictures may take."""
GREY = 0.5
OPENING = [action_units.CODES.index(code) for code in ("AU25", "AU26")]


class Preview:
    """Writes `path` now and then. Reads what is trained, and changes nothing of it: no random number is drawn."""

    def __init__(self, dataset: Dataset, threads: int, path: Path) -> None:
        assert dataset.pictures is not None
        self.dataset, self.path = dataset, path
        self.pictures = only(dataset.pictures, telling_frame(dataset.pictures))
        self.scene = Scene(dataset.pivot, threads)
        self._due = 0.0  # moment from which the next picture may be drawn

    def refresh(self, trained: Trained, *, now: bool = False) -> None:
        """Draw, if it is time for it or `now`. A folder that cannot be written is the next checkpoint's to tell."""
        began = time.monotonic()
        if not now and began < self._due:
            return
        picture = self.picture(trained)
        with contextlib.suppress(OSError):
            write_png(self.path, picture)
        ended = time.monotonic()
        self._due = ended + max(EVERY_SECONDS, (ended - began) / LARGEST_COST)

    @torch.no_grad()
    def picture(self, trained: Trained) -> np.ndarray:
        """uint8 [H,2W,3]: drawn, and filmed, both on grey."""
        model, pictures, camera = trained.model, self.pictures, self.dataset.camera
        lower, upper, mouth = Conditions(model, self.dataset.performance, pictures).of(0)
        face = model.face_offsets(model.face_field.encode(trained.face.means), lower[None], upper[None])[0]
        inside = model.mouth_offsets(model.mouth_field.encode(trained.mouth.means), mouth[None])[0]
        head = pictures.head[0]
        front = self.scene.layer("face", trained.face, face, head, camera, pictures.body_of(0))
        back = self.scene.layer("mouth", trained.mouth, inside, head, camera)
        background = torch.full((3,), GREY)
        drawn = composed(*over(front, back.rgb, back.alpha), background)
        target = target_of(pictures, 0, Crop(0, 0, camera.width, camera.height))
        filmed = composed(target.person, target.person_alpha, background)
        both = torch.cat([drawn, filmed], 1).nan_to_num().clamp(0, 1)
        return (both * 255 + 0.5).to(torch.uint8).numpy()


def telling_frame(pictures: Pictures) -> int:
    """The frame whose mouth is open widest, of those that training does not see, if there are such."""
    for there in (pictures.test & pictures.whole, pictures.whole, np.ones(pictures.count, bool)):
        rows = np.flatnonzero(there)
        if len(rows):
            return int(rows[np.argmax(pictures.action_units[rows][:, OPENING].sum(1))])
    raise ValueError("no frame")


def only(pictures: Pictures, frame: int) -> Pictures:
    """One frame of them, in memory."""
    values = ((field.name, getattr(pictures, field.name)) for field in fields(pictures))
    one: dict[str, Any] = {name: value if value is None else value[frame][None] for name, value in values}
    return Pictures(**one)
