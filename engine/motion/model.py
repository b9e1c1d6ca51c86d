# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion model for training: speech features and Action Units to offsets of both sets (arXiv 2508.10566)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..action_unit_sets import ActionUnitSet
from .config import CONDITION, MotionConfig
from .explicit import A2AM, AUEncoder, alignment_loss
from .fields import FaceField, MouthField
from .fusion import Fusion, Pairing
from .implicit import SpeechPath
from .portable_speech import ClipTable, clip_table, frames_covered

__all__ = ["LowerCondition", "MotionConfig", "MotionModel", "Pairing"]


class LowerCondition(nn.Module):
    """One branch's lower-face condition: its own Action Unit encoder, audio-to-AU mapping and fusion."""

    def __init__(self, fusion: str, fixed_alpha: float, units: ActionUnitSet) -> None:
        super().__init__()
        self.au_encoder = AUEncoder(len(units.lower))
        self.a2am = A2AM()
        self.fusion = Fusion(fusion, fixed_alpha)

    def forward(self, implicit: Tensor, lower: Tensor, pairing: Pairing | Tensor) -> Tensor:
        """implicit [...,32], pulls of the lower face [...,9], one pairing or int64 [B] of them -> c_l [...,32]."""
        if isinstance(pairing, Pairing):
            if pairing is Pairing.AUDIO:
                explicit = self.a2am(implicit)
            elif pairing is Pairing.MASKED:
                explicit = torch.zeros_like(implicit)
            else:
                explicit = self.au_encoder(lower)
        else:
            choice = pairing.unsqueeze(-1)
            explicit = torch.where(choice == Pairing.AUDIO, self.a2am(implicit), self.au_encoder(lower))
            explicit = torch.where(choice == Pairing.MASKED, torch.zeros_like(explicit), explicit)
        return self.fusion(implicit, explicit)


