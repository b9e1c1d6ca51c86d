# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels, menus, reasons for grey buttons, jobs, and what importing the extension must not do."""

from __future__ import annotations

import subprocess
import sys
import time
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import PACKAGE, ROOT, USER_FOLDER, bpy


class Recorder:
    """Stands in for a layout: remembers what is drawn, and that properties which are drawn exist."""

    def __init__(self, drawn: list | None = None) -> None:
        self.drawn: list[tuple[str, str, bool]] = [] if drawn is None else drawn
        self.enabled = True

    def _section(self, *_: Any, **__: Any) -> Recorder:
        return Recorder(self.drawn)

    row = column = box = _section

    def panel(self, _name: str, **_: Any) -> tuple[Recorder, Recorder]:
        return self._section(), self._section()

    def label(self, text: str = "", icon: str = "NONE") -> None:
        self.drawn.append(("label", text, self.enabled))

    def prop(self, data: Any, name: str, **_: Any) -> None:
        getattr(data, name)
        self.drawn.append(("prop", name, self.enabled))

    def operator(self, name: str, **_: Any) -> Any:
        category, verb = name.split(".")
        getattr(getattr(bpy.ops, category), verb).get_rna_type()
        self.drawn.append(("operator", name, self.enabled))
        return SimpleNamespace()

    def progress(self, factor: float = 0.0, text: str = "") -> None:
        self.drawn.append(("progress", text, self.enabled))

    def template_list(self, _kind: str, _name: str, data: Any, name: str, active: Any, chosen: str, **_: Any) -> None:
        self.drawn += [("list", entry.name, self.enabled) for entry in getattr(data, name)]
        getattr(active, chosen)

    def template_icon(self, icon_value: int, scale: float = 1.0) -> None:
        assert isinstance(icon_value, int)  # there are no icons without a window: 0
        assert scale > 0
        self.drawn.append(("icon", str(icon_value), self.enabled))

    def separator(self) -> None:
        pass

    def texts(self) -> str:
        return " ".join(text for kind, text, _ in self.drawn if kind == "label")


def draw(panel: type) -> Recorder:
    layout = Recorder()
    stand_in = type("Drawn", (), {name: getattr(panel, name) for name in dir(panel) if not name.startswith("__")})()
    stand_in.layout = layout
    panel.draw(stand_in, bpy.context)
    return layout


@pytest.fixture
def panels(part):
    return {cls.bl_idname: cls for cls in part("ui").CLASSES if issubclass(cls, bpy.types.Panel)}


def test_an_empty_scene_offers_an_avatar(scene, panels):
    layout = draw(panels["HMT_PT_avatar"])
    assert ("operator", "hmtalker.add_avatar", True) in layout.drawn
    assert not panels["HMT_PT_upper_face"].poll(bpy.context)


def test_every_action_unit_has_its_slider(avatar, panels, part):
    drawn = [text for name in ("HMT_PT_upper_face", "HMT_PT_lower_face") for kind, text, _ in draw(panels[name]).drawn]
    assert sorted(drawn) == sorted(part("engine.action_units").CODES)
    head = [text for _, text, _ in draw(panels["HMT_PT_head_and_speech"]).drawn]
    assert {"head_rotation", "head_translation", "audio_influence"} <= set(head)


def test_licence_and_attribution_have_a_panel_of_their_own(avatar, panels, part):
    avatars = part("hmtalker_blender.avatar_object")
    avatars.load(avatars.file_of(avatar))
    assert "CC0-1.0" in draw(panels["HMT_PT_about"]).texts()
    assert "CC0-1.0" not in draw(panels["HMT_PT_avatar"]).texts()


def test_grey_buttons_say_why(scene, panels, avatar, add_sound):
    layout = draw(panels["HMT_PT_sequencer"])
    assert ("operator", "hmtalker.animate_from_strip", False) in layout.drawn
    assert "no sound strip" in layout.texts()
    bpy.data.objects.remove(avatar)
    layout = draw(panels["HMT_PT_sequencer"])
    assert ("operator", "hmtalker.render_to_sequencer", False) in layout.drawn
    assert "no avatar" in layout.texts()


