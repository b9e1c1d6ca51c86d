# SPDX-License-Identifier: GPL-3.0-or-later
"""A dubbing through the real worker, with a dubber of a few lines in the place of the one that draws."""

from __future__ import annotations

import json
from pathlib import Path

import fake_environment
import pytest

from hmtalker.errors import CancelledError
from hmtalker.worker import dub_worker, process
from hmtalker.worker.errors import WorkerError
from hmtalker.worker.messages import Progress


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_environment.make(tmp_path_factory.mktemp("environment") / "training")


def options(folder: Path, film: str = "film", **more: object) -> dict[str, object]:
    for name in (f"{film}.mp4", "voice.wav"):
        (folder / name).write_bytes(b"something")
    paths = {"avatar": "ada.hmt", "footage": f"{film}.mp4", "voice": "voice.wav", "output": "dubbed.mp4"}
    return {key: str(folder / name) for key, name in paths.items()} | more


def test_a_dubbing_tells_how_far_it_is_and_what_came_of_it(python: Path, tmp_path: Path) -> None:
    heard: list = []
    asked = options(tmp_path, region="head", dataset=None, settings={"strength": 0.8}, threads=2)
    result = process.run(python, "dub", asked, heard=heard.append)
    assert result == {
        "output": str(tmp_path / "dubbed.mp4"), "pictures": 12, "untouched": 2, "warnings": ["The voice is quiet."]
    }  # fmt: skip
    assert Progress("Draw", 1, 2, 0.5, None, "") in heard
    told = json.loads((tmp_path / "options.json").read_text())
    assert (told["region"], told["settings"], told["dataset"], told["threads"]) == ("head", {"strength": 0.8}, None, 2)


def test_what_it_says_is_passed_on(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="does not look like"):
        process.run(python, "dub", options(tmp_path, "stranger"))


def test_it_can_be_cancelled(python: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match="no film was written"):
        process.run(python, "dub", options(tmp_path, "slow"), cancelled=lambda: True)


def test_an_unknown_option_is_one_sentence(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="does not know"):
        process.run(python, "dub", options(tmp_path, teeth="gold"))


def test_every_option_is_one_of_the_dubber() -> None:
    pytest.importorskip("cv2")
    pytest.importorskip("scipy")
    from hmtalker.dub.dub import DubOptions

    assert set(dub_worker.OPTIONS) == set(DubOptions.__dataclass_fields__) - {"frames"}
