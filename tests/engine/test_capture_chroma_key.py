# SPDX-License-Identifier: GPL-3.0-or-later
"""Keying a person who is drawn here, so that the alpha and the colours are known exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

cv2 = pytest.importorskip("cv2")

from hmtalker.capture.errors import CaptureError
from hmtalker.capture.matte.background_plate import background_plate
from hmtalker.capture.matte.chroma_key import key
from hmtalker.capture.matte.despill import Glow, without_glow
from hmtalker.capture.matte.screen_model import ScreenModel, examine_screen, screen_pixels, ycrcb

BLUE, CYAN, GREEN = (45, 95, 215), (45, 175, 225), (60, 185, 75)
SKIN, HAIR, TEAL, GREY = (205, 150, 125), (60, 42, 32), (62, 105, 128), (110, 110, 112)
HEIGHT, WIDTH = 180, 240


@dataclass
class Scene:
    frames: list[np.ndarray]
    alphas: list[np.ndarray]
    colours: list[np.ndarray]
    screen: np.ndarray


def lit_screen(colour: tuple[int, int, int], height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return (np.array(colour) / 255 * (1.12 - 0.3 * x - 0.15 * y)[..., None]).clip(0, 1).astype(np.float32)


def person(shift: float, shirt: tuple[int, int, int], height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Straight colours [H,W,3] and alpha [H,W], drawn four times as large and averaged: soft edges and fine hair."""
    big = 4
    alpha = np.zeros((height * big, width * big), np.float32)
    colour = np.full((height * big, width * big, 3), HAIR, np.float32)

    def ellipse(centre: tuple[float, float], axes: tuple[float, float], paint: tuple[int, int, int]) -> None:
        place = (round((centre[0] * width + shift) * big), round(centre[1] * height * big))
        size = (round(axes[0] * height * big), round(axes[1] * height * big))
        cv2.ellipse(alpha, place, size, 0, 0, 360, 1.0, -1)
        cv2.ellipse(colour, place, size, 0, 0, 360, paint, -1)

    ellipse((0.5, 1.08), (0.5, 0.36), shirt)
    ellipse((0.5, 0.44), (0.24, 0.29), HAIR)
    rng = np.random.default_rng(3)
    for angle in rng.uniform(np.pi * 1.05, np.pi * 1.95, 40):  # hair that stands off, half a pixel to a pixel wide
        root = np.array([0.5 * width + shift + 0.2 * height * np.cos(angle), height * (0.44 + 0.25 * np.sin(angle))])
        tip = root + height * 0.09 * np.array([np.cos(angle), np.sin(angle)])
        ends = [tuple((point * big).round().astype(int).tolist()) for point in (root, tip)]
        cv2.line(alpha, ends[0], ends[1], 1.0, int(rng.integers(2, 5)))
    ellipse((0.5, 0.5), (0.18, 0.24), SKIN)
    covered = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    premultiplied = cv2.resize(colour * alpha[..., None], (width, height), interpolation=cv2.INTER_AREA)
    return premultiplied / np.maximum(covered, 1e-6)[..., None] / 255, covered


def coded(picture: np.ndarray, seed: int, noise: float = 0.008) -> np.ndarray:
    """Sensor noise, then a JPEG with chroma at half resolution."""
    noisy = picture + np.random.default_rng(seed).normal(0, noise, picture.shape)
    bgr = np.ascontiguousarray((noisy.clip(0, 1) * 255).round().astype(np.uint8)[..., ::-1])
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x221111]
    return np.ascontiguousarray(cv2.imdecode(cv2.imencode(".jpg", bgr, options)[1], cv2.IMREAD_COLOR)[..., ::-1])


def make(
    colour: tuple[int, int, int] = BLUE, shirt: tuple[int, int, int] = TEAL, height: int = HEIGHT, width: int = WIDTH
) -> Scene:
    screen = lit_screen(colour, height, width)
    people = [person(shift, shirt, height, width) for shift in (-9, -3, 0, 4, 10)]
    alphas = [alpha for _, alpha in people]
    pictures = [rgb * alpha[..., None] + (1 - alpha[..., None]) * screen for rgb, alpha in people]
    frames = [coded(picture, seed) for seed, picture in enumerate(pictures)]
    return Scene(frames, alphas, [rgb for rgb, _ in people], screen)


