# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropping a sound file on the 3D View makes the avatar speak it. The Sequencer has a drop of its own."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import avatar_object
from ..operators.speak_file import HMT_OT_speak_file


class HMT_FH_speech(bpy.types.FileHandler):
    bl_idname = "HMT_FH_speech"
    bl_label = "Speech for the Talking Avatar"
    bl_import_operator = HMT_OT_speak_file.bl_idname
    bl_file_extensions = ".wav;.mp3;.flac;.ogg;.oga;.m4a;.aac;.opus"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D" and avatar_object.exist()


CLASSES = (HMT_FH_speech,)
