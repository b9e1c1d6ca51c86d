# SPDX-License-Identifier: GPL-3.0-or-later
"""Small Ogg and TIFF files, written byte by byte as their specifications have them."""

from __future__ import annotations

import struct

THEORA = bytes.fromhex("807468656f72610302010004000300004000003000000000001800000001000001000001005b8d8000c0")
"""The header of a film of 64 x 48 pixels."""


def page(number: int, packets: list[bytes], flags: int = 0) -> bytes:
    lacing = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    data = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, max(0, number - 1), 7, number, 0, len(lacing))
    data += lacing + b"".join(packets)
    check = 0  # one bit after the other, as RFC 3533 describes it
    for value in data:
        check ^= value << 24
        for _bit in range(8):
            check = check << 1 ^ (0x104C11DB7 if check >> 31 else 0)
    return data[:22] + struct.pack("<I", check) + data[26:]


def written_ogg(first: bytes = THEORA) -> bytes:
    """Pages as FFmpeg arranges them; what a decoder would need is left out."""
    said = b"\x81theora" + struct.pack("<I4sII7s", 4, b"test", 1, 7, b"Scene=S")
    setup, pictures = b"\x82theora" + bytes(range(256)) * 3, [bytes([0x40, number]) * 400 for number in range(5)]
    last = page(7, [b"\0" * 9], flags=4)
    pages = [page(number, [picture]) for number, picture in enumerate(pictures, 2)]
    return page(0, [first], flags=2) + page(1, [said, setup]) + b"".join(pages) + last


def written_tiff(order: str, pictures: int = 1) -> bytes:
    """Pictures of 4 x 2 grey pixels, each with its directory behind it."""
    data = {"<": b"II*\0", ">": b"MM\0*"}[order] + bytes(4)
    leads = 4
    for number in range(pictures):
        place = len(data)
        data += bytes(range(8 * number, 8 * number + 8))
        data = data[:leads] + struct.pack(order + "I", len(data)) + data[leads + 4 :]
        fields = [(256, 4), (257, 2), (258, 8), (259, 1), (262, 1), (277, 1), (278, 2)]
        entries = [struct.pack(order + "HHIHH", tag, 3, 1, value, 0) for tag, value in fields]
        entries[5:5] = [struct.pack(order + "HHII", 273, 4, 1, place)]
        entries.append(struct.pack(order + "HHII", 279, 4, 1, 8))
        data += struct.pack(order + "H", len(entries)) + b"".join(entries)
        leads = len(data)
        data += bytes(4)
    return data
