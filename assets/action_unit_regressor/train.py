# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the Action Unit regressor on filmed synthetic people and write the weights that the engine ships.

    python train.py --people FOLDER [--out ../../engine/capture/units/action_unit_regressor.npz]

FOLDER is what ``render_people.py`` filled. Every fifth person is held out; nothing is learned from them but how large
errors really are (``error_scale``).
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from filmed_people import Shot, load_shots, mirror_landmarks, mirrored, relative_features
from learn_space import learn_space
from torch import nn

from hmtalker.action_unit_sets import SIDES, base
from hmtalker.capture.units.face_features import POSE, SCORES, feature_names
from hmtalker.capture.units.face_space import WEIGHTS, FaceSpace

HIDDEN = (128, 96)
EPOCHS, BATCH, RATE, DECAY = 20, 256, 2e-3, 1e-3
NOISE = 0.10
"""Deviations of noise on the inputs: real trackers err in more ways than synthetic people show."""
MEMBERS = ("geometry", "geometry", "all")
"""What each perceptron sees. Blendshape scores help little on synthetic people, and on a real speaker those who do
without them follow the spoken sounds better."""
DROPPED = 0.20
"""Share of the inputs that is left out at a time, so that no single one is relied upon."""


def outputs(codes: tuple[str, ...]) -> list[int]:
    """Columns that the regressor tells: sides where there are two."""
    return [
        i for i, code in enumerate(codes) if not all(base(code) + side in codes for side in SIDES) or code != base(code)
    ]


def examples(shots: list[Shot], space: FaceSpace, rotations: bool) -> tuple[np.ndarray, np.ndarray]:
    """Inputs [n, K + len(POSE)] and labels [n,m] of all frames with a face."""
    inputs, labels = [], []
    for shot in shots:
        rows, relative = relative_features(shot, space, rotations)
        usable = np.isfinite(relative).all(1)
        inputs.append(np.concatenate([relative, rows[:, -len(POSE) :]], 1)[usable])
        labels.append(shot.labels[usable])
    return np.concatenate(inputs).astype(np.float32), np.concatenate(labels)


class Perceptron(nn.Module):
    def __init__(self, inputs: int, count: int) -> None:
        super().__init__()
        sizes = (inputs, *HIDDEN, 2 * count)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def train_member(x: np.ndarray, y: np.ndarray, prior: np.ndarray, seed: int) -> Perceptron:
    """Least squares first, then the likelihood of a normal distribution whose variance is told too."""
    torch.manual_seed(seed)
    inputs, labels, scale = (torch.from_numpy(a.astype(np.float32)) for a in (x, y, prior))
    network = Perceptron(inputs.shape[1], labels.shape[1])
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, EPOCHS * (len(inputs) // BATCH + 1))
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(inputs)).split(BATCH):
            noisy = inputs[rows] + NOISE * torch.randn(len(rows), inputs.shape[1])
            noisy = noisy * (torch.rand_like(noisy) > DROPPED)
            mean, log_variance = network(noisy).chunk(2, 1)
            error = ((mean - labels[rows]) / scale) ** 2
            told = log_variance.clamp(-8, 4) - 2 * torch.log(scale)
            # the share of each in the gradient of the mean stays that of least squares
            likelihood = 0.5 * (error.detach() * torch.exp(-told) + told)
            loss = error.mean() + (likelihood.mean() if epoch >= EPOCHS // 4 else 0)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    shots = load_shots(options.people)
    train = [shot for shot in shots if not shot.held_out]
    held_out = [shot for shot in shots if shot.held_out]
    print(f"{len({s.name for s in train})} people to learn from, {len({s.name for s in held_out})} held out")
    space = learn_space(train)
    partner = mirror_landmarks(space.mean)
    both = train + [mirrored(shot, partner) for shot in train]
    parts = [examples(both, space, rotations) for rotations in (False, True)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    columns = outputs(shots[0].codes)
    codes = [shots[0].codes[column] for column in columns]
    y = y[:, columns]
    centre, spread = x.mean(0), x.std(0) + 1e-6
    prior = y.std(0) + 1e-3
    inputs = np.clip((x - centre) / spread, -6, 6)
    names = (*feature_names(space), *POSE)
    scores = np.isin(names, SCORES)
    seen = [~scores if kind == "geometry" else np.ones(len(names), bool) for kind in MEMBERS]
    members = [train_member(inputs * mask, y, prior, seed) for seed, mask in enumerate(seen)]
    arrays: dict[str, np.ndarray] = {
        "mean": space.mean.astype(np.float32), "rigidity": space.rigidity.astype(np.float32),
        "points": space.points.astype(np.int16), "basis": space.basis.astype(np.float16),
        "centre": centre.astype(np.float32), "spread": spread.astype(np.float32), "codes": np.array(codes),
        **{name: np.ones(len(codes), np.float32) for name in ("error_scale", "usual_error", "agreement")},
    }  # fmt: skip
    for index, member in enumerate(members):
        for number, layer in enumerate(member.layers):
            weights = layer.weight.detach().numpy().T
            if number == 0:
                weights = weights * seen[index][:, None]
            arrays[f"weights{index}_{number}"] = weights.astype(np.float16)
            arrays[f"bias{index}_{number}"] = layer.bias.detach().numpy().astype(np.float32)
    np.savez_compressed(options.out, **arrays)

    from hmtalker.capture.units.regressor import load_regressor

    regressor = load_regressor(options.out)
    x, y = examples(held_out, space, False)
    values, errors = regressor.estimate(x[:, : -len(POSE)], x[:, -len(POSE) :])
    truth = y[:, columns]
    squared = ((values - truth) ** 2).mean(0)
    agreement = [np.corrcoef(values[:, index], truth[:, index])[0, 1] for index in range(len(codes))]
    arrays["error_scale"] = np.sqrt(squared / (errors**2).mean(0)).astype(np.float32)
    arrays["usual_error"] = np.sqrt(squared).astype(np.float32)
    arrays["agreement"] = np.clip(agreement, 0, 1).astype(np.float32)
    np.savez_compressed(options.out, **arrays)
    for code, r, error in zip(codes, agreement, np.abs(values - truth).mean(0), strict=True):
        print(f"{code:6} r {r:5.2f}  error {error:.2f}")
    print(f"{options.out} {options.out.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    main()
