# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine HM-Talker: draws a scene's avatars, and nothing else, from its camera.

F12, ``blender -b -a``, Scene strips and a viewport in Rendered shading come from it. A frame is a function of the file
and the frame number; errors stop the render with one sentence, so that a farm sees a failure and not an empty frame.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..engine import visible_mark
from ..engine.errors import RenderError
from ..engine.png_file import SYNTHETIC_MEDIA
from . import (
    avatars_shown,
    camera_view,
    engine_paths,
    jobs,
    live_face,
    preferences,
    render_failure,
    scene_frame,
    synthetic_marks,
    versions,
    viewport_face,
)

IDENTIFIER = live_face.OWN_ENGINE


class HMTalkerRenderEngine(bpy.types.RenderEngine):
    """Draws talking avatars from the scene camera"""

    bl_idname = IDENTIFIER
    bl_label = "HM-Talker"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_gpu_context = False

    def update_render_passes(
        self, scene: bpy.types.Scene | None = None, renderlayer: bpy.types.ViewLayer | None = None
    ) -> None:
        """Say which passes there are."""
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        if renderlayer is not None and renderlayer.use_pass_z:
            self.register_pass(scene, renderlayer, "Depth", 1, "Z", "VALUE")

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw one view layer."""
        try:
            self._render(depsgraph)
        except Exception as error:
            message = jobs.sentence(error)
            render_failure.stop(message)
            self.report({"ERROR"}, message)
            self.error_set(message)

    def _render(self, depsgraph: bpy.types.Depsgraph) -> None:
        scene = depsgraph.scene
        width, height = camera_view.render_size(scene)
        window = border_of(scene, width, height)
        engine_paths.prepare_kernel_cache()
        result = self.begin_result(0, 0, window.width, window.height, layer=depsgraph.view_layer.name)
        done = False
        try:
            self.update_stats("", "Drawing avatars")
            shown = avatars_shown.in_depsgraph(depsgraph)
            if self.camera_override is None:
                raise RenderError("The scene has no camera; add one, or choose one in Scene properties.")
            camera = self.camera_override.evaluated_get(depsgraph)
            projection = camera_view.of_camera(camera, depsgraph, width, height, scene)
            rgba, depth = scene_frame.render(
                shown,
                projection,
                preferences.render_threads(bpy.context),
                None if (window.width, window.height) == (width, height) else window,
                cancelled=self.test_break,
            )
            if rgba[..., 3].any():
                self._say_synthetic(shown)
                for mark in dict.fromkeys(one.mark for one in shown if one.mark is not None):
                    visible_mark.lay_over(rgba, mark, (width, height), (window.left, window.top))
            if not scene.render.film_transparent:
                rgba = over_world(rgba, scene)
            passes = result.layers[0].passes
            _fill(passes, "Combined", rgba)
            _fill(passes, "Depth", depth)
            done = True
        finally:
            self.end_result(result, cancel=not done)

    def _say_synthetic(self, shown: list[avatars_shown.Shown]) -> None:
        """Let the file say that it is synthetic media, also one that the artist saves from the Image Editor."""
        paths = list(dict.fromkeys(one.path for one in shown))
        result = self.get_result()
        result.stamp_data_add_field("DigitalSourceType", SYNTHETIC_MEDIA)
        result.stamp_data_add_field("Attribution", "; ".join(map(synthetic_marks.attribution, paths)))
        for path in paths:
            synthetic_marks.face_drawn(path)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """The scene changed; the next draw looks at it."""

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw into a viewport in Rendered shading: what the worker has finished; the newest view is asked for."""
        scene = depsgraph.scene
        world = None if scene.render.film_transparent else world_colour(scene)
        viewport_face.draw_region(context, depsgraph, background=world)


def border_of(scene: bpy.types.Scene, width: int, height: int) -> camera_view.Window:
    """Return the rectangle that is rendered: Blender's own rounding of the border, or all of the picture."""
    render = scene.render
    if not render.use_border:
        return camera_view.Window(0, 0, width, height)
    left, right = (int(np.float32(edge) * np.float32(width)) for edge in (render.border_min_x, render.border_max_x))
    bottom, top = (int(np.float32(edge) * np.float32(height)) for edge in (render.border_min_y, render.border_max_y))
    return camera_view.Window(left, height - top, max(1, right - left), max(1, top - bottom))


def world_colour(scene: bpy.types.Scene) -> np.ndarray:
    """float32 [3], linear: what is behind the avatars where the film is not transparent. Textures are not drawn."""
    world = scene.world
    if world is None:
        return np.zeros(3, np.float32)
    for node in versions.used_nodes(world):
        if node.type == "BACKGROUND":
            return np.array(node.inputs["Color"].default_value[:3], np.float32) * node.inputs["Strength"].default_value
    return np.array(world.color, np.float32)


def over_world(rgba: np.ndarray, scene: bpy.types.Scene) -> np.ndarray:
    """Lay premultiplied rgba [H,W,4] over the world's colour; the result is opaque."""
    through = 1.0 - rgba[..., 3:]
    return np.concatenate([rgba[..., :3] + through * world_colour(scene), np.ones_like(through)], axis=2)


def _fill(passes: bpy.types.RenderPasses, name: str, picture: np.ndarray) -> None:
    """picture: float32 [H,W,…], row 0 at the top. A flat array is a thousand times quicker than a list of pixels."""
    if name in passes:
        passes[name].rect.foreach_set(np.ascontiguousarray(picture[::-1], np.float32).ravel())


def attach() -> None:
    """Show Blender's own panels for this engine too: those that it shows for any simple one, and none about lights."""
    for panel in _panels():
        panel.COMPAT_ENGINES.add(IDENTIFIER)


def detach() -> None:
    """Take that back."""
    for panel in _panels():
        panel.COMPAT_ENGINES.discard(IDENTIFIER)


def _panels() -> list[type[bpy.types.Panel]]:
    left_out = ("VIEWLAYER_PT_filter", "VIEWLAYER_PT_layer_passes", "RENDER_PT_simplify", "RENDER_PT_freestyle")
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if "BLENDER_RENDER" in getattr(panel, "COMPAT_ENGINES", ()) and panel.__name__ not in left_out
    ]


CLASSES = (HMTalkerRenderEngine,)
