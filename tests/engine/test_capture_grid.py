# SPDX-License-Identifier: GPL-3.0-or-later
"""Real clips of GRID, as they were published, become a dataset."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hmtalker.capture.options import CaptureOptions
from hmtalker.capture.pipeline import capture
from hmtalker.training.dataset import load_performance, load_pictures

ROOT = Path(__file__).resolve().parents[2]
CLIPS = Path(os.environ.get("HMTALKER_SHARED", ROOT.parent / "shared")) / "data" / "grid_s1" / "clips"


@pytest.mark.skipif(not CLIPS.is_dir(), reason="the GRID clips are not on this machine")
def test_three_clips_become_a_dataset(tmp_path):
    films = tuple(sorted(CLIPS.glob("*.mpg"))[:3])
    result = capture(CaptureOptions(films, tmp_path / "dataset", hold_out=(films[2].name,)))
    performance = load_performance(result.output)
    assert performance.train_clip.tolist() == [True, True, False]
    assert np.bincount(performance.clip_index).tolist() == [75, 75, 75]
    shown = load_pictures(result.output, stream=True)
    assert shown.count == 225
    assert shown.rgba.shape[1:] == (288, 288, 4)
    picture = shown.rgba[100].astype(int)
    assert (picture[:40, :40, 3] == 0).all()  # the blue screen is gone
    person = picture[picture[..., 3] > 250]
    assert (person[:, 2] - person[:, 0] > 60).mean() < 0.02
    assert "cuts" not in {finding["key"] for finding in result.summary["findings"]}
