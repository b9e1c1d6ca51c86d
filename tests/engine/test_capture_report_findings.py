# SPDX-License-Identifier: GPL-3.0-or-later
"""Every finding is made of the capture that it is about, and of no good one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from report_captures import FPS, changed, good_capture, with_sound, with_source, with_units, without_face

from hmtalker.action_units import CODES
from hmtalker.capture.report.facts import CaptureFacts, ClipFacts
from hmtalker.capture.report.findings import Finding, findings, verdict

GOOD = good_capture()
T = GOOD.frames
SECONDS_10_TO_20 = (np.arange(T) >= 250) & (np.arange(T) < 500)


def found_in(facts: CaptureFacts) -> dict[str, Finding]:
    return {finding.key: finding for finding in findings(facts)}


def keep(seconds: float) -> CaptureFacts:
    return good_capture(seconds)


def set_unit(code: str, value: float) -> Callable[[np.ndarray], None]:
    def change(units: np.ndarray) -> None:
        units[:, CODES.index(code)] = value

    return change


def turned(pitch: float, yaw: float) -> CaptureFacts:
    head = GOOD.head.copy()
    head[:, 0] = pitch * np.sin(np.arange(T) / 60)
    head[:, 1] = yaw * np.sin(np.arange(T) / 60)
    return replace(GOOD, head=head)


def two_shots(**moved: float) -> CaptureFacts:
    facts = good_capture(clips=2)
    head = facts.head.copy()
    second = facts.clip_of == 1
    for column, amount in moved.items():
        head[second, ("pitch", "yaw", "roll", "x", "y", "z").index(column)] += amount
    clips = (facts.clips[0], replace(facts.clips[1], shot=1))
    return replace(facts, head=head, clips=clips)


def drifting() -> CaptureFacts:
    half = T // 2
    return replace(GOOD, opening=np.concatenate([GOOD.opening[:half], np.roll(GOOD.opening[half:], 3)]))


BAD: dict[str, tuple[str, CaptureFacts]] = {
    "short": ("stop", keep(12)),
    "no_face": ("stop", without_face(GOOD, np.ones(T, bool))),
    "face_lost": ("warn", without_face(GOOD, SECONDS_10_TO_20)),
    "two_faces": ("warn", replace(GOOD, faces=np.where(SECONDS_10_TO_20 & (GOOD.faces > 0), 2, GOOD.faces))),
    "other_person": ("warn", replace(GOOD, reasons=np.where(SECONDS_10_TO_20, 3, 0))),
    "bad_fit": ("warn", replace(GOOD, reasons=np.where(np.arange(T) % 10 == 0, 2, 0))),
    "jitter": ("warn", replace(GOOD, jitter=(0.8, 0.4))),
    "camera_moved": ("warn", two_shots(x=0.2)),
    "cuts": ("warn", replace(GOOD, cuts=((0, 30.0), (0, 62.5)))),
    "variable_rate": ("warn", with_source(GOOD, variable=True)),
    "slow_rate": ("warn", with_source(GOOD, rate=15.0)),
    "other_rate": ("note", with_source(GOOD, rate=29.97)),
    "dark": ("stop", changed(GOOD, highlight=0.2, light=0.12)),
    "overexposed": ("stop", changed(GOOD, white=0.5, highlight=1.0)),
    "one_sided": ("warn", changed(GOOD, light_left=lambda light: 3 * light)),
    "light_changes": ("warn", changed(GOOD, light=np.where(np.arange(T) % 500 < 150, 0.4, 0.6))),
    "blurred": ("stop", changed(GOOD, blur=0.07, mouth_blur=0.07)),
    "motion_blur": ("warn", changed(GOOD, mouth_blur=np.where(np.arange(T) % 10 == 0, 0.05, 0.018))),
    "grain": ("warn", changed(GOOD, noise=0.03)),
    "small": ("stop", changed(GOOD, size=20.0)),
    "edge": ("warn", changed(GOOD, edge=np.where(SECONDS_10_TO_20, -0.2, 0.8))),
    "no_speech": ("stop", with_sound(GOOD, speech_db=-120.0)),
    "little_speech": ("warn", replace(keep(90), silent=(np.arange(90 * FPS) + 400) % 500 >= 100)),
    "lip_sync": ("stop", good_capture(sound_late=5)),
    "lip_sync_unknown": ("note", replace(GOOD, opening=np.roll(GOOD.opening, 1000))),
    "drift": ("warn", drifting()),
    "no_rest": ("note", replace(GOOD, silent=GOOD.silent & (np.arange(T) > 100))),
    "quiet": ("warn", with_sound(GOOD, speech_db=-55.0)),
    "clipped": ("warn", with_sound(GOOD, clipped=0.1)),
    "noisy": ("warn", with_sound(GOOD, noise_db=-12.0)),
    "narrow_sound": ("warn", with_sound(GOOD, bandwidth=3500.0)),
    "units_missing": ("warn", with_units(GOOD, set_unit("AU12", 0.2))),
    "lip_shapes_missing": ("warn", changed(GOOD, lip_width=0.6)),
    "visemes_missing": ("note", replace(GOOD, clips=(replace(GOOD.clips[0], phones={"S": 300, "AA": 200}),))),
    "little_turning": ("warn", turned(0.005, 0.01)),
    "much_turning": ("warn", turned(0.1, 0.9)),
    "no_blinks": ("warn", with_units(GOOD, set_unit("AU45", 0.0))),
    "stage": ("note", replace(GOOD, warnings=("The clip 'a' was left out.",))),
}  # fmt: skip


def test_nothing_is_found_in_a_good_capture() -> None:
    assert findings(GOOD) == []
    assert verdict([])[0] == "good"


@pytest.mark.parametrize("key", list(BAD))
def test_a_bad_capture_is_called_out(key: str) -> None:
    severity, facts = BAD[key]
    found = found_in(facts)
    assert key in found, f"found only {sorted(found)}"
    finding = found[key]
    assert finding.severity == severity
    assert finding.title.endswith(".")
    assert finding.detail.endswith(".")
    assert "nan" not in (finding.title + finding.detail + finding.remedy).lower()
    assert finding.remedy or key == "stage"
    assert all(0 <= frame < facts.frames for frame in finding.frames)


def test_each_bad_capture_has_little_else_wrong() -> None:
    # what follows from the same cause is allowed, nothing else
    also = {"little_speech": {"short", "lip_shapes_missing"}}
    for key, (_, facts) in BAD.items():
        assert set(found_in(facts)) - {key} <= also.get(key, set()), key


def test_a_capture_with_everything_wrong_is_called_out_finding_by_finding() -> None:
    facts = good_capture(12, sound_late=5)
    faces = np.where(np.arange(facts.frames) % 5 == 0, 2, -1)
    facts = changed(facts, highlight=0.2, light=0.1, blur=0.07, mouth_blur=0.07, light_left=lambda light: 3 * light)
    facts = replace(facts, faces=faces, cuts=((0, 6.0),))
    expected = {"short", "dark", "blurred", "one_sided", "two_faces", "cuts", "lip_sync"}
    found = findings(facts)
    assert expected <= {finding.key for finding in found}
    assert [finding.severity for finding in found] == sorted(
        (finding.severity for finding in found), key=("stop", "warn", "note").index
    )
    assert verdict(found)[0] == "stop"


def test_a_finding_says_where_it_is() -> None:
    span = found_in(BAD["face_lost"][1])["face_lost"].spans
    assert [(s.source, s.begin, s.end) for s in span] == [(0, 10.0, 20.0)]
    lit = found_in(BAD["one_sided"][1])["one_sided"]
    assert "left half" in lit.detail
    assert "3." in lit.detail  # three times, and what the good light already has
    assert "right side" in lit.remedy


@pytest.mark.parametrize(("frames", "word"), [(5, "late"), (-5, "early")])
def test_the_offset_is_told_with_its_direction(frames: int, word: str) -> None:
    title = found_in(good_capture(sound_late=frames))["lip_sync"].title
    milliseconds = int("".join(c for c in title if c.isdigit()))
    assert abs(milliseconds - 200) <= 12
    assert word in title


def test_files_with_different_offsets_are_told_apart() -> None:
    half = T // 2
    late = np.concatenate([GOOD.opening[:half], np.roll(GOOD.opening[half:], 5)])
    source = GOOD.sources[0]
    clips = tuple(
        ClipFacts(name, index, 0, half, GOOD.clips[0].sound, {}, (0.0, 0.0), index)
        for index, name in enumerate(("first", "second"))
    )
    sources = (source, replace(source, name="second", file_name="second.mp4"))
    finding = found_in(replace(GOOD, opening=late, clips=clips, sources=sources))["lip_sync"]
    assert "'second.mp4'" in finding.detail
    assert "'take.mp4'" not in finding.detail


@pytest.mark.parametrize("moved", [{"yaw": 0.4}, {"z": -0.15}])
def test_a_moved_head_between_takes_is_noticed(moved: dict[str, float]) -> None:
    assert "camera_moved" in found_in(two_shots(**moved))
    assert "camera_moved" not in found_in(two_shots(**{name: 0.1 * amount for name, amount in moved.items()}))


def test_a_moving_room_is_noticed() -> None:
    assert "camera_moved" in found_in(replace(GOOD, still_camera=False))
    assert "camera_moved" not in found_in(replace(GOOD, still_camera=None))


def test_units_that_cannot_be_measured_are_not_missed() -> None:
    confidence = np.ones(len(CODES))
    confidence[CODES.index("AU12")] = 0.1
    assert "units_missing" not in found_in(with_units(GOOD, set_unit("AU12", 0.0), confidence=confidence))


@pytest.mark.parametrize("frames", [0, 1, 2, 30])
@pytest.mark.parametrize("odd", ["plain", "nan", "huge", "faceless"])
def test_odd_captures_give_findings_and_no_errors(frames: int, odd: str) -> None:
    facts = good_capture(frames / FPS)
    assert facts.frames == frames
    if frames == 0:
        facts = replace(facts, clips=())
    for name in ("picture", "head", "action_units", "opening", "level"):
        value = {"nan": np.nan, "faceless": np.nan, "huge": 1e30}.get(odd)
        if value is not None and not (odd == "faceless" and name != "picture"):
            facts = replace(facts, **{name: np.full_like(getattr(facts, name), value)})
    found = findings(facts)
    assert verdict(found)[0] == "stop"
    assert all("nan" not in finding.detail.lower() for finding in found)
