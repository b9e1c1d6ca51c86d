# SPDX-License-Identifier: GPL-3.0-or-later
"""A training through the real worker, with a trainer of a few lines in the place of the one that takes hours."""

from __future__ import annotations

import datetime
import json
import sys
from pathlib import Path
from typing import Any

import fake_environment
import pytest

from hmtalker.consent import Consent
from hmtalker.errors import CancelledError
from hmtalker.training.command import PRESETS
from hmtalker.worker import process, train_worker
from hmtalker.worker.earlier_training import REQUEST, RUN, TABLES, UNITS, Asked, read_earlier, read_request
from hmtalker.worker.errors import WorkerError
from hmtalker.worker.messages import Hello, Progress, decode, encode
from hmtalker.worker.stage_clock import StageClock
from hmtalker.worker.train_worker import WORK, work_folder
from hmtalker.worker.unfinished import read_unfinished

CONSENT = {
    "person": "Ada",
    "statement": "to be shown as an avatar in the film",
    "date": "2026-01-31",
    "recorded_by": "Charles",
}


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_environment.make(tmp_path_factory.mktemp("environment") / "training")


def train(python: Path, what: str, folder: Path, cancelled: Any = lambda: False, **more: Any) -> tuple[dict, list]:
    heard: list = []
    for name in TABLES:
        (folder / name).touch()
    output = folder / "my avatar é.hmt"
    options = {"dataset": str(folder), "output": str(output), "name": what, "preset": "quick", "consent": CONSENT}
    return process.run(python, "train", options | more, heard=heard.append, cancelled=cancelled), heard


def work(folder: Path) -> Path:
    return work_folder(folder / "my avatar é.hmt")


def test_a_training_tells_stage_share_losses_and_picture(python: Path, tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"a picture")
    result, heard = train(python, "fine", tmp_path, seed=3, threads=2, licence="CC0-1.0", attribution="Ada")
    assert result == {"output": str(tmp_path / "my avatar é.hmt"), "seconds": 3725.0}
    assert isinstance(heard[0], Hello)
    assert heard[1] == Progress("Preparing", 0, 5, 0.0, None, "Loading the training set", 0.0)
    assert [message.stage for message in heard[2::50]] == ["Speech", "Motion", "Face", "Mouth", "Joint"]
    face = heard[1 + 2 * 50 + 21]
    assert (face.stage, face.stage_index, face.stages, face.share) == ("Face", 2, 5, 0.42)
    assert face.overall == pytest.approx(0.05 + 0.15 + 0.42 * 0.5)
    assert (face.text, face.picture) == ("l1 0.0125", str(work(tmp_path) / "preview.png"))
    assert heard[-1].overall == pytest.approx(1.0)
    given = json.loads((work(tmp_path) / "options.json").read_text())
    assert (given["preset"], given["seed"], given["threads"], given["licence"]) == ("quick", 3, 2, "CC0-1.0")
    assert given["consent"] == CONSENT
    assert read_unfinished(work(tmp_path)) is None


def test_without_a_picture_none_is_named(python: Path, tmp_path: Path) -> None:
    _, heard = train(python, "fine", tmp_path)
    assert {message.picture for message in heard[1:]} == {""}


def test_what_is_wrong_with_the_dataset_is_its_own_sentence(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"^The training set holds no frame that can be used; film again\.$"):
        train(python, "empty", tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="kills itself")
def test_a_killed_training_is_one_sentence_and_goes_on_where_it_was(python: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="memory runs out"):
        train(python, "killed", tmp_path)
    stopped = read_unfinished(work(tmp_path))
    assert stopped is not None
    assert (stopped.stage, stopped.seconds_left) == ("Face", None)
    train(python, "fine", tmp_path)
    assert (work(tmp_path) / "steps.txt").read_text() == "1 21 "
    assert read_unfinished(work(tmp_path)) is None


