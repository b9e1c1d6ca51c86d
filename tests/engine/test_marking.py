# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that other programs wrote get the mark of synthetic media, and are otherwise what they were."""

from __future__ import annotations

import json
import struct
import zlib

import certificates
import numpy as np
import pytest

from hmtalker import exr_file, png_file
from hmtalker.errors import HMTalkerError
from hmtalker.marking import credentials, is_marked, mark_file, mp4
from hmtalker.png_file import SYNTHETIC_MEDIA, XMP_KEY, synthetic_media_text

TEXT = synthetic_media_text("Anna & Co", "HM-Talker 1", "a face")
SIZE = 48
# 1x1 pixel, JFIF
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300" + "01" * 64 + "ffc0000b080001000101011100"
    "ffc40014000100000000000000000000000000000009ffc40014100100000000000000000000000000000000"
    "ffda0008010100003f0054ffd9"
)


def film(path, container, codec="libx264"):
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=25)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for shade in range(0, 250, 25):
            frame = av.VideoFrame.from_ndarray(np.full((SIZE, SIZE, 3), shade, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def pictures_of(path):
    av = pytest.importorskip("av")
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], dict(container.metadata)


def test_a_png_keeps_its_pixels_and_its_texts(tmp_path):
    path = tmp_path / "picture"  # a file is known by its content
    pixels = np.arange(SIZE * SIZE * 3, dtype=np.uint32).astype(np.uint8).reshape(SIZE, SIZE, 3)
    png_file.write_png(path, pixels, {"Scene": "one", "Software": "another program"})
    chunks = path.read_bytes()[33:]
    assert not is_marked(path)
    assert mark_file(path, TEXT)
    assert is_marked(path)
    texts = png_file.read_text(path)
    assert (texts["Scene"], texts["Software"], texts[XMP_KEY]) == ("one", "another program", TEXT[XMP_KEY])
    assert path.read_bytes().endswith(chunks)
    written = path.read_bytes()
    assert mark_file(path, TEXT)
    assert path.read_bytes() == written


def exr_pixels(data: bytes, texts: int) -> list[bytes]:
    """The blocks that the table leads to. texts: where the header ends."""
    blocks = -(-SIZE // exr_file.ROWS)
    places = struct.unpack_from(f"<{blocks}Q", data, texts)
    found = []
    for number, place in enumerate(places):
        row, size = struct.unpack_from("<ii", data, place)
        assert row == number * exr_file.ROWS
        found.append(zlib.decompress(data[place + 8 : place + 8 + size]))
    return found


def test_the_blocks_of_an_exr_are_found_where_they_are_now(tmp_path):
    path = tmp_path / "picture.exr"
    rgba = np.random.default_rng(0).random((SIZE, SIZE, 4), np.float32).round(1)
    exr_file.write_exr(path, rgba, text={"Scene": "one"})
    data = path.read_bytes()
    header = data.index(b"Scene\0string") + len(b"Scene\0string\0") + 4 + len("one") + 1
    before = exr_pixels(data, header)
    assert mark_file(path, TEXT)
    marked = path.read_bytes()
    more = len(marked) - len(data)
    assert exr_pixels(marked, header + more) == before
    assert exr_file.read_text(path) == {"Scene": "one", **TEXT}
    assert is_marked(path)


def test_a_jpeg_says_it_right_after_its_beginning(tmp_path):
    path = tmp_path / "picture.jpg"
    path.write_bytes(JPEG)
    assert mark_file(path, TEXT)
    data = path.read_bytes()
    assert data.startswith(JPEG[:20] + b"\xff\xe1")
    assert data.endswith(JPEG[20:])
    assert is_marked(path)


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "webm"])
def test_a_film_keeps_its_pictures(tmp_path, container):
    path = film(tmp_path / "film", container, "libvpx-vp9" if container == "webm" else "libx264")
    before, _ = pictures_of(path)
    whole = path.read_bytes()
    assert mark_file(path, TEXT)
    after, said = pictures_of(path)
    assert len(after) == len(before) == 10
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert is_marked(path)
    if container in ("mp4", "mov"):
        assert path.read_bytes().startswith(whole)
        assert mp4.read_xmp(path) == TEXT[XMP_KEY]
    else:
        assert said["DIGITAL_SOURCE_TYPE"] == SYNTHETIC_MEDIA


