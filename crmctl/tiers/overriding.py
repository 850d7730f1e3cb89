"""`tier override`: what was asked for, checked, set, and the customer graded at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.tiers import overrides
from crmctl.tiers.overrides import Wish
from crmctl.tiers.regrade import Outcome, Request, known, regrade, regraded

KINDS = ("pin", "floor", "ceiling")


def wish(run: Run, number: int, given: Mapping[str, Any]) -> Wish:
    """Return what was asked for. Raises UsageProblem or InvalidInput for what does not make sense."""
    from crmctl.customers.asking import code_of

    kinds = [kind for kind in KINDS if given[kind]]
    if len(kinds) + bool(given["lift"]) != 1:
        raise UsageProblem(_("give one of --pin, --floor, --ceiling, --lift"))
    if given["lift"]:
        return Wish(number, None)
    if not given["reason"].strip():
        raise UsageProblem(_("--reason is missing"), hint=_("an override says why (TIER-04)"))
    tier = code_of(run.policies, "tier", given[kinds[0]])
    return Wish(number, kinds[0], tier, given["reason"].strip(), _until(run, given["until"]))  # type: ignore[arg-type]


def _until(run: Run, text: str) -> date | None:
    if not text:
        return None
    try:
        until = date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(_("--until {text}: not a day").format(text=text[:20]), hint="2027-06-30") from None
    if until < runs.today(run.policies, run.at):
        raise InvalidInput(_("--until {text}: has passed").format(text=text), hint=_("name a day to come"))
    return until


def override(run: Run, asked: Wish, request: Request) -> Outcome:
    """Set or lift an override and grade the customer; in a dry run say what the rules alone would do."""
    if run.dry_run:
        return regrade(run, request, lambda _done: None)
    known(run, request)
    begun = runs.begin(run)
    with runs.recorded_failure(begun):
        overrides.put(begun, asked)
        return regraded(begun, request, lambda _done: None, first_chunk=1)
