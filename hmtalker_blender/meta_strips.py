# SPDX-License-Identifier: GPL-3.0-or-later
"""What meta strips do to a strip inside them: how much of it is heard, how loud, and whether at all."""

from __future__ import annotations

import bpy

from . import versions


def around(scene: bpy.types.Scene, strip: bpy.types.Strip) -> list[bpy.types.Strip]:
    """Return the meta strips around a strip, outermost first."""
    return _around(scene.sequence_editor.strips, strip) or []


def heard_range(scene: bpy.types.Scene, strip: bpy.types.Strip) -> tuple[int, int]:
    """Return the first frame on which a strip is heard and the frame after the last: its own, within its meta strips.

    The second is not beyond the first where a meta strip hides it all.
    """
    nested = [*around(scene, strip), strip]
    return max(map(versions.left_handle, nested)), min(map(versions.right_handle, nested))


def volume(scene: bpy.types.Scene, strip: bpy.types.SoundStrip) -> float:
    """Return the strip's volume times that of the meta strips around it, where this Blender gives them one."""
    product = float(strip.volume)
    for outer in around(scene, strip):
        product *= getattr(outer, "volume", 1.0)
    return product


def is_muted(scene: bpy.types.Scene, strip: bpy.types.Strip) -> bool:
    """Say whether a strip is not heard: it, its channel, or a meta strip around it or that one's channel is muted."""
    channels = scene.sequence_editor.channels
    for outer in around(scene, strip):
        if outer.mute or channels[outer.channel].mute:
            return True
        channels = outer.channels
    return bool(strip.mute or channels[strip.channel].mute)


def _around(strips: bpy.types.bpy_prop_collection, strip: bpy.types.Strip) -> list[bpy.types.Strip] | None:
    for candidate in strips:
        if candidate == strip:
            return []
        if candidate.type == "META":
            inside = _around(candidate.strips, strip)
            if inside is not None:
                return [candidate, *inside]
    return None
