# SPDX-License-Identifier: GPL-3.0-or-later
"""Footage of the bundled avatar, and the dataset that a perfect capture of it would give: made without capturing."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from filmed_people import AVATAR, write_film

from hmtalker import action_units as au
from hmtalker.avatar import load_avatar
from hmtalker.capture.framing import Framing
from hmtalker.capture.head.canonical_face import canonical_face
from hmtalker.head_pose import HeadPose
from hmtalker.motion.state import MotionState
from hmtalker.render import Renderer
from hmtalker.take import Take

WIDTH, HEIGHT, SIDE = 260, 200, 192
FRAMING = Framing(40, 4, SIDE, SIDE)
TO_FACE = np.array([-0.002, 0.66, 0.075])
"""Where the generic face lies on the bundled avatar, metres."""
MESH = np.asarray(canonical_face()) + TO_FACE
OPEN = {"AU25": 4.0, "AU26": 4.0}


@dataclass(frozen=True)
class Filmed:
    """What was filmed, and where it lies."""

    film: Path
    dataset: Path
    head: np.ndarray
    units: np.ndarray
    plate: np.ndarray
    camera: object


def swaying(count: int) -> np.ndarray:
    """float32 [n,6]: a head that turns a little and nods."""
    time = np.arange(count)
    head = np.zeros((count, 6), np.float32)
    head[:, 0], head[:, 1], head[:, 3] = 0.03 * np.sin(time / 4), 0.10 * np.sin(time / 7), 0.002 * np.cos(time / 5)
    return head


def units_of(count: int, lower: dict[str, float]) -> np.ndarray:
    """float32 [n,17]: raised brows that change, and a lower face that does not."""
    units = np.zeros((count, au.COUNT), np.float32)
    units[:, au.CODES.index("AU01")] = 1 + np.sin(np.arange(count) / 6)
    for code, value in lower.items():
        units[:, au.CODES.index(code)] = value
    return units


def plate_of() -> np.ndarray:
    """uint8 [H,W,3]: a wall that is lighter to one side."""
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    return np.stack([60 + 60 * x, 90 + 40 * y, 150 - 40 * x], 2).astype(np.uint8)


def drawn(units: np.ndarray, head: np.ndarray, tint: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """uint8 [n,H,W,3]: the avatar before the wall. tint: what the light does to the person."""
    renderer, plate = Renderer(load_avatar(AVATAR), threads=1), plate_of().astype(np.float32)
    pictures = []
    for row in range(len(units)):
        rgba = renderer.render_srgb8(MotionState(units[row], head=HeadPose.from_array(head[row])), whole_camera())
        alpha = rgba[..., 3:].astype(np.float32) / 255
        pictures.append((rgba[..., :3] * np.float32(tint) * alpha + plate * (1 - alpha) + 0.5).clip(0, 255))
    renderer.close()
    return np.stack(pictures).astype(np.uint8)


def whole_camera():
    """Of the whole picture."""
    square = load_avatar(AVATAR).camera.scaled(SIDE, SIDE)
    K = square.K.copy()
    K[0, 2] += FRAMING.left
    K[1, 2] += FRAMING.top
    return replace(square, width=WIDTH, height=HEIGHT, K=K)


def film_avatar(
    folder: Path, lower: dict[str, float], count: int = 20, tint: tuple[float, float, float] = (1, 1, 1)
) -> Filmed:
    """A film named ``take.mp4`` and its dataset, in `folder`."""
    folder.mkdir(exist_ok=True)
    head, units = swaying(count), units_of(count, lower)
    pictures = drawn(units, head, tint)
    film = write_film(folder / "take.mp4", list(pictures), np.zeros(count * 640, np.float32))
    dataset = folder / "dataset"
    for part in ("frames", "masks"):
        (dataset / part).mkdir(parents=True)
    avatar, camera = load_avatar(AVATAR), whole_camera()
    facts = {
        "sources": [{"name": "take", "file_name": "take.mp4", "seconds": count / 25, "width": WIDTH, "height": HEIGHT}],
        "clips": [{"name": "take", "source": 0, "begin": 0, "frames": count}],
    }
    (dataset / "report_facts.json").write_text(json.dumps(facts), "utf-8")
    (dataset / "camera.json").write_text(json.dumps({"crop": vars(FRAMING)}), "utf-8")
    np.savez(
        dataset / "head.npz",
        rotations=np.tile(np.eye(3), (count, 1, 1)),
        poses=head,
        size=np.array([WIDTH, HEIGHT]),
        K=camera.K,
        world_to_camera=camera.world_to_camera,
        pivot=avatar.pivot,
        mesh=MESH,
        reasons=np.zeros(count, np.uint8),
        errors=np.zeros(count, np.float32),
        jitter=np.zeros(2),
        clip_jitter=np.zeros((1, 2), np.float32),
    )
    np.savez(
        dataset / "performance.npz",
        usable=np.ones(count, bool),
        head=head,
        action_units=units,
        body=np.zeros((count, 3), np.float32),
    )
    plate = plate_of()
    cv2.imwrite(str(dataset / "background.png"), FRAMING.cut(plate)[..., ::-1])
    _write_cut_out(dataset, units, head)
    return Filmed(film, dataset, head, units, plate, camera)


def _write_cut_out(dataset: Path, units: np.ndarray, head: np.ndarray) -> None:
    """Frames with alpha, and masks in which all that turns with the head is face."""
    avatar = load_avatar(AVATAR)
    renderer = Renderer(avatar, threads=1)
    rows = avatar.face.head_weights > 0.5
    alone = replace(avatar, face=replace(avatar.face, **{k: v[rows] for k, v in avatar.face.arrays().items()}))
    heads = Renderer(alone, threads=1)
    camera = FRAMING.camera(whole_camera())
    for row in range(len(units)):
        state = MotionState(units[row], head=HeadPose.from_array(head[row]))
        rgba, only = renderer.render_srgb8(state, camera), heads.render_srgb8(state, camera)[..., 3]
        cv2.imwrite(str(dataset / "frames" / f"{row:06d}.png"), rgba[..., [2, 1, 0, 3]])
        nothing = np.zeros_like(only)
        body = rgba[..., 3] - np.minimum(only, rgba[..., 3])
        cv2.imwrite(str(dataset / "masks" / f"{row:06d}.png"), np.dstack([only, nothing, nothing, body]))
    renderer.close()
    heads.close()


def say(monkeypatch, lower: dict[str, float]) -> None:
    """Let any voice make the face that `lower` describes, held."""

    def animate(avatar, samples, fps, *_, **__):
        count = int(np.ceil(len(samples) / 16_000 * fps - 1e-6))
        return Take(fps, units_of(count, lower), np.zeros((count, 32), np.float32), np.zeros((count, 6), np.float32))

    monkeypatch.setattr("hmtalker.dub.dub.animate", animate)
