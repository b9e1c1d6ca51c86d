# SPDX-License-Identifier: GPL-3.0-or-later
"""A render that would lack a face does not pass for a good one.

Blender ends with exit code 0 whatever a render engine or a handler says, and goes on to the next frame; a render farm
would take frames without a face for finished ones. Where nobody looks on, Blender is therefore ended.
"""

from __future__ import annotations

import os
import sys

import bpy

EXIT_CODE = 1
ends_blender = bpy.app.background and not bpy.app.module
"""Whether it is the application that renders, in the background: ``blender -b``. A Python that has imported bpy belongs
to somebody else."""


def stop(message: str) -> None:
    """Say it on stderr and end Blender with `EXIT_CODE`, before the frame is written; return where that is not done."""
    if ends_blender:
        sys.stdout.flush()
        print(f"Error: {message}", file=sys.stderr, flush=True)
        os._exit(EXIT_CODE)
