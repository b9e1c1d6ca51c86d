# SPDX-License-Identifier: GPL-3.0-or-later
"""One film with everything wrong is called out finding by finding; the same film without the faults is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from filmed_people import perform, pictures, write_film

from hmtalker.capture.options import CaptureOptions
from hmtalker.capture.pipeline import capture

SECONDS = 12.0
LATE = 0.2
CUT_AT = 150
SIZE = (320, 240)
FAULTS = {"short", "two_faces", "lip_sync", "dark", "one_sided", "blurred", "cuts"}


def spoil(frames):
    """Dark, blurred, lit from one side, cut in the middle, with a second face in the corner."""
    shade = np.interp(np.arange(SIZE[0]), [100, 220], [0.45, 0.12])[None, :, None]
    for number, frame in enumerate(frames):
        image = frame.astype(np.float32)
        if number >= CUT_AT:
            image = cv2.resize(image[20:200, 40:280], SIZE)
        image[5:105, 5:105] = cv2.resize(frame[:200, 60:260], (100, 100))
        yield np.clip(cv2.GaussianBlur(image, (0, 0), 2.5) * shade, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def captured(tmp_path_factory):
    """Findings by key of the spoilt film and of the film as it is, and the spoilt one's dataset."""
    folder = tmp_path_factory.mktemp("bad")
    acted = perform(SECONDS, 2.0)
    good = list(pictures(acted, SIZE))
    found = {}
    for name, frames, late in (("bad", spoil(good), LATE), ("good", good, 0.0)):
        film = write_film(folder / f"{name}.mp4", frames, acted.sound, late=late)
        result = capture(CaptureOptions((film,), folder / name, size=128, threads=1))
        found[name] = {finding["key"]: finding for finding in result.summary["findings"]}
    return found, folder / "bad"


def test_every_fault_is_called_out(captured):
    found, _ = captured
    assert set(found["bad"]) >= FAULTS


def test_the_film_without_the_faults_is_only_too_short(captured):
    found, _ = captured
    assert FAULTS & set(found["good"]) == {"short"}


def test_findings_say_what_to_do_and_which_cannot_be_trained_on(captured):
    found, _ = captured
    assert all(found["bad"][key]["remedy"] for key in FAULTS)
    assert {key for key in FAULTS if found["bad"][key]["severity"] == "stop"} == {"short", "two_faces", "lip_sync"}


def test_late_sound_is_measured(captured):
    found, folder = captured
    import json

    figures = json.loads((folder / "report.json").read_text("utf-8"))["figures"]
    assert figures["sound_late_ms"] == pytest.approx(1000 * LATE, abs=30)
    assert "earlier" in found["bad"]["lip_sync"]["remedy"]


def test_the_cut_is_where_it_is(captured):
    _, folder = captured
    with np.load(folder / "performance.npz") as data:
        assert np.bincount(data["clip_index"]).tolist() == [CUT_AT, round(SECONDS * 25) - CUT_AT]
