# SPDX-License-Identifier: GPL-3.0-or-later
"""Phones of any language as sequences of visemes: what the lips and the jaw show of them.

A phone that a person never said is so made of visemes that the person did show: SH and ZH look like CH and JH, ER like
R, UH like UW, NG like K and G, and OY goes from AO to IY.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import numpy as np

VISEMES = (
    "silence", "closed", "lip on teeth", "tongue at teeth", "alveolar", "sibilant", "funnel", "back", "r",
    "w", "close rounded", "mid rounded", "open", "front open", "mid", "spread", "neutral",
)  # fmt: skip
SILENCE = "silence"

Phones = list[tuple[str, float, float]]
"""(name, begin, end) in seconds, in time order; the name is "" or "SIL" where nobody speaks."""

_ARPABET: dict[str, tuple[str, ...]] = {
    "closed": ("P", "B", "M"),
    "lip on teeth": ("F", "V"),
    "tongue at teeth": ("TH", "DH"),
    "alveolar": ("T", "D", "N", "L", "DX"),
    "sibilant": ("S", "Z"),
    "funnel": ("CH", "JH", "SH", "ZH"),
    "back": ("K", "G", "NG", "HH"),
    "r": ("R", "ER"),
    "w": ("W",),
    "close rounded": ("UW", "UH"),
    "mid rounded": ("AO",),
    "open": ("AA",),
    "front open": ("AE",),
    "mid": ("EH",),
    "spread": ("IY", "IH", "Y"),
    "neutral": ("AH", "AX"),
}
_ARPABET_GLIDES = {
    "AY": ("open", "spread"),
    "AW": ("open", "close rounded"),
    "EY": ("mid", "spread"),
    "OW": ("mid rounded", "close rounded"),
    "OY": ("mid rounded", "spread"),
}
_IPA: dict[str, str] = {
    "closed": "pbmɓβɸ",
    "lip on teeth": "fvɱʋ",
    "tongue at teeth": "θð",
    "alveolar": "tdnlɾɫrɖʈɳɭ",
    "sibilant": "sz",
    "funnel": "ʃʒʂʐɕʑ",
    "back": "kɡgŋhxɣɦqχʁɴʔħʕɲcɟʎçʝʀ",
    "r": "ɹɻɜɝɚ",
    "w": "wɥʍ",
    "close rounded": "uʊyʏʉ",
    "mid rounded": "oɔøœɵɒɞ",
    "open": "aɑäɐʌ",
    "front open": "æ",
    "mid": "eɛ",
    "spread": "iɪjɨɯᵻʲ",
    "neutral": "əɘɤ",
}
_OF_ARPABET = {phone: (viseme,) for viseme, phones in _ARPABET.items() for phone in phones} | _ARPABET_GLIDES
_OF_IPA = {letter: viseme for viseme, letters in _IPA.items() for letter in letters}
_AFFRICATES = {"tʃ": ("funnel",), "dʒ": ("funnel",), "ts": ("sibilant",), "dz": ("sibilant",), "tɕ": ("funnel",),
               "dʑ": ("funnel",), "tʂ": ("funnel",), "dʐ": ("funnel",), "pf": ("closed", "lip on teeth")}  # fmt: skip


def of_arpabet(phone: str) -> tuple[str, ...]:
    """The visemes of one ARPAbet phone, stress digits allowed; silence for a name that is none."""
    return _OF_ARPABET.get(phone.rstrip("012").upper(), (SILENCE,))


def of_ipa(phone: str) -> tuple[str, ...]:
    """The visemes of one phone in IPA, stress and length marks allowed; silence where there is no known letter."""
    letters = [c for c in unicodedata.normalize("NFD", phone) if c in _OF_IPA]
    spelled = "".join(letters)
    if spelled in _AFFRICATES:
        return _AFFRICATES[spelled]
    found = [_OF_IPA[letter] for letter in letters]
    return tuple(v for index, v in enumerate(found) if index == 0 or v != found[index - 1]) or (SILENCE,)


def shares(spoken: Iterable[tuple[tuple[str, ...], float, float]], frames: int, fps: float = 25.0) -> np.ndarray:
    """(visemes, begin, end) in seconds -> float32 [frames, len(VISEMES)]: the share of each frame's time that each
    viseme lasts. A phone of several visemes divides its time among them; time that no phone covers is silence.
    """
    result = np.zeros((frames, len(VISEMES)), np.float32)
    starts = np.arange(frames) / fps
    for names, begin, end in spoken:
        edges = np.linspace(begin, end, len(names) + 1)
        for name, low, high in zip(names, edges[:-1], edges[1:], strict=True):
            overlap = np.clip(np.minimum(starts + 1 / fps, high) - np.maximum(starts, low), 0, None) * fps
            result[:, VISEMES.index(name)] += overlap.astype(np.float32)
    result[:, 0] += np.maximum(0, 1 - result.sum(1))
    return result / result.sum(1, keepdims=True)
