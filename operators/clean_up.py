# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer keys in the generated curves, within an error that the artist sets; and all of them back again."""

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..hmtalker_blender import directed_avatar, generated_layer, jobs
from . import reporting
from .job_operator import JobOperator

CURVES = len(generated_layer.RANGES) * 3 + 16
"""How many curves a performance has, about: for the progress bar."""


class _KeysOperator(JobOperator):
    """Write the curves of all performances again with another number of keys."""

    def key_error(self, avatar: bpy.types.Object) -> float:
        """Return the error within which keys are left out; negative keeps all."""
        raise NotImplementedError

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        return directed_avatar.no_performance_reason(context)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return reporting.allow(cls, context)

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        return (directed_avatar.directed(context),)

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        avatar = directed_avatar.directed(context)
        self._counts = [0, 0, 0.0]
        self._edited: list[str] = []
        return jobs.Job("Cleaning up keys", lambda job: None, self._steps(avatar))

    def _steps(self, avatar: bpy.types.Object) -> Iterator[float]:
        error, seen = self.key_error(avatar), set()
        entries = [entry for entry in avatar.hmtalker.takes if entry.action is not None]
        for place, entry in enumerate(entries):
            if entry.action.name in seen:
                continue
            seen.add(entry.action.name)
            for number, (possible, kept, largest) in enumerate(generated_layer.rewrite(avatar, entry, error)):
                self._counts[0] += possible
                self._counts[1] += kept
                self._counts[2] = max(self._counts[2], largest)
                yield (place + min(number / CURVES, 1.0)) / len(entries)
            if edited := entry.action.get(generated_layer.EDITED_KEY):
                self._edited.append(f'{edited} of "{entry.name}"')

    def finish(self, context: bpy.types.Context, _result: None) -> str:
        if self._edited:
            self.report({"WARNING"}, f"Left as edited by hand: {'; '.join(self._edited)}.")
        possible, kept, largest = self._counts
        return self.told(possible, kept, largest)

    def told(self, possible: int, kept: int, largest: float) -> str:
        """Return the sentence for the Info log."""
        raise NotImplementedError


class HMT_OT_clean_up(_KeysOperator, bpy.types.Operator):
    """Remove keys from the generated curves wherever they stay within the error without them"""

    bl_idname = "hmtalker.clean_up"
    bl_label = "Clean Up"
    bl_options = {"REGISTER", "UNDO"}

    error: bpy.props.FloatProperty(  # type: ignore[valid-type]
        name="Error",
        description="How far a curve may be from the generated one, 0 to 5; negative takes the avatar's own setting",
        default=-1.0,
        min=-1.0,
        max=1.0,
        options={"SKIP_SAVE"},
    )

    def key_error(self, avatar: bpy.types.Object) -> float:
        if self.error >= 0.0:
            avatar.hmtalker.layer.key_error = self.error
        return avatar.hmtalker.layer.key_error

    def told(self, possible: int, kept: int, largest: float) -> str:
        share = (possible - kept) / possible if possible else 0.0
        return f"{possible - kept} of {possible} keys went ({share:.0%}); the largest error is {largest:.3f}."


class HMT_OT_restore_keys(_KeysOperator, bpy.types.Operator):
    """Give the generated curves a key on every frame again"""

    bl_idname = "hmtalker.restore_keys"
    bl_label = "Restore Keys"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def disabled_reason(cls, context: bpy.types.Context) -> str:
        """Say why this cannot be done now, or return an empty string."""
        if reason := directed_avatar.no_performance_reason(context):
            return reason
        takes = directed_avatar.directed(context).hmtalker.takes
        return "" if any(entry.key_error >= 0.0 for entry in takes) else "No keys were removed by Clean Up"

    def key_error(self, _avatar: bpy.types.Object) -> float:
        return generated_layer.NOT_REDUCED

    def told(self, possible: int, _kept: int, _largest: float) -> str:
        return f"The generated curves have all their {possible} keys."


CLASSES = (HMT_OT_clean_up, HMT_OT_restore_keys)