@pytest.mark.parametrize("container", ["mp4", "matroska"])
def test_an_unfinished_film_is_left_as_it_is(tmp_path, container):
    path = film(tmp_path / "film", container)
    whole = path.read_bytes()
    for length in range(16, len(whole), 37):
        path.write_bytes(whole[:length])
        assert not mark_file(path, TEXT)
        assert path.read_bytes() == whole[:length]


@pytest.mark.parametrize("kind", ["png", "exr"])
def test_an_unfinished_picture_is_left_as_it_is(tmp_path, kind):
    path = tmp_path / "picture"
    picture = np.zeros((SIZE, SIZE, 4))
    whole = png_file.encode_png(picture.astype(np.uint8)) if kind == "png" else exr_file.encode_exr(picture)
    for length in range(16, len(whole) - (0 if kind == "png" else 400), 23):
        path.write_bytes(whole[:length])
        assert not mark_file(path, TEXT)
        assert path.read_bytes() == whole[:length]


@pytest.mark.parametrize("kind", ["png", "exr", "jpg", "mp4", "matroska"])
def test_a_damaged_file_is_no_error(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "png":
        png_file.write_png(path, np.zeros((8, 8, 3), np.uint8), {"Scene": "one"})
    elif kind == "exr":
        exr_file.write_exr(path, np.zeros((8, 8, 4), np.float32))
    elif kind == "jpg":
        path.write_bytes(JPEG)
    else:
        film(path, kind)
    whole, chance = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(whole[: chance.integers(1, len(whole) + 1)])
        for place in chance.integers(0, len(damaged), 3):
            damaged[place] = chance.integers(256)
        path.write_bytes(damaged)
        if mark_file(path, TEXT):
            assert len(path.read_bytes()) >= len(damaged)
        else:
            assert path.read_bytes() == damaged


@pytest.mark.parametrize("content", [b"", b"RIFF\x00\x00\x00\x00AVI LIST", b"\x1a\x45\xdf\xa3", b"\0" * 64])
def test_what_is_none_of_these_is_not_touched(tmp_path, content):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    assert not mark_file(path, TEXT)
    assert path.read_bytes() == content


@pytest.fixture(scope="module")
def signing(tmp_path_factory):
    if not credentials.is_installed():
        pytest.skip("c2pa-python is not installed")
    return credentials.Signing(*certificates.make(tmp_path_factory.mktemp("certificates")))


@pytest.mark.parametrize("kind", ["png", "mp4"])
def test_content_credentials_hold_over_the_marked_file(tmp_path, signing, kind):
    import c2pa

    path = tmp_path / f"file.{kind}"
    if kind == "png":
        png_file.write_png(path, np.full((SIZE, SIZE, 3), 7, np.uint8))
    else:
        film(path, "mp4")
    mark_file(path, TEXT)
    assert credentials.sign(path, signing)
    assert is_marked(path)
    with c2pa.Reader(str(path)) as reader:
        assert reader.get_validation_state() in ("Valid", "Trusted")
        told = json.loads(reader.json())
    actions = json.dumps(told["manifests"][told["active_manifest"]]["assertions"])
    assert SYNTHETIC_MEDIA in actions
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_that_does_not_fit_leaves_the_file_unsigned(tmp_path, signing):
    path = tmp_path / "file.png"
    png_file.write_png(path, np.full((SIZE, SIZE, 3), 7, np.uint8))
    before = path.read_bytes()
    with pytest.raises(HMTalkerError, match="check the certificate"):
        credentials.sign(path, credentials.Signing(signing.certificate, signing.key.with_name("ca.key")))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_said_why_nothing_is_signed(tmp_path, monkeypatch):
    for name in (credentials.CERTIFICATE, credentials.KEY):
        monkeypatch.delenv(name, raising=False)
    assert credentials.from_environment() is None
    monkeypatch.setattr(credentials, "is_installed", lambda: False)
    assert "c2pa-python is not installed" in credentials.unable_reason(None)
    monkeypatch.setattr(credentials, "is_installed", lambda: True)
    assert "not chosen" in credentials.unable_reason(None)
    monkeypatch.setenv(credentials.CERTIFICATE, str(tmp_path / "gone.pem"))
    monkeypatch.setenv(credentials.KEY, str(tmp_path / "gone.key"))
    assert "gone.pem" in credentials.unable_reason(credentials.from_environment())
