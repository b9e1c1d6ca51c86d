# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a random MakeHuman person is: age, sex, origin, shape of the face, skin, hair, eyes, clothes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HAIR_STYLES = ("short01", "short02", "short04", "bob02", "braid01")
SKINS = {
    "male": (
        "young_lightskinned_male_diffuse",
        "young_lightskinned_male_diffuse3",
        "middleage_lightskinned_male_diffuse",
    ),
    "female": ("young_lightskinned_female_diffuse2",),
}
DARK_SKIN = "young_darkskinned_male_diffuse"
EYES = ("blue_eye", "brown_eye", "brownlight_eye", "green_eye")
CLOTHES = ("male_casualsuit04", "female_elegantsuit01")


_DETAILS = {
    # folder -> morphs and how far they go; "decr"/"incr", "up"/"down" pairs are drawn as one number with a sign
    "head": ("age", "angle:in:out", "back-scale-depth", "fat", "scale-depth", "scale-horiz", "scale-vert"),
    "nose": ("scale-horiz", "scale-vert", "scale-depth", "trans:up:down", "point:up:down", "hump", "flaring",
             "nostrils-width", "point-width", "base:up:down", "volume", "width1", "width2", "width3"),
    "mouth": ("scale-horiz", "scale-vert", "upperlip-volume", "lowerlip-volume", "upperlip-width", "lowerlip-width",
              "philtrum-volume", "dimples:in:out", "cupidsbow"),
    "chin": ("bones", "height", "prominent", "width", "cleft", "jaw-drop"),
    "forehead": ("nubian", "scale-vert", "temple"),
    "both:cheek": ("bones", "inner", "volume", "trans:up:down"),
    "both:eyes": ("eye-bag", "eye-epicanthus:in:out", "eye-eyefold:up:down", "eye-height1", "eye-height2",
                  "eye-height3", "eye-scale", "eye-trans:in:out", "eye-corner1:up:down", "eye-corner2:up:down"),
    "both:ears": ("ear-scale", "ear-wing", "ear-lobe"),
    "eyebrows": ("eyebrows-angle:up:down", "eyebrows-trans:up:down"),
}  # fmt: skip
_SHIFT = {"eye-height1": 0.12, "eye-height2": 0.25, "eye-height3": 0.12, "eye-scale": 0.08}  # the mean face looks tired
_HEAD_FORMS = ("oval", "round", "square", "rectangular", "triangular", "diamond", "invertedtriangular")


@dataclass(frozen=True)
class Recipe:
    """Who someone is. morphs: path below ``targets`` -> weight."""

    morphs: Mapping[str, float]
    skin: str
    skin_tint: tuple[float, float, float]
    hair: str | None
    hair_tint: tuple[float, float, float]
    brow: str
    brow_opacity: float
    lash: str
    eye: str
    cloth: str
    cloth_tint: tuple[float, float, float]


def random_recipe(folder: Path, rng: np.random.Generator, extent: float = 1.0) -> Recipe:
    """An adult of any age, sex and origin. extent: how far faces may be from the mean one, 0..1."""
    male = bool(rng.random() < 0.5)
    sex = "male" if male else "female"
    old = float(np.clip(rng.beta(1, 2.5), 0, 0.85))
    origin = rng.dirichlet((0.5, 0.5, 0.5))
    morphs: dict[str, float] = {}
    for race, share in zip(("african", "asian", "caucasian"), origin, strict=True):
        morphs[f"macrodetails/{race}-{sex}-young"] = share * (1 - old)
        morphs[f"macrodetails/{race}-{sex}-old"] = share * old
    weight = rng.uniform(-0.7, 0.7)
    for age, part in (("young", 1 - old), ("old", old)):
        stem = f"macrodetails/universal-{sex}-{age}-averagemuscle"
        morphs[f"{stem}-averageweight"] = part * (1 - abs(weight))
        morphs[f"{stem}-{'max' if weight > 0 else 'min'}weight"] = part * abs(weight)
    morphs[f"head/head-{rng.choice(_HEAD_FORMS)}"] = extent * rng.uniform(0, 0.5)
    for place, names in _DETAILS.items():
        both, area = place.startswith("both:"), place.removeprefix("both:")
        prefix = "" if area in ("cheek", "eyes", "ears", "eyebrows") else f"{area}-"
        for name in names:
            stem, *ends = name.split(":")
            low, high = ends or ("decr", "incr")
            amount = extent * np.clip(rng.normal(0, 0.22), -0.6, 0.6) + _SHIFT.get(name, 0.0)
            morph = f"{prefix}{stem}-{high if amount > 0 else low}"
            sides = ("l-", "r-") if both else ("",)
            if (folder / "targets" / area / f"{sides[0]}{morph}.target.gz").exists():
                for side in sides:
                    morphs[f"{area}/{side}{morph}"] = abs(amount)
    for name in ("brown-1", "cheek-1", "eye-1", "jaw-2", "mouth-1", "nose-3", "nose-1"):
        morphs[f"asym/asym-{name}-{rng.choice(('l', 'r'))}"] = extent * rng.uniform(0, 0.25)
    dark = origin[0] > 0.5 or rng.random() < 0.15
    grey, light = old > 0.55 and rng.random() < 0.7, rng.random()
    tone = np.array([0.75, 0.72, 0.70]) if grey else np.array([1.0, 0.72 + 0.2 * light, 0.5 + 0.35 * light])
    shade = rng.uniform(1.2, 2.0) if grey else np.exp(rng.uniform(np.log(0.3), np.log(1.4)))
    skin = DARK_SKIN if dark else str(rng.choice(SKINS[sex]))
    if old > 0.5 and male and not dark:
        skin = "middleage_lightskinned_male_diffuse"
    warmth = rng.uniform(-0.06, 0.06)
    value = rng.uniform(0.75, 1.1)
    bald = male and rng.random() < 0.08
    styles = HAIR_STYLES[:3] if male and rng.random() < 0.9 else HAIR_STYLES[:4] if male else HAIR_STYLES
    chances = np.ones(len(styles)) if male else np.array([0.7, 0.6, 0.5, 2.0, 0.8])
    hair_tint = tuple(float(c) for c in tone * shade)
    cloth = CLOTHES[0] if male else str(rng.choice(CLOTHES, p=(0.35, 0.65)))
    cloth_tint = np.exp(rng.normal(0, 0.35, 3) + rng.uniform(-1.2, 0.3))
    return Recipe(
        morphs={name: float(w) for name, w in morphs.items() if w > 1e-3},
        skin=skin,
        skin_tint=(value * (1 + warmth), value, value * (1 - warmth)),
        hair=None if bald else str(rng.choice(styles, p=chances / chances.sum())),
        hair_tint=hair_tint,  # type: ignore[arg-type]
        brow=str(rng.choice(("eyebrow001", "eyebrow009"))),
        brow_opacity=float(rng.uniform(0.6, 1.0)),
        lash="eyelashes01" if male else str(rng.choice(("eyelashes01", "eyelashes02"))),
        eye=str(rng.choice(EYES, p=(0.1, 0.5, 0.2, 0.2) if dark else (0.25, 0.25, 0.3, 0.2))),
        cloth=cloth,
        cloth_tint=tuple(float(c) for c in np.clip(cloth_tint, 0.05, 1.3)),  # type: ignore[arg-type]
    )
