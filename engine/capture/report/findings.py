# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is to be said about a capture, the worst first."""

from __future__ import annotations

from .coverage import Coverage
from .facts import CaptureFacts
from .finding import NOTE, SEVERITIES, Finding, Span
from .footage_findings import footage_findings
from .performance_findings import performance_findings
from .picture_findings import picture_findings
from .sound_findings import sound_findings

__all__ = ["SEVERITIES", "Finding", "Span", "findings", "verdict"]


def findings(facts: CaptureFacts) -> list[Finding]:
    """Ordered by severity, then footage, picture, sound, performance. Odd footage gives findings, never errors."""
    found = [
        *footage_findings(facts),
        *picture_findings(facts),
        *sound_findings(facts),
        *performance_findings(facts, Coverage(facts)),
        *(Finding(NOTE, "stage", "A note from the capture.", text, "") for text in facts.warnings),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def verdict(found: list[Finding]) -> tuple[str, str]:
    """(severity or "good", the sentence that the report begins with)."""
    count = {severity: sum(finding.severity == severity for finding in found) for severity in SEVERITIES}
    if count["stop"]:
        return "stop", "Film again before you train on this."
    if count["warn"]:
        return "warn", "This can be trained on; the avatar gets better if you film again."
    return "good", "This is good footage."
