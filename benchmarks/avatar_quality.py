# SPDX-License-Identifier: GPL-3.0-or-later
"""How close the avatar comes to pictures it has never seen: the held-out frames of its own dataset.

python benchmarks/avatar_quality.py --dataset DATASET [--avatar assets/bundled_avatar.hmt] [--sheet sheet.png]

Counts windows of frames as well; for whole frames, ``hmtalker evaluate`` measures far more, and this prints its figures
as a table for docs/results.md:

python benchmarks/avatar_quality.py --report evaluation.json
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SHEET_COLUMNS = 8


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
        pictures, performance = load_pictures(options.dataset), load_performance(options.dataset)
        results = compare(load_avatar(options.avatar), pictures, performance)
    except (HMTalkerError, OSError) as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        return 2
    table = means(results)
    for name, value in table.items():
        print(f"{name:28s} {value:8.2f}")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(table, indent=1), encoding="utf-8")
    if options.sheet:
        chosen = results[:: max(1, len(results) // SHEET_COLUMNS)][:SHEET_COLUMNS]
        rows = [np.concatenate([getattr(result, kind) for result in chosen], 1) for kind in ("truth", "image")]
        write_png(options.sheet, (np.concatenate(rows, 0) * 255 + 0.5).astype(np.uint8))
    return 0


if __name__ == "__main__":
    sys.exit(main())
