# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the mouth do what each class of phones asks for? Lip curves and aligned phones in, a table out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hmtalker.training.visemes import SILENCE, VISEMES

FPS = 25.0
BOOTSTRAPS = 500
SHUT = 0.2
"""Share of the 95th percentile of the lips' gap below which they count as shut ..."""
TOUCHING = 0.35
"""... and below which the lower lip can touch the teeth while the upper one leaves them free."""
NARROW = 25
"""Percentile of the mouth's width while speaking below which it counts as rounded."""
LIPS = ("closed", "lip on teeth")
ROUND = ("w", "close rounded", "mid rounded")
OPEN = ("open", "front open")
VOWELS = (*OPEN, "mid", "spread", "neutral")
TONGUE = ("alveolar", "sibilant", "back", "tongue at teeth")


@dataclass(frozen=True)
class Recording:
    """One recording as it was animated."""

    language: str
    curves: np.ndarray
    """[T,3] gap, width, protrusion, in millimetres (lip_points.CHANNELS)."""
    phones: list[tuple[tuple[str, ...], float, float]]
    """(visemes, begin, end) in seconds."""


@dataclass(frozen=True)
class PhoneClass:
    """What a class of phones asks of the lips."""

    name: str
    asks: str
    visemes: tuple[str, ...]
    against: tuple[str, ...]
    """The phones that it is told from."""
    score: Callable[[np.ndarray], float]
    """Lip curves [n,3] of one phone, one frame more on each side -> the higher, the more it does what is asked."""
    limit: Callable[[np.ndarray], float]
    """Lip curves [T,3] of all speech -> the score from which it is reached."""


def _gap_share(share: float) -> Callable[[np.ndarray], float]:
    return lambda speech: -share * float(np.percentile(speech[:, 0], 95))


def _narrow(speech: np.ndarray) -> float:
    return -float(np.percentile(speech[:, 1], NARROW))


def _smallest_gap(curves: np.ndarray) -> float:
    return -float(curves[:, 0].min())


def _smallest_width(curves: np.ndarray) -> float:
    return -float(curves[:, 1].min())


def _largest_gap(curves: np.ndarray) -> float:
    return float(curves[1:-1, 0].max() if len(curves) > 2 else curves[:, 0].max())


def _others(*left_out: str) -> tuple[str, ...]:
    return tuple(viseme for viseme in VISEMES if viseme != SILENCE and viseme not in left_out)


CLASSES = (
    PhoneClass("P B M", "lips shut", ("closed",), _others("closed"), _smallest_gap, _gap_share(SHUT)),
    PhoneClass("F V", "lip on teeth", ("lip on teeth",), _others(*LIPS), _smallest_gap, _gap_share(TOUCHING)),
    PhoneClass("UW UH OW AO OY W", "rounded", ROUND, VOWELS, _smallest_width, _narrow),
    PhoneClass("SH ZH CH JH", "protruded", ("funnel",), TONGUE, _smallest_width, _narrow),
    PhoneClass("R ER", "rounded a little", ("r",), VOWELS, _smallest_width, _narrow),
    PhoneClass("AA AE AH AW AY", "open", OPEN, _others(*OPEN), _largest_gap,
               lambda speech: float(np.median(speech[:, 0]))),
)  # fmt: skip


@dataclass(frozen=True)
class Score:
    """One row of the table."""

    name: str
    asks: str
    count: int
    reached: float
    """Share of the class's phones that do what is asked."""
    control: float
    """The same share of the phones that it is told from."""
    told_apart: float
    """Probability that a phone of the class does it more than one of the others (area under the ROC curve)."""
    interval: tuple[float, float]
    """95 % of it under a bootstrap over phones."""
    gap: float
    """Millimetres: mean over the class's frames."""
    width: float


def told_apart(positive: np.ndarray, negative: np.ndarray) -> float:
    """Probability that a value of `positive` exceeds one of `negative`; ties count half."""
    order = np.sort(negative)
    below = np.searchsorted(order, positive, side="left")
    ties = np.searchsorted(order, positive, side="right") - below
    return float((below + ties / 2).mean() / max(1, len(negative)))


def frames_of(begin: float, end: float, frames: int, margin: int = 0) -> slice:
    """The frames that a phone touches, `margin` more on each side; at least one."""
    first = min(frames - 1, max(0, int(np.floor(begin * FPS)) - margin))
    return slice(first, max(first + 1, min(frames, int(np.ceil(end * FPS)) + margin)))


