# SPDX-License-Identifier: GPL-3.0-or-later
"""What an artist does in the first minute, run inside the Blender application: drop, animate, tweak, show, render; then
the other shadings of a viewport.

Reads the folder to work in from HMTALKER_APP_WORK; leaves pictures of the screen and ``told.json`` there. Every step
yields how many seconds to wait for the interface.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Euler

PACKAGE = "bl_ext.user_default.hm_talker"
WORK = Path(os.environ["HMTALKER_APP_WORK"])
PATIENCE = 600.0
"""Seconds for one step; kernels are compiled in the first."""

if os.environ.get("HMTALKER_APP_WHEELS"):
    sys.path.append(os.environ["HMTALKER_APP_WHEELS"])

told: dict[str, Any] = {}
bpy.context.preferences.view.show_splash = False


def part(name: str) -> Any:
    """A module of the extension."""
    return importlib.import_module(f"{PACKAGE}.{name}")


def window() -> Any:
    """The window that everything happens in."""
    return bpy.context.window_manager.windows[0]


def area(kind: str) -> Any:
    """The first editor of a kind."""
    return next(candidate for candidate in window().screen.areas if candidate.type == kind)


def inside(editor: Any) -> Any:
    """A context inside an editor, as if the mouse were there."""
    region = next(region for region in editor.regions if region.type == "WINDOW")
    return bpy.context.temp_override(window=window(), area=editor, region=region)


def picture(name: str) -> None:
    """Save what is on the screen. Blender's own screenshot is black under a software renderer."""
    subprocess.run(["import", "-window", "root", str(WORK / f"{name}.png")], check=True)


def rest() -> Iterator[float]:
    """Wait until no job is under way and the face has caught up."""
    end = time.monotonic() + PATIENCE
    worker = part("hmtalker_blender.live_face").worker
    calm = 0
    while calm < 3:
        calm = 0 if part("hmtalker_blender.jobs").running or worker.collect() else calm + 1
        if time.monotonic() > end:
            raise TimeoutError("the interface did not come to rest")
        yield 0.5


def sidebar(editor: Any) -> None:
    """Open our tab in an editor's sidebar."""
    for region in editor.regions:
        if region.type == "UI":
            region.active_panel_category = "HM-Talker"
            region.tag_redraw()


def coloured(name: str, left: float, right: float) -> float:
    """Share of pixels with the colours of skin, hair or cloth between two shares of a picture's width."""
    image = bpy.data.images.load(str(WORK / f"{name}.png"))
    pixels = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(pixels)
    width, height = image.size
    bpy.data.images.remove(image)
    part_of = pixels.reshape(height, width, -1)[:, int(left * width) : int(right * width), :3]
    return float((part_of.max(-1) - part_of.min(-1) > 0.15).mean())


def until_coloured(name: str, left: float, right: float) -> Iterator[float]:
    """Take a picture again and again until there is a face in it: shaders are compiled at first."""
    end = time.monotonic() + PATIENCE
    while True:
        yield 5.0
        picture(name)
        if coloured(name, left, right) > 0.02:
            break
        if time.monotonic() > end:
            raise TimeoutError(f"no face came into {name}")
    yield 3.0
    picture(name)


