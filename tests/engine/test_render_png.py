# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files: pixels and texts survive, and say that they are synthetic."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from hmtalker.png_file import SYNTHETIC_MEDIA, XMP_KEY, encode_png, read_text, synthetic_media_text, write_png


@pytest.mark.parametrize("shape", [(5, 7, 4), (5, 7, 3), (5, 7), (1, 1, 4), (33, 64, 1)])
def test_other_readers_see_the_same_pixels(shape):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    seen = cv2.imdecode(np.frombuffer(encode_png(pixels, {"Title": "Ünïcode"}), np.uint8), cv2.IMREAD_UNCHANGED)
    if seen.ndim == 3:
        seen = seen[..., [2, 1, 0, 3][: seen.shape[2]]]
    np.testing.assert_array_equal(seen.reshape(shape), pixels)


def test_text_round_trip(tmp_path):
    text = {"Software": "HM-Talker", "hmtalker:inputs": "abc", "Author": "Zoë 日本"}
    write_png(tmp_path / "a.png", np.zeros((4, 4, 4), np.uint8), text)
    assert read_text(tmp_path / "a.png") == text


def test_text_of_what_is_no_png_is_empty(tmp_path):
    assert read_text(tmp_path / "missing.png") == {}
    (tmp_path / "b.png").write_bytes(b"not a picture")
    assert read_text(tmp_path / "b.png") == {}
    whole = encode_png(np.zeros((4, 4), np.uint8), {"A": "text"})
    for damaged in (whole[:60], whole.replace(b"text", b"tixt"), whole[:8] + b"\xff" * 8):
        (tmp_path / "c.png").write_bytes(damaged)
        assert read_text(tmp_path / "c.png") == {}


def test_synthetic_media_is_declared_in_xmp():
    text = synthetic_media_text("A <b> & 'C' \x00\x07", "HM-Talker 1", "frame")
    packet = text[XMP_KEY]
    root = ElementTree.fromstring(packet.replace("\ufeff", ""))
    description = root.find(".//{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
    assert description.get("{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType") == SYNTHETIC_MEDIA
    assert "A <b> & 'C'" in "".join(root.itertext())


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4, 4), np.float32),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((0, 4, 4), np.uint8),
        np.zeros(4, np.uint8),
    ],
)
def test_wrong_pixels_are_refused(pixels):
    with pytest.raises(ValueError):
        encode_png(pixels)


def test_impossible_keyword_is_refused():
    for key in ("", "x" * 80):
        with pytest.raises(ValueError):
            encode_png(np.zeros((1, 1), np.uint8), {key: "a"})
