# SPDX-License-Identifier: GPL-3.0-or-later
"""Show an avatar live in the Sequencer: a Scene strip that our render engine draws, always as the face is now."""

from __future__ import annotations

import bpy

from ..engine.errors import AvatarError
from ..hmtalker_blender import avatar_object, frame_range, image_strips, live_scene, versions
from . import reporting
from .animate_strip import chosen_speaker
from .speaker_operator import SpeakerOperator


class HMT_OT_add_live_strip(SpeakerOperator, bpy.types.Operator):
    """Show the avatar in the Sequencer as it is now: nothing is rendered in advance, every change is seen at once"""

    bl_idname = "hmtalker.add_live_strip"
    bl_label = "Add Live Strip"
    bl_options = {"REGISTER", "UNDO"}

    strip: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Strip", description="Sound strip whose length to cover; empty for the active one", options={"SKIP_SAVE"}
    )
    avatar: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Avatar", description="Avatar object to show; empty for the scene's", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        scene = versions.sequencer_scene(context)
        owners = scene, bpy.data.objects.get(self.avatar) or avatar_object.speaker(context, scene)
        try:
            speaker = chosen_speaker(context, scene, self.avatar)
            if not speaker.users_scene:
                raise AvatarError(f'"{speaker.name}" is in no scene; add it to one to show it.')
            avatar_object.load(avatar_object.file_of(speaker))
            frames, label = frame_range.of_strip_or_scene(scene, speaker, self.strip)
            home = avatar_object.home_scene(context, speaker)
            strip = live_scene.add_strip(scene, speaker, home, frames, image_strips.owner_of(speaker, label), label)
        except Exception as error:
            return reporting.fail(self, error, *owners)
        reporting.keep("", *owners)
        self.report({"INFO"}, f'"{strip.name}" shows {speaker.name} live.')
        return {"FINISHED"}


CLASSES = (HMT_OT_add_live_strip,)