def test_buttons_are_live_when_everything_is_there(scene, panels, avatar, strip):
    layout = draw(panels["HMT_PT_sequencer"])
    assert ("operator", "hmtalker.animate_from_strip", True) in layout.drawn
    assert ("operator", "hmtalker.render_to_sequencer", True) in layout.drawn


def test_the_last_problem_stands_beside_what_failed(scene, panels, avatar, strip):
    strip.volume = 0.0
    with pytest.raises(RuntimeError):
        bpy.ops.hmtalker.animate_from_strip()
    for name in ("HMT_PT_sequencer", "HMT_PT_avatar"):
        assert "volume is 0" in draw(panels[name]).texts()


def test_every_operator_has_a_reason_and_a_tooltip(part):
    for cls in part("operators").CLASSES:
        assert isinstance(cls.disabled_reason(bpy.context), str)
        assert (cls.__doc__ or "").strip()
        assert not (cls.__doc__ or "").strip().endswith(".")


def test_a_running_job_is_shown_and_can_be_cancelled(scene, panels, avatar, strip, part):
    jobs, errors = part("hmtalker_blender.jobs"), part("engine.errors")

    def work(job: Any) -> None:
        while not job.cancelled():
            job.progress(0.5, "Halfway")
            time.sleep(0.005)
        raise errors.CancelledError("Cancelled.")

    job = jobs.Job("Waiting", work)
    try:
        job.tick()
        while job.fraction != 0.5:
            time.sleep(0.01)
            job.tick()
        layout = draw(panels["HMT_PT_sequencer"])
        assert ("progress", "50%", True) in layout.drawn
        assert "Halfway" in layout.texts()  # below the bar, which is too narrow for sentences
        assert ("operator", "hmtalker.animate_from_strip", False) in layout.drawn
        with pytest.raises(RuntimeError, match="under way"):
            bpy.ops.hmtalker.animate_from_strip()
        assert bpy.ops.hmtalker.cancel_job() == {"FINISHED"}
        job.run()
        assert isinstance(job.error, errors.CancelledError)
        assert not jobs.running
    finally:
        job.close()


def test_a_crash_inside_a_job_is_told_in_a_sentence(part):
    jobs = part("hmtalker_blender.jobs")

    def work(job: Any) -> None:
        raise ZeroDivisionError("division by zero")

    job = jobs.Job("Breaking", work)
    job.run()
    assert "Something unexpected went wrong" in jobs.sentence(job.error)
    assert not jobs.running


def test_main_thread_steps_can_be_cancelled_and_are_closed(part):
    jobs, errors = part("hmtalker_blender.jobs"), part("engine.errors")
    closed = []

    def steps() -> Any:
        try:
            while True:
                yield 0.1
        finally:
            closed.append(True)

    job = jobs.Job("Stepping", lambda job: None, steps=steps())
    job.tick(budget=0.001)
    job.cancel()
    job.run()
    assert isinstance(job.error, errors.CancelledError)
    assert closed == [True]


def test_menus_hold_the_entries(part):
    for menu, entry in part("ui.add_menu").ENTRIES:
        recorder = Recorder()
        entry(SimpleNamespace(layout=recorder), bpy.context)
        assert any(kind == "operator" for kind, _, _ in recorder.drawn)
        assert hasattr(bpy.types, menu)


