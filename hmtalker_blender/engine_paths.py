# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the files that came with the extension are, and where it may write."""

from __future__ import annotations

import os
from pathlib import Path

import bpy

EXTENSION = __package__.rpartition(".")[0]
"""Package name of the extension, ``bl_ext.<repository>.hm_talker``; its preferences are kept under this name."""

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
BUNDLED_AVATAR = ASSETS / "bundled_avatar.hmt"
SPEECH_ENCODER = ASSETS / "fetched" / "whisper_tiny_en_l123.onnx"
SAMPLE_SPEECH = ASSETS / "fetched" / "speech_sample.wav"


def user_folder(name: str) -> Path:
    """Return a folder of the extension's own, made if need be. Must be called on the main thread."""
    return Path(bpy.utils.extension_path_user(EXTENSION, path=name, create=True))


def prepare_kernel_cache() -> None:
    """Let compiled kernels be kept between sessions in the extension's own folder.

    Numba reads the variable when it is first imported, and the extension's code folder may be read-only, so this is
    called before the first job. A folder that somebody else chose is respected.
    """
    if "NUMBA_CACHE_DIR" not in os.environ:
        os.environ["NUMBA_CACHE_DIR"] = str(user_folder("kernel_cache"))
