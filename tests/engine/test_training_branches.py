# SPDX-License-Identifier: GPL-3.0-or-later
"""Face, mouth and joint stages against pictures of a made-up person whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hmtalker import action_units
from hmtalker.camera import Camera
from hmtalker.errors import CancelledError
from hmtalker.motion.model import MotionConfig
from hmtalker.training import branch_stage, perceptual
from hmtalker.training.dataset import Dataset, Performance, Pictures
from hmtalker.training.densify import GradientStatistics, densify_and_prune
from hmtalker.training.export import build_avatar
from hmtalker.training.motion_stage import SurfaceMotion
from hmtalker.training.parameters import GaussianParameters
from hmtalker.training.presets import SMOKE
from hmtalker.training.scene import Scene
from hmtalker.training.schedules import Curriculum, JointTerms, Pairings, Perceptual
from hmtalker.training.surface import FACE, MOUTH, Surface
from hmtalker.training.targets import Crop, mouth_crop
from hmtalker.training.trainer import Trainer

SIZE = 48
SHORT = replace(
    SMOKE, face=replace(SMOKE.face, iterations=160), mouth=replace(SMOKE.mouth, iterations=80), joint_iterations=60
)
JAW = action_units.CODES.index("AU26")


def grid(region: int, half: float, depth: float, color: tuple[float, float, float]) -> Surface:
    """A square of 16 x 16 samples facing the camera; its only shape drops the lower half by 1 cm."""
    line = np.linspace(-half, half, 16, dtype=np.float32)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    positions = np.stack([x, y, np.full_like(x, depth)], 1)
    if region == FACE:  # a hole where the mouth is
        positions = positions[~((np.abs(positions[:, 0]) < 0.02) & (np.abs(positions[:, 1] + 0.02) < 0.012))]
    count = len(positions)
    deltas = np.zeros((1, count, 3), np.float16)
    deltas[0, positions[:, 1] < -0.02, 1] = -0.010
    return Surface(
        positions,
        np.tile(np.float32([0, 0, 1]), (count, 1)),
        np.full(count, (2 * half / 15) ** 2, np.float32),
        np.full(count, region, np.uint8),
        np.ones(count, np.float32),
        np.tile(np.float32(color), (count, 1)),
        deltas,
        ["open"],
    )


def weights(units, pucker, funnel):
    return units[:, [JAW]] / 5


@pytest.fixture(scope="module")
def person():
    """Surface, and pictures rendered from other colours than the surface's own: the stages must learn them."""
    face, mouth = grid(FACE, 0.06, 0.0, (0.7, 0.5, 0.4)), grid(MOUTH, 0.03, -0.01, (0.4, 0.2, 0.2))
    camera = Camera.in_front(SIZE, SIZE, 0.7, 0.25)
    truth = [grid(FACE, 0.06, 0.0, (0.8, 0.6, 0.5)), grid(MOUTH, 0.03, -0.01, (0.5, 0.1, 0.1))]
    scene, layers = Scene(np.zeros(3), 1), []
    with torch.no_grad():
        for name, surface in zip(("face", "mouth"), truth, strict=True):
            parameters = GaussianParameters.on_surface(surface, 0)
            layers.append(scene.layer(name, parameters, None, np.zeros(6, np.float32), camera))
    front, back = layers
    clear = (1 - front.alpha)[..., None]
    rgb, alpha = front.rgb + clear * back.rgb, front.alpha + clear[..., 0] * back.alpha
    straight = (rgb / alpha.clamp(min=1e-4)[..., None]).clamp(0, 1)
    rgba = (torch.cat([straight, alpha[..., None]], -1).numpy() * 255 + 0.5).astype(np.uint8)
    masks = np.zeros((SIZE, SIZE, 3), np.uint8)
    masks[..., 0] = (clear[..., 0] * back.alpha).numpy() * 255
    frames = 6
    pictures = Pictures(
        np.repeat(rgba[None], frames, 0),
        np.repeat(masks[None], frames, 0),
        np.zeros((frames, 17), np.float32),
        np.zeros((frames, 6), np.float32),
        np.full(frames, -1),
        np.full(frames, -1),
        np.arange(frames) == 5,
        np.tile([4, 4, SIZE - 4, SIZE - 4], (frames, 1)),
        np.arange(frames) % 2 == 0,
    )
    rng = np.random.default_rng(0)
    performance = Performance(
        np.zeros((40, 17), np.float32),
        np.zeros((40, 6), np.float32),
        np.repeat([0, 1], 20),
        np.tile(np.arange(20), 2),
        np.array([True, True]),
        [rng.standard_normal((1, 40, 8)).astype(np.float16) for _ in range(2)],
        np.zeros((40, 2), np.float32),
        np.zeros((40, 0), np.float32),
    )
    return Dataset(camera, np.zeros(3), performance, pictures), SurfaceMotion(face, mouth, weights)


