# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts of a finished capture, gathered for the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .picture_stage import sample_frame
from .pose_stage import HeadTrack
from .read_stage import Footage
from .report.facts import CaptureFacts, ClipFacts, SourceFacts
from .report.findings import findings
from .report.page import write_report
from .report.summary import summary
from .report.voice import voice_facts
from .sound_stage import sound_file, speech_file
from .sound_track import read_sound
from .units.measure import UnitCurves
from .video_file import FPS


def make_report(
    footage: Footage,
    head: HeadTrack,
    units: UnitCurves,
    usable: np.ndarray,
    silent: np.ndarray,
    still_camera: bool | None,
    warnings: Sequence[str],
    advance: Callable[..., None],
) -> tuple[Path, dict[str, Any]]:
    """Write report.html, report.json and the facts behind them; advances by clips. Returns the page and the summary."""
    faces, picture, levels, openings, clips = [], [], [], [], []
    for number, (clip, seen) in enumerate(footage.tracking()):
        faces.append(seen.faces)
        picture.append(seen.picture)
        sound = read_sound(sound_file(footage.folder, footage.sources[clip.source]), clip.begin, clip.frames)
        encoded = np.load(speech_file(footage.folder, clip), mmap_mode="r")[0].astype(np.float32)
        voice = voice_facts(sound, encoded, clip.frames)
        levels.append(voice.level)
        openings.append(voice.opening)
        jitter = (float(head.clip_jitter[number, 0]), float(head.clip_jitter[number, 1]))
        clips.append(
            ClipFacts(clip.name, clip.source, clip.begin, clip.frames, voice.sound, voice.phones, jitter, clip.shot)
        )
        advance(1, clip.name)
    files = {source.info.path.name: index for index, source in enumerate(footage.sources)}
    facts = CaptureFacts(
        fps=FPS,
        sources=tuple(_source(source.name, source.info) for source in footage.sources),
        clips=tuple(clips),
        cuts=tuple((files[name], seconds) for name, seconds in footage.cuts),
        usable=usable,
        reasons=head.reasons,
        faces=np.concatenate(faces),
        picture=np.concatenate(picture),
        head=head.poses,
        jitter=(head.jitter.degrees, head.jitter.millimetres),
        codes=units.codes,
        action_units=units.values,
        confidence=units.confidence,
        silent=silent,
        level=np.concatenate(levels),
        opening=np.concatenate(openings),
        still_camera=still_camera,
        warnings=tuple(warnings),
    )
    found = findings(facts)
    page = write_report(footage.folder, facts, found, lambda row: sample_frame(footage, None, row))
    return page, summary(facts, found)


def _source(name: str, info: Any) -> SourceFacts:
    return SourceFacts(
        name,
        info.path.name,
        info.rate,
        info.variable,
        info.width,
        info.height,
        info.seconds,
        info.codec,
        info.rotation,
        info.sound_rate,
    )
