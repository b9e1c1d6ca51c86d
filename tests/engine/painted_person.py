# SPDX-License-Identifier: GPL-3.0-or-later
"""A person of flat colours with exact masks, landmarks where they belong, and a rough guess of where the person is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hmtalker.capture.matte.face_regions import EYES, LIPS, MOUTH, OVAL

SKIN, HAIR, SHIRT, TEETH = (205, 150, 120), (60, 40, 30), (70, 110, 160), (235, 230, 220)


@dataclass(frozen=True)
class Painted:
    """frame: uint8 [H,W,3]. alpha, face, hair, mouth, body: float32 [H,W]. landmarks: float32 [478,3]."""

    frame: np.ndarray
    alpha: np.ndarray
    face: np.ndarray
    hair: np.ndarray
    mouth: np.ndarray
    body: np.ndarray
    landmarks: np.ndarray


def wall(height: int, width: int, seed: int = 0) -> np.ndarray:
    """uint8 [H,W,3]: a room of pale rectangles."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), (150, 170, 150), np.float32)
    for _ in range(14):
        x, y = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(8, width // 3), rng.integers(8, height // 3)
        picture[y : y + h, x : x + w] = rng.uniform(110, 250, 3)
    return cv2.GaussianBlur(picture, (0, 0), 1.5).astype(np.uint8)


def paint(
    room: np.ndarray,
    shift: tuple[float, float] = (0, 0),
    opening: float = 0.05,
    noise: float = 1.5,
    seed: int = 0,
    fine: int = 3,
) -> Painted:
    """The person before `room` (uint8 [H,W,3]); the head moved by `shift` pixels, the mouth open.

    opening: height of the mouth as a share of the face's. fine: subpixels along each axis.
    """
    height, width = room.shape[:2]
    face = 0.42 * height  # from the forehead to the chin
    x, y = width / 2 + shift[0], 0.45 * height + shift[1]

    def ellipse(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
        if min(rx, ry) <= 0:
            return np.zeros((height * fine, width * fine), np.float32)
        xx = ((np.arange(width * fine, dtype=np.float32) + 0.5) / fine - 0.5 - cx) / rx
        yy = ((np.arange(height * fine, dtype=np.float32) + 0.5) / fine - 0.5 - cy) / ry
        return ((xx * xx)[None] + (yy * yy)[:, None] < 1).astype(np.float32)

    oval = ellipse(x, y, 0.36 * face, 0.5 * face)
    head = ellipse(x, y - 0.12 * face, 0.46 * face, 0.56 * face)
    fringe = ellipse(x, y - 0.55 * face, 0.4 * face, 0.25 * face)
    neck = ellipse(x, y + 0.6 * face, 0.2 * face, 0.5 * face)
    torso = ellipse(width / 2, 1.25 * height, 0.9 * face, 0.47 * height)
    mouth = ellipse(x, y + 0.25 * face, 0.14 * face, 0.5 * opening * face)
    mouth, face_, hair = mouth, oval * (1 - fringe) * (1 - mouth), head * np.maximum(1 - oval, fringe)
    body = np.maximum(neck, torso) * (1 - np.maximum(oval, head))
    cover = [cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA) for part in (face_, hair, mouth, body)]
    trunk = cv2.resize(neck * (1 - torso), (width, height), interpolation=cv2.INTER_AREA)[..., None]
    shirt = np.array(SHIRT) * (1 - trunk) + np.array(SKIN) * trunk
    colours = [np.array(SKIN), np.array(HAIR), np.array(TEETH), shirt]
    alpha = sum(cover)
    picture = sum(part[..., None] * colour for part, colour in zip(cover, colours, strict=True))
    picture = picture + (1 - alpha[..., None]) * room
    picture = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    frame = np.clip(picture, 0, 255).round().astype(np.uint8)
    return Painted(frame, alpha.astype(np.float32), *cover, landmarks=_landmarks(x, y, face, opening))


def _landmarks(x: float, y: float, face: float, opening: float) -> np.ndarray:
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = x, y

    def ring(numbers: tuple[int, ...], start: float, cx: float, cy: float, rx: float, ry: float) -> None:
        angle = start + 2 * np.pi * np.arange(len(numbers)) / len(numbers)
        points[list(numbers), 0] = cx + rx * np.cos(angle)
        points[list(numbers), 1] = cy + ry * np.sin(angle)

    ring(OVAL, -np.pi / 2, x, y, 0.36 * face, 0.5 * face)
    ring(LIPS, np.pi, x, y + 0.25 * face, 0.18 * face, (0.06 + 0.5 * opening) * face)
    ring(MOUTH, np.pi, x, y + 0.25 * face, 0.14 * face, 0.5 * opening * face)
    for side, eye in zip((-1, 1), EYES, strict=True):
        ring(eye, 0, x + side * 0.17 * face, y - 0.1 * face, 0.08 * face, 0.03 * face)
    return points


@dataclass(frozen=True)
class RoughPerson:
    """Stands in for the network: what differs from the empty room, smeared. Answers [256,256]."""

    room: np.ndarray
    smear: float = 2.0

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        away = np.abs(frame.astype(np.float32) - self.room).sum(-1)
        person = cv2.GaussianBlur((cv2.medianBlur((away > 60).astype(np.uint8), 5)).astype(np.float32), (0, 0), 1)
        person = cv2.resize(person, (256, 256), interpolation=cv2.INTER_AREA)
        closed = cv2.morphologyEx((person > 0.5).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
        return cv2.GaussianBlur(closed.astype(np.float32), (0, 0), self.smear)
