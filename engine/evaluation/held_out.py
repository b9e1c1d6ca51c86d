# SPDX-License-Identifier: GPL-3.0-or-later
"""Held-out frames of an avatar's own dataset, rendered again and compared as 8-bit pictures, not as coded video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .. import action_units
from ..avatar import Avatar
from ..head_pose import HeadPose
from ..motion.state import MotionState
from ..render import Renderer
from ..training.dataset import Performance, Pictures

GREY = 0.5
FACE_COVERED, MOUTH_COVERED = 127, 25
"""Mask values, of 255, above which a pixel counts as face, or as the inside of the mouth."""


def psnr(image: np.ndarray, truth: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Decibels between image and truth [H,W,3] in 0..1, within mask [H,W] bool; NaN where the mask is empty."""
    error = (image - truth) ** 2
    if mask is not None:
        error = error[mask]
    return float(-10 * np.log10(max(error.mean(), 1e-12))) if error.size else float("nan")


def on_grey(rgba8: np.ndarray) -> np.ndarray:
    """uint8 [H,W,4] sRGB with straight alpha -> [H,W,3] over middle grey, 0..1."""
    rgba = rgba8.astype(np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + GREY * (1 - rgba[..., 3:])


@dataclass
class HeldOut:
    """One test frame: its number, decibels by name, and the pictures [H,W,3] (truth, driven by its Action Units)."""

    frame: int
    scores: dict[str, float]
    truth: np.ndarray
    image: np.ndarray


def compare(avatar: Avatar, pictures: Pictures, performance: Performance) -> list[HeldOut]:
    """Render every test frame twice: from its own Action Units and voice, and from the voice alone.

    With the voice alone the lower face is predicted; upper face and head are given, as in self-reconstruction. Scores:
    ``<driver>_psnr`` (whole frames only), ``<driver>_face_psnr``, ``<driver>_mouth_psnr``; the drivers are
    ``action_units`` and ``audio``.
    """
    renderer = Renderer(avatar)
    lower = list(action_units.LOWER_INDEX)
    heard: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    results = []
    for frame in map(int, np.flatnonzero(pictures.test)):
        clip = int(pictures.clip_index[frame])
        if clip not in heard:
            speech = performance.speech[clip][0].astype(np.float32)
            implicit = renderer.motion.implicit(speech, 25.0, len(performance.frames_of(clip)))
            heard[clip] = implicit, renderer.motion.predicted_action_units(implicit)
        implicit, predicted = (part[int(pictures.frame_in_clip[frame])] for part in heard[clip])
        truth, masks = on_grey(pictures.rgba[frame]), pictures.masks[frame]
        regions = {"face": masks[..., 2] > FACE_COVERED, "mouth": masks[..., 0] > MOUTH_COVERED}
        head, scores, images = HeadPose.from_array(pictures.head[frame]), {}, {}
        for driver in ("action_units", "audio"):
            units = pictures.action_units[frame].copy()
            if driver == "audio":
                units[lower] = predicted
            images[driver] = on_grey(renderer.render_srgb8(MotionState(units, implicit, 1.0, head)))
            for name, region in regions.items():
                if region.any():
                    scores[f"{driver}_{name}_psnr"] = psnr(images[driver], truth, region)
            if pictures.whole[frame]:
                scores[f"{driver}_psnr"] = psnr(images[driver], truth)
        results.append(HeldOut(frame, scores, truth, images["action_units"]))
    renderer.close()
    return results


def means(results: list[HeldOut]) -> dict[str, float]:
    """Mean of each score over the frames that have it, and the number of frames."""
    names = sorted({name for result in results for name in result.scores})
    table = {name: float(np.mean([r.scores[name] for r in results if name in r.scores])) for name in names}
    return table | {"frames": float(len(results))}
