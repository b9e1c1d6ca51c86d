# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator that needs somebody to speak or to be shown in the Sequencer."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import avatar_object, jobs, versions
from . import reporting


class SpeakerOperator:
    """Mix-in: when it can be used, and why not. A script may name strip and avatar, and so do more than a button."""

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return jobs.busy_reason() or avatar_object.no_speaker_reason(context, versions.sequencer_scene(context))

    @classmethod
    def nothing_to_name(cls, _context: bpy.types.Context) -> bool:
        """Say whether there is nothing that a script could name."""
        return not avatar_object.exist()

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if jobs.running or cls.nothing_to_name(context):
            return reporting.allow(cls, context)
        return True  # panels grey the button out with `disabled_reason`
