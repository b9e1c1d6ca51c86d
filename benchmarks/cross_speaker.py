# SPDX-License-Identifier: GPL-3.0-or-later
"""Do an avatar's lips follow voices that it was not trained on? By our own sync scorer, against shuffled sound.

    python benchmarks/cross_speaker.py AVATAR.hmt --speech FOLDER_OR_FILE ... [--seconds 12] [--out sync.json]

Each recording is spoken by the avatar as *Animate* does it, rendered over grey and tracked again; the scorer then sees
the lips beside

    matched    the recording itself
    others     equally long pieces of the other recordings, from random places
    shifted    the recording itself, 0.8 s or more late, its end put before its beginning

Offset: frames by which the sound is late. Confidence: how far the best shift of up to 15 frames rises above the median;
chance has a summit too, and the higher the shorter the recording, which is what the two shuffled columns tell.
"beaten": share of shuffled pieces whose confidence is at least the matched one. Intervals (95 %): for a recording a
bootstrap over pieces of 0.4 s, for the mean a bootstrap over recordings.

What the figures do not tell: the scorer was trained on one speaker (GRID s1) and hears through the same speech encoder
as the avatars, so it is deaf to what that encoder leaves out. Set the figures beside those of the avatar's own speaker:
give clips of theirs with --speech.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from bootstrap import mean_interval
from shown_faces import Studio

from hmtalker.avatar import Avatar, load_avatar
from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.sync import REACH, SyncScorer, judge, load_sync_scorer
from hmtalker.evaluation.sync_trial import NEAR
from hmtalker.speech.audio_file import load_audio
from hmtalker.speech.encoder import SpeechEncoder, create
from hmtalker.take import animate

RATE, FPS = 16_000, 25
SOUNDS = (".wav", ".mp3", ".flac", ".ogg", ".m4a", ".mpg", ".mp4")
FAR = REACH + 5
"""Frames by which a recording is shifted at least, so that no shift that is searched can undo it."""
SHORTEST = 2 * FAR + 5
"""Frames of a recording that is long enough for that."""
PIECE = 10
"""Frames that are drawn together: twice what one look of the scorer spans."""
DRAWS = 40
BOOTSTRAPS = 1000
LARGEST_SIDE = 320


@dataclass(frozen=True)
class Scores:
    """Of one recording."""

    name: str
    frames: int
    """Frames whose lips were seen."""
    offset: float
    offset_interval: tuple[float, float]
    confidence: float
    confidence_interval: tuple[float, float]
    others: float
    """Mean confidence with pieces of other recordings; NaN where there are none."""
    shifted: float
    """Mean confidence with itself, shifted."""
    beaten: float
    """Share of both that reach the matched confidence."""


def cosines(seen: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """[n, 2 REACH + 1] of each frame at every shift of the sound; NaN where either is missing. Both [n,E]."""
    out = np.full((len(seen), 2 * REACH + 1), np.nan)
    for column, shift in enumerate(range(-REACH, REACH + 1)):
        rows = np.arange(max(0, -shift), min(len(seen), len(heard) - shift))
        out[rows, column] = (seen[rows] * heard[rows + shift]).sum(1)
    return out


def summit(found: np.ndarray) -> tuple[float, float]:
    """Offset in frames and confidence of cosines [n, 2 REACH + 1]."""
    score = judge(np.stack([np.nansum(found, 0), np.isfinite(found).sum(0)]))
    return score.offset, score.confidence


def over_pieces(found: np.ndarray, rng: np.random.Generator) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of offset and confidence under a bootstrap over pieces of the recording."""
    pieces = np.array_split(np.arange(len(found)), max(1, len(found) // PIECE))
    draws = rng.integers(0, len(pieces), (BOOTSTRAPS, len(pieces)))
    drawn = [summit(found[np.concatenate([pieces[place] for place in draw])]) for draw in draws]
    low, high = np.percentile(drawn, (2.5, 97.5), axis=0)
    return (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))


def judged(
    name: str, seen: np.ndarray, heard: np.ndarray, others: list[np.ndarray], rng: np.random.Generator
) -> Scores:
    """seen, heard: [n,E] of one recording. others: [m,E] of the other ones."""
    found = cosines(seen, heard)
    offset, confidence = summit(found)
    offsets, confidences = over_pieces(found, rng)
    length = len(heard)
    strange: list[float] = []
    if others:
        chain = np.concatenate(others)
        begins = rng.integers(0, len(chain), DRAWS)
        pieces = (np.take(chain, np.arange(begin, begin + length), axis=0, mode="wrap") for begin in begins)
        strange = [summit(cosines(seen, piece))[1] for piece in pieces]
    late = range(FAR, length - FAR + 1, max(1, (length - 2 * FAR) // DRAWS))
    moved = [summit(cosines(seen, np.roll(heard, by, axis=0)))[1] for by in late]
    shuffled = np.array([*strange, *moved])
    return Scores(
        name=name,
        frames=int(np.isfinite(seen).all(1).sum()),
        offset=offset,
        offset_interval=offsets,
        confidence=confidence,
        confidence_interval=confidences,
        others=float(np.mean(strange)) if strange else float("nan"),
        shifted=float(np.mean(moved)) if moved else float("nan"),
        beaten=float((shuffled >= confidence).mean()) if len(shuffled) else float("nan"),
    )


def measure(
    avatar: Avatar, sounds: dict[str, np.ndarray], encoder: SpeechEncoder, scorer: SyncScorer, largest_side: int
) -> list[Scores]:
    """Of every recording, samples [n] of 16 kHz by name."""
    studio = Studio(avatar, largest_side)
    seen, heard = {}, {}
    for name, samples in sounds.items():
        take = animate(avatar, samples, FPS, encoder)
        encoded = scorer.hear(encoder.encode(samples))
        faces = studio.video(map(take.state, range(take.frames)), f"frames of {name}")
        frames = min(take.frames, len(encoded))
        seen[name], heard[name] = scorer.watch(faces.landmarks)[:frames], encoded[:frames]
    studio.close()
    rng = np.random.default_rng(0)
    return [
        judged(name, seen[name], heard[name], [other for key, other in heard.items() if key != name], rng)
        for name in sounds
    ]


def recordings(paths: list[Path], seconds: float) -> dict[str, np.ndarray]:
    """Samples by name, of all sound files under `paths`; those that are too short are left out, with a word."""
    files = [
        file
        for path in paths
        for file in (sorted(f for f in path.rglob("*") if f.suffix.lower() in SOUNDS) if path.is_dir() else [path])
    ]
    found = {}
    for file in files:
        samples = load_audio(file)[: int(seconds * RATE)]
        frames = len(samples) * FPS // RATE
        if frames < SHORTEST:
            print(f"{file.name} is left out: {frames / FPS:.1f} s is too short.", file=sys.stderr)
            continue
        found[file.stem] = samples[: frames * RATE // FPS]
    if not found:
        raise HMTalkerError(f"There is no recording of {SHORTEST / FPS:.1f} s or more in {', '.join(map(str, paths))}.")
    return found


def table(scores: list[Scores]) -> str:
    """For a document: a row a recording, and their mean."""
    lines = [
        "| recording | s | offset, frames | confidence, matched | others | shifted | beaten |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in scores:
        lines.append(
            f"| {one.name} | {one.frames / FPS:.1f} | {one.offset:+.1f} {_span(one.offset_interval, 1)} "
            f"| {one.confidence:.3f} {_span(one.confidence_interval, 2)} | {one.others:.3f} | {one.shifted:.3f} "
            f"| {100 * one.beaten:.0f} % |"
        )
    cells = [_mean([getattr(one, field) for one in scores]) for field in ("confidence", "others", "shifted")]
    near = sum(abs(one.offset) < NEAR for one in scores)
    beaten = 100 * float(np.mean([one.beaten for one in scores]))
    seconds = sum(one.frames for one in scores) / FPS
    within = f"within one frame: {near} of {len(scores)}"
    lines.append(f"| **all** | {seconds:.0f} | {within} | {' | '.join(cells)} | {beaten:.0f} % |")
    return "\n".join(lines)


def _mean(values: list[float]) -> str:
    """Mean, and its interval under a bootstrap over recordings."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return "–"
    return f"{known.mean():.3f} {_span(mean_interval(known), 2)}"


def _span(interval: tuple[float, float], digits: int) -> str:
    return f"[{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path, metavar="AVATAR", help="avatar file (.hmt)")
    parser.add_argument("--speech", type=Path, nargs="+", required=True, metavar="PATH", help="recordings, or folders")
    parser.add_argument("--seconds", type=float, default=12.0, help="of each recording at most (12)")
    parser.add_argument("--size", type=int, default=LARGEST_SIDE, help=f"pixels of the longer side ({LARGEST_SIDE})")
    parser.add_argument("--out", type=Path, help="write all figures as JSON")
    options = parser.parse_args()
    try:
        avatar = load_avatar(options.avatar)
        encoder = create(avatar.header["encoder"]["id"])
        sounds = recordings(options.speech, options.seconds)
        scores = measure(avatar, sounds, encoder, load_sync_scorer(), options.size)
    except HMTalkerError as error:
        print(f"Nothing was measured: {error}", file=sys.stderr)
        return 2
    print(f"{avatar.name}\n\n{table(scores)}")
    if options.out:
        options.out.write_text(json.dumps([asdict(one) for one in scores], indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
