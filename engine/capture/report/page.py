# SPDX-License-Identifier: GPL-3.0-or-later
"""report.html: one file with everything in it, for any browser, without a network; and report.json beside it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...atomic_file import write_atomically
from . import plots
from .coverage import Coverage
from .facts import CaptureFacts, write_facts
from .finding import NOTE, STOP, WARN, Finding, clock, middle, worst
from .style import STYLE
from .summary import key_figures, summary, where
from .svg import clean, tag
from .timeline import timeline

HTML_FILE, JSON_FILE = "report.html", "report.json"
THUMBNAIL = 240
"""Largest side in pixels."""
QUALITY = 82
"""Of the JPEG files inside."""
MOST_THUMBNAILS = 12
MOST_FILES = 60
SEVERITY_WORDS = {STOP: "Film again", WARN: "Improve", NOTE: "Note"}
Thumbnails = Callable[[int], np.ndarray | None]


def write_report(folder: Path, facts: CaptureFacts, found: list[Finding], thumbnails: Thumbnails | None = None) -> Path:
    """Write report.html, report.json and the facts to `folder`; returns the path of report.html.

    thumbnails: picture (uint8 [h,w,3] RGB) of a frame 0..T-1, or None where there is none. Raises OSError.
    """
    folder = Path(folder)
    data = summary(facts, found)
    page = report_page(facts, found, data, thumbnails or (lambda frame: None))
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False)
    write_facts(folder, facts)
    write_atomically(folder / JSON_FILE, [text.encode("utf-8", "replace")])
    write_atomically(folder / HTML_FILE, [page.encode("utf-8", "replace")])
    return folder / HTML_FILE


def report_page(facts: CaptureFacts, found: list[Finding], data: dict[str, Any], thumbnails: Thumbnails) -> str:
    """The page as text."""
    coverage = Coverage(facts)
    body = tag(
        "main",
        tag("h1", "Capture report"),
        _head(data, found),
        _findings(facts, found),
        _frames(facts, found, thumbnails),
        _time(facts),
        _performance(facts, coverage),
        _picture(facts),
        _files(facts, data),
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # nothing may be fetched, and nothing run, whatever a file name says
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        'img-src data:">\n'
        f"<title>Capture report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _head(data: dict[str, Any], found: list[Finding]) -> str:
    verdict = data["verdict"]
    count = {severity: sum(finding.severity == severity for finding in found) for severity in SEVERITY_WORDS}
    tally = (
        f"Reasons to film again: {count[STOP]}. Things that make the avatar worse: {count[WARN]}. Notes: {count[NOTE]}."
        if found
        else "Nothing to remark."
    )
    figures = [tag("div", tag("dt", clean(name)), tag("dd", clean(value))) for name, value in key_figures(data)]
    return (
        tag("p", clean(verdict["text"]), class_=f"verdict is-{verdict['severity']}")
        + tag("p", clean(tally), class_="tally")
        + tag("dl", *figures, class_="figures")
    )


def _findings(facts: CaptureFacts, found: list[Finding]) -> str:
    if not found:
        return ""
    cards = []
    for finding in found:
        rest = [tag("p", clean(finding.detail))]
        if finding.remedy:
            rest.append(tag("p", clean(finding.remedy), class_="remedy"))
        if finding.spans:
            rest.append(tag("p", clean(where(facts, finding.spans)), class_="where"))
        severity = tag("p", SEVERITY_WORDS[finding.severity], class_=f"severity is-{finding.severity}")
        title = tag("p", clean(finding.title), class_="title")
        cards.append(tag("article", severity, title, tag("div", *rest, class_="rest"), class_="finding"))
    return tag("section", tag("h2", "What to do"), *cards)


def _frames(facts: CaptureFacts, found: list[Finding], thumbnails: Thumbnails) -> str:
    figures = []
    for frame, why in worst_frames(facts, found):
        image = thumbnails(frame)
        if image is None or image.ndim != 3 or image.size == 0:
            continue
        source, seconds = facts.place(frame)
        caption = tag("figcaption", clean(why), tag("span", clean(_moment(facts, source, seconds))))
        figures.append(tag("figure", f'<img alt="{clean(why)}" src="{_jpeg(image)}">', caption))
    return tag("section", tag("h2", "Worst frames"), tag("div", *figures, class_="frames")) if figures else ""


def worst_frames(facts: CaptureFacts, found: list[Finding]) -> list[tuple[int, str]]:
    """Frames to show and why: those of the findings in turn, then the least good ones of the capture."""
    chosen: dict[int, str] = {}
    for turn in range(3):
        for finding in found:
            if turn < len(finding.frames):
                chosen.setdefault(finding.frames[turn], finding.title)
    seen, yaw = facts.seen, facts.head[:, 1]
    for values, why in (
        (facts.column("blur"), "The least sharp frame."),
        (-facts.column("highlight"), "The darkest frame."),
        (facts.column("mouth_blur"), "The least sharp mouth."),
        (-facts.column("edge"), "The face is nearest to the edge."),
        (np.abs(yaw - middle(yaw, seen)), "Turned the furthest."),
    ):
        for frame in worst(values, seen, 1):
            chosen.setdefault(frame, why)
    return list(chosen.items())[:MOST_THUMBNAILS]


def _time(facts: CaptureFacts) -> str:
    drawn = timeline(facts)
    if not drawn:
        return ""
    key = "".join(
        tag("span", tag("i", style=f"background:var(--{colour})"), text)
        for colour, text in (
            ("good", "used"),
            ("stop", "no face"),
            ("warn", "left out"),
            ("blur", "another person"),
            ("voice", "speech"),
        )
    )
    about = "Dashed upright lines: cuts. Dashed red lines: limits."
    return tag(
        "section",
        tag("h2", "Along time"),
        tag("div", drawn, tag("p", key + about, class_="about key"), class_="card"),
    )


def _performance(facts: CaptureFacts, coverage: Coverage) -> str:
    cards = [
        _card(
            "Action Units",
            plots.unit_plot(coverage),
            "Share of the frames above intensity 1, 2 and 3 of 5 (light to dark); at the right the 95th percentile. "
            "Faint: measured with little confidence.",
        ),
        _card("Turns of the head", plots.pose_plot(coverage), "From the usual pose; darker squares hold more frames."),
        _card("Lip shapes while speaking", plots.lip_plot(coverage), "From the picture, in any language."),
        _card(
            "Sounds heard",
            plots.viseme_plot(coverage),
            "Heard as English by a simple recogniser; for other languages only a rough guide.",
        ),
    ]
    cards = [card for card in cards if card]
    return tag("section", tag("h2", "Performance"), tag("div", *cards, class_="plots wide")) if cards else ""


def _picture(facts: CaptureFacts) -> str:
    cards = [
        _card("Light", plots.light_plot(facts), "0 is black, 1 is white. The two halves should lie on each other."),
        _card("Sharpness", plots.blur_plot(facts), "Width of the sharpest edges: smaller is sharper."),
        _card(
            "Lips against sound",
            plots.sync_plot(facts.lip_sync, facts.fps),
            "How well the lips fit the voice when the sound is moved; the peak should lie in the green band.",
        ),
    ]
    cards = [card for card in cards if card]
    return tag("section", tag("h2", "Picture and sound"), tag("div", *cards, class_="plots")) if cards else ""


def _card(title: str, drawn: str, about: str) -> str:
    return tag("div", tag("h3", title), drawn, tag("p", clean(about), class_="about"), class_="card") if drawn else ""


def _files(facts: CaptureFacts, data: dict[str, Any]) -> str:
    head = tag("tr", *(tag("th", name) for name in ("File", "Length", "Picture", "Rate", "Sound", "Sound late by")))
    rows = []
    for source, told in list(zip(facts.sources, data["sources"], strict=True))[:MOST_FILES]:
        late = told["sound_late_ms"]
        cells = (
            source.file_name,
            clock(source.seconds),
            f"{source.width} × {source.height}, {source.codec}" + (f", {source.rotation}°" if source.rotation else ""),
            f"{source.rate:g}" + (", varies" if source.variable else ""),
            f"{source.sound_rate / 1000:g} kHz" if source.sound_rate else "none",
            f"{late:+.0f} ms" if late is not None else "not known",
        )
        rows.append(tag("tr", *(tag("td", clean(cell)) for cell in cells)))
    if not rows:
        return ""
    if len(facts.sources) > MOST_FILES:
        rows.append(tag("tr", tag("td", f"and {len(facts.sources) - MOST_FILES} more", colspan=6)))
    table = tag("table", head, *rows)
    return tag("section", tag("h2", "Files"), tag("div", tag("div", table, class_="scroll"), class_="card"))


def _moment(facts: CaptureFacts, source: int, seconds: float) -> str:
    return f"{clock(seconds)} in {facts.sources[source].file_name}"


def _jpeg(image: np.ndarray) -> str:
    """A picture as the address that holds it."""
    image = np.ascontiguousarray(image[..., :3], np.uint8)
    scale = min(1.0, THUMBNAIL / max(image.shape[:2]))
    size = [max(1, round(length * scale)) for length in (image.shape[1], image.shape[0])]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}" if done else ""
