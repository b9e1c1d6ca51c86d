# SPDX-License-Identifier: GPL-3.0-or-later
"""When each phone of a known text was said: the most likely path through what engine/training/heard_visemes.py hears.

Works for every language that eSpeak NG can spell in phones. Several visemes of one phone keep to one phone; silence may
come before and after any phone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from hmtalker.speech.encoder import SpeechEncoder
from hmtalker.training.heard_visemes import VisemeListener
from hmtalker.training.spoken_sentences import script
from hmtalker.training.spoken_text import Speaker
from hmtalker.training.visemes import VISEMES, Phones, of_arpabet, of_ipa, shares

STEPS = 50.0
FLOOR = 1e-4
PAUSE = 2.0
"""Price of an entered silence, in nats."""
TURNS = 3
TIMIT = {"dx": "D", "ax": "AH", "axr": "ER", "ix": "IH", "el": "L", "en": "N", "em": "M", "hv": "HH", "ux": "UW"}
NO_PHONE = ("sil", "cl", "vcl", "epi", "h#", "pau")


def trained_listener(speaker: Speaker, encoder: SpeechEncoder, seed: int = 0) -> VisemeListener:
    """Learns from synthetic voices; half a minute."""
    rng = np.random.default_rng(seed)
    encoded, said = [], []
    for text, voice in script(TURNS):
        spoken = speaker.say(text, voice)
        encoded.append(encoder.encode(spoken.samples, position=int(rng.integers(0, 900))))
        said.append(shares([(of_ipa(name), begin, end) for name, begin, end in spoken.phones], len(encoded[-1]), STEPS))
    return VisemeListener(encoded, said, seed)


def timit_phones(text: str) -> list[str]:
    """As TIMIT writes them, "dh ax cl ch" -> ["DH", "AH", "CH"]; closures and silences go."""
    return [TIMIT.get(name, name.upper()) for name in text.split() if name not in NO_PHONE]


def align(heard: np.ndarray, phones: Sequence[str], visemes_of: Callable[[str], tuple[str, ...]]) -> Phones:
    """heard: [T,17] probabilities at 50 Hz -> (phone, begin, end) of each of `phones`; [] if they do not fit in."""
    tokens = [
        (number, VISEMES.index(v)) for number, phone in enumerate(phones) for v in visemes_of(phone) if v != "silence"
    ]
    if not tokens or len(tokens) >= len(heard):
        return []
    states = [0] + [index for _, viseme in tokens for index in (viseme, 0)]  # silence, token, silence, token, ...
    emission = np.log(np.maximum(heard, FLOOR))[:, states]
    count = len(states)
    pause = np.where(np.arange(count) % 2 == 0, -PAUSE, 0.0)
    best = np.full(count, -np.inf)
    best[:2] = emission[0, :2]
    came = np.zeros((len(heard), count), np.int64)
    for step in range(1, len(heard)):
        ways = np.full((3, count), -np.inf)
        ways[0] = best
        ways[1, 1:] = best[:-1] + pause[1:]
        ways[2, 3::2] = best[1:-2:2]  # no silence between two tokens
        came[step] = ways.argmax(0)
        best = ways.max(0) + emission[step]
    at = count - 1 if best[-1] > best[-2] else count - 2
    path = np.zeros(len(heard), np.int64)
    for step in range(len(heard) - 1, -1, -1):
        path[step] = at
        at -= came[step, at]
    found: dict[int, list[int]] = {}
    for step, state in enumerate(path):
        if state % 2:
            found.setdefault(tokens[state // 2][0], []).append(step)
    return [(phones[n], steps[0] / STEPS, (steps[-1] + 1) / STEPS) for n, steps in sorted(found.items())]


__all__ = ["align", "of_arpabet", "of_ipa", "timit_phones", "trained_listener"]
