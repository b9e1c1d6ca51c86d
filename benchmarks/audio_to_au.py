# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the face follow the voice? Held-out GRID s1 clips and real recordings, against baselines on the same data.

    python benchmarks/audio_to_au.py [--data DIR] [--avatar assets/bundled_avatar.hmt]

The truth is captured again from the videos by ``assets/bundled_avatar/capture_performance.py`` (kept in ``out/``).
Every r is pooled over the frames of the 20 held-out clips; the interval is a bootstrap over clips of this one speaker.
GRID's sentences all have the same timing, so a face that hears nothing already scores: read each r beside "frame
index", and beside what is left of it when another clip's audio is fed in.

Two sets of seven mouth channels are scored. "controls": AU25, AU26, AU12+AU20, pucker+funnel, AU10, AU17, AU23 as the
face is conditioned with them. "geometry": lip gap, jaw, mouth width, pucker score, upper lip, chin and lip press as
they are measured on the landmarks, before calibration, rest and dead zones. The avatar's Action Units are taken as they
are; what its 32 implicit numbers hold besides (rounding, geometry) is read by a ridge fitted on the training clips.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "assets" / "bundled_avatar")]

FPS = 25.0
SAMPLE_RATE = 16000
SILENCE_DB = -25.0
SHORTEST_PAUSE = 5  # frames: 0.2 s
SILENT_SHARE = 0.2
LAGS = range(-4, 5)
SWAPS = (1, 7, 13)
BOOTSTRAPS = 1000
CONTROLS = ("AU25", "AU26", "AU12+20", "rounding", "AU10", "AU17", "AU23")
GEOMETRY = ("gap", "jaw", "width", "pucker", "upper lip", "chin", "press")
INTERVALS = {"AU25 r": "AU25 interval", "mean of seven": "mean of seven interval"}
REQUIRED = {
    "AU25 r": 0.92, "AU25 r, speech": 0.88, "mean of seven": 0.80, "AU25 drop, swapped": 0.35,
    "largest lag": 1, "silent pauses": 0.85,
}  # fmt: skip

System = Callable[[np.ndarray, int], np.ndarray]
"""(samples [n] 16 kHz, frames) -> [frames, 14]: the seven controls, then the seven geometry channels."""


def seven_controls(action_units: np.ndarray, rounding: np.ndarray, codes: tuple[str, ...]) -> np.ndarray:
    """action_units [F,17], rounding [F] -> [F,7]."""
    unit = {code: action_units[:, index] for index, code in enumerate(codes)}
    columns = [unit["AU25"], unit["AU26"], unit["AU12"] + unit["AU20"], rounding, unit["AU10"], unit["AU17"]]
    return np.stack([*columns, unit["AU23"]], 1)


class PooledCorrelation:
    """Pearson's r over the frames of several clips, from sums that can be drawn again clip by clip."""

    def __init__(self, predicted: list[np.ndarray], truth: list[np.ndarray]) -> None:
        """One [F,K] array for each clip."""
        self.sums = np.array(
            [
                [np.full(p.shape[1], len(p)), p.sum(0), t.sum(0), (p * p).sum(0), (t * t).sum(0), (p * t).sum(0)]
                for p, t in zip(predicted, truth, strict=True)
            ]
        )

    def r(self, clips: np.ndarray | None = None) -> np.ndarray:
        """[K]"""
        n, p, t, pp, tt, pt = (self.sums if clips is None else self.sums[clips]).sum(0)
        variance = np.maximum(n * pp - p * p, 1e-9) * np.maximum(n * tt - t * t, 1e-9)
        return (n * pt - p * t) / np.sqrt(variance)

    def interval(self, function: Callable[[np.ndarray], float], seed: int = 0) -> tuple[float, float]:
        """95 % interval of a function of r under a bootstrap over clips."""
        random = np.random.default_rng(seed)
        draws = random.integers(0, len(self.sums), (BOOTSTRAPS, len(self.sums)))
        low, high = np.percentile([function(self.r(draw)) for draw in draws], (2.5, 97.5))
        return float(low), float(high)


def pauses(samples: np.ndarray, frames: int) -> np.ndarray:
    """bool [frames]: in a stretch of at least 0.2 s that is 25 dB under the file's speech level."""
    from hmtalker.speech.loudness import frame_loudness

    quiet = np.concatenate([[False], frame_loudness(samples, FPS, frames) < SILENCE_DB, [False]])
    edges = np.flatnonzero(np.diff(quiet.astype(int)))
    result = np.zeros(frames, bool)
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        result[start:end] = end - start >= SHORTEST_PAUSE
    return result


