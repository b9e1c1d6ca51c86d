# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line, run in this process."""

from __future__ import annotations

import json
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from hmtalker.action_unit_table import TableError, read_table, write_table
from hmtalker.avatar import save_avatar
from hmtalker.cli import main
from hmtalker.png_file import SYNTHETIC_MEDIA, read_text
from hmtalker.take import Take

sys.path.insert(0, str(Path(__file__).parent))
from tiny_avatar import TinyEncoder, make_tiny_avatar


@pytest.fixture(scope="module")
def avatar_path(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("avatar") / "tiny.hmt"
    save_avatar(make_tiny_avatar(size=48), path)
    return str(path)


@pytest.fixture(autouse=True)
def tiny_encoder(monkeypatch):
    import hmtalker.speech.encoder as encoders

    monkeypatch.setattr(encoders, "create", lambda *_, **__: TinyEncoder())


@pytest.fixture
def sound(tmp_path) -> str:
    pytest.importorskip("soundfile", reason="soundfile is not installed")
    samples = 8000 * np.sin(np.arange(8000) * 0.3) * np.clip(np.sin(np.arange(8000) / 700), 0, 1)
    with wave.open(str(tmp_path / "speech.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(samples.astype("<i2").tobytes())
    return str(tmp_path / "speech.wav")


def test_info_names_the_licence(avatar_path, capsys):
    assert main(["info", avatar_path]) == 0
    out = capsys.readouterr().out
    assert "CC0-1.0" in out
    assert "AU12" in out
    assert main(["info", "--json", avatar_path]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "Tiny"


def test_frame_shows_the_action_units(avatar_path, tmp_path):
    assert main(["frame", "-a", avatar_path, "-o", str(tmp_path / "rest.png")]) == 0
    assert (
        main(["frame", "-a", avatar_path, "--au", "AU12=5", "--au", "au25=3", "-o", str(tmp_path / "smile.png")]) == 0
    )
    assert (tmp_path / "rest.png").read_bytes() != (tmp_path / "smile.png").read_bytes()
    assert read_text(tmp_path / "rest.png")["Source"] == SYNTHETIC_MEDIA


def test_size_and_background(avatar_path, tmp_path):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    path = tmp_path / "x.png"
    assert main(["frame", "-a", avatar_path, "--size", "20", "--background", "#ff8000", "-o", str(path)]) == 0
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image.shape == (20, 20, 3)
    assert image[0, 0].tolist() == [0, 128, 255]


def test_animate_then_render(avatar_path, sound, tmp_path):
    assert main(["animate", sound, "-a", avatar_path, "-o", str(tmp_path / "take.npz"), "--seed", "3"]) == 0
    assert Take.from_bytes((tmp_path / "take.npz").read_bytes()).frames == 13
    assert main(["animate", sound, "-a", avatar_path, "-o", str(tmp_path / "take.csv"), "--seed", "3"]) == 0
    assert read_table(tmp_path / "take.csv").shape == (13, 17)
    for source in ("take.npz", "take.csv", Path(sound).name):
        folder = tmp_path / f"from_{source}"
        assert main(["render", str(tmp_path / source), "-a", avatar_path, "-o", str(folder), "--seed", "3"]) == 0
        assert [path.name for path in sorted(folder.iterdir())] == [f"{index:04d}.png" for index in range(1, 14)]
    one, other = ((tmp_path / f"from_{name}" / "0007.png").read_bytes() for name in ("take.npz", "speech.wav"))
    assert one == other


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["info", "nobody.hmt"], "nobody.hmt"),
        (["animate", "nothing.wav", "-a", "{avatar}", "-o", "{folder}/x.csv"], "nothing.wav"),
        (["animate", "nothing.wav", "-a", "{avatar}", "-o", "{folder}/x.doc"], "x.doc"),
        (["render", "nothing.csv", "-a", "{avatar}", "-o", "{folder}"], "nothing.csv"),
        (["render", "nothing.npz", "-a", "{avatar}", "-o", "{folder}"], "nothing.npz"),
        (["frame", "-a", "{avatar}", "-o", "{avatar}/x/y.png"], "tiny.hmt"),
    ],
)
def test_mistakes_are_one_sentence_and_code_2(arguments, word, avatar_path, tmp_path, capsys):
    filled = [argument.format(avatar=avatar_path, folder=tmp_path) for argument in arguments]
    assert main(filled) == 2
    error = capsys.readouterr().err.strip()
    assert word in error
    assert "\n" not in error
    assert "Traceback" not in error


@pytest.mark.parametrize("au", ["AU99=1", "AU12", "AU12=x", "AU12=-1"])
def test_unknown_action_unit_is_refused(au, avatar_path, capsys):
    with pytest.raises(SystemExit) as raised:
        main(["frame", "-a", avatar_path, "--au", au, "-o", "x.png"])
    assert raised.value.code == 2
    assert "--au" in capsys.readouterr().err


def test_table_round_trip(tmp_path):
    values = np.random.default_rng(0).uniform(0, 5, (7, 17)).astype(np.float32)
    write_table(tmp_path / "t.csv", values, 25.0)
    np.testing.assert_allclose(read_table(tmp_path / "t.csv"), values, atol=1e-4)


def test_openface_table_is_read(tmp_path):
    (tmp_path / "of.csv").write_text(
        "frame, timestamp, success, AU12_r, AU45_r, AU45_c\n1, 0, 1, 2.5, 0.5, 1\n2, 0.04, 1, 9, 0, 0\n"
    )
    values = read_table(tmp_path / "of.csv")
    assert values.shape == (2, 17)
    assert values[0, 8] == 2.5
    assert values[0, 16] == 0.5
    assert values[1, 8] == 5.0


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "AU12\n", "AU12\nx\n", "AU12\nnan\n", "frame,AU12\n1\n", "\0\0"])
def test_bad_table_is_one_sentence(tmp_path, text):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(TableError, match=r"bad\.csv"):
        read_table(tmp_path / "bad.csv")
