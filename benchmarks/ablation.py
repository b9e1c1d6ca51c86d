# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's ablation table on a captured person: rows trained one after the other, and how well each one moves.

    python benchmarks/ablation.py --dataset GRID --out DIR [--rows gate implicit explicit ...] [--seeds 0 1]

Each row is trained from nothing on the same short schedule, then driven through the same held-out clips by the voice
alone ("audio") and by the frame's own Action Units and the voice ("units"). LMD* and AUE-L* are those of ``hmtalker
evaluate`` (lower is better), AUE-L* of all rows on one scale. What is finished in DIR is kept: call it again to go on
after a stop, or to add rows and seeds. ``--table`` trains nothing and prints what there is.

Spread: half the distance between the largest and the smallest seed. Differences are from the full model in the same
clips, seeds averaged, with a 95 % interval of a bootstrap over clips; it says how much the choice of clips matters, not
how much another training would change, which the spread does.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ablation_motion import Figures, Seen, figures, load_videos, real_video, rendered_video, save_videos
from ablation_rows import FULL, ROWS, Schedule, Workshop, inputs, preset_of, work_folder
from bootstrap import mean_interval

from hmtalker.atomic_file import write_atomically
from hmtalker.avatar import load_avatar, save_avatar
from hmtalker.capture.face.face_networks import find_networks, load_networks
from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.held_out import AUDIO, UNITS
from hmtalker.evaluation.held_out_frames import HeldOutFrames, Stretch
from hmtalker.training.dataset import DatasetError, Performance
from hmtalker.training.presets import PRESETS

COLUMNS = (("lmd", AUDIO, "LMD*, audio"), ("lmd", UNITS, "LMD*, units"), ("aue", AUDIO, "AUE-L*, audio"),
           ("aue", UNITS, "AUE-L*, units"))  # fmt: skip
"""Figure, driver, what the column is called."""
Videos = dict[tuple[str, int], dict[str, Seen]]
"""(row, seed) -> driver -> its tracked video."""


