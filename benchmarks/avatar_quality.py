# SPDX-License-Identifier: GPL-3.0-or-later
"""How close the avatar comes to pictures it has never seen: the held-out frames of its own dataset.

    python benchmarks/avatar_quality.py --dataset DATASET [--avatar assets/bundled_avatar.hmt] [--sheet sheet.png]

Each test frame is rendered twice: from the Action Units and voice that it was made with ("driven by its AUs"), and from
the voice alone ("driven by audio": lower face predicted, upper face and head given, as in self-reconstruction). Both are
composited on grey and compared as PNG-grade 8-bit pictures, never through a video codec.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
GREY = 0.5


def psnr(a: np.ndarray, b: np.ndarray, mask: np.ndarray | None = None) -> float:
    """a, b [H,W,3] 0..1; mask [H,W] bool restricts the comparison. Decibels."""
    error = (a - b) ** 2
    error = error[mask] if mask is not None else error
    return float(-10 * np.log10(max(error.mean(), 1e-12))) if error.size else float("nan")


def on_grey(rgba8: np.ndarray) -> np.ndarray:
    """[H,W,4] uint8 straight alpha, sRGB -> [H,W,3] over grey, 0..1."""
    rgba = rgba8.astype(np.float32) / 255
    return rgba[..., :3] * rgba[..., 3:] + GREY * (1 - rgba[..., 3:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--avatar", type=Path, default=ROOT / "assets" / "bundled_avatar.hmt")
    parser.add_argument("--sheet", type=Path, help="write truth and render side by side")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "avatar_quality.json")
    a = parser.parse_args()

    from hmtalker import action_units
    from hmtalker.avatar import load_avatar
    from hmtalker.head_pose import HeadPose
    from hmtalker.motion.state import MotionState
    from hmtalker.render import Renderer
    from hmtalker.training.dataset import load_performance, load_pictures

    if not (a.dataset / "frames.npz").exists():
        print(f"{a.dataset} is no dataset of rendered frames, so nothing was measured.", file=sys.stderr)
        return 2
    avatar = load_avatar(a.avatar)
    renderer = Renderer(avatar)
    pictures, performance = load_pictures(a.dataset), load_performance(a.dataset)
    lower = list(action_units.LOWER_INDEX)
    heard: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    rows, tiles = [], []
    for frame in np.flatnonzero(pictures.test):
        clip = int(pictures.clip_index[frame])
        if clip not in heard:
            count = len(performance.frames_of(clip))
            implicit = renderer.motion.implicit(performance.speech[clip][0].astype(np.float32), 25.0, count)
            heard[clip] = implicit, renderer.motion.predicted_action_units(implicit)
        implicit, predicted = (part[int(pictures.frame_in_clip[frame])] for part in heard[clip])
        truth, mouth, face = on_grey(pictures.rgba[frame]), pictures.masks[frame][..., 0] > 25, pictures.masks[frame][..., 2] > 127
        row: dict[str, float] = {}
        for name in ("action_units", "audio"):
            units = pictures.action_units[frame].copy()
            if name == "audio":
                units[lower] = predicted
            head = HeadPose.from_array(pictures.head[frame])
            image = on_grey(renderer.render_srgb8(MotionState(units, implicit, 1.0, head)))
            row[f"{name}_face_psnr"] = psnr(image, truth, face)
            if pictures.whole[frame]:
                row[f"{name}_psnr"] = psnr(image, truth)
            if mouth.any():
                row[f"{name}_mouth_psnr"] = psnr(image, truth, mouth)
            if name == "action_units" and len(tiles) < 8 and frame % 3 == 0:
                tiles.append(np.concatenate([truth, image], 0))
        rows.append(row)
    table = {key: float(np.nanmean([row.get(key, np.nan) for row in rows])) for key in sorted({k for r in rows for k in r})}
    table["frames"] = len(rows)
    for key, value in table.items():
        print(f"{key:28s} {value:8.2f}")
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text(json.dumps(table, indent=1), encoding="utf-8")
    if a.sheet and tiles:
        from hmtalker.png_file import write_png

        write_png(a.sheet, (np.concatenate(tiles, 1) * 255 + 0.5).astype(np.uint8))
    return 0


if __name__ == "__main__":
    sys.exit(main())
