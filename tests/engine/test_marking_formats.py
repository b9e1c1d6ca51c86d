# SPDX-License-Identifier: GPL-3.0-or-later
"""TIFF, WebP, JPEG 2000, AVI and Ogg get the mark where their formats have a place for it; their pictures stay."""

from __future__ import annotations

import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from test_marking import TEXT, film
from written_files import written_ogg, written_tiff

from hmtalker import exr_file
from hmtalker.marking import avi, is_marked, mark_file, matroska, mp4, ogg
from hmtalker.png_file import SYNTHETIC_MEDIA, XMP_KEY, synthetic_media_text

cv2 = pytest.importorskip("cv2")

PACKET = TEXT[XMP_KEY].encode()
LONG = synthetic_media_text("a" * 3000, "HM-Talker 1")
SHAPE = (37, 53, 3)
PICTURES = {
    "lossy.webp": (cv2.IMWRITE_WEBP_QUALITY, 80),
    "lossless.webp": (cv2.IMWRITE_WEBP_QUALITY, 101),
    "plain.tif": (cv2.IMWRITE_TIFF_COMPRESSION, 1),
    "lzw.tif": (cv2.IMWRITE_TIFF_COMPRESSION, 5),
    "some.jp2": (cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 500),
}
KINDS = [*PICTURES, "avi", "ogg"]


def pixels(channels: int = 3) -> np.ndarray:
    smooth = np.add.outer(np.arange(SHAPE[0]) * 2, np.arange(SHAPE[1]) * 3)
    return np.stack([smooth + 20 * channel for channel in range(channels)], -1).astype(np.uint8)


def make(path: Path, kind: str, channels: int = 3) -> Path:
    if kind == "avi":
        return film(path, kind, "mpeg4")
    if kind == "ogg":
        path.write_bytes(written_ogg())
        return path
    done, data = cv2.imencode(f".{kind.rpartition('.')[2]}", pixels(channels), PICTURES[kind])
    assert done
    path.write_bytes(data.tobytes())
    return path


def seen(path: Path) -> list[np.ndarray]:
    """What OpenCV's decoders, or FFmpeg's, make of it; of an Ogg, its packets."""
    data = path.read_bytes()
    if data[:4] in (b"OggS", b"RIFF") and data[8:12] != b"WEBP":
        av = pytest.importorskip("av")
        with av.open(str(path)) as container:
            if data[:4] == b"OggS":
                return [np.frombuffer(bytes(packet), np.uint8) for packet in container.demux(video=0)]
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return [] if picture is None else [picture]


def equal(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) > 0 and all(map(np.array_equal, one, other))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_said_and_nothing_else_changes(tmp_path, kind):
    path = make(tmp_path / "file", kind)  # a file is known by its content
    before = seen(path)
    assert not is_marked(path)
    assert mark_file(path, TEXT)
    assert is_marked(path)
    assert equal(seen(path), before)
    written = path.read_bytes()
    assert written.count(SYNTHETIC_MEDIA.encode()) == 1
    assert mark_file(path, TEXT)
    assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["lossy.webp", "lossless.webp"])
@pytest.mark.parametrize("channels", [3, 4])
def test_a_webp_says_how_large_and_how_transparent_it_is(tmp_path, kind, channels):
    path = make(tmp_path / "file", kind, channels)
    before = seen(path)
    assert mark_file(path, TEXT)
    data = path.read_bytes()
    assert equal(seen(path), before)
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    found, place = {}, 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        assert name not in found
        found[name] = data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data)
    assert next(iter(found)) == b"VP8X"
    assert found[b"XMP "] == PACKET
    header = found[b"VP8X"]
    assert header[0] == 0x04 | (0x10 if channels == 4 else 0)
    assert [1 + int.from_bytes(header[at : at + 3], "little") for at in (4, 7)] == [SHAPE[1], SHAPE[0]]


