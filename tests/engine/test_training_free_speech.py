# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage A learns sounds that the person never said, from synthetic voices and the person's own articulation."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker import action_units
from hmtalker.errors import HMTalkerError
from hmtalker.motion.model import MotionConfig, MotionModel
from hmtalker.training import free_speech
from hmtalker.training.dataset import Performance
from hmtalker.training.free_speech import FreeSpeech, at_frame_rate, free_speech_for, speak_freely
from hmtalker.training.heard_visemes import VisemeListener
from hmtalker.training.own_articulation import OwnArticulation, merged
from hmtalker.training.presets import SpeechSchedule
from hmtalker.training.speech_stage import SpeechStage, hear_clip
from hmtalker.training.spoken_text import Voice, find_speaker
from hmtalker.training.visemes import VISEMES, of_arpabet, of_ipa, shares

GRID_LACKS = ("ER", "NG", "OY", "SH", "UH", "ZH")
GRID_HAS = ("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "EH", "EY", "F", "G", "IH", "IY", "JH", "K", "L", "M",
            "N", "OW", "P", "R", "S", "T", "TH", "UW", "V", "W", "Y", "Z")  # fmt: skip
LIPS = action_units.LOWER.index("AU25")
DIMENSION = len(VISEMES) + 3

needs_espeak = pytest.mark.skipif(find_speaker() is None, reason="the package espeakng-loader is not installed")


def test_what_grid_lacks_is_made_of_what_it_has():
    shown = {viseme for phone in GRID_HAS for viseme in of_arpabet(phone)}
    assert all(set(of_arpabet(phone)) <= shown for phone in GRID_LACKS)
    assert of_arpabet("OY1") == ("mid rounded", "spread")


def test_ipa_and_arpabet_agree():
    pairs = {"ʃ": "SH", "dʒ": "JH", "ŋ": "NG", "ˈɔɪ": "OY", "ʊ": "UH", "ɜː": "ER", "b": "B", "v": "V", "iː": "IY"}
    assert {ipa: of_ipa(ipa) for ipa in pairs} == {ipa: of_arpabet(phone) for ipa, phone in pairs.items()}
    assert of_ipa("") == of_ipa("(") == ("silence",)
    assert of_ipa("yː") == ("close rounded",)


def test_each_frame_is_divided_among_the_visemes_that_last_in_it():
    table = shares([(("closed",), 0.02, 0.06), (("open", "spread"), 0.06, 0.14)], 5)
    assert table.sum(1) == pytest.approx(1)
    assert table[0, VISEMES.index("silence")] == pytest.approx(0.5)
    assert table[1, VISEMES.index("closed")] == pytest.approx(0.5)
    assert table[2, VISEMES.index("open")] == pytest.approx(0.5)
    assert table[2, VISEMES.index("spread")] == pytest.approx(0.5)
    assert table[4, VISEMES.index("silence")] == pytest.approx(1)


