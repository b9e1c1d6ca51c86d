# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of ARKit's shapes become steady curves, and shapes become Action Units and back."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from hmtalker import action_units as au
from hmtalker.capture.curves.arkit_action_units import (
    ARKIT_NAMES,
    TABLE,
    action_units_to_arkit,
    arkit_index,
    arkit_to_action_units,
    to_action_unit_curves,
)
from hmtalker.capture.curves.curves import CurvesError, resample
from hmtalker.capture.curves.livelink_csv import read_livelink

JAW = ARKIT_NAMES.index("jawOpen")
APP_NAMES = [
    name[0].upper() + name[1:] for name in sorted(ARKIT_NAMES, key=lambda name: (not name.startswith("eye"), name))
]
ANGLES = [
    "HeadYaw",
    "HeadPitch",
    "HeadRoll",
    *(f"{s}Eye{a}" for s in ("Left", "Right") for a in ("Yaw", "Pitch", "Roll")),
]


@pytest.fixture
def take(tmp_path: Path) -> Path:
    return tmp_path / "MySlate_1.csv"


def timecode(count: float, rate: int = 60, start: int = 50_000, mark: str = ":") -> str:
    second = start + int(count // rate)
    hours, minutes = second // 3600 % 24, second // 60 % 60
    return f"{hours:02d}:{minutes:02d}:{second % 60:02d}{mark}{count % rate:06.3f}"


def write(
    path: Path,
    times: Sequence[object],
    jaw: Callable[[int], object] = lambda n: 0.25,
    head: Sequence[float] = (0.1, 0.2, 0.3),
    names: Sequence[str] = APP_NAMES,
    time: str = "Timecode,BlendShapeCount",
) -> Path:
    lines = [",".join([time, *names, *ANGLES])]
    for n, moment in enumerate(times):
        shapes = [str(jaw(n)) if arkit_index(name) == JAW else "0.5" for name in names]
        lines.append(",".join([str(moment), *(["61"] if "," in time else []), *shapes, *map(str, head), *["0"] * 6]))
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def warned(curves, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in curves.warnings)


def test_a_take_of_the_app_is_resampled_to_the_wanted_rate(take: Path) -> None:
    curves = read_livelink(write(take, [timecode(n + 0.3) for n in range(600)]))
    assert curves.codes == ARKIT_NAMES
    assert curves.values.shape == (250, 52)
    assert curves.fps == 25
    assert curves.success.all()
    np.testing.assert_allclose(curves.values[:, JAW], 0.25, rtol=1e-6)
    np.testing.assert_allclose(np.delete(curves.values, JAW, 1), 0.5, rtol=1e-6)
    assert not curves.warnings


def test_the_heads_angles_become_pitch_yaw_roll(take: Path) -> None:
    times = [timecode(n) for n in range(60)]
    curves = read_livelink(write(take, times))
    np.testing.assert_allclose(curves.head, np.tile([0.2, 0.1, -0.3, 0, 0, 0], (25, 1)), atol=1e-6)
    turned = read_livelink(write(take, times, head=(10, 20, 30)), head_signs=(-1, -1, 1))
    np.testing.assert_allclose(turned.head[:, :3], np.radians([[-20, -10, 30]] * 25), rtol=1e-5)
    assert warned(turned, "degrees")


@pytest.mark.parametrize("rate", [24, 25, 30, 60])
def test_a_second_of_the_timecode_has_as_many_frames_as_it_shows(take: Path, rate: int) -> None:
    curves = read_livelink(write(take, [timecode(n, rate) for n in range(4 * rate)], jaw=lambda n: n / (4 * rate)))
    assert curves.frames == 100
    np.testing.assert_allclose(curves.values[5:-5, JAW], (np.arange(5, 95) + 0.5) / 100 - 0.5 / (4 * rate), atol=1e-5)


def test_the_same_rate_leaves_every_row_as_it_is(take: Path) -> None:
    curves = read_livelink(write(take, [timecode(n) for n in range(240)], jaw=lambda n: n % 7 / 7), fps=60)
    np.testing.assert_allclose(curves.values[:, JAW], np.arange(240) % 7 / 7, atol=1e-4)


def test_midnight_passes_unnoticed(take: Path) -> None:
    day = write(take, [timecode(n) for n in range(300)], jaw=lambda n: n / 300)
    expected = read_livelink(day)
    night = read_livelink(write(take, [timecode(n, start=86_398) for n in range(300)], jaw=lambda n: n / 300))
    np.testing.assert_allclose(night.values, expected.values, atol=1e-6)
    assert not night.warnings


def test_labels_left_out_by_drop_frame_are_no_gap(take: Path) -> None:
    # 59.94 frames a second: each minute but the tenth begins with label 4.
    labels = [n for n in range(3000, 4200) if n not in range(3600, 3604)]
    curves = read_livelink(write(take, [timecode(n, start=0, mark=";") for n in labels], jaw=lambda n: n / 1200))
    seconds = len(labels) * 1.001 / 60
    assert curves.frames == round(seconds * 25)
    assert curves.success.all()
    assert np.abs(np.diff(curves.values[2:-2, JAW], 2)).max() < 1e-4


def test_fast_flicker_does_not_alias(take: Path) -> None:
    # 25 Hz sampled at 25 frames a second would stand still at an arbitrary height.
    wave = [0.5 + 0.5 * np.sin(2 * np.pi * 25 * n / 60) for n in range(600)]
    curves = read_livelink(write(take, [timecode(n) for n in range(600)], jaw=lambda n: wave[n]))
    assert np.abs(curves.values[2:-2, JAW] - 0.5).max() < 0.04


def test_frames_without_rows_are_interpolated_and_flagged(take: Path) -> None:
    counts = [n for n in range(300) if not 100 <= n < 160]
    curves = read_livelink(write(take, [timecode(n) for n in counts], jaw=lambda n: counts[n] / 300))
    assert 20 <= np.count_nonzero(~curves.success) <= 25
    assert not curves.success[54]
    np.testing.assert_allclose(np.diff(curves.values[3:-3, JAW]), 0.008, atol=1e-4)
    assert warned(curves, "no row", "125 frames")


def test_a_few_wrong_times_do_not_become_hours_of_curves(take: Path) -> None:
    with pytest.raises(CurvesError, match="13 rows for 60 minutes"):
        read_livelink(write(take, [*(timecode(n) for n in range(12)), timecode(60 * 3600)]))


def test_rows_in_disorder_and_repeated_rows_change_nothing(take: Path) -> None:
    times = [timecode(n) for n in range(120)]
    expected = read_livelink(write(take, times, jaw=lambda n: n / 120))
    lines = take.read_text("utf-8").splitlines()
    body = lines[1:] + lines[20:30]
    random.Random(1).shuffle(body)
    take.write_text("\n".join([lines[0], *body]), "utf-8")
    curves = read_livelink(take)
    np.testing.assert_allclose(curves.values, expected.values, atol=1e-6)
    assert warned(curves, "sorted")
    assert warned(curves, "10 lines", "repeat")


def test_rows_without_a_face_and_spoilt_cells_are_interpolated(take: Path) -> None:
    write(take, [timecode(n) for n in range(120)], jaw=lambda n: "oops" if n == 50 else 0.25)
    lines = take.read_text("utf-8").splitlines()
    lines[31] = f"{timecode(30)},0" + "," * (len(APP_NAMES) + 9)
    lines[-1] = lines[-1][:100]
    take.write_text("\n".join(lines), "utf-8")
    curves = read_livelink(take)
    np.testing.assert_allclose(curves.values[:, JAW], 0.25, rtol=1e-6)
    assert warned(curves, "1 lines", "no face")
    assert warned(curves, "1 cells")
    assert warned(curves, "last line")


@pytest.mark.parametrize(
    ("header", "times"),
    [
        ("timestamp", [n / 30 for n in range(90)]),
        ("timestamp_ms", [n * 1000 / 30 for n in range(90)]),
        ("time", [5000 + n * 1000 / 30 for n in range(90)]),
        ("Timecode", [f"01:00:{n / 30:06.3f}" for n in range(90)]),
    ],
)
@pytest.mark.parametrize(
    "spell", [str, str.upper, lambda name: "".join("_" + c.lower() if c.isupper() else c for c in name)]
)
def test_plain_tables_are_read_however_they_spell(
    take: Path, header: str, times: list[object], spell: Callable[[str], str]
) -> None:
    names = [spell(name) for name in ARKIT_NAMES]
    curves = read_livelink(write(take, times, jaw=lambda n: n / 90, names=names, time=header))
    assert curves.frames == 75
    assert not curves.missing
    np.testing.assert_allclose(curves.values[10, JAW], (10.5 / 25 * 30 - 0.5) / 90, atol=1e-4)


def test_without_times_rows_are_counted(take: Path) -> None:
    curves = read_livelink(write(take, range(60), names=ARKIT_NAMES, time="note"))
    assert curves.frames == 25
    assert warned(curves, "60 rows a second")
    assert read_livelink(take, source_fps=30).frames == 50


def test_percent_and_missing_shapes_are_said(take: Path) -> None:
    names = [name for name in APP_NAMES if name != "TongueOut"]
    curves = read_livelink(write(take, [timecode(n) for n in range(60)], jaw=lambda n: 25, names=names))
    np.testing.assert_allclose(curves.values[:, JAW], 0.25, rtol=1e-6)
    assert curves.missing == ("tongueOut",)
    assert warned(curves, "percent")
    assert warned(curves, "tongueOut")


def test_what_is_no_take_is_refused_in_a_sentence(take: Path, tmp_path: Path) -> None:
    header = write(take, []).read_text("utf-8")
    for text, words in [
        ("", "empty"),
        (header, "no rows"),
        ("Timecode,JawOpen\n00:00:00:00,1\n", "1 of ARKit's 52"),
        (header + "soon,61" + ",0" * 61 + "\n", "no readable times"),
        (header + timecode(0) + ",0" + "," * 61 + "\n", "no row with a face"),
    ]:
        take.write_text(text, "utf-8")
        with pytest.raises(CurvesError, match=words) as caught:
            read_livelink(take)
        assert take.name in str(caught.value)
    write(take, [0.0, 0.02, 0.04, 1e7, 2e7], time="seconds")
    with pytest.raises(CurvesError, match="more than 6 hours"):
        read_livelink(take)
    with pytest.raises(CurvesError, match="absent"):
        read_livelink(tmp_path / "absent.csv")


def test_one_wrong_time_does_not_stretch_the_take(take: Path) -> None:
    times = [timecode(n) for n in range(120)]
    times[70] = "2" + times[70][1:]
    curves = read_livelink(write(take, times))
    assert curves.frames == 50
    assert warned(curves, "1 lines", "sensible time", "first 72")


def test_a_damaged_take_is_either_read_or_refused_in_a_sentence(take: Path) -> None:
    whole = write(take, [timecode(n) for n in range(30)], jaw=lambda n: n / 30).read_bytes()
    for seed in range(60):
        read_damaged(take, bytearray(whole), random.Random(seed))


def read_damaged(take: Path, data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 30)):
        at = chance.randrange(len(data))
        data[at : at + chance.randrange(20)] = chance.choice([b"\n", b"\0", b'"', b",", b"1e999", b"-", b":", b"\xff"])
    take.write_bytes(data)
    said, curves = take.name, None
    try:
        curves = read_livelink(take)
    except CurvesError as error:
        said = str(error)
    assert take.name in said
    if curves is not None:
        assert np.isfinite(curves.values).all()
        assert 0 <= curves.values.min() <= curves.values.max() <= 1
        assert curves.head is None or np.isfinite(curves.head).all()


