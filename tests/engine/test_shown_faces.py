# SPDX-License-Identifier: GPL-3.0-or-later
"""Measurements on rendered faces: which units are raised, what a matrix tells, and what a sync score is set against."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("cv2")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from action_unit_honesty import BASES, POSES, SILENCE_SECONDS, shown, spoken_moments
from action_unit_matrix import known_mean, matrix_svg, matrix_table
from cross_speaker import FPS, REACH, cosines, judged, recordings, summit
from shown_faces import limited

from hmtalker.action_unit_sets import EXTENDED
from hmtalker.action_units import CODES, CONDITION_MAXIMUM, COUNT
from hmtalker.avatar import load_avatar
from hmtalker.errors import HMTalkerError
from hmtalker.take import Take

AU45 = CODES.index("AU45")


@pytest.fixture
def take() -> Take:
    rng = np.random.default_rng(0)
    units = rng.uniform(0, 2, (200, COUNT)).astype(np.float32)
    units[::3, AU45] = 0
    return Take(FPS, units, rng.normal(size=(200, 32)).astype(np.float32), np.zeros((200, 6), np.float32))


def test_every_unit_is_raised_by_one_and_nothing_else_changes(take):
    states, raised = shown(take)
    for one in raised:
        before, after = states[one.before], states[one.after]
        change = after.action_units - before.action_units
        np.testing.assert_allclose(change, np.eye(COUNT)[one.unit], atol=1e-6)
        assert (after.action_units <= CONDITION_MAXIMUM).all()
        assert after.head == before.head
        assert (before.implicit is None) == (after.implicit is None) == (one.base != "in speech")
    kinds = {(one.base, one.unit) for one in raised}
    assert len(kinds) == len(BASES) * COUNT - 1  # closed lids cannot be raised from 2
    assert len(raised) == POSES * len(kinds)


def test_of_the_extended_set_each_side_is_raised_by_itself(take):
    controls = np.zeros((len(take.action_units), EXTENDED.count), np.float32)
    controls[:, :COUNT] = take.action_units
    states, raised = shown(Take(FPS, controls, take.implicit, take.head))
    for one in raised:
        before, after = (EXTENDED.pulls(states[at].action_units, EXTENDED.muscles) for at in (one.before, one.after))
        np.testing.assert_allclose(after - before, np.eye(len(EXTENDED.muscles))[one.unit], atol=1e-6)
    assert {EXTENDED.muscles[one.unit] for one in raised} == set(EXTENDED.muscles)
    matrix = np.eye(len(EXTENDED.muscles))[:, :, None]
    lines = matrix_table({"at rest": matrix}, np.ones((len(matrix), 2)), EXTENDED.muscles).splitlines()
    assert lines[-1].endswith("in 35 of 35 rows the unit itself is what rises most.")


def test_moments_of_speech_have_open_eyes_and_come_after_the_silence(take):
    moments = spoken_moments(take)
    lips = take.action_units[moments, CODES.index("AU25")]
    assert (take.action_units[moments, AU45] == 0).all()
    assert min(moments) >= SILENCE_SECONDS * FPS
    assert (np.diff(lips) > 0).all()


def _honest(gain: float = 1.0) -> dict[str, np.ndarray]:
    """A reader that reads `gain` of every unit, and AU02 where AU01 is raised."""
    matrix = gain * np.eye(COUNT)
    matrix[0, 1] = 0.4
    found = {base: np.repeat(matrix[:, :, None], POSES, 2) for base in BASES}
    found["from 2"][AU45] = np.nan
    return found


def test_the_matrix_tells_diagonal_and_leaks():
    lines = matrix_table(_honest(0.9), np.ones((COUNT, 2))).splitlines()
    first = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert first == ["AU01", "0.90", "0.90", "0.90", "0.90", "0.90 ± 0.00", "0.40", "AU02 +0.40", "1.0, 1.0"]
    last = [cell.strip() for cell in lines[1 + COUNT].split("|")[1:-1]]
    assert last[:6] == ["AU45", "0.90", "0.90", "–", "0.90", "0.90 ± 0.00"]
    assert "Mean of the diagonal 0.90 (median 0.90)" in lines[-1]
    assert f"in {COUNT} of {COUNT} rows" in lines[-1]


def test_a_leak_larger_than_the_unit_itself_is_counted():
    assert f"in {COUNT - 1} of {COUNT} rows" in matrix_table(_honest(0.3), np.ones((COUNT, 2)))


def test_the_picture_has_a_cell_for_each_pair_and_a_number_where_something_is_read():
    mean = known_mean(np.concatenate(list(_honest().values()), 2), 2)
    picture = ElementTree.fromstring(matrix_svg(mean))
    tags = [element.tag.rpartition("}")[2] for element in picture]
    assert tags.count("rect") == COUNT * COUNT + 1
    numbers = [element.text for element in picture if element.text in ("1.0", ".4")]
    assert len(numbers) == COUNT + 1


def _sphere(rng: np.random.Generator, frames: int) -> np.ndarray:
    values = rng.normal(size=(frames, 16))
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.mark.parametrize("late", [-7, 0, 4])
def test_the_summit_is_where_lips_and_sound_meet(late):
    rng = np.random.default_rng(0)
    heard = _sphere(rng, 120)
    seen = np.roll(heard, -late, axis=0) + 0.2 * rng.normal(size=heard.shape)
    offset, confidence = summit(cosines(seen, heard))
    assert round(offset) == late
    assert confidence > 0.5


def test_frames_without_a_face_do_not_count():
    rng = np.random.default_rng(0)
    heard = _sphere(rng, 120)
    seen = heard.copy()
    seen[::2] = np.nan
    found = cosines(seen, heard)
    assert np.isnan(found[::2]).all()
    assert summit(found)[0] == pytest.approx(0, abs=0.2)


def test_own_sound_beats_shuffled_sound_and_a_stranger_does_not():
    rng = np.random.default_rng(0)
    heard, others = _sphere(rng, 100), [_sphere(rng, 80), _sphere(rng, 130)]
    own = judged("own", heard + 0.3 * rng.normal(size=heard.shape), heard, others, rng)
    assert own.beaten == 0
    assert own.confidence > 3 * max(own.others, own.shifted)
    low, high = own.confidence_interval
    assert low < own.confidence < high
    stranger = judged("stranger", _sphere(rng, 100), heard, others, rng)
    assert stranger.beaten > 0.1


def test_a_recording_is_never_set_against_its_own_right_place():
    # were one of the shifts undone by the search, its confidence would be the matched one
    heard = _sphere(np.random.default_rng(0), 2 * REACH + 15)
    assert judged("short", heard, heard, [], np.random.default_rng(0)).beaten == 0


def test_short_recordings_are_left_out_and_none_at_all_is_said(tmp_path, capsys):
    import wave

    for name, seconds in (("long", 3.0), ("short", 1.0)):
        with wave.open(str(tmp_path / f"{name}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes((np.random.default_rng(0).normal(size=int(16_000 * seconds)) * 3000).astype("<i2"))
    found = recordings([tmp_path], 2.5)
    assert list(found) == ["long"]
    assert len(found["long"]) == 62 * 640
    assert "short.wav is left out" in capsys.readouterr().err
    with pytest.raises(HMTalkerError, match="no recording"):
        recordings([tmp_path / "short.wav"], 12)


def test_large_cameras_are_made_smaller_and_small_ones_kept():
    camera = load_avatar(ROOT / "assets" / "bundled_avatar.hmt").camera
    assert limited(camera, 10_000).width == camera.width
    assert max(limited(camera, 100).width, limited(camera, 100).height) == 100
