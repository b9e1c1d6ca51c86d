# SPDX-License-Identifier: GPL-3.0-or-later
"""Stages F and M: one branch against the pictures, after arXiv 2508.10566 (Eqs 1, 8, 9) and the 3DGS optimisation.

The face branch learns everything but the inside of the mouth; the mouth branch fills what the face leaves open and is
compared through it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .. import action_units
from ..camera import Camera
from ..motion.fusion import Pairing
from ..motion.model import MotionModel
from .checkpoint import State, generator_state, restore_generator
from .dataset import Performance, Pictures
from .densify import GradientStatistics, densify_and_prune
from .parameters import GaussianParameters
from .presets import BranchSchedule
from .scene import RenderedLayer, Scene, on_background, over, random_background
from .speech_stage import hear_clip
from .ssim import ssim
from .targets import Crop, Target, mouth_crop, target_of

MOUTH_MARGIN = 10
"""Pixels around the visible mouth that the mouth branch looks at."""


class Conditions:
    """Per frame: what the face is told. Implicit features are heard once; the audio path no longer learns here."""

    def __init__(self, model: MotionModel, performance: Performance, pictures: Pictures) -> None:
        self.model, self.pictures = model, pictures
        self.implicit: dict[int, np.ndarray] = {}
        for clip in np.unique(pictures.clip_index[pictures.clip_index >= 0]):
            rows = performance.frames_of(int(clip))
            self.implicit[int(clip)], _ = hear_clip(model, performance.speech[int(clip)][0], len(rows))

    def of(self, frame: int) -> tuple[Tensor, Tensor, Tensor]:
        """-> lower face [32], upper face [32], mouth [32] conditions of one picture, from its own Action Units."""
        clip = int(self.pictures.clip_index[frame])
        values = torch.from_numpy(action_units.clip(self.pictures.action_units[frame]))[None]
        if clip < 0:
            heard, kind = torch.zeros(1, 32), Pairing.IMPLICIT_MASKED
        else:
            heard = torch.from_numpy(self.implicit[clip][int(self.pictures.frame_in_clip[frame])])[None]
            kind = Pairing.VIDEO
        lower, upper, mouth = self.model.conditions(heard, values, kind)
        return lower[0], upper[0], mouth[0]


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
    ) -> None:
        self.branch, self.model, self.parameters, self.pictures = branch, model, parameters, pictures
        self.conditions, self.scene, self.camera, self.schedule = conditions, scene, camera, schedule
        self.front = front
        self.whole = Crop(0, 0, camera.width, camera.height)
        self.rng = np.random.default_rng(seed + 1)
        self.generator = torch.Generator().manual_seed(seed + 2)
        self.optimiser = torch.optim.Adam(parameters.groups(schedule.means_rate), eps=1e-15, fused=True)
        self.field = field = model.face_field if branch == "face" else model.mouth_field
        motion = [p for name, p in field.named_parameters() if "grid" not in name]
        grids = [p for name, p in field.named_parameters() if "grid" in name]
        self.motion_optimiser = torch.optim.AdamW(
            [{"params": motion, "lr": schedule.motion_rate}, {"params": grids, "lr": schedule.motion_rate * 5}],
            weight_decay=0,
        )
        self.statistics = GradientStatistics(parameters.count)
        learning = np.flatnonzero(~pictures.test)
        if branch == "mouth":
            learning = np.array([f for f in learning if mouth_crop(pictures, int(f), MOUTH_MARGIN) is not None])
        self.frames = {"window": learning, "whole": learning[pictures.whole[learning]]}
        self.order: dict[str, list[int]] = {"window": [], "whole": []}
        self.iteration = 0
        self.encoding: Tensor | None = None
        if front is not None:
            with torch.no_grad():
                self.front_encoding = model.face_field.encode(front.means)

    def state(self) -> State:
        return {
            "iteration": self.iteration,
            "rng": generator_state(self.rng),
            "generator": self.generator.get_state(),
            "order": {kind: [int(frame) for frame in frames] for kind, frames in self.order.items()},
            "optimiser": self.optimiser.state_dict(),
            "motion_optimiser": self.motion_optimiser.state_dict(),
            "statistics": dict(vars(self.statistics)),
            "encoding": self.encoding,
        }

    def restore(self, state: State) -> None:
        """The set must hold the saved Gaussians already."""
        self.iteration = state["iteration"]
        restore_generator(self.rng, state["rng"])
        self.generator.set_state(state["generator"])
        self.order = {kind: list(frames) for kind, frames in state["order"].items()}
        self.optimiser.load_state_dict(state["optimiser"])
        self.motion_optimiser.load_state_dict(state["motion_optimiser"])
        self.statistics = GradientStatistics(self.parameters.count)
        vars(self.statistics).update(state["statistics"])
        self.encoding = state["encoding"]

    def next_frame(self) -> tuple[int, Crop]:
        """A frame without replacement, reshuffled, and what of it to look at."""
        due = self.branch == "face" and self.iteration % self.schedule.full_frame_every == 0
        kind = "whole" if due and len(self.frames["whole"]) else "window"
        if not self.order[kind]:
            self.order[kind] = list(self.rng.permutation(self.frames[kind]))
        frame = int(self.order[kind].pop())
        if kind == "whole":
            return frame, self.whole
        if self.branch == "mouth":
            crop = mouth_crop(self.pictures, frame, MOUTH_MARGIN)
            assert crop is not None
            return frame, crop
        return frame, Crop(*(int(v) for v in self.pictures.windows[frame]))

    def offsets(self, lower: Tensor, upper: Tensor, mouth: Tensor) -> Tensor:
        """Offsets of the branch's Gaussians under conditions [32] each: [N,10] or [N,3]."""
        learning = self.iteration >= self.schedule.motion_from
        if self.encoding is None or self.encoding.shape[0] != self.parameters.count or self.iteration % 100 == 0:
            with torch.no_grad():
                self.encoding = self.field.encode(self.parameters.means)
        with torch.set_grad_enabled(learning):
            if self.branch == "face":
                return self.model.face_offsets(self.encoding, lower[None], upper[None])[0]
            return self.model.mouth_offsets(self.encoding, mouth[None])[0]

    def step(self) -> dict[str, float]:
        """One frame: render, compare, descend; now and then densify and prune."""
        schedule = self.schedule
        frame, crop = self.next_frame()
        target = target_of(self.pictures, frame, crop)
        camera, head = crop.camera(self.camera), self.pictures.head[frame]
        lower, upper, mouth = self.conditions.of(frame)
        offsets = self.offsets(lower, upper, mouth)
        layer = self.scene.layer(self.branch, self.parameters, offsets, head, camera, self.pictures.body_of(frame))
        background = random_background(self.rng)
        if self.branch == "face":
            image = on_background(layer.rgb, layer.alpha, background)
            truth = on_background(target.face, target.face_alpha, background)
            alpha_loss = (layer.alpha - target.face_alpha).abs().mean()
        else:
            with torch.no_grad():
                front_offsets = self.model.face_offsets(self.front_encoding, lower[None], upper[None])[0]
                assert self.front is not None
                front = self.scene.layer("face", self.front, front_offsets, head, camera, self.pictures.body_of(frame))
            image, truth, alpha_loss = self._mouth(front, layer, target, background)
        l1 = (image - truth).abs().mean()
        similarity = ssim(image, truth)
        loss = l1 + schedule.dssim * (1 - similarity) + schedule.alpha * alpha_loss
        loss = loss + schedule.delta_l1 * offsets.abs().sum(1).mean()
        loss.backward()
        if self.branch == "face" and schedule.densify_from <= self.iteration < schedule.densify_until:
            assert layer.screen.means2d_grad is not None  # the backward pass has just filled it in
            self.statistics.add(layer.screen.means2d_grad, layer.screen.radii, camera.width, camera.height)
        self.optimiser.step()
        self.optimiser.zero_grad()
        if self.iteration >= schedule.motion_from:
            self.motion_optimiser.step()
        self.model.zero_grad()
        self.iteration += 1
        self._decay()
        self._densify()
        return {"l1": float(l1.detach()), "ssim": float(similarity.detach()), "alpha": float(alpha_loss.detach())}

    @staticmethod
    def _mouth(
        front: RenderedLayer, layer: RenderedLayer, target: Target, background: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The mouth seen through the finished face; only where the mouth's inside is, or could be, visible.

        -> image and truth [h,w,3], and how much the mouth's alpha is off.
        """
        rgb, alpha = over(front, layer.rgb, layer.alpha)
        image = on_background(rgb, alpha, background)
        truth = on_background(target.person, target.person_alpha, background)
        weight = (target.mouth > 0.02).float()[..., None] * (1 - front.alpha.clamp(0, 1))[..., None].clamp(min=0.05)
        image = weight * image + (1 - weight) * truth
        inside = (target.mouth * (1 - layer.alpha)).mean() + (layer.alpha * (target.person_alpha < 0.02)).mean()
        return image, truth, inside

    def _decay(self) -> None:
        """Rates fall to a tenth by the end, log-linearly."""
        factor = 0.1 ** (self.iteration / max(1, self.schedule.iterations))
        for group in (*self.optimiser.param_groups, *self.motion_optimiser.param_groups):
            group.setdefault("start", group["lr"])
            group["lr"] = group["start"] * factor

    def _densify(self) -> None:
        schedule = self.schedule
        inside = schedule.densify_from < self.iteration <= schedule.densify_until
        if self.branch != "face" or not inside or self.iteration % schedule.densify_every:
            return
        self.statistics = densify_and_prune(
            self.parameters,
            self.optimiser,
            self.statistics,
            schedule.gradient_threshold,
            schedule.prune_opacity,
            schedule.maximum,
            self.generator,
        )
        self.encoding = None
