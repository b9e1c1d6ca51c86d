# SPDX-License-Identifier: GPL-3.0-or-later
"""Any video becomes 25 frames a second as a player shows it, with its sound beginning at the first picture."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from filmed_people import write_film

from hmtalker.capture import video_file
from hmtalker.capture.errors import CaptureError
from hmtalker.capture.sound_track import read_sound, write_sound
from hmtalker.capture.video_file import probe, read_frames

STEP = 3  # grey levels from picture to picture: more than the coding loses


def numbered(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures whose grey level is their number."""
    return [np.full((size[1], size[0], 3), 20 + STEP * number, np.uint8) for number in range(count)]


def numbers(path: Path, begin: int = 0, end: int | None = None) -> list[int]:
    """Which pictures of ``numbered`` the grid shows."""
    return [round((float(image.mean()) - 20) / STEP) for _, image in read_frames(probe(path), begin, end)]


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    """A click every 0.1 s, each of its own height."""
    sound = np.zeros(round(seconds * rate), np.float32)
    for number in range(round(seconds * 10)):
        at = round(number * rate / 10)
        sound[at : at + rate // 400] = 0.2 + 0.02 * number
    return sound


def test_25_fps_is_taken_frame_by_frame(tmp_path):
    assert numbers(write_film(tmp_path / "a.mp4", numbered(50), None)) == list(range(50))


@pytest.mark.parametrize(("fps", "count"), [(24, 48), (30, 60), (50, 60), (60, 60)])
def test_other_rates_give_the_picture_shown_at_the_middle_of_each_frame(tmp_path, fps, count):
    film = write_film(tmp_path / "a.mp4", numbered(count), None, fps)
    shown = [min(count - 1, int((k + 0.5) / 25 * fps + 1e-6)) for k in range(round(count / fps * 25))]
    assert numbers(film) == shown
    assert not probe(film).variable


def test_variable_rate_is_noticed_and_follows_the_clock(tmp_path):
    times = np.cumsum([0.025, 0.055] * 25) - 0.025
    film = write_film(tmp_path / "a.mkv", numbered(50), None, 25, moments=times.tolist())
    info = probe(film)
    assert info.variable
    got = numbers(film)
    wanted = [int(np.searchsorted(times, (k + 0.5) / 25, side="right")) - 1 for k in range(len(got))]
    assert len(got) in (49, 50, 51)
    assert got == wanted


def test_reading_from_the_middle_gives_the_same_frames(tmp_path):
    film = write_film(tmp_path / "a.mp4", numbered(70), None, 30)
    whole = numbers(film)
    assert numbers(film, 20, 31) == whole[20:31]
    assert numbers(film, len(whole) - 3) == whole[-3:]
    assert numbers(film, 5000, 5010) == []


def test_a_file_cut_short_gives_what_it_holds(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (75, 48, 64, 3), np.uint8)
    film = write_film(tmp_path / "a.mpg", list(noise), None, codec="mpeg1video")
    whole = len(list(read_frames(probe(film))))
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert 0 < len(list(read_frames(probe(film)))) < whole == 75


def test_a_phone_held_upright_is_turned_upright(tmp_path):
    upright = np.zeros((80, 48, 3), np.uint8)
    upright[:20] = 200  # light above
    film = write_film(tmp_path / "a.mov", [np.ascontiguousarray(np.rot90(upright))] * 5, None)
    turned = turn_by_header(film, tmp_path / "turned.mov", 90)
    info = probe(turned)
    assert (info.width, info.height) == (48, 80)
    _, image = next(read_frames(info))
    assert image.shape == (80, 48, 3)
    assert image[:15].mean() > 150
    assert image[30:].mean() < 40


def turn_by_header(film: Path, target: Path, degrees: int) -> Path:
    """Write the display matrix of the track header of a .mov as phones do; the pictures stay as they are."""
    import struct

    data = bytearray(film.read_bytes())
    place = data.index(b"tkhd")
    cosine, sine = (round(65536 * turn(np.radians(degrees))) for turn in (np.cos, np.sin))
    matrix = (cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30)
    at = place + 4 + 4 + 20 + 8 + 8  # version and flags; times, track, duration; reserved; layer, group, volume
    data[at : at + 36] = struct.pack(">9i", *matrix)
    target.write_bytes(data)
    return target


def test_sound_begins_with_the_first_picture(tmp_path):
    sound = tone(2.0)
    film = write_film(tmp_path / "a.mkv", numbered(50), sound)
    assert write_sound(probe(film), tmp_path / "a.wav") == pytest.approx(2.0, abs=0.1)
    got = read_sound(tmp_path / "a.wav", 0, 50)
    lag = np.argmax(np.correlate(got, sound[: len(got)], "full")) - (len(sound[: len(got)]) - 1)
    assert abs(lag) <= 16  # a millisecond


def test_sound_that_starts_late_stays_late(tmp_path):
    sound = tone(2.0)
    times = [0.5 + k / 25 for k in range(50)]  # the picture begins half a second after the sound
    film = write_film(tmp_path / "a.mkv", numbered(50), sound, moments=times)
    write_sound(probe(film), tmp_path / "a.wav")
    got = read_sound(tmp_path / "a.wav", 0, 30)
    wanted = sound[8000 : 8000 + len(got)]
    lag = np.argmax(np.correlate(got, wanted, "full")) - (len(wanted) - 1)
    assert abs(lag) <= 16


def test_stereo_is_as_loud_as_its_channels(tmp_path):
    import av

    path = tmp_path / "stereo.mkv"
    hum = (0.9 * np.sin(np.arange(32_000) * 0.05)).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        for image in numbered(50):
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode())
        block = np.repeat((hum * 32767).astype(np.int16), 2)[None]
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
        frame.sample_rate = 16_000
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    write_sound(probe(path), tmp_path / "a.wav")
    got = read_sound(tmp_path / "a.wav", 0, 40)
    assert np.abs(got).max() == pytest.approx(0.9, abs=0.01)


