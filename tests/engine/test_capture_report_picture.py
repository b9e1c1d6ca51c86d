# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that are dark, white, lit from one side, blurred, grainy or badly framed are told from good ones.

The pictures are of the bundled avatar. Its landmarks are found once: what spoils a picture leaves the face in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from filmed_people import AVATAR
from report_captures import good_capture

from hmtalker.capture.report.findings import findings
from hmtalker.capture.report.picture_facts import COLUMNS, PictureFacts, picture_facts
from hmtalker.errors import HMTalkerError

cv2 = pytest.importorskip("cv2")
SIZE = 384


@dataclass(frozen=True)
class Portrait:
    image: np.ndarray  # uint8 [SIZE,SIZE,3]
    landmarks: np.ndarray  # float32 [478,3]

    @property
    def eyes(self) -> float:
        return float(np.linalg.norm(self.landmarks[263] - self.landmarks[33]))

    def spoilt(self, image: np.ndarray) -> PictureFacts:
        return picture_facts(np.clip(image, 0, 255).astype(np.uint8), self.landmarks)


@pytest.fixture(scope="module")
def portrait() -> Portrait:
    from hmtalker.avatar import load_avatar
    from hmtalker.capture.face.face_landmarks import FaceTracker
    from hmtalker.capture.face.face_networks import find_networks, load_networks
    from hmtalker.motion.state import MotionState
    from hmtalker.render import Renderer

    try:
        tracker = FaceTracker(load_networks(find_networks()))
    except HMTalkerError as error:
        pytest.skip(str(error))
    avatar = load_avatar(AVATAR)
    renderer = Renderer(avatar, threads=1)
    state = MotionState(avatar.rest_action_units, avatar.rest_implicit)
    rgba = renderer.render_srgb8(state, avatar.camera.scaled(SIZE, SIZE)).astype(np.float32)
    renderer.close()
    alpha = rgba[..., 3:] / 255
    image = (rgba[..., :3] * alpha + np.array([90, 110, 120]) * (1 - alpha)).astype(np.uint8)
    face = tracker.track(image)
    assert face is not None
    return Portrait(image, face.landmarks)


def shade(portrait: Portrait, left: float, right: float) -> np.ndarray:
    """The picture with so much of the (coded) brightness left at either side of the nose."""
    nose = portrait.landmarks[4, 0]
    across = np.clip((np.arange(SIZE) - nose) / portrait.eyes + 0.5, 0, 1)
    return portrait.image * (left + (right - left) * across)[None, :, None]


def called(facts: PictureFacts) -> set[str]:
    """What is found in a capture that is otherwise good and has only such pictures."""
    capture = good_capture(20)
    kept = [COLUMNS.index(name) for name in ("lip_gap", "lip_width", "eyes_open")]
    picture = np.tile(np.array(facts, np.float32), (capture.frames, 1))
    picture[:, kept] = capture.picture[:, kept]
    return {finding.key for finding in findings(replace(capture, picture=picture))} - {"short"}


def test_a_good_picture_passes(portrait: Portrait) -> None:
    facts = picture_facts(portrait.image, portrait.landmarks)
    assert np.isfinite(facts).all()
    assert called(facts) == set()
    assert facts.size == pytest.approx(portrait.eyes, rel=1e-6)
    assert facts.light == pytest.approx(0.68, abs=0.06)
    assert facts.lip_gap < 0.03
    assert facts.edge > 0.5


def test_a_dark_picture_is_called_out(portrait: Portrait) -> None:
    assert called(portrait.spoilt(portrait.image * 0.2)) == {"dark"}
    assert called(portrait.spoilt(portrait.image * 0.8)) == set()


def test_an_overexposed_picture_is_called_out(portrait: Portrait) -> None:
    white = portrait.spoilt(portrait.image * 1.8)
    assert white.white > 0.3
    assert "overexposed" in called(white)


@pytest.mark.parametrize(("left", "right"), [(1.0, 0.35), (0.35, 1.0)])
def test_light_from_one_side_is_called_out(left: float, right: float, portrait: Portrait) -> None:
    facts = portrait.spoilt(shade(portrait, left, right))
    assert called(facts) == {"one_sided"}
    assert (facts.light_left > facts.light_right) == (left > right)


