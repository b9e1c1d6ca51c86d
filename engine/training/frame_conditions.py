# SPDX-License-Identifier: GPL-3.0-or-later
"""What the face is told in one frame: from its own Action Units, and from what was heard."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ..motion.explicit import alignment_loss
from ..motion.fusion import Pairing
from ..motion.model import MotionModel
from ..motion.portable_speech import ClipTable, clip_table
from .dataset import Performance, Pictures
from .speech_stage import hear_clip

FRAMES_A_SECOND = 25.0


class Conditions:
    """Implicit features are heard once, unless the audio path learns; then each frame is heard when it is asked for."""

    def __init__(self, model: MotionModel, performance: Performance, pictures: Pictures) -> None:
        self.model, self.performance, self.pictures = model, performance, pictures
        self.live = False
        """Whether the audio path learns."""
        self.implicit: dict[int, np.ndarray] = {}
        self._tables: dict[int, ClipTable] = {}
        self._latest: tuple[int, Tensor | None] = (-1, None)
        for clip in np.unique(pictures.clip_index[pictures.clip_index >= 0]):
            rows = performance.frames_of(int(clip))
            self.implicit[int(clip)], _ = hear_clip(model, performance.speech[int(clip)][0], len(rows))

    def of(self, frame: int, pairing: Pairing = Pairing.VIDEO) -> tuple[Tensor, Tensor, Tensor]:
        """-> lower face [32], upper face [32], mouth [32] conditions of one picture. Without a voice there is one
        pairing alone, the frame's Action Units with the null vector."""
        heard = self.heard(frame)
        self._latest = frame, heard
        if heard is None:
            heard, pairing = torch.zeros(1, 32), Pairing.IMPLICIT_MASKED
        lower, upper, mouth = self.model.conditions(heard, self._units(frame), pairing)
        return lower[0], upper[0], mouth[0]

    def heard(self, frame: int) -> Tensor | None:
        """[1,32] implicit feature of one picture; None where there is no voice."""
        clip, place = int(self.pictures.clip_index[frame]), int(self.pictures.frame_in_clip[frame])
        if clip < 0:
            return None
        if not self.live:
            return torch.from_numpy(self.implicit[clip][place])[None]
        encoded = self.performance.speech[clip][0]
        if clip not in self._tables:
            frames = len(self.implicit[clip])
            self._tables[clip] = clip_table([len(encoded)], [frames], FRAMES_A_SECOND)
        spoken = torch.from_numpy(encoded.astype(np.float32))
        return self.model.implicit_at(spoken, self._tables[clip], np.array([place]))

    def alignment(self, frame: int, branch: str) -> Tensor | None:
        """L_align, Eq (6), of the picture that :meth:`of` was asked for last, and of a branch ("face" or "mouth"); None
        where there is no voice."""
        latest, heard = self._latest
        assert latest == frame
        if heard is None:
            return None
        condition = self.model.face_condition if branch == "face" else self.model.mouth_condition
        lower = self.model.pulls(self._units(frame), self.model.config.units.lower)
        return alignment_loss(condition.a2am(heard), condition.au_encoder(lower))

    def _units(self, frame: int) -> Tensor:
        return torch.from_numpy(self.performance.units.clip(self.pictures.action_units[frame]))[None]