def silence_share(system: System, recordings: list[np.ndarray]) -> tuple[float, int]:
    """Share of pause frames in which AU25 stays below 20 % of the file's 95th percentile, and their number."""
    shut = total = 0
    for samples in recordings:
        frames = int(len(samples) / SAMPLE_RATE * FPS)
        gap = system(samples, frames)[:, 0]
        silent = pauses(samples, frames)
        shut += int((gap[silent] < SILENT_SHARE * np.percentile(gap, 95)).sum())
        total += int(silent.sum())
    return shut / max(total, 1), total


def score(
    system: System, audio: list[np.ndarray], truth: list[np.ndarray], speech: list[np.ndarray], recordings: list
) -> dict[str, Any]:
    """Every figure of one system on the held-out clips and on ``recordings``."""
    predicted = [system(samples, len(values)) for samples, values in zip(audio, truth, strict=True)]
    pooled = PooledCorrelation(predicted, truth)
    spoken = PooledCorrelation(
        [values[mask] for values, mask in zip(predicted, speech, strict=True)],
        [values[mask] for values, mask in zip(truth, speech, strict=True)],
    )
    swapped = np.mean([PooledCorrelation(_rolled(predicted, shift), truth).r() for shift in SWAPS], 0)
    by_lag = {}
    for lag in LAGS:  # positive: the prediction comes late
        heard = [p[max(lag, 0) : len(p) + min(lag, 0)] for p in predicted]
        seen = [t[max(-lag, 0) : len(t) + min(-lag, 0)] for t in truth]
        by_lag[lag] = float(PooledCorrelation(heard, seen).r()[0])
    share, count = silence_share(system, recordings) if recordings else (float("nan"), 0)
    r = pooled.r()
    return {
        "AU25 r": float(r[0]),
        "AU25 interval": pooled.interval(lambda values: float(values[0])),
        "AU25 r, speech": float(spoken.r()[0]),
        "mean of seven": float(r[7:].mean()),
        "mean of seven interval": pooled.interval(lambda values: float(values[7:].mean())),
        "mean of seven controls": float(r[:7].mean()),
        "AU25 drop, swapped": float(r[0] - swapped[0]),
        "AU25 r, swapped": float(swapped[0]),
        "best lag": max(by_lag, key=lambda lag: by_lag[lag]),
        "r by lag": by_lag,
        "silent pauses": share,
        "pause frames": count,
        "controls": dict(zip(CONTROLS, map(float, r[:7]), strict=True)),
        "geometry": dict(zip(GEOMETRY, map(float, r[7:]), strict=True)),
    }


def _rolled(predicted: list[np.ndarray], shift: int) -> list[np.ndarray]:
    """Every clip gets what was predicted for another; clips must be equally long."""
    return predicted[shift:] + predicted[:shift]


def ridge_system(
    features: Callable[[np.ndarray, int], np.ndarray], audio: list[np.ndarray], targets: list[np.ndarray]
) -> System:
    """Fit a ridge on the training clips."""
    from speech_ridge import fit_ridge

    model = fit_ridge([features(s, len(t)) for s, t in zip(audio, targets, strict=True)], targets)
    return lambda samples, frames: model(features(samples, frames))


def avatar_system(avatar: Any, encoder: Any, audio: list[np.ndarray], targets: list[np.ndarray]) -> System:
    """What *Animate* makes of the voice, silence gate included; see the module's text for rounding and geometry."""
    from speech_ridge import fit_ridge

    from hmtalker.action_units import CODES, LOWER_INDEX
    from hmtalker.take import animate

    def heard(samples: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray]:
        take = animate(avatar, samples, fps=FPS, encoder=encoder)
        rows = np.minimum(np.arange(frames), len(take.action_units) - 1)
        return take.action_units[rows], take.implicit[rows]

    def channels(action_units: np.ndarray, implicit: np.ndarray) -> np.ndarray:
        # The voice drives the lower face; brows and lids are procedural.
        return np.concatenate([action_units[:, list(LOWER_INDEX)], implicit], 1).astype(float)

    known = [channels(*heard(samples, len(values))) for samples, values in zip(audio, targets, strict=True)]
    readout = fit_ridge(known, [values[:, [3, *range(7, 14)]] for values in targets])

    def system(samples: np.ndarray, frames: int) -> np.ndarray:
        action_units, implicit = heard(samples, frames)
        read = readout(channels(action_units, implicit))
        return np.concatenate([seven_controls(action_units, read[:, 0], CODES), read[:, 1:]], 1)

    return system


