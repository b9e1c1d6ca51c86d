# SPDX-License-Identifier: GPL-3.0-or-later
"""Render to Sequencer: frames, what is rendered again, cancel, and the strip."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import bpy, speech_like, write_wav


@pytest.fixture
def saved(tmp_path):
    """A .blend on disk, so that // means something."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    return tmp_path


@pytest.fixture
def talking(avatar, add_sound, saved):
    """The tiny avatar speaking ten frames from frame 11."""
    add_sound(speech_like(0.4), "voice", start=11)
    bpy.ops.hmtalker.animate_from_strip()
    return avatar


def frames_in(folder: Path, avatar) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "hmtalker" / avatar.name).iterdir())}


def render(**options) -> None:
    assert bpy.ops.hmtalker.render_to_sequencer(**options) == {"FINISHED"}


def image_strips(scene) -> list:
    return [strip for strip in scene.sequence_editor.strips if strip.type == "IMAGE"]


def test_every_frame_of_the_strip_becomes_a_png_with_alpha(talking, saved, scene):
    render()
    assert list(frames_in(saved, talking)) == [f"{frame:04d}.png" for frame in range(11, 21)]
    image = bpy.data.images.load(str(saved / "hmtalker" / talking.name / "0015.png"))
    assert tuple(image.size) == (96, 96)
    assert image.depth == 32
    alpha = np.array(image.pixels[:]).reshape(-1, 4)[:, 3]
    assert alpha.min() < 0.01
    assert alpha.max() > 0.5


def test_frames_appear_as_one_strip_above_the_others(talking, saved, scene, part):
    versions = part("hmtalker_blender.versions")
    parameters = scene.sequence_editor.strips.bl_rna.functions["new_effect"].parameters.keys()
    length = {"length": 40} if "length" in parameters else {"frame_end": 41}
    scene.sequence_editor.strips.new_effect(name="back", type="COLOR", channel=3, frame_start=1, **length)
    render()
    (strip,) = image_strips(scene)
    assert strip.channel == 4
    assert strip.blend_type == "ALPHA_OVER"
    assert strip.alpha_mode == "STRAIGHT"
    assert (versions.left_handle(strip), versions.right_handle(strip)) == (11, 21)
    assert [element.filename for element in strip.elements] == [f"{frame:04d}.png" for frame in range(11, 21)]
    assert strip.directory.startswith("//hmtalker")


def test_frames_that_did_not_change_are_not_rendered_again(talking, saved, scene):
    render()
    folder = saved / "hmtalker" / talking.name
    times = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    render()
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == times
    for frame, added in ((15, 0.0), (16, 0.5), (17, 0.0)):
        scene.frame_set(frame)
        talking.hmtalker.AU02 += added
        talking.hmtalker.keyframe_insert("AU02", frame=frame)
    render()
    changed = [path.name for path in sorted(folder.iterdir()) if path.stat().st_mtime_ns != times[path.name]]
    assert changed == ["0016.png"]


def test_one_frame_alone_is_the_same_as_among_others(talking, saved, scene):
    render()
    among = frames_in(saved, talking)["0017.png"]
    (saved / "hmtalker" / talking.name / "0017.png").unlink()
    scene.frame_start = scene.frame_end = 17
    render(range="SCENE")
    assert frames_in(saved, talking)["0017.png"] == among


def test_rendering_again_keeps_what_the_artist_did_to_the_strip(talking, saved, scene, part):
    render()
    (strip,) = image_strips(scene)
    strip.transform.offset_x, strip.transform.scale_x = 120, 0.5
    strip.channel = 9
    render()
    part("hmtalker_blender.versions").set_right_handle(scene.sequence_editor.strips["voice"], 19)
    render()
    (strip,) = image_strips(scene)
    assert (strip.transform.offset_x, strip.transform.scale_x, strip.channel) == (120, 0.5, 9)
    assert len(strip.elements) == 8


def test_the_scene_is_left_where_it_was(talking, saved, scene):
    scene.frame_set(7, subframe=0.5)
    render()
    assert (scene.frame_current, scene.frame_subframe) == (7, 0.5)


def test_resolution_is_relative_to_the_avatars_own(talking, saved, scene):
    scene.hmtalker.resolution_percentage = 50
    render()
    image = bpy.data.images.load(str(saved / "hmtalker" / talking.name / "0011.png"))
    assert tuple(image.size) == (48, 48)