@pytest.fixture(scope="module")
def blue() -> Scene:
    return make()


@pytest.fixture(scope="module")
def blue_screen(blue: Scene) -> ScreenModel:
    return ScreenModel.fit(blue.frames)


@pytest.mark.parametrize("colour", [BLUE, CYAN, GREEN])
def test_alpha_is_near_the_exact_one_on_every_screen(colour: tuple[int, int, int]) -> None:
    scene = make(colour)
    screen = ScreenModel.fit(scene.frames)
    for frame, exact in zip(scene.frames[1:4], scene.alphas[1:4], strict=True):
        alpha = key(frame, screen).alpha
        assert alpha.dtype == np.float32
        assert alpha.shape == exact.shape
        assert alpha.min() >= 0
        assert alpha.max() <= 1
        assert np.abs(alpha - exact).mean() < 0.012
        both, either = ((alpha > 0.5) & (exact > 0.5)).sum(), ((alpha > 0.5) | (exact > 0.5)).sum()
        assert both / either > 0.97  # the fine hair is thinner than a chroma sample


@pytest.mark.parametrize(
    ("colour", "video", "most", "least"),
    [
        (BLUE, False, 0.13, 0.97),
        (GREEN, False, 0.15, 0.97),
        (GREEN, True, 0.16, 0.7),
        (CYAN, True, 0.16, 0.7),
        # Dark hair on deep blue differs little in luma, and these hairs are thinner than a chroma sample.
        (BLUE, True, 0.23, 0.45),
    ],
)
def test_hair_edge_is_soft_and_close(colour: tuple[int, int, int], video: bool, most: float, least: float) -> None:
    scene = make(colour)
    if not video:
        pairs = zip(scene.colours, scene.alphas, strict=True)
        pictures = [rgb * alpha[..., None] + (1 - alpha[..., None]) * scene.screen for rgb, alpha in pairs]
        scene.frames = [(picture.clip(0, 1) * 255).round().astype(np.uint8) for picture in pictures]
    exact, alpha = scene.alphas[2], key(scene.frames[2], ScreenModel.fit(scene.frames)).alpha
    mixed = (exact > 0.1) & (exact < 0.9)
    mixed[HEIGHT // 2 :] = False
    error = np.abs(alpha - exact)[mixed].mean()
    assert error < most
    assert error < 0.6 * np.abs((alpha > 0.5) - exact)[mixed].mean()  # a hard key is much worse
    assert ((alpha > 0.05) & (alpha < 0.95))[mixed].mean() > 0.5
    assert np.corrcoef(alpha[mixed], exact[mixed])[0, 1] > least


def test_open_screen_and_inside_are_clean(blue: Scene, blue_screen: ScreenModel) -> None:
    for frame, exact in zip(blue.frames, blue.alphas, strict=True):
        alpha = key(frame, blue_screen).alpha
        distant = cv2.dilate(exact, np.ones((11, 11))) == 0
        inside = cv2.erode(exact, np.ones((11, 11))) == 1
        assert (alpha[distant] == 0).all()
        assert (alpha[inside] == 1).all()


def test_screen_colour_is_taken_out_of_the_edge(blue: Scene, blue_screen: ScreenModel) -> None:
    frame, exact, matte = blue.frames[2], blue.alphas[2], key(blue.frames[2], blue_screen)
    edge = (exact > 0.3) & (exact < 0.95)
    edge[HEIGHT // 2 :] = False  # hair: dark and brown
    before = frame[edge].astype(float) / 255
    excess = [float((rgb[:, 2] - rgb[:, 0]).mean()) for rgb in (before, matte.foreground[edge] / 255)]
    assert excess[0] > 0.15
    assert excess[1] < 0.03
    assert np.abs(matte.foreground / 255 - blue.colours[2])[edge].mean() < 0.1


def test_an_ear_has_no_magenta_rim_before_a_blue_screen() -> None:
    def bluer(plate: tuple[int, int, int], share: float) -> float:
        """Blue over green at the rim, of 255, beyond what the ear itself has; `share` of the rim."""
        seen, own, behind = (ycrcb(np.array([[colour]], np.uint8)) for colour in ((235, 130, 150), ear, plate))
        left = without_glow(seen, behind, Glow(own[..., 1:], np.full((1, 1), share, np.float32)))
        assert left[..., 0] == seen[..., 0]
        _, green, blue = 255 * cv2.cvtColor(left, cv2.COLOR_YCrCb2RGB)[0, 0]
        return float(blue - green) - (ear[2] - ear[1])

    ear = (225, 140, 120)
    assert bluer(CYAN, 0) == pytest.approx(40, abs=1)  # deep inside nothing is touched
    assert bluer(CYAN, 1) < 7
    assert bluer(GREEN, 1) > 30  # a green screen cannot have made it blue


def test_teal_shirt_keeps_its_colour_and_stays_opaque(blue: Scene, blue_screen: ScreenModel) -> None:
    matte = key(blue.frames[2], blue_screen)
    shirt = (blue.alphas[2] == 1) & (np.abs(blue.colours[2] - np.array(TEAL) / 255).max(-1) < 0.01)
    shirt = cv2.erode(shirt.astype(np.uint8), np.ones((5, 5))) > 0
    assert shirt.sum() > 1000
    assert (matte.alpha[shirt] > 0.97).mean() > 0.99
    assert matte.alpha[shirt].min() > 0.6  # under the chin, where skin is the nearest inside
    assert np.abs(matte.foreground[shirt].mean(0) - TEAL).max() < 6


def test_shirt_edge_is_not_greyed(blue: Scene, blue_screen: ScreenModel) -> None:
    matte, exact = key(blue.frames[2], blue_screen), blue.alphas[2]
    rim = (exact > 0.9) & (cv2.erode(exact, np.ones((7, 7))) < 1)
    rim[: int(HEIGHT * 0.85)] = False
    assert rim.sum() > 30
    assert np.abs(matte.foreground[rim].mean(0) - TEAL).max() < 14


def test_patch_like_the_screen_inside_the_person_is_filled(blue: Scene, blue_screen: ScreenModel) -> None:
    frame = blue.frames[2].copy()
    middle = (slice(160, 172), slice(112, 130))
    frame[middle] = (blue.screen[middle] * 255 * 0.93).astype(np.uint8)
    assert screen_pixels(ycrcb(frame), blue_screen.evidence)[middle].mean() > 0.9
    assert key(frame, blue_screen).alpha[middle].min() > 0.99


def test_specks_on_the_screen_are_removed(blue: Scene, blue_screen: ScreenModel) -> None:
    frame = blue.frames[2].copy()
    frame[20:23, 20:23] = 200
    frame[60:64, 215:217] = (90, 20, 20)
    alpha = key(frame, blue_screen).alpha
    assert alpha[10:40, 10:40].max() == 0
    assert alpha[50:75, 205:230].max() == 0


def test_empty_screen_gives_alpha_zero(blue: Scene, blue_screen: ScreenModel) -> None:
    assert key(coded(blue.screen, 9), blue_screen).alpha.max() == 0
    alone = [coded(blue.screen, seed) for seed in range(3)]
    assert key(alone[0], ScreenModel.fit(alone)).alpha.max() == 0


@pytest.mark.parametrize("gain", [0.85, 1.12])
def test_flicker_of_the_light_does_not_open_the_key(blue: Scene, blue_screen: ScreenModel, gain: float) -> None:
    frame = np.clip(blue.frames[2] * gain, 0, 255).astype(np.uint8)
    alpha = key(frame, blue_screen).alpha
    assert np.abs(alpha - blue.alphas[2]).mean() < 0.015
    assert (alpha[cv2.dilate(blue.alphas[2], np.ones((11, 11))) == 0] == 0).all()


def test_alpha_hardly_flickers_with_noise(blue: Scene, blue_screen: ScreenModel) -> None:
    picture = blue.colours[2] * blue.alphas[2][..., None] + (1 - blue.alphas[2][..., None]) * blue.screen
    first, second = (key(coded(picture, seed), blue_screen).alpha for seed in (50, 51))
    assert np.abs(first - second).mean() < 0.004


def test_keying_twice_is_identical(blue: Scene, blue_screen: ScreenModel) -> None:
    again = ScreenModel.fit(blue.frames)
    assert np.array_equal(again.plate, blue_screen.plate)
    first, second = key(blue.frames[1], blue_screen), key(blue.frames[1], again)
    assert np.array_equal(first.alpha, second.alpha)
    assert np.array_equal(first.foreground, second.foreground)


@pytest.mark.parametrize(("height", "width"), [(121, 163), (97, 64), (65, 200)])
def test_odd_sizes(height: int, width: int) -> None:
    scene = make(GREEN, GREY, height, width)
    matte = key(scene.frames[2], ScreenModel.fit(scene.frames))
    assert matte.alpha.shape == (height, width)
    assert matte.foreground.shape == (height, width, 3)
    assert np.abs(matte.alpha - scene.alphas[2]).mean() < 0.035


def test_repeated_chroma_is_interpolated(blue: Scene) -> None:
    """A decoder that repeats chroma over 2 x 2 pixels costs little."""
    frames = []
    for frame in blue.frames:
        image = cv2.cvtColor(frame, cv2.COLOR_RGB2YCrCb)
        small = cv2.resize(image[..., 1:], (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
        image[..., 1:] = small.repeat(2, 0).repeat(2, 1)
        frames.append(cv2.cvtColor(image, cv2.COLOR_YCrCb2RGB))
    alpha = key(frames[2], ScreenModel.fit(frames)).alpha
    assert np.abs(alpha - blue.alphas[2]).mean() < 0.012


def test_black_lines_at_the_border_are_no_person(blue: Scene) -> None:
    frames = [frame.copy() for frame in blue.frames]
    for frame in frames:
        frame[:2] = 10
        frame[:, -3:] = 5
    screen = ScreenModel.fit(frames)
    assert screen.trim == (2, 0, 0, 3)
    alpha = key(frames[2], screen).alpha
    assert alpha.shape == (HEIGHT, WIDTH)
    assert alpha[:3].max() == 0
    assert alpha[:120, -4:].max() == 0


def test_plate_is_the_screen_where_seen_and_smooth_behind_the_person(blue: Scene, blue_screen: ScreenModel) -> None:
    error = np.abs(blue_screen.plate - blue.screen).max(-1)
    assert error[blue_screen.seen].mean() < 0.012
    assert error[~blue_screen.seen].mean() < 0.08
    assert not blue_screen.seen[int(0.6 * HEIGHT), WIDTH // 2]
    assert blue_screen.confidence > 0.9
    assert blue_screen.evidence.colour == "blue"


def room(kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    picture = np.full((120, 160, 3), 140, np.uint8)
    if kind == "orange":
        picture[:] = (220, 120, 40)
    elif kind == "half":
        picture[:, :50] = BLUE
    elif kind == "leaves":
        light = rng.uniform(0.2, 1, (40, 54, 1)).repeat(3, 0).repeat(3, 1)[:120, :160]
        picture = (np.array(GREEN) * light).astype(np.uint8)
    elif kind == "noise":
        picture = rng.integers(0, 256, (120, 160, 3)).astype(np.uint8)
    return picture


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("grey", "grey|hardly any colour"),
        ("orange", "another colour"),
        ("half", "only .*% of the picture's edge is blue"),
        ("leaves", "patterned"),
        ("noise", "only|another|patterned|hardly"),
    ],
)
def test_a_room_is_not_a_screen(kind: str, why: str) -> None:
    frames = [room(kind)] * 2
    evidence = examine_screen(frames)
    assert evidence.confidence < 0.5
    with pytest.raises(CaptureError, match=why) as caught:
        ScreenModel.fit(frames)
    assert str(caught.value).endswith("person matte.")


def test_bad_input_is_one_sentence(blue: Scene, blue_screen: ScreenModel) -> None:
    with pytest.raises(CaptureError, match="no frames"):
        ScreenModel.fit([])
    with pytest.raises(CaptureError, match="no frames"):
        background_plate([], [])
    with pytest.raises(CaptureError, match="differ in size"):
        ScreenModel.fit([blue.frames[0], blue.frames[0][:-2]])
    with pytest.raises(CaptureError, match="too small"):
        ScreenModel.fit([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(CaptureError, match="size"):
        key(blue.frames[0][:-2], blue_screen)
