# SPDX-License-Identifier: GPL-3.0-or-later
"""Which avatar speaks which strip, when a scene has several of both.

The artist's choice comes first, then who performs the strip already, then an avatar whose name is in the name of the
strip, of its sound file or of its channel, then the one that speaks for the scene.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import bpy

from . import animation, avatar_object


def _is_avatar(_strip: bpy.types.PropertyGroup, candidate: bpy.types.Object) -> bool:
    return candidate.hmtalker.is_avatar


class HMT_PG_strip(bpy.types.PropertyGroup):
    """``Strip.hmtalker``: whose voice a sound strip is."""

    speaker: bpy.props.PointerProperty(  # type: ignore[valid-type]
        name="Speaker",
        description="Avatar that speaks this strip; leave empty to find it by name",
        translation_context="HM-Talker",  # Blender's own translation means a loudspeaker
        type=bpy.types.Object,
        poll=_is_avatar,
    )
    is_speech: bpy.props.BoolProperty(  # type: ignore[valid-type]
        name="Speech", description="Animate All makes somebody speak this strip; turn off for music and noises",
        default=True,
    )  # fmt: skip


def directed_to(
    context: bpy.types.Context, scene: bpy.types.Scene, strip: bpy.types.SoundStrip | None
) -> bpy.types.Object | None:
    """Return who speaks a strip that the artist has in hand: its chosen speaker, else the scene's."""
    chosen = strip.hmtalker.speaker if strip is not None else None
    if chosen is not None and chosen.hmtalker.is_avatar and chosen.users_scene:
        return chosen
    return avatar_object.speaker(context, scene)


def candidates(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the avatars that may speak in a scene: its own, or those of other scenes where it has none."""
    return avatar_object.avatars_of(scene) or [
        candidate for candidate in bpy.data.objects if candidate.hmtalker.is_avatar and candidate.users_scene
    ]


def speaker_of(
    context: bpy.types.Context, scene: bpy.types.Scene, strip: bpy.types.SoundStrip
) -> bpy.types.Object | None:
    """Return who speaks a strip, or None where nobody can tell."""
    if strip.hmtalker.speaker is not None:
        return directed_to(context, scene, strip)
    avatars = candidates(scene)
    performers = [avatar for avatar in avatars if animation.entry_of(avatar, strip, scene) is not None]
    if len(performers) == 1:
        return performers[0]
    file = PurePath(strip.sound.filepath.replace("\\", "/")).stem if strip.sound is not None else ""
    editor = scene.sequence_editor
    channel = editor.channels[strip.channel].name if strip.channel < len(editor.channels) else ""
    for text in (strip.name, file, channel):
        named = _named_in(text, avatars)
        if named is not None:
            return named
    return avatar_object.speaker(context, scene)


def _named_in(text: str, avatars: list[bpy.types.Object]) -> bpy.types.Object | None:
    """Return the only avatar whose name stands in a text as words of its own; the longest name counts."""
    words = f" {_words(text)} "
    found = [avatar for avatar in avatars if _words(avatar.name) and f" {_words(avatar.name)} " in words]
    longest = max((len(_words(avatar.name)) for avatar in found), default=0)
    found = [avatar for avatar in found if len(_words(avatar.name)) == longest]
    return found[0] if len(found) == 1 else None


def _words(name: str) -> str:
    return " ".join(re.findall(r"[^\W\d_]+|\d+", name.casefold()))


def attach() -> None:
    """Put the property group on strips."""
    bpy.types.Strip.hmtalker = bpy.props.PointerProperty(name="HM-Talker", type=HMT_PG_strip)


def detach() -> None:
    """Take it off again."""
    del bpy.types.Strip.hmtalker


CLASSES = (HMT_PG_strip,)
