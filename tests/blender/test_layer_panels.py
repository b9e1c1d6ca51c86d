# SPDX-License-Identifier: GPL-3.0-or-later
"""Panels of the layers, presets, translations and the Doctor's report."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest
from conftest import PACKAGE, bpy, speech_like
from test_animate import animate
from test_interface import draw


@pytest.fixture
def panels(part):
    return {cls.__name__: cls for cls in part("ui").CLASSES if issubclass(cls, bpy.types.Panel)}


def operators(layout) -> dict[str, bool]:
    return {text: enabled for kind, text, enabled in layout.drawn if kind == "operator"}


def test_the_layers_panels_show_sliders_and_say_what_is_grey(avatar, strip, panels):
    layout = draw(panels["HMT_PT_layer"])
    assert operators(layout)["hmtalker.clean_up"] is False
    assert "no performance yet" in layout.texts()
    animate()
    assert operators(draw(panels["HMT_PT_layer"]))["hmtalker.clean_up"] is True
    units = [text for kind, text, _ in draw(panels["HMT_PT_layer_units"]).drawn if kind == "prop"]
    assert units == ["strength", "solo", "mute"] * 17
    settings = [text for kind, text, _ in draw(panels["HMT_PT_performance"]).drawn if kind == "prop"]
    assert {"blink_rate", "brows", "gaze", "nods", "breath", "head_motion", "seed"} <= set(settings)


def test_emotions_and_exchange_are_offered_or_say_why_not(avatar, panels, part):
    layout = draw(panels["HMT_PT_emotion"])
    faces = [text for kind, text, enabled in layout.drawn if kind == "operator" and text == "hmtalker.apply_pose"]
    assert len(faces) == len(part("engine.emotions").EMOTIONS)
    layout = draw(panels["HMT_PT_exchange"])
    assert operators(layout)["hmtalker.drive_face"] is False
    assert "Select the mesh" in layout.texts()
    assert operators(layout)["hmtalker.export_curves"] is True


def test_performances_are_listed_with_what_they_lack(avatar, strip, panels, part):
    part("hmtalker_blender.versions").set_right_handle(strip, 41)
    animate()
    part("hmtalker_blender.versions").set_right_handle(strip, 61)
    bpy.context.view_layer.update()
    layout = draw(panels["HMT_PT_takes"])
    assert strip.name in layout.texts()
    assert "20 frames" in layout.texts()
    assert "20 frames" in draw(panels["HMT_PT_sequencer"]).texts()


def test_animate_all_is_offered_where_there_are_several_strips(avatar, strip, add_sound, panels):
    assert "hmtalker.animate_all" not in operators(draw(panels["HMT_PT_sequencer"]))
    add_sound(speech_like(0.5), "second", start=80)
    assert operators(draw(panels["HMT_PT_sequencer"]))["hmtalker.animate_all"] is True


def test_presets_come_with_the_extension_and_can_be_kept(avatar, part, scene):
    paths = bpy.utils.preset_paths("hmtalker/performance")
    shipped = [path for folder in paths for path in Path(folder).glob("*.py")]
    assert {path.stem for path in shipped} >= {"calm", "lively", "news_reader"}
    settings = avatar.hmtalker.performance
    settings.seed = 7
    lively = next(path for path in shipped if path.stem == "lively")
    bpy.ops.script.execute_preset(filepath=str(lively), menu_idname="HMT_PT_performance_presets")
    assert (settings.nods, settings.seed) == (1.5, 7)
    settings.breath = 0.25
    assert bpy.ops.hmtalker.performance_preset_add(name="mine") == {"FINISHED"}
    settings.breath = settings.nods = 1.0
    kept = next(Path(folder) / "mine.py" for folder in bpy.utils.preset_paths("hmtalker/performance")
                if (Path(folder) / "mine.py").is_file())  # fmt: skip
    bpy.ops.script.execute_preset(filepath=str(kept), menu_idname="HMT_PT_performance_presets")
    assert settings.breath == pytest.approx(0.25)
    assert settings.nods == pytest.approx(1.5)
    kept.unlink()


def test_every_translation_is_of_something_that_is_shown(part):
    labels = {cls.bl_label for cls in part("ui").CLASSES if issubclass(cls, bpy.types.Panel)}
    verbs = {cls.bl_label for cls in part("operators").CLASSES}
    sliders = part("ui.face_sliders")
    titles = {*sliders.UPPER_GROUPS, *sliders.LOWER_GROUPS, *sliders.SIDE_NAMES.values()}
    labels |= titles
    preferences = part("hmtalker_blender.preferences").HMT_preferences.bl_rna
    for group in (bpy.types.Object, bpy.types.Strip, bpy.types.Scene, None):
        properties = [group.bl_rna.properties["hmtalker"].fixed_type if group else preferences]
        while properties:
            for prop in properties.pop().properties:
                labels.add(prop.name)
                if prop.type == "ENUM":
                    labels.update(item.name for item in prop.enum_items)
                if prop.type == "POINTER" and prop.fixed_type.identifier.startswith("HMT_"):
                    properties.append(prop.fixed_type)
    translations = part("ui.translations")
    for table in translations.LANGUAGES.values():
        for (context, message), translated in table.items():
            assert message in (verbs if context == translations.VERB else labels), message
            assert translated.strip() == translated != ""
    own = titles | {cls.bl_label for cls in part("ui.layer_panel").CLASSES}
    assert all((translations.LABEL, name) in translations.GERMAN for name in own)


def test_the_report_tells_all_that_matters_and_nothing_private(avatar, strip, part, monkeypatch, scene):
    problems, doctor = part("hmtalker_blender.problems"), part("hmtalker_blender.doctor")
    problems.forget()
    strip.volume = 0.0
    with pytest.raises(RuntimeError):
        animate()
    problems.remember("test", f"{Path.home()}/secret folder/thing.hmt of {getpass.getuser()} is gone")
    monkeypatch.setattr(doctor, "_try_renderer", lambda: "not tried here")
    assert bpy.ops.hmtalker.doctor() == {"FINISHED"}
    report = bpy.data.texts["HM-Talker Report"].as_string()
    for told in ("HM-Talker", bpy.app.version_string, "Python", "numba", "Avatar tiny.hmt", "volume is 0",
                 "Training environment", "25.000 fps", "thing.hmt", "Speech encoder:"):  # fmt: skip
        assert told in report, told
    assert "secret folder" not in report
    assert str(Path.home()) + "/" not in report
    assert str(Path(avatar.hmtalker.avatar_path).parent) not in report
    assert PACKAGE.split(".")[1] in report


def test_what_fails_in_the_examination_is_said_and_does_not_stop_it(part, tmp_path):
    lines = part("hmtalker_blender.doctor").checks([tmp_path / "gone.hmt"], lambda _share, _text: None)
    assert any(line.startswith("Avatar file gone.hmt: FAILED, AvatarError") for line in lines)


def test_paths_of_every_system_are_struck_out(part):
    public = part("hmtalker_blender.doctor").public
    assert public(r"C:\Users\Jane Doe\films\take.wav is gone") == "take.wav is gone"
    assert public("/media/disk 2/films/take.wav is gone") == "take.wav is gone"
    assert public("https://example.org is no path; 16/9 is none") == "https://example.org is no path; 16/9 is none"
