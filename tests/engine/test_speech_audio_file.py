# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading sound files of every kind, and saying clearly why one cannot be read."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from hmtalker.errors import AudioError
from hmtalker.speech import audio_file as af
from hmtalker.speech import resampling
from hmtalker.speech.loudness import block_levels, speech_level

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("scipy")


def tone(seconds: float, rate: int, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def write_av(path: Path, samples: np.ndarray, rate: int, codec: str) -> None:
    av = pytest.importorskip("av")
    try:
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate)
            stream.layout = "mono"
            frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
            frame.sample_rate = rate
            for packet in [*stream.encode(frame), *stream.encode(None)]:
                container.mux(packet)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this PyAV cannot write {codec}: {error}")


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 44056])
def test_every_rate_becomes_16_khz_with_the_same_tone(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(1.0, rate), rate, subtype="FLOAT")
    got = af.load_audio(tmp_path / "tone.wav")
    assert abs(len(got) - 16000) <= 1
    assert got.dtype == np.float32
    np.testing.assert_allclose(got[200:-200], tone(1.1, 16000)[200 : len(got) - 200], atol=0.02)


@pytest.mark.parametrize(
    ("suffix", "subtype"),
    [
        ("wav", "PCM_24"),
        ("wav", "PCM_U8"),
        ("wav", "ULAW"),
        ("flac", "PCM_16"),
        ("ogg", "VORBIS"),
        ("mp3", "MPEG_LAYER_III"),
        ("aiff", "PCM_32"),
    ],
)
def test_common_formats(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"tone.{suffix}"
    try:
        soundfile.write(path, tone(1.0, 16000), 16000, subtype=subtype)
    except (soundfile.LibsndfileError, ValueError) as error:
        pytest.skip(f"this libsndfile cannot write {subtype}: {error}")
    got = af.load_audio(path)
    assert abs(len(got) / 16000 - 1.0) < 0.12
    assert np.sqrt(np.mean(got[4000:12000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(("name", "codec"), [("sound.m4a", "aac"), ("clip.mp4", "aac"), ("clip.mkv", "libopus")])
def test_what_soundfile_cannot_read_pyav_does(tmp_path: Path, name: str, codec: str) -> None:
    write_av(tmp_path / name, tone(1.0, 48000), 48000, codec)
    got = af.load_audio(tmp_path / name)
    assert abs(len(got) / 16000 - 1.0) < 0.12
    assert np.sqrt(np.mean(got[4000:12000] ** 2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.05)


def test_channels_are_averaged(tmp_path: Path) -> None:
    stereo = np.stack([tone(0.5, 16000), np.zeros(8000, np.float32)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 16000, subtype="FLOAT")
    np.testing.assert_allclose(af.load_audio(tmp_path / "stereo.wav"), tone(0.5, 16000) / 2, atol=1e-4)


def test_offset_and_not_a_number_are_taken_out(tmp_path: Path) -> None:
    samples = tone(1.0, 44100) + np.float32(0.2)
    samples[1000:1003] = np.nan
    samples[2000] = np.inf
    soundfile.write(tmp_path / "odd.wav", samples, 44100, subtype="FLOAT")
    got = af.load_audio(tmp_path / "odd.wav")
    assert np.isfinite(got).all()
    assert abs(got.mean()) < 1e-4
    np.testing.assert_allclose(got[8000:15000], tone(1.0, 16000)[8000:15000], atol=0.01)


def test_silence_is_fine(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(8000, np.int16), 16000)
    got = af.load_audio(tmp_path / "silence.wav")
    assert got.shape == (8000,)
    assert not got.any()
    assert not af.normalise(got).any()


def test_a_single_sample_is_fine(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.full(1, 0.5, np.float32), 44100)
    assert len(af.load_audio(tmp_path / "one.wav")) == 1


def test_normalise_brings_speech_to_minus_20_at_any_volume() -> None:
    for level in (1e-3, 0.1, 1.0, 5.0):
        loud = af.normalise(np.concatenate([tone(1.0, 16000, 300, level), np.zeros(16000, np.float32)]))
        assert speech_level(block_levels(loud)) == pytest.approx(-20.0, abs=0.05)
    given = tone(0.1, 16000)
    before = given.copy()
    af.normalise(given)
    np.testing.assert_array_equal(given, before)
    assert af.normalise(np.zeros(0, np.float32)).shape == (0,)


@pytest.mark.parametrize("rate", [8000, 44100, 44056])
def test_resampling_in_blocks_is_resampling_at_once(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    samples = np.random.default_rng(0).standard_normal(int(6.3 * rate)).astype(np.float32)
    whole = af.resample(samples, rate)
    monkeypatch.setattr(resampling, "BLOCK_SECONDS", 1)
    blocks = af.resample(samples, rate)
    pieces = resampling.Resampler(rate)
    for begin in range(0, len(samples), 7777):
        pieces.add(samples[begin : begin + 7777])
    np.testing.assert_array_equal(pieces.finish(), blocks)
    assert abs(len(whole) - 6.3 * 16000) <= 2
    np.testing.assert_allclose(blocks, whole, atol=1e-4)


@pytest.mark.parametrize("rate", [1999, 768_001, 2_000_000_000])
def test_rates_that_no_recording_has_are_refused(tmp_path: Path, rate: int) -> None:
    data = bytearray()
    soundfile.write(tmp_path / "odd.wav", np.full(100, 0.1, np.float32), 16000, "PCM_16")
    data += (tmp_path / "odd.wav").read_bytes()
    data[24:28] = rate.to_bytes(4, "little")
    (tmp_path / "odd.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"claims a sample rate|cannot be read"):
        af.load_audio(tmp_path / "odd.wav")


def test_ten_hours_are_refused_before_they_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(af, "MAX_SECONDS", 2 * 131.0)  # a read is 131 s of 8 kHz
    read = []
    original = soundfile.SoundFile.read
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda *rest, **more: read.append(1) or original(*rest, **more))
    soundfile.write(tmp_path / "long.wav", np.zeros(8000 * 1000, np.float32), 8000, "PCM_U8")
    with pytest.raises(AudioError, match="longer than"):
        af.load_audio(tmp_path / "long.wav")
    assert len(read) == 2


def test_missing_folder_empty_and_zero_length_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="does not exist"):
        af.load_audio(tmp_path / "nothing.wav")
    with pytest.raises(AudioError, match="folder"):
        af.load_audio(tmp_path)
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match="empty"):
        af.load_audio(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "zero.wav", np.zeros(0, np.float32), 16000)
    with pytest.raises(AudioError, match=r"zero\.wav.*no sound"):
        af.load_audio(tmp_path / "zero.wav")


@pytest.mark.parametrize("data", [b"hello, this is text\n" * 50, b"RIFF\x00\x00\x00\x00WAVE", bytes(range(256)) * 40])
def test_what_is_no_sound_file_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("av")
    (tmp_path / "fake.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"fake\.wav"):
        af.load_audio(tmp_path / "fake.wav")


def test_a_wav_cut_short_gives_what_is_there(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", tone(2.0, 16000), 16000, subtype="PCM_16")
    data = (tmp_path / "long.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    assert len(af.load_audio(tmp_path / "cut.wav")) == pytest.approx(16000, abs=100)


def test_a_wav_with_an_absurd_rate_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rate.wav", tone(0.1, 16000), 16000, subtype="PCM_16")
    data = bytearray((tmp_path / "rate.wav").read_bytes())
    data[24:28] = struct.pack("<I", 3)
    (tmp_path / "rate.wav").write_bytes(bytes(data))
    with pytest.raises(AudioError, match=r"rate\.wav"):
        af.load_audio(tmp_path / "rate.wav")


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    with pytest.raises(AudioError, match="no audio track"):
        af.load_audio(path)
