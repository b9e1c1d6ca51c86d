# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors that a person may meet. Each message is one sentence: what is wrong, with what, and what to do."""

from __future__ import annotations

import errno


class HMTalkerError(Exception):
    """Base of every error whose text is meant for the person in front of the screen."""


class AudioError(HMTalkerError):
    """The audio cannot be read, or there is nothing in it to speak."""


class AvatarError(HMTalkerError):
    """An avatar file is missing, damaged, hostile or of another version."""


class RenderError(HMTalkerError):
    """A frame cannot be rendered or written."""


class CancelledError(HMTalkerError):
    """The person pressed Cancel or Esc; what was finished until then is kept."""


def file_sentence(error: OSError, folder: object = "") -> str:
    """Say what stands in the way of reading or writing, and what to do. folder: where the work is kept, if known."""
    place = error.filename or folder
    if error.errno == errno.ENOSPC:
        return f"The disk of '{folder or place}' is full; free some space and start again: what was finished is kept."
    what = f"'{place}'" if place else "A file"
    return f"{what} cannot be used ({error.strerror or error}); start again when it can be: what was finished is kept."
