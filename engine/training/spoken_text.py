# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts spoken by eSpeak NG, with the exact time of every phone.

Needs the package ``espeakng-loader`` (eSpeak NG itself is GPL-3.0-or-later); where it is missing nothing is spoken.
Used for training only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.signal import resample_poly

from ..errors import HMTalkerError
from .visemes import Phones

SAMPLE_RATE = 16_000
SYNCHRONOUS = 2
PHONEME_EVENTS_IPA = 1 | 2 | 0x8000
"""Phoneme events, named in IPA, and no exit of the process when something is missing."""
UTF8 = 1
PHONEME = 7
RATE, PITCH, RANGE = 1, 3, 4
SHORTEST = 1e-3
"""Seconds: what lasts less is a mark, not a phone."""


class _Name(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("text", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("id", _Name),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Spoken:
    """One text as it was spoken."""

    samples: np.ndarray
    """[n] float32, mono, 16 kHz."""
    phones: Phones
    """In IPA."""


@dataclass(frozen=True)
class Voice:
    """A voice of eSpeak NG."""

    name: str
    """Language and, after a plus, the variant: "en-us+f3"."""
    speed: int = 165
    """Words a minute."""
    pitch: int = 50
    """0..99"""
    range: int = 50
    """0..99: how lively."""


class Speaker:
    """eSpeak NG, which exists once in a process.

    Its voices flutter at random: a text said twice does not make the same samples.
    """

    def __init__(self, library: Any, rate: int) -> None:
        self._library, self._rate = library, rate
        self._blocks: list[np.ndarray] = []
        self._marks: list[tuple[str, float]] = []
        self._callback = _Callback(self._take)
        library.espeak_SetSynthCallback(self._callback)

    def _take(self, wave: Any, count: int, events: Any) -> int:
        if wave and count:
            self._blocks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type:
            if events[index].type == PHONEME:
                name = bytes(events[index].id.text).split(b"\0")[0].decode("utf-8", "ignore")
                self._marks.append((name, events[index].milliseconds / 1000))
            index += 1
        return 0

    def say(self, text: str, voice: Voice) -> Spoken:
        """Raises :class:`HMTalkerError` for a voice that eSpeak NG does not have."""
        if self._library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise HMTalkerError(f"eSpeak NG has no voice '{voice.name}'; install its package again.")
        for parameter, value in ((RATE, voice.speed), (PITCH, voice.pitch), (RANGE, voice.range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._blocks, self._marks = [], []
        data = text.encode("utf-8") + b"\0"
        self._library.espeak_Synth(data, len(data), 0, 0, 0, UTF8, None, None)
        wave = np.concatenate(self._blocks) if self._blocks else np.zeros(0, np.int16)
        seconds = len(wave) / self._rate
        ends = [begin for _, begin in self._marks[1:]] + [seconds]
        phones = [
            (name, begin, end)
            for (name, begin), end in zip(self._marks, ends, strict=True)
            if end - begin > SHORTEST and not name.startswith("(")
        ]
        divisor = int(np.gcd(SAMPLE_RATE, self._rate))
        samples = resample_poly(wave.astype(np.float64) / 32768, SAMPLE_RATE // divisor, self._rate // divisor)
        return Spoken(np.clip(samples, -1.0, 1.0).astype(np.float32), phones)


@cache
def find_speaker() -> Speaker | None:
    """eSpeak NG, or None where its package is not installed or does not work here."""
    try:
        import espeakng_loader

        library = ctypes.CDLL(espeakng_loader.get_library_path())
        rate = library.espeak_Initialize(
            SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode("utf-8"), PHONEME_EVENTS_IPA
        )
    except Exception:  # whatever is wrong with an optional package, training goes without it
        return None
    return Speaker(library, rate) if rate > 0 else None


Say = Callable[[str, Voice], Spoken]
