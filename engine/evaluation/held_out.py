# SPDX-License-Identifier: GPL-3.0-or-later
"""Held-out frames of an avatar's own dataset, rendered again and compared as 8-bit pictures, not as coded video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..action_unit_sets import carry
from ..avatar import Avatar
from ..head_pose import HeadPose
from ..motion.portable import PortableMotion
from ..motion.state import MotionState
from ..render import Renderer
from ..training.dataset import Performance, Pictures
from .image_metrics import on_grey, psnr

__all__ = ["AUDIO", "DRIVERS", "UNITS", "HeldOut", "Voice", "compare", "means", "on_grey", "psnr"]

FACE_COVERED, MOUTH_COVERED = 127, 25
"""Mask values, of 255, above which a pixel counts as face, or as the inside of the mouth."""
UNITS, AUDIO = "action_units", "audio"
DRIVERS = (UNITS, AUDIO)
FPS = 25.0


class Voice:
    """What an avatar hears in one clip, and how each driver turns it into motion."""

    def __init__(self, motion: PortableMotion, speech: np.ndarray, frames: int) -> None:
        """speech: encoded [T50,D]; frames: of the clip, 25 a second."""
        self._implicit = motion.implicit(np.asarray(speech, np.float32), FPS, frames)
        self._units = motion.config.units
        self._predicted = self._units.controls(motion.predicted_action_units(self._implicit), self._units.lower)

    def state(
        self, driver: str, frame_in_clip: int, units: np.ndarray, head: np.ndarray, body: np.ndarray | None = None
    ) -> MotionState:
        """The face in one frame. units [17] or [n], head [6] and body [3] are the real ones.

        ``action_units``: they drive the face together with the voice. ``audio``: the lower face is predicted from the
        voice alone; upper face and head stay given, as in self-reconstruction.
        """
        if driver not in DRIVERS:
            raise ValueError(f"a face is driven by one of {', '.join(DRIVERS)}, not by {driver}")
        units = np.array(carry(units, self._units), np.float32)
        if driver == AUDIO:
            lower = list(self._units.lower_columns)
            units[lower] = self._predicted[frame_in_clip, lower]
        return MotionState(units, self._implicit[frame_in_clip], 1.0, HeadPose.from_array(head), body)


@dataclass
class HeldOut:
    """One test frame: its number, decibels by name, and the pictures [H,W,3] (truth, driven by its Action Units)."""

    frame: int
    scores: dict[str, float]
    truth: np.ndarray
    image: np.ndarray


def regions_of(masks: np.ndarray) -> dict[str, np.ndarray]:
    """masks: uint8 [H,W,3], coverage of mouth, hair, face -> bool [H,W] of "face" and "mouth"."""
    return {"face": masks[..., 2] > FACE_COVERED, "mouth": masks[..., 0] > MOUTH_COVERED}


def compare(avatar: Avatar, pictures: Pictures, performance: Performance) -> list[HeldOut]:
    """Render every test frame with a voice twice: from its own Action Units and voice, and from the voice alone.

    Scores: ``<driver>_psnr`` (whole frames only), ``<driver>_face_psnr``, ``<driver>_mouth_psnr``; the drivers are
    those of :class:`Voice`.
    """
    renderer = Renderer(avatar)
    voices: dict[int, Voice] = {}
    results = []
    for frame in map(int, np.flatnonzero(pictures.test & (pictures.clip_index >= 0))):
        clip = int(pictures.clip_index[frame])
        if clip not in voices:
            frames = len(performance.frames_of(clip))
            voices[clip] = Voice(renderer.motion, performance.speech[clip][0], frames)
        truth, regions = on_grey(pictures.rgba[frame]), regions_of(pictures.masks[frame])
        scores, images = {}, {}
        for driver in DRIVERS:
            place = int(pictures.frame_in_clip[frame])
            body = pictures.body_of(frame)
            state = voices[clip].state(driver, place, pictures.action_units[frame], pictures.head[frame], body)
            images[driver] = on_grey(renderer.render_srgb8(state))
            for name, region in regions.items():
                if region.any():
                    scores[f"{driver}_{name}_psnr"] = psnr(images[driver], truth, region)
            if pictures.whole[frame]:
                scores[f"{driver}_psnr"] = psnr(images[driver], truth)
        results.append(HeldOut(frame, scores, truth, images[UNITS]))
    renderer.close()
    return results


def means(results: list[HeldOut]) -> dict[str, float]:
    """Mean of each score over the frames that have it, and the number of frames."""
    names = sorted({name for result in results for name in result.scores})
    table = {name: float(np.mean([r.scores[name] for r in results if name in r.scores])) for name in names}
    return table | {"frames": float(len(results))}