def directories(data: bytes, order: str) -> list[dict[int, tuple]]:
    found, (place,) = [], struct.unpack_from(order + "I", data, 4)
    while place:
        assert place % 2 == 0
        (count,) = struct.unpack_from(order + "H", data, place)
        entries = [struct.unpack_from(order + "HHII", data, place + 2 + 12 * number) for number in range(count)]
        assert all(one[0] < other[0] for one, other in pairwise(entries))
        found.append({tag: (kind, count, value) for tag, kind, count, value in entries})
        (place,) = struct.unpack_from(order + "I", data, place + 2 + 12 * count)
    return found


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("pictures", [1, 3])
def test_a_tiff_of_either_order_and_of_several_pictures(tmp_path, order, pictures):
    path = tmp_path / "file.tif"
    whole = written_tiff(order, pictures) + b"odd"
    path.write_bytes(whole)
    _, before = cv2.imreadmulti(str(path), [], cv2.IMREAD_UNCHANGED)
    assert [picture.ravel().tolist() for picture in before] == [
        list(range(8 * number, 8 * number + 8)) for number in range(pictures)
    ]
    assert mark_file(path, TEXT)
    _, after = cv2.imreadmulti(str(path), [], cv2.IMREAD_UNCHANGED)
    assert equal(list(after), list(before))
    data = path.read_bytes()
    assert data[8 : len(whole)] == whole[8:]
    (first, *others), (was, *were) = directories(data, order), directories(whole, order)
    kind, size, place = first.pop(700)
    assert (kind, data[place : place + size]) == (1, PACKET)
    assert (first, others) == (was, were)


def test_bigtiff_and_a_tiff_without_pixels_are_left(tmp_path):
    path = tmp_path / "file.tif"
    for content in (
        b"II+\0\x08\0\0\0" + bytes(64),
        b"II*\0\x08\0\0\0" + struct.pack("<HHHIIHHIII", 2, 256, 4, 1, 40, 257, 4, 1, 40, 0),
    ):
        path.write_bytes(content)
        assert not mark_file(path, TEXT)
        assert path.read_bytes() == content


