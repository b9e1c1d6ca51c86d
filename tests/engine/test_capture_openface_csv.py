# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of OpenFace become one row for every frame of the footage, whatever happened to them on the way."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from hmtalker import action_units as au
from hmtalker.capture.curves.curves import CurvesError, fill_gaps
from hmtalker.capture.curves.openface_csv import head_rotation, read_openface
from hmtalker.head_pose import HeadPose

Row = dict[str, object]
POSE = ("pose_Tx", "pose_Ty", "pose_Tz", "pose_Rx", "pose_Ry", "pose_Rz")


def row(frame: int, value: float = 1.0, **changes: object) -> Row:
    first: Row = {
        "frame": frame,
        "face_id": 0,
        "timestamp": f"{(frame - 1) / 25:.3f}",
        "confidence": 0.98,
        "success": 1,
    }
    units = {f"{code}_r": value for code in au.CODES} | {"AU28_c": 1}
    return first | dict(zip(POSE, (0, 0, 600, 0, 0, 0), strict=True)) | units | changes


def write(path: Path, rows: list[Row], separator: str = ", ", end: str = "\n") -> Path:
    lines = [separator.join(rows[0]), *(separator.strip(" ").join(str(cell) for cell in r.values()) for r in rows)]
    path.write_text("\n".join(lines) + end, "utf-8")
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "take.csv"


def warned(curves, *words: str) -> bool:
    return any(all(word in warning for word in words) for warning in curves.warnings)


def test_a_plain_table_is_read_as_it_is(table: Path) -> None:
    rows = [row(n, AU12_r=n / 4, AU45_r=0.5) for n in range(1, 11)]
    curves = read_openface(write(table, rows))
    assert curves.codes == au.CODES
    assert curves.values.shape == (10, 17)
    assert curves.values.dtype == np.float32
    np.testing.assert_allclose(curves.values[:, au.CODES.index("AU12")], np.arange(1, 11) / 4, rtol=1e-6)
    np.testing.assert_allclose(curves.values[:, au.CODES.index("AU45")], 0.5)
    np.testing.assert_allclose(curves.confidence, 0.98, rtol=1e-6)
    assert curves.success.all()
    assert curves.fps == 25
    assert not curves.warnings
    assert not curves.missing


@pytest.mark.parametrize("rate", [24000 / 1001, 25.0, 30000 / 1001, 30.0, 50.0, 60.0])
def test_the_frame_rate_is_told_from_rounded_timestamps(table: Path, rate: float) -> None:
    rows = [row(n, timestamp=f"{(n - 1) / rate:.3f}") for n in range(1, 301)]
    assert read_openface(write(table, rows)).fps == pytest.approx(rate, rel=1e-9)


def test_another_frame_rate_than_the_footages_is_reported(table: Path) -> None:
    curves = read_openface(write(table, [row(n) for n in range(1, 51)]), fps=30)
    assert curves.fps == 30
    assert warned(curves, "25", "30", "take.csv")


def test_without_sensible_timestamps_a_rate_is_assumed_and_said(table: Path) -> None:
    curves = read_openface(write(table, [row(n, timestamp=n / 1000) for n in range(1, 51)]))
    assert curves.fps == 25
    assert warned(curves, "timestamps")


def test_dropped_frames_are_interpolated_where_they_belong(table: Path) -> None:
    rows = [row(n, value=n / 10) for n in range(1, 21) if n not in (5, 6, 7)]
    curves = read_openface(write(table, rows), frames=22)
    expected = np.minimum(np.arange(1, 23), 20) / 10
    np.testing.assert_allclose(curves.values, np.repeat(expected[:, None], 17, 1), rtol=1e-5)
    assert np.flatnonzero(~curves.success).tolist() == [4, 5, 6, 20, 21]
    assert curves.confidence[5] == 0
    assert warned(curves, "17 of 22 frames")


def test_rows_without_a_face_are_interpolated_and_flagged(table: Path) -> None:
    rows = [row(n, value=1.0) for n in range(1, 8)]
    rows[3] = row(4, value=0.0, success=0, confidence=0.1, pose_Tz=0)
    curves = read_openface(write(table, rows))
    np.testing.assert_allclose(curves.values, 1)
    assert curves.success.tolist() == [True] * 3 + [False] + [True] * 3
    assert curves.confidence[3] == pytest.approx(0.1)
    np.testing.assert_allclose(curves.head, 0, atol=1e-6)
    assert warned(curves, "1 of 7 frames")


