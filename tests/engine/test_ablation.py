# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation table: rows learn what they should, and the table says what was measured."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")
pytest.importorskip("cv2")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from ablation import differences_table, means_table
from ablation_motion import Figures, Seen, load_videos, save_videos
from ablation_rows import FULL, ROWS, Schedule, preset_of, some_clips, training_pictures, work_folder
from bootstrap import mean_interval

from hmtalker.errors import HMTalkerError
from hmtalker.evaluation.held_out import AUDIO, UNITS
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.training.dataset import Performance, Pictures
from hmtalker.training.frame_store import FrameStore
from hmtalker.training.presets import PRESETS
from hmtalker.training.variants import Variant

SMALL = MotionConfig(feature_dimension=8, face_half_extent=(0.1, 0.1, 0.1), mouth_half_extent=(0.1, 0.1, 0.1))


def test_every_row_is_trained_equally_long_and_differs_from_the_full_model():
    full = preset_of(FULL, 0, Schedule())
    for row in ROWS:
        preset = preset_of(row, 0, Schedule())
        for stage in ("speech", "motion", "face", "mouth"):
            assert getattr(preset, stage).iterations == getattr(full, stage).iterations
        assert preset.joint_iterations == full.joint_iterations
        assert (preset == full) == (row == FULL)


def test_the_schedule_scales_motion_and_pictures_apart():
    quick = PRESETS["quick"]
    preset = preset_of(FULL, 3, Schedule("quick", motion=0.5, pictures=0.1))
    assert preset.seed == 3
    assert (preset.speech.iterations, preset.motion.iterations) == (
        quick.speech.iterations // 2,
        quick.motion.iterations // 2,
    )
    assert (preset.face.iterations, preset.joint_iterations) == (
        quick.face.iterations // 10,
        quick.joint_iterations // 10,
    )


def test_the_voice_alone_is_not_shown_what_a_hand_did():
    # In 22 % of the frames of a gated model a hand moves the target; without an explicit road that is noise.
    for row in ROWS:
        video, audio, masked, implicit_masked = preset_of(row, 0, Schedule()).pairings.probabilities()
        if row == "implicit":
            assert (video, audio, masked, implicit_masked) == (0, 1, 0, 0)
        else:
            assert video > 0


def test_without_a_cue_the_model_is_that_of_implicit_only():
    models = []
    for flag in ("fusion=implicit", "cue=none"):
        torch.manual_seed(0)
        preset = Variant.parse([flag]).apply(PRESETS["quick"])
        models.append(MotionModel(preset.motion_config(SMALL)))
    ours, theirs = (model.state_dict() for model in models)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours | theirs)
    units, heard = torch.full((1, 17), 2.0), torch.ones(1, 32)
    for a, b in zip(models[0].conditions(heard, units), models[1].conditions(heard, units), strict=True):
        assert torch.equal(a, b)


def test_an_unknown_row_is_named_with_those_that_there_are():
    with pytest.raises(HMTalkerError, match=r"no row 'ave'.*gate.*implicit"):
        preset_of("ave", 0, Schedule())


def test_test_pictures_are_not_learnt_from(tmp_path):
    import cv2

    files = [tmp_path / f"{number}.png" for number in range(10)]
    for number, file in enumerate(files):
        cv2.imwrite(str(file), np.full((4, 4, 4), number, np.uint8))
    test = np.arange(10) % 5 == 0
    column = np.arange(10)
    pictures = Pictures(
        FrameStore(files, 4), FrameStore(files, 4), column[:, None], column[:, None], column, column, test,
        column[:, None], np.ones(10, bool),
    )  # fmt: skip
    everyone = np.ones(10, bool)
    chosen = training_pictures(pictures, 4, everyone)
    assert chosen.count == 4
    assert not chosen.test.any()
    assert chosen.clip_index[0] == 1
    assert chosen.clip_index[-1] == 9
    assert [int(chosen.rgba[row][0, 0, 0]) for row in range(4)] == chosen.clip_index.tolist()
    assert training_pictures(pictures, 100, everyone).count == 8
    assert training_pictures(pictures, 100, column < 4).clip_index.tolist() == [1, 2, 3]


def test_fewer_clips_are_chosen_evenly_among_those_for_training():
    nothing = np.zeros((0, 2), np.float32)
    training = np.arange(10) % 5 != 0
    heard = Performance(nothing, nothing, nothing, nothing, training, [], nothing, nothing)
    assert np.flatnonzero(some_clips(heard, 3).train_clip).tolist() == [1, 6, 9]
    for most in (0, 8, 100):
        assert some_clips(heard, most) is heard


def test_checkpoints_of_another_schedule_are_not_gone_on_with(tmp_path):
    folder, resumed = work_folder(tmp_path / "row.work", {"seed": 0})
    (folder / "stage_A.pt").touch()
    assert not resumed
    assert work_folder(folder, {"seed": 0}) == (folder, True)
    assert (folder / "stage_A.pt").exists()
    assert work_folder(folder, {"seed": 1}) == (folder, False)
    assert not (folder / "stage_A.pt").exists()


def test_tracked_videos_are_kept_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    videos = {name: Seen(rng.random((3, 478, 3), np.float32), rng.random((3, 52), np.float32)) for name in "ab"}
    videos["a"].landmarks[1] = np.nan
    save_videos(tmp_path / "row.npz", videos)
    for name, seen in load_videos(tmp_path / "row.npz").items():
        np.testing.assert_array_equal(seen.landmarks, videos[name].landmarks)
        np.testing.assert_array_equal(seen.blendshapes, videos[name].blendshapes)


def _found(worse: float) -> dict[str, Figures]:
    """Two seeds of the full model and of implicit only, which is `worse` in every one of four clips."""
    clips = np.array([1.0, 2.0, 3.0, 4.0])
    found = {}
    for driver in (AUDIO, UNITS):
        for seed, off in ((0, 0.0), (1, 0.2)):
            found[f"gate {seed} {driver}"] = Figures(clips + off, clips / 10, 0.5)
            found[f"implicit {seed} {driver}"] = Figures(clips + off + worse, clips / 10 - worse, 0.25)
    return found


def test_the_table_tells_means_and_their_spread_over_seeds():
    there = [("gate", 0), ("implicit", 0), ("gate", 1), ("implicit", 1)]
    gate, implicit = means_table(_found(0.5), there)[2:]
    assert gate.split("|")[2:5] == [" 2 ", " 2.60 ± 0.10 ", " 2.60 ± 0.10 "]
    assert implicit.split("|")[3:6] == [" 3.10 ± 0.10 ", " 3.10 ± 0.10 ", " -0.25 ± 0.00 "]


def test_one_seed_has_no_spread():
    assert "±" not in means_table(_found(0.5), [("gate", 0)])[2]


def test_differences_are_of_the_same_clips():
    # clips differ by 3, and yet the difference is known exactly
    (row,) = differences_table(_found(0.5), [("gate", 0), ("implicit", 0)])[2:]
    assert row.split("|")[2] == " +0.50 [+0.50, +0.50] "
    assert row.split("|")[4] == " -0.50 [-0.50, -0.50] "


def test_an_interval_shrinks_with_the_number_of_values():
    rng = np.random.default_rng(1)
    few, many = rng.normal(5, 1, 10), rng.normal(5, 1, 1000)
    widths = [high - low for low, high in (mean_interval(few), mean_interval(many))]
    assert widths[0] > 5 * widths[1]
    low, high = mean_interval(many)
    assert low < 5 < high