def test_a_cancelled_training_says_so_and_notes_where_it_was(python: Path, tmp_path: Path) -> None:
    with pytest.raises(CancelledError, match="start it again to go on"):
        train(python, "slow", tmp_path, cancelled=(work(tmp_path) / "kept.txt").exists)
    stopped = read_unfinished(work(tmp_path))
    assert stopped is not None
    assert (stopped.stage, stopped.share) == ("Face", 0.42)
    earlier = read_earlier(work(tmp_path), tmp_path, "quick")
    assert earlier is not None
    assert earlier.same
    assert read_request(work(tmp_path)) == Asked("quick", "openface-17", "slow", "", "", Consent(**CONSENT))
    others = [(tmp_path, "editable"), (python, "quick"), (tmp_path, "quick", "extended")]
    for other in (read_earlier(work(tmp_path), *asked) for asked in others):
        assert other is not None
        assert not other.same


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"inputs": 3}',
        "[" * 100_000,
        '{"inputs": {"name": "quick"}}',
        '{"inputs": {"name": "quick", "model": 3}}',
    ],
)
def test_a_damaged_run_is_not_the_same(python: Path, tmp_path: Path, text: str) -> None:
    assert read_earlier(tmp_path, tmp_path, "quick") is None
    (tmp_path / ".unfinished.json").write_bytes(encode(Progress("Face", 2, 5, 0.5)))
    (tmp_path / RUN).write_text(text)
    earlier = read_earlier(tmp_path, tmp_path, "quick")
    assert earlier is not None
    assert not earlier.same


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", '{"consent": 3}', '{"consent": {}, "colour": 1}', "[" * 100_000),
        *('{"consent": {"person": 3}}', '{"consent": {}, "name": ["a"]}', '{"consent": {"given": true}}'),
    ],
)
def test_a_damaged_request_is_not_known(tmp_path: Path, text: str) -> None:
    assert read_request(tmp_path) is None
    (tmp_path / REQUEST).write_text(text)
    assert read_request(tmp_path) is None


@pytest.mark.parametrize("lacking", list(CONSENT))
def test_nothing_is_trained_without_a_complete_record_of_consent(python: Path, tmp_path: Path, lacking: str) -> None:
    with pytest.raises(WorkerError, match=r"^Consent: "):
        train(python, "fine", tmp_path, consent=CONSENT | {lacking: " "})
    assert not work(tmp_path).exists()


def test_a_record_of_consent_needs_a_day_that_was() -> None:
    assert Consent(**CONSENT).missing() == ""
    future = datetime.date.today() + datetime.timedelta(days=9)
    for date in ("31.1.2026", "2026-02-30", "yesterday", future.isoformat()):
        assert "the day" in Consent(**CONSENT | {"date": date}).missing()
    assert Consent(**CONSENT | {"person": " Ada "}).to_dict() == CONSENT


@pytest.mark.parametrize(
    "options",
    [{"output": "x", "colour": 1}, {"dataset": "x"}, {"output": "x"}, {"output": "x", "dataset": None}]
    + [{"output": "x", "dataset": "x", "consent": consent} for consent in ("yes", None, {"given": True})],
)
def test_an_unknown_option_is_one_sentence(python: Path, options: dict) -> None:
    with pytest.raises(WorkerError, match="an option that it does not know"):
        process.run(python, "train", options)


def test_the_worker_and_the_trainer_agree(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from hmtalker.training import train as training
    from hmtalker.training.trainer import STAGES

    assert set(train_worker.OPTIONS) <= set(training.TrainOptions.__dataclass_fields__)
    assert list(train_worker.STAGES) == list(STAGES)
    assert (train_worker.PICTURE, RUN, WORK) == (training.PREVIEW, training.RUN, ".work")
    assert training.TrainOptions.units == UNITS
    assert {"quick", "editable"} <= set(PRESETS)
    with pytest.raises(Exception, match=r"^Consent: "):
        training.train(training.TrainOptions(tmp_path, tmp_path / "a.hmt"))


def test_progress_of_everything_is_kept_in_bounds() -> None:
    line = encode(Progress("Face", 2, 5, 0.5, overall=0.4, picture="a.png"))
    assert decode(line) == Progress("Face", 2, 5, 0.5, overall=0.4, picture="a.png")
    assert decode(line.replace(b"0.4", b"7.5")).overall == 1.0
    assert decode(line.replace(b"0.4", b'"x"')) is None


class Moments:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.moment = 100.0

    def __call__(self) -> float:
        return self.moment


def test_time_left_follows_what_is_usual_and_then_what_is_measured() -> None:
    now = Moments()
    clock = StageClock((1, 1, 2), now)
    assert clock.at(0, 0.1) == (0.025, None)
    now.moment += 10
    done, left = clock.at(0, 0.6)  # half a stage in 10 s
    assert (done, left) == (pytest.approx(0.15), pytest.approx(8 + 20 + 40))
    now.moment += 8
    assert clock.at(0, 1.0)[1] == pytest.approx(60)
    clock.at(1, 0.0)
    now.moment += 40  # twice as slow as usual
    assert clock.at(1, 1.0)[1] == pytest.approx(2 * 58 / 1.9)
    assert clock.at(2, 1.0) == (1.0, pytest.approx(0.0))


def test_what_an_earlier_run_did_tells_no_pace() -> None:
    now = Moments()
    clock = StageClock((1, 1), now)
    now.moment += 500
    assert clock.at(1, 0.5) == (0.75, None)
    now.moment += 10
    assert clock.at(1, 0.75) == (0.875, pytest.approx(10))
