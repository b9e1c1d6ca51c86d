# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps whose loss or gradient is not a number are left out, and too many of them end the training."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ..errors import HMTalkerError

MOST_IN_A_ROW = 20


class TrainingError(HMTalkerError):
    """Training cannot go on."""


class StepGuard:
    """Counts the steps that were left out."""

    def __init__(self) -> None:
        self.skipped = 0
        """Of the whole stage."""
        self.in_a_row = 0

    def allows(self, loss: Tensor, parameters: Iterable[Tensor]) -> bool:
        """Whether to take the step: the loss and every gradient are finite. Raises :class:`TrainingError` after
        MOST_IN_A_ROW refusals."""
        if _finite(loss.detach()) and all(p.grad is None or _finite(p.grad) for p in parameters):
            self.in_a_row = 0
            return True
        self.skipped += 1
        self.in_a_row += 1
        if self.in_a_row >= MOST_IN_A_ROW:
            raise TrainingError(
                f"Training gave up after {self.in_a_row} steps in a row without a finite loss; look in the capture's "
                "report for frames that were tracked badly, leave those clips out, and train again."
            )
        return False

    def state(self) -> dict[str, int]:
        return {"skipped": self.skipped, "in_a_row": self.in_a_row}

    def restore(self, state: dict[str, int]) -> None:
        self.skipped, self.in_a_row = state["skipped"], state["in_a_row"]


def _finite(values: Tensor) -> bool:
    """A finite sum has finite terms, and is much the quicker to see; finite terms may still have a sum that is not."""
    return math.isfinite(values.sum()) or bool(torch.isfinite(values).all())
