# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured on: the bundled avatar with as many Gaussians as wanted, and a performance for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hmtalker.avatar import Avatar, load_avatar
from hmtalker.gaussians.gaussian_set import GaussianSet
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "assets" / "bundled_avatar.hmt"
SPEECH = ROOT / "assets" / "fetched" / "speech_sample.wav"


def avatar_of(count: int) -> Avatar:
    """The bundled avatar with `count` face Gaussians, and as many in the mouth as that makes in its own proportion."""
    avatar = load_avatar(BUNDLED)
    mouth = round(avatar.mouth.count * count / avatar.face.count)
    return Avatar(resampled(avatar.face, count), resampled(avatar.mouth, mouth), avatar.motion, avatar.header)


def resampled(gaussians: GaussianSet, count: int) -> GaussianSet:
    """`count` of them: every one as often as the others or once more, clones moved within their own size.

    Sizes change with 1 / sqrt(count), so that a surface stays covered as often and an image stays as opaque.
    """
    rng = np.random.default_rng(0)
    whole, rest = divmod(count, gaussians.count)
    rows = np.concatenate([np.arange(gaussians.count)] * whole + [rng.permutation(gaussians.count)[:rest]])
    rows.sort(kind="stable")
    chosen = gaussians.select(rows)
    factor = np.sqrt(gaussians.count / count)
    scales = np.logaddexp(0.0, chosen.raw_scales.astype(np.float64))
    moved = chosen.means + (rng.standard_normal(chosen.means.shape) * scales * 0.5 if whole else 0.0)
    arrays = chosen.arrays() | {"means": moved, "raw_scales": np.log(np.expm1(np.maximum(factor * scales, 1e-7)))}
    return GaussianSet.validate(**arrays)


def performance(frames: int) -> list[MotionState]:
    """A talking face: mouth and brows at their own rates, blinks, a voice, and a head that turns a little."""
    rng = np.random.default_rng(0)
    moments = np.arange(frames) / 25
    rates, phases = rng.uniform(0.3, 3.0, 17), rng.uniform(0, 6, 17)
    units = np.clip(1.2 + 1.5 * np.sin(6.28 * np.outer(moments, rates) + phases), 0, 5)
    heard = np.sin(np.outer(moments, rng.uniform(1, 9, 32)))
    return [
        MotionState(units[t], heard[t], 1.0, HeadPose((0.05 * np.sin(moments[t]), 0.2 * np.sin(0.7 * moments[t]), 0.0)))
        for t in range(frames)
    ]
