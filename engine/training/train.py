# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of training: a dataset folder in, an avatar file out."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17, find_set
from ..atomic_file import write_atomically
from ..avatar import Avatar, save_avatar
from ..consent import Consent
from ..errors import HMTalkerError
from ..evaluation.image_metrics import on_grey
from ..motion.config import MotionConfig
from ..motion.state import MotionState
from ..png_file import encode_png
from ..render import Renderer, available_threads
from ..speech.encoder import DEFAULT, create
from .blendshape_cue import with_blendshape_cue
from .dataset import Dataset, load_camera, load_performance, load_pictures
from .export import build_avatar
from .face_model_cue import with_face_model_cue
from .filmed_person import filmed_person
from .head_frames import read_background
from .perceptual import with_perceptual_network
from .presets import PRESETS, Preset
from .preview import Preview
from .trainer import Report, Trainer
from .variants import ENCODERS, Variant
from .voice import hear_with
from .wider_units import with_unit_set

FINEST = 160.0
"""Cells a side of the face field's finest table: about 2 mm on a face (the paper's parent has 38)."""
THUMBNAIL = 128
HEARING = "hearing"
"""Reported before the first stage, where the dataset is heard with another encoder than it was captured with."""
CUES = {"blendshape": with_blendshape_cue, "3dmm": with_face_model_cue}
"""Explicit cues that stand in for the measured Action Units."""
RUN = "run.json"
PREVIEW = "preview.png"


@dataclass(frozen=True)
class TrainOptions:
    """What decides an avatar; the same options on the same dataset continue an earlier run."""

    dataset: Path
    output: Path
    preset: str = "editable"
    units: str = OPENFACE_17.name
    """Name of the set of Action Units (``action_unit_sets``)."""
    work: Path | None = None
    """Folder of the checkpoints; beside the avatar by default."""
    name: str = ""
    licence: str = ""
    attribution: str = ""
    consent: Consent = field(default_factory=Consent)
    """Must be complete."""
    variants: tuple[str, ...] = ()
    """Flags of ``variants``, such as "fusion=concat"."""
    seed: int = 0
    threads: int = 0


@dataclass(frozen=True)
class TrainResult:
    """A finished avatar."""

    output: Path
    face: int
    """Gaussians of the face layer."""
    mouth: int
    seconds: float
    """Of all runs together."""


def train(
    options: TrainOptions, report: Report | None = None, cancelled: Callable[[], bool] | None = None
) -> TrainResult:
    """Train, or go on training. Raises :class:`HMTalkerError` and :class:`~..errors.CancelledError`."""
    if lack := options.consent.missing():
        raise HMTalkerError(f"{lack}.")
    if not (options.dataset / "performance.npz").is_file():
        raise HMTalkerError(f"'{options.dataset}' is not a finished dataset; run 'hmtalker capture' to its end first.")
    # a filmed surface is sampled as finely as its Gaussians shall lie
    start = replace(PRESETS[options.preset], seed=options.seed, shares={})
    unit_set = find_set(options.units)
    if unit_set is not OPENFACE_17:
        start = replace(start, model=start.model | {"unit_set": unit_set.name})
    preset = with_perceptual_network(Variant.parse(options.variants).apply(start))
    cue = CUES.get(preset.variant.get("cue", "au"))
    if cue is not None and unit_set is not OPENFACE_17:
        raise HMTalkerError(
            f"The cue '{preset.variant['cue']}' knows the 17 Action Units alone; train it with '{OPENFACE_17.name}'."
        )
    camera, pivot = load_camera(options.dataset / "camera.json")
    encoder = create(ENCODERS[preset.variant.get("encoder", "whisper")])
    if encoder.id != DEFAULT:
        hear_with(
            options.dataset,
            encoder,
            None if report is None else lambda done, of: report(HEARING, done, of, {}),
            cancelled,
        )
    performance = load_performance(options.dataset, encoder.id)
    dataset = Dataset(camera, pivot, performance, load_pictures(options.dataset, stream=True))
    if cue is not None:
        dataset = cue(options.dataset, dataset)
    dataset = with_unit_set(options.dataset, dataset, unit_set)
    config = MotionConfig(feature_dimension=performance.speech[0].shape[2], face_finest=FINEST)
    work = options.work or options.output.with_name(options.output.name + ".work")
    earlier = _begin(work, options, preset)
    started = time.monotonic()
    threads = options.threads or available_threads()
    preview = Preview(dataset, threads, work / PREVIEW)

    def told(stage: str, done: int, of: int, losses: dict[str, float]) -> None:
        preview.refresh(trainer.trained, now=done == of)
        if report is not None:
            report(stage, done, of, losses)

    trainer = Trainer(
        dataset,
        preset,
        filmed_person(options.dataset, dataset, options.seed),
        config,
        work,
        threads,
        told,
        cancelled,
        read_background(options.dataset),
    )
    try:
        trained = trainer.run(resume=True)
    finally:
        seconds = earlier + time.monotonic() - started
        _note(work, options, preset, seconds)
    header = {
        "name": options.name or options.output.stem,
        "licence": options.licence,
        "attribution": options.attribution,
        "consent": options.consent.to_dict(),
        "encoder": {"id": encoder.id, "dim": config.feature_dimension, "sha256": encoder.sha256},
        "training": preset.to_dict() | {"pictures": dataset.pictures.count if dataset.pictures else 0}
        | {"seconds": round(seconds)},
        "metrics": {},
        "thumbnail": "",
    }  # fmt: skip
    avatar = build_avatar(trained.model, trained.face, trained.mouth, dataset, header)
    avatar.header["thumbnail"] = thumbnail(avatar)
    save_avatar(avatar, options.output)
    return TrainResult(options.output, trained.face.count, trained.mouth.count, seconds)


def thumbnail(avatar: Avatar) -> str:
    """The resting face on grey, 128 pixels high, as a base64 PNG."""
    camera = avatar.camera.scaled(round(THUMBNAIL * avatar.camera.width / avatar.camera.height), THUMBNAIL)
    renderer = Renderer(avatar)
    image = on_grey(renderer.render_srgb8(MotionState.rest(), camera))
    renderer.close()
    return base64.b64encode(encode_png((image * 255 + 0.5).astype(np.uint8))).decode("ascii")


def _begin(work: Path, options: TrainOptions, preset: Preset) -> float:
    """Seconds that earlier runs took; checkpoints of other options are cleared away."""
    work.mkdir(parents=True, exist_ok=True)
    try:
        data = json.loads((work / RUN).read_text("utf-8"))
        if data["inputs"] == _inputs(options, preset):
            return float(data["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    for path in (*work.glob("stage_*.pt"), work / PREVIEW):
        path.unlink(missing_ok=True)
    _note(work, options, preset, 0.0)
    return 0.0


def _note(work: Path, options: TrainOptions, preset: Preset, seconds: float) -> None:
    data = {"inputs": _inputs(options, preset), "seconds": seconds}
    write_atomically(work / RUN, [json.dumps(data, indent=1).encode()])


def _inputs(options: TrainOptions, preset: Preset) -> dict:
    """What the checkpoints depend on."""
    tables = [(options.dataset / name).stat().st_size for name in ("performance.npz", "frames.npz", "camera.json")]
    return json.loads(json.dumps({"dataset": str(options.dataset.resolve()), "tables": tables} | preset.to_dict()))
