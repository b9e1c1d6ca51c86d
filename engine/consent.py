# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a filmed person's consent, without which no avatar of them is made. It stays in the avatar's file."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Consent:
    """Who agreed to what, when, and who wrote it down."""

    person: str = ""
    """Name of the person who is shown."""
    statement: str = ""
    """What they agreed to."""
    date: str = ""
    """Day on which they did, as YYYY-MM-DD."""
    recorded_by: str = ""
    """Name of the one who keeps the record."""

    def missing(self) -> str:
        """What the record still lacks, without a full stop; empty where it is complete."""
        if not self.person.strip():
            return "Consent: write down the name of the person who is shown"
        if not self.statement.strip():
            return "Consent: write down what the person agreed to"
        try:
            day = datetime.date.fromisoformat(self.date.strip())
        except ValueError:
            return "Consent: write the day on which the person agreed as year-month-day, such as 2026-01-31"
        if day > datetime.date.today() + datetime.timedelta(days=1):  # it may be tomorrow already where they live
            return "Consent: the day on which the person agreed is still to come; correct the date"
        if not self.recorded_by.strip():
            return "Consent: write down who recorded it"
        return ""

    def to_dict(self) -> dict[str, str]:
        """As an avatar's header has it."""
        return {key: value.strip() for key, value in asdict(self).items()}


def consent_sentence(record: Mapping[str, object]) -> str:
    """What an avatar's header says about consent, as one sentence for people."""
    known = {key: str(value).strip() for key, value in record.items() if str(value).strip()}
    if "person" not in known:
        return known.get("statement") or "No consent is recorded in this avatar."
    when = f" on {known['date']}" if "date" in known else ""
    what = f": {known['statement']}" if "statement" in known else ""
    by = f" (recorded by {known['recorded_by']})" if "recorded_by" in known else ""
    return f"{known['person']} consented{when}{what}{by}."