def test_light_is_linear(portrait: Portrait) -> None:
    half = portrait.spoilt(portrait.image * 0.5 ** (1 / 2.2))
    whole = picture_facts(portrait.image, portrait.landmarks)
    for name in ("light_left", "light_right"):
        assert getattr(half, name) == pytest.approx(0.5 * getattr(whole, name), rel=0.03)


@pytest.mark.parametrize("share", [0.02, 0.03, 0.05])
def test_blur_is_measured_and_called_out(share: float, portrait: Portrait) -> None:
    sharp = picture_facts(portrait.image, portrait.landmarks)
    blurred = portrait.spoilt(cv2.GaussianBlur(portrait.image, (0, 0), share * portrait.eyes))
    assert called(blurred) == {"blurred"}
    # a Gaussian adds its own width to that of the edges, which lie close together around the eyes
    assert blurred.blur > np.hypot(sharp.blur, 0.8 * share)
    assert blurred.mouth_blur > 1.2 * sharp.mouth_blur


def test_blur_does_not_depend_on_light_grain_and_size(portrait: Portrait) -> None:
    sharp = picture_facts(portrait.image, portrait.landmarks)
    grain = np.random.default_rng(0).normal(0, 6, portrait.image.shape)
    half = np.array([0.5, 0.5, 0])
    larger = cv2.resize(portrait.image, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    landmarks = (portrait.landmarks + half) * 2 - half
    for facts in (
        portrait.spoilt(portrait.image * 0.4),
        portrait.spoilt(portrait.image + grain),
        picture_facts(larger, landmarks),
    ):
        assert facts.blur == pytest.approx(sharp.blur, rel=0.2)


def test_grain_is_measured_and_called_out(portrait: Portrait) -> None:
    dimmed = 0.7 * portrait.image  # so that no noise is clipped
    grain = np.random.default_rng(0).normal(0, 8, portrait.image.shape)
    facts = portrait.spoilt(dimmed + grain)
    assert facts.noise == pytest.approx(8 / 255, rel=0.12)
    assert called(facts) == {"grain"}
    assert picture_facts(portrait.image, portrait.landmarks).noise < 0.006


def test_a_small_face_and_one_at_the_edge_are_called_out(portrait: Portrait) -> None:
    small = cv2.resize(portrait.image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    assert called(picture_facts(small, portrait.landmarks * 0.25)) == {"small"}
    cut = round(float(portrait.landmarks[:, 0].min()) + 0.3 * portrait.eyes)
    facts = picture_facts(portrait.image[:, cut:], portrait.landmarks - np.array([cut, 0, 0]))
    assert facts.edge < -0.2
    assert "edge" in called(facts)


@pytest.mark.parametrize(
    "landmarks",
    [
        None,
        np.full((478, 3), np.nan, np.float32),
        np.zeros((478, 3), np.float32),
        np.full((478, 3), np.inf, np.float32),
        np.random.default_rng(0).normal(size=(478, 3)) * 1e30,
    ],
    ids=["none", "nan", "point", "infinite", "huge"],
)
def test_without_a_face_only_the_surroundings_are_known(landmarks: np.ndarray | None) -> None:
    facts = picture_facts(np.full((40, 60, 3), 128, np.uint8), landmarks)
    assert facts.surround == pytest.approx(128 / 255, abs=0.01)
    assert np.isnan(facts._replace(surround=np.nan)).all()


@pytest.mark.parametrize("away", [(2000.0, 0.0), (-2000.0, -2000.0), (360.0, 0.0), (0.0, 380.0)])
def test_a_face_outside_the_picture_is_no_error(away: tuple[float, float], portrait: Portrait) -> None:
    facts = picture_facts(portrait.image, portrait.landmarks + np.array([*away, 0]))
    assert facts.edge < 0
    assert facts.size == pytest.approx(portrait.eyes, rel=1e-4)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (5, 5)])
def test_tiny_and_flat_pictures_are_no_error(shape: tuple[int, int], portrait: Portrait) -> None:
    facts = picture_facts(np.zeros((*shape, 3), np.uint8), portrait.landmarks)
    assert not facts.blur > 0
    assert not facts.white > 0
