# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces of emotions as Action Units.

Which units go together is what FACS coders found in them: the prototypes of the basic emotions in the EMFACS tables
(Ekman, Friesen and Hager, FACS Investigator's Guide, 2002) and, for the mixed ones, Du, Tao and Martinez (PNAS 2014).
How strong each is, is taste: enough to be seen while the mouth goes on speaking, so lips and jaw take part little.
"""

from __future__ import annotations

EMOTIONS: dict[str, dict[str, float]] = {
    "Neutral": {},
    "Smile": {"AU06": 0.8, "AU12": 2.2},
    "Happy": {"AU06": 2.5, "AU12": 3.5, "AU25": 0.8},
    "Sad": {"AU01": 3.0, "AU04": 2.0, "AU15": 2.5, "AU17": 1.2},
    "Angry": {"AU04": 3.5, "AU05": 1.0, "AU07": 2.5, "AU17": 0.8, "AU23": 2.0},
    "Surprised": {"AU01": 3.2, "AU02": 3.2, "AU05": 2.5, "AU25": 1.0, "AU26": 1.2},
    "Afraid": {"AU01": 3.0, "AU02": 1.8, "AU04": 2.5, "AU05": 2.5, "AU07": 1.0, "AU20": 2.0, "AU25": 0.6},
    "Disgusted": {"AU09": 3.0, "AU10": 2.2, "AU17": 1.2},
    "Happily Surprised": {"AU01": 2.5, "AU02": 2.5, "AU05": 1.5, "AU12": 3.0, "AU25": 1.0},
    "Doubtful": {"AU02": 1.5, "AU04": 1.5, "AU14": 1.8, "AU17": 1.0},
    "Concentrated": {"AU04": 1.8, "AU07": 1.5, "AU23": 0.8},
}
"""Name -> Action Unit -> intensity 0..5 at full strength; units that are not named are at rest."""

USED: frozenset[str] = frozenset(code for units in EMOTIONS.values() for code in units)
"""Action Units that any emotion moves."""
