# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface in other languages, through Blender's own mechanism. Another language is another table here."""

from __future__ import annotations

import bpy

from ..hmtalker_blender.engine_paths import EXTENSION

LABEL, VERB, OWN = "*", "Operator", "HM-Talker"
"""Contexts of messages: panels and properties have Blender's default one, operators one of their own; ours is for words
that Blender translates otherwise."""

GERMAN: dict[tuple[str, str], str] = {
    (LABEL, "Talking Avatar"): "Sprechender Avatar",
    (LABEL, "Upper Face"): "Obere Gesichtshälfte",
    (LABEL, "Lower Face"): "Untere Gesichtshälfte",
    (OWN, "Performance"): "Darbietung",
    (LABEL, "Performances"): "Darbietungen",
    (LABEL, "Head and Speech"): "Kopf und Sprache",
    (LABEL, "Licence and Attribution"): "Lizenz und Namensnennung",
    (LABEL, "Generated Layer"): "Erzeugte Ebene",
    (LABEL, "Action Units"): "Action Units",
    (LABEL, "Emotion"): "Gefühl",
    (LABEL, "Other Faces and Programs"): "Andere Gesichter und Programme",
    (LABEL, "Help"): "Hilfe",
    (LABEL, "In the Scene"): "In der Szene",
    (LABEL, "Train Avatar"): "Avatar trainieren",
    (LABEL, "Training"): "Training",
    (LABEL, "Articulation"): "Artikulation",
    (LABEL, "Smoothing"): "Glättung",
    (LABEL, "Strength"): "Stärke",
    (LABEL, "Offset"): "Versatz",
    (LABEL, "Mute"): "Stumm",
    (LABEL, "Solo"): "Solo",
    (LABEL, "Error"): "Abweichung",
    (LABEL, "Blinks per Minute"): "Lidschläge pro Minute",
    (LABEL, "Brows"): "Brauen",
    (LABEL, "Eyes"): "Augen",
    (LABEL, "Cheeks and Nose"): "Wangen und Nase",
    (LABEL, "Lips"): "Lippen",
    (LABEL, "Jaw"): "Kiefer",
    (LABEL, "Left"): "Links",
    (LABEL, "Right"): "Rechts",
    (LABEL, "Gaze"): "Blick",
    (LABEL, "Head Motion"): "Kopfbewegung",
    (LABEL, "Nods"): "Nicken",
    (LABEL, "Breath"): "Atem",
    (LABEL, "As Filmed"): "Wie gefilmt",
    (LABEL, "Rest in Silence"): "In Pausen ruhen",
    (LABEL, "Seed"): "Zufallszahl",
    (LABEL, "Head Rotation"): "Kopfdrehung",
    (LABEL, "Head Shift"): "Kopfverschiebung",
    (LABEL, "Body Shift"): "Körperverschiebung",
    (LABEL, "Audio Influence"): "Einfluss des Tons",
    (LABEL, "Speech Time"): "Sprechzeit",
    (OWN, "Speaker"): "Sprecher",
    (LABEL, "Speech"): "Sprache",
    (LABEL, "Visible Mark"): "Sichtbare Kennzeichnung",
    (LABEL, "Corner"): "Ecke",
    (LABEL, "Bottom Right"): "Unten rechts",
    (LABEL, "Bottom Left"): "Unten links",
    (LABEL, "Top Right"): "Oben rechts",
    (LABEL, "Top Left"): "Oben links",
    (LABEL, "Dub"): "Synchronisieren",
    (LABEL, "Replace"): "Ersetzen",
    (LABEL, "Mouth"): "Mund",
    (LABEL, "Captured In"): "Aufbereitet in",
    (LABEL, "Certificate"): "Zertifikat",
    (LABEL, "Private Key"): "Privater Schlüssel",
    (VERB, "Talking Avatar"): "Sprechender Avatar",
    (VERB, "Add Speech Sample"): "Sprachbeispiel hinzufügen",
    (VERB, "Animate from Strip"): "Nach Streifen animieren",
    (VERB, "Animate All Strips"): "Alle Streifen animieren",
    (VERB, "Render to Sequencer"): "In den Sequencer rendern",
    (VERB, "Remove Performance"): "Darbietung entfernen",
    (VERB, "Clean Up"): "Aufräumen",
    (VERB, "Restore Keys"): "Keyframes wiederherstellen",
    (VERB, "Reset Layer"): "Ebene zurücksetzen",
    (VERB, "Apply Face"): "Gesicht anwenden",
    (VERB, "Save Face as Asset"): "Gesicht als Asset sichern",
    (VERB, "Make Emotion Assets"): "Gefühle als Assets anlegen",
    (VERB, "Follow Avatar"): "Avatar folgen",
    (VERB, "Stop Following"): "Nicht mehr folgen",
    (VERB, "Import Face Curves"): "Gesichtskurven importieren",
    (VERB, "Export Face Curves"): "Gesichtskurven exportieren",
    (VERB, "Export Gaussians"): "Gaußverteilungen exportieren",
    (VERB, "Copy Report"): "Bericht kopieren",
    (VERB, "Speak Sound File"): "Tondatei sprechen",
    (VERB, "Add Live Strip"): "Live-Streifen hinzufügen",
    (VERB, "Check for Render Farm"): "Für Renderfarm prüfen",
    (VERB, "Dub with Avatar"): "Mit Avatar synchronisieren",
    (VERB, "Cancel"): "Abbrechen",
}

LANGUAGES = {"de_DE": GERMAN}


def register() -> None:
    """Tell Blender the tables; it looks into them when it draws."""
    bpy.app.translations.register(EXTENSION, LANGUAGES)


def unregister() -> None:
    """Take them back."""
    bpy.app.translations.unregister(EXTENSION)
