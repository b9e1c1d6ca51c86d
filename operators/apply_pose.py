# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a face on: an emotion, or a pose asset, as keys of the artist's layer."""

from __future__ import annotations

import bpy

from ..engine import emotions
from ..engine.errors import HMTalkerError
from ..hmtalker_blender import directed_avatar, face_poses
from . import reporting

ITEMS = [
    (name.upper().replace(" ", "_"), name, "The face at rest" if not units else "Moves " + ", ".join(units))
    for name, units in emotions.EMOTIONS.items()
]


class HMT_OT_apply_pose(bpy.types.Operator):
    """Key this face in the artist's layer at the current frame; what is generated stays visible under it"""

    bl_idname = "hmtalker.apply_pose"
    bl_label = "Apply Face"
    bl_options = {"REGISTER", "UNDO"}

    emotion: bpy.props.EnumProperty(  # type: ignore[valid-type]
        name="Emotion",
        description="Face to put on",
        items=ITEMS,
    )
    action: bpy.props.StringProperty(  # type: ignore[valid-type]
        name="Pose", description="Action of a pose asset, instead of the emotion", options={"SKIP_SAVE"}
    )
    strength: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Strength", description="How strong the face is", default=1.0, min=0.0, soft_max=1.5, max=5.0
    )
    blend: bpy.props.IntProperty(  # type: ignore[valid-type]
        name="Blend", description="Frames over which the face so far goes over into this one", default=8, min=0
    )

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := directed_avatar.no_avatar_reason(context):
            return reason
        return face_poses.tweak_reason(directed_avatar.directed(context))

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        avatar = directed_avatar.directed(context)
        units = emotions.EMOTIONS[self.emotion.replace("_", " ").title()]
        if self.action:
            action = bpy.data.actions.get(self.action)
            if action is None or not face_poses.units_of(action):
                error = HMTalkerError(f'"{self.action}" is no face of this file; append the asset first.')
                return reporting.fail(self, error, avatar)
            units = face_poses.units_of(action)
        strong = {code: min(self.strength * value, 5.0) for code, value in units.items()}
        face_poses.put_on(avatar, strong, context.scene.frame_current_final, self.blend)
        return {"FINISHED"}


CLASSES = (HMT_OT_apply_pose,)
