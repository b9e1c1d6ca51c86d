# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be wrong with the training environment or with the process that runs in it."""

from __future__ import annotations

from ..errors import HMTalkerError


class WorkerError(HMTalkerError):
    """The worker process could not be started, broke off, or said what nobody understands."""
