# SPDX-License-Identifier: GPL-3.0-or-later
"""Does an avatar speak freely? The lips of its face by classes of phones, on recordings of other people.

    python benchmarks/phone_classes.py AVATAR --speech FOLDER [--out FILE]      (needs the package espeakng-loader)

FOLDER holds index.json: a list of {"file", "lang", "text"}, or "phn" (TIMIT phones) instead of the text. Phones are
aligned by phone_alignment.py (20 ms median from PocketSphinx's on GRID), the recordings are animated as in Blender, and
lip_points.py follows the lips' Gaussians: what is measured is the face, in millimetres, not a curve of Action Units.
Languages without recordings are spoken by synthetic voices and sentences that no avatar was trained with.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)
from lip_points import LipPoints, lip_curves
from phone_alignment import align, timit_phones, trained_listener
from phone_class_scores import Recording, score, swapped, table

from hmtalker.avatar import Avatar, load_avatar
from hmtalker.speech.audio_file import load_audio
from hmtalker.speech.encoder import SpeechEncoder, create
from hmtalker.take import animate
from hmtalker.training.heard_visemes import VisemeListener
from hmtalker.training.spoken_text import Speaker, Voice, find_speaker
from hmtalker.training.visemes import of_arpabet, of_ipa

FRAME = 640
VOICES = {"en": "en-us"}
READINGS = {
    "真っ昼間": "まっぴるま",
    "キャンプ": "きゃんぷ",
    "外れ": "はずれ",
    "電柱": "でんちゅう",
    "電球": "でんきゅう",
}
"""eSpeak NG reads kana only."""
SYNTHETIC = {
    "de": ("Fünf mutige Bäume blühen im schönen Park, und wir pflücken Obst.", "Schau, die Kutsche fährt vorbei!"),
    "fr": ("Mon voisin mange souvent une bonne soupe de poisson.", "Jeudi, Hugo joue du piano chez moi."),
    "es": ("Mi hermano vive cerca de un bosque muy bonito.", "Hoy llueve mucho, pero vamos a pasear juntos."),
    "pt": ("O menino comeu pão com manteiga e bebeu um copo de leite.", "Chove muito hoje, vamos ficar em casa."),
    "nl": ("De oude boer bouwt buiten een mooie blauwe schuur.", "Morgen vliegen wij vroeg naar huis."),
    "cs": ("Můj bratr pije mléko a babička peče koláč.", "Ve škole jsme četli o velkých šedých mracích."),
}
SYNTHETIC_VOICES = ("+f5", "+m5", "+Andy")


Spelled = tuple[str, np.ndarray, list[str], Callable[[str], tuple[str, ...]]]


def recorded(folder: Path, speaker: Speaker) -> list[Spelled]:
    """(language, samples, phones, what their visemes are) of every file with a text."""
    found = []
    for entry in json.loads((folder / "index.json").read_text(encoding="utf-8")):
        language, text = entry["lang"], entry.get("text", "")
        for word, kana in READINGS.items():
            text = text.replace(word, kana)
        if entry.get("phn"):
            found.append((language, load_audio(folder / entry["file"]), timit_phones(entry["phn"]), of_arpabet))
        elif text:
            spelled = speaker.say(text, Voice(VOICES.get(language, language))).phones
            names = [name for name, _, _ in spelled if of_ipa(name) != ("silence",)]
            found.append((language, load_audio(folder / entry["file"]), names, of_ipa))
    return found


def animated(avatar: Avatar, points: LipPoints, samples: np.ndarray, encoder: SpeechEncoder) -> np.ndarray:
    """Lip curves [T,3] of the avatar saying it."""
    return lip_curves(avatar, points, animate(avatar, samples, encoder=encoder))


def recordings_of(
    avatar: Avatar, folder: Path, speaker: Speaker, listener: VisemeListener, encoder: SpeechEncoder
) -> list[Recording]:
    """Every recording whose phones could be aligned."""
    points = LipPoints.find(avatar)
    result = []
    for language, samples, names, visemes_of in recorded(folder, speaker):
        phones = [(visemes_of(n), b, e) for n, b, e in align(listener(encoder.encode(samples)), names, visemes_of)]
        if phones:
            result.append(Recording(language, animated(avatar, points, samples, encoder), phones))
    for language, texts in SYNTHETIC.items():
        for text in texts:
            for variant in SYNTHETIC_VOICES:
                spoken = speaker.say(text, Voice(language + variant))
                phones = [(of_ipa(n), b, e) for n, b, e in spoken.phones if of_ipa(n) != ("silence",)]
                curves = animated(avatar, points, spoken.samples, encoder)
                result.append(Recording(f"{language}, synthetic", curves, phones))
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("avatar", type=Path, nargs="+")
    parser.add_argument("--speech", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="JSON of all rows")
    options = parser.parse_args()
    speaker = find_speaker()
    if speaker is None:
        print("Install the package espeakng-loader: phones are spelled by eSpeak NG.")
        return 1
    encoder = create()
    listener = trained_listener(speaker, encoder)
    report = {}
    for path in options.avatar:
        found = recordings_of(load_avatar(path), options.speech, speaker, listener, encoder)
        groups = {language: [r for r in found if r.language == language] for language in {r.language for r in found}}
        groups["all synthetic"] = [r for r in found if "synthetic" in r.language]
        for language in sorted(groups, key=lambda name: ("synthetic" in name, name)):
            chosen = groups[language]
            rows, baseline = score(chosen), score(swapped(chosen)) if len(chosen) > 1 else []
            print(table(f"{path.stem}: {language}, {len(chosen)} recordings", rows, baseline) + "\n", flush=True)
            report[f"{path.stem}/{language}"] = {
                "rows": [asdict(row) for row in rows], "swapped": [asdict(row) for row in baseline]
            }  # fmt: skip
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