def test_a_table_longer_than_the_footage_is_reported(table: Path) -> None:
    curves = read_openface(write(table, [row(n) for n in range(1, 11)]), frames=8)
    assert curves.frames == 8
    assert warned(curves, "frame 10", "8", "2 rows")


def test_frames_counted_from_nought_are_understood(table: Path) -> None:
    curves = read_openface(write(table, [row(n, value=n / 4) for n in range(6)]))
    np.testing.assert_allclose(curves.values[:, 0], np.arange(6) / 4)


def test_disorder_changes_nothing(table: Path) -> None:
    rows = [row(n, value=n / 10) for n in range(1, 31)]
    expected = read_openface(write(table, rows)).values
    random.Random(0).shuffle(rows)
    curves = read_openface(write(table, rows))
    np.testing.assert_array_equal(curves.values, expected)
    assert warned(curves, "sorted")


def test_of_two_rows_of_a_frame_the_surer_one_is_kept(table: Path) -> None:
    rows = [row(1), row(2, value=4, confidence=0.4), row(2, value=2, confidence=0.9), row(3)]
    curves = read_openface(write(table, rows))
    assert curves.values[1, 0] == 2
    assert warned(curves, "1 line", "first 3")


def test_of_several_faces_the_one_seen_most_is_read(table: Path) -> None:
    rows = [row(n, value=n, face_id=7) for n in range(1, 5)] + [row(n, value=0, face_id=2) for n in range(1, 4)]
    rows += [row(n, value=5, face_id=9, success=0) for n in range(1, 7)]
    curves = read_openface(write(table, rows))
    np.testing.assert_allclose(curves.values[:, 0], [1, 2, 3, 4])
    assert warned(curves, "3 faces", "face 7", "4 frames")


@pytest.mark.parametrize("garbage", ["nan", "-nan(ind)", "inf", "", "#DIV/0!", "1.#QNAN", "½x"])
def test_a_cell_without_a_number_spoils_only_itself(table: Path, garbage: str) -> None:
    rows = [row(n, value=2.0) for n in range(1, 6)]
    rows[2]["AU06_r"] = garbage
    curves = read_openface(write(table, rows))
    np.testing.assert_allclose(curves.values, 2)
    assert curves.success.tolist() == [True, True, False, True, True]
    assert warned(curves, "line 4", "1 cells")


def test_values_out_of_range_are_clipped_and_reported(table: Path) -> None:
    curves = read_openface(write(table, [row(1, AU01_r=-3), row(2, AU01_r=1e30)]))
    assert curves.values[:, 0].tolist() == [0, 5]
    assert warned(curves, "2 values")


def test_a_spreadsheets_way_of_writing_is_understood(table: Path) -> None:
    rows = [row(n, value=n / 8, confidence=0.75) for n in range(1, 9)]
    expected = read_openface(write(table, rows))
    text = write(table, rows, ";").read_text("utf-8").replace(".", ",").replace("\n", "\r\n")
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        table.write_text(text, encoding, newline="")
        curves = read_openface(table)
        np.testing.assert_array_equal(curves.values, expected.values)
        assert curves.confidence[0] == 0.75
        assert curves.fps == 25
    with table.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([list(rows[0]), *(list(r.values()) for r in rows)])
    np.testing.assert_array_equal(read_openface(table).values, expected.values)


def test_a_cut_last_line_is_left_out(table: Path) -> None:
    write(table, [row(n) for n in range(1, 6)])
    table.write_text(table.read_text("utf-8")[:-40], "utf-8")
    curves = read_openface(table)
    assert curves.frames == 4
    assert warned(curves, "last line", "take.csv")


