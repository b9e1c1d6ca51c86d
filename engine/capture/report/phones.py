# SPDX-License-Identifier: GPL-3.0-or-later
"""Which phones are heard, and which mouth shapes (visemes) they ask for.

Heard by PocketSphinx's phone loop, if the package ``pocketsphinx`` (BSD-2-Clause, parts BSD-3-Clause and MIT) is there.
It knows American English only. On 20 sentences of GRID it names the right phone at the middle of 40 % of the phones
and the right group below for 56 %, so counts tell which groups are plentiful and which hardly occur, not more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

LANGUAGE_WEIGHT = 2.0
BEAM = 1e-20
"""PocketSphinx's documented settings for phone recognition."""
BLOCK_SECONDS = 60
SAMPLE_RATE = 16_000
RATE = 100
"""PocketSphinx's frames a second."""

VISEMES: dict[str, tuple[str, ...]] = {
    "closed lips (P B M)": ("P", "B", "M"),
    "lip on teeth (F V)": ("F", "V"),
    "tongue at the teeth (T D N S Z L TH DH)": ("T", "D", "N", "S", "Z", "L", "TH", "DH"),
    "tongue at the back (K G NG HH Y)": ("K", "G", "NG", "HH", "Y"),
    "funnel (CH JH SH ZH)": ("CH", "JH", "SH", "ZH"),
    "rounded (W R UW UH OW OY ER)": ("W", "R", "UW", "UH", "OW", "OY", "ER"),
    "open (AA AO AH AE AY AW)": ("AA", "AO", "AH", "AE", "AY", "AW"),
    "spread (IY IH EY EH)": ("IY", "IH", "EY", "EH"),
}
"""Groups of ARPAbet phones that look alike on the lips; tongue and glottis, which the lips do not show, go along."""


def heard_phones(samples: np.ndarray) -> dict[str, int]:
    """samples: [n] mono 16 kHz float32 -> how often each phone is heard; {} without a recogniser."""
    count = Counter(phone for phone, _, _ in phone_segments(samples))
    known = {phone for group in VISEMES.values() for phone in group}
    return {phone: number for phone, number in sorted(count.items()) if phone in known}


def phone_segments(samples: np.ndarray) -> list[tuple[str, float, float]]:
    """samples: [n] mono 16 kHz float32 -> (phone, begin, end) in seconds, silences too; [] without a recogniser."""
    decoder = _decoder()
    found: list[tuple[str, float, float]] = []
    if decoder is None:
        return found
    for begin in range(0, len(samples), BLOCK_SECONDS * SAMPLE_RATE):
        block = samples[begin : begin + BLOCK_SECONDS * SAMPLE_RATE]
        decoder.start_utt()
        decoder.process_raw((np.clip(block, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        decoder.end_utt()
        start = begin / SAMPLE_RATE
        for segment in decoder.seg() or ():
            found.append((segment.word, start + segment.start_frame / RATE, start + (segment.end_frame + 1) / RATE))
    return found


def visemes(phones: Mapping[str, int]) -> dict[str, int]:
    """How often each group of `VISEMES` was heard; {} where no phone was."""
    if not phones:
        return {}
    return {group: sum(phones.get(phone, 0) for phone in members) for group, members in VISEMES.items()}


@cache
def _decoder() -> Any:
    """A phone loop, or None where pocketsphinx or its model is not installed."""
    try:
        import pocketsphinx

        folder = Path(pocketsphinx.get_model_path()) / "en-us"
        config = pocketsphinx.Config(
            hmm=str(folder / "en-us"),
            allphone=str(folder / "en-us-phone.lm.bin"),
            lm=None,
            dict=None,
            lw=LANGUAGE_WEIGHT,
            beam=BEAM,
            pbeam=BEAM,
            loglevel="FATAL",
        )
        return pocketsphinx.Decoder(config)
    except Exception:  # whatever is wrong with an optional package, the report goes without it
        return None
