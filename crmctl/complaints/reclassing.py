"""A complaint judged more or less severe: terms of its new severity, and none of its clocks gets longer (CMP-06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from crmctl.cases.clockwork import CalendarOf, Clock, recomputed
from crmctl.cases.policy import PROMISED
from crmctl.cases.terms import Terms
from crmctl.complaints import ruling
from crmctl.complaints.model import Case
from crmctl.runs import run as runs
from crmctl.runs.run import Run


def terms(run: Run, case: Case, to: Mapping[str, str]) -> Terms:
    """Return the terms of a complaint under the policy it was accepted under, as it stands today, with a new severity.

    Stages, limits and extensions are those of the severity. The date that the complainant was told stays, who keeps out
    and who is told when as well; what closing needed is needed still: nobody gets around a review by calling a
    complaint less severe. One that is only of another category keeps its terms. Raises InvalidInput where the policy
    is no more.
    """
    if to["severity"] == case.row["severity"]:
        return case.terms
    day = runs.today(run.policies, run.at)
    facts = {
        "channel": case.row["channel"],
        "customer_type": case.row["customer_type"],
        "org_unit": case.row["org_unit"],
        "tier": case.row["tier"],
        "severity": to["severity"],
    }
    policy = run.policies.policy("complaints", case.row["policy"], day)
    found = ruling.terms_of(run.policies, policy, facts)
    told = {stage.code: stage for stage in case.terms.stages if stage.told}
    stages = tuple(told.get(stage.code, stage) for stage in found.stages)
    closing = (*orjson.loads(found.rest)["closing"], *case.rest["closing"])
    rest = {**case.rest, "closing": list(dict.fromkeys(closing))}
    kept = orjson.dumps(rest, option=orjson.OPT_SORT_KEYS).decode()
    return replace(case.terms, stages=stages, extensions=found.extensions, rest=kept)


def tightened(clocks: Sequence[Clock], new: Terms, calendars: CalendarOf) -> tuple[Clock, ...]:
    """Return clocks by new terms where those end earlier; none of those that run ends later than before."""
    return tuple(_tightened(clock, new, calendars) for clock in clocks)


def _tightened(clock: Clock, new: Terms, calendars: CalendarOf) -> Clock:
    stage = new.stage(clock.stage)
    if not clock.running or clock.told or clock.extended or stage is None:
        return clock  # what somebody else agreed to stays
    if stage.within in ("", PROMISED, clock.within):
        return clock
    other = recomputed(replace(clock, within=stage.within), new, calendars)
    if clock.due_at is None and not clock.paused:
        return other
    return other if other.due_at is not None and clock.due_at is not None and other.due_at < clock.due_at else clock
