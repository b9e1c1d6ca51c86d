# SPDX-License-Identifier: GPL-3.0-or-later
"""The curves of the generated layer: written from a take, and written again when the artist's sliders change.

A curve that somebody edited by hand since is left as it is; what was written is known by a digest kept on the action.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import bpy
import numpy as np

from ..engine.action_unit_sets import base, set_of_width
from ..engine.action_units import MAXIMUM
from . import takes

if TYPE_CHECKING:
    from ..engine.take import Take
    from .layer_properties import HMT_PG_layer
    from .performance_properties import HMT_PG_take

WRITTEN_KEY, EDITED_KEY = "hmtalker_written", "hmtalker_edited"
"""On the action: the digest of every curve as written, and the curves that were found edited by hand."""
LINEAR = bpy.types.Keyframe.bl_rna.properties["interpolation"].enum_items["LINEAR"].value
NOT_REDUCED = -1.0

RANGES = {"head_rotation": 0.4, "head_translation": 0.05, "body_translation": 0.05, "gaze": 0.4}
"""Radians or metres that count as much as the 5 of an Action Unit when keys are removed within an error."""


class Timing(NamedTuple):
    """How many frames an action has, and how many of them last a second."""

    frames: int
    fps: float


class Curve(NamedTuple):
    """One curve to write: a value at every frame of the action."""

    path: str
    index: int
    group: str
    values: np.ndarray
    range: float


def channelbag(action: bpy.types.Action) -> bpy.types.ActionChannelbag:
    """Return the curves of a generated action."""
    return action.layers[0].strips[0].channelbag(action.slots[0])


def timing(action: bpy.types.Action) -> Timing | None:
    """Return the action's length and rate, read off its Speech Time, or None where that curve is gone."""
    curve = channelbag(action).fcurves.find("hmtalker.speech_time")
    if curve is None or len(curve.keyframe_points) != 2 or not curve.keyframe_points[0].co[1] > 0:
        return None
    first, last = (point.co for point in curve.keyframe_points)
    fps = (last[0] - first[0]) / (last[1] - first[1]) if last[1] > first[1] else 0.0
    return Timing(round(last[0]) + 1, fps) if fps > 0 else None


def curves(
    take: Take, layer: HMT_PG_layer, time: Timing, codes: list[str] | None = None, others: bool = True
) -> Iterator[Curve]:
    """Yield what the action of a take holds. codes: Action Units, None for all. others: head, body and gaze too."""
    from ..engine.layer import adjusted, heard_units

    moments = (np.arange(time.frames) + 0.5) / time.fps  # a frame shows the middle of the time it is on screen
    units, rest = take.sample_action_units(moments), take.rest
    known = set_of_width(units.shape[1])
    # A side is as strong, mute and solo as its whole unit is, and as it is itself.
    settings = {code: (layer.adjustment(code), layer.adjustment(base(code))) for code in known.codes}
    heard = heard_units(
        {code: any(unit.mute for unit in both) for code, both in settings.items()},
        {code: any(unit.solo for unit in both) for code, both in settings.items()},
    )
    for index, code in enumerate(known.codes):
        if codes is not None and code not in codes and base(code) not in codes:
            continue
        unit, whole = settings[code]
        values = np.full(time.frames, rest[index], np.float32)
        if code in heard:
            maximum = float(known.maxima[index])
            strength = layer.strength * unit.strength * (1.0 if base(code) == code else whole.strength)
            values = adjusted(
                units[:, index], time.fps, rest[index], maximum, strength, unit.offset, unit.smoothing
            )  # fmt: skip
        yield Curve(f"hmtalker.{code}", 0, "Action Units", values, MAXIMUM)
    if not others:
        return
    head = take.sample_head(moments)
    rows = {
        "head_rotation": head[:, :3],
        "head_translation": head[:, 3:],
        "body_translation": take.sample_body(moments),
        "gaze": take.sample_gaze(moments),
    }
    for name, columns in rows.items():
        for index, values in enumerate(columns.T):
            yield Curve(f"hmtalker.{name}", index, "Head" if name != "gaze" else "Gaze", values, RANGES[name])


