# SPDX-License-Identifier: GPL-3.0-or-later
"""The report in a few plain values: `report.json` (docs/capture_report.md), and the lines of Blender's panel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .coverage import Coverage
from .facts import CaptureFacts
from .finding import Finding, Span, clock, lasting, middle, percent
from .findings import verdict

SCHEMA = 1
PANEL_FINDINGS = 8
"""Findings that the panel shows; the report has all."""


def summary(facts: CaptureFacts, found: list[Finding]) -> dict[str, Any]:
    """JSON without NaN: what is not known is None."""
    coverage = Coverage(facts)
    severity, sentence = verdict(found)
    return {
        "schema": SCHEMA,
        "verdict": {"severity": severity, "text": sentence},
        "findings": [_finding(facts, finding) for finding in found],
        "figures": _plain(_figures(facts, coverage)),
        "action_units": [
            _plain(
                {
                    "code": unit.code,
                    "above_1": unit.shares[0],
                    "above_2": unit.shares[1],
                    "above_3": unit.shares[2],
                    "p95": unit.p95,
                    "performed": unit.performed,
                    "confidence": unit.confidence,
                }
            )
            for unit in coverage.units
        ],
        "lip_shapes": _plain(coverage.lip_shares),
        "visemes": dict(coverage.visemes),
        "sources": [_source(facts, number) for number in range(len(facts.sources))],
        "clips": [
            _plain(
                {
                    "name": clip.name,
                    "source": facts.sources[clip.source].name,
                    "begin_seconds": clip.begin / facts.fps,
                    "frames": clip.frames,
                    "usable": int(facts.usable[start : start + clip.frames].sum()),
                    "jitter_degrees": clip.jitter[0],
                    "jitter_mm": clip.jitter[1],
                }
            )
            for start, clip in zip(facts.starts, facts.clips, strict=True)
        ],
    }


def panel_lines(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(severity, words) for Blender's panel, from :func:`summary`: verdict, key figures, worst findings.

    The severity is "good", "stop", "warn", "note", or "" for a plain figure.
    """
    lines = [(str(data["verdict"]["severity"]), str(data["verdict"]["text"]))]
    lines += [("", f"{name}: {value}") for name, value in key_figures(data)]
    findings = data["findings"]
    for finding in findings[:PANEL_FINDINGS]:
        lines.append((finding["severity"], finding["title"]))
    if len(findings) > PANEL_FINDINGS:
        lines.append(("", f"{len(findings) - PANEL_FINDINGS} more in the report"))
    return lines


def key_figures(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) in words, from :func:`summary`; what is not known is left out."""
    figures = data["figures"]
    told = [("Usable footage", lasting(figures["usable_seconds"])), ("Speech", lasting(figures["speech_seconds"]))]
    for key, name, form in (
        ("eye_distance_pixels", "Eye distance", "{:.0f} px"),
        ("highlight", "Light on the face", "{}"),
        ("blur_percent", "Edge width", "{:.1f} %"),
        ("sound_late_ms", "Sound late by", "{:+.0f} ms"),
        ("silence_at_start_seconds", "Silence at the start", "{:.1f} s"),
        ("jitter_degrees", "Head trembling", "{:.2f}°"),
        ("yaw_degrees", "Turns sideways", "{:.0f}°"),
        ("blinks_per_minute", "Blinks a minute", "{:.0f}"),
    ):
        if figures[key] is not None:
            value = percent(figures[key]) if key == "highlight" else form.format(figures[key])
            told.append((name, value))
    return told


def _figures(facts: CaptureFacts, coverage: Coverage) -> dict[str, Any]:
    seen, sync = facts.seen, facts.lip_sync
    pitch, yaw, roll = coverage.pose_span
    sounds = [clip.sound for clip in facts.clips if clip.sound is not None]
    quiet_start = int(np.argmin(facts.silent)) if not facts.silent.all() else facts.frames
    blur = middle(facts.column("blur"), seen)
    return {
        "seconds": facts.frames / facts.fps,
        "usable_seconds": float(facts.usable.sum()) / facts.fps,
        "speech_seconds": float((~facts.silent & facts.usable).sum()) / facts.fps,
        "silence_at_start_seconds": quiet_start / facts.fps,
        "face_share": float(seen.mean()) if facts.frames else None,
        "cuts": len(facts.cuts),
        "most_faces": int(facts.faces.max(initial=0)),
        "eye_distance_pixels": middle(facts.column("size"), seen),
        "light": middle(facts.column("light"), seen),
        "highlight": middle(facts.column("highlight"), seen),
        "white": middle(facts.column("white"), seen),
        "light_left": middle(facts.column("light_left"), seen),
        "light_right": middle(facts.column("light_right"), seen),
        "blur_percent": 100 * blur,
        "noise": middle(facts.column("noise"), seen),
        "sound_late_ms": sync.milliseconds if sync.known else None,
        "sound_late_error_ms": sync.error if sync.known else None,
        "lip_correlation": sync.correlation,
        "sound_drift_ms": sync.drift,
        "speech_db": float(np.median([sound.speech_db for sound in sounds])) if sounds else None,
        "noise_db": float(np.median([sound.noise_db for sound in sounds])) if sounds else None,
        "jitter_degrees": facts.jitter[0],
        "jitter_mm": facts.jitter[1],
        "pitch_degrees": pitch,
        "yaw_degrees": yaw,
        "roll_degrees": roll,
        "blinks_per_minute": coverage.blinks,
    }


def _finding(facts: CaptureFacts, finding: Finding) -> dict[str, Any]:
    return {
        "severity": finding.severity,
        "key": finding.key,
        "title": finding.title,
        "detail": finding.detail,
        "remedy": finding.remedy,
        "spans": [
            {"source": facts.sources[span.source].name, "begin": round(span.begin, 2), "end": round(span.end, 2)}
            for span in finding.spans
        ],
        "frames": list(finding.frames),
    }


def where(facts: CaptureFacts, spans: tuple[Span, ...], listed: int = 6) -> str:
    """Places in words: 0:12-0:15 and 1:03-1:04 of 'a.mp4'."""
    told = []
    for number in dict.fromkeys(span.source for span in spans[:listed]):
        places = [f"{clock(s.begin)}–{clock(s.end)}" for s in spans[:listed] if s.source == number]
        told.append(f"{', '.join(places)} of '{facts.sources[number].file_name}'")
    more = len(spans) - listed
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def _source(facts: CaptureFacts, number: int) -> dict[str, Any]:
    source, sync = facts.sources[number], facts.lip_syncs[number]
    late = sync.milliseconds if sync.known else None
    return _plain({**vars(source), "sound_late_ms": late})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of Python, rounded; None for those that are not finite."""

    def plain(value: Any) -> Any:
        if isinstance(value, float | np.floating):
            return round(float(value), 4) if math.isfinite(value) else None
        return int(value) if isinstance(value, np.integer) else value

    return {key: plain(value) for key, value in values.items()}
