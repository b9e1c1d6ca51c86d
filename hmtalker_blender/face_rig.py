# SPDX-License-Identifier: GPL-3.0-or-later
"""Any mesh with ARKit's shape keys as a face of the avatar's performance: by drivers, or by keys.

Drivers are of the kind that Blender evaluates without running Python, so they work with scripts switched off and in a
Blender without the extension.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import bpy
import numpy as np

from ..engine.action_unit_sets import OPENFACE_17, ActionUnitSet, base
from ..engine.capture.curves.arkit_action_units import (
    ARKIT_NAMES,
    JAW_PARTS,
    SIDE_WORDS,
    action_units_to_arkit,
    shapes_of,
)
from ..engine.capture.curves.arkit_gaze import SHAPES as GAZE_SHAPES
from ..engine.capture.curves.arkit_gaze import add_gaze
from ..engine.capture.curves.shape_key_names import FEWEST, matched_shapes
from . import avatar_units

BAKED_KEY = "hmtalker_face"
"""On an action of shape keys that was made here."""


def shapes(mesh_object: bpy.types.Object) -> dict[str, int]:
    """Return shape key -> place among ARKit's shapes."""
    keys = mesh_object.data.shape_keys if mesh_object.type == "MESH" else None
    return matched_shapes([block.name for block in keys.key_blocks[1:]]) if keys is not None else {}