@pytest.mark.parametrize("kind", ["png", "jpg", "exr", "lossy.webp", "plain.tif", "avi"])
def test_xmp_of_somebody_else_is_not_replaced(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "exr":
        exr_file.write_exr(path, np.ones((4, 6, 4)))
    elif kind in ("png", "jpg"):
        path.write_bytes(cv2.imencode(f".{kind}", pixels())[1].tobytes())
    else:
        make(path, kind)
    assert mark_file(path, TEXT | {XMP_KEY: "<another packet/>"})
    before = path.read_bytes()
    assert not is_marked(path)
    assert not mark_file(path, TEXT)
    assert path.read_bytes() == before


def test_ffmpeg_reads_the_comments_of_a_theora(tmp_path):
    av = pytest.importorskip("av")
    path = make(tmp_path / "film", "ogg")
    with av.open(str(path)) as container:
        before = dict(container.streams.video[0].metadata)
    assert before == {"Scene": "S"}
    assert mark_file(path, TEXT)
    with av.open(str(path)) as container:
        after = dict(container.streams.video[0].metadata)
    assert after == before | {"DIGITAL_SOURCE_TYPE": SYNTHETIC_MEDIA, "ENCODED_BY": "HM-Talker 1"}


def test_an_avi_has_the_text_in_its_space_and_a_long_one_at_its_end(tmp_path):
    path = film(tmp_path / "film", "avi", "mpeg4")
    whole, before = path.read_bytes(), seen(path)
    assert mark_file(path, TEXT)
    data = path.read_bytes()
    assert len(data) == len(whole)
    assert data[data.index(b"movi") :] == whole[whole.index(b"movi") :]
    at = data.index(b"_PMX")
    assert at == whole.rindex(b"JUNK", 0, whole.index(b"movi"))
    assert data[at + 8 :].startswith(PACKET)
    path.write_bytes(whole)
    assert mark_file(path, LONG)
    data = path.read_bytes()
    assert data[8 : len(whole)] == whole[8:]
    assert data[len(whole) :].startswith(b"_PMX")
    assert struct.unpack_from("<I", data, 4) == (len(data) - 8,)
    assert is_marked(path)
    assert equal(seen(path), before)


def test_an_avi_of_several_pieces_has_the_text_in_its_first(tmp_path):
    """What a film of more than a gigabyte is made of, with little in it."""
    path = film(tmp_path / "film", "avi", "mpeg4")
    whole = path.read_bytes()
    several = whole + struct.pack("<4sI4s4sI4s", b"RIFF", 16, b"AVIX", b"LIST", 4, b"movi")
    path.write_bytes(several)
    assert not mark_file(path, LONG)  # at the end of the first there is no room
    assert path.read_bytes() == several
    assert mark_file(path, TEXT)
    assert is_marked(path)
    assert path.read_bytes()[len(whole) :] == several[len(whole) :]


def test_an_ogg_without_room_or_with_a_table_of_places_is_left(tmp_path):
    path = make(tmp_path / "film", "ogg")
    whole = path.read_bytes()
    assert not mark_file(path, {"Source": SYNTHETIC_MEDIA, "Software": "x" * 70_000})
    assert path.read_bytes() == whole
    skeleton = written_ogg(ogg.SKELETON + bytes(56)) + whole
    path.write_bytes(skeleton)
    assert not mark_file(path, TEXT)
    assert path.read_bytes() == skeleton


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_file_is_left_as_it_is(tmp_path, kind):
    path = make(tmp_path / "file", kind)
    whole = path.read_bytes()
    for length in range(16, len(whole) - 1, max(1, len(whole) // 60)):
        path.write_bytes(whole[:length])
        assert not mark_file(path, TEXT)
        assert path.read_bytes() == whole[:length]


@pytest.mark.skipif(sys.platform == "win32", reason="/dev/full")
@pytest.mark.parametrize(("module", "kind"), [(mp4, "plain.tif"), (mp4, "some.jp2"), (avi, "avi")])
def test_a_disk_that_is_full_leaves_the_file_readable(tmp_path, monkeypatch, module, kind):
    """The second write fails: the first one has added nothing that readers follow."""
    path = make(tmp_path / "file", kind)
    before, syncs = seen(path), []

    def full(handle: int) -> None:
        syncs.append(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"{module.__name__}.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mark_file(path, TEXT)
    monkeypatch.undo()
    assert syncs
    assert not is_marked(path)
    assert equal(seen(path), before)


hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_no_error_and_loses_nothing(tmp_path, kind, data):
    path = make(tmp_path / "file", kind)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.one_of(st.integers(0, min(400, len(damaged) - 1)), st.integers(0, len(damaged) - 1)))
        what = data.draw(st.sampled_from((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\x02", b"\xfe")))
        damaged[place : place + len(what)] = what
    if data.draw(st.booleans()):
        damaged = damaged[: data.draw(st.integers(1, len(damaged)))]
    path.write_bytes(damaged)
    if mark_file(path, TEXT):
        assert is_marked(path)
        assert len(path.read_bytes()) >= len(damaged)
    else:
        assert path.read_bytes() == damaged
    assert list(tmp_path.iterdir()) == [path]


def test_a_matroska_list_that_claims_a_petabyte_takes_no_memory(tmp_path):
    path = tmp_path / "film.mkv"
    contents = matroska.SEEK_HEAD + (1 << 56 | 1 << 50).to_bytes(8, "big")
    size = (1 << 56 | len(contents)).to_bytes(8, "big")
    path.write_bytes(matroska.EBML + b"\x80" + matroska.SEGMENT + size + contents)
    assert mark_file(path, TEXT)
    assert is_marked(path)
