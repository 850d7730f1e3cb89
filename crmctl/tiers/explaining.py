"""What `tier explain` and `policy explain` say of a customer."""

from __future__ import annotations

from typing import Any

from crmctl.customers import showing
from crmctl.runs.run import Run
from crmctl.tiers import overrides, telling
from crmctl.tiers.explain import explain


def explained(run: Run, number: str, *, for_people: bool) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
    """Return the customer's number, the explanation as JSON, and as lines of label and text (`for_people` only).

    The reason of an override is opened for people, who read it; programs get what the log may hold, too.
    """
    wanted = showing.parse_number(number)
    found = explain(run, wanted)
    document = telling.explanation_document(run.policies, found)
    if not for_people:
        return wanted, document, []
    reason = overrides.reason_of(run, found.override) if found.override else ""
    return wanted, document, list(telling.explanation_lines(run.policies, found, reason))
