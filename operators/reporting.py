# SPDX-License-Identifier: GPL-3.0-or-later
"""How an operator tells the artist what went wrong: in the Info log, and beside the thing that failed."""

from __future__ import annotations

import bpy

from ..hmtalker_blender import jobs, problems


def fail(operator: bpy.types.Operator, error: BaseException, *owners: bpy.types.ID | None) -> set[str]:
    """Report an error as one sentence, keep it on the avatar or scene it concerns, and end the operator."""
    message = jobs.sentence(error)
    problems.remember(operator.bl_idname, message)
    keep(message, *owners)
    operator.report({"ERROR"}, message)
    return {"CANCELLED"}


def keep(message: str, *owners: bpy.types.ID | None) -> None:
    """Keep the last problem (or its absence) where panels show it."""
    for owner in owners:
        if owner is not None and owner.is_editable and owner.hmtalker.last_error != message:
            owner.hmtalker.last_error = message


def allow(cls: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """The `poll` of every operator: greyed out with its `disabled_reason`, which panels show too."""
    reason = cls.disabled_reason(context)  # type: ignore[attr-defined]
    if reason:
        cls.poll_message_set(reason)
    return not reason
