# SPDX-License-Identifier: GPL-3.0-or-later
"""Showing an avatar in the Sequencer: live or as rendered frames, both look like F12."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import bpy, speech_like
from pictures import add_camera, apart, pixels_of, prepare, still

SIZE = 96


@pytest.fixture
def talking(avatar, add_sound, scene, tmp_path):
    """The tiny avatar speaking ten frames from frame 11, in a saved .blend."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    add_sound(speech_like(0.4), "voice", start=11)
    bpy.ops.hmtalker.animate_from_strip()
    prepare(scene, SIZE, SIZE)
    scene.view_settings.view_transform = "Standard"
    return avatar


def add_live(**options) -> None:
    assert bpy.ops.hmtalker.add_live_strip(**options) == {"FINISHED"}


def bake(**options) -> None:
    assert bpy.ops.hmtalker.render_to_sequencer(**options) == {"FINISHED"}


def strips_of(scene, kind: str) -> list:
    return [strip for strip in scene.sequence_editor.strips if strip.type == kind]


def as_seen(scene, folder, name: str) -> np.ndarray:
    """What the Sequencer makes of the current frame over black: sRGB pixels 0..1, from an 8-bit PNG."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    scene.render.use_sequencer = True
    scene.render.filepath = str(folder / name)
    bpy.ops.render.render(write_still=True, scene=scene.name)
    return pixels_of(folder / f"{name}.png")[..., :3]


def only(scene, kept) -> None:
    for strip in scene.sequence_editor.strips:
        strip.mute = strip.type in ("IMAGE", "SCENE") and strip != kept  # a muted sound is not spoken


def add_black(scene) -> None:
    """An opaque strip below everything."""
    parameters = scene.sequence_editor.strips.bl_rna.functions["new_effect"].parameters.keys()
    length = {"length": 40} if "length" in parameters else {"frame_end": 41}
    scene.sequence_editor.strips.new_effect(name="black", type="COLOR", channel=2, frame_start=1, **length)


def test_a_live_strip_covers_the_sound_and_plays_the_same_moment(talking, scene, part):
    versions = part("hmtalker_blender.versions")
    add_live()
    (strip,) = strips_of(scene, "SCENE")
    assert (versions.left_handle(strip), versions.right_handle(strip)) == (11, 21)
    assert strip.blend_type == "ALPHA_OVER"
    assert strip.channel > scene.sequence_editor.strips["voice"].channel
    behind = strip.scene
    assert (behind.frame_start, behind.frame_end) == (11, 20)
    assert (behind.render.engine, behind.render.film_transparent) == ("HMTALKER", True)
    assert behind.render.fps == scene.render.fps
    assert talking.name in behind.objects
    assert bpy.context.scene == scene


def test_adding_it_again_keeps_one_strip_and_one_scene(talking, scene, part):
    add_live()
    scenes = len(bpy.data.scenes)
    (strip,) = strips_of(scene, "SCENE")
    strip.transform.offset_x = 30
    add_live()
    assert (len(bpy.data.scenes), len(strips_of(scene, "SCENE"))) == (scenes, 1)
    assert strips_of(scene, "SCENE")[0].transform.offset_x == 30
    home = part("hmtalker_blender.avatar_object").home_scene(bpy.context, talking)
    assert home == scene


def test_the_avatars_own_camera_follows_the_avatar(talking, scene, part, tmp_path):
    talking.location, talking.rotation_euler = (3, 2, 1), (0.3, 0.2, 0.5)
    add_live()
    behind = strips_of(scene, "SCENE")[0].scene
    scene.frame_set(15)  # the render operator takes the frame of the active scene
    behind.frame_set(15)
    settings = behind.render.image_settings
    settings.file_format, settings.color_depth, settings.color_mode = "OPEN_EXR", "32", "RGBA"
    objects = part("hmtalker_blender.avatar_object")
    avatar = objects.load(objects.file_of(talking)).avatar
    depsgraph = behind.view_layers[0].depsgraph
    depsgraph.update()
    state = part("hmtalker_blender.motion_state").of_object(talking.evaluated_get(depsgraph))
    frame = part("engine.render").Renderer(avatar, threads=1).render(state)
    # Blender places the camera in float32
    assert apart(still(behind, tmp_path), frame.rgba) < 1.0


@pytest.mark.parametrize("camera", ["AVATAR", "SCENE"])
@pytest.mark.parametrize("file_format", ["PNG", "EXR"])
def test_live_and_baked_strips_look_the_same(talking, scene, tmp_path, camera, file_format):
    add_camera(scene)
    scene.hmtalker.frames.camera, scene.hmtalker.frames.file_format = camera, file_format
    add_black(scene)
    add_live()
    bake()
    (live,), (baked,) = strips_of(scene, "SCENE"), strips_of(scene, "IMAGE")
    scene.frame_set(15)
    pictures = []
    for strip in (live, baked):
        only(scene, strip)
        pictures.append(as_seen(scene, tmp_path, strip.type))
    assert pictures[0].max() > 0.3
    difference = abs(pictures[0] - pictures[1]).max(2) * 255
    # Blender lays strips over each other in 8 bits: that alone moves an edge of the live strip by up to 1.3 steps. A
    # PNG has its colour and its alpha rounded before, too.
    assert difference.max() <= (2.01 if file_format == "PNG" else 1.01)
    assert (difference > 1.01).mean() < 0.02
    if camera == "SCENE":  # and F12 of the shot itself is that too, laid over black
        scene.render.use_sequencer = False
        settings = scene.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
        scene.render.filepath = str(tmp_path / "f12")
        bpy.ops.render.render(write_still=True)
        shot = pixels_of(tmp_path / "f12.png")
        whole = shot[..., 3] > 0.9999
        assert whole.any()
        assert abs(shot[..., :3] - pictures[1])[whole].max() <= 1.01 / 255


@pytest.mark.parametrize("file_format", ["PNG", "EXR"])
def test_the_visible_mark_is_the_same_in_f12_live_and_baked_strips(talking, scene, tmp_path, file_format):
    add_camera(scene)
    scene.hmtalker.frames.camera, scene.hmtalker.frames.file_format = "SCENE", file_format
    add_black(scene)
    add_live()
    bake()
    (live,), (baked,) = strips_of(scene, "SCENE"), strips_of(scene, "IMAGE")
    scene.frame_set(15)
    only(scene, live)
    plain = as_seen(scene, tmp_path, "plain")
    display = talking.hmtalker.display
    display.use_mark, display.mark_corner, display.mark_size = True, "TOP_LEFT", 20.0
    bake()  # other inputs, so every frame is rendered again
    seen = []
    for strip in (live, baked):
        only(scene, strip)
        seen.append(as_seen(scene, tmp_path, strip.type))
    # Opaque, the engine's own picture of the scene is what the strips show over black
    scene.render.use_sequencer, scene.render.film_transparent, scene.world = False, False, None
    scene.render.filepath = str(tmp_path / "f12")
    bpy.ops.render.render(write_still=True)
    seen.append(pixels_of(tmp_path / "f12.png")[..., :3])
    corner = slice(0, SIZE // 3), slice(0, SIZE // 2)
    changed = abs(seen[0] - plain).max(2) > 0.3
    assert changed[corner].sum() > 40
    assert not changed[SIZE // 2 :].any()
    for picture in seen[1:]:
        solid = seen[0][corner][..., 0] > 0.85  # the letters
        assert solid.sum() > 20
        assert abs(picture - seen[0])[corner][solid].max() <= 2.01 / 255
    assert abs(seen[1] - seen[0]).max() * 255 <= (2.01 if file_format == "PNG" else 1.01)


def test_exr_frames_carry_depth_and_say_that_they_are_synthetic(talking, scene, part, tmp_path):
    scene.hmtalker.frames.file_format = "EXR"
    bake()
    folder = tmp_path / "hmtalker" / talking.name
    assert sorted(path.name for path in folder.iterdir()) == [f"{frame:04d}.exr" for frame in range(11, 21)]
    text = part("engine.exr_file").read_text(folder / "0015.exr")
    assert "trainedAlgorithmicMedia" in text["Source"]
    image = bpy.data.images.load(str(folder / "0015.exr"))
    assert tuple(image.size) == (SIZE, SIZE)
    assert image.is_float
    (strip,) = strips_of(scene, "IMAGE")
    assert strip.alpha_mode == "PREMUL"


def test_a_changed_camera_or_background_renders_again_and_nothing_else_does(talking, scene, tmp_path):
    camera = add_camera(scene)
    scene.hmtalker.frames.camera = "SCENE"
    bake()
    folder = tmp_path / "hmtalker" / talking.name

    def times() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}

    first = times()
    bake()
    assert times() == first
    camera.keyframe_insert("location", frame=15)
    camera.location.x += 0.02
    camera.keyframe_insert("location", frame=16)
    bake()
    second = times()
    assert {name for name in first if second[name] != first[name]} == {f"{frame:04d}.png" for frame in range(16, 21)}
    scene.hmtalker.frames.use_background = True
    bake()
    assert all(times()[name] != second[name] for name in second)


def test_a_background_fills_the_frames(talking, scene, tmp_path):
    scene.hmtalker.frames.use_background = True
    scene.hmtalker.frames.background = (0.0, 0.0, 1.0)
    bake()
    frame = pixels_of(tmp_path / "hmtalker" / talking.name / "0015.png")
    assert (frame[..., 3] == 1).all()
    assert np.allclose(frame[0, 0], (0, 0, 1, 1))


def test_smaller_frames_cover_the_same_part_of_the_picture(talking, scene):
    scene.hmtalker.frames.scale, scene.hmtalker.frames.position = 0.5, (10.0, -20.0)
    bake()
    (strip,) = strips_of(scene, "IMAGE")
    assert (strip.transform.scale_x, strip.transform.offset_x, strip.transform.offset_y) == (0.5, 10, -20)
    strip.transform.scale_x = strip.transform.scale_y = 0.8  # the artist's
    scene.hmtalker.resolution_percentage = 50
    bake()
    (strip,) = strips_of(scene, "IMAGE")
    assert strip.transform.scale_x == pytest.approx(1.6)
    assert strip.transform.offset_x == 10


def test_a_scene_camera_that_is_not_there_is_told(talking, scene):
    scene.hmtalker.frames.camera = "SCENE"
    for operator in (bpy.ops.hmtalker.add_live_strip, bpy.ops.hmtalker.render_to_sequencer):
        with pytest.raises(RuntimeError, match="no camera"):
            operator()
    assert "no camera" in scene.hmtalker.last_error