def write(action: bpy.types.Action, curve: Curve, key_error: float = NOT_REDUCED) -> tuple[int, int, float]:
    """Write one curve, all keys at once: thousands take a millisecond, where one by one they take seconds.

    key_error: 0..5, within which keys are left out; negative keeps one a frame. Returns how many keys there could be
    and how many there are, and the largest error in the same measure.
    """
    from ..engine.key_reduction import kept_keys, largest_error

    bag = channelbag(action)
    target = bag.fcurves.find(curve.path, index=curve.index) or bag.fcurves.new(curve.path, index=curve.index)
    if target.group is None:
        target.group = bag.groups.get(curve.group) or bag.groups.new(curve.group)
    share = curve.range / MAXIMUM
    kept = np.arange(len(curve.values)) if key_error < 0 else kept_keys(curve.values, key_error * share)
    points = target.keyframe_points
    points.clear()
    points.add(len(kept))
    points.foreach_set("co", np.column_stack([kept, curve.values[kept]]).astype(np.float32).ravel())
    points.foreach_set("interpolation", np.full(len(kept), LINEAR, np.int32))
    target.update()
    _written(action)[_name(target)] = _digest(target)
    return len(curve.values), len(kept), largest_error(curve.values, kept) / share


def refresh(avatar_object: bpy.types.Object, codes: list[str] | None = None) -> None:
    """Write the Action Units of all the avatar's performances again from their takes. codes: None for all."""
    for entry in avatar_object.hmtalker.takes:
        for curve in _pending(avatar_object, entry, codes, others=False):
            write(entry.action, curve, entry.key_error)
        if entry.action is not None:
            entry.action.update_tag()
    avatar_object.update_tag()


def rewrite(avatar_object: bpy.types.Object, entry: HMT_PG_take, key_error: float) -> Iterator[tuple[int, int, float]]:
    """Write all curves of one performance again within an error, yielding what `write` returns for each.

    An action that two performances share is reduced for both.
    """
    for other in avatar_object.hmtalker.takes:
        if other.action == entry.action:
            other.key_error = key_error
    for curve in _pending(avatar_object, entry, None, others=True):
        yield write(entry.action, curve, key_error)
    if entry.action is not None:
        entry.action.update_tag()
    avatar_object.update_tag()


def edited_by_hand(action: bpy.types.Action) -> list[str]:
    """Return the curves whose keys are not those that were written, and remember them on the action for panels."""
    written = action.get(WRITTEN_KEY)
    found = []
    for curve in channelbag(action).fcurves if written is not None else ():
        name = _name(curve)
        if name in written and written[name] != _digest(curve):
            found.append(name)
    if found:
        action[EDITED_KEY] = ", ".join(found)
    elif EDITED_KEY in action:
        del action[EDITED_KEY]
    return found


def _pending(
    avatar_object: bpy.types.Object, entry: HMT_PG_take, codes: list[str] | None, others: bool
) -> Iterator[Curve]:
    """Yield the curves of one performance that may be written."""
    action = entry.action
    take = takes.read(action) if action is not None and action.is_editable else None
    time = timing(action) if take is not None else None
    if take is None or time is None:
        return
    edited = edited_by_hand(action)
    for curve in curves(take, avatar_object.hmtalker.layer, time, codes, others):
        if f"{curve.path}[{curve.index}]" not in edited:
            yield curve


def _written(action: bpy.types.Action) -> dict:
    if WRITTEN_KEY not in action:
        action[WRITTEN_KEY] = {}
    return action[WRITTEN_KEY]


def _name(curve: bpy.types.FCurve) -> str:
    return f"{curve.data_path}[{curve.array_index}]"


def _digest(curve: bpy.types.FCurve) -> int:
    points = curve.keyframe_points
    places, kinds = np.empty(2 * len(points), np.float32), np.empty(len(points), np.int32)
    points.foreach_get("co", places)
    points.foreach_get("interpolation", kinds)
    return zlib.crc32(kinds.tobytes(), zlib.crc32(places.tobytes())) & 0x7FFFFFFF
