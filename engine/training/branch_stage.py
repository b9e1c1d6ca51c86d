# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages F and M: one branch against the pictures, after arXiv 2508.10566 (Eqs 1, 8, 9) and the 3DGS optimisation.

The face branch learns everything but the inside of the mouth; the mouth branch fills what the face leaves open and is
compared through it.
"""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor

from ..camera import Camera
from ..motion.fusion import Pairing
from ..motion.model import MotionModel
from .attention_losses import attention_error, attention_picture
from .checkpoint import State, generator_state, restore_generator
from .composed import composed
from .curricula import Lesson, PictureDraw
from .dataset import Pictures
from .densify import GradientStatistics, densify_and_prune, opacity_limit
from .field_rows import FieldRows
from .finished_face import FinishedFace
from .frame_conditions import Conditions
from .frame_edge import within_frame
from .lips_rectangle import lips_rectangle
from .losses import alpha_terms, delta_terms, motion_factor, sees_hair
from .motion_optimiser import motion_optimiser
from .pairing_draw import draw_pairing
from .parameters import GaussianParameters, replace_rows
from .perceptual import PerceptualLoss
from .scene import RenderedLayer, Scene, over, random_background
from .schedules import BranchSchedule, Pairings
from .ssim import photometric
from .step_guard import StepGuard
from .targets import Crop, Target, mouth_crop, target_of

MOUTH_MARGIN = 10
"""Pixels around the visible mouth that the mouth branch looks at."""
ENCODING_EVERY = 100
"""Steps after which tables that do not learn are asked again for places that have moved."""
VIDEO_ALONE = Pairings(1.0, 0.0, 0.0, 0.0)


class BranchStage:
    """Trains one set and its motion field. branch: "face", or "mouth" (then `front` is the finished face set)."""

    def __init__(
        self,
        branch: str,
        model: MotionModel,
        parameters: GaussianParameters,
        pictures: Pictures,
        conditions: Conditions,
        scene: Scene,
        camera: Camera,
        schedule: BranchSchedule,
        seed: int = 0,
        front: GaussianParameters | None = None,
        pairings: Pairings = VIDEO_ALONE,
    ) -> None:
        self.branch, self.model, self.parameters, self.pictures = branch, model, parameters, pictures
        self.conditions, self.scene, self.camera, self.schedule = conditions, scene, camera, schedule
        self.pairings = pairings
        conditions.live = schedule.audio_rate > 0
        self.whole = Crop(0, 0, camera.width, camera.height)
        self.rng = np.random.default_rng(seed + 1)
        self.generator = torch.Generator().manual_seed(seed + 2)
        self.optimiser = torch.optim.Adam(parameters.groups(schedule.means_rate), eps=1e-15, fused=True)
        self.field = FieldRows(model.face_field if branch == "face" else model.mouth_field, scene.threads)
        self.motion_optimiser = motion_optimiser(model, branch, schedule)
        self.statistics = GradientStatistics(parameters.count)
        self.guard = StepGuard()
        self.perceptual = PerceptualLoss(schedule.perceptual, schedule.iterations)
        learning = np.flatnonzero(~pictures.test)
        if branch == "mouth":
            learning = np.array([f for f in learning if mouth_crop(pictures, int(f), MOUTH_MARGIN) is not None], int)
        self.lesson = Lesson(branch, schedule, pictures.action_units, learning)
        self.draw = PictureDraw(pictures, learning, schedule.full_frame_every if branch == "face" else 0)
        self.iteration = 0
        self.front = None if front is None else FinishedFace(front, model.face_field, scene)

    def state(self) -> State:
        return {
            "iteration": self.iteration,
            "rng": generator_state(self.rng),
            "generator": self.generator.get_state(),
            "order": self.draw.state(),
            "optimiser": self.optimiser.state_dict(),
            "motion_optimiser": self.motion_optimiser.state_dict(),
            "statistics": dict(vars(self.statistics)),
            "encoding": self.field.encoding,
            "guard": self.guard.state(),
        }

    def restore(self, state: State) -> None:
        """The set must hold the saved Gaussians already."""
        self.iteration = state["iteration"]
        restore_generator(self.rng, state["rng"])
        self.generator.set_state(state["generator"])
        self.draw.restore(state["order"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.motion_optimiser.load_state_dict(state["motion_optimiser"])
        self.statistics = GradientStatistics(self.parameters.count)
        vars(self.statistics).update(state["statistics"])
        self.field.encoding = state["encoding"]
        self.guard.restore(state["guard"])

    @property
    def moving(self) -> bool:
        """Whether motion learns in this step."""
        return self.iteration >= self.schedule.motion_from and not self.polishing

    @property
    def polishing(self) -> bool:
        """Whether colours alone learn in this step."""
        return self.iteration >= self.schedule.polish * self.schedule.iterations

    def next_frame(self) -> tuple[int, Crop]:
        """A frame without replacement, reshuffled, and what of it to look at."""
        frame, whole = self.draw.next(self.rng, self.iteration, self.lesson.wanted(self.iteration))
        if whole:
            return frame, self.whole
        if self.branch == "mouth":
            crop = mouth_crop(self.pictures, frame, MOUTH_MARGIN)
            assert crop is not None
            return frame, crop
        return frame, Crop(*(int(v) for v in self.pictures.windows[frame]))

    def offsets(self, lower: Tensor, upper: Tensor, mouth: Tensor) -> tuple[Tensor, Tensor | None]:
        """Offsets [N,10] or [N,3] of the branch's Gaussians under conditions [32] each; in the steps that weigh
        attention its lengths [N,2]."""
        means, field, schedule = self.parameters.means, self.field, self.schedule
        asking = self.moving and schedule.grid_rate > 0
        stale = field.encoding is None or len(field.encoding) != len(means) or self.iteration % ENCODING_EVERY == 0
        if not asking and stale:
            field.encode(means)
        places = means if asking else None
        with torch.set_grad_enabled(self.moving):
            if self.branch == "mouth":
                return field.offsets(places, mouth), None
            wanted = schedule.attention_lips or schedule.attention_hair
            if self.moving and wanted and self.iteration % schedule.attention_every == 0:
                return field.offsets_and_attention(places, lower, upper)
            return field.offsets(places, lower, upper), None

    def step(self) -> dict[str, float]:
        """One frame: render, compare, descend; now and then densify and prune."""
        schedule, moving = self.schedule, self.moving
        if not len(self.draw.window.frames):  # lips that never open: nothing to see
            self.iteration += 1
            return {}
        frame, crop = self.next_frame()
        target = target_of(self.pictures, frame, crop)
        camera, head = crop.camera(self.camera), self.pictures.head[frame]
        telling = moving and (schedule.conditions_rate > 0 or schedule.audio_rate > 0)
        with nullcontext() if telling else torch.no_grad():
            lower, upper, mouth = self.conditions.of(frame, self._pairing())
        offsets, lengths = self.offsets(lower, upper, mouth)
        layer = self.scene.layer(self.branch, self.parameters, offsets, head, camera, self.pictures.body_of(frame))
        drawn = random_background(self.rng)
        background = torch.zeros(3) if self.polishing else drawn
        lips = lips_rectangle(self.model.config, self.scene.pivot.numpy(), head, camera)
        if self.branch == "face":
            hidden = None if sees_hair(schedule, self.iteration) else target.hair
            image = composed(layer.rgb, layer.alpha, background, hidden)
            truth = composed(target.face, target.face_alpha, background, hidden)
            alpha_term, alpha_error = alpha_terms(layer.alpha, target.face_alpha, schedule)
        else:
            assert self.front is not None
            front = self.front.layer(lower, upper, head, camera, self.pictures.body_of(frame))
            image, truth, alpha_error = self._mouth(front, layer, target, background)
            alpha_term = (schedule.alpha + schedule.alpha_regions) * alpha_error
        seen, l1, similarity = photometric(image, truth, schedule.dssim)
        loss = seen + alpha_term
        said = {"l1": l1, "ssim": similarity, "alpha": alpha_error}
        if moving:
            loss = loss + delta_terms(offsets, schedule)
            if schedule.align > 0 and (align := self.conditions.alignment(frame, self.branch)) is not None:
                loss, said["align"] = loss + schedule.align * align, align
            if lengths is not None:
                loss = loss + self._attention(lengths, layer, camera, lips, target)
        if self.perceptual.due(self.iteration):
            looks = self.perceptual(image, truth, target.person_alpha, lips, self.rng)
            loss, said["lpips"] = loss + looks, looks
        loss.backward()
        return self._descend(loss, layer, camera) or {name: float(value.detach()) for name, value in said.items()}

    def _pairing(self) -> Pairing:
        """Drawn while motion learns; before and after, and at first, the frame's own Action Units fit it best."""
        drawn = draw_pairing(self.rng, self.pairings)
        trusted = self.iteration >= self.schedule.motion_from + self.schedule.video_only
        return drawn if self.moving and trusted else Pairing.VIDEO

    def _attention(
        self, lengths: Tensor, layer: RenderedLayer, camera: Camera, lips: Crop | None, target: Target
    ) -> Tensor:
        """The term that keeps attention where it belongs; lengths [N,2] of it."""
        picture = attention_picture(self.scene, layer, lengths, camera)
        hair = target.hair if sees_hair(self.schedule, self.iteration) else None
        return attention_error(picture, lips, hair, self.schedule.attention_lips, self.schedule.attention_hair)

    def _descend(self, loss: Tensor, layer: RenderedLayer, camera: Camera) -> dict[str, float] | None:
        """The step itself, or what to report of one that is left out."""
        schedule = self.schedule
        optimisers = (self.optimiser, self.motion_optimiser)
        learning = (parameter for o in optimisers for group in o.param_groups for parameter in group["params"])
        allowed = self.guard.allows(loss, learning)
        if allowed:
            if schedule.densify_from <= self.iteration < schedule.densify_until:
                assert layer.screen.means2d_grad is not None  # the backward pass has just filled it in
                self.statistics.add(layer.screen.means2d_grad, layer.screen.radii, camera.width, camera.height)
            if self.polishing:
                for name in ("means", "raw_scales", "quaternions", "raw_opacities"):
                    getattr(self.parameters, name).grad = None
            self.optimiser.step()
            if self.moving:
                self.motion_optimiser.step()
        self.optimiser.zero_grad()
        self.model.zero_grad()
        self.iteration += 1
        self._decay()
        self._densify()
        return None if allowed else {"skipped": 1.0}

    @staticmethod
    def _mouth(
        front: RenderedLayer, layer: RenderedLayer, target: Target, background: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The mouth seen through the finished face; only where the mouth's inside is, or could be, visible.

        -> image and truth [h,w,3], and how much the mouth's alpha is off.
        """
        rgb, alpha = over(front, layer.rgb, layer.alpha)
        image = composed(rgb, alpha, background)
        truth = composed(target.person, target.person_alpha, background)
        weight = (target.mouth > 0.02).float()[..., None] * (1 - front.alpha.clamp(0, 1))[..., None].clamp(min=0.05)
        image = weight * image + (1 - weight) * truth
        inside = (target.mouth * (1 - layer.alpha)).mean() + (layer.alpha * (target.person_alpha < 0.02)).mean()
        return image, truth, inside

    def _decay(self) -> None:
        """Each group's own way down."""
        schedule = self.schedule
        done = self.iteration / max(1, schedule.iterations)
        for group in self.optimiser.param_groups:
            group.setdefault("start", group["lr"])
            end = schedule.means_decay if group["name"] == "means" else schedule.decay
            group["lr"] = group["start"] * end**done
        for group in self.motion_optimiser.param_groups:
            group.setdefault("start", group["lr"])
            group["lr"] = group["start"] * motion_factor(schedule, self.iteration)

    def _densify(self) -> None:
        """Now and then densify and prune; at the end of the face drop what has grown out of the frame since."""
        schedule = self.schedule
        if self.branch == "face" and self.iteration == schedule.iterations:
            within = within_frame(self.parameters, self.camera)
            if within.any():
                replace_rows(self.parameters, self.optimiser, torch.nonzero(within).squeeze(1))
            return
        inside = schedule.densify_from < self.iteration <= schedule.densify_until
        if not inside or self.iteration % schedule.densify_every:
            return
        moved = self.iteration > schedule.motion_from
        self.statistics = densify_and_prune(
            self.parameters,
            self.optimiser,
            self.statistics,
            schedule.gradient_threshold,
            opacity_limit(schedule, self.iteration),
            schedule.maximum,
            self.generator,
            largest_radius=schedule.prune_radius if moved else 0.0,
            largest_scale=schedule.prune_scale if moved else 0.0,
            allowed=within_frame(self.parameters, self.camera) if self.branch == "face" else None,
        )
        self.field.encoding = None
