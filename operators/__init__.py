# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do: one verb a file."""

from __future__ import annotations

from ..hmtalker_blender import jobs
from . import (
    add_avatar,
    add_sample_speech,
    animate_strip,
    cancel_job,
    capture,
    choose_videos,
    clear_take,
    open_report,
    recall_training,
    render_to_sequencer,
    speak_file,
    train,
    training_environment,
)

CLASSES = (
    *add_avatar.CLASSES,
    *add_sample_speech.CLASSES,
    *animate_strip.CLASSES,
    *cancel_job.CLASSES,
    *capture.CLASSES,
    *choose_videos.CLASSES,
    *clear_take.CLASSES,
    *open_report.CLASSES,
    *recall_training.CLASSES,
    *render_to_sequencer.CLASSES,
    *speak_file.CLASSES,
    *train.CLASSES,
    *training_environment.CLASSES,
)

stop_running_jobs = jobs.cancel_all
