# SPDX-License-Identifier: GPL-3.0-or-later
"""Who learns motion from pictures, and how fast: the groups and rates of METHOD 4.2."""

from __future__ import annotations

import torch
from torch import nn

from ..motion.model import MotionModel
from .schedules import BranchSchedule

GRID_BETAS, GRID_DECAY = (0.9, 0.99), 0.01
ATTENTION_FASTER, ATTENTION_DECAY = 5.0, 1.0e-4
"""AudioAttNet's rate in units of AudioNet's, and its weight decay."""


def motion_optimiser(model: MotionModel, branch: str, schedule: BranchSchedule) -> torch.optim.AdamW:
    """AdamW over the field of `branch` ("face" or "mouth"), and over what else of the model has a rate."""
    face = branch == "face"
    field: nn.Module = model.face_field if face else model.mouth_field
    groups: list[dict] = [{"params": _parameters(field, "grid", False), "lr": schedule.motion_rate}]
    if schedule.grid_rate > 0:
        grids = _parameters(field, "grid", True)
        groups.append({"params": grids, "lr": schedule.grid_rate, "betas": GRID_BETAS, "weight_decay": GRID_DECAY})
    if schedule.conditions_rate > 0:
        modules = [model.face_condition, model.upper_encoder] if face else [model.mouth_condition]
        params = [parameter for module in modules for parameter in module.parameters()]
        groups.append({"params": params + ([model.null_implicit] if face else []), "lr": schedule.conditions_rate})
    if schedule.audio_rate > 0 and face:
        speech = model.speech
        heard = [*speech.projection.parameters(), *speech.audio_net.parameters()]
        groups.append({"params": heard, "lr": schedule.audio_rate})
        weighing = {"lr": ATTENTION_FASTER * schedule.audio_rate, "weight_decay": ATTENTION_DECAY}
        groups.append({"params": list(speech.attention.parameters())} | weighing)
    return torch.optim.AdamW(groups, weight_decay=0, fused=True)


def _parameters(module: nn.Module, word: str, with_word: bool) -> list[nn.Parameter]:
    return [parameter for name, parameter in module.named_parameters() if (word in name) == with_word]
