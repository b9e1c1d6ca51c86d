# SPDX-License-Identifier: GPL-3.0-or-later
"""An operator around a job: modal with progress and Esc in the interface, blocking in scripts and in the background.

A job apart is not stopped by Esc: the artist works on beside it, for hours, and presses Esc for other ends.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..engine.errors import CancelledError
from ..hmtalker_blender import jobs
from . import reporting

TIMER_SECONDS = 0.1
SHOWN_IN = {"VIEW_3D", "SEQUENCE_EDITOR"}


class JobOperator:
    """Mix-in. `prepare` says what to do; `finish` writes the result into the .blend, in one undo step."""

    _job: jobs.Job
    _timer: bpy.types.Timer | None = None

    def prepare(self, context: bpy.types.Context) -> jobs.Job:
        """Check everything that can be checked at once and return the job. Raises HMTalkerError."""
        raise NotImplementedError

    def finish(self, context: bpy.types.Context, result: Any) -> str:
        """Write the job's result into the .blend and return one sentence for the Info log. Raises HMTalkerError."""
        raise NotImplementedError

    def owners(self, context: bpy.types.Context) -> tuple[bpy.types.ID | None, ...]:
        """Return the datablocks whose panels show a problem of this job."""
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self._job = self.prepare(context)
        except Exception as error:
            return reporting.fail(self, error, *self.owners(context))
        self._job.run()
        return self._conclude(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:
            return self.execute(context)
        return self.start_modal(context)

    def start_modal(self, context: bpy.types.Context) -> set[str]:
        """Begin, and let the interface live on while a timer looks after the job."""
        try:
            self._job = self.prepare(context)
        except Exception as error:
            return reporting.fail(self, error, *self.owners(context))
        self._job.tick()
        self._timer = context.window_manager.event_timer_add(TIMER_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS" and not self._job.apart:
            self._job.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        over = self._job.tick()
        if context.workspace is not None and not (self._job.apart and jobs.busy_reason()):
            hint = "" if self._job.apart else "  (Esc to cancel)"
            context.workspace.status_text_set(
                None if over else f"{self._job.title}: {self._job.fraction:.0%}, {self._job.status}{hint}"
            )
        _redraw(context, whole=over)
        if not over:
            return {"PASS_THROUGH"}
        self._remove_timer(context)
        return self._conclude(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender closes or the window goes: stop the work, keep what is finished."""
        self._job.close()
        self._remove_timer(context)

    def _conclude(self, context: bpy.types.Context) -> set[str]:
        error = self._job.error
        if error is None:
            try:
                message = self.finish(context, self._job.result)
            except Exception as failure:
                error = failure
        if isinstance(error, CancelledError):
            reporting.keep("", *self.owners(context))
            self.report({"WARNING"}, str(error))
            return {"CANCELLED"}
        if error is not None:
            return reporting.fail(self, error, *self.owners(context))
        reporting.keep("", *self.owners(context))
        self.report({"INFO"}, message)
        return {"FINISHED"}

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


def _redraw(context: bpy.types.Context, whole: bool) -> None:
    """Draw the panels again, and at the end everything; a viewport that is drawn ten times a second costs the job."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in SHOWN_IN:
                for place in [area] if whole else [region for region in area.regions if region.type == "UI"]:
                    place.tag_redraw()