def test_an_unsaved_blend_renders_to_a_temporary_folder(avatar, strip, scene):
    scene.frame_start, scene.frame_end = 1, 2
    render(range="SCENE")
    (image,) = image_strips(scene)
    assert Path(image.directory).is_relative_to(bpy.app.tempdir)


def test_cancel_keeps_whole_frames_and_nothing_half(talking, saved, scene, part, monkeypatch):
    baked_frames, jobs = part("hmtalker_blender.baked_frames"), part("hmtalker_blender.jobs")
    write, written, lock = baked_frames._write, [], threading.Lock()

    def write_then_cancel(path, *rest):
        write(path, *rest)
        with lock:
            written.append(path.name)
        if len(written) == 3:
            jobs.running[0].cancel()

    monkeypatch.setattr(baked_frames, "_write", write_then_cancel)
    assert bpy.ops.hmtalker.render_to_sequencer() == {"CANCELLED"}
    kept = frames_in(saved, talking)
    assert 3 <= len(kept) < 10
    assert sorted(written) == sorted(kept)
    assert not image_strips(scene)
    monkeypatch.setattr(baked_frames, "_write", write)
    render()
    assert {name: frames_in(saved, talking)[name] for name in kept} == kept


def test_a_folder_that_cannot_be_written_is_told(talking, saved, scene, tmp_path):
    (tmp_path / "in the way").write_text("a file, not a folder")
    scene.hmtalker.output_folder = str(tmp_path / "in the way" / "frames")
    with pytest.raises(RuntimeError, match="cannot be written"):
        bpy.ops.hmtalker.render_to_sequencer()
    assert "cannot be written" in scene.hmtalker.last_error
    assert not image_strips(scene)


def test_a_disk_that_fails_midway_is_told_and_leaves_no_half_frame(talking, saved, part, monkeypatch):
    png_file = part("engine.png_file")
    write_png, count = png_file.write_png, iter(range(100))

    def fail_on_the_fourth(path, *rest, **options):
        if next(count) >= 3:
            raise OSError(28, "No space left on device")
        write_png(path, *rest, **options)

    monkeypatch.setattr(png_file, "write_png", fail_on_the_fourth)
    with pytest.raises(RuntimeError, match="No space left"):
        bpy.ops.hmtalker.render_to_sequencer()
    assert all(data.startswith(b"\x89PNG") for data in frames_in(saved, talking).values())


def test_the_strip_shows_the_frame_over_the_background(talking, saved, scene, tmp_path):
    parameters = scene.sequence_editor.strips.bl_rna.functions["new_effect"].parameters.keys()
    length = {"length": 40} if "length" in parameters else {"frame_end": 41}
    back = scene.sequence_editor.strips.new_effect(name="back", type="COLOR", channel=2, frame_start=1, **length)
    back.color = (0.0, 0.0, 1.0)
    render()
    scene.render.resolution_x = scene.render.resolution_y = 96
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.render.filepath = str(tmp_path / "composite.png")
    scene.frame_set(15)
    bpy.ops.render.render(write_still=True)

    def pixels(path: Path) -> np.ndarray:
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = "Non-Color"
        return np.array(image.pixels[:]).reshape(96, 96, 4)

    frame = pixels(saved / "hmtalker" / talking.name / "0015.png")
    composite = pixels(tmp_path / "composite.png")
    covered = frame[..., 3] > 0.999
    clear = frame[..., 3] == 0.0
    assert covered.any()
    assert clear.any()
    assert abs(composite[covered][:, :3] - frame[covered][:, :3]).max() <= 1.5 / 255
    assert abs(composite[clear][:, :3] - (0, 0, 1)).max() <= 1.5 / 255


def test_the_avatar_may_stand_in_another_scene_than_the_sequencer(avatar, tmp_path, saved):
    edit = bpy.data.scenes.new("Edit")
    edit.render.fps = 25
    sound = write_wav(tmp_path / "voice.wav", speech_like(0.4))
    edit.sequence_editor_create().strips.new_sound("voice", str(sound), 1, 1)
    edit.hmtalker.avatar = avatar
    with bpy.context.temp_override(scene=edit):
        assert bpy.ops.hmtalker.animate_from_strip() == {"FINISHED"}
        render()
    assert avatar.hmtalker.takes[0].scene == "Edit"
    assert len(image_strips(edit)) == 1
    assert len(set(frames_in(saved, avatar).values())) > 1