def random_visemes(rng: np.random.Generator, frames: int, known: int) -> np.ndarray:
    """One of the first `known` visemes every three frames: [frames,17]."""
    return np.eye(len(VISEMES), dtype=np.float32)[np.repeat(rng.integers(0, known, frames // 3 + 1), 3)[:frames]]


def test_own_articulation_is_read_back_within_what_the_person_showed():
    rng = np.random.default_rng(0)
    gaps = merged(np.eye(len(VISEMES))) @ rng.uniform(0, 3, (len(VISEMES), 2))
    clips = [random_visemes(rng, 90, 17) for _ in range(20)]
    curves = [clip @ gaps + 0.3 * rng.standard_normal((90, 2)) for clip in clips]
    own = OwnArticulation(clips[:15], curves[:15])
    told, truth = np.concatenate([own(c) for c in clips[15:]]), np.concatenate([c @ gaps for c in clips[15:]])
    assert np.corrcoef(told[:, 0], truth[:, 0])[0, 1] > 0.95
    assert told.min() >= np.concatenate(curves[:15]).min()
    assert told.max() <= np.concatenate(curves[:15]).max()


def test_a_funnel_that_was_never_seen_is_rounder_than_a_sibilant_and_closed_lips_stay_closed():
    rng = np.random.default_rng(4)
    rounding = np.zeros((len(VISEMES), 1))
    rounding[VISEMES.index("close rounded")] = 2
    rounding[VISEMES.index("closed")] = 1
    seen = [name for name in VISEMES if name != "funnel"]
    clips = [
        np.eye(len(VISEMES), dtype=np.float32)[[VISEMES.index(n) for n in np.repeat(rng.choice(seen, 30), 3)]]
        for _ in range(20)
    ]
    own = OwnArticulation(clips, [clip @ rounding for clip in clips])
    asked = np.eye(len(VISEMES), dtype=np.float32)[
        [VISEMES.index(n) for n in np.repeat(["sibilant", "funnel", "closed", "close rounded"], 9)]
    ]
    sibilant, funnel, closed, rounded = own(asked)[4::9, 0]
    assert sibilant + 0.5 < funnel < rounded - 0.5
    assert closed == pytest.approx(1)


def encoded(visemes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """[T,17] at 25 fps -> made-up speech features [1,2T,20] that tell the visemes."""
    told = np.pad(np.repeat(visemes, 2, axis=0), ((0, 0), (0, DIMENSION - len(VISEMES))))
    return (told + 0.1 * rng.standard_normal(told.shape))[None].astype(np.float16)


def test_visemes_are_heard_in_a_clip_that_was_not_listened_to_before():
    rng = np.random.default_rng(1)
    said = [random_visemes(rng, 120, 17) for _ in range(9)]
    heard = [encoded(clip, rng)[0] for clip in said]
    listener = VisemeListener(heard[:8], [np.repeat(clip, 2, axis=0) for clip in said[:8]])
    told = at_frame_rate(listener(heard[8]), 120)
    assert told.sum(1) == pytest.approx(1, abs=1e-4)
    assert (told.argmax(1) == said[8].argmax(1)).mean() > 0.9


def performance_of(visemes: list[np.ndarray], gap: np.ndarray, rng: np.random.Generator) -> Performance:
    """A person whose lips part by `gap` [17] with each viseme."""
    units = np.zeros((sum(map(len, visemes)), 17), np.float32)
    units[:, action_units.CODES.index("AU25")] = np.concatenate(visemes) @ gap
    frames = [len(clip) for clip in visemes]
    return Performance(
        units,
        np.zeros((len(units), 6), np.float32),
        np.repeat(np.arange(len(frames)), frames),
        np.concatenate([np.arange(count) for count in frames]),
        np.ones(len(frames), bool),
        [encoded(clip, rng) for clip in visemes],
        np.zeros((len(units), 2), np.float32),
        np.zeros((len(units), 0), np.float32),
    )


def trained(performance: Performance, free: FreeSpeech | None, steps: int = 120, stop: int | None = None):
    """The stage after `steps`; stop: saved and gone on with in a new one after so many."""
    schedule = SpeechSchedule(steps, clips=4, dropout=0.0, noise=0.0, learning_rate=4e-3, free_weight=1.0)

    def begin():
        torch.manual_seed(0)
        return SpeechStage(MotionModel(MotionConfig(feature_dimension=DIMENSION)), performance, schedule, free=free)

    stage = begin()
    for step in range(steps):
        if step == stop:
            model, state = stage.model.state_dict(), stage.state()
            stage = begin()
            stage.model.load_state_dict(model)
            stage.restore(state)
        stage.step()
    return stage


@pytest.fixture(scope="module")
def person():
    """Says only the first 8 visemes, lips hardly apart; free speech holds all, and the ninth opens them."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(2)
    gap = np.zeros(len(VISEMES), np.float32)
    gap[:8] = np.linspace(0, 1, 8)
    gap[8] = 3
    performance = performance_of([random_visemes(rng, 60, 8) for _ in range(5)], gap, rng)
    said = [random_visemes(rng, 80, 9) for _ in range(6)]
    lower = [np.zeros((80, 9), np.float32) for _ in said]
    for clip, units in zip(said, lower, strict=True):
        units[:, LIPS] = clip @ gap
    free = FreeSpeech([encoded(clip, rng) for clip in said], lower, [np.zeros((80, 2), np.float32) for _ in said])
    return performance, free, gap


def lips_on_the_ninth(stage: SpeechStage) -> float:
    clip = np.tile(np.eye(len(VISEMES), dtype=np.float32)[8], (30, 1))
    return float(hear_clip(stage.model, encoded(clip, np.random.default_rng(3))[0], 30)[1][10:20, LIPS].mean())


def test_a_sound_that_the_person_never_said_is_learnt_from_free_speech(person):
    performance, free, _ = person
    assert lips_on_the_ninth(trained(performance, free)) > 2.0
    assert lips_on_the_ninth(trained(performance, None)) < 1.5


def test_a_stopped_stage_goes_on_to_the_same_bits(person):
    performance, free, _ = person
    whole, stopped = trained(performance, free, 12), trained(performance, free, 12, stop=5)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, stopped.model.state_dict()[name]), name


def test_without_the_synthesiser_training_goes_on_with_a_warning(person, monkeypatch, caplog):
    monkeypatch.setattr(free_speech, "find_speaker", lambda: None)
    assert free_speech_for(person[0], np.arange(3)) is None
    assert "espeakng-loader is not installed" in caplog.text


@needs_espeak
def test_phones_follow_one_another_to_the_end_of_the_sound():
    spoken = find_speaker().say("The boy put his foot in the sugar.", Voice("en-us"))
    seconds = len(spoken.samples) / 16_000
    names = [name for name, _, _ in spoken.phones]
    assert {viseme for name in names for viseme in of_ipa(name)} >= {"closed", "lip on teeth", "funnel", "mid rounded"}
    pairs = zip(spoken.phones[:-1], spoken.phones[1:], strict=True)
    assert all(before[2] <= after[1] + 1e-6 for before, after in pairs)
    assert all(begin < end <= seconds + 1e-6 for _, begin, end in spoken.phones)
    assert 0.1 < np.abs(spoken.samples).max() <= 1.0


@needs_espeak
def test_an_unknown_voice_is_named():
    with pytest.raises(HMTalkerError, match="no voice 'martian'"):
        find_speaker().say("Hello.", Voice("martian"))


class MadeUpEncoder:
    """Loudness of 20 bands of the spectrum, 50 times a second."""

    id, dimension, rate, sha256 = "made-up", DIMENSION, 50.0, ""

    def encode(self, samples, position=None, **_):
        steps = -(-len(samples) // 320)
        blocks = np.pad(samples, (0, 320 * steps - len(samples))).reshape(steps, 320)
        power = np.abs(np.fft.rfft(blocks, axis=1))[:, 1:161].reshape(steps, DIMENSION, 8).mean(2)
        return np.log(power + 1e-3).astype(np.float32)


@needs_espeak
def test_free_speech_has_the_persons_face(person):
    performance, _, gap = person
    said = [("Sure, the boy puts sugar in.", Voice("en")), ("Schöne Bäume blühen früh.", Voice("de+f2"))]
    free = speak_freely(performance, np.arange(5), MadeUpEncoder(), find_speaker(), said=said)
    for speech, lower, unsaid in zip(free.speech, free.lower, free.unsaid, strict=True):
        assert speech.shape[2] == DIMENSION
        assert len(lower) == len(unsaid) == speech.shape[1] // 2
        assert lower[:, LIPS].max() <= gap[:8].max() + 1e-5
        assert np.delete(lower, LIPS, axis=1) == pytest.approx(0, abs=1e-5)
