# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the bundled avatar is: morph weights, parts and colours of one invented person (MakeHuman assets, CC0)."""

from __future__ import annotations

from dataclasses import dataclass, field

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Identity:
    """One invented person."""

    macro: dict[str, float]
    """Weights of ``targets/macrodetails`` morphs."""
    details: dict[str, float]
    """Weights of local morphs; a key ``both:eyes/eye-x`` means ``eyes/l-eye-x`` and ``eyes/r-eye-x``."""
    rest: dict[str, float] = field(default_factory=dict)
    """ARKit shapes baked into the neutral face, so that it looks alive rather than slack."""
    skin: str = "young_lightskinned_female_diffuse2"
    skin_saturation: float = 0.95
    skin_value: float = 0.95
    hair: str = "bob02"
    hair_tint: Colour = (1.0, 1.0, 1.0)
    brow: str = "eyebrow001"
    brow_tint: Colour = (0.35, 0.25, 0.18)
    brow_opacity: float = 1.0
    lash: str = "eyelashes02"
    eye: str = "brownlight_eye"
    cloth: str = "female_elegantsuit01"
    cloth_colour: Colour = (0.05, 0.12, 0.16)


BUNDLED = Identity(
    macro={
        "caucasian-female-young": 0.75,
        "asian-female-young": 0.15,
        "african-female-young": 0.10,
        "universal-female-young-averagemuscle-averageweight": 1.0,
    },
    details={
        "forehead/forehead-scale-vert-decr": 0.30,
        "head/head-oval": 0.30,
        "both:eyes/eye-scale-incr": 0.25,
        "both:eyes/eye-height2-incr": 0.35,
        "eyebrows/eyebrows-angle-up": 0.25,
        "eyebrows/eyebrows-trans-up": 0.20,
        "mouth/mouth-angles-up": 0.25,
        "mouth/mouth-upperlip-volume-incr": 0.20,
        "nose/nose-scale-horiz-decr": 0.25,
        "nose/nose-point-up": 0.15,
        "asym/asym-brown-1-l": 0.08,
        "asym/asym-jaw-2-r": 0.06,
        "asym/asym-mouth-1-l": 0.05,
        "asym/asym-nose-3-r": 0.05,
    },
    rest={"mouthSmileLeft": 0.16, "mouthSmileRight": 0.14},
    hair_tint=(0.36, 0.21, 0.13),
    skin_saturation=0.90,
)
