# SPDX-License-Identifier: GPL-3.0-or-later
"""The voice of a dataset, heard with another encoder than the one it was captured with (the rows "encoder" of the
paper's ablation table). The sound is in the dataset; what is heard is kept beside it in ``speech_<encoder>/``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..atomic_file import write_atomically
from ..capture.array_file import array_bytes
from ..capture.sound_track import read_sound
from ..capture.speech_draws import DRAWS, noisy
from ..errors import CancelledError
from ..speech.encoder import SpeechEncoder
from .dataset import DatasetError, load_table, speech_folder

WEIGHTS = "weights.sha256"
"""Beside what was heard: with which weights."""


def hear_with(
    dataset: Path,
    encoder: SpeechEncoder,
    report: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> None:
    """Write what `encoder` hears in each clip, float16 [draws, T50, D]; clips that were heard before are kept.

    report: told clips done, of all. Raises :class:`DatasetError` where the sound is missing, :class:`CancelledError`.
    """
    data = load_table(dataset, "performance")
    names = [str(name) for name in data["clips"]]
    lengths = np.bincount(data["clip_index"], minlength=len(names))
    sources = [str(name) for name in data.get("clip_sources", data["clips"])]
    begins = data.get("clip_begins", np.zeros(len(names), np.int64)).tolist()
    folder = speech_folder(dataset, encoder.id)
    _belongs_to(folder, encoder.sha256)
    for number, (name, source, begin) in enumerate(zip(names, sources, begins, strict=True)):
        if cancelled is not None and cancelled():
            raise CancelledError("Hearing the clips was cancelled; those that were heard are kept.")
        path = folder / f"{name}.npy"
        if not path.is_file():
            samples = _sound(dataset, source, int(begin), int(lengths[number]))
            write_atomically(path, array_bytes(_draws(samples, encoder, np.random.default_rng(number))))
        if report is not None:
            report(number + 1, len(names))


def _belongs_to(folder: Path, sha256: str) -> None:
    """Make `folder`, and empty it of what an encoder with other weights has heard."""
    folder.mkdir(exist_ok=True)
    note = folder / WEIGHTS
    if not note.is_file() or note.read_text("utf-8") != sha256:
        for stale in folder.glob("*.npy"):
            stale.unlink()
        write_atomically(note, [sha256.encode()])


def _sound(dataset: Path, source: str, begin: int, frames: int) -> np.ndarray:
    path = dataset / "audio" / f"{source}.wav"
    try:
        return read_sound(path, begin, frames)
    except (OSError, EOFError) as error:
        raise DatasetError(
            f"The sound '{path}' is missing or damaged ({error}); capture again to train with another speech encoder."
        ) from error


def _draws(samples: np.ndarray, encoder: SpeechEncoder, rng: np.random.Generator) -> np.ndarray:
    """What inference hears, then the same in noisier rooms."""
    variants = [samples, *(noisy(samples, rng) for _ in range(DRAWS - 1))]
    return np.stack([encoder.encode(variant) for variant in variants]).astype(np.float16)
