# SPDX-License-Identifier: GPL-3.0-or-later
"""Choose the frames of the bundled avatar's training footage: real speech, plus what a speaker never does.

    python choose_frames.py --performance OUT/performance.npz --output OUT/frames.npz

The list is ordered so that rendering may stop early: the test frames come first, then every group of training frames
is spread evenly over the rest, its most informative frames first.

Test frames are of two kinds. Two runs of held-out speech, in order of time; and faces that nobody spoke (no clip), with
every Action Unit near its end, the worst of pairs, and the head turned up to 24 degrees.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from au_to_arkit import ARKIT_NAMES, to_arkit
from performance_channels import Performance

from hmtalker.action_units import BLINK_CLOSED, CODES, UPPER

SPEECH_SPREAD, SPEECH_RANDOM = 450, 225
OVERLAYS, POSES, INVENTED = 130, 300, 200
TEST_RUNS, TEST_RUN = 2, 25

SWEEP_LEVELS = (5.0, 3.0, 4.0, 1.5)  # most informative first
BLINK_LEVELS = (2.0, 1.0, 1.5, 0.5)
PAIRS = (
    ("AU25", "AU26"), ("AU12", "AU06"), ("AU04", "AU09"), ("AU01", "AU02"), ("AU04", "AU07"), ("AU12", "AU25", "AU26"),
    ("AU17", "AU23"), ("AU15", "AU17"), ("AU25", "funnel"), ("AU12", "AU25"), ("AU20", "AU25"),
    ("AU10", "AU25"), ("AU01", "AU02", "AU05"), ("AU09", "AU10", "AU25"), ("AU26", "funnel"), ("AU14", "AU12"),
    ("AU04", "AU15", "AU17"), ("AU45", "AU12"), ("AU26", "AU45"), ("AU01", "AU04", "AU15"), ("AU23", "AU26"),
    ("AU04", "AU07", "AU09"), ("AU20", "AU25", "AU26"), ("AU10", "AU25", "AU26"),
)  # fmt: skip
PAIR_LEVELS = (5.0, 3.0, 4.0)
MOUTHS = ((5.0, 4.0), (4.0, 5.0), (4.5, 4.5), (3.0, 5.0), (5.0, 2.5), (4.0, 3.3), (3.3, 4.0), (2.0, 4.0))
"""AU25 and AU26, where the lips stretch most."""
OVERLAY_BLINKS = (2.0, 1.2, 0.4, 1.6, 0.8)
OVERLAY_EXPRESSIONS = (
    {"AU01": 3.5, "AU02": 3.0}, {"AU04": 3.5}, {"AU12": 2.5, "AU06": 2.0}, {"AU01": 4.0}, {"AU02": 3.5},
    {"AU05": 3.0, "AU01": 2.0, "AU02": 2.0}, {"AU07": 3.0}, {"AU15": 2.5}, {"AU12": 4.0, "AU06": 3.0, "AU07": 1.5},
    {"AU04": 2.0, "AU07": 2.0, "AU45": 0.6}, {"AU09": 2.5, "AU04": 2.0},
)  # fmt: skip

SMALL_POSE = np.radians([3.0, 5.0, 2.5])  # pitch, yaw, roll half ranges of sweep frames
LARGE_POSE = np.radians([12.0, 25.0, 9.0])
LARGE_SHIFT = 0.008  # metres
INVENTED_POSE = np.radians([8.0, 16.0, 6.0])

EXTREME, EXTREME_BLINK = 4.6, 1.8
EXTREME_PAIRS = (
    {"AU25": 4.3, "AU26": 4.3}, {"AU25": 5.0, "AU26": 4.6}, {"AU25": 4.8, "AU26": 3.2}, {"AU25": 3.4, "AU26": 4.8},
    {"AU04": 4.8, "AU09": 4.8}, {"AU04": 3.8, "AU09": 4.2, "AU07": 2.0}, {"AU12": 4.2, "AU25": 3.8, "AU26": 2.6},
    {"AU01": 4.4, "AU02": 4.4, "AU05": 3.0}, {"AU12": 4.5, "AU06": 4.5, "AU45": 1.4}, {"AU15": 4.2, "AU17": 4.4},
)  # fmt: skip
EXTREME_YAWS = (-24, -20, -16, -12, -8, 8, 12, 16, 20, 24)  # degrees


@dataclass
class Group:
    """Frames of one kind in order of importance: rows of the arrays in ``frames.npz``."""

    units: list[np.ndarray] = field(default_factory=list)
    pucker: list[float] = field(default_factory=list)
    funnel: list[float] = field(default_factory=list)
    head: list[np.ndarray] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    clip: list[int] = field(default_factory=list)
    frame: list[int] = field(default_factory=list)

    def add(
        self,
        units: np.ndarray,
        rounding: tuple[float, float],
        head: np.ndarray,
        source: str,
        place: tuple[int, int] = (-1, -1),
    ) -> None:
        self.units.append(np.asarray(units, np.float32))
        self.pucker.append(rounding[0])
        self.funnel.append(rounding[1])
        self.head.append(np.asarray(head, np.float32))
        self.source.append(source)
        self.clip.append(place[0])
        self.frame.append(place[1])

    def add_posed(self, row: dict[str, float], head: np.ndarray, kind: str) -> None:
        """Add a face that nobody performed: Action Units, "pucker" and "funnel" by name, the others at rest."""
        units = np.array([row.get(code, 0.0) for code in CODES])
        units[CODES.index("AU45")] = min(units[CODES.index("AU45")], BLINK_CLOSED)
        label = "+".join(f"{name}={level:g}" for name, level in row.items()) or "rest"
        self.add(units, (row.get("pucker", 0.0), row.get("funnel", 0.0)), head, f"{kind}:{label}")

    def add_captured(
        self,
        performance: Performance,
        frame: int,
        kind: str,
        units: np.ndarray | None = None,
        head: np.ndarray | None = None,
    ) -> None:
        """Add a captured frame, with its audio; units and head replace what was captured."""
        clip, number = int(performance.clip_index[frame]), int(performance.frame_in_clip[frame])
        self.add(
            performance.action_units[frame] if units is None else units,
            (float(performance.pucker[frame]), float(performance.funnel[frame])),
            performance.head[frame] if head is None else head,
            f"{kind}:{performance.clips[clip]},{number}",
            (clip, number),
        )


def feature_space(performance: Performance) -> np.ndarray:
    """Return [F, 22] coordinates in which distance means a visibly different frame."""
    weight = np.array([0.5 if code in UPPER else 1.0 for code in CODES])
    weight[CODES.index("AU45")] = 1.0
    weight[CODES.index("AU25")] = 1.5
    rounding = 1.5 * np.stack([performance.pucker, performance.funnel], 1)
    pose = np.degrees(performance.head[:, :3]) / 4
    return np.concatenate([performance.action_units * weight, rounding, pose], 1)


def farthest_points(points: np.ndarray, count: int, first: int) -> list[int]:
    """Return ``count`` row numbers, each the farthest from all before it (Gonzalez' k-center greedy)."""
    chosen = [first]
    distance = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def random_pose(random: np.random.Generator, half_range: np.ndarray, shift: float = 0.0) -> np.ndarray:
    return np.concatenate([random.uniform(-1, 1, 3) * half_range, random.uniform(-1, 1, 3) * shift])


def speech_group(performance: Performance, random: np.random.Generator) -> Group:
    """Training frames that cover the space of faces, and random ones among them (two in three and one in three)."""
    usable = np.flatnonzero(performance.training & (performance.frame_in_clip > 0))
    points = feature_space(performance)[usable]
    spread = farthest_points(points, SPEECH_SPREAD, int(np.argmin(np.linalg.norm(points, axis=1))))
    spoken = np.setdiff1d(np.flatnonzero(performance.speech[usable]), spread)
    drawn = random.choice(spoken, min(SPEECH_RANDOM, len(spoken)), replace=False)
    group = Group()
    for number, index in enumerate(spread):
        group.add_captured(performance, usable[index], "speech")
        if number % 2 and number // 2 < len(drawn):
            group.add_captured(performance, usable[drawn[number // 2]], "speech")
    return group


def sweep_group(random: np.random.Generator) -> Group:
    """Every control alone and in plausible company, all else at rest."""
    names = (*CODES, "pucker", "funnel")
    rows: list[dict[str, float]] = [{}]
    for rank in range(max(len(SWEEP_LEVELS), len(PAIR_LEVELS))):
        rows += [{name: (BLINK_LEVELS if name == "AU45" else SWEEP_LEVELS)[rank]} for name in names]
        if rank < len(PAIR_LEVELS):
            rows += [dict.fromkeys(pair, PAIR_LEVELS[rank]) for pair in PAIRS]
        rows += [{"AU25": part, "AU26": drop} for part, drop in MOUTHS]
    rows += [{"AU25": level, "AU26": level * 0.7} for level in (0.6, 1.8, 3.3, 4.0)]
    rows += [{"AU26": 0.6}, {"AU25": 0.6}, {"pucker": 0.6}, {"funnel": 0.6}, {"AU17": 0.6}, {}]
    group = Group()
    for row in rows:
        group.add_posed(row, random_pose(random, SMALL_POSE), "sweep")
    return group


def invented_group(random: np.random.Generator) -> Group:
    """Action Units at random, a few at once, as an artist's hand may set them."""
    group = Group()
    for _ in range(INVENTED):
        chosen = random.choice(len(CODES), random.integers(2, 6), replace=False)
        row = {CODES[index]: round(float(random.uniform(0.8, 5.0)), 2) for index in chosen}
        group.add_posed(row, random_pose(random, INVENTED_POSE, LARGE_SHIFT / 2), "invented")
    return group


def extreme_group(random: np.random.Generator) -> Group:
    """Test frames without a voice: every Action Unit near its end, the worst pairs, heads turned far."""
    alone = [{code: EXTREME_BLINK if code == "AU45" else EXTREME} for code in CODES]
    group = Group()
    for row in (*alone, *EXTREME_PAIRS):
        group.add_posed(row, random_pose(random, SMALL_POSE), "extreme")
    for number, yaw in enumerate(EXTREME_YAWS):
        pose = random_pose(random, LARGE_POSE / 2)
        pose[1] = np.radians(yaw)
        group.add_posed({"AU25": 2.0, "AU26": 1.4} if number % 2 else {}, pose, "turned")
    return group


def overlay_group(performance: Performance, random: np.random.Generator) -> Group:
    """Blinks, brows and smiles laid over speech: half and half."""
    frames = random.choice(np.flatnonzero(performance.training & performance.speech), OVERLAYS, replace=False)
    group = Group()
    for number, frame in enumerate(frames):
        units = performance.action_units[frame].copy()
        if number % 2:
            expression = OVERLAY_EXPRESSIONS[number // 2 % len(OVERLAY_EXPRESSIONS)]
            for code, level in expression.items():
                units[CODES.index(code)] = np.clip(level + random.uniform(-0.7, 0.7), 0, 5)
        else:
            units[CODES.index("AU45")] = OVERLAY_BLINKS[number // 2 % len(OVERLAY_BLINKS)]
            units[CODES.index("AU05")] = 0
        group.add_captured(performance, frame, "overlay", units)
    return group


def pose_group(performance: Performance, random: np.random.Generator) -> Group:
    """Random speech and rest frames with the head turned far."""
    frames = random.choice(np.flatnonzero(performance.training), POSES, replace=False)
    poses = np.array([random_pose(random, LARGE_POSE, LARGE_SHIFT) for _ in frames])
    order = farthest_points(poses[:, :3] / LARGE_POSE, POSES, int(np.argmax(np.abs(poses[:, 1]))))
    group = Group()
    for number in order:
        group.add_captured(performance, frames[number], "pose", head=poses[number])
    return group


def test_group(performance: Performance) -> Group:
    """The liveliest ``TEST_RUN`` frames of the liveliest held-out clips, in order of time."""
    liveliness = []
    lips = performance.action_units[:, CODES.index("AU25")] + performance.pucker
    for clip in np.unique(performance.clip_index[~performance.training]):
        frames = np.flatnonzero(performance.clip_index == clip)
        for start in range(len(frames) - TEST_RUN + 1):
            run = frames[start : start + TEST_RUN]
            liveliness.append((np.abs(np.diff(lips[run])).sum(), clip, run))
    best = {}
    for value, clip, run in liveliness:
        if clip not in best or value > best[clip][0]:
            best[clip] = (value, run)
    group = Group()
    for _, run in sorted(best.values(), key=lambda entry: -entry[0])[:TEST_RUNS]:
        for frame in run:
            group.add_captured(performance, frame, "test")
    return group


def choose_frames(performance: Performance, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the columns of ``frames.npz`` except the ARKit ones; see ``main``'s help for the groups."""
    random = np.random.default_rng(seed)
    tests = [test_group(performance), extreme_group(random)]
    training = [
        speech_group(performance, random),
        sweep_group(random),
        overlay_group(performance, random),
        pose_group(performance, random),
        invented_group(random),
    ]
    groups = [(group, "test") for group in tests] + [(group, "train") for group in training]
    later = np.repeat([split == "train" for _, split in groups], [len(g.source) for g, _ in groups])
    rank = np.concatenate([(np.arange(len(g.source)) + 0.5) / max(len(g.source), 1) for g, _ in groups])
    order = np.lexsort((np.where(later, rank, 0), later))

    def column(values: list, kind: type) -> np.ndarray:
        return np.array(values, kind)[order]

    clip = column([value for g, _ in groups for value in g.clip], np.int32)
    return {
        "action_units": column([value for g, _ in groups for value in g.units], np.float32),
        "pucker": column([value for g, _ in groups for value in g.pucker], np.float32),
        "funnel": column([value for g, _ in groups for value in g.funnel], np.float32),
        "head": column([value for g, _ in groups for value in g.head], np.float32),
        "source": column([value for g, _ in groups for value in g.source], str),
        "has_audio": clip >= 0,
        "clip_index": clip,
        "frame_in_clip": column([value for g, _ in groups for value in g.frame], np.int32),
        "split": column([split for g, split in groups for _ in g.source], str),
        "clips": performance.clips,
        "codes": np.array(CODES),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--performance", type=Path, required=True, help="performance.npz of capture_performance.py")
    parser.add_argument("--output", type=Path, required=True, help="frames.npz to write")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    frames = choose_frames(Performance.load(arguments.performance), arguments.seed)
    arkit = to_arkit(frames["action_units"], frames["pucker"], frames["funnel"])
    np.savez_compressed(arguments.output, **frames, arkit=arkit, arkit_names=np.array(ARKIT_NAMES))
    kinds, counts = np.unique([source.split(":")[0] for source in frames["source"]], return_counts=True)
    print(f"{len(arkit)} frames: " + ", ".join(f"{count} {kind}" for kind, count in zip(kinds, counts, strict=True)))


if __name__ == "__main__":
    main()
