# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR frames: what is written is what is read, here by a reader of the test's own, made from the specification."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest

from hmtalker import exr_file


def decode(data: bytes) -> tuple[dict[str, tuple[str, bytes]], dict[str, np.ndarray]]:
    """Header attributes, and channels as arrays, of a single-part scan-line file packed with zip."""
    assert struct.unpack_from("<II", data) == (20000630, 2)
    place, attributes = 8, {}

    def word() -> str:
        nonlocal place
        end = data.index(b"\0", place)
        text, place = data[place:end].decode(), end + 1
        return text

    while data[place]:
        name, kind = word(), word()
        (size,) = struct.unpack_from("<i", data, place)
        attributes[name] = kind, data[place + 4 : place + 4 + size]
        place += 4 + size
    place += 1
    x0, y0, x1, y1 = struct.unpack("<4i", attributes["dataWindow"][1])
    width, height = x1 - x0 + 1, y1 - y0 + 1
    table, channels = attributes["channels"][1], []
    while table[0]:
        name, table = table.split(b"\0", 1)
        channels.append((name.decode(), {1: "<f2", 2: "<f4"}[struct.unpack_from("<i", table)[0]]))
        table = table[16:]
    planes = {name: np.zeros((height, width), kind) for name, kind in channels}
    row_bytes = sum(np.dtype(kind).itemsize for _, kind in channels) * width
    blocks = -(-height // 16)
    for start in struct.unpack_from(f"<{blocks}Q", data, place):
        first, size = struct.unpack_from("<ii", data, start)
        lines = min(16, height - first)
        packed = data[start + 8 : start + 8 + size]
        raw = packed if size == lines * row_bytes else unpacked(zlib.decompress(packed))
        at = 0
        for line in range(first, first + lines):
            for name, kind in channels:
                length = np.dtype(kind).itemsize * width
                planes[name][line] = np.frombuffer(raw[at : at + length], kind)
                at += length
    return attributes, planes


def unpacked(data: bytes) -> bytes:
    """Undo the differences, then bring the two halves together again."""
    steps = np.frombuffer(data, np.uint8).astype(np.int64)
    steps[1:] -= 128
    parted = (np.cumsum(steps) % 256).astype(np.uint8)
    middle = (len(parted) + 1) // 2
    whole = np.empty_like(parted)
    whole[0::2], whole[1::2] = parted[:middle], parted[middle:]
    return whole.tobytes()


@pytest.mark.parametrize("shape", [(1, 1), (16, 5), (17, 33), (40, 7)])
def test_pixels_come_back(shape):
    rng = np.random.default_rng(1)
    rgba, depth = rng.random((*shape, 4), np.float32), rng.random(shape, np.float32) * 3
    _, planes = decode(exr_file.encode_exr(rgba, depth))
    for channel, name in enumerate("RGBA"):
        assert np.array_equal(planes[name], rgba[..., channel].astype(np.float16))
    assert np.array_equal(planes["Z"], depth)


def test_a_plain_area_is_packed():
    rgba = np.zeros((64, 64, 4), np.float32)
    assert len(exr_file.encode_exr(rgba)) < 64 * 64 * 8 / 10


def test_channels_stand_in_the_order_of_the_alphabet():
    attributes, planes = decode(exr_file.encode_exr(np.ones((2, 2, 4), np.float32), np.ones((2, 2), np.float32)))
    assert list(planes) == ["A", "B", "G", "R", "Z"]
    assert attributes["compression"] == ("compression", b"\x03")


def test_values_beyond_half_floats_do_not_become_infinite():
    _, planes = decode(exr_file.encode_exr(np.full((1, 2, 4), 1e6, np.float32)))
    assert np.isfinite(planes["R"]).all()


def test_text_comes_back(tmp_path):
    text = {"Software": "HM-Talker", "XML:com.adobe.xmp": "<x>é\n</x>", "hmtalker:inputs": "abc"}
    exr_file.write_exr(tmp_path / "a.exr", np.ones((20, 3, 4), np.float32), text=text)
    assert exr_file.read_text(tmp_path / "a.exr") == text


@pytest.mark.parametrize(
    "content", [b"", b"not an EXR", exr_file.MAGIC, exr_file.MAGIC + b"name\0kind\0\xff\xff\xff\x7f"]
)
def test_other_files_have_no_text(tmp_path, content):
    (tmp_path / "a.exr").write_bytes(content)
    assert exr_file.read_text(tmp_path / "a.exr") == {}
    assert exr_file.read_text(tmp_path / "missing.exr") == {}


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="rgba"):
        exr_file.encode_exr(np.ones((2, 2, 3), np.float32))
    with pytest.raises(ValueError, match="name a text"):
        exr_file.encode_exr(np.ones((2, 2, 4), np.float32), text={"x" * 32: "y"})
