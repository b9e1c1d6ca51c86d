# SPDX-License-Identifier: GPL-3.0-or-later
"""Level, noise, clipping, bandwidth and phones of sounds that are made to have them."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.capture.report import phones, voice
from hmtalker.capture.report.phones import VISEMES, heard_phones, visemes
from hmtalker.capture.report.voice import mouth_opening, sound_facts, voice_facts

RATE = 16_000


def speech(seconds: float = 8.0, level: float = 0.1, seed: int = 0) -> np.ndarray:
    """Syllables of wide-band sound with pauses, digitally silent between them."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 3 * time), 0, 1) * (time % 2 < 1.3)
    tone = np.sin(2 * np.pi * 160 * time + 2 * np.sin(2 * np.pi * 320 * time))
    return (level * syllables * (tone + 0.5 * rng.normal(size=len(time)))).astype(np.float32)


def band_limited(samples: np.ndarray, hertz: float) -> np.ndarray:
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(len(samples), 1 / RATE) > hertz] = 0
    return np.fft.irfft(spectrum, len(samples)).astype(np.float32)


def test_clean_speech_has_nothing_wrong() -> None:
    sound = sound_facts(speech())
    assert -26 < sound.speech_db < -14
    assert sound.noise_db < -40
    assert sound.clipped == 0
    assert sound.bandwidth == 8000


@pytest.mark.parametrize("below", [10.0, 20.0, 30.0])
def test_noise_is_measured_against_the_voice(below: float) -> None:
    clean = speech()
    loud = np.sqrt(np.mean(clean[np.abs(clean) > 0] ** 2))
    noise = np.random.default_rng(1).normal(size=len(clean)) * loud * 10 ** (-below / 20)
    found = sound_facts((clean + noise).astype(np.float32)).noise_db
    # the voice is measured at its loud parts, 5 to 7 dB above its mean
    assert -below - 9 < found < -below


def test_noise_is_louder_where_more_is_added() -> None:
    clean, noise = speech(), np.random.default_rng(1).normal(size=8 * RATE).astype(np.float32)
    levels = [sound_facts(clean + scale * noise).noise_db for scale in (0.001, 0.003, 0.01)]
    assert levels[0] < levels[1] < levels[2]


def test_clipping_is_found() -> None:
    assert sound_facts(np.clip(speech(level=2.0), -1, 1)).clipped > 0.2
    assert sound_facts(0.98 * speech() / np.abs(speech()).max()).clipped < 0.01


@pytest.mark.parametrize("hertz", [3400, 5000])
def test_the_bandwidth_is_found(hertz: float) -> None:
    assert abs(sound_facts(band_limited(speech(), hertz)).bandwidth - hertz) <= 300


@pytest.mark.parametrize(
    "samples", [np.zeros(0), np.zeros(5), np.zeros(RATE), np.full(100, np.nan), np.full(800, np.inf)]
)
def test_silence_and_odd_sound_are_no_error(samples: np.ndarray) -> None:
    found = voice_facts(samples, None, 10)
    assert found.level.shape == (10,)
    assert np.isfinite(found.level).all()
    assert np.isnan(found.opening).all()
    assert found.sound.speech_db == -120


def test_the_level_follows_the_frames() -> None:
    samples = np.zeros(RATE, np.float32)
    samples[640 * 10 : 640 * 15] = 0.5
    level = voice_facts(samples, None, 30).level
    np.testing.assert_allclose(level[10:15], 20 * np.log10(0.5), atol=0.1)
    assert (level[:10] == -120).all()
    assert (level[15:] == -120).all()


def test_the_opening_needs_features_of_the_right_encoder() -> None:
    if voice._listener() is None:
        pytest.skip("the bundled avatar is not installed")
    assert np.isfinite(mouth_opening(np.zeros((40, 1152)), 20)).all()
    assert np.isnan(mouth_opening(np.zeros((40, 80)), 20)).all()
    assert np.isnan(mouth_opening(None, 3)).all()
    assert mouth_opening(np.zeros((0, 1152)), 4).shape == (4,)
    assert mouth_opening(np.zeros((40, 1152)), 0).shape == (0,)


def test_every_phone_belongs_to_one_group() -> None:
    members = [phone for group in VISEMES.values() for phone in group]
    assert len(members) == len(set(members)) == 39
    assert visemes({"P": 3, "M": 2, "IY": 1})["closed lips (P B M)"] == 5
    assert visemes({}) == {}


def test_without_a_recogniser_no_phones_are_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phones, "_decoder", lambda: None)
    assert heard_phones(speech()) == {}


def test_a_recogniser_hears_phones() -> None:
    pytest.importorskip("pocketsphinx")
    heard = heard_phones(speech())
    assert set(heard) <= {phone for group in VISEMES.values() for phone in group}
