# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the bundled avatar from its dataset folder.

python train.py --dataset DATASET --work DIR --encoder whisper.onnx --out ../bundled_avatar.hmt [--resume]

With --start it goes on from an earlier avatar of hers instead of from nothing. With --resume a run that was stopped
goes on, also with more pictures than there were then.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))

from au_to_arkit import ARKIT_NAMES, to_arkit

from hmtalker import action_units
from hmtalker.avatar import Avatar, load_avatar, save_avatar
from hmtalker.evaluation.held_out import compare, means
from hmtalker.motion.fusion import Pairing
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.training import surface as regions
from hmtalker.training.dataset import Dataset, load_camera, load_performance, load_pictures
from hmtalker.training.export import build_avatar
from hmtalker.training.motion_stage import SurfaceMotion
from hmtalker.training.parameters import GaussianParameters
from hmtalker.training.presets import EDITABLE, PRESETS, Pairings
from hmtalker.training.surface import Surface
from hmtalker.training.train import thumbnail
from hmtalker.training.trainer import Trained, Trainer

ATTRIBUTION = (
    "Head: MakeHuman base mesh, textures and ARKit face units (CC0 1.0). Performance: captured from speaker s1 of the "
    "GRID Audio-Visual Speech Corpus; Cooke, M., Barker, J., Cunningham, S., Shao, X. (2006), J. Acoust. Soc. Am. "
    "120(5), 2421-2424; Zenodo record 3625687, CC BY 4.0."
)

BUNDLED = replace(
    EDITABLE,
    name="bundled",
    face=replace(EDITABLE.face, maximum=36_000, full_frame_every=5),
)
"""As large as the first avatar. Windows show the hair of turned heads, so whole frames are needed less often."""
GO_ON = replace(
    BUNDLED,
    name="go_on",
    motion=replace(BUNDLED.motion, iterations=1200, learning_rate=1.0e-3, grid_rate=5.0e-3),
    face=replace(
        BUNDLED.face,
        iterations=1800,
        full_frame_every=4,
        motion_from=0,
        densify_from=100,
        densify_until=900,
        densify_every=200,
        prune_opacity=0.05,
        prune_opacity_growth=0.05,
    ),
    mouth=replace(BUNDLED.mouth, iterations=1500),
    pairings=Pairings(0.7, 0.0, 0.0, 0.3),
)
"""From an earlier avatar, with --start: Gaussians that hardly show make room for those that are missing. Faces are not
shown with what was heard alone: pictures would teach them to move less than their Action Units say."""

OWN = {preset.name: preset for preset in (BUNDLED, GO_ON)}


def say(stage: str, iteration: int, iterations: int, losses: dict[str, float]) -> None:
    values = "  ".join(f"{name} {value:.4f}" for name, value in losses.items())
    print(f"{time.strftime('%H:%M:%S')} {stage} {iteration}/{iterations}  {values}", flush=True)


def take_over(trained: Trained, avatar: Avatar) -> None:
    """Let training begin where `avatar`, of the same surface and settings, ended."""
    trained.model.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in avatar.motion.items()})
    trained.face, trained.mouth = GaussianParameters(avatar.face), GaussianParameters(avatar.mouth)


def resting_offsets(model: MotionModel, surface: SurfaceMotion) -> dict[str, np.ndarray]:
    """Offsets of every sample of both sets in a silent, resting face, as ``SurfaceMotion.rest``."""
    rest = torch.zeros(1, action_units.COUNT)
    face, mouth = (torch.from_numpy(part.positions) for part in (surface.face, surface.mouth))
    with torch.no_grad():
        lower, upper, inside = model.conditions(torch.zeros(1, 32), rest, Pairing.IMPLICIT_MASKED)
        return {
            "face": model.face_offsets(face, lower, upper)[0].numpy(),
            "mouth": model.mouth_offsets(mouth, inside)[0].numpy(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True, help="finished stages are kept here")
    parser.add_argument("--encoder", type=Path, required=True, help="the speech encoder the dataset was encoded with")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--stages", default="ASFMJ")
    parser.add_argument("--start", type=Path, help="go on from this avatar")
    parser.add_argument("--resume", action="store_true", help="train no stage twice, and go on in the middle of one")
    parser.add_argument("--preset", default=BUNDLED.name, choices=sorted(PRESETS | OWN))
    parser.add_argument("--limit", type=int, help="use at most so many pictures")
    parser.add_argument("--threads", type=int, default=2)
    for name in ("speech", "motion", "face", "mouth", "joint"):
        parser.add_argument(f"--{name}-iterations", type=int)
    a = parser.parse_args()

    surface = Surface.load(a.dataset / "surface.npz")
    columns = [ARKIT_NAMES.index(name) for name in surface.shape_names]
    inside = surface.regions == regions.MOUTH

    def weights(units: np.ndarray, pucker: np.ndarray, funnel: np.ndarray) -> np.ndarray:
        return to_arkit(units, pucker, funnel)[:, columns]

    motion = SurfaceMotion(surface.select(np.flatnonzero(~inside)), surface.select(np.flatnonzero(inside)), weights)
    camera, pivot = load_camera(a.dataset / "camera.json")
    needs_pictures = bool(set(a.stages) & set("FMJ"))
    pictures = load_pictures(a.dataset, a.limit, stream=True) if needs_pictures else None
    dataset = Dataset(camera, pivot, load_performance(a.dataset), pictures)
    preset = (PRESETS | OWN)[a.preset]
    for name in ("speech", "motion", "face", "mouth"):
        if (count := getattr(a, f"{name}_iterations")) is not None:
            preset = replace(preset, **{name: replace(getattr(preset, name), iterations=count)})
    if a.joint_iterations is not None:
        preset = replace(preset, joint_iterations=a.joint_iterations)
    config = MotionConfig(
        feature_dimension=dataset.performance.speech[0].shape[2], face_base=16.0, face_finest=160.0, mouth_grid="sane"
    )
    trainer = Trainer(dataset, preset, motion, config, a.work, a.threads, say)
    if a.start is not None:
        take_over(trainer.trained, load_avatar(a.start))
        motion.rest = resting_offsets(trainer.trained.model, motion)
    trained = trainer.run(a.stages, resume=a.resume)
    header = {
        "name": "Mia",
        "licence": "CC0-1.0 AND CC-BY-4.0",
        "attribution": ATTRIBUTION,
        "consent": {"kind": "synthetic person", "statement": "A computer-generated face; no real person is shown."},
        "encoder": {
            "id": "whisper-tiny.en-l123",
            "dim": config.feature_dimension,
            "sha256": hashlib.sha256(a.encoder.read_bytes()).hexdigest(),
        },
        "training": preset.to_dict() | {"pictures": dataset.pictures.count if dataset.pictures else 0},
        "metrics": {},
        "thumbnail": "",
    }
    avatar = build_avatar(trained.model, trained.face, trained.mouth, dataset, header)
    avatar.header["thumbnail"] = thumbnail(avatar)
    if dataset.pictures is not None:
        scores = means(compare(avatar, dataset.pictures, dataset.performance))
        avatar.header["metrics"] = {name: round(value, 2) for name, value in scores.items()}
        print(avatar.header["metrics"])
    save_avatar(avatar, a.out)
    print(f"{a.out}: {trained.face.count} + {trained.mouth.count} Gaussians, {a.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
