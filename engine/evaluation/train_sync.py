# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the sync scorer on a dataset that ``hmtalker capture`` made, and try it on the clips kept for testing.

python -m hmtalker.evaluation.train_sync DATASET --out sync_scorer.npz --licence CC-BY-4.0 --attribution TEXT
python -m hmtalker.evaluation.train_sync DATASET --try [sync_scorer.npz]
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..capture.curves.curves import fill_gaps
from ..errors import HMTalkerError
from .lip_motion import lip_motion
from .sync import STEPS_A_FRAME, WEIGHTS, load_sync_scorer
from .sync_trial import trial_text, try_shifts

Clip = tuple[np.ndarray, np.ndarray]
"""Landmarks [n,478,3] and speech features [draws,T50,D] of a clip."""
CROP = 75
"""Frames of a clip that are learned from at a time."""
BATCH = 24
ITERATIONS = 600
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 2e-2
FEATURE_NOISE = 0.5
"""On the speech features, in their own spread."""
LIP_NOISE, LIP_BIAS = 0.4, 0.5
"""On each frame, and on a whole clip, in the lips' own spread: trackers and mouths at rest differ."""
GAIN, SHAPE_GAIN = 0.5, 0.5
"""Spread of the logarithm of how much lips move, altogether and along each direction: people differ."""


def load_clips(dataset: Path, training: bool) -> list[Clip]:
    """The clips of a dataset that are for training or for testing. Raises :class:`HMTalkerError`."""
    try:
        with np.load(dataset / "performance.npz", allow_pickle=False) as data:
            names = [str(name) for name in data["clips"]]
            chosen = np.zeros(len(names), bool)
            for clip in range(len(names)):
                chosen[clip] = bool(data["training"][data["clip_index"] == clip].all()) == training
        pairs = []
        for name in (name for name, wanted in zip(names, chosen, strict=True) if wanted):
            landmarks, speech = (np.load(dataset / part / f"{name}.npy") for part in ("landmarks", "speech"))
            frames = min(len(landmarks), speech.shape[1] // STEPS_A_FRAME)
            pairs.append((landmarks[:frames], speech[:, : frames * STEPS_A_FRAME]))
    except (OSError, KeyError, ValueError) as error:
        raise HMTalkerError(f"'{dataset}' is no whole dataset ({error}); capture it first.") from error
    return pairs


def train(clips: Sequence[Clip], iterations: int = ITERATIONS, seed: int = 0,
          report: Callable[[int, float], None] | None = None) -> dict[str, np.ndarray]:  # fmt: skip
    """The weights for ``sync.SyncScorer``. Raises :class:`HMTalkerError` without at least two clips of 3 s."""
    import torch

    from .sync_networks import BASIS, Heard, Seen, SyncLoss, export

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    lips, speech = [], []
    for landmarks, draws in clips:
        motion = lip_motion(landmarks)
        known = np.isfinite(motion).all(1)
        if len(motion) >= CROP and known.mean() > 0.9:
            lips.append(fill_gaps(motion, known))
            speech.append(draws)
    if len(lips) < 2:
        raise HMTalkerError("There are not two clips of three seconds with a visible mouth; capture more footage.")
    heard_all = np.concatenate([draws[0].astype(np.float32) for draws in speech])
    lips_all = np.concatenate(lips)
    basis = np.linalg.svd(lips_all, full_matrices=False)[2][:BASIS]
    standards = {
        "heard_mean": heard_all.mean(0),
        "heard_scale": np.maximum(heard_all.std(0), 1e-3),
        "seen_basis": basis,
        "seen_scale": np.maximum((lips_all @ basis.T).std(0), 1e-4),
    }
    codes = [(motion @ basis.T / standards["seen_scale"]).astype(np.float32) for motion in lips]
    heard, seen, loss_of = Heard(heard_all.shape[1]), Seen(), SyncLoss()
    parameters = [*heard.parameters(), *seen.parameters(), *loss_of.parameters()]
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, iterations)
    for iteration in range(1, iterations + 1):
        features, motion = _batch(codes, speech, standards, rng)
        loss = loss_of(seen(torch.from_numpy(motion)), heard(torch.from_numpy(features)), rng)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if report is not None:
            report(iteration, float(loss.detach()))
    return export(heard, seen, standards)


def _batch(
    codes: list[np.ndarray], speech: list[np.ndarray], standards: dict[str, np.ndarray], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Speech features [B,2 CROP,D] and lip motion [B,CROP,BASIS] of random clips, each altered in its own way."""
    features, motions = [], []
    for clip in rng.choice(len(codes), min(BATCH, len(codes)), replace=False):
        begin = int(rng.integers(0, len(codes[clip]) - CROP + 1))
        draw = int(rng.integers(0, len(speech[clip])))
        heard = speech[clip][draw, begin * STEPS_A_FRAME : (begin + CROP) * STEPS_A_FRAME].astype(np.float32)
        heard = (heard - standards["heard_mean"]) / standards["heard_scale"]
        features.append(heard + FEATURE_NOISE * rng.standard_normal(heard.shape, np.float32))
        motion = codes[clip][begin : begin + CROP]
        size = motion.shape[1]
        gain = np.exp(rng.normal(0, GAIN) + rng.normal(0, SHAPE_GAIN, size))
        bias = LIP_BIAS * rng.standard_normal(size)
        motions.append(motion * gain + LIP_NOISE * rng.standard_normal(motion.shape) + bias)
    return np.stack(features).astype(np.float32), np.stack(motions).astype(np.float32)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser("hmtalker.evaluation.train_sync", description=str(__doc__).split("\n")[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--out", type=Path, help="the .npz file to write")
    parser.add_argument("--try", dest="trial", type=Path, nargs="?", const=WEIGHTS, help="try a finished one instead")
    parser.add_argument("--licence", default="", help="of the footage, kept in the file")
    parser.add_argument("--attribution", default="", help="of the footage, kept in the file")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if (options.out is None) == (options.trial is None):
        parser.error("give either --out or --try")
    try:
        if options.out is not None:
            import torch

            torch.set_num_threads(1)
            arrays = train(load_clips(options.dataset, True), seed=options.seed, report=_print_loss)
            arrays |= {name: np.array(getattr(options, name)) for name in ("licence", "attribution")}
            stream = io.BytesIO()
            np.savez_compressed(stream, **arrays)
            write_atomically(options.out, [stream.getvalue()])
            print(f"{options.out}  {len(stream.getvalue())} bytes")
        kept = [(landmarks, draws[0]) for landmarks, draws in load_clips(options.dataset, False)]
        if kept:
            print(trial_text(try_shifts(load_sync_scorer(options.out or options.trial), kept)))
    except HMTalkerError as error:
        parser.exit(1, f"{error}\n")
    return 0


def _print_loss(iteration: int, loss: float) -> None:
    if iteration % 50 == 0:
        print(f"{iteration:5d}  loss {loss:.3f}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
