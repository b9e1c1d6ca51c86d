# SPDX-License-Identifier: GPL-3.0-or-later
"""The log-mel front ends against librosa's filters and torch's STFT, and that a chunk sees what the whole file sees."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.speech import log_mel as lm


def voice(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(int(16000 * seconds)) / 16000
    tone = sum(np.sin(2 * np.pi * 140 * k * t + k) / k for k in range(1, 20))
    return (0.1 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t)) + 0.003 * rng.standard_normal(len(t))).astype(
        np.float32
    )


def magnitudes(samples: np.ndarray, fft: int, hop: int) -> np.ndarray:  # [fft // 2 + 1, frames]
    torch = pytest.importorskip("torch")  # librosa's own STFT compiles for a minute
    window = torch.hann_window(fft)
    signal = torch.from_numpy(np.asarray(samples, np.float32))
    return torch.stft(signal, fft, hop, window=window, pad_mode="constant", return_complex=True).abs().numpy()


@pytest.mark.parametrize(
    ("mels", "fft", "low", "high"), [(80, 400, 0.0, 8000.0), (80, 800, 55.0, 7600.0), (128, 1024, 20.0, 8000.0)]
)
def test_filters_are_librosas(mels: int, fft: int, low: float, high: float) -> None:
    filters = pytest.importorskip("librosa.filters")
    want = filters.mel(sr=16000, n_fft=fft, n_mels=mels, fmin=low, fmax=high)
    np.testing.assert_allclose(lm.mel_filters(mels, fft, low, high), want, atol=1e-7)


def test_log_mel_is_whispers_up_to_the_fixed_floor() -> None:
    filters = pytest.importorskip("librosa.filters")
    samples = voice(1.0)
    power = magnitudes(samples, 400, 160) ** 2
    want = np.log10(np.maximum(filters.mel(sr=16000, n_fft=400, n_mels=80) @ power[:, :-1], 1e-10))
    want = (np.maximum(want, lm.REFERENCE_MAXIMUM - 8.0) + 4.0) / 4.0
    np.testing.assert_allclose(lm.log_mel(samples), want, atol=2e-4)


@pytest.mark.parametrize(("first", "count"), [(0, 7), (40, 33), (95, 5), (90, 40), (-12, 30), (200, 10)])
def test_any_range_equals_that_range_of_the_whole(first: int, count: int) -> None:
    samples = voice(1.0, 1)
    whole = lm.log_mel(np.concatenate([np.zeros(3200, np.float32), samples, np.zeros(64000, np.float32)]))
    part = lm.log_mel(samples, first, count)
    np.testing.assert_allclose(part, whole[:, 20 + first : 20 + first + count], atol=1e-6)


def test_a_loud_moment_elsewhere_changes_nothing_here() -> None:
    quiet, loud = voice(1.0), voice(1.0)
    loud[12000:] *= 30
    np.testing.assert_array_equal(lm.log_mel(quiet)[:, :70], lm.log_mel(loud)[:, :70])


def test_silence_is_the_floor_and_nothing_is_nothing() -> None:
    silence = lm.log_mel(np.zeros(1600, np.float32))
    assert silence.shape == (80, 10)
    assert np.all(silence == (lm.REFERENCE_MAXIMUM - 8.0 + 4.0) / 4.0)
    assert lm.log_mel(np.zeros(0, np.float32)).shape == (80, 0)
    assert lm.log_mel(voice(0.001)).shape == (80, 1)


def test_mel_encoder_is_the_papers_front_end_at_50_steps() -> None:
    filters = pytest.importorskip("librosa.filters")
    from hmtalker.speech.encoder import MelEncoder

    samples = voice(1.0)
    emphasised = np.append(samples[:1], samples[1:] - 0.97 * samples[:-1])
    magnitude = magnitudes(emphasised, 800, 320)
    mel = filters.mel(sr=16000, n_fft=800, n_mels=80, fmin=55, fmax=7600) @ magnitude[:, :50]
    want = np.clip(8 * (20 * np.log10(np.maximum(1e-5, mel)) - 20 + 100) / 100 - 4, -4, 4).T
    got = MelEncoder().encode(samples, gain=1.0)
    assert got.shape == (50, 80)
    np.testing.assert_allclose(got, want, atol=1e-3)


def test_mel_encoder_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    from hmtalker.speech.encoder import MelEncoder

    samples = voice(2.3)
    whole = MelEncoder().encode(samples)
    monkeypatch.setattr(MelEncoder, "_BLOCK", 13)
    np.testing.assert_allclose(MelEncoder().encode(samples), whole, atol=1e-5)