def test_missing_action_units_are_named_and_presence_is_no_intensity(table: Path) -> None:
    rows = [row(n) for n in range(1, 4)]
    for r in rows:
        del r["AU09_r"], r["AU23_r"]
        r["AU09_c"] = 1
    curves = read_openface(write(table, rows))
    assert curves.missing == ("AU09", "AU23")
    np.testing.assert_array_equal(curves.values[:, au.CODES.index("AU09")], 0)
    assert warned(curves, "AU09, AU23")
    assert curves.success.all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["empty"]),
        ("\n\n", ["empty"]),
        ("frame, AU12_r\n", ["no rows"]),
        ("frame, x_0\n1,2\n", ["no column of Action Units"]),
        ("frame, AU12_c\n1,1\n", ["only whether"]),
        ("frame, AU12_r\nx,1\ny,2\n", ["Line 2", "frame number"]),
        ("frame, AU12_r\n1,1\n9999999999,2\n", ["Line 3", "frames"]),
        ("frame, success, AU12_r\n1,0,1\n2,0,2\n", ["no frame in which a face"]),
        ("frame, AU12_r\n1,nan\n", ["no frame in which a face"]),
        ("frame, AU12_r\n1,1\n2," + "9" * (1 << 20) + "\n", ["Line 3"]),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(table: Path, text: str, words: list[str]) -> None:
    table.write_text(text, "utf-8")
    with pytest.raises(CurvesError) as caught:
        read_openface(table)
    assert all(word in str(caught.value) for word in ["take.csv", *words])
    assert "\n" not in str(caught.value)


def test_a_table_of_other_footage_a_folder_and_nothing_at_all_are_refused(table: Path, tmp_path: Path) -> None:
    write(table, [row(n) for n in range(900, 905)])
    with pytest.raises(CurvesError, match="none of the footage's 100 frames"):
        read_openface(table, frames=100)
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(CurvesError, match=path.name):
            read_openface(path)


def test_bytes_of_no_text_are_refused(table: Path) -> None:
    table.write_bytes(np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes())
    with pytest.raises(CurvesError, match=r"take\.csv"):
        read_openface(table)


@pytest.mark.parametrize(
    ("angles", "axis", "sign"),
    [((0.3, 0, 0), 1, -1), ((0, 0.3, 0), 0, -1)],
    ids=["looking down", "turned to the image's left"],
)
def test_the_face_looks_where_openface_says(angles: tuple[float, ...], axis: int, sign: int) -> None:
    rotation = head_rotation(np.array([angles]))[0]
    face = HeadPose(tuple(rotation)).matrix() @ [0, 0, 1]
    assert np.sign(face[axis]) == sign
    assert abs(face[axis]) == pytest.approx(np.sin(0.3))


def test_head_rotation_is_the_same_rotation_in_our_axes() -> None:
    flip = np.diag([1.0, -1.0, -1.0])
    for angles in np.random.default_rng(0).uniform(-1, 1, (50, 3)):
        (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
        x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        pose = HeadPose(tuple(head_rotation(angles[None])[0]))
        np.testing.assert_allclose(pose.matrix(), flip @ x @ y @ z @ flip, atol=1e-12)


def test_head_translation_is_in_metres_about_its_mean(table: Path) -> None:
    rows = [row(1, pose_Tx=0, pose_Ty=0, pose_Tz=600), row(2, pose_Tx=20, pose_Ty=40, pose_Tz=500)]
    curves = read_openface(write(table, rows))
    np.testing.assert_allclose(curves.head[:, 3:] + curves.head_origin, [[0, 0, -0.6], [0.02, -0.04, -0.5]], atol=1e-7)
    np.testing.assert_allclose(curves.head[:, 3:].mean(0), 0, atol=1e-7)


def test_filling_gaps_keeps_what_is_known() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        values, known = rng.normal(size=(9, 3)), rng.random((9, 3)) < 0.5
        filled = fill_gaps(np.where(known, values, np.nan), known)
        assert np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[known], values[known])
        for column in range(3):
            sure = values[known[:, column], column]
            if len(sure):
                assert sure.min() <= filled[:, column].min() <= filled[:, column].max() <= sure.max()


def test_a_damaged_table_is_either_read_or_refused_in_a_sentence(table: Path) -> None:
    whole = write(table, [row(n, value=n / 8) for n in range(1, 20)]).read_bytes()
    for seed in range(100):
        read_damaged(table, bytearray(whole), random.Random(seed))


def read_damaged(table: Path, data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.randint(1, 40)):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 30)]
            case 2:
                data[at:at] = chance.choice([b"\n", b"\0", b'"', b",", b"1e999", b"-", b"\r"])
    table.write_bytes(data)
    said, curves = table.name, None
    try:
        curves = read_openface(table, frames=19)
    except CurvesError as error:
        said = str(error)
    assert table.name in said
    if curves is not None:
        assert curves.values.shape == (19, 17)
        assert np.isfinite(curves.values).all()
        assert 0 <= curves.values.min() <= curves.values.max() <= 5
        assert curves.head is None or np.isfinite(curves.head).all()
