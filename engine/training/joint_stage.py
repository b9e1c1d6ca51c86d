# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage J: both branches composited against the whole picture (arXiv 2508.10566, Eq 10).

Colours of both sets and the opacity of the face learn; places, sizes and motion are finished and stay.
"""

from __future__ import annotations

import numpy as np
import torch

from ..camera import Camera
from ..motion.model import MotionModel
from .checkpoint import State, generator_state, restore_generator
from .composed import composed
from .curricula import PictureDraw
from .dataset import Pictures
from .field_rows import FieldRows
from .frame_conditions import Conditions
from .head_frames import SourceFrames
from .parameters import GaussianParameters
from .perceptual import PerceptualLoss
from .scene import Scene, over, random_background
from .schedules import JointTerms
from .ssim import photometric
from .step_guard import StepGuard
from .targets import Crop, target_of

COLOUR_RATE = 1.5e-3
OPACITY_RATE = 1.0e-3
"""The parent methods' lowered opacity rate in this stage."""
WHOLE_EVERY = 3
"""Steps of which one looks at a whole frame, the others at a frame's window."""


class JointStage:
    """Owns the stage's optimiser; `step` returns its losses."""

    def __init__(
        self,
        model: MotionModel,
        face: GaussianParameters,
        mouth: GaussianParameters,
        pictures: Pictures,
        conditions: Conditions,
        scene: Scene,
        camera: Camera,
        iterations: int,
        seed: int = 0,
        terms: JointTerms | None = None,
        source: SourceFrames | None = None,
    ) -> None:
        """source: what lies behind heads that are trained alone; None for whole persons, over chance colours."""
        self.source = source
        self.model, self.face, self.mouth, self.pictures = model, face, mouth, pictures
        self.conditions, self.scene, self.camera, self.iterations = conditions, scene, camera, iterations
        self.whole = Crop(0, 0, camera.width, camera.height)
        self.terms = terms or JointTerms()
        self.perceptual = PerceptualLoss(self.terms.perceptual, iterations)
        self.guard = StepGuard()
        self.rng = np.random.default_rng(seed + 3)
        self.draw = PictureDraw(pictures, np.flatnonzero(~pictures.test), WHOLE_EVERY)
        colours = [p for g in (face, mouth) for p in (g.sh_dc, g.sh_rest)]
        self.optimiser = torch.optim.Adam(
            [{"params": colours, "lr": COLOUR_RATE}, {"params": [face.raw_opacities], "lr": OPACITY_RATE}],
            eps=1e-15,
            fused=True,
        )
        self.iteration = 0
        self.face_field = FieldRows(model.face_field, scene.threads)
        self.mouth_field = FieldRows(model.mouth_field, scene.threads)
        self.face_field.encode(face.means)
        self.mouth_field.encode(mouth.means)

    def state(self) -> State:
        return {
            "iteration": self.iteration,
            "rng": generator_state(self.rng),
            "order": self.draw.state(),
            "optimiser": self.optimiser.state_dict(),
            "guard": self.guard.state(),
        }

    def restore(self, state: State) -> None:
        self.iteration = state["iteration"]
        restore_generator(self.rng, state["rng"])
        self.draw.restore(state["order"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.guard.restore(state["guard"])

    def step(self) -> dict[str, float]:
        """One frame."""
        frame, whole = self.draw.next(self.rng, self.iteration)
        crop = self.whole if whole else Crop(*(int(v) for v in self.pictures.windows[frame]))
        camera, head = crop.camera(self.camera), self.pictures.head[frame]
        target = target_of(self.pictures, frame, crop)
        with torch.no_grad():
            lower, upper, mouth = self.conditions.of(frame)
            face_offsets = self.face_field.offsets(None, lower, upper)
            mouth_offsets = self.mouth_field.offsets(None, mouth)
        front = self.scene.layer("face", self.face, face_offsets, head, camera, self.pictures.body_of(frame))
        back = self.scene.layer("mouth", self.mouth, mouth_offsets, head, camera)
        background = random_background(self.rng)
        truth = composed(target.person, target.person_alpha, background)
        if self.source is not None:
            background, truth = self.source.behind(frame, crop), self.source.whole(frame, crop)
        image = composed(*over(front, back.rgb, back.alpha), background)
        loss, l1, similarity = photometric(image, truth, self.terms.dssim)
        said = {"l1": l1, "ssim": similarity}
        if self.perceptual.due(self.iteration):
            looks = self.perceptual(image, truth, target.person_alpha, None, self.rng)
            loss, said["lpips"] = loss + looks, looks
        loss.backward()
        allowed = self.guard.allows(loss, [p for group in self.optimiser.param_groups for p in group["params"]])
        if allowed:
            self.optimiser.step()
        for parameters in (self.face, self.mouth):
            parameters.zero_grad()
        self.iteration += 1
        for group, rate in zip(self.optimiser.param_groups, (COLOUR_RATE, OPACITY_RATE), strict=True):
            group["lr"] = rate * 0.1 ** (self.iteration / max(1, self.iterations))
        return {name: float(value.detach()) for name, value in said.items()} if allowed else {"skipped": 1.0}
