# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage in the middle of its work, saved so that a run that goes on equals one that was never stopped."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ..atomic_file import write_atomically

State = dict[str, Any]
"""Numbers, strings, lists, dicts and tensors: what ``torch.load(weights_only=True)`` reads back."""


class Stage(Protocol):
    """What the trainer runs."""

    iteration: int

    def step(self) -> dict[str, float]:
        """One optimiser step; returns its losses."""

    def state(self) -> State:
        """Everything that decides the steps to come, but for what :class:`Trained` holds."""

    def restore(self, state: State) -> None:
        """The inverse of :meth:`state`."""


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Whole or not at all. Raises OSError."""
    out = io.BytesIO()
    torch.save(dict(state), out)
    write_atomically(path, [out.getvalue()])


def load(path: Path) -> State | None:
    """What :func:`save` wrote, or None where there is nothing that can be read."""
    try:
        return dict(torch.load(path, weights_only=True))
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, TypeError, ImportError):
        return None
    except Exception as error:  # torch wraps what pickle refuses in errors of its own
        if "weights_only" in str(error).lower() or "unpickl" in type(error).__name__.lower():
            return None
        raise


class Scheduled(Protocol):
    """A stage with one optimiser and one schedule."""

    iteration: int
    rng: np.random.Generator
    optimiser: Any
    scheduler: Any


def scheduled_state(stage: Scheduled) -> State:
    """What such a stage keeps, beside what is its own."""
    return {
        "iteration": stage.iteration,
        "rng": generator_state(stage.rng),
        "optimiser": stage.optimiser.state_dict(),
        "scheduler": stage.scheduler.state_dict(),
    }


def restore_scheduled(stage: Scheduled, state: State) -> None:
    """The inverse of :func:`scheduled_state`."""
    stage.iteration = state["iteration"]
    restore_generator(stage.rng, state["rng"])
    stage.optimiser.load_state_dict(state["optimiser"])
    stage.scheduler.load_state_dict(state["scheduler"])


def generator_state(rng: np.random.Generator) -> State:
    """numpy's generator as plain numbers."""
    state = rng.bit_generator.state
    return {"state": str(state["state"]["state"]), "inc": str(state["state"]["inc"]), "has": state["has_uint32"],
            "uint": state["uinteger"]}  # fmt: skip


def restore_generator(rng: np.random.Generator, state: State) -> None:
    """The inverse of :func:`generator_state`."""
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": int(state["state"]), "inc": int(state["inc"])},
        "has_uint32": int(state["has"]),
        "uinteger": int(state["uint"]),
    }
