# SPDX-License-Identifier: GPL-3.0-or-later
"""The avatar that the artist works on, and why there may be nothing to work on."""

from __future__ import annotations

import bpy

from . import avatar_object, jobs, versions


def directed(context: bpy.types.Context) -> bpy.types.Object | None:
    """Return the active object if it is an avatar, else whoever speaks in the Sequencer."""
    active = getattr(context, "active_object", None)
    if active is not None and active.hmtalker.is_avatar:
        return active
    return avatar_object.speaker(context, versions.sequencer_scene(context))


def no_avatar_reason(context: bpy.types.Context) -> str:
    """Say why no avatar can be directed now, or return an empty string."""
    avatar = directed(context)
    if avatar is None:
        return avatar_object.no_speaker_reason(context, versions.sequencer_scene(context))
    if not avatar.is_editable:
        return f'"{avatar.name}" is linked from another file; make a library override of it first'
    return jobs.busy_reason()


def no_performance_reason(context: bpy.types.Context) -> str:
    """Say why there is no performance to work on, or return an empty string."""
    if reason := no_avatar_reason(context):
        return reason
    avatar = directed(context)
    if not any(entry.action is not None for entry in avatar.hmtalker.takes):
        return f"{avatar.name} has no performance yet; press Animate from Strip"
    return ""
