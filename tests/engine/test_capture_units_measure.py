# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units of footage: rest, parted lips, blinks, gaps in the tracking, cuts."""

from __future__ import annotations

import numpy as np
import pytest

from hmtalker.action_unit_sets import EXTENDED, OPENFACE_17
from hmtalker.capture.face.blendshape_names import BLENDSHAPES
from hmtalker.capture.units import face_features as ff
from hmtalker.capture.units.calibration import SILENT_MARGIN, calibrate, far_from
from hmtalker.capture.units.face_space import load_face_space
from hmtalker.capture.units.measure import UnitCurves, measure_units

SPACE = load_face_space()
NAMES = ff.feature_names()
AT = {code: index for index, code in enumerate(OPENFACE_17.codes)}
TALK = np.clip(np.sin(np.arange(150) / 2.5), 0, None)
"""Openings of a mouth that speaks for six seconds: 0 closed, 1 wide."""
SPEAKING = np.arange(200) >= 50


def faces(gap: np.ndarray, shut: np.ndarray | None = None, seed: int = 0) -> np.ndarray:
    """Feature rows of a face whose lips part by `gap` (eye distances) and whose lids close by `shut` 0..1."""
    rng = np.random.default_rng(seed)
    face = np.repeat(SPACE.mean[None], len(gap), 0)
    inner_lips = face[0, ff.UPPER_LIP_INNER, 1] - face[0, ff.LOWER_LIP_INNER, 1]
    lower = [ff.LOWER_LIP_INNER, ff.LOWER_LIP, *ff.LOWER_LIP_SIDE, *ff.LOWER_LIP_INNER_SIDE, ff.CHIN, ff.CHIN_FOLD]
    face[:, lower, 1] -= (gap - inner_lips)[:, None]
    for upper, under in zip(ff.UPPER_LID, ff.LOWER_LID, strict=True):
        opening = face[:, list(upper), 1].mean(1) - face[:, list(under), 1].mean(1)
        face[:, list(upper), 1] -= (opening * (0 if shut is None else shut))[:, None]
    pixels = 90 * face * [1, -1, -1] + [200, 150, 0] + rng.normal(0, 0.02, face.shape)
    return ff.face_features(pixels, np.full((len(gap), len(BLENDSHAPES)), 0.05))


def spoken_clip(seed: int = 0) -> np.ndarray:
    """Two seconds of silence, six of speech."""
    return faces(np.concatenate([np.zeros(50), 0.16 * TALK]), seed=seed)


def measured(*clips: np.ndarray, silent: np.ndarray | None = None, **options: object) -> UnitCurves:
    numbers = np.repeat(np.arange(len(clips)), [len(clip) for clip in clips])
    if silent is None:
        silent = np.concatenate([~SPEAKING for _ in clips])
    return measure_units(clips, np.ones(len(numbers), bool), silent, numbers, **options)  # type: ignore[arg-type]


def test_parted_lips_follow_the_gap_and_touch_when_it_is_closed() -> None:
    curves = measured(spoken_clip())
    lips = curves.values[:, AT["AU25"]]
    assert np.corrcoef(lips[50:], TALK)[0, 1] > 0.99
    assert lips[:50].max() == 0
    assert lips[50:][TALK == 0].max() == 0
    assert lips.max() == pytest.approx(3.3, abs=0.2)  # the loudest speech of a usual mouth


def test_a_face_that_rests_shows_nothing() -> None:
    curves = measured(spoken_clip())
    assert curves.rest_frames > 30
    assert curves.warnings == ()
    assert curves.values[10:40].max() < 0.1


def test_a_blink_is_a_blink_and_brows_hold_over_it() -> None:
    shut = np.zeros(200)
    shut[100:104] = [0.6, 1.0, 1.0, 0.5]
    curves = measured(faces(np.concatenate([np.zeros(50), 0.16 * TALK]), shut))
    lids = curves.values[:, AT["AU45"]]
    assert lids[101:103].min() == pytest.approx(2.0)
    assert 0.5 < lids[100] < 1.9
    assert lids[:99].max() < 0.1
    assert curves.values[101:103, AT["AU05"]].max() == 0
    for code in ("AU01", "AU02", "AU04", "AU06", "AU07"):
        held = curves.values[98:107, AT[code]]
        np.testing.assert_allclose(np.diff(held[1:-1], n=2), 0, atol=1e-6)


def test_lids_that_never_close_do_not_blink() -> None:
    narrowed = 0.15 * np.clip(np.sin(np.arange(200) / 9), 0, None)
    curves = measured(faces(np.concatenate([np.zeros(50), 0.16 * TALK]), narrowed))
    assert curves.values[:, AT["AU45"]].max() < 0.2