def first_minute() -> Iterator[float]:
    """The artist's way."""
    scene = window().scene
    for name in ("Cube", "Light"):
        bpy.data.objects.remove(bpy.data.objects[name])
    camera = scene.camera
    camera.location, camera.rotation_euler, camera.data.lens = (0.0, -1.0, 0.05), (1.5708, 0.0, 0.0), 60.0
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = 320, 240, 25
    view = area("VIEW_3D")
    view.spaces.active.region_3d.view_perspective = "CAMERA"
    view.spaces.active.show_region_ui = True
    yield 1.0
    sidebar(view)
    yield 1.0
    picture("0_nobody")
    with inside(view):
        bpy.ops.hmtalker.add_avatar()
    avatar = bpy.context.active_object
    yield 3.0
    yield from rest()
    picture("1_added")
    with inside(view):
        bpy.ops.hmtalker.speak_file("INVOKE_DEFAULT", filepath=str(WORK / "voice.wav"))
    yield from rest()
    told["takes"] = len(avatar.hmtalker.takes)
    scene.frame_set(scene.frame_current + 12)
    yield from rest()
    picture("2_speaking")
    avatar.hmtalker.AU26 += 4.0
    avatar.hmtalker.keyframe_insert("AU26", frame=scene.frame_current)
    avatar.update_tag()
    yield from rest()
    picture("3_tweaked")
    yield from shadings(scene, view)
    yield from sequencer(scene)
    scene.render.engine, scene.render.use_sequencer = "HMTALKER", False
    scene.render.filepath = str(WORK / "f12.png")
    bpy.ops.render.render(write_still=True)
    told["problems"] = [avatar.hmtalker.last_error, scene.hmtalker.last_error]
    told["problems"] += list(part("hmtalker_blender.live_face").problems.values())
    told["vertices"] = len(avatar.data.vertices)


def shadings(scene: Any, view: Any) -> Iterator[float]:
    """A second viewport, in every shading; the first one stays Solid, looks from the side, and must not change."""
    view.spaces.active.show_region_ui = False
    bpy.ops.mesh.primitive_cube_add(size=0.04, location=(0.05, -0.16, 0.0))  # in front of the cheek
    with inside(view):
        bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
    yield 1.0
    left, right = sorted(
        (editor for editor in window().screen.areas if editor.type == "VIEW_3D"), key=lambda one: one.x
    )
    seen = left.spaces.active.region_3d
    seen.view_perspective, seen.view_distance, seen.view_location = "PERSP", 1.1, (0.0, 0.0, 0.0)
    seen.view_rotation = Euler((1.45, 0.0, 0.6)).to_quaternion()
    yield 1.0
    yield from rest()
    picture("4_solid")
    right.spaces.active.shading.type = "MATERIAL"
    yield from until_coloured("5_material", 0.37, 0.7)
    scene.render.engine = "HMTALKER"
    right.spaces.active.shading.type = "RENDERED"
    yield 2.0
    yield from rest()
    picture("6_own_engine")
    right.spaces.active.shading.type = "SOLID"
    with inside(right):
        bpy.ops.screen.area_close()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield 1.0


def sequencer(scene: Any) -> Iterator[float]:
    """The face in the Sequencer, live and rendered."""
    view = area("VIEW_3D")
    view.type = "SEQUENCE_EDITOR"
    view.spaces.active.view_type = "SEQUENCER_PREVIEW"
    view.spaces.active.show_region_ui = True
    if hasattr(window().workspace, "sequencer_scene"):
        window().workspace.sequencer_scene = scene
    yield 1.0
    sidebar(view)
    yield 1.0
    with inside(view):
        bpy.ops.hmtalker.add_live_strip()
    yield from rest()
    scene.frame_set(scene.frame_current + 1)
    yield 4.0
    picture("7_live_strip")
    with inside(view):
        bpy.ops.hmtalker.render_to_sequencer("INVOKE_DEFAULT")
    yield from rest()
    yield 2.0
    picture("8_rendered")
    told["strips"] = sorted(strip.type for strip in scene.sequence_editor.strips)


STEPS = first_minute()


def tick() -> float:
    """One step; at the end, write down how it went and leave."""
    try:
        return next(STEPS)
    except StopIteration:
        told["finished"] = True
    except Exception:
        told["error"] = traceback.format_exc()
    told["version"] = bpy.app.version_string
    (WORK / "told.json").write_text(json.dumps(told), "utf-8")
    sys.stdout.flush()
    os._exit(0)


bpy.app.timers.register(tick, first_interval=2.0)
