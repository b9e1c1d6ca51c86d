# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture as a job: which videos, where to, what is still missing for it, and the worker that does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..engine.capture.errors import CaptureError
from ..engine.worker import process
from ..engine.worker.messages import Finding, Message, Progress
from ..engine.worker.unfinished import read_unfinished
from . import engine_environment, jobs, preferences

if TYPE_CHECKING:
    from .properties import HMT_PG_capture

TITLE = "Capturing"


@dataclass(frozen=True)
class Captured:
    """What a capture leaves."""

    dataset: Path
    findings: tuple[Finding, ...]


def running() -> jobs.Job | None:
    """Return the capture that is under way."""
    return next((job for job in jobs.running if job.title == TITLE), None)


def no_capture_reason(context: bpy.types.Context) -> str:
    """Say why nothing can be captured now, or return an empty string. Looks at no video; panels ask it when drawn."""
    if reason := jobs.apart_reason():
        return reason
    settings: HMT_PG_capture = context.scene.hmtalker.capture
    if reason := engine_environment.status(context).reason:
        return reason
    if not settings.videos:
        return "Add one or more videos of the person"
    if dataset_folder(settings) is None:
        return "Save the .blend, or choose a dataset folder that does not depend on it"
    return ""


def dataset_folder(settings: HMT_PG_capture) -> Path | None:
    """Return the folder of the dataset, or None where it is relative to a .blend that was never saved."""
    chosen = settings.dataset.strip()
    if not chosen or (chosen.startswith("//") and not bpy.data.is_saved):
        return None
    return Path(bpy.path.abspath(chosen)).absolute()


def add_videos(settings: HMT_PG_capture, paths: list[Path], relative: bool) -> int:
    """Put videos on the list, each once, and return how many were new. relative: to the .blend, where that can be."""
    there = {absolute(video.path) for video in settings.videos}
    before = len(settings.videos)
    for path in paths:
        if path.absolute() in there:
            continue
        there.add(path.absolute())
        video = settings.videos.add()
        video.name, video.path = path.name, _kept(path.absolute(), relative)
    settings.active_video = max(0, len(settings.videos) - 1)
    return len(settings.videos) - before


def make(context: bpy.types.Context) -> jobs.Job:
    """Return the job of capturing what the scene asks for. Raises CaptureError and WorkerError."""
    settings: HMT_PG_capture = context.scene.hmtalker.capture
    videos = [absolute(video.path) for video in settings.videos]
    for video in videos:
        if not video.is_file():
            raise CaptureError(f"There is no video {video}; choose it again, or take it off the list.")
    dataset = dataset_folder(settings)
    if dataset is None or not videos:
        raise CaptureError(f"{no_capture_reason(context)}.")
    python, variables = engine_environment.interpreter(context), engine_environment.variables()
    options = {
        "videos": [str(path) for path in videos],
        "output": str(dataset),
        "size": settings.size,
        "matte": settings.matte.lower(),
        "threads": preferences.render_threads(context),
    }

    def work(job: jobs.Job) -> Captured:
        findings: list[Finding] = []

        def heard(message: Message) -> None:
            if isinstance(message, Progress):
                job.progress((message.stage_index + message.share) / message.stages, as_text(message))
            elif isinstance(message, Finding):
                findings.append(message)

        process.run(python, "capture", options, heard=heard, cancelled=job.cancelled, variables=variables)
        return Captured(dataset, tuple(findings))

    return jobs.Job(TITLE, work, apart=True)


def as_text(progress: Progress) -> str:
    """Return one line: the step, how much of it is done, and how long it still takes."""
    text = f"Step {progress.stage_index + 1} of {progress.stages}, {progress.stage}: {progress.share:.0%}"
    if progress.seconds_left is not None:
        text += f", {jobs.duration(progress.seconds_left)} left"
    return text


def unfinished_text(dataset: Path) -> str:
    """Say where an unfinished capture in this folder stopped, or return an empty string."""
    stopped = read_unfinished(dataset)
    if stopped is None:
        return ""
    return f"An earlier capture stopped in {step(stopped)}; Capture goes on where it stopped"


def step(progress: Progress) -> str:
    """Return where work stands, as a part of a sentence."""
    return f"step {progress.stage_index + 1} of {progress.stages} ({progress.stage}, {progress.share:.0%})"


def absolute(path: str) -> Path:
    """Return the path that an artist wrote, which may begin at the .blend."""
    return Path(bpy.path.abspath(path)).absolute()


def _kept(path: Path, relative: bool) -> str:
    if relative and bpy.data.is_saved:
        try:
            return bpy.path.relpath(str(path))
        except ValueError:
            pass  # on another drive of Windows
    return str(path)
