# SPDX-License-Identifier: GPL-3.0-or-later
"""Every file that Blender writes with a face of ours in it says that it is synthetic media; no other file does."""

from __future__ import annotations

import os
import subprocess
import sys

import certificates
import pytest
from conftest import PACKAGE, USER_FOLDER, bpy, speech_like
from pictures import add_camera, pixels_of, prepare, use_cycles
from test_render_engine import depth_in

PICTURES = {
    "PNG": "png",
    "OPEN_EXR": "exr",
    "OPEN_EXR_MULTILAYER": "exr",
    "JPEG": "jpg",
    "JPEG2000": "jp2",
    "TIFF": "tif",
    "WEBP": "webp",
}
FILMS = {"MPEG4": "mp4", "QUICKTIME": "mov", "MKV": "mkv", "AVI": "avi", "OGG": "ogv"}


@pytest.fixture
def shot(avatar, scene, tmp_path):
    """The tiny avatar before a camera, in two frames of Cycles."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    prepare(scene, 64, 48)
    add_camera(scene)
    use_cycles(scene)
    scene.cycles.samples = 1
    scene.frame_start, scene.frame_end = 1, 2
    return avatar


@pytest.fixture
def marked(part):
    return part("engine.marking").is_marked


def write_as(scene, kind: str) -> None:
    settings = scene.render.image_settings
    media = "VIDEO" if kind in FILMS else "MULTI_LAYER_IMAGE" if "MULTI" in kind else "IMAGE"
    if hasattr(settings, "media_type"):
        settings.media_type = media
    settings.file_format = "FFMPEG" if kind in FILMS else kind
    if kind in FILMS:
        scene.render.ffmpeg.format, scene.render.ffmpeg.codec = kind, "H264"


def render(scene, folder, name: str = "out_", animation: bool = True) -> list:
    """What the render wrote."""
    scene.render.filepath = str(folder / name)
    bpy.ops.render.render(animation=animation, write_still=not animation)
    return sorted(folder.glob(f"{name}*"))


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_a_card_say_that_they_are_synthetic(shot, scene, tmp_path, marked, part, kind):
    write_as(scene, kind)
    files = render(scene, tmp_path)
    assert [file.name for file in files] == [f"out_000{n}.{PICTURES[kind]}" for n in (1, 2)]
    assert all(map(marked, files))
    (still,) = render(scene, tmp_path, f"still.{PICTURES[kind]}", animation=False)
    assert marked(still)
    if kind in ("PNG", "OPEN_EXR"):
        reader = part("engine.png_file" if kind == "PNG" else "engine.exr_file")
        assert "made by a program" in reader.read_text(still)["XML:com.adobe.xmp"]  # whom the avatar is attributed to
    if kind != "OPEN_EXR_MULTILAYER":
        assert pixels_of(still)[..., :3].max() > 0.1


def test_a_multilayer_file_keeps_its_passes(shot, scene, tmp_path, marked):
    scene.view_layers[0].use_pass_z = True
    write_as(scene, "OPEN_EXR_MULTILAYER")
    file = render(scene, tmp_path)[0]
    assert marked(file)
    depth = depth_in(file, (48, 64))
    assert 0.01 < (depth < 2).mean() < 0.9  # metres to the head, and nothing beside it


def test_frames_without_a_face_say_nothing(shot, scene, tmp_path, marked):
    write_as(scene, "PNG")
    shot.hide_render = True
    shot.keyframe_insert("hide_render", frame=1)
    shot.hide_render = False
    shot.keyframe_insert("hide_render", frame=2)
    assert list(map(marked, render(scene, tmp_path))) == [False, True]
    shot.hmtalker.display.in_scene = False
    assert not any(map(marked, render(scene, tmp_path, "outline_")))


@pytest.mark.parametrize("kind", FILMS)
def test_films_say_it_once_they_are_finished(shot, scene, tmp_path, marked, kind):
    write_as(scene, kind)
    (film,) = render(scene, tmp_path)
    assert film.suffix == f".{FILMS[kind]}"
    assert marked(film)
    other = tmp_path / f"out_{film.suffix}"
    other.write_bytes(film.read_bytes().replace(b"trainedAlgorithmicMedia", b"trainedAlgorithmicXXXXX"))
    scene.frame_end = 3
    assert not marked(other)
    (longer,) = set(render(scene, tmp_path)) - {film, other}
    assert marked(longer)
    assert not marked(other)  # what was there before is not this render's
    scene.render.engine = "HMTALKER"
    assert marked(*render(scene, tmp_path, "own_"))
    shot.hide_render = True
    (empty,) = render(scene, tmp_path, "empty_")
    assert not marked(empty)
    lengths = [bpy.data.movieclips.load(str(path)).frame_duration for path in (longer, empty)]
    assert lengths[0] == lengths[1] >= (1 if kind == "OGG" else 2)  # Blender 4.5 sees one frame in any short Theora


@pytest.mark.parametrize("way", ["live", "baked", "film"])
def test_the_sequencers_files_say_it_where_the_face_is_shown(shot, scene, tmp_path, marked, way, add_sound):
    add_sound(speech_like(0.04), "voice", start=2)  # one frame
    bpy.ops.hmtalker.animate_from_strip()
    strips = scene.sequence_editor.strips
    if way == "live":
        bpy.ops.hmtalker.add_live_strip()
    else:
        bpy.ops.hmtalker.render_to_sequencer()
    write_as(scene, "PNG")
    if way == "film":  # a film that is marked, in another one
        write_as(scene, "MPEG4")
        (film,) = render(scene, tmp_path, "first_")
        assert marked(film)
        for strip in list(strips):
            strips.remove(strip)
        strips.new_movie("film", str(film), 1, 2)
        write_as(scene, "PNG")
    assert list(map(marked, render(scene, tmp_path))) == [False, True]
    shot.hide_render = True  # where all strips are muted, the camera's picture takes their place
    for strip in strips:
        strip.mute = True
    assert not any(map(marked, render(scene, tmp_path, "muted_")))


def test_a_format_without_a_place_for_it_is_written_and_told(shot, scene, tmp_path, marked, caplog):
    write_as(scene, "BMP")
    files = render(scene, tmp_path)
    assert len(files) == 2
    assert not any(map(marked, files))
    assert caplog.text.count("cannot be marked as synthetic media") == 1


@pytest.fixture
def certificate():
    """Choose a certificate and its key in the preferences."""
    preferences = bpy.context.preferences.addons[PACKAGE].preferences

    def choose(certificate, key) -> None:
        preferences.certificate, preferences.certificate_key = str(certificate), str(key)

    yield choose
    choose("", "")


def test_finished_files_are_signed_where_there_is_a_certificate(shot, scene, tmp_path, marked, certificate):
    c2pa = pytest.importorskip("c2pa", reason="c2pa-python is not installed")
    certificate(*certificates.make(tmp_path))
    for kind in ("PNG", "MPEG4"):
        write_as(scene, kind)
        for file in render(scene, tmp_path, f"{kind}_"):
            assert marked(file)
            with c2pa.Reader(str(file)) as reader:
                assert reader.get_validation_state() in ("Valid", "Trusted")


def test_what_stands_in_the_way_of_signing_is_told(shot, scene, tmp_path, marked, certificate, part, caplog):
    certificate(tmp_path / "gone.pem", tmp_path / "gone.key")
    assert part("hmtalker_blender.content_credentials").unable_reason(bpy.context)
    write_as(scene, "PNG")
    assert all(map(marked, render(scene, tmp_path)))
    assert "was not signed" in caplog.text


AS_THE_APPLICATION = f"""
import os, sys
import bpy
bpy.ops.preferences.addon_enable(module={PACKAGE!r})
from {PACKAGE}.hmtalker_blender import render_failure
render_failure.ends_blender = True  # bpy in a Python is not; it renders as the application does in the background
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
bpy.context.scene.render.filepath = sys.argv[2]
bpy.ops.render.render(animation=True)
print("rendered")
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.parametrize("engine", ["CYCLES", "HMTALKER"])
def test_a_render_in_the_background_fails_where_a_face_is_missing(shot, scene, tmp_path, engine):
    shot.hmtalker.avatar_path = "//gone.hmt"
    scene.render.engine = engine
    bpy.ops.wm.save_mainfile()
    done = subprocess.run(
        [sys.executable, "-c", AS_THE_APPLICATION, str(tmp_path / "shot.blend"), str(tmp_path / "frame_")],
        env=os.environ | {"BLENDER_USER_RESOURCES": USER_FOLDER},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout[-2000:] + done.stderr[-2000:]
    assert "gone.hmt" in done.stderr.splitlines()[-1]
    assert "rendered" not in done.stdout
    assert not list(tmp_path.glob("frame_*"))