def faces(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the selected meshes that have enough of ARKit's shapes."""
    return [mesh for mesh in _meshes(context) if len(set(shapes(mesh).values())) >= FEWEST]


def no_face_reason(context: bpy.types.Context) -> str:
    """Say why no mesh can follow, or return an empty string."""
    meshes = _meshes(context)
    if not meshes:
        return "Select the mesh of a face with ARKit's shape keys"
    if faces(context):
        return ""
    count = len(set(shapes(meshes[0]).values()))
    return f'"{meshes[0].name}" has {count} of ARKit\'s 52 shape keys; a face has {FEWEST} or more'


def followers(context: bpy.types.Context) -> list[bpy.types.Object]:
    """Return the selected meshes that follow an avatar."""
    return [mesh for mesh in _meshes(context) if follows(mesh)]


def follows(mesh_object: bpy.types.Object) -> bool:
    """Say whether a mesh follows an avatar, by drivers or by keys that were made here."""
    keys = mesh_object.data.shape_keys
    animation = keys.animation_data if keys is not None else None
    if animation is None:
        return False
    baked = animation.action is not None and animation.action.get(BAKED_KEY)
    return bool(baked) or any(_is_ours(curve) for curve in animation.drivers)


def drive(mesh_object: bpy.types.Object, avatar_object: bpy.types.Object) -> int:
    """Let drivers move the mesh as the avatar's properties say; returns how many shape keys follow."""
    release(mesh_object)
    keys, count = mesh_object.data.shape_keys, 0
    units = avatar_units.read_units_of(avatar_object)
    for name, index in shapes(mesh_object).items():
        text, variables = expression(index, units)
        if not text:
            continue
        path = f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'
        keys.driver_remove(path)
        driver = keys.driver_add(path).driver
        driver.type = "SCRIPTED"
        for variable_name, target_path in variables.items():
            variable = driver.variables.new()
            variable.name = variable_name
            variable.targets[0].id = avatar_object
            variable.targets[0].data_path = target_path
        driver.expression = text
        count += 1
    return count


def expression(index: int, units: ActionUnitSet = OPENFACE_17) -> tuple[str, dict[str, str]]:
    """Return a shape's weight as an expression of Action Units, with variable -> data path; empty where none moves it.

    index: place among `ARKIT_NAMES`. units: what the avatar has. The same as `action_units_to_arkit` and `add_gaze`.
    """
    name = ARKIT_NAMES[index]
    if name in GAZE_SHAPES:
        axis, weight = GAZE_SHAPES[name]
        return f"min(max({weight:.6f} * look, 0), 1)", {"look": f"hmtalker.gaze[{axis}]"}
    jaw = "min((AU26 + AU27) / 5, 1)" if "AU27" in units.codes else "min(AU26 / 5, 1)"
    parted, by_jaw = "min(AU25 / 5, 1)", f"min({JAW_PARTS} * {jaw}, 1)"
    if name == "mouthClose":
        return _with_paths(f"{jaw} * (1 - min({parted} / max({by_jaw}, 0.000001), 1))", units)
    if name.startswith("mouthLowerDown"):
        side = next(letter for letter, word in SIDE_WORDS.items() if name.endswith(word))
        drawn_down = _strength(f"AU16{side}", units) if "AU16" in units.codes else "0"
        return _with_paths(f"max({parted} - {by_jaw}, {drawn_down})", units)
    terms = [
        f"{weight:g} * {_strength(code, units)}" for code in units.muscles if (weight := shapes_of(code).get(name, 0))
    ]
    text = " + ".join(terms)
    return _with_paths(text if len(terms) < 2 or units is OPENFACE_17 else f"min({text}, 1)", units)


def _strength(code: str, units: ActionUnitSet) -> str:
    """A muscle's pull, 0..1, as an expression."""
    pull = code if base(code) == code else f"({base(code)} + {code})"
    return f"min({pull} / {units.maxima[units.index(code)]:g}, 1)"


def _with_paths(text: str, units: ActionUnitSet) -> tuple[str, dict[str, str]]:
    """The expression, and the data paths of the Action Units in it."""
    words = set(re.findall(r"\w+", text))
    return text, {code: f"hmtalker.{code}" for code in units.codes if code in words}


def weights(units: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """float32 [T,52]: all of ARKit's shapes for a performance of [T,17 or 47] Action Units and [T,2] gaze."""
    return add_gaze(action_units_to_arkit(units), gaze)


def write_keys(mesh_object: bpy.types.Object, first_frame: int, rows: np.ndarray) -> bpy.types.Action:
    """Key the mesh's shape keys. rows: [T,52], one a frame from `first_frame` on. Returns the action."""
    release(mesh_object)
    keys = mesh_object.data.shape_keys
    animation = keys.animation_data_create()
    action = bpy.data.actions.new(f"{mesh_object.name} Face")
    action[BAKED_KEY] = True
    slot = action.slots.new(id_type="KEY", name=keys.name)
    bag = action.layers.new("Face").strips.new(type="KEYFRAME").channelbag(slot, ensure=True)
    places = first_frame + np.arange(len(rows))
    for name, index in shapes(mesh_object).items():
        if rows[:, index].any() or keys.key_blocks[name].value:
            curve = bag.fcurves.new(f'key_blocks["{bpy.utils.escape_identifier(name)}"].value')
            curve.keyframe_points.add(len(rows))
            curve.keyframe_points.foreach_set(
                "co", np.column_stack([places, rows[:, index]]).astype(np.float32).ravel()
            )
            curve.update()
    animation.action, animation.action_slot = action, slot
    return action


def release(mesh_object: bpy.types.Object) -> int:
    """Take away drivers and keys that were made here, and put those shape keys back to 0; returns how many."""
    keys = mesh_object.data.shape_keys
    animation = keys.animation_data if keys is not None else None
    if animation is None:
        return 0
    paths = [curve.data_path for curve in animation.drivers if _is_ours(curve)]
    for path in paths:
        keys.driver_remove(path)
    action = animation.action
    if action is not None and action.get(BAKED_KEY):
        bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
        paths += [curve.data_path for bag in bags for curve in bag.fcurves]
        animation.action = None
        if action.users == 0:
            bpy.data.actions.remove(action)
    for path in paths:
        block = keys.path_resolve(path.rpartition(".")[0])
        block.value = 0.0
    return len(paths)


def _is_ours(curve: bpy.types.FCurve) -> bool:
    targets = [target for variable in curve.driver.variables for target in variable.targets]
    return any(target.data_path.startswith("hmtalker.") for target in targets)


def _meshes(context: bpy.types.Context) -> Sequence[bpy.types.Object]:
    selected = getattr(context, "selected_objects", ())
    return [candidate for candidate in selected if candidate.type == "MESH" and not candidate.hmtalker.is_avatar]
