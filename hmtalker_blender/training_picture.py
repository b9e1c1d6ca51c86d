# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of how far a training is, as icons for a panel: the avatar now, and the film.

They are kept outside the .blend, one pair at a time, and made again when the file was written.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy.utils.previews

if TYPE_CHECKING:
    import numpy as np

SIDE = 512
"""Pixels of an icon's longer side; larger pictures are thinned out."""

_icons: bpy.utils.previews.ImagePreviewCollection | None = None
_shown: tuple[Path, tuple[int, int]] | None = None  # what the icons show: which file, and in which state


def icons(path: Path) -> tuple[int, int] | None:
    """Return the icon of the avatar and of the film, or None where there is no picture."""
    from ..engine.png_pixels import read_png

    global _icons, _shown
    try:
        found = path.stat()
    except OSError:
        return None
    state = path, (found.st_mtime_ns, found.st_size)
    if _icons is None:
        _icons = bpy.utils.previews.new()
    if _shown != state:
        pixels = read_png(path)
        _shown = state
        _icons.clear()
        if pixels is not None and pixels.shape[1] > 1:
            half = pixels.shape[1] // 2
            for name, part in (("avatar", pixels[:, :half]), ("film", pixels[:, half : 2 * half])):
                _fill(_icons.new(name), part)
    return (_icons["avatar"].icon_id, _icons["film"].icon_id) if len(_icons) == 2 else None


def forget() -> None:
    """Drop the icons."""
    global _icons, _shown
    if _icons is not None:
        bpy.utils.previews.remove(_icons)
    _icons, _shown = None, None


def _fill(icon: bpy.types.ImagePreview, pixels: np.ndarray) -> None:
    """pixels: uint8 [H,W,channels], of which three are shown."""
    import numpy as np

    step = -(-max(pixels.shape[:2]) // SIDE)
    thin = pixels[::-step, ::step, :3]  # Blender begins at the bottom
    height, width = thin.shape[:2]
    values = np.ones((height, width, 4), np.float32)
    values[..., : thin.shape[2]] = thin / np.float32(255)
    icon.image_size = width, height
    icon.image_pixels_float.foreach_set(values.ravel())