def score(recordings: Sequence[Recording], seed: int = 0) -> list[Score]:
    """A row for each of CLASSES that occurs, and one for silence."""
    speaking = [_speaking(recording) for recording in recordings]
    speech = np.concatenate([r.curves[mask] for r, mask in zip(recordings, speaking, strict=True)])
    rng = np.random.default_rng(seed)
    rows = []
    for kind in CLASSES:
        limit = kind.limit(speech)
        inside, outside = _scores(recordings, kind)
        if len(inside) < 2 or len(outside) < 2:
            continue
        draws = [
            told_apart(rng.choice(inside, len(inside)), rng.choice(outside, len(outside))) for _ in range(BOOTSTRAPS)
        ]
        low, high = np.percentile(draws, (2.5, 97.5))
        mean = np.concatenate(
            [r.curves[frames_of(b, e, len(r.curves))] for r in recordings for b, e in _phones(r, kind.visemes)]
        )
        rows.append(
            Score(
                kind.name,
                kind.asks,
                len(inside),
                float((inside >= limit).mean()),
                float((outside >= limit).mean()),
                told_apart(inside, outside),
                (float(low), float(high)),
                float(mean[:, 0].mean()),
                float(mean[:, 1].mean()),
            )
        )
    silent = np.concatenate([r.curves[~mask] for r, mask in zip(recordings, speaking, strict=True)])
    if len(silent):
        shut = -_gap_share(SHUT)(speech)
        apart = told_apart(-silent[:, 0], -speech[:, 0])
        rows.append(
            Score("silence", "lips shut", len(silent), float((silent[:, 0] <= shut).mean()),
                  float((speech[:, 0] <= shut).mean()), apart, (apart, apart),
                  float(silent[:, 0].mean()), float(silent[:, 1].mean()))
        )  # fmt: skip
    return rows


def swapped(recordings: Sequence[Recording]) -> list[Recording]:
    """Every recording with the lips of the next one, repeated where that is shorter: what timing alone would score."""
    following = [*recordings[1:], recordings[0]]
    return [
        Recording(r.language, np.resize(other.curves, r.curves.shape), r.phones)
        for r, other in zip(recordings, following, strict=True)
    ]


def _phones(recording: Recording, visemes: tuple[str, ...]) -> list[tuple[float, float]]:
    """Begin and end of every phone that begins as one of these; of a glide only the first part: OW and OY begin round,
    AW and AY open."""
    return [
        (begin, begin + (end - begin) / len(names)) for names, begin, end in recording.phones if names[0] in visemes
    ]


def _scores(recordings: Sequence[Recording], kind: PhoneClass) -> tuple[np.ndarray, np.ndarray]:
    """The scores of the class's phones, and of those that it is told from. The latter lie free: no phone of the class
    and no silence within a frame, or a mouth that does everything right would still seem to do it everywhere."""
    inside, outside = [], []
    for recording in recordings:
        frames = len(recording.curves)
        busy = np.zeros(frames, bool)
        asked = np.zeros(frames, bool)
        for names, begin, end in recording.phones:
            busy[frames_of(begin, end, frames)] = True
            if set(names) & set(kind.visemes):
                asked[frames_of(begin, end, frames)] = True
        for begin, end in _phones(recording, kind.visemes):
            inside.append(kind.score(recording.curves[frames_of(begin, end, frames, margin=1)]))
        for begin, end in _phones(recording, kind.against):
            window = frames_of(begin, end, frames, margin=1)
            if busy[window].all() and not asked[window].any():
                outside.append(kind.score(recording.curves[window]))
    return np.array(inside), np.array(outside)


def _speaking(recording: Recording) -> np.ndarray:
    """bool [T]: within two frames of a phone."""
    mask = np.zeros(len(recording.curves), bool)
    for _, begin, end in recording.phones:
        mask[frames_of(begin, end, len(mask), margin=2)] = True
    return mask


def table(title: str, rows: Sequence[Score], baseline: Sequence[Score]) -> str:
    """Markdown. baseline: the same of swapped audio."""
    by_name = {row.name: row for row in baseline}
    lines = [
        f"### {title}",
        "",
        "| phones | asked | n | reached | other phones | told apart (95 %) | swapped audio | gap, mm | width, mm |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        other = by_name.get(row.name)
        lines.append(
            f"| {row.name} | {row.asks} | {row.count} | {row.reached:.0%} | {row.control:.0%} | {row.told_apart:.2f} "
            f"({row.interval[0]:.2f} to {row.interval[1]:.2f}) | {other.told_apart if other else float('nan'):.2f} | "
            f"{row.gap:.1f} | {row.width:+.1f} |"
        )
    return "\n".join(lines)
