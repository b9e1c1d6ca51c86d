# SPDX-License-Identifier: GPL-3.0-or-later
"""What the artist can do: one verb a file."""

from __future__ import annotations

from ..hmtalker_blender import jobs
from . import (
    add_avatar,
    add_live_strip,
    add_point_cloud,
    add_sample_speech,
    animate_all,
    animate_strip,
    apply_pose,
    cancel_job,
    capture,
    check_for_farm,
    choose_videos,
    clean_up,
    clear_take,
    doctor,
    drive_face,
    export_curves,
    export_gaussians,
    import_curves,
    open_report,
    performance_preset,
    pose_assets,
    recall_training,
    remove_performance,
    render_to_sequencer,
    reset_layer,
    speak_file,
    train,
    training_environment,
)

CLASSES = (
    *add_avatar.CLASSES,
    *add_live_strip.CLASSES,
    *add_point_cloud.CLASSES,
    *add_sample_speech.CLASSES,
    *animate_all.CLASSES,
    *animate_strip.CLASSES,
    *apply_pose.CLASSES,
    *cancel_job.CLASSES,
    *capture.CLASSES,
    *check_for_farm.CLASSES,
    *choose_videos.CLASSES,
    *clean_up.CLASSES,
    *clear_take.CLASSES,
    *doctor.CLASSES,
    *drive_face.CLASSES,
    *export_curves.CLASSES,
    *export_gaussians.CLASSES,
    *import_curves.CLASSES,
    *open_report.CLASSES,
    *performance_preset.CLASSES,
    *pose_assets.CLASSES,
    *recall_training.CLASSES,
    *remove_performance.CLASSES,
    *render_to_sequencer.CLASSES,
    *reset_layer.CLASSES,
    *speak_file.CLASSES,
    *train.CLASSES,
    *training_environment.CLASSES,
)

stop_running_jobs = jobs.cancel_all
