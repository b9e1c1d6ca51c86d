# SPDX-License-Identifier: GPL-3.0-or-later
"""How well does the report's phone recogniser hear? Against the aligned phones of GRID s1.

    python benchmarks/heard_phones.py --grid GRID        (needs the package pocketsphinx)

GRID is a folder with split.json, phones.json (clip -> phones as [name, begin, end] in seconds) and clips/*.mpg.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]
import conftest  # noqa: F401  (makes hmtalker importable from the working tree)

from hmtalker.capture.report.phones import VISEMES, phone_segments
from hmtalker.speech.audio_file import load_audio

GROUP = {phone: name for name, members in VISEMES.items() for phone in members}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, required=True)
    options = parser.parse_args()
    aligned = json.loads((options.grid / "phones.json").read_text())
    names = json.loads((options.grid / "split.json").read_text())["eval"]
    total, right, alike = Counter(), Counter(), Counter()
    seconds = 0.0
    for name in names:
        sound = load_audio(options.grid / "clips" / name)
        started = time.process_time()
        heard = phone_segments(sound)
        seconds += time.process_time() - started
        if not heard:
            print("Nothing was heard; install pocketsphinx.")
            return 1
        begins = np.array([begin for _, begin, _ in heard])
        for phone, begin, end in (entry[:3] for entry in aligned[name]["phones"]):
            if phone not in GROUP:
                continue
            there = heard[max(0, int(np.searchsorted(begins, (begin + end) / 2, side="right")) - 1)][0]
            total[GROUP[phone]] += 1
            right[GROUP[phone]] += there == phone
            alike[GROUP[phone]] += GROUP.get(there) == GROUP[phone]
    count = sum(total.values())
    print(f"{count} phones of {len(names)} sentences, {seconds:.1f} s of one core")
    print(f"right phone {sum(right.values()) / count:.0%}, right group {sum(alike.values()) / count:.0%}")
    for group in VISEMES:
        if total[group]:
            print(f"  {group}: {alike[group] / total[group]:.0%} of {total[group]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
