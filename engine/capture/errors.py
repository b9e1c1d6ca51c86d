# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with a capture, said in one sentence."""

from __future__ import annotations

from ..errors import HMTalkerError


class CaptureError(HMTalkerError):
    """A video cannot be turned into training data as it is."""


class CurvesError(CaptureError):
    """A file of curves cannot be read, or does not fit the footage."""
