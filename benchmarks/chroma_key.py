# SPDX-License-Identifier: GPL-3.0-or-later
"""How near the chroma key comes to exact mattes, and what it makes of real clips.

    python benchmarks/chroma_key.py --frames DIR [--count 12] [--clips DIR] [--out out]

--frames: PNG files (RGBA, straight, with exact alpha) of heads; each is put in front of an unevenly lit blue and green
screen, with noise, chroma at half resolution and JPEG, and keyed again. Prints, per screen, the IoU at alpha 0.5, the
mean absolute error of alpha over the picture, over the soft edge (within 4 pixels of where the exact alpha is mixed)
and over its upper half (hair), and of the straight colours (0..255) where the exact alpha is over a half at the edge.
--clips: video files of one person in front of one screen; writes OUT/chroma_key.png: frame, alpha, over grey, over red.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import conftest  # noqa: F401  (makes `hmtalker` importable from the working tree)

from hmtalker.capture.matte.chroma_key import key
from hmtalker.capture.matte.screen_model import ScreenModel

SCREENS = {"blue": (45, 95, 215), "cyan": (45, 175, 225), "green": (60, 185, 75)}


def screen(colour: tuple[int, int, int], height: int, width: int) -> np.ndarray:
    """float32 [H,W,3] 0..1: cloth lit from the upper left, darker in the corners."""
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    light = 1.15 - 0.35 * x - 0.2 * y - 0.25 * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    return np.clip(np.array(colour, np.float32) / 255 * light[..., None], 0, 1).astype(np.float32)


def filmed(picture: np.ndarray, rng: np.random.Generator, noise: float = 0.012, quality: int = 85) -> np.ndarray:
    """uint8: `picture` (float 0..1) with sensor noise, through a JPEG with 4:2:0 chroma."""
    noisy = np.clip(picture + rng.normal(0, noise, picture.shape), 0, 1)
    bgr = np.ascontiguousarray((noisy * 255).round().astype(np.uint8)[..., ::-1])
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    return np.ascontiguousarray(cv2.imdecode(cv2.imencode(".jpg", bgr, options)[1], cv2.IMREAD_COLOR)[..., ::-1])


def measure(heads: list[np.ndarray]) -> None:
    print(f"{'screen':8}{'IoU':>8}{'alpha':>9}{'edge':>8}{'hair':>8}{'colour':>8}{'ms':>7}")
    for name, colour in SCREENS.items():
        rng = np.random.default_rng(1)
        back = screen(colour, *heads[0].shape[:2])
        pictures = [head[..., :3] * head[..., 3:] + (1 - head[..., 3:]) * back for head in heads]
        frames = [filmed(picture, rng) for picture in pictures]
        model = ScreenModel.fit(frames)
        rows = []
        for head, frame in zip(heads, frames, strict=True):
            start = time.perf_counter()
            matte = key(frame, model)
            rows.append((*errors(head, matte.alpha, matte.foreground), 1000 * (time.perf_counter() - start)))
        iou, alpha, edge, hair, straight, milliseconds = np.mean(rows, 0)
        print(f"{name:8}{iou:8.4f}{alpha:9.4f}{edge:8.4f}{hair:8.4f}{straight:8.2f}{milliseconds:7.0f}")


def errors(head: np.ndarray, alpha: np.ndarray, foreground: np.ndarray) -> tuple[float, float, float, float, float]:
    exact = head[..., 3]
    mixed = (cv2.dilate(exact, np.ones((3, 3))) > 0.02) & (cv2.erode(exact, np.ones((3, 3))) < 0.98)
    edge = cv2.dilate(mixed.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    difference = np.abs(alpha - exact)
    hair = edge.copy()
    hair[hair.shape[0] // 2 :] = False
    covered = edge & (exact > 0.5)
    straight = np.abs(foreground - 255 * head[..., :3])[covered].mean()
    union = ((alpha > 0.5) | (exact > 0.5)).sum()
    iou = ((alpha > 0.5) & (exact > 0.5)).sum() / max(union, 1)
    return (
        float(iou),
        float(difference.mean()),
        float(difference[edge].mean()),
        float(difference[hair].mean()),
        straight,
    )


def sheet(clips: list[Path], out: Path) -> None:
    groups = [read(clip) for clip in clips]
    start = time.perf_counter()
    model = ScreenModel.fit([frame for group in groups for frame in group[::8]])
    print(f"screen of {len(clips)} clips: {time.perf_counter() - start:.1f} s, {model.evidence.colour}", end=", ")
    print(f"confidence {model.confidence:.2f}, noise {model.noise:.4f}, trim {model.trim}")
    rows, flicker = [], []
    for group in groups[:4]:
        before, after = (key(frame, model) for frame in group[len(group) // 2 : len(group) // 2 + 2])
        flicker.append(np.abs(after.alpha - before.alpha).mean())
        alpha = before.alpha[..., None]
        own = before.foreground / 255 * alpha
        over = [own + (1 - alpha) * np.array(paint) for paint in ((0.5,) * 3, (0.8, 0.1, 0.1))]
        rows.append(np.hstack([group[len(group) // 2] / 255, np.repeat(alpha, 3, 2), *over]))
    print(f"mean change of alpha from frame to frame: {np.mean(flicker):.4f}")
    out.mkdir(parents=True, exist_ok=True)
    picture = (np.vstack(rows) * 255).round().astype(np.uint8)[..., ::-1]
    cv2.imwrite(str(out / "chroma_key.png"), np.ascontiguousarray(picture))


def read(path: Path) -> list[np.ndarray]:
    video, frames = cv2.VideoCapture(str(path)), []
    while (got := video.read())[0]:
        frames.append(np.ascontiguousarray(got[1][..., ::-1]))
    return frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, help="folder of RGBA PNG files, straight alpha, one size")
    parser.add_argument("--whole", type=Path, help="npz whose 'whole' says which numbered frames are uncropped")
    parser.add_argument("--count", type=int, default=12, help="how many of them (default 12)")
    parser.add_argument("--clips", type=Path, help="folder of clips of one person before one screen")
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    cv2.setNumThreads(2)
    if options.frames:
        paths = sorted(options.frames.glob("*.png"))
        if options.whole:
            whole = np.load(options.whole)["whole"]
            paths = [path for path in paths if whole[int(path.stem)]]
        paths = [paths[i] for i in np.linspace(0, len(paths) - 1, min(options.count, len(paths))).astype(int)]
        heads = [
            cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]].astype(np.float32) / 255 for path in paths
        ]
        measure(heads)
    if options.clips:
        clips = sorted(path for path in options.clips.iterdir() if path.suffix.lower() in (".mpg", ".mp4", ".mov"))
        sheet(clips[:: max(1, len(clips) // 8)][:8], options.out)


if __name__ == "__main__":
    main()
