# SPDX-License-Identifier: GPL-3.0-or-later
"""Each loss says what it should, on pictures of a few pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker.camera import Camera
from hmtalker.motion.config import GridShape, MotionConfig
from hmtalker.motion.fields import FaceField
from hmtalker.training.attention_losses import attention_error, attention_picture
from hmtalker.training.composed import composed
from hmtalker.training.descent import descend
from hmtalker.training.field_rows import FieldRows
from hmtalker.training.lips_rectangle import lips_rectangle
from hmtalker.training.losses import alpha_terms, delta_terms, motion_factor, region_mean, sees_hair
from hmtalker.training.parameters import GaussianParameters
from hmtalker.training.perceptual import PerceptualLoss, at_least
from hmtalker.training.scene import Scene
from hmtalker.training.schedules import BranchSchedule, Perceptual
from hmtalker.training.step_guard import MOST_IN_A_ROW, StepGuard, TrainingError
from hmtalker.training.surface import FACE, Surface
from hmtalker.training.targets import Crop

PLAIN = BranchSchedule(alpha=0.0, delta_mean=0.0, delta_rotation=0.0, delta_scale=0.0)


def square(image, truth):
    """A distance that can be checked by hand."""
    return ((image - truth) ** 2).mean((1, 2, 3))


def test_each_delta_has_its_own_weight():
    offsets = torch.cat([torch.full((5, 3), -1.0), torch.full((5, 4), 2.0), torch.full((5, 3), 3.0)], 1)
    assert delta_terms(offsets, replace(PLAIN, delta_mean=0.5)).item() == pytest.approx(0.5)
    assert delta_terms(offsets, replace(PLAIN, delta_rotation=0.5)).item() == pytest.approx(1.0)
    assert delta_terms(offsets, replace(PLAIN, delta_scale=0.5)).item() == pytest.approx(1.5)
    assert delta_terms(offsets[:, :3], replace(PLAIN, delta_mean=1.0, delta_scale=9.0)).item() == pytest.approx(1.0)


def test_alpha_regions_count_what_is_missing_and_what_is_too_much():
    target = torch.zeros(4, 4)
    target[0] = 1  # 4 pixels of 16
    alpha = torch.full((4, 4), 0.25)
    term, error = alpha_terms(alpha, target, replace(PLAIN, alpha_regions=1.0))
    assert term.item() == pytest.approx(0.75 + 0.25)
    assert error.item() == pytest.approx((4 * 0.75 + 12 * 0.25) / 16)
    term, _ = alpha_terms(alpha, target, replace(PLAIN, alpha=2.0))
    assert term.item() == pytest.approx(2 * error.item())


def test_an_empty_region_has_no_mean_instead_of_none_at_all():
    values = torch.ones(3, 3, requires_grad=True)
    mean = region_mean(values, torch.zeros(3, 3))
    mean.backward()
    assert mean.item() == 0.0
    assert torch.equal(values.grad, torch.zeros(3, 3))


@pytest.mark.parametrize("behind", [(3,), (5, 7, 3)], ids=["colour", "picture"])
def test_a_layer_over_a_background_and_its_gradients_are_those_of_plain_torch(behind):
    made = torch.Generator().manual_seed(0)
    rgb, alpha, hair = (torch.rand(5, 7, *more, generator=made) for more in ((3,), (), ()))
    colour, weight = torch.rand(behind, generator=made), torch.rand(5, 7, 3, generator=made)

    def plain(rgb, alpha, hidden):
        image = rgb + (1 - alpha)[..., None] * colour
        return image if hidden is None else image * (1 - hidden)[..., None] + colour * hidden[..., None]

    for hidden in (None, hair):
        found = []
        for way in (lambda *layer: composed(layer[0], layer[1], colour, layer[2]), plain):
            learning = [rgb.clone().requires_grad_(), alpha.clone().requires_grad_()]
            image = way(*learning, hidden)
            (weight * image).sum().backward()
            found.append([image.detach(), *(tensor.grad for tensor in learning)])
        for here, there in zip(*found, strict=True):
            torch.testing.assert_close(here, there)
        torch.testing.assert_close(composed(rgb, alpha, colour, hidden), found[1][0])


def test_what_is_hidden_teaches_nothing():
    image, alpha = torch.rand(4, 4, 3, requires_grad=True), torch.rand(4, 4, requires_grad=True)
    hidden, colour = torch.zeros(4, 4), torch.tensor([0.0, 1.0, 0.0])
    hidden[:2] = 1
    here = composed(image, alpha, colour, hidden)
    truth = composed(torch.rand(4, 4, 3), torch.rand(4, 4), colour, hidden)
    assert torch.equal(here[:2], truth[:2])
    (here - truth).abs().sum().backward()
    for learning in (image, alpha):
        assert torch.count_nonzero(learning.grad[:2]) == 0
        assert torch.count_nonzero(learning.grad[2:]) > 0


def test_hair_is_seen_in_one_of_seven_steps_while_motion_learns():
    schedule = BranchSchedule(iterations=1000, motion_from=100, hair_every=7, hair_until=0.9)
    seen = np.array([sees_hair(schedule, iteration) for iteration in range(1000)])
    assert seen[:101].all()
    assert seen[900:].all()
    assert seen[101:900].mean() == pytest.approx(1 / 7, abs=0.01)
    assert all(sees_hair(replace(schedule, hair_every=1), iteration) for iteration in range(1000))


def test_rates_of_motion_go_as_in_the_parent():
    schedule = BranchSchedule(iterations=50_000, parent_decay=True)
    factors = [motion_factor(schedule, i) for i in (0, 20_000, 39_999, 40_000, 50_000)]
    assert factors == pytest.approx([1.0, 0.7071, 0.5, 0.1585, 0.1], abs=1e-4)
    assert motion_factor(BranchSchedule(iterations=100), 50) == pytest.approx(0.1**0.5)


def test_patches_and_lips_are_weighed_apart():
    image, truth, shown = torch.ones(64, 64, 3), torch.zeros(64, 64, 3), torch.ones(64, 64)
    lips, rng = Crop(16, 16, 48, 48), np.random.default_rng(0)
    patches = PerceptualLoss(Perceptual(patches=0.5, sides=(32, 32)), 100, square)
    assert patches(image, truth, shown, lips, rng).item() == pytest.approx(0.5)
    mouth = PerceptualLoss(Perceptual(lips=0.01), 100, square)
    assert mouth(image, truth, shown, lips, rng).item() == pytest.approx(0.01)
    both = PerceptualLoss(Perceptual(patches=0.5, lips=0.01, sides=(64, 64)), 100, square)
    # the whole picture is one patch, a quarter of which the lips leave blank
    assert both(image, truth, shown, lips, rng).item() == pytest.approx(0.01 + 0.5 * 0.75)


def test_patches_come_late_and_only_where_the_person_is():
    terms = Perceptual(patches=1.0, sides=(32, 42), start=0.5)
    loss = PerceptualLoss(terms, 100, square)
    assert [loss.due(i) for i in (0, 49, 50, 99)] == [False, False, True, True]
    picture = torch.rand(128, 128, 3)
    assert loss(picture, 1 - picture, torch.zeros(128, 128), None, np.random.default_rng(0)).item() == 0.0
    seen = []

    def note(image, truth):
        seen.append(image.shape)
        return square(image, truth)

    for seed in range(40):
        PerceptualLoss(terms, 100, note)(picture, picture, torch.ones(128, 128), None, np.random.default_rng(seed))
    assert {shape[2] for shape in seen} == {32, 34, 36, 38, 40, 42}
    assert max(shape[0] for shape in seen) == terms.count
    assert all(shape[2] == shape[3] for shape in seen)


def test_a_picture_too_small_for_the_network_has_no_term():
    loss = PerceptualLoss(Perceptual(patches=1.0, lips=1.0), 10, square)
    tiny = torch.rand(20, 40, 3)
    assert loss(tiny, 1 - tiny, torch.ones(20, 40), Crop(0, 0, 5, 5), np.random.default_rng(0)).item() == 0.0


def test_a_small_lips_window_grows_inside_the_picture():
    assert at_least(Crop(60, 0, 64, 4), 64, 64) == Crop(32, 0, 64, 32)
    assert at_least(Crop(10, 10, 50, 20), 64, 64) == Crop(10, 0, 50, 32)
    assert at_least(Crop(0, 0, 5, 5), 64, 31) is None


def test_lips_lie_where_the_mouth_box_is_seen():
    camera = Camera.in_front(100, 100, 0.7, 0.25)
    config = MotionConfig(mouth_center=(0.01, -0.02, 0.0), mouth_half_extent=(0.02, 0.01, 0.002))
    crop = lips_rectangle(config, np.zeros(3), np.zeros(6), camera)
    focal = camera.K[0, 0]
    assert (crop.left + crop.right) / 2 == pytest.approx(camera.K[0, 2] + focal * 0.01 / 0.7, abs=1.0)
    assert (crop.top + crop.bottom) / 2 == pytest.approx(camera.K[1, 2] + focal * 0.02 / 0.7, abs=1.0)
    assert crop.right - crop.left == pytest.approx(focal * 0.04 / 0.7, abs=2.5)
    moved = lips_rectangle(config, np.zeros(3), np.array([0, 0, 0, 0.03, 0, 0]), camera)
    assert moved.left > crop.left + 5
    assert lips_rectangle(config, np.zeros(3), np.array([0, 0, 0, 5.0, 0, 0]), camera) is None


@pytest.fixture(scope="module")
def listening():
    """A square of Gaussians, a field whose attention can be drawn, and the camera."""
    torch.manual_seed(0)
    line = np.linspace(-0.05, 0.05, 12, dtype=np.float32)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    count = len(x)
    surface = Surface(
        np.stack([x, y, np.zeros_like(x)], 1),
        np.tile(np.float32([0, 0, 1]), (count, 1)),
        np.full(count, 1e-4, np.float32),
        np.full(count, FACE, np.uint8),
        np.ones(count, np.float32),
        np.full((count, 3), 0.5, np.float32),
        np.zeros((1, count, 3), np.float16),
        ["none"],
    )
    parameters = GaussianParameters.on_surface(surface, 0)
    field = FaceField(GridShape(16.0, 38.4), (0.0, 0.0, 0.0), (0.15, 0.15, 0.15))
    with torch.no_grad():
        field.encoding.grid.normal_()
    return parameters, field, Camera.in_front(64, 64, 0.7, 0.25)


def test_attention_is_drawn_and_learns_alone(listening):
    parameters, field, camera = listening
    scene = Scene(np.zeros(3), 1)
    layer = scene.layer("face", parameters, torch.zeros(parameters.count, 10), np.zeros(6, np.float32), camera)
    rows = FieldRows(field, scene.threads)
    rows.encode(parameters.means)
    _, lengths = rows.offsets_and_attention(None, torch.zeros(32), torch.zeros(32))
    picture = attention_picture(scene, layer, lengths, camera)
    assert picture.shape == (16, 16, 2)
    middle = picture[6:10, 6:10].mean((0, 1))
    assert torch.allclose(middle, lengths.mean(0)[:2], rtol=0.35)
    hair = torch.zeros(64, 64)
    hair[:20] = 1
    attention_error(picture, Crop(16, 32, 48, 56), hair, 1.0, 1.0).backward()
    for attention in (field.lower_attention, field.upper_attention):
        assert all(parameter.grad.abs().sum() > 0 for parameter in attention.parameters())
    assert all(parameter.grad is None for parameter in (*parameters.parameters(), field.encoding.grid))


def test_attention_counts_the_upper_on_lips_and_both_on_hair():
    picture = torch.zeros(16, 16, 2)
    picture[8:12, 4:12, 1] = 3.0
    picture[..., 0] = 1.0
    lips, hair = Crop(16, 32, 48, 48), torch.zeros(64, 64)
    hair[:16] = 1
    assert attention_error(picture, lips, None, 1.0, 1.0).item() == pytest.approx(3.0)
    assert attention_error(picture, None, hair, 1.0, 2.0).item() == pytest.approx(2.0)
    assert attention_error(picture, None, None, 1.0, 1.0).item() == 0.0


def test_a_field_without_attention_listens_everywhere_in_its_box_and_nowhere_else():
    torch.manual_seed(0)
    field = FaceField(GridShape(16.0, 38.4), (0.0, 0.0, 0.0), (0.1, 0.1, 0.1), attentive=False)
    lower, upper = field.attention(torch.tensor([[0.0, 0.02, 0.01], [0.5, 0.0, 0.0]]))
    assert torch.equal(lower[0], torch.ones(32))
    assert torch.equal(upper[1], torch.zeros(32))


def test_steps_that_are_no_number_are_left_out():
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.AdamW([weight], lr=0.1)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.1, total_steps=100)
    guard = StepGuard()
    assert descend({"a": (weight * float("nan")).sum()}, [weight], optimiser, scheduler, guard) == {"skipped": 1.0}
    assert torch.equal(weight.detach(), torch.ones(2))
    # a finite loss with an infinite gradient
    root = (weight * 0).sum().sqrt()
    assert descend({"a": root}, [weight], optimiser, scheduler, guard) == {"skipped": 1.0}
    assert guard.skipped == guard.in_a_row == 2
    assert descend({"a": weight.sum()}, [weight], optimiser, scheduler, guard) == {"a": pytest.approx(2.0)}
    assert (weight < 1).all()
    assert (guard.skipped, guard.in_a_row) == (2, 0)


def test_too_many_lost_steps_end_the_training():
    guard, lost = StepGuard(), torch.tensor(float("inf"))
    for _ in range(MOST_IN_A_ROW - 1):
        assert not guard.allows(lost, [])
    with pytest.raises(TrainingError, match="20 steps in a row"):
        guard.allows(lost, [])
