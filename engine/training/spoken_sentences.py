# SPDX-License-Identifier: GPL-3.0-or-later
"""What synthetic voices say: sentences written for this purpose, so that every phone comes often and beside others.

The English ones are heavy in ER, NG, OY, SH, UH and ZH, and in lips that close, touch the teeth and round.
"""

from __future__ import annotations

from .spoken_text import Voice

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "She was sure that the sugar should go in the bushel basket.",
        "The boy was annoyed by the noise of the oily toy.",
        "Her first nurse learned thirty words of Turkish in church.",
        "Put your foot on the wooden hook, and look into the book.",
        "The usual version of the treasure map shows the garage in beige.",
        "Singing and ringing, the young king was bringing a long string home.",
        "My mother pumped a bit more warm milk into the blue bowl.",
        "Five very brave wolves found the fifth vivid leaf in November.",
        "We would wait, while one quiet woman went away west.",
        "Ships push fresh fish ashore with a splash and a crash.",
        "Good cooks could push the full pudding across.",
        "A decision about leisure is a pleasure, as a rule.",
        "Join us and enjoy the royal choice of moist, boiled oysters.",
        "The early bird heard a girl work on a purple skirt.",
        "Nothing is wrong with thinking along, hanging on, and going strong.",
        "Bob and Pam may maybe have probably remembered a map.",
        "Who moved two huge blue shoes through the school room?",
        "Oh no, the old boat won't float over those low stones.",
        "How about a brown cow, now loud and proud on the ground?",
        "Charge the large jar, George; each child chose a cheap peach.",
        "I try to find my bright white kite high in the sky.",
        "Father's car was far from the calm, dark harbour.",
        "That black cat sat back and had a map and a hat.",
        "They both thought that this thin thread is worth three feathers.",
        "Please keep these three green trees clean.",
        "Ed said ten men went to rest in a red tent.",
        "Some of us come up for lunch under the sunny bus.",
        "All tall lawyers saw more straw fall on the lawn.",
        "Yes, your yellow yacht used to be beyond the yard.",
        "Quickly zip the zebra's fuzzy, easy dress.",
        "He laid eight grey plates away today, and he may stay.",
        "Hot coffee is not what the doctor wants a lot of.",
    ),
    "de": (
        "Zwölf Boxkämpfer üben schöne Sprünge über böse Flüsse.",
        "Die Mutter fährt am Morgen mit dem Bus und einem Buch in die Schule.",
        "Warum spricht der Junge so leise von Fischen, Bäumen und Wasser?",
        "Pfeffer und Öl gehören auf den Tisch, und frische Brötchen auch.",
    ),
    "fr": (
        "Une jeune femme pose deux bouteilles bleues sur la vieille table.",
        "Je voudrais un bon morceau de fromage et du pain chaud.",
        "Pourquoi le cheval fou boit-il beaucoup dans la rue mouillée?",
        "Ma mère marche vers la mer, puis elle chante sous la pluie.",
    ),
    "es": (
        "El perro busca mucho pan bajo la mesa de mi abuelo.",
        "Vamos a beber un poco de agua fresca por la mañana.",
        "La muchacha fue sola a la playa con ocho zapatos azules.",
    ),
    "it": (
        "Mia sorella vuole un piccolo fiore bianco e un gatto.",
        "Buongiorno, oggi piove molto e fa freddo in montagna.",
        "Lo zio lascia le chiavi sopra il tavolo della cucina.",
    ),
    "pl": ("Proszę o szklankę wody i dwa duże kawałki chleba.", "Moja mama bardzo lubi wysokie góry i morze."),
    "sv": ("Sju sjuka sjömän åt blåbär på den gröna ön.", "Min bror köpte en ny bok och en röd cykel."),
    "tr": ("Küçük köpek büyük bahçede mavi topu buldu.", "Babam bugün çok güzel bir hikâye okuyor."),
}

VARIANTS = ("", "+f2", "+m3", "+f4", "+m7", "+Annie", "+klatt2", "+m1", "+Alicia", "+Michael", "+steph", "+quincy")
"""eSpeak NG's speakers: other vocal tracts and other voices, formant and Klatt."""
ENGLISH = ("en", "en-us")
SPEEDS = (130, 150, 170, 195)
PITCHES = (35, 50, 65)
TURNS = 2
"""Times that every sentence is said, each time by another voice."""


def script(turns: int = TURNS) -> list[tuple[str, Voice]]:
    """Every sentence `turns` times, (text, voice); each voice, speed and pitch comes about equally often."""
    result: list[tuple[str, Voice]] = []
    for turn in range(turns):
        for language, texts in SENTENCES.items():
            for text in texts:
                number = len(result)
                name = ENGLISH[(number + turn) % 2] if language == "en" else language
                voice = name + VARIANTS[(5 * number + turn) % len(VARIANTS)]
                result.append((text, Voice(voice, SPEEDS[number % len(SPEEDS)], PITCHES[number % len(PITCHES)])))
    return result
