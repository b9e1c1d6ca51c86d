# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a person's consent, as people read it."""

from __future__ import annotations

import pytest

from hmtalker.consent import consent_sentence


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        ({}, "No consent is recorded in this avatar."),
        ({"kind": "synthetic", "statement": "No real person is shown."}, "No real person is shown."),
        ({"person": "Ada", "date": "", "statement": 3}, "Ada consented: 3."),
        (
            {"person": "Ada", "date": "2026-01-31", "statement": "to speak", "recorded_by": "Charles"},
            "Ada consented on 2026-01-31: to speak (recorded by Charles).",
        ),
    ],
)
def test_the_record_of_consent_is_one_sentence_for_people(record, sentence):
    assert consent_sentence(record) == sentence
