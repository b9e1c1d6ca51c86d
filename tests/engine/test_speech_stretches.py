# SPDX-License-Identifier: GPL-3.0-or-later
"""Long sound gives the same curves whether it is encoded whole or in pieces, and the pieces do not pile up."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from hmtalker.errors import CancelledError, HMTalkerError
from hmtalker.speech.encoder import MelEncoder, create
from hmtalker.speech.seams import CHUNK, hear_in_windows
from hmtalker.speech.stretches import encode_in_stretches

HOP = 320


class Attentive:
    """Stands in for Whisper: every feature depends on all the sound of its window, by windows and blended seams."""

    id, rate, dimension, sha256 = "attentive", 50.0, 8, ""

    def encode(self, samples, position=None, *, gain=None, progress=None, cancelled=None):
        loud = np.float32(1.0 if gain is None else gain)

        def hear(low: int, high: int) -> np.ndarray:
            padded = np.pad(samples, (max(0, -low * HOP), max(0, high * HOP - len(samples))))
            start = max(0, low) * HOP
            blocks = loud * padded[start : start + (high - low) * HOP].reshape(high - low, HOP)
            levels = np.abs(blocks).mean(1)
            return np.outer(levels + levels.mean(), np.arange(1, 9)).astype(np.float32)

        return hear_in_windows(-(-len(samples) // HOP), self.dimension, hear, progress, cancelled)


def noise(seconds: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.uniform(0.05, 1, int(seconds) + 1), 16000)[: int(seconds * 16000)]
    return (0.2 * loudness * rng.standard_normal(int(seconds * 16000))).astype(np.float32)


def thirds(features: np.ndarray) -> np.ndarray:
    return features[:, :3] * 2


@pytest.mark.parametrize("seconds", [49.9, 60.0, 61.3, 83.7])
@pytest.mark.parametrize("encoder", [Attentive(), MelEncoder()], ids=["windows", "mel"])
def test_pieces_make_the_whole(encoder, seconds):
    from hmtalker.speech.loudness import speech_gain

    samples = noise(seconds)
    whole = thirds(encoder.encode(samples, gain=speech_gain(samples)))
    pieces = encode_in_stretches(encoder, samples, thirds, stretch=2 * CHUNK)
    assert pieces.shape == whole.shape
    np.testing.assert_allclose(pieces, whole, atol=1e-5 * np.abs(whole).max())


def test_action_units_are_the_same_whole_and_in_pieces(monkeypatch):
    """With the encoder and the avatar that the extension brings."""
    from hmtalker import performance
    from hmtalker.avatar import load_avatar
    from hmtalker.speech import stretches

    try:
        encoder = create()
    except HMTalkerError as error:
        pytest.skip(str(error))
    avatar = load_avatar(Path(__file__).resolve().parents[2] / "assets" / "bundled_avatar.hmt")
    samples = noise(42.5)
    whole = performance.animate(avatar, samples, encoder=encoder)
    monkeypatch.setattr(stretches.encode_in_stretches, "__defaults__", (None, None, 2 * CHUNK))
    pieces = performance.animate(avatar, samples, encoder=encoder)
    np.testing.assert_allclose(pieces.action_units, whole.action_units, atol=1e-3)
    np.testing.assert_allclose(pieces.implicit, whole.implicit, atol=1e-3)
    np.testing.assert_array_equal(pieces.head, whole.head)


def test_memory_does_not_grow_with_features_that_are_not_kept(monkeypatch):
    from hmtalker.speech import stretches

    monkeypatch.setattr(stretches, "speech_gain", lambda samples: 1.0)  # its own arrays are bounded, but not this small

    def peak(seconds: float) -> int:
        samples = noise(seconds)
        tracemalloc.start()
        encode_in_stretches(Attentive(), samples, thirds, stretch=CHUNK)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    kept = 4 * 3 * 50  # bytes a second
    assert peak(240) - peak(60) < 1.5 * kept * 180


def test_progress_rises_to_one_and_cancelling_stops():
    told: list[float] = []
    encode_in_stretches(Attentive(), noise(45), thirds, told.append, stretch=CHUNK)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)
    with pytest.raises(CancelledError):
        encode_in_stretches(Attentive(), noise(45), thirds, cancelled=lambda: True, stretch=CHUNK)