class MotionModel(nn.Module):
    """CMDM, HMMM and both deformation fields. The state dict is what an avatar file stores."""

    au_maximum: Tensor

    def __init__(self, config: MotionConfig) -> None:
        super().__init__()
        self.config = config
        self.speech = SpeechPath(config.feature_dimension, config.projection_dimension)
        self.null_implicit = nn.Parameter(torch.zeros(CONDITION))
        self.upper_encoder = AUEncoder(len(config.units.upper))
        self.face_condition = LowerCondition(config.effective_fusion, config.fixed_alpha, config.units)
        self.mouth_condition = LowerCondition(config.mouth_fusion, config.fixed_alpha, config.units)
        self.face_field = FaceField(
            config.face_shape, config.face_center, config.face_half_extent, attentive=config.attention
        )
        self.mouth_field = MouthField(config.mouth_shape, config.mouth_center, config.mouth_half_extent)
        self.register_buffer("au_maximum", torch.from_numpy(config.units.maxima.copy()), persistent=False)

    def implicit(
        self,
        encoded: Tensor | Sequence[Tensor],
        fps: float = 25.0,
        frames: int | Sequence[int] | None = None,
    ) -> Tensor:
        """Implicit conditions [T,32] of a clip's encoder output [T50,D].

        Several clips (a sequence of [T50,D], with as many frame counts or None) give their conditions one after the
        other; no window or context crosses a cut.
        """
        clips = [encoded] if isinstance(encoded, Tensor) else list(encoded)
        if frames is None:
            counts = [frames_covered(len(clip), fps) for clip in clips]
        else:
            counts = [frames] if isinstance(frames, int) else list(frames)
        table = clip_table([len(clip) for clip in clips], counts, fps)
        return self.speech(torch.cat(clips), table)

    def implicit_at(self, encoded: Tensor, table: ClipTable, frames: np.ndarray) -> Tensor:
        """Implicit conditions [B,32] of frames [B] only, out of clips laid end to end (see SpeechPath.forward)."""
        return self.speech(encoded, table, frames)

    def explicit_from_audio(self, implicit: Tensor) -> Tensor:
        """The face's audio-predicted explicit condition c_a^e [...,32]; explicit.readable_action_units reads it."""
        return self.face_condition.a2am(implicit)

    def clip_action_units(self, action_units: Tensor) -> Tensor:
        """Controls [...,n] brought into 0..5 (AU45: 0..2), as the set clips them; 17 of them with `openface-17`."""
        return torch.minimum(action_units.clamp_min(0.0), self.au_maximum)

    def pulls(self, action_units: Tensor, muscles: Sequence[str]) -> Tensor:
        """How strongly some muscles pull [...,len(muscles)] at clipped controls [...,n]: twin of the set's own."""
        own, whole, sided = self.config.units.pulling(muscles)
        result = action_units[..., own.tolist()]
        if not sided.any():
            return result
        share = torch.from_numpy(sided).to(action_units)
        limit = self.au_maximum[own.tolist()]
        return torch.minimum(result + share * action_units[..., whole.tolist()], limit)

    def alignment_loss(self, implicit: Tensor, action_units: Tensor) -> Tensor:
        """Eq (6), summed over the face's and the mouth's mapping. implicit [B,32], action_units [B,n] of the video."""
        lower = self.pulls(self.clip_action_units(action_units), self.config.units.lower)
        branches = (self.face_condition, self.mouth_condition)
        losses = [alignment_loss(branch.a2am(implicit), branch.au_encoder(lower)) for branch in branches]
        return losses[0] + losses[1]

    def effective_implicit(
        self, implicit: Tensor | None, audio_influence: float | Tensor = 1.0, like: Tensor | None = None
    ) -> Tensor:
        """s * implicit + (1 - s) * null for audio influence s in 0..1; no implicit at all counts as s = 0.

        like: a tensor whose leading dimensions the null takes where implicit is None.
        """
        if implicit is None:
            return self.null_implicit if like is None else self.null_implicit.expand(*like.shape[:-1], CONDITION)
        influence = audio_influence.unsqueeze(-1) if isinstance(audio_influence, Tensor) else audio_influence
        return influence * implicit + (1.0 - influence) * self.null_implicit

    def conditions(
        self,
        implicit: Tensor | None,
        action_units: Tensor,
        pairing: Pairing | Sequence[Pairing] | Tensor = Pairing.VIDEO,
        audio_influence: float | Tensor = 1.0,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """(c_l of the face, c_u, c_l of the mouth), each [32] or [B,32].

        implicit [32] or [B,32] or None (no audio); action_units [n] or [B,n], clipped here; pairing for all, or one
        per sample; audio_influence 0..1, or one per sample [B]. Inference keeps the default pairing, so that the
        explicit operand always belongs to the Action Units given.
        """
        units = self.clip_action_units(action_units)
        lower, upper = (self.pulls(units, muscles) for muscles in (self.config.units.lower, self.config.units.upper))
        fused = self.effective_implicit(implicit, audio_influence, like=units)
        if not isinstance(pairing, Pairing):
            pairing = torch.as_tensor([int(p) for p in pairing], device=units.device)
            masked = (pairing == Pairing.IMPLICIT_MASKED).unsqueeze(-1)
            fused = torch.where(masked, self.null_implicit, fused)
        elif pairing is Pairing.IMPLICIT_MASKED:
            fused = self.effective_implicit(None, like=units)
        face = self.face_condition(fused, lower, pairing)
        mouth = self.mouth_condition(fused, lower, pairing)
        return face, self.upper_encoder(upper), mouth

    def face_offsets(self, means: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """[N,10] or [B,N,10]: d_mu 3 (metres), d_q 4, d_s 3. means: positions [N,3], or their encoding [N,36]."""
        return self.face_field(means, lower, upper)

    def mouth_offsets(self, means: Tensor, condition: Tensor) -> Tensor:
        """d_mu [N,3] or [B,N,3], metres. means: positions [N,3], or their encoding [N,36]."""
        return self.mouth_field(means, condition)
