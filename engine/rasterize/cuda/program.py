# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels as one CUDA C++ text."""

from __future__ import annotations

from importlib import resources

from .layout import declarations

FILES = ("deform", "pose", "project", "splat", "bin", "sort", "blend", "composite", "draw")
"""In the order in which each uses those before it."""
KERNELS = ("clear_tiles", "splat_face", "splat_mouth", "scan_tiles", "fill_tiles", "draw_linear", "draw_srgb8")


def program_text() -> str:
    """All of it, for a compiler of C++17 that knows CUDA's own words; no header is included."""
    folder = resources.files(__package__)
    return "\n".join([declarations(), *((folder / f"{name}.cu").read_text("utf-8") for name in FILES)])
