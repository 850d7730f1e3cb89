"""`tier override`: what was asked for, checked, set, and the customer graded at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from crmctl.customers import ended, showing
from crmctl.customers.model import CANCELLED, PROVISIONAL, PUT_AWAY
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput, Refused, UsageProblem
from crmctl.i18n import _
from crmctl.policy.model import folded, spellings
from crmctl.policy.policyset import PolicySet
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine
from crmctl.tiers import overrides, telling
from crmctl.tiers import survey as surveys
from crmctl.tiers.explain import place_of
from crmctl.tiers.overrides import Wish
from crmctl.tiers.regrade import Outcome, Request, basis_of, known, outcome_of, regraded, within_limits
from crmctl.tiers.survey import Basis, Tally

KINDS = ("pin", "floor", "ceiling")


def wish(run: Run, number: int, given: Mapping[str, Any]) -> Wish:
    """Return what was asked for. Raises UsageProblem or InvalidInput for what does not make sense."""
    kinds = [kind for kind in KINDS if given[kind]]
    if len(kinds) + bool(given["lift"]) != 1:
        raise UsageProblem(
            _("give one of --pin, --floor, --ceiling, --lift"), hint=_("crmctl tier override --help shows how")
        )
    if given["lift"]:
        return Wish(number, None)
    if not given["reason"].strip():
        raise UsageProblem(_("--reason is missing"), hint=_("an override says why (TIER-04)"))
    tier = _code_of(run.policies, given[kinds[0]])
    return Wish(number, kinds[0], tier, given["reason"].strip(), _until(run, given["until"]))  # type: ignore[arg-type]


def _code_of(policies: PolicySet, text: str) -> str:
    """Return the tier people call so, in whichever policy. Raises InvalidInput when it is none."""
    tiers = tuple(telling.all_tiers(policies))
    code = spellings(tiers).get(folded(text))
    if code is None:
        raise _no_tier(text, [tier.code for tier in tiers])
    return code


def _no_tier(text: str, codes: Iterable[str]) -> InvalidInput:
    return InvalidInput(
        _("{text}: no such {field}").format(text=text[:40], field=_("tier")),
        hint=_("one of: {codes}").format(codes=", ".join(dict.fromkeys(codes))),
        code="CODE_UNKNOWN",
    )


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
    """Set or lift an override and grade the customer, or say what that would do (`run.dry_run`).

    Raises InvalidInput for a tier that the customer's policy has not, ValueUndecided while a figure is unset,
    LimitExceeded where the customer may not change, Refused for one there is not or when there is nothing to lift;
    nothing is set then.
    """
    known(run, request)
    base = basis_of(run, request)
    _of_its_policy(run, asked, base)
    if run.dry_run:
        return _tried(run, asked, request, base)
    begun = runs.begin(run)
    with runs.recorded_failure(begun):
        overrides.put(begun, asked, lambda conn: _allowed(conn, begun, request, base))
        return regraded(begun, request, lambda _done: None, first_chunk=1)


def _of_its_policy(run: Run, asked: Wish, base: Basis) -> None:
    """Raise InvalidInput for a tier that the policy for the customer does not know: it would mean nothing.

    Raises Refused for an unidentified complainant and for who is cancelled or put away, whom nothing grades.
    """
    with engine.read(run.engine) as conn:
        status = conn.execute(select(customer.c.status).where(customer.c.customer_id == asked.customer_id)).scalar_one()
        place, _exception = place_of(conn, base, asked.customer_id)
    if status == PROVISIONAL:
        raise Refused(
            _("{customer}: nobody knows yet who that is").format(customer=showing.number_text(asked.customer_id)),
            code="PROVISIONAL",
        )
    if status == PUT_AWAY:
        raise ended.put_away(asked.customer_id)
    if status == CANCELLED:
        raise Refused(
            _("{customer}: is cancelled").format(customer=showing.number_text(asked.customer_id)),
            code="CUSTOMER_CANCELLED",
        )
    if asked.kind is not None and place is not None:
        ranks = base.scoped[place].grading.ranks()
        if asked.tier not in ranks:
            raise _no_tier(asked.tier, ranks)


class _Undone(Exception):
    """Ends a transaction that was only to be looked at."""


def _tried(run: Run, asked: Wish, request: Request, base: Basis) -> Outcome:
    """Return what would become of the customer: the override is set, looked at, and rolled back."""
    found: list[list[Tally]] = []

    def look(conn: Connection) -> None:
        found.append(_allowed(conn, run, request, base))
        raise _Undone

    with contextlib.suppress(_Undone):
        overrides.put(run, asked, look)
    return outcome_of(run, found[0])


def _allowed(conn: Connection, run: Run, request: Request, base: Basis) -> list[Tally]:
    """Return what the override does, as its transaction sees it. Raises LimitExceeded."""
    tallies = surveys.survey(conn, base)
    within_limits(run, request, tallies)
    return tallies
