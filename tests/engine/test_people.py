# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people: pictures, masks and labels say the same thing."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

from people import expressions, units
from people.background import Background
from people.camera_effects import SRGB_BYTES, CameraEffects
from people.figure import Figure, Look, Part, assemble
from people.person import Lighting, Person, Pose, View
from people.raster import BODY, FACE, HAIR, MOUTH, SKIN
from people.subdivision import subdivide, triangulate
from people.textures import LINEAR, Texture, plain_texture

from hmtalker.capture.curves.arkit_action_units import ARKIT_NAMES
from hmtalker.head_pose import HeadPose

SHARED = Path(os.environ.get("HMTALKER_SHARED", ROOT.parent / "shared")) / "data"
VIEW = View(64, 48, distance=1.0, focal=100.0, offset=(0.0, 0.0))
"""One centimetre in the plane of the eyes is one pixel; the middle of the eyes is at (32, 24)."""
DARK = Lighting(np.zeros((0, 6)), sky=(1.0, 1.0, 1.0), ground=(1.0, 1.0, 1.0))
"""Light from everywhere: colours come out as painted."""


def square(x0: float, y0: float, x1: float, y1: float, z: float = 0.0, look: Look | None = None, **values) -> Part:
    """A square in centimetres that faces the camera."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]]) / 100
    uvs = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], float)
    return Part(corners, np.array([[0, 1, 2], [0, 2, 3]]), uvs, look or Look(plain_texture(1, 1, 1)), **values)


def figure(*parts: Part, lips: tuple[int, int] = (0, 1)) -> Figure:
    return assemble(
        list(parts), MOUTH, pivot=np.array([0, -0.08, -0.08]), eyes=np.array([[-0.03, 0, 0], [0.03, 0, 0]]),
        lips=np.array(lips),
    )  # fmt: skip


def picture(*parts: Part, view: View = VIEW, **pose):
    black = Background("colour", (0.0, 0.0, 0.0))
    return Person(figure(*parts)).render(Pose(view=view, lighting=DARK, background=black, **pose))


def test_coverage_is_the_share_of_the_pixel() -> None:
    r = picture(square(-4, -4, 4.5, 4))
    assert r.alpha.sum() == pytest.approx(8.5 * 8)
    assert (r.alpha[20:28, 28:36] == 1).all()
    assert (r.alpha[20:28, 36] == 0.5).all()
    assert not r.alpha[:20].any()
    assert (r.rgb[20:28, 28:36] == 255).all()


def test_the_nearer_surface_is_seen_and_backs_are_not() -> None:
    red, blue = Look(plain_texture(1, 0, 0)), Look(plain_texture(0, 0, 1))
    for order in ((0, 1), (1, 0)):
        parts = [square(-5, -5, 5, 5, 0, red), square(-2, -2, 2, 2, 1, blue)]
        r = picture(*(parts[i] for i in order))
        assert tuple(r.rgb[24, 32]) == (0, 0, 255)
        assert tuple(r.rgb[24, 28]) == (255, 0, 0)
    back = square(-5, -5, 5, 5)
    back.triangles = back.triangles[:, ::-1]
    assert not picture(back).alpha.any()
    assert picture(replace(back, look=Look(plain_texture(1, 1, 1), two_sided=True))).alpha.any()


def test_texture_lies_as_its_coordinates_say() -> None:
    corners = np.zeros((64, 64, 4), np.uint8)
    corners[..., 3] = 255
    corners[:32, :32, 0] = 255  # red in the upper left
    corners[32:, 32:, 2] = 255  # blue in the lower right
    r = picture(square(-10, -10, 10, 10, 0, Look(Texture(corners))))
    assert tuple(r.rgb[17, 25]) == (255, 0, 0)
    assert tuple(r.rgb[30, 38]) == (0, 0, 255)
    assert not r.rgb[17, 38].any()


def test_cards_are_blended_in_front_of_what_is_opaque() -> None:
    half = np.full((8, 8, 4), 255, np.uint8)
    half[..., 3] = 128
    card = Look(Texture(half), HAIR, card=True)
    part = 128 / 255
    r = picture(square(-5, -5, 0, 5), square(-5, -5, 5, 5, 1, card), square(-5, -5, 5, 0, 2, card))
    assert r.hair[21, 30] == pytest.approx(part, abs=1e-5)
    assert r.face[21, 30] == pytest.approx(1 - part, abs=1e-5)
    assert r.hair[26, 35] == pytest.approx(1 - (1 - part) ** 2, abs=1e-5)
    assert r.alpha[26, 35] == pytest.approx(1 - (1 - part) ** 2, abs=1e-5)
    hidden = picture(square(-5, -5, 5, 5, 2), square(-5, -5, 5, 5, 1, card))
    assert not hidden.hair.any()
    brow = picture(square(-5, -5, 5, 5), square(-5, -5, 5, 5, 1, replace(card, counts_as=FACE)))
    assert brow.face[24, 32] == pytest.approx(1, abs=1e-5)


def test_masks_sum_to_alpha() -> None:
    white = plain_texture(1, 1, 1)
    parts = [square(-9 + 4 * i, -5, -5.2 + 4 * i, 5.3, 0, Look(white, c)) for i, c in enumerate((FACE, MOUTH, BODY))]
    parts.append(square(2.6, -5, 9, 5, 0, Look(white, SKIN), face_weight=np.array([0.0, 0, 1, 1])))
    r = picture(*parts)
    total = r.face + r.hair + r.mouth + r.body
    np.testing.assert_allclose(total, r.alpha, atol=1e-6)
    assert (r.face.sum(), r.mouth.sum(), r.body.sum()) > (40, 38, 60)
    assert r.face[21, 38] == 1  # above the middle of the skin, where its face weight is over a half
    assert r.body[27, 38] == 1


def test_pose_labels_project_to_where_things_are_seen() -> None:
    rng = np.random.default_rng(2)
    for _ in range(5):
        at = rng.uniform(-5, 5, 3)
        angles, shift = rng.uniform(-0.4, 0.4, 3), rng.uniform(-0.03, 0.03, 3)
        view = View(256, 200, distance=0.9, focal=500.0, offset=(0.01, -0.02))
        dot = square(at[0] - 0.4, at[1] - 0.4, at[0] + 0.4, at[1] + 0.4, at[2])
        r = picture(dot, view=view, head=HeadPose(tuple(angles), tuple(shift)))
        y, x = (np.indices(r.alpha.shape) + 0.5) * r.alpha / r.alpha.sum()
        seen = r.rotation @ (at / 100) + r.translation
        expected = r.intrinsics @ [seen[0] / -seen[2], -seen[1] / -seen[2], 1]
        # 0.8 cm are 4.4 pixels, sampled at 2 x 2 points: the middle is found to about a tenth of a pixel
        assert (x.sum(), y.sum()) == pytest.approx(tuple(expected[:2]), abs=0.25)


def test_only_the_head_follows_the_head() -> None:
    turned = HeadPose((0.0, 0.0, 0.0), (0.05, 0.0, 0.0))
    still = picture(square(-5, -5, 5, 5, head_weight=np.zeros(4)), head=turned)
    half = picture(square(-5, -5, 5, 5, head_weight=np.full(4, 0.5)), head=turned)
    assert still.alpha[24, 27:37].all()
    assert not still.alpha[24, 37]
    assert half.alpha[24, 38] == 1
    assert half.alpha[24, 39] == 0.5


def test_expressions_move_points() -> None:
    deltas = np.zeros((52, 4, 3), np.float32)
    deltas[ARKIT_NAMES.index("jawOpen"), :, 1] = -0.05
    weights = np.zeros(52)
    weights[ARKIT_NAMES.index("jawOpen")] = 1
    r = picture(square(-5, -5, 5, 5, deltas=deltas), arkit=weights)
    assert r.alpha[25:34, 32].all()
    assert not r.alpha[:24].any()


def test_motion_blur_keeps_the_area_and_spreads_the_edge() -> None:
    black = Background("colour", (0.0, 0.0, 0.0))
    person, sharp = Person(figure(square(-5, -5, 5, 5))), Pose(view=VIEW, lighting=DARK, background=black)
    later = replace(sharp, head=HeadPose((0, 0, 0), (0.03, 0, 0)))
    blurred = person.render(sharp, later, blur_steps=7)
    assert blurred.alpha.sum() == pytest.approx(person.render(sharp).alpha.sum(), rel=1e-5)
    assert 0.4 < blurred.alpha[24, 36] < 1
    assert 0 < blurred.alpha[24, 38] < 0.5


def test_what_is_behind_the_camera_or_outside_is_left_out() -> None:
    assert not picture(square(-5, -5, 5, 5, 120)).alpha.any()
    assert not picture(square(500, -5, 505, 5)).alpha.any()
    assert not picture(square(-5, -5, 5, 5, -1e9)).alpha.any()


def test_picture_is_the_foreground_over_the_background() -> None:
    grey = Background("colour", (0.25, 0.25, 0.25))
    person = Person(figure(square(-5, -5, 4.5, 5)))
    r = person.render(Pose(view=VIEW, lighting=DARK, background=grey))
    expected = r.foreground + (1 - r.alpha)[..., None] * grey.linear(64, 48)
    np.testing.assert_array_equal(r.rgb, SRGB_BYTES[np.round(expected * 4095).astype(int)])
    with pytest.raises(ValueError, match="no background 'sea'"):
        Background("sea").linear(8, 8)


def test_srgb_goes_there_and_back() -> None:
    codes = np.arange(256)
    np.testing.assert_array_equal(SRGB_BYTES[np.round(LINEAR * 4095).astype(int)][13:], codes[13:])


def test_noise_is_the_same_for_the_same_seed() -> None:
    light = np.full((40, 40, 3), 0.2, np.float32)
    noisy = CameraEffects(shot=0.02, read=0.005, seed=3)
    np.testing.assert_array_equal(noisy.apply(light), noisy.apply(light))
    assert (noisy.apply(light) != replace(noisy, seed=4).apply(light)).any()
    assert noisy.apply(light).std() > 0
    assert CameraEffects().apply(light).std() == 0
    assert CameraEffects(jpeg=50, chroma_half=True, blur=1, gamma=1.1).apply(light).shape == (40, 40, 3)


def test_subdivision_keeps_flat_things_flat_and_sums_to_one() -> None:
    x, y = np.meshgrid(np.arange(4.0), np.arange(3.0))
    points = np.stack([x.ravel(), y.ravel(), 0.5 * x.ravel()], 1)
    at = np.arange(12).reshape(3, 4)
    quads = np.stack([at[:-1, :-1], at[:-1, 1:], at[1:, 1:], at[1:, :-1]], -1).reshape(-1, 4)
    s = subdivide(quads, points[quads][..., :2], 12)
    np.testing.assert_allclose(s.matrix.sum(1), 1, atol=1e-6)
    moved = s.matrix @ points
    np.testing.assert_allclose(moved[:, 2], 0.5 * moved[:, 0], atol=1e-6)
    triangles, uvs = triangulate(s.quads, s.uvs)
    a, b = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    assert (0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])).sum() == pytest.approx(6)
    assert len(triangles) == 2 * 4 * len(quads)


def mouth() -> Figure:
    """Two squares for lips, 1 mm apart, that some shapes part or close."""
    part = square(-2, -6, 2, -5)
    part.points = np.array([[0, -0.050, 0], [0, -0.051, 0], [0.01, -0.05, 0], [0.01, -0.06, 0]])
    deltas = np.zeros((52, 4, 3), np.float32)
    for name, gap in (("jawOpen", 0.034), ("mouthClose", -0.036), ("mouthPress", -0.0007), ("mouthRoll", -0.003),
                      ("mouthLowerDown", 0.002), ("mouthUpperUp", 0.0025), ("mouthFunnel", 0.012)):  # fmt: skip
        for index, arkit in enumerate(ARKIT_NAMES):
            if arkit.startswith(name):
                deltas[index, 1, 1] = -gap
    return figure(replace(part, deltas=deltas))


def test_only_au25_parts_the_lips() -> None:
    lips = mouth()
    for others in ({}, {"AU26": 4}, {"AU22": 5}, {"AU10": 5, "AU26": 2}):
        for part in (0, 1, 2.5, 5):
            label = units.labels(AU25=part, **others)
            gap = units.lip_gap(units.to_arkit(label, lips), lips)
            assert gap == pytest.approx(units.wanted_gap(part / 5, others.get("AU26", 0) / 5), abs=1e-9)
    pressed = units.lip_gap(units.to_arkit(units.labels(AU28=5), lips), lips)
    assert pressed < 0


def test_sides_are_shown_on_their_side() -> None:
    smile = units.to_arkit(units.labels(AU12=(4, 1)), mouth())
    left, right = (smile[ARKIT_NAMES.index(f"mouthSmile{side}")] for side in ("Left", "Right"))
    assert left == pytest.approx(4 * right)
    shut = units.to_arkit(units.labels(AU45=2, AU05=5), mouth())
    assert shut[ARKIT_NAMES.index("eyeBlinkLeft")] == pytest.approx(1)
    assert shut[ARKIT_NAMES.index("eyeWideRight")] == pytest.approx(0)
    assert units.labels(AU45=9).sides.max() == 2
    assert units.labels(AU02=(4, 2)).action_units[1] == 3
    with pytest.raises(ValueError, match="no unit 'AU99'"):
        units.labels(AU99=1)


def test_random_expressions_are_faces_that_can_be() -> None:
    rng = np.random.default_rng(0)
    drawn = np.stack([expressions.random_units(rng).sides for _ in range(1500)])
    assert (drawn >= 0).all()
    assert (drawn <= units.CEILING[:, None]).all()
    single = ~np.isin(units.UNITS, units.SIDED)
    np.testing.assert_array_equal(drawn[:, single, 0], drawn[:, single, 1])
    mean = drawn.mean(2)
    at = units.UNITS.index
    assert not ((mean[:, at("AU26")] > 0) & (mean[:, at("AU27")] > 0)).any()
    rest = (mean.max(1) < 0.8 + 0.3).mean()
    assert 0.2 < rest < 0.4
    assert ((mean > 1).sum(0) > 15).all()  # every unit is seen
    assert (np.abs(drawn[..., 0] - drawn[..., 1]) > 1).any(1).mean() > 0.03
    with pytest.raises(ValueError, match="no kind of expression"):
        expressions.random_units(rng, "asleep")


@pytest.fixture(scope="module", params=["makehuman", "ict"])
def person(request: pytest.FixtureRequest) -> Person:
    from people.render_set import FOLDERS, random_person

    if not (SHARED / FOLDERS[request.param]).is_dir():
        pytest.skip(f"{SHARED / FOLDERS[request.param]} is not here; HMTALKER_SHARED says where the data is")
    return random_person(request.param, 100, SHARED)


def still(person: Person, yaw: float = 0.0, **labels: float):
    weights = units.to_arkit(units.labels(**labels), person.figure)
    view = View(300, 300, distance=0.8, focal=800.0)
    return person.render(Pose(arkit=weights, head=HeadPose((0.0, np.radians(yaw), 0.0)), view=view))


def test_people_show_their_mouths_only_where_lips_part(person: Person) -> None:
    shares = [(r := still(person, AU25=part)).mouth.sum() / r.face.sum() for part in (0, 1.5, 3)]
    assert shares[0] < 0.001 < shares[1] < shares[2] < 0.05
    rest = still(person)
    np.testing.assert_allclose(rest.face + rest.hair + rest.mouth + rest.body, rest.alpha, atol=1e-5)
    assert rest.alpha.max() <= 1
    assert 0.053 < rest.eye_distance < 0.073


def test_people_are_found_by_the_face_tracker(person: Person) -> None:
    from hmtalker.capture.face.blendshape_names import BLENDSHAPES
    from hmtalker.capture.face.face_landmarks import FaceTracker
    from hmtalker.capture.face.face_networks import find_networks, load_networks
    from hmtalker.errors import HMTalkerError

    try:
        tracker = FaceTracker(load_networks(find_networks()))
    except HMTalkerError as error:
        pytest.skip(str(error))
    blinks = [BLENDSHAPES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    found = {}
    for yaw, shut in ((0, 0), (20, 0), (-20, 0), (0, 2)):
        r = still(person, yaw, AU45=shut)
        tracker.reset()
        face = tracker.track(r.rgb)
        assert face is not None, (yaw, shut)
        assert face.presence > 0.9
        found[yaw, shut] = face.blendshapes[blinks].mean()
        if shut:
            continue
        seen = r.eyes @ r.rotation.T + r.translation
        iris = seen + r.rotation @ [0, 0, 0.011]  # the pupil is before the eyeball's middle
        expected = np.stack([150 + 800 * iris[:, 0] / -iris[:, 2], 150 - 800 * iris[:, 1] / -iris[:, 2]], 1) - 0.5
        assert np.abs(face.landmarks[[468, 473], :2] - expected).max() < 3, yaw  # of 62 between the eyes
    assert found[0, 0] < 0.25
    assert found[0, 2] > 0.4