def test_8_khz_sound_becomes_16_khz(tmp_path):
    film = write_film(tmp_path / "a.mkv", numbered(50), tone(2.0, 8000), rate=8000)
    info = probe(film)
    assert info.sound_rate == 8000
    assert write_sound(info, tmp_path / "a.wav") == pytest.approx(2.0, abs=0.15)


def test_sound_of_later_frames_and_beyond_the_end(tmp_path):
    film = write_film(tmp_path / "a.mkv", numbered(50), tone(2.0))
    write_sound(probe(film), tmp_path / "a.wav")
    whole = read_sound(tmp_path / "a.wav", 0, 80)
    assert np.array_equal(read_sound(tmp_path / "a.wav", 30, 10), whole[30 * 640 : 40 * 640])
    assert not read_sound(tmp_path / "a.wav", 500, 3).any()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "does not exist"), (b"", "empty"), (b"\x00" * 4000, "not a video"), (b"RIFFxxxxWAVE", "not a video")],
)
def test_what_is_no_video_gives_one_sentence(tmp_path, content, words):
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaptureError, match=words) as caught:
        probe(path)
    assert "clip.mp4" in str(caught.value)


def test_a_sound_file_is_no_video(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "voice.wav", tone(1.0), 16_000)
    with pytest.raises(CaptureError, match="no picture"):
        probe(tmp_path / "voice.wav")


def test_a_folder_is_no_video(tmp_path):
    with pytest.raises(CaptureError, match="folder"):
        probe(tmp_path)


def test_no_audio_track_gives_one_sentence(tmp_path):
    film = write_film(tmp_path / "mute.mp4", numbered(10), None)
    with pytest.raises(CaptureError, match=r"mute\.mp4.*no audio track"):
        write_sound(probe(film), tmp_path / "a.wav")
    assert not list(tmp_path.glob("*.wav"))


def test_a_file_that_claims_to_last_for_days_is_refused(tmp_path):
    import av

    with av.open(str(tmp_path / "long.mkv"), "w") as file:
        stream = file.add_stream("mpeg4", rate=25, width=64, height=48)
        for number, picture in enumerate(numbered(3)):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                packet.pts = packet.dts = number * 2 * 24 * 3600 * 25
                packet.time_base = Fraction(1, 25)
                file.mux(packet)
    with pytest.raises(CaptureError, match="claims to last 96 hours"):
        probe(tmp_path / "long.mkv")


def test_a_clock_that_jumps_does_not_keep_us_busy(tmp_path, monkeypatch):
    info = probe(write_film(tmp_path / "film.mp4", numbered(12), None))
    monkeypatch.setattr(video_file, "LONGEST_SECONDS", 0.4)
    assert [number for number, _ in read_frames(info)] == list(range(10))


def test_a_header_that_turns_by_an_odd_angle_turns_by_the_nearest_quarter(tmp_path):
    film = write_film(tmp_path / "a.mov", numbered(3), None)
    info = probe(turn_by_header(film, tmp_path / "turned.mov", 100))
    assert info.rotation % 90 == 0
    assert next(read_frames(info))[1].shape == (info.height, info.width, 3)


LONG_FILM = """
import sys; sys.path[:0] = [{tests!r}, {tests!r} + "/engine"]
import conftest, pathlib
from hmtalker.capture.video_file import probe, read_frames
from hmtalker.evaluation.peak_memory import peak_megabytes
info = probe(pathlib.Path(sys.argv[1]))
print(sum(1 for _ in read_frames(info)), peak_megabytes())
"""


def test_a_film_of_twenty_thousand_frames_is_read_in_the_memory_of_a_short_one(tmp_path):
    import av

    read = {}
    for count in (250, 20_000):
        with av.open(str(tmp_path / f"{count}.mp4"), "w") as file:
            stream = file.add_stream("mpeg4", rate=25, width=32, height=32)
            pictures = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in numbered(25, (32, 32))]
            for number in range(count):
                picture = pictures[number % 25]
                picture.pts = None
                file.mux(stream.encode(picture))
            file.mux(stream.encode(None))
        script = LONG_FILM.format(tests=str(Path(__file__).resolve().parents[1]))
        command = [sys.executable, "-c", script, str(tmp_path / f"{count}.mp4")]
        read[count] = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [int(frames) for frames, _ in read.values()] == [250, 20_000]
    assert float(read[20_000][1]) < 1.1 * float(read[250][1])
