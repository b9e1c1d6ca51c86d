# SPDX-License-Identifier: GPL-3.0-or-later
"""WhisperEncoder on sound of any length, with a tiny random network; and the real one where it has been converted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hmtalker.errors import CancelledError, HMTalkerError
from hmtalker.speech import encoder as enc

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from test_speech_convert_whisper import BLOCKS, CHANNELS, tiny_weights

from hmtalker.speech import seams
from hmtalker.speech import whisper_onnx as wo
from hmtalker.speech.convert_whisper import build_model, encoder_weights

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "assets" / "fetched" / wo.FILE_NAME


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> wo.WhisperEncoder:
    path = tmp_path_factory.mktemp("encoder") / "tiny.onnx"
    weights = encoder_weights(tiny_weights(rows=wo.POSITIONS))
    response = np.zeros((wo.POSITIONS, BLOCKS * CHANNELS), np.float16)
    path.write_bytes(build_model(weights, response).SerializeToString())
    return wo.WhisperEncoder(path)


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    n = int(seconds * 16000)
    return (0.05 * rng.standard_normal(n) * (1.2 + np.sin(np.arange(n) / 2000))).astype(np.float32)


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 321, 16000, 159_999, 160_000, 160_001, 161_000, 164_000, 330_000])
def test_one_step_per_20_ms_for_any_length(tiny: wo.WhisperEncoder, samples: int) -> None:
    features = tiny.encode(noise(samples / 16000 + 0.1)[:samples])
    assert features.shape == (-(-samples // 320), BLOCKS * CHANNELS)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()


def test_it_is_a_speech_encoder(tiny: wo.WhisperEncoder) -> None:
    assert isinstance(tiny, enc.SpeechEncoder)
    assert isinstance(enc.MelEncoder(), enc.SpeechEncoder)
    assert tiny.dimension == BLOCKS * CHANNELS
    assert tiny.rate == 50.0
    assert len(tiny.sha256) == 64


def test_what_comes_later_changes_nothing_before_its_window(tiny: wo.WhisperEncoder) -> None:
    samples = noise(31)
    whole = tiny.encode(samples, gain=1.0)
    part = tiny.encode(samples[: 23 * 16000], gain=1.0)
    np.testing.assert_allclose(part[: 20 * 50 - seams.FADE], whole[: 20 * 50 - seams.FADE], atol=1e-5)


def test_the_same_sound_one_chunk_later_has_the_same_features(tiny: wo.WhisperEncoder) -> None:
    samples = noise(10)
    twice = tiny.encode(np.concatenate([samples, samples, samples, samples]), gain=1.0)
    steady = slice(seams.FADE, seams.CHUNK - seams.FADE)
    np.testing.assert_allclose(
        twice[seams.CHUNK : 2 * seams.CHUNK][steady], twice[2 * seams.CHUNK : 3 * seams.CHUNK][steady], atol=1e-5
    )


def test_seams_are_blended_not_cut(tiny: wo.WhisperEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one window says 0 and the next 1, the seam is a straight ramp between them."""
    answers = iter([0.0, 1.0])

    def window(self, samples, low, high, factor, position):  # type: ignore[no-untyped-def]
        return np.full((high - low, tiny.dimension), next(answers), np.float32)

    monkeypatch.setattr(wo.WhisperEncoder, "_window", window)
    features = tiny.encode(np.zeros(16000 * 15, np.float32))[:, 0]
    assert np.all(features[: seams.CHUNK - seams.FADE] == 0)
    assert np.all(features[seams.CHUNK + seams.FADE :] == 1)
    ramp = np.diff(features[seams.CHUNK - seams.FADE - 1 : seams.CHUNK + seams.FADE + 1])
    np.testing.assert_allclose(ramp[1:-1], 1 / (2 * seams.FADE), atol=1e-6)


def test_volume_of_the_file_does_not_matter(tiny: wo.WhisperEncoder) -> None:
    samples = noise(3)
    np.testing.assert_allclose(tiny.encode(samples * 0.01), tiny.encode(samples), atol=2e-3)


def test_position_moves_the_window_and_is_checked(tiny: wo.WhisperEncoder) -> None:
    samples = noise(1)
    assert np.abs(tiny.encode(samples, 0) - tiny.encode(samples, 900)).max() > 1e-3
    np.testing.assert_array_equal(tiny.encode(samples, 450), tiny.encode(samples))
    for bad in (-1, wo.POSITIONS - seams.WINDOW + 1):
        with pytest.raises(ValueError, match="position"):
            tiny.encode(samples, bad)


def test_not_a_number_in_the_sound_stays_where_it_is(tiny: wo.WhisperEncoder) -> None:
    samples = noise(2)
    samples[5000:5010] = np.nan
    samples[6000] = np.inf
    assert np.isfinite(tiny.encode(samples, gain=1.0)).all()
    assert np.isfinite(tiny.encode(samples)).all()


def test_progress_rises_to_one_and_cancel_stops(tiny: wo.WhisperEncoder) -> None:
    seen: list[float] = []
    tiny.encode(noise(25), progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) == 3
    asked: list[int] = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 1

    with pytest.raises(CancelledError):
        tiny.encode(noise(25), cancelled=cancelled)
    assert len(asked) == 2


def test_a_missing_or_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(HMTalkerError, match=r"nowhere\.onnx"):
        wo.WhisperEncoder(tmp_path / "nowhere.onnx")
    (tmp_path / "broken.onnx").write_bytes(b"not a network")
    with pytest.raises(HMTalkerError, match=r"broken\.onnx"):
        wo.WhisperEncoder(tmp_path / "broken.onnx")


def test_encoders_are_made_by_name() -> None:
    assert enc.create("mel").id == "mel"
    with pytest.raises(HMTalkerError, match="hubert"):
        enc.create("hubert-large")


def test_importing_the_speech_package_is_light() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests'); import conftest;"
        "import hmtalker.speech.encoder, hmtalker.speech.windows, hmtalker.speech.silence, hmtalker.speech.audio_file,"
        "hmtalker.speech.whisper_onnx, hmtalker.pretrained;"
        "bad = {'torch', 'numba', 'onnxruntime', 'scipy', 'onnx', 'soundfile', 'av', 'librosa'} & set(sys.modules);"
        "assert not bad, bad"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not REAL.is_file(), reason="Whisper is not converted (python -m hmtalker.speech.convert_whisper)")
def test_real_features_depend_on_speech_not_on_the_place_in_the_window() -> None:
    encoder = wo.WhisperEncoder(REAL, threads=2)
    assert encoder.dimension == 1152
    samples = noise(6)
    low, high = encoder.encode(samples, 100), encoder.encode(samples, 800)
    other = encoder.encode(noise(6, 1)[::-1], 100)
    for block in range(3):
        part = slice(384 * block, 384 * (block + 1))
        moved = np.sqrt(np.mean((low[:, part] - high[:, part]) ** 2))
        different = np.sqrt(np.mean((low[:, part] - other[:, part]) ** 2))
        assert moved < 0.6 * different
