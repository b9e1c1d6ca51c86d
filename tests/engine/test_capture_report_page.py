# SPDX-License-Identifier: GPL-3.0-or-later
"""The page stands by itself, shows everything, and stays a page whatever files are called; the facts come back."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from report_captures import FPS, changed, good_capture, with_source

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.report.facts import ABOUT_FILE, ARRAYS_FILE, CaptureFacts, read_facts, write_facts
from hmtalker.capture.report.findings import findings
from hmtalker.capture.report.page import worst_frames, write_report
from hmtalker.capture.report.summary import panel_lines, summary

cv2 = pytest.importorskip("cv2")
HOSTILE = "<script>alert('x')</script>\"'&\x00\x1b\n\udcff\u202e.mp4"
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Checks nesting and collects what is in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def picture(frame: int) -> np.ndarray:
    return np.full((360, 640, 3), (frame % 250, 128, 30), np.uint8)


def bad_capture() -> CaptureFacts:
    facts = changed(good_capture(30, sound_late=5, clips=2), highlight=0.2, light_left=0.9, edge=-0.1)
    facts = replace(facts, cuts=((0, 15.0),), warnings=("The clip <b>x</b> was left out.",))
    return replace(facts, clips=(facts.clips[0], replace(facts.clips[1], shot=1)))


def write(folder: Path, facts: CaptureFacts) -> tuple[str, Page]:
    path = write_report(folder, facts, findings(facts), picture)
    text = path.read_text("utf-8")
    return text, Page(text)


def test_the_page_shows_findings_figures_plots_and_frames(tmp_path: Path) -> None:
    facts = bad_capture()
    _, page = write(tmp_path, facts)
    for finding in findings(facts):
        assert finding.title in page.text
        assert finding.remedy in page.text
    for words in ("Film again before", "What to do", "Worst frames", "Along time", "Action Units", "Turns of the head"):
        assert words in page.text
    for words in ("Lip shapes", "Sounds heard", "Light", "Sharpness", "Lips against sound", "take.mp4", "1920 × 1080"):
        assert words in page.text
    assert page.tags.count("svg") == 8
    assert 3 <= page.tags.count("img") <= 12


def test_the_page_needs_nothing_else(tmp_path: Path) -> None:
    text, page = write(tmp_path, bad_capture())
    assert not {"script", "link", "iframe", "object", "embed", "base"} & set(page.tags)
    sources = [value for name, value in page.attributes if name in ("src", "href", "data", "action")]
    assert sources
    assert all(value.startswith("data:image/jpeg;base64,") for value in sources)
    assert re.findall(r"https?://[^\"\s]+", text) == ["http://www.w3.org/2000/svg"] * page.tags.count("svg")
    assert "@import" not in text
    assert "url(" not in text
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.attributes


def test_thumbnails_are_small_pictures_of_the_frames(tmp_path: Path) -> None:
    facts = bad_capture()
    _, page = write(tmp_path, facts)
    shown = [value for name, value in page.attributes if name == "src"]
    chosen = worst_frames(facts, findings(facts))
    assert len(shown) == len(chosen)
    image = cv2.imdecode(np.frombuffer(base64.b64decode(shown[0].split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (135, 240, 3)
    np.testing.assert_allclose(image[60, 100, ::-1], (chosen[0][0] % 250, 128, 30), atol=4)


def test_drawings_are_well_formed(tmp_path: Path) -> None:
    text, _ = write(tmp_path, bad_capture())
    drawings = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert drawings
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert "nan" not in ElementTree.tostring(root, "unicode").lower().replace("financ", "")
        width, height = (float(value) for value in root.attrib["viewBox"].split()[2:])
        for element in root.iter():
            if element.tag.endswith("rect"):
                x, y, w, h = (float(element.attrib[name]) for name in ("x", "y", "width", "height"))
                assert -1 <= x <= x + w <= width + 1
                assert -1 <= y <= y + h <= height + 1


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    facts = with_source(bad_capture(), name=HOSTILE, file_name=HOSTILE, codec="<img src=x onerror=alert(1)>")
    text, page = write(tmp_path, facts)
    assert "script" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "<script>alert" in page.text  # as words
    assert "\x00" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["sources"][0]["rate"] == 25.0
    assert read_facts(tmp_path).sources[0].file_name == HOSTILE


@pytest.mark.parametrize("frames", [0, 1, 40])
def test_odd_captures_make_pages_too(frames: int, tmp_path: Path) -> None:
    facts = good_capture(frames / FPS)
    facts = replace(facts, picture=np.full_like(facts.picture, np.nan), head=np.full_like(facts.head, np.nan))
    facts = facts if frames else replace(facts, clips=(), sources=())
    _, page = write(tmp_path, facts)
    assert "Film again before" in page.text
    assert "NaN" not in (tmp_path / "report.json").read_text("utf-8")


def test_a_frame_without_a_picture_is_left_out(tmp_path: Path) -> None:
    facts = bad_capture()
    text = write_report(tmp_path, facts, findings(facts), lambda frame: None).read_text("utf-8")
    assert "<img" not in text


def test_a_long_capture_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    sizes = []
    for seconds in (200, 2400):
        facts = good_capture(seconds)
        facts = replace(facts, silent=np.arange(facts.frames) % 9 < 4)
        path = write_report(tmp_path, facts, [], None)
        sizes.append(path.stat().st_size)
    assert sizes[1] < 1.3 * sizes[0]


def test_the_summary_is_plain_and_whole(tmp_path: Path) -> None:
    facts = bad_capture()
    write(tmp_path, facts)
    data = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert data == json.loads(json.dumps(summary(facts, findings(facts))))
    assert data["verdict"]["severity"] == "stop"
    assert {finding["key"] for finding in data["findings"]} >= {"dark", "one_sided", "edge", "cuts", "lip_sync"}
    assert data["figures"]["sound_late_ms"] == pytest.approx(200, abs=12)
    assert data["figures"]["usable_seconds"] == 30
    assert [clip["frames"] for clip in data["clips"]] == [375, 375]
    assert len(data["action_units"]) == 17
    assert sum(data["lip_shapes"].values()) == pytest.approx(1, abs=1e-3)


def test_the_panel_begins_with_the_verdict_and_is_short() -> None:
    facts = bad_capture()
    lines = panel_lines(summary(facts, findings(facts)))
    assert lines[0] == ("stop", "Film again before you train on this.")
    assert ("", "Sound late by: +200 ms") in [(s, re.sub(r"\+\d+", "+200", t)) for s, t in lines]
    assert ("stop", "The face is too dark.") in lines
    assert len(lines) < 24
    assert all(len(words) < 80 for _, words in lines)


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    facts = bad_capture()
    write_facts(tmp_path, facts)
    again = read_facts(tmp_path)
    for name, value in vars(facts).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(again, name), value)
    assert again.clips == facts.clips
    assert again.sources == facts.sources
    assert again.cuts == facts.cuts
    assert summary(again, findings(again)) == summary(facts, findings(facts))


@pytest.mark.parametrize("damage", ["missing", "broken", "other version", "cut array"])
def test_damaged_facts_are_refused_with_a_sentence(damage: str, tmp_path: Path) -> None:
    write_facts(tmp_path, good_capture(2))
    about, arrays = tmp_path / ABOUT_FILE, tmp_path / ARRAYS_FILE
    if damage == "missing":
        about.unlink()
    elif damage == "broken":
        about.write_text("{")
    elif damage == "other version":
        about.write_text(about.read_text().replace('"format": 1', '"format": 9'))
    else:
        arrays.write_bytes(arrays.read_bytes()[:500])
    with pytest.raises(CaptureError, match=r"capture again\.$"):
        read_facts(tmp_path)


def test_arrays_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="usable"):
        replace(good_capture(2), usable=np.ones(3, bool))