@pytest.fixture(scope="module")
def trained(person, tmp_path_factory):
    dataset, surface = person
    reports: list[tuple[str, int, int, dict]] = []
    trainer = Trainer(
        dataset,
        SHORT,
        surface,
        MotionConfig(feature_dimension=8),
        tmp_path_factory.mktemp("work"),
        1,
        lambda *report: reports.append(report),
    )
    first = difference(dataset, trainer)
    trainer.run()
    return dataset, surface, trainer, first, reports


def difference(dataset: Dataset, trainer: Trainer) -> float:
    """Mean absolute error of the composite against the pictures, over black."""
    scene, pictures = Scene(dataset.pivot, 1), dataset.pictures
    with torch.no_grad():
        front = scene.layer("face", trainer.trained.face, None, pictures.head[0], dataset.camera)
        back = scene.layer("mouth", trainer.trained.mouth, None, pictures.head[0], dataset.camera)
        image = front.rgb + (1 - front.alpha)[..., None] * back.rgb
    rgba = pictures.rgba[0].astype(np.float32) / 255
    return float(np.abs(image.numpy() - rgba[..., :3] * rgba[..., 3:]).mean())


def test_stages_bring_the_render_to_the_pictures(trained):
    dataset, _, trainer, first, _ = trained
    assert difference(dataset, trainer) < 0.6 * first


def test_every_stage_reports_to_its_end(trained):
    *_, reports = trained
    ends = {stage: (iteration, iterations) for stage, iteration, iterations, _ in reports}
    assert list(ends) == list("ASFMJ")
    assert all(iteration == iterations for iteration, iterations in ends.values())


def test_finished_stages_are_loaded_instead_of_trained_again(trained):
    dataset, surface, trainer, _, _ = trained
    again = Trainer(dataset, SHORT, surface, MotionConfig(feature_dimension=8), trainer.work, 1)
    again.run(stages="")
    assert torch.equal(again.trained.face.means, trainer.trained.face.means)
    assert torch.equal(again.trained.mouth.sh, trainer.trained.mouth.sh)


@pytest.mark.parametrize("name", list("ASFMJ"))
def test_a_stopped_run_goes_on_to_the_same_avatar(person, tmp_path, name):
    dataset, surface = person
    quick = replace(SMOKE, motion=replace(SMOKE.motion, iterations=12))

    def trainer(folder: str, cancelled=None) -> Trainer:
        return Trainer(
            dataset, quick, surface, MotionConfig(feature_dimension=8), tmp_path / folder, 1, cancelled=cancelled
        )

    whole = trainer("whole").run()
    halves = trainer("halves")
    before = "ASFMJ"[: "ASFMJ".index(name)]
    halves.run(before)
    asked = iter(range(100))
    halves.cancelled = lambda: next(asked) == 6
    with pytest.raises(CancelledError):
        halves.run(resume=True)
    assert sorted(p.name for p in halves.work.glob("stage_?.pt")) == sorted(f"stage_{s}.pt" for s in before)
    again = trainer("halves").run(resume=True)
    for one, other in ((whole.face, again.face), (whole.mouth, again.mouth), (whole.model, again.model)):
        ours, theirs = one.state_dict(), other.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


LOOKS = Perceptual(patches=0.5, lips=0.1, sides=(32, 40), count=1, start=0.2)
EVERYTHING = replace(
    SMOKE,
    motion=replace(SMOKE.motion, iterations=4),
    speech=replace(SMOKE.speech, iterations=4),
    face=replace(
        SMOKE.face,
        iterations=14,
        motion_from=3,
        grid_rate=1e-3,
        conditions_rate=1e-3,
        audio_rate=1e-3,
        parent_decay=True,
        align=1e-3,
        alpha_regions=1e-3,
        attention_every=1,
        hair_every=3,
        densify_from=2,
        densify_every=4,
        prune_opacity_growth=0.1,
        prune_radius=50.0,
        prune_scale=0.1,
        perceptual=LOOKS,
        curriculum=Curriculum(opening_every=2, blink_every=3),
    ),
    mouth=replace(
        SMOKE.mouth,
        iterations=12,
        motion_from=3,
        grid_rate=1e-3,
        conditions_rate=1e-3,
        align=1e-3,
        polish=0.7,
        perceptual=LOOKS,
        curriculum=Curriculum(widest_first=True, widest_every=2),
    ),
    joint=JointTerms(perceptual=LOOKS),
    pairings=Pairings(0.25, 0.25, 0.25, 0.25),
)
"""Every term and every rate, in a few steps."""


