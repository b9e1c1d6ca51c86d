# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the paper's ablation table, and the mouth's own choice, as flags.

``hmtalker train --variant fusion=concat --variant sfp=off``. Each flag changes one thing of a preset and nothing else;
what was asked for is noted in the avatar.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..errors import HMTalkerError
from ..motion.config import FUSIONS
from ..speech.encoder import WHISPER_ID
from .presets import Preset
from .schedules import VOICE_ALONE, Pairings

CHOICES: dict[str, tuple[str, ...]] = {
    "fusion": FUSIONS,
    "cue": ("au", "blendshape", "3dmm", "none"),
    "sfp": ("on", "off"),
    "attention": ("on", "off"),
    "mouth": ("hybrid", "audio"),
    "encoder": ("whisper", "mel", "ave", "hubert"),
}
"""Flag -> values, the first of which is the full model."""

ENCODERS = {"whisper": WHISPER_ID, "mel": "mel", "ave": "ave", "hubert": "hubert"}
"""Value of the flag -> the name that ``speech.encoder.create`` knows."""

_ELSEWHERE = {
    ("encoder", "deepspeech"): "its weights are a TensorFlow 1 graph, which nothing here reads",
}
"""Rows of the paper's table that training cannot make, and why."""


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    fusion: str = "gate"
    """How implicit and explicit conditions merge, Eq (7): gate, concat, fixed, implicit only or explicit only."""
    cue: str = "au"
    """Where explicit conditions come from: measured Action Units, the tracker's blendshapes or the coefficients of a
    linear face model (the caller puts them into the dataset: ``with_blendshape_cue``, ``with_face_model_cue``), or none
    for the lower face; the upper face has no other road."""
    sfp: str = "on"
    """Off: no stochastic feature pairing; the frame's own Action Units in every step."""
    attention: str = "on"
    """Off: no region attention, Eq (8)."""
    mouth: str = "hybrid"
    """What the inside of the mouth follows: the face's kind of condition, or the voice alone."""
    encoder: str = "whisper"
    """What the voice is heard with: Whisper's first blocks, a mel spectrogram whose front end is trained with the
    avatar, or the user's own AVE or HuBERT (``hmtalker encoder``)."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value not in CHOICES[name]:
                reason = _ELSEWHERE.get((name, value))
                because = f" ({reason})" if reason else ""
                raise HMTalkerError(
                    f"The variant '{name}={value}' cannot be trained{because}; "
                    f"'{name}' is one of {', '.join(CHOICES[name])}."
                )

    @classmethod
    def parse(cls, flags: Iterable[str]) -> Variant:
        """`flags`: texts such as "fusion=concat"; the last of a name counts. Raises HMTalkerError for others."""
        chosen: dict[str, str] = {}
        for flag in flags:
            name, equals, value = flag.strip().lower().partition("=")
            if not equals or name not in CHOICES:
                raise HMTalkerError(
                    f"'{flag}' is no variant; give one of {', '.join(f'{key}=...' for key in CHOICES)}."
                )
            chosen[name] = value
        return cls(**chosen)

    def changes(self) -> dict[str, str]:
        """What differs from the full model."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def apply(self, preset: Preset) -> Preset:
        """`preset` as this row has it."""
        changes = self.changes()
        if not changes:
            return preset
        model: dict[str, Any] = dict(preset.model)
        pairings, face = preset.pairings, preset.face
        if "fusion" in changes:
            model["fusion"] = self.fusion
            model.pop("use_explicit", None)
        if self.cue == "none":
            model["use_explicit"] = False
        if "sfp" in changes:
            pairings = Pairings(1.0, 0.0, 0.0, 0.0)
        if model.get("fusion") == "implicit" or not model.get("use_explicit", True):
            pairings = VOICE_ALONE
        if "attention" in changes:
            model["attention"] = False
            face = replace(face, attention_lips=0.0, attention_hair=0.0)
        if "mouth" in changes:
            model["mouth_condition"] = self.mouth
        noted = dict(preset.variant) | changes
        return replace(preset, model=model, pairings=pairings, face=face, variant=noted)