def test_the_mean_over_a_window_is_exact_for_straight_lines() -> None:
    times = np.array([0.0, 1.0, 2.0, 4.0])
    values = np.array([[0.0, 1.0], [2.0, 1.0], [0.0, 1.0], [4.0, 1.0]])
    means = resample(times, values, np.array([1.0, 3.0, -5.0, 9.0]), 2.0)
    np.testing.assert_allclose(means, [[1, 1], [2, 1], [0, 1], [4, 1]], atol=1e-12)


@pytest.mark.parametrize("code", TABLE)
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_each_action_unit_alone_survives_the_round_trip(code: str, share: float) -> None:
    intensity = share * (2 if code == "AU45" else 5)
    units = np.zeros((1, 17), np.float32)
    if code in au.CODES:
        units[0, au.CODES.index(code)] = intensity
    pucker, funnel = (intensity if code == name else 0.0 for name in ("AU18", "AU22"))
    weights = action_units_to_arkit(units, pucker, funnel)
    assert weights.max() > 0.05
    back = arkit_to_action_units(weights)
    np.testing.assert_allclose(back.action_units, units, atol=1e-5)
    np.testing.assert_allclose([back.pucker[0], back.funnel[0]], [pucker, funnel], atol=1e-5)


def test_any_expression_survives_the_round_trip() -> None:
    units = au.clip(np.random.default_rng(0).uniform(0, 5, (2000, 17)))
    weights = action_units_to_arkit(units, units[:, 0], units[:, 1])
    assert weights.shape == (2000, 52)
    assert 0 <= weights.min() <= weights.max() <= 1 + 1e-6
    back = arkit_to_action_units(weights)
    np.testing.assert_allclose(back.action_units, units, atol=2e-5)
    np.testing.assert_allclose(back.pucker, units[:, 0], atol=1e-5)
    np.testing.assert_allclose(back.funnel, units[:, 1], atol=1e-5)


