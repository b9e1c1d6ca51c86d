# SPDX-License-Identifier: GPL-3.0-or-later
"""How close the avatar comes to pictures it has never seen: the held-out frames of its own dataset.

python benchmarks/avatar_quality.py --dataset DATASET [--avatar assets/bundled_avatar.hmt] [--sheet sheet.png]

Counts windows of frames as well, and faces that nobody spoke (Action Units near their ends, heads turned far; driven
without a voice). For whole frames of speech ``hmtalker evaluate`` measures far more, and this prints its figures as a
table for docs/results.md:

python benchmarks/avatar_quality.py --report evaluation.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hmtalker.avatar import Avatar
    from hmtalker.evaluation.held_out import HeldOut
    from hmtalker.training.dataset import Pictures

ROOT = Path(__file__).resolve().parent.parent
SHEET_COLUMNS = 8
TURNED = 7.5
"""Degrees of yaw from which a head counts as turned."""
HAIR_COVERED = 127


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--dataset", type=Path)
    what.add_argument("--report", type=Path, help="what 'hmtalker evaluate' wrote")
    parser.add_argument("--avatar", type=Path, default=ROOT / "assets" / "bundled_avatar.hmt")
    parser.add_argument("--sheet", type=Path, help="write truth (above) and render (below) side by side")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "avatar_quality.json")
    options = parser.parse_args()
    if options.report:
        from hmtalker.evaluation.command import markdown_table

        print(markdown_table(json.loads(options.report.read_text(encoding="utf-8"))))
        return 0

    from hmtalker.avatar import load_avatar
    from hmtalker.errors import HMTalkerError
    from hmtalker.evaluation.held_out import compare, means
    from hmtalker.png_file import write_png
    from hmtalker.training.dataset import load_performance, load_pictures

    try:
        pictures, performance = load_pictures(options.dataset, stream=True), load_performance(options.dataset)
        avatar = load_avatar(options.avatar)
        spoken, unspoken = compare(avatar, pictures, performance), compare_unspoken(avatar, pictures)
    except (HMTalkerError, OSError) as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        return 2
    table = means(spoken) | {name: value for name, value in means(unspoken).items() if name != "frames"}
    table["frames without a voice"] = float(len(unspoken))
    for name, value in table.items():
        print(f"{name:28s} {value:8.3f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(table, indent=1), encoding="utf-8")
    if options.sheet:
        write_png(options.sheet, sheet(spoken, unspoken))
    return 0


def compare_unspoken(avatar: Avatar, pictures: Pictures) -> list[HeldOut]:
    """Test frames without a clip, driven by Action Units and head alone.

    Scores: ``<kind>_psnr`` and ``<kind>_lpips`` of the frame's window, ``<kind>_<face, mouth or hair>_psnr``; the kinds
    are ``turned`` heads and ``extreme`` Action Units. Without LPIPS's weights its scores are left out.
    """
    from hmtalker.errors import HMTalkerError
    from hmtalker.evaluation.held_out import HeldOut, regions_of
    from hmtalker.evaluation.image_metrics import on_grey, open_lpips, psnr
    from hmtalker.head_pose import HeadPose
    from hmtalker.motion.state import MotionState
    from hmtalker.render import Renderer

    try:
        lpips = open_lpips()
    except (HMTalkerError, ImportError):
        lpips = None
    renderer, results = Renderer(avatar), []
    for frame in map(int, np.flatnonzero(pictures.test & (pictures.clip_index < 0))):
        head = pictures.head[frame]
        drawn = renderer.render_srgb8(MotionState(pictures.action_units[frame], head=HeadPose.from_array(head)))
        left, top, right, bottom = map(int, pictures.windows[frame])
        window = np.s_[top:bottom, left:right]
        image, truth = on_grey(drawn)[window], on_grey(pictures.rgba[frame])[window]
        masks = pictures.masks[frame][window]
        kind = "turned" if abs(np.degrees(head[1])) > TURNED else "extreme"
        scores = {f"{kind}_psnr": psnr(image, truth)}
        for name, region in (regions_of(masks) | {"hair": masks[..., 1] > HAIR_COVERED}).items():
            if region.any():
                scores[f"{kind}_{name}_psnr"] = psnr(image, truth, region)
        if lpips is not None:
            scores[f"{kind}_lpips"] = lpips(image, truth)
        results.append(HeldOut(frame, scores, truth, image))
    renderer.close()
    return results


def sheet(spoken: list[HeldOut], unspoken: list[HeldOut]) -> np.ndarray:
    """uint8 [H,W,3]: a choice of speech, then all frames without a voice; truth above what the avatar shows."""
    chosen = spoken[:: max(1, len(spoken) // SHEET_COLUMNS)][:SHEET_COLUMNS]
    rows = [chosen] + [unspoken[at : at + SHEET_COLUMNS] for at in range(0, len(unspoken), SHEET_COLUMNS)]
    height = max(part.truth.shape[0] for row in rows for part in row)
    width = max(part.truth.shape[1] for row in rows for part in row)
    page = np.zeros((2 * height * len(rows), width * SHEET_COLUMNS, 3), np.uint8)
    for number, row in enumerate(rows):
        for column, result in enumerate(row):
            for line, picture in enumerate((result.truth, result.image)):
                top, left = (2 * number + line) * height, column * width
                rows_, columns = picture.shape[:2]
                page[top : top + rows_, left : left + columns] = np.clip(picture, 0, 1) * 255 + 0.5
    return page


if __name__ == "__main__":
    sys.exit(main())
