# SPDX-License-Identifier: GPL-3.0-or-later
"""Action Units that no single distance tells, from the whole row of features: a small network, run by numpy.

It was trained on synthetic people with exact labels (``assets/action_unit_regressor``): a few two-layer perceptrons
whose mean is the answer. Each also says how sure it is, as the variance of a normal distribution (Nix and Weigend
1994); their disagreement is added (Lakshminarayanan et al. 2017), and the sum scaled to the errors that were measured
on people who were not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from .face_space import WEIGHTS, load_arrays

FARTHEST = 6.0
"""Deviations from the mean at which inputs are cut off: nothing farther was trained on."""
LARGEST_LOG_VARIANCE = 4.0
_BLOCK = 4096


@dataclass(frozen=True)
class UnitRegressor:
    """Perceptrons that read the same input."""

    codes: tuple[str, ...]
    """What the outputs are: codes of the extended set, sides apart where there are two."""
    centre: np.ndarray
    """[D] mean of each input ..."""
    spread: np.ndarray
    """[D] ... and its deviation."""
    members: tuple[tuple[tuple[np.ndarray, np.ndarray], ...], ...]
    """For each perceptron its layers: weights [in,out] and bias [out]; the last has 2 n outputs."""
    error_scale: np.ndarray
    """[n] by which the deviation that the network states is multiplied."""
    usual_error: np.ndarray
    """[n] root mean square of those errors on people who were not trained on ..."""
    agreement: np.ndarray
    """[n] ... and the correlation with the truth that comes of it, 0..1."""

    def estimate(self, relative: np.ndarray, pose: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """relative: [T,K] features minus the person's rest; pose: [T,4] as measured (``face_features.POSE``).

        Returns intensities float32 [T,n], not clipped, and their expected errors (deviations) float32 [T,n].
        """
        values = np.empty((len(relative), len(self.codes)), np.float32)
        errors = np.empty_like(values)
        for begin in range(0, len(relative), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            inputs = np.concatenate([relative[part], pose[part]], 1)
            inputs = np.clip((inputs - self.centre) / self.spread, -FARTHEST, FARTHEST)
            outputs = np.stack([_run(member, inputs) for member in self.members])
            mean, log_variance = np.split(outputs, 2, axis=2)
            variance = np.exp(np.clip(log_variance, -LARGEST_LOG_VARIANCE * 2, LARGEST_LOG_VARIANCE)).mean(0)
            values[part] = mean.mean(0)
            errors[part] = np.sqrt(variance + mean.var(0)) * self.error_scale
        return values, errors

    def certainty(self, errors: np.ndarray) -> np.ndarray:
        """float32, like errors [...,n], 0..1: `agreement`, and less by as much as more than usual error is expected."""
        return np.asarray(self.agreement * np.minimum(1, self.usual_error / np.maximum(errors, 1e-6)), np.float32)


def _run(layers: tuple[tuple[np.ndarray, np.ndarray], ...], inputs: np.ndarray) -> np.ndarray:
    for weights, bias in layers[:-1]:
        inputs = np.maximum(inputs @ weights + bias, 0)
    weights, bias = layers[-1]
    return np.asarray(inputs @ weights + bias)


@cache
def load_regressor(path: Path = WEIGHTS) -> UnitRegressor:
    """The regressor that is shipped. Raises :class:`HMTalkerError` where its file is missing or damaged."""
    arrays = load_arrays(path)
    members: list[tuple[tuple[np.ndarray, np.ndarray], ...]] = []
    while f"weights{len(members)}_0" in arrays:
        member = len(members)
        depth = sum(name.startswith(f"weights{member}_") for name in arrays)
        members.append(
            tuple(
                (arrays[f"weights{member}_{layer}"].astype(np.float32), arrays[f"bias{member}_{layer}"])
                for layer in range(depth)
            )
        )
    return UnitRegressor(
        tuple(str(code) for code in arrays["codes"]),
        arrays["centre"],
        arrays["spread"],
        tuple(members),
        arrays["error_scale"],
        arrays["usual_error"],
        arrays["agreement"],
    )