def test_out_of_range_is_clipped_both_ways() -> None:
    assert action_units_to_arkit(np.full((1, 17), 99.0)).max() <= 1
    back = arkit_to_action_units(np.full((1, 52), 9.0))
    np.testing.assert_array_equal(back.action_units <= au.CONDITION_MAXIMUM, True)


def test_closed_lids_are_two_and_one_eye_counts_half() -> None:
    weights = np.array([[1.0, 1.0], [1.0, 0.0]])
    back = arkit_to_action_units(weights, ["EyeBlink_L", "eye_blink_right"]).action_units
    np.testing.assert_allclose(back[:, au.CODES.index("AU45")], [2, 1])


def test_a_jaw_parts_free_lips_and_not_closed_ones() -> None:
    back = arkit_to_action_units(np.array([[0.4, 0.0], [0.4, 0.4]]), ["jawOpen", "mouthClose"]).action_units
    np.testing.assert_allclose(back[:, au.CODES.index("AU26")], 2, rtol=1e-6)
    np.testing.assert_allclose(back[:, au.CODES.index("AU25")], [3, 0], atol=1e-6)


def test_names_are_known_in_any_spelling() -> None:
    assert len(ARKIT_NAMES) == len(set(ARKIT_NAMES)) == 52
    for name in ("mouthSmileLeft", "MouthSmileLeft", "mouth_smile_left", "mouthSmile_L", "MOUTHSMILE.L", "mouthSmileL"):
        assert arkit_index(name) == ARKIT_NAMES.index("mouthSmileLeft")
    assert arkit_index("jawLeft") == ARKIT_NAMES.index("jawLeft")
    assert arkit_index("_neutral") is None
    with pytest.raises(ValueError):
        arkit_to_action_units(np.zeros((2, 3)), ["jawOpen"])


def test_a_take_becomes_curves_of_action_units(take: Path) -> None:
    names = [name for name in APP_NAMES if not name.startswith("NoseSneer")]
    curves = to_action_unit_curves(read_livelink(write(take, [timecode(n) for n in range(60)], names=names)))
    assert curves.codes == au.CODES
    assert curves.values.shape == (25, 17)
    assert curves.missing == ("AU09",)
    assert curves.values[0, au.CODES.index("AU12")] == pytest.approx(2.5)
