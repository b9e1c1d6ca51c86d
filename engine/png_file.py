# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files with text in them, written and (their text) read without an image library.

Rendered faces carry machine-readable "synthetic media" metadata: an XMP packet with IPTC's digital source type
(https://www.iptc.org/std/photometadata/specification, "Digital Source Type").
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from .atomic_file import write_atomically

SIGNATURE = b"\x89PNG\r\n\x1a\n"
XMP_KEY = "XML:com.adobe.xmp"
"""Keyword by which readers find XMP in a PNG (XMP specification part 3, 1.1.5)."""
SYNTHETIC_MEDIA = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MAX_TEXT = 1 << 20
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
UP = 2
"""Filter type: the difference to the row above, which packs rendered frames well and is one subtraction."""


def synthetic_media_text(creator: str, software: str, description: str = "") -> dict[str, str]:
    """PNG text that says, to people and to machines, that a picture shows no recording of a person.

    creator: whom the avatar is attributed to. software: name and version of this program.
    """
    creator, description = (_printable(value) for value in (creator, description))
    packet = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' Iptc4xmpExt:DigitalSourceType="{SYNTHETIC_MEDIA}" xmp:CreatorTool={quoteattr(software)}>'
        f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{escape(creator)}</rdf:li></rdf:Alt></dc:rights>'
        f'<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{escape(description)}</rdf:li></rdf:Alt>'
        "</dc:description>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
        '<?xpacket end="r"?>'
    )
    return {"Software": software, "Source": SYNTHETIC_MEDIA, XMP_KEY: packet}


def encode_png(pixels: np.ndarray, text: Mapping[str, str] | None = None, compression: int = 4) -> bytes:
    """A PNG of uint8 pixels [H,W], [H,W,1], [H,W,3] or [H,W,4] (straight alpha), marked as sRGB.

    text: keyword (1..79 Latin-1 characters) -> text in Unicode. compression: zlib level 0..9. Raises ValueError.
    """
    image = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] not in COLOUR_TYPES or 0 in image.shape:
        raise ValueError(f"a PNG is made of uint8 [H,W,1, 3 or 4], not of {pixels.dtype} {pixels.shape}")
    height, width, channels = image.shape
    rows = np.ascontiguousarray(image).reshape(height, width * channels)
    filtered = np.empty((height, 1 + rows.shape[1]), np.uint8)
    filtered[:, 0] = UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    parts = [SIGNATURE]
    parts.append(_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)))
    parts.append(_chunk(b"sRGB", b"\0"))
    parts.append(text_chunks(text or {}))
    parts.append(_chunk(b"IDAT", zlib.compress(filtered.tobytes(), compression)))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def text_chunks(text: Mapping[str, str]) -> bytes:
    """The chunks that hold texts in a PNG: keyword (1..79 Latin-1 characters) -> text in Unicode. Raises ValueError."""
    parts = []
    for key, value in text.items():
        keyword = key.encode("latin-1")
        if not 1 <= len(keyword) <= 79 or b"\0" in keyword or "\0" in value:
            raise ValueError(f"{key!r} cannot name a text in a PNG")
        parts.append(_chunk(b"iTXt", keyword + b"\0\0\0\0\0" + value.encode("utf-8")))
    return b"".join(parts)


def write_png(path: str | Path, pixels: np.ndarray, text: Mapping[str, str] | None = None) -> None:
    """Write :func:`encode_png` atomically. Raises OSError, ValueError."""
    write_atomically(Path(path), [encode_png(pixels, text)])


def read_text(path: str | Path) -> dict[str, str]:
    """The uncompressed texts before the pixels of a PNG, keyword -> text; {} where no such file can be read."""
    texts: dict[str, str] = {}
    try:
        with Path(path).open("rb") as file:
            if file.read(8) != SIGNATURE:
                return {}
            while len(head := file.read(8)) == 8:
                length, kind = struct.unpack(">I4s", head)
                if kind in (b"IDAT", b"IEND") or length > MAX_TEXT:
                    break
                data, check = file.read(length), file.read(4)
                if len(data) != length or check != struct.pack(">I", zlib.crc32(kind + data)):
                    return {}
                if kind == b"iTXt":
                    keyword, _, rest = data.partition(b"\0")
                    # Two flags, then language and translated keyword, each ended by a zero byte.
                    if rest[:1] == b"\0":
                        texts[keyword.decode("latin-1")] = rest[2:].split(b"\0", 2)[2].decode("utf-8")
                elif kind == b"tEXt":
                    keyword, _, rest = data.partition(b"\0")
                    texts[keyword.decode("latin-1")] = rest.decode("latin-1")
    except (OSError, IndexError, UnicodeDecodeError):
        return {}
    return texts


def _printable(text: str) -> str:
    """Without the control characters that XML cannot hold."""
    return "".join(character for character in text if character.isprintable() or character == "\n")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