def test_enabling_imports_nothing_heavy(extension_zip):
    """In a Blender of its own: enabling the extension loads no torch, numba or onnxruntime, and opens no avatar."""
    code = (
        "import bpy, sys; import addon_utils\n"
        f"addon_utils.enable({PACKAGE!r})\n"
        f"assert addon_utils.check({PACKAGE!r})[1], 'not enabled'\n"
        "heavy = [m for m in ('torch', 'numba', 'onnxruntime', 'scipy', 'librosa') if m in sys.modules]\n"
        "print('HEAVY', heavy, flush=True)\n"
        "import os; os._exit(0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**__import__("os").environ, "BLENDER_USER_RESOURCES": USER_FOLDER},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "HEAVY []" in done.stdout, done.stdout + done.stderr


class Window:
    """Stands in for the parts of a context that a modal operator uses."""

    def __init__(self) -> None:
        self.window = SimpleNamespace()
        self.windows: list[Any] = []
        self.timers = 0
        self.status: list[str | None] = []
        self.window_manager = self
        self.workspace = self

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)

    def event_timer_add(self, _seconds: float, window: Any) -> object:
        self.timers += 1
        return object()

    def event_timer_remove(self, _timer: object) -> None:
        self.timers -= 1

    def modal_handler_add(self, _operator: Any) -> None:
        pass

    def status_text_set(self, text: str | None) -> None:
        self.status.append(text)


@pytest.fixture
def modal(part):
    """A modal operator around a job, outside of Blender's event loop: returns (operator, window)."""

    def make(work: Any) -> tuple[Any, Window]:
        jobs = part("hmtalker_blender.jobs")
        base = part("operators.job_operator").JobOperator

        class Fake(base):
            reports: list = []

            def prepare(self, context: Any) -> Any:
                return jobs.Job("Working", work)

            def owners(self, context: Any) -> tuple:
                return (bpy.context.scene,)

            def finish(self, context: Any, result: Any) -> str:
                return f"Result {result}."

            def report(self, kind: set, text: str) -> None:
                self.reports.append((kind, text))

        return Fake(), Window()

    return make


def events(operator: Any, window: Window, kind: str = "TIMER") -> set:
    for _ in range(500):
        result = operator.modal(window, SimpleNamespace(type=kind, value="PRESS"))
        if result not in ({"PASS_THROUGH"}, {"RUNNING_MODAL"}):
            return result
        kind = "TIMER"
        time.sleep(0.005)
    raise AssertionError("the operator did not end")


def test_a_modal_job_shows_progress_and_ends_clean(modal):
    def work(job: Any) -> int:
        job.progress(0.5, "Halfway")
        time.sleep(0.1)
        return 42

    operator, window = modal(work)
    assert operator.start_modal(window) == {"RUNNING_MODAL"}
    assert operator.modal(window, SimpleNamespace(type="MOUSEMOVE", value="NOTHING")) == {"PASS_THROUGH"}
    assert events(operator, window) == {"FINISHED"}
    assert operator.reports[-1] == ({"INFO"}, "Result 42.")
    assert any("Halfway" in (text or "") for text in window.status)
    assert window.status[-1] is None
    assert window.timers == 0


def test_esc_cancels_a_modal_job(modal, part):
    errors = part("engine.errors")

    def work(job: Any) -> None:
        while not job.cancelled():
            time.sleep(0.005)
        raise errors.CancelledError("Cancelled; nothing was changed.")

    operator, window = modal(work)
    operator.start_modal(window)
    assert events(operator, window, "ESC") == {"CANCELLED"}
    assert operator.reports[-1] == ({"WARNING"}, "Cancelled; nothing was changed.")
    assert (window.timers, window.status[-1], part("hmtalker_blender.jobs").running) == (0, None, [])


def test_a_closing_window_stops_the_job(modal, part):
    stopped = []

    def work(job: Any) -> None:
        while not job.cancelled():
            time.sleep(0.005)
        stopped.append(True)

    operator, window = modal(work)
    operator.start_modal(window)
    operator.cancel(window)
    assert stopped == [True]
    assert window.timers == 0


def test_no_key_is_bound(extension):
    folders = [ROOT / name for name in ("hmtalker_blender", "operators", "ui")]
    assert not [path.name for folder in folders for path in folder.glob("*.py") if "keymap" in path.read_text("utf-8")]