class Ablation:
    """One folder of finished rows."""

    def __init__(self, dataset: Path, out: Path, schedule: Schedule, held_out: int) -> None:
        self.folder, self.out, self.schedule, self.held_out = dataset, out, schedule, held_out
        self.frames = HeldOutFrames(dataset)
        self.stretches: list[Stretch] = self.frames.stretches(held_out)
        self.networks = load_networks(find_networks())
        self.workshop = Workshop(dataset, schedule)
        out.mkdir(parents=True, exist_ok=True)

    def inputs(self, row: str, seed: int) -> dict[str, Any]:
        return inputs(self.folder, preset_of(row, seed, self.schedule), self.schedule, self.held_out)

    def file(self, row: str, seed: int, ending: str) -> Path:
        return self.out / f"{row}_{seed}{ending}"

    def finished(self, row: str, seed: int) -> bool:
        """Whether this very row is there, on this schedule and dataset."""
        try:
            record = json.loads(self.file(row, seed, ".json").read_text("utf-8"))
        except (OSError, ValueError):
            return False
        return bool(record.get("inputs") == json.loads(json.dumps(self.inputs(row, seed))))

    def finish(self, row: str, seed: int) -> None:
        """Train and track a row, if it is not there yet; one that this dataset cannot train is left out."""
        if self.finished(row, seed):
            return
        try:
            self._run(row, seed)
        except DatasetError as error:
            print(f"'{row}' is left out: {error}", file=sys.stderr)

    def _run(self, row: str, seed: int) -> None:
        started, spent = time.monotonic(), time.process_time()
        say = Progress(f"{row}, seed {seed}")
        preset = preset_of(row, seed, self.schedule)
        avatar_file = self.file(row, seed, ".hmt")
        work, resumed = work_folder(self.file(row, seed, ".work"), self.inputs(row, seed))
        save_avatar(self.workshop.train(row, preset, work, say), avatar_file)
        trained, trained_cpu = time.monotonic() - started, time.process_time() - spent
        avatar = load_avatar(avatar_file)
        units = driving_units(self.frames, self.stretches, self.workshop.dataset(row).performance)
        videos = {}
        for driver in (AUDIO, UNITS):
            say(f"looking at it, {driver}")
            videos[driver] = rendered_video(avatar, driver, self.frames, self.stretches, units, self.networks)
        save_videos(self.file(row, seed, ".npz"), videos)
        record = {
            "inputs": self.inputs(row, seed),
            "resumed": resumed,
            "seconds": {"training": round(trained), "all": round(time.monotonic() - started)},
            "processor seconds": {"training": round(trained_cpu), "all": round(time.process_time() - spent)},
            "gaussians": [len(avatar.face.means), len(avatar.mouth.means)],
        }
        write_atomically(self.file(row, seed, ".json"), [json.dumps(record, indent=1).encode()])
        say(f"done, {record['processor seconds']['all']} s of processor time", last=True)

    def real(self) -> Seen:
        """The person in the same frames."""
        path = self.out / f"real_{self.held_out}.npz"
        if not path.is_file():
            save_videos(path, {"real": real_video(self.frames, self.stretches, self.networks)})
        return load_videos(path)["real"]

    def table(self, rows: Sequence[str], seeds: Sequence[int]) -> str:
        """Of what is finished, as a table for a document; also writes table.json."""
        there: Videos = {
            (row, seed): load_videos(self.file(row, seed, ".npz"))
            for row in rows
            for seed in seeds
            if self.finished(row, seed)
        }
        flat = {_name(row, seed, driver): seen for (row, seed), by in there.items() for driver, seen in by.items()}
        real = self.real()
        found, motionless = figures(real, flat | {"real": real}, self.frames, self.stretches)
        lines = [f"{sum(map(len, self.stretches))} frames of {len(self.stretches)} held-out clips", ""]
        lines += means_table(found, list(there))
        lines.append(
            f"AUE-L* of a face that does not move: {motionless:.2f}; sync of the real video {found['real'].sync:.3f}."
        )
        data: dict[str, Any] = {"motionless": motionless, "real sync": found["real"].sync, "rows": {}}
        for row, seed in there:
            data["rows"][f"{row} {seed}"] = {
                driver: {
                    "lmd": found[_name(row, seed, driver)].lmd.tolist(),
                    "aue": found[_name(row, seed, driver)].aue.tolist(),
                    "sync": found[_name(row, seed, driver)].sync,
                }
                for driver in (AUDIO, UNITS)
            }
        write_atomically(self.out / "table.json", [json.dumps(data, indent=1).encode()])
        if any(row == FULL for row, _ in there) and len(_seeds_by_row(list(there))) > 1:
            lines += ["", "Difference from the full model (above 0: worse than it)", ""]
            lines += differences_table(found, list(there))
        return "\n".join(lines)


class Progress:
    """One line on stderr, or a line a stage where nobody looks."""

    def __init__(self, what: str) -> None:
        self.what, self.stage, self.started = what, "", time.monotonic()

    def __call__(self, text: str, last: bool = False) -> None:
        stage, self.stage = self.stage, text.split()[0]
        if sys.stderr.isatty():
            print(f"\r{self.what}: {text:40s}", end="\n" if last else "", file=sys.stderr, flush=True)
        elif last or stage != self.stage:
            print(f"{time.monotonic() - self.started:6.0f} s  {self.what}: {text}", file=sys.stderr, flush=True)


def driving_units(frames: HeldOutFrames, stretches: list[Stretch], performance: Performance) -> np.ndarray:
    """[T,17] Action Units of the dataset's frames, those of the stretches as the row's cue has them."""
    units = frames.action_units.copy()
    for stretch in stretches:
        rows = performance.frames_of(stretch.clip)[stretch.first : stretch.first + len(stretch)]
        units[stretch.rows] = performance.action_units[rows]
    return units