def table(results: dict[str, dict[str, Any]]) -> str:
    """The results as text, one system a row."""
    columns = ("AU25 r", "AU25 r, speech", "AU25 r, swapped", "AU25 drop, swapped", "mean of seven")
    columns += ("mean of seven controls", "best lag", "silent pauses")
    rows = [f"{'':20}" + "".join(f"{name:>24}" for name in columns)]
    for system, values in results.items():
        cells = []
        for name in columns:
            text = f"{values[name]:d}" if name == "best lag" else f"{values[name]:.3f}"
            if name in INTERVALS:
                low, high = values[INTERVALS[name]]
                text += f" [{low:.2f}, {high:.2f}]"
            cells.append(f"{text:>24}")
        rows.append(f"{system:20}" + "".join(cells))
    rows.append("")
    for group, names in (("controls", CONTROLS), ("geometry", GEOMETRY)):
        rows.append(f"{'r, ' + group:20}" + "".join(f"{name:>11}" for name in names))
        rows += [
            f"{system:20}" + "".join(f"{values[group][name]:11.3f}" for name in names)
            for system, values in results.items()
        ]
    return "\n".join(rows)


def verdict(values: dict[str, Any]) -> dict[str, bool]:
    """Which of the required figures the avatar reaches."""
    passed = {name: values[name] >= bound for name, bound in REQUIRED.items() if name in values}
    return passed | {"largest lag": abs(values["best lag"]) <= REQUIRED["largest lag"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", help="holds grid_s1/ and speech/")
    parser.add_argument("--avatar", type=Path, default=ROOT / "assets" / "bundled_avatar.hmt")
    parser.add_argument("--capture", type=Path, default=ROOT / "out" / "capture", help="where the capture is kept")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "audio_to_au.json")
    parser.add_argument("--threads", type=int, default=2)
    a = parser.parse_args()
    grid, speech_folder = a.data / "grid_s1", a.data / "speech"
    if not grid.is_dir():
        print(f"There is no {grid} (GRID speaker s1): nothing measured. Give its parent with --data.", file=sys.stderr)
        return 2

    from capture_performance import capture
    from speech_ridge import WhisperFeatures, frame_index, log_mel, loudness

    from hmtalker.action_units import CODES
    from hmtalker.speech.audio_file import load_audio
    from hmtalker.speech.encoder import create

    truth = capture(grid / "clips", a.capture, grid / "phones.json", grid / "split.json")
    controls = seven_controls(truth.action_units, truth.pucker + truth.funnel, CODES)
    targets = np.concatenate([controls, truth.targets7], 1).astype(float)
    rows = [np.flatnonzero(truth.clip_index == clip) for clip in range(len(truth.clips))]
    known = [clip for clip in range(len(rows)) if truth.training[rows[clip][0]]]
    held = [clip for clip in range(len(rows)) if not truth.training[rows[clip][0]]]
    audio = [np.load(a.capture / "audio" / f"{name}.npy") for name in truth.clips]
    known_audio, known_targets = [audio[clip] for clip in known], [targets[rows[clip]] for clip in known]
    held_audio, held_targets = [audio[clip] for clip in held], [targets[rows[clip]] for clip in held]
    held_speech = [truth.speech[rows[clip]] for clip in held]
    recordings = []
    if speech_folder.is_dir():
        files = sorted(path for path in speech_folder.rglob("*") if path.suffix in (".wav", ".mp3", ".flac"))
        recordings = [load_audio(path) for path in files]
    else:
        print(f"There is no {speech_folder}, so silence is left out.", file=sys.stderr)

    encoder = create(threads=a.threads)
    baselines: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
        "frame index": frame_index,
        "loudness ridge": loudness,
        "log-mel ridge": log_mel,
        "Whisper L1-3 ridge": WhisperFeatures(encoder, known_audio),
    }
    systems = {name: ridge_system(features, known_audio, known_targets) for name, features in baselines.items()}
    if a.avatar.exists():
        from hmtalker.avatar import load_avatar

        avatar = load_avatar(a.avatar)
        if avatar.header["encoder"]["id"] != encoder.id:
            encoder = create(avatar.header["encoder"]["id"], threads=a.threads)
        systems["avatar"] = avatar_system(avatar, encoder, known_audio, known_targets)
    else:
        print(f"There is no avatar at {a.avatar}, so only the baselines were measured.", file=sys.stderr)
    results = {
        name: score(system, held_audio, held_targets, held_speech, recordings) for name, system in systems.items()
    }
    print(table(results))
    report: dict[str, Any] = {"clips": {"training": len(known), "held out": len(held)}, "systems": results}
    if "avatar" in results:
        report["required"], report["passed"] = REQUIRED, verdict(results["avatar"])
        print("\n" + ", ".join(f"{name}: {'yes' if ok else 'NO'}" for name, ok in report["passed"].items()))
    a.out.parent.mkdir(parents=True, exist_ok=True)
    a.out.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
