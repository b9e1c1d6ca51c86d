# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables of a dataset folder, as ``training.dataset`` reads them, and which clips are kept for testing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..action_unit_sets import OPENFACE_17, ActionUnitSet, convert
from ..atomic_file import write_atomically
from ..camera import Camera
from .array_file import write_arrays
from .curves.curves import fill_gaps
from .errors import CaptureError
from .framing import Framing, face_boxes, face_window
from .picture_stage import body_file, landmark_file
from .pieces import Clip, Source
from .pose_stage import HeadTrack
from .read_stage import Footage
from .units.measure import UnitCurves

TEST_SHARE = 1 / 11
"""The last eleventh of the footage is kept for testing (arXiv 2508.10566, section 4.1: 10:1)."""


def check_names(sources: Sequence[Source], asked: Sequence[str]) -> None:
    """Raises :class:`CaptureError` for a name that cannot be a clip's, before hours of work are done."""
    for name in asked:
        if not any(
            name in (source.name, source.info.path.name) or name.startswith(f"{source.name}.") for source in sources
        ):
            raise _unknown(name)


def held_out(footage: Footage, asked: Sequence[str]) -> np.ndarray:
    """bool [T]: frames kept for testing: of the clips or videos asked for, by name, or the last eleventh of all.

    Raises :class:`CaptureError` for a name that no clip and no video has, and where nothing is left to train on.
    """
    clips = footage.clips
    lengths = np.array([clip.frames for clip in clips])
    if not asked:
        test = np.zeros(int(lengths.sum()), bool)
        test[len(test) - round(TEST_SHARE * len(test)) :] = True
        return test
    chosen = np.zeros(len(clips), bool)
    for name in asked:
        sources = [footage.sources[clip.source] for clip in clips]
        named = [
            name in (clip.name, source.name, source.info.path.name) for clip, source in zip(clips, sources, strict=True)
        ]
        if not any(named):
            raise _unknown(name)
        chosen |= named
    if chosen.all():
        raise CaptureError("All clips are to be kept for testing and none is left to train on; keep fewer.")
    return np.repeat(chosen, lengths)


def _body_in_metres(footage: Footage, head: HeadTrack, camera: Camera) -> np.ndarray:
    """float32 [T,3] how far neck and clothes have moved from where they are in the reference frame."""
    shifts = np.concatenate([_known_shifts(footage.folder, clip) for clip in footage.clips])
    at = camera.world_to_camera[:3, :3] @ head.pivot + camera.world_to_camera[:3, 3]
    in_camera = np.concatenate([shifts * at[2] / np.array([camera.K[0, 0], camera.K[1, 1]]), 0 * shifts[:, :1]], 1)
    return np.asarray(in_camera @ camera.world_to_camera[:3, :3], np.float32)


def _known_shifts(folder: Path, clip: Clip) -> np.ndarray:
    """[n,2] with gaps interpolated; 0 where nothing is known."""
    shifts = np.load(body_file(folder, clip))
    return fill_gaps(shifts, np.isfinite(shifts).all(1))


def _unknown(name: str) -> CaptureError:
    return CaptureError(f"No clip is called '{name}', which was to be kept for testing; check the names.")


def write_tables(
    footage: Footage,
    head: HeadTrack,
    framing: Framing,
    units: UnitCurves,
    unit_set: ActionUnitSet,
    usable: np.ndarray,
    silent: np.ndarray,
    test: np.ndarray,
) -> None:
    """camera.json, performance.npz, frames.npz, windows.npz and face.npz. usable, silent, test: bool [T].

    units: of the set ``extended``, which is always kept whole beside the 17, pucker and funnel; `unit_set` is what the
    report was asked for.
    """
    folder, clips = footage.folder, footage.clips
    camera = framing.camera(head.camera)
    data = {
        "width": camera.width,
        "height": camera.height,
        "K": camera.K.tolist(),
        "world_to_camera": camera.world_to_camera.tolist(),
        "pivot": head.pivot.tolist(),
        "crop": vars(framing),
    }
    write_atomically(folder / "camera.json", [json.dumps(data, indent=1).encode()])
    lengths = [clip.frames for clip in clips]
    clip_index = np.repeat(np.arange(len(clips)), lengths)
    frame_in_clip = np.concatenate([np.arange(length) for length in lengths])
    seventeen = convert(units.values, units.codes, OPENFACE_17)
    column = dict(zip(units.codes, units.values.T, strict=True))
    write_arrays(
        folder / "performance.npz",
        clips=np.array([clip.name for clip in clips]),
        clip_sources=np.array([footage.sources[clip.source].name for clip in clips]),
        clip_begins=np.array([clip.begin for clip in clips]),
        clip_index=clip_index,
        frame_in_clip=frame_in_clip,
        training=~test,
        usable=usable,
        speech=~silent,
        action_units=seventeen,
        pucker=column["AU18"],
        funnel=column["AU22"],
        head=head.poses,
        body=_body_in_metres(footage, head, camera),
        unit_set=unit_set.name,
        unit_codes=np.array(units.codes),
        unit_values=units.values,
        unit_confidence=units.confidence,
    )
    write_arrays(
        folder / "frames.npz",
        action_units=seventeen,
        head=head.poses,
        clip_index=clip_index,
        frame_in_clip=frame_in_clip,
        split=np.where(test, "test", "train"),
    )
    windows = []
    for clip in clips:
        boxes = face_boxes(np.load(landmark_file(folder, clip), mmap_mode="r"))
        whole = np.array([0, 0, framing.size, framing.size])
        windows += [face_window(box, framing.size) if np.isfinite(box).all() else whole for box in boxes]
    write_arrays(folder / "windows.npz", window=np.array(windows), whole=np.ones(len(windows), bool))
    write_arrays(folder / "face.npz", mesh=head.mesh)