def means_table(found: dict[str, Figures], there: list[tuple[str, int]]) -> list[str]:
    """Mean over clips and seeds, and the spread over seeds; rows as they come."""
    lines = ["| row | seeds | " + " | ".join(name for *_, name in COLUMNS) + " | sync, audio |"]
    lines.append("|---" * (len(COLUMNS) + 3) + "|")
    for row, seeds in _seeds_by_row(there).items():
        cells = [
            _spread([getattr(found[_name(row, seed, driver)], kind).mean() for seed in seeds], 2)
            for kind, driver, _ in COLUMNS
        ]
        cells.append(_spread([found[_name(row, seed, AUDIO)].sync for seed in seeds], 3))
        lines.append(f"| {ROWS[row][0]} | {len(seeds)} | " + " | ".join(cells) + " |")
    return lines


def differences_table(found: dict[str, Figures], there: list[tuple[str, int]]) -> list[str]:
    """Each row minus the full model in the same clips, with an interval."""
    seeds_of = _seeds_by_row(there)
    lines = ["| row | " + " | ".join(name for *_, name in COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row, seeds in seeds_of.items():
        if row == FULL:
            continue
        cells = []
        for kind, driver, _ in COLUMNS:
            ours, full = (
                np.mean([getattr(found[_name(name, seed, driver)], kind) for seed in of], 0)
                for name, of in ((row, seeds), (FULL, seeds_of[FULL]))
            )
            low, high = mean_interval(ours - full)
            cells.append(f"{(ours - full).mean():+.2f} [{low:+.2f}, {high:+.2f}]")
        lines.append(f"| {ROWS[row][0]} | " + " | ".join(cells) + " |")
    return lines


def _name(row: str, seed: int, driver: str) -> str:
    return f"{row} {seed} {driver}"


def _seeds_by_row(there: list[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row, seed in there:
        found.setdefault(row, []).append(seed)
    return found


def _spread(values: Sequence[float], digits: int) -> str:
    half = (max(values) - min(values)) / 2
    return f"{np.mean(values):.{digits}f}" + (f" ± {half:.{digits}f}" if len(values) > 1 else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True, help="the folder that 'hmtalker capture' made")
    parser.add_argument("--out", type=Path, required=True, help="folder for finished rows")
    parser.add_argument("--rows", nargs="+", choices=tuple(ROWS), default=tuple(ROWS), metavar="ROW",
                        help=f"some of {', '.join(ROWS)} (all, in this order)")  # fmt: skip
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1], help="(0 1)")
    standard = Schedule()
    parser.add_argument("--preset", choices=tuple(PRESETS), default=standard.preset, help=f"({standard.preset})")
    parser.add_argument("--scale", type=float, default=standard.motion, metavar="S",
                        help=f"times the preset's iterations of stages A and S ({standard.motion})")  # fmt: skip
    parser.add_argument("--picture-scale", type=float, default=standard.pictures, metavar="S",
                        help=f"times those of stages F, M and J ({standard.pictures})")  # fmt: skip
    parser.add_argument("--frames", type=int, default=standard.frames, metavar="N",
                        help=f"pictures to learn from, evenly ({standard.frames})")  # fmt: skip
    parser.add_argument("--clips", type=int, default=standard.clips, metavar="N", help="clips to learn from (all)")
    parser.add_argument("--held-out", type=int, default=400, metavar="N", help="frames to measure (400)")
    parser.add_argument("--table", action="store_true", help="train nothing")
    options = parser.parse_args()
    schedule = Schedule(options.preset, options.scale, options.picture_scale, options.frames, options.clips)
    try:
        ablation = Ablation(options.dataset, options.out, schedule, options.held_out)
        for seed in options.seeds if not options.table else ():
            for row in options.rows:
                ablation.finish(row, seed)
        print(ablation.table(options.rows, options.seeds))
    except (HMTalkerError, OSError) as error:
        print(f"Nothing more was measured: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; finished rows are kept.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
