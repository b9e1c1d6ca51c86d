# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a sound file on the Sequencer and make the avatar speak it: what dropping a file on the 3D View does."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..engine.errors import AudioError
from ..hmtalker_blender import jobs, sound_strips, versions
from .animate_strip import AnimateOperator


def nearest_avatar(context: bpy.types.Context, point: tuple[float, float]) -> bpy.types.Object | None:
    """Return the visible avatar whose head is drawn nearest to a point of the 3D View, in pixels of its region."""
    from bpy_extras.view3d_utils import location_3d_to_region_2d

    found = []
    for avatar in context.visible_objects:
        if avatar.hmtalker.is_avatar:
            place = location_3d_to_region_2d(context.region, context.region_data, avatar.matrix_world.translation)
            if place is not None:
                found.append(((place[0] - point[0]) ** 2 + (place[1] - point[1]) ** 2, avatar.name))
    return bpy.data.objects[min(found)[1]] if found else None


class HMT_OT_speak_file(AnimateOperator, bpy.types.Operator):
    """Put a sound file on the Sequencer at the current frame and make the avatar speak it"""

    bl_idname = "hmtalker.speak_file"
    bl_label = "Speak Sound File"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Sound File",
        description="Sound file to speak",
        subtype="FILE_PATH",
        options={"SKIP_SAVE", "PATH_SUPPORTS_BLEND_RELATIVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if not self.avatar and context.region is not None and getattr(context, "region_data", None) is not None:
            nearest = nearest_avatar(context, (event.mouse_region_x, event.mouse_region_y))
            self.avatar = nearest.name if nearest is not None else ""
        return super().invoke(context, event)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        path = Path(bpy.path.abspath(self.filepath))
        if not self.filepath or not path.is_file():
            raise AudioError(f"There is no sound file {path}; choose another one.")
        scene = versions.sequencer_scene(context)
        try:
            strip = sound_strips.add(scene, path, path.stem, scene.frame_current)
        except RuntimeError:
            raise AudioError(f"{path.name} is no audio that Blender knows; choose another file.") from None
        self.strip = strip.name
        try:
            return super().prepare(context)
        except Exception:
            scene.sequence_editor.strips.remove(strip)
            raise


CLASSES = (HMT_OT_speak_file,)
