# SPDX-License-Identifier: GPL-3.0-or-later
"""Training as a job: of which dataset, into which file, what is still missing for it, and the worker that does it.

Where it stands is kept in the folder of the checkpoints alone, so that it outlives Blender.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..engine.consent import Consent
from ..engine.errors import HMTalkerError
from ..engine.worker import process
from ..engine.worker.earlier_training import REQUEST, read_earlier, read_request
from ..engine.worker.messages import Message, Progress
from ..engine.worker.train_worker import PICTURE, work_folder
from ..engine.worker.unfinished import read_unfinished
from . import capture_job, engine_environment, jobs, preferences

if TYPE_CHECKING:
    from .training_properties import HMT_PG_consent, HMT_PG_training

TITLE = "Training"
SUFFIX = ".hmt"
GRACE_SECONDS = 15.0
"""For a step that is under way and the checkpoint after it, when the artist cancels."""


@dataclass(frozen=True)
class Trained:
    """What a training leaves."""

    output: Path
    seconds: float


class TrainingJob(jobs.Job):
    """A training that can be watched more closely."""

    def __init__(self, output: Path, work: Callable[[jobs.Job], Any]) -> None:
        super().__init__(TITLE, work, apart=True)
        self.picture = work_folder(output) / PICTURE
        self.losses = ""


def running() -> TrainingJob | None:
    """Return the training that is under way."""
    return next((job for job in jobs.running if isinstance(job, TrainingJob)), None)


def no_training_reason(context: bpy.types.Context) -> str:
    """Say why nothing can be trained now, or return an empty string. Looks into no large file; panels ask it."""
    if reason := jobs.apart_reason():
        return reason
    settings: HMT_PG_training = context.scene.hmtalker.training
    if reason := engine_environment.status(context).reason:
        return reason
    dataset = capture_job.dataset_folder(context.scene.hmtalker.capture)
    if dataset is None:
        return "Save the .blend, or choose a dataset folder that does not depend on it"
    if not (dataset / "performance.npz").is_file() or read_unfinished(dataset) is not None:
        return "There is no finished training set in the dataset folder yet; capture one first"
    if output_file(settings) is None:
        return "Save the .blend, or choose an avatar file that does not depend on it"
    if lack := consent_of(settings.consent).missing():
        return lack
    if not settings.consent.given:
        return "Consent: tick that the person consented to this"
    return ""


def consent_of(settings: HMT_PG_consent) -> Consent:
    """Return the record as it was typed."""
    return Consent(settings.person, settings.statement, settings.date, settings.recorded_by)


def unit_set(settings: HMT_PG_training) -> str:
    """Return the name of the set of Action Units, as the engine knows it."""
    return settings.units.lower().replace("_", "-")


def output_file(settings: HMT_PG_training) -> Path | None:
    """Return the avatar file, or None where it is relative to a .blend that was never saved."""
    chosen = settings.output.strip()
    if not chosen or (chosen.startswith("//") and not bpy.data.is_saved):
        return None
    return Path(bpy.path.abspath(with_suffix(chosen))).absolute()


def with_suffix(path: str) -> str:
    """Return the path as a file's with the suffix of avatars."""
    path = path.rstrip("/\\") if len(path) > 2 else path
    return path if path.lower().endswith(SUFFIX) else path + SUFFIX


def make(context: bpy.types.Context) -> TrainingJob:
    """Return the job of training what the scene asks for. Raises HMTalkerError."""
    settings: HMT_PG_training = context.scene.hmtalker.training
    if reason := no_training_reason(context):
        raise HMTalkerError(f"{reason}.")
    dataset, output = capture_job.dataset_folder(context.scene.hmtalker.capture), output_file(settings)
    assert dataset is not None
    assert output is not None
    python, variables = engine_environment.interpreter(context), engine_environment.variables()
    options = {
        "dataset": str(dataset),
        "output": str(output),
        "work": str(work_folder(output)),
        "preset": settings.preset.lower(),
        "units": unit_set(settings),
        "name": settings.name.strip() or output.stem,
        "licence": settings.licence.strip(),
        "attribution": settings.attribution.strip(),
        "consent": consent_of(settings.consent).to_dict(),
        "threads": preferences.render_threads(context),
    }

    def work(job: jobs.Job) -> Trained:
        def heard(message: Message) -> None:
            if isinstance(message, Progress):
                job.progress(message.overall or 0.0, capture_job.as_text(message))
                made.losses = message.text

        found = process.run(
            python, "train", options, heard=heard, cancelled=job.cancelled, grace=GRACE_SECONDS, variables=variables
        )
        return Trained(output, float(found.get("seconds", 0.0)))

    made = TrainingJob(output, work)
    return made


def picture(settings: HMT_PG_training) -> Path | None:
    """Return the file that shows how far the avatar is, whether there is one or not."""
    output = output_file(settings)
    return work_folder(output) / PICTURE if output is not None else None


def recall(settings: HMT_PG_training) -> bool:
    """Fill in what was filled in for the earlier training of this avatar. Returns whether that is known."""
    output = output_file(settings)
    asked = read_request(work_folder(output)) if output is not None else None
    if asked is None:
        return False
    presets = settings.bl_rna.properties["preset"].enum_items.keys()
    settings.preset = asked.preset.upper() if asked.preset.upper() in presets else settings.preset
    sets = settings.bl_rna.properties["units"].enum_items.keys()
    chosen = asked.units.upper().replace("-", "_")
    settings.units = chosen if chosen in sets else settings.units
    settings.name, settings.licence, settings.attribution = asked.name, asked.licence, asked.attribution
    for name, value in asked.consent.to_dict().items():
        setattr(settings.consent, name, value)
    settings.consent.given = not asked.consent.missing()
    return True


def is_known(settings: HMT_PG_training) -> bool:
    """Return whether :func:`recall` would find something."""
    output = output_file(settings)
    return output is not None and (work_folder(output) / REQUEST).is_file()


def unfinished_text(context: bpy.types.Context) -> str:
    """Say where an unfinished training of this avatar stopped, or return an empty string."""
    settings: HMT_PG_training = context.scene.hmtalker.training
    dataset, output = capture_job.dataset_folder(context.scene.hmtalker.capture), output_file(settings)
    if dataset is None or output is None:
        return ""
    found = read_earlier(work_folder(output), dataset, settings.preset.lower(), unit_set(settings))
    if found is None:
        return ""
    text = f"An earlier training stopped in {capture_job.step(found.stopped)}"
    if found.same:
        return f"{text}; Train goes on where it stopped"
    return f"{text}; it had another preset, training set or set of Action Units, so Train begins anew"
