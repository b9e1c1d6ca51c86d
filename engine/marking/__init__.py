# SPDX-License-Identifier: GPL-3.0-or-later
"""Marks in finished files that somebody else wrote: they say that a picture or a film is synthetic media.

The text is that of ``png_file.synthetic_media_text``: XMP with IPTC's digital source type. A file is known by its
content and not by its name. One that is unfinished, or not understood to its end, is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from . import avi, matroska, mp4, ogg, pictures, tiff, webp

KINDS = (pictures, tiff, webp, mp4, matroska, avi, ogg)


def mark_file(path: Path, text: Mapping[str, str]) -> bool:
    """Put the mark into a file and say whether it has one now; False for what cannot hold one. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(16)
    for kind in KINDS:
        if kind.knows(head):
            return kind.is_marked(path) or kind.mark(path, text)
    return False


def is_marked(path: Path) -> bool:
    """Say whether a file says of itself that it is synthetic media; False where it cannot be read."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        return any(kind.knows(head) and kind.is_marked(path) for kind in KINDS)
    except OSError:
        return False
