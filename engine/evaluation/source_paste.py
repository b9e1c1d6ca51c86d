# SPDX-License-Identifier: GPL-3.0-or-later
"""Comparison the paper's way: the head alone is drawn, over the real frame's torso and background (METHOD 2.7)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..avatar import Avatar
from ..errors import HMTalkerError
from ..training.source_torso import AVATAR, SOURCE

PASTES = (AVATAR, SOURCE)
"""The avatar with its own torso over the background; its head over the frame's torso and background."""
HEAD = 0.999
"""Turning with the head from which a Gaussian belongs to it; the neck begins below."""


def wanted_paste(avatar: Avatar, asked: str | None) -> str:
    """What was asked for, or else what the avatar was trained for. Raises HMTalkerError for another name."""
    if asked is None:
        return SOURCE if _is_head_alone(avatar) else AVATAR
    if asked not in PASTES:
        raise HMTalkerError(f"There is no way to paste called '{asked}'; choose one of {', '.join(PASTES)}.")
    return asked


def head_of(avatar: Avatar) -> Avatar:
    """The avatar without neck and clothes."""
    if _is_head_alone(avatar):
        return avatar
    rows = avatar.face.head_weights >= HEAD
    arrays = {name: np.ascontiguousarray(values[rows]) for name, values in avatar.face.arrays().items()}
    return replace(avatar, face=replace(avatar.face, **arrays))


def _is_head_alone(avatar: Avatar) -> bool:
    return avatar.header.get("training", {}).get("torso") == SOURCE