@pytest.fixture
def speaking(person, monkeypatch):
    """The person with a voice to each picture, and a stand-in for LPIPS, whose weights are not everywhere."""
    dataset, surface = person
    pictures = dataset.pictures
    frames = np.arange(pictures.count)
    units = np.random.default_rng(2).uniform(0, 3, (pictures.count, 17)).astype(np.float32)
    masks = pictures.masks.copy()
    masks[:, :12, :, 1] = 255
    heard = replace(pictures, action_units=units, masks=masks, clip_index=frames // 3, frame_in_clip=frames % 3)
    monkeypatch.setattr(perceptual, "find_lpips", lambda: None)
    monkeypatch.setattr(perceptual, "_network", lambda: None)
    monkeypatch.setattr(perceptual, "lpips_distance", lambda a, b: ((a - b) ** 2).mean((1, 2, 3)))
    return replace(dataset, pictures=heard), surface


@pytest.mark.parametrize("name", list("FMJ"))
def test_with_every_term_a_stopped_run_goes_on_to_the_same_avatar(speaking, tmp_path, name):
    dataset, surface = speaking
    said: dict[str, set[str]] = {}

    def note(stage, done, of, losses):
        said.setdefault(stage, set()).update(losses)
        assert all(np.isfinite(value) for value in losses.values())

    def trainer(folder: str) -> Trainer:
        return Trainer(dataset, EVERYTHING, surface, MotionConfig(feature_dimension=8), tmp_path / folder, 1, note)

    whole = trainer("whole").run()
    assert said["F"] >= {"l1", "ssim", "alpha", "align", "lpips"}
    assert said["M"] >= {"align", "lpips"}
    assert said["J"] >= {"lpips"}
    halves = trainer("halves")
    halves.run("ASFMJ"[: "ASFMJ".index(name)])
    asked = iter(range(100))
    halves.cancelled = lambda: next(asked) == 6
    with pytest.raises(CancelledError):
        halves.run(resume=True)
    again = trainer("halves").run(resume=True)
    for one, other in ((whole.face, again.face), (whole.mouth, again.mouth), (whole.model, again.model)):
        ours, theirs = one.state_dict(), other.state_dict()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_what_may_learn_learns_and_the_polish_leaves_all_but_colours(speaking, tmp_path):
    dataset, surface = speaking
    trainer = Trainer(dataset, EVERYTHING, surface, MotionConfig(feature_dimension=8), tmp_path, 1)
    trainer.run("AS")
    before = {name: value.clone() for name, value in trainer.trained.model.state_dict().items()}
    trainer.run("ASF", resume=True)
    changed = {
        name.split(".")[0]
        for name, value in trainer.trained.model.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed >= {"speech", "face_condition", "upper_encoder", "face_field"}
    assert not changed & {"mouth_condition", "mouth_field"}
    stage, iterations = trainer._mouth()
    while not stage.polishing:
        stage.step()
    mouth = trainer.trained.mouth
    earlier = {name: value.clone() for name, value in mouth.state_dict().items()}
    motion = trainer.trained.model.mouth_field.state_dict()["deformation.0.weight"].clone()
    while stage.iteration < iterations:
        stage.step()
    moved = {name for name, value in mouth.state_dict().items() if not torch.equal(value, earlier[name])}
    assert moved == {"sh_dc", "sh_rest"}
    assert torch.equal(trainer.trained.model.mouth_field.state_dict()["deformation.0.weight"], motion)


def test_a_step_whose_loss_is_no_number_changes_nothing(person, tmp_path, monkeypatch):
    dataset, surface = person
    trainer = Trainer(dataset, SMOKE, surface, MotionConfig(feature_dimension=8), tmp_path, 1)
    stage, _ = trainer._face()
    stage.step()
    before = {name: value.clone() for name, value in trainer.trained.face.state_dict().items()}
    real = branch_stage.photometric

    def spoilt(*pictures):
        loss, *rest = real(*pictures)
        return loss * float("nan"), *rest

    monkeypatch.setattr(branch_stage, "photometric", spoilt)
    assert stage.step() == {"skipped": 1.0}
    assert all(torch.equal(value, before[name]) for name, value in trainer.trained.face.state_dict().items())
    monkeypatch.setattr(branch_stage, "photometric", real)
    assert "l1" in stage.step()
    assert stage.iteration == 3
    assert stage.guard.skipped == 1


def test_a_person_who_never_opens_the_mouth_trains(person, tmp_path):
    dataset, surface = person
    pictures = replace(dataset.pictures, masks=np.zeros_like(dataset.pictures.masks))
    trainer = Trainer(replace(dataset, pictures=pictures), SMOKE, surface, MotionConfig(8), tmp_path, 1)
    before = trainer.trained.mouth.sh_dc.detach().clone()
    trainer.run()
    assert trainer.trained.mouth.sh_dc.shape == before.shape


def test_pruning_drops_the_too_large_and_never_everything():
    def pruned(**limits) -> int:
        parameters = GaussianParameters.on_surface(grid(FACE, 0.06, 0.0, (0.5, 0.5, 0.5)), 0)
        optimiser = torch.optim.Adam(parameters.groups(1e-5))
        statistics = GradientStatistics(parameters.count)
        statistics.seen[:] = 1
        statistics.radius[:] = 3.0
        statistics.radius[2] = 30.0
        with torch.no_grad():
            parameters.raw_scales[5] = 0.5
            parameters.raw_opacities[6] = -2.0
        before = parameters.count
        opacity = limits.pop("opacity", 0.05)
        densify_and_prune(parameters, optimiser, statistics, 1e9, opacity, 10_000, torch.Generator(), **limits)
        return before - parameters.count

    assert pruned() == 0
    assert pruned(opacity=0.3) == 1
    assert pruned(largest_radius=20.0) == 1
    assert pruned(largest_scale=0.1) == 1
    assert pruned(largest_radius=20.0, largest_scale=0.1, opacity=0.3) == 3
    assert pruned(largest_scale=1e-9) == 0


def test_trained_person_becomes_an_avatar(trained):
    dataset, _, trainer, _, _ = trained
    header = {
        "name": "Square",
        "licence": "CC0-1.0",
        "attribution": "",
        "consent": {},
        "encoder": {},
        "training": {},
        "metrics": {},
        "thumbnail": "",
    }
    avatar = build_avatar(trainer.trained.model, trainer.trained.face, trainer.trained.mouth, dataset, header)
    assert avatar.face.count == trainer.trained.face.count
    assert len(avatar.header["rest"]["implicit"]) == 32
    assert set(avatar.header["au_statistics"]) == set(action_units.CODES)


def test_densifying_clones_what_pulls_and_drops_the_unseen():
    parameters = GaussianParameters.on_surface(grid(FACE, 0.06, 0.0, (0.5, 0.5, 0.5)), 0)
    optimiser = torch.optim.Adam(parameters.groups(1e-5))
    count = parameters.count
    statistics = GradientStatistics(count)
    statistics.seen[:] = 1
    statistics.seen[7] = 0
    statistics.total[3] = 1.0  # small on the screen: cloned
    statistics.total[4], statistics.radius[4] = 1.0, 50.0  # large: split
    width = torch.nn.functional.softplus(parameters.raw_scales.detach()[4])
    densify_and_prune(parameters, optimiser, statistics, 0.1, 0.01, 10_000, torch.Generator().manual_seed(0))
    assert parameters.count == count - 1 + 2
    assert torch.equal(parameters.means[3], parameters.means[-2])
    assert (torch.nn.functional.softplus(parameters.raw_scales[-1]) < width).all()
    assert all(len(group["params"][0]) == parameters.count for group in optimiser.param_groups)


def test_shut_lips_give_no_mouth_window(person):
    dataset, _ = person
    pictures = dataset.pictures
    assert mouth_crop(pictures, 0, 2) is not None
    shut = Pictures(**{**vars(pictures), "masks": np.zeros_like(pictures.masks)})
    assert mouth_crop(shut, 0, 2) is None


def test_crop_camera_sees_the_same_pixels():
    camera = Camera.in_front(SIZE, SIZE)
    cropped = Crop(10, 6, 40, 38).camera(camera)
    assert (cropped.width, cropped.height) == (30, 32)
    np.testing.assert_allclose(cropped.K[:2, 2], camera.K[:2, 2] - [10, 6])