def test_frames_without_a_face_are_bridged_inside_their_clip_only() -> None:
    clip = spoken_clip()
    lost = clip.copy()
    lost[53:56] = np.nan  # the mouth is open before and after
    curves, whole = measured(lost, spoken_clip(1)), measured(clip, spoken_clip(1))
    assert (curves.frame_confidence[53:56] == 0).all()
    assert (curves.frame_confidence[[52, 56]] > 0).all()
    lips = curves.values[52:57, AT["AU25"]]
    np.testing.assert_allclose(lips, np.linspace(lips[0], lips[-1], 5), atol=0.3)  # half of it is smoothed
    # the other clip does not change but for the rest and the range, which are the person's
    np.testing.assert_allclose(curves.values[200:], whole.values[200:], atol=0.02)


def test_a_clip_without_any_face_is_still() -> None:
    curves = measured(
        spoken_clip(), np.full((30, len(NAMES)), np.nan, np.float32), silent=np.r_[~SPEAKING, [False] * 30]
    )
    assert (curves.values[200:] == 0).all()
    assert (curves.frame_confidence[200:] == 0).all()
    assert curves.values[:200, AT["AU25"]].max() > 2


def test_usable_can_leave_frames_out() -> None:
    clip = spoken_clip()
    lost = clip.copy()
    lost[53:56] = np.nan
    clip[53:56] += 3  # wild rows that the caller has found out
    usable = np.ones(200, bool)
    usable[53:56] = False
    curves = measure_units([clip], usable, ~SPEAKING, np.zeros(200, int))
    np.testing.assert_array_equal(curves.values, measured(lost).values)
    np.testing.assert_array_equal(curves.frame_confidence, measured(lost).frame_confidence)


@pytest.mark.parametrize("frames", [0, 1, 2, 6])
def test_short_footage_is_measured(frames: int) -> None:
    curves = measured(spoken_clip()[:frames], silent=np.ones(frames, bool))
    assert curves.values.shape == (frames, 17)
    assert np.isfinite(curves.values).all()
    assert curves.frame_confidence.shape == (frames,)


def test_footage_without_a_face_says_so() -> None:
    curves = measured(np.full((60, len(NAMES)), np.nan, np.float32), silent=np.ones(60, bool))
    assert (curves.values == 0).all()
    assert (curves.confidence == 0).all()
    assert curves.rest_frames == 0
    assert curves.warnings == ("No frame shows a face; all Action Units are 0.",)


def test_without_silence_rest_is_the_smallest_mouth_and_a_warning() -> None:
    curves = measured(spoken_clip(), silent=np.zeros(200, bool))
    assert len(curves.warnings) == 1
    assert curves.warnings[0].startswith("There is no silence to take the resting face from")
    assert curves.rest_frames >= 10
    assert np.corrcoef(curves.values[50:, AT["AU25"]], TALK)[0, 1] > 0.99


def test_lips_that_rest_apart_are_said() -> None:
    gap = np.concatenate([np.full(50, 0.08), 0.16 * TALK])
    curves = measured(faces(gap))
    assert len(curves.warnings) == 1
    assert curves.warnings[0].startswith("The lips stay apart in silence")
    assert curves.values[:50, AT["AU25"]].min() > 1  # the gap is still a gap


def test_both_sets_say_the_same_of_the_same_footage() -> None:
    clip = spoken_clip()
    small, large = measured(clip), measured(clip, unit_set=EXTENDED)
    assert large.codes == EXTENDED.codes
    np.testing.assert_array_equal(large.values[:, :17], small.values)
    np.testing.assert_array_equal(large.confidence[:17], small.confidence)
    for values, unit_set in ((small.values, OPENFACE_17), (large.values, EXTENDED)):
        assert values.dtype == np.float32
        assert (values >= 0).all()
        assert (values <= unit_set.maxima).all()


def test_values_of_huge_features_stay_in_range() -> None:
    clip = spoken_clip()
    clip[150] = 1e30
    curves = measured(clip)
    assert np.isfinite(curves.values).all()
    assert curves.values.max() <= 5


def test_arrays_must_go_together() -> None:
    clip = spoken_clip()
    with pytest.raises(ValueError, match="all must be as many"):
        measure_units([clip], np.ones(199, bool), ~SPEAKING, np.zeros(200, int))
    with pytest.raises(ValueError, match="must not fall"):
        measure_units([clip], np.ones(200, bool), ~SPEAKING, np.arange(200)[::-1])


def test_rest_keeps_away_from_speech_and_does_not_look_across_cuts() -> None:
    busy = np.zeros(30, bool)
    busy[14] = True
    clips = np.repeat([0, 1], 15)
    far = far_from(busy, clips, SILENT_MARGIN)
    assert np.flatnonzero(~far).tolist() == [10, 11, 12, 13, 14]


def test_a_clips_own_bias_is_mostly_taken_away() -> None:
    clip, other = spoken_clip(), spoken_clip(1)
    brow = NAMES.index("inner_browL")
    other[:, brow] += 0.02
    rows, numbers = np.concatenate([clip, other]), np.repeat([0, 1], 200)
    calibration = calibrate(rows, NAMES, np.ones(400, bool), np.tile(~SPEAKING, 2), numbers)
    left = calibration.relative(rows, numbers)[:, brow]
    difference = abs(np.median(left[200:]) - np.median(left[:200]))
    assert 0.2 * 0.02 < difference < 0.5 * 0.02
