"""`sla explain CMP-20261121-0007`: every limit of a complaint with its working, and whether it still comes out so."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from crmctl import clock as times
from crmctl.cases import numbers
from crmctl.cases.clockwork import CalendarOf, Clock, limit_text
from crmctl.cases.policy import PROMISED
from crmctl.complaints import ruling, showing, telling
from crmctl.complaints.drafting import label_of
from crmctl.complaints.model import Case
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.worktime import clocks
from crmctl.worktime.calendars import Calendar
from crmctl.worktime.deadlines import due

if TYPE_CHECKING:
    from crmctl.cases.policy import Stage
    from crmctl.cli.invocation import Invocation


def explained(call: Invocation, reference: str) -> clocks.Case | None:
    """Return a complaint's limits for `sla explain`; None for what is no acceptance number.

    Needs the acts `sla.explain` and `complaint.show`. Raises Refused for a complaint there is not or is not the
    person's, the same for both, noted in the log.
    """
    try:
        number = numbers.parsed(reference)
    except InvalidInput:
        return None
    with runs.open_run(call, "sla explain", "sla.explain") as run:
        looking = runs.permitted(replace(run, act="complaint.show"))
        case = showing.known(looking, number)
        found = _limits(run, case)
        run = runs.record_reading(run, obj=f"complaint:{case.complaint_id}", n=1)
    policy, version = case.row["policy"], case.row["policy_version"]
    told = _("{number}, accepted under policy {policy}, version {version}")
    more = {"policy": policy, "policy_version": version}
    line = told.format(number=case.number, policy=policy, version=version)
    return clocks.Case(case.number, found, run.run_id, (line,), more)


def _limits(run: Run, case: Case) -> tuple[clocks.Clock, ...]:
    calendars = ruling.calendars(run.policies, runs.today(run.policies, run.at), case.row["org_unit"])
    stages = _stages(run, case)
    return tuple(_limit(run, case, each, calendars, stages) for each in case.clocks)


def _stages(run: Run, case: Case) -> tuple[Stage, ...]:
    """Return the stages as the policy calls them now; none where it is gone."""
    named = [each for each in run.policies.of_kind("complaints") if each.name == case.row["policy"]]
    return tuple(ruling.settings_of(named[0]).stages) if named else ()


def _limit(
    run: Run, case: Case, each: Clock, calendars: CalendarOf, stages: tuple[Stage, ...]
) -> clocks.Clock:  # fmt: skip
    stage = case.terms.stage(each.stage)
    calendar = calendars(stage.calendar if stage else "")
    counted = stage is not None and each.within not in ("", PROMISED)
    limit = limit_text(each.within, stage) if stage is not None and counted else None
    source = list(stage.source) if stage else []
    source += [clause for rule in _rules(case, each) for clause in rule if clause not in source]
    same = _same(each, calendar, case)
    more = {
        "stage": each.stage,
        "started_at": _local(run, each.started_at),
        "stopped_at": _local(run, each.stopped_at),
        "within": each.within,
        "source": source,
        "told": each.told,
        "extended": each.extended,
        "stored_due": _local(run, each.due_at),
        "same": same,
    }
    label = label_of(stages, each.stage)
    notes = _notes(run, each, source, same, undecided=stage.undecided if stage else "")
    return clocks.Clock(label, each.started_at, limit, calendar, each.pauses, each.due_at, notes, more)


def _rules(case: Case, each: Clock) -> list[tuple[str, ...]]:
    """Return the clauses of the extensions that a clock has had."""
    return [rule.source for rule in case.terms.extensions if rule.stage == each.stage][: each.extended]


def _same(each: Clock, calendar: Calendar, case: Case) -> bool | None:
    """Say whether the deadline comes out again by the calendar of today; None where there is nothing to compare."""
    stage = case.terms.stage(each.stage)
    if stage is None or each.due_at is None or each.within in ("", PROMISED):
        return None
    return due(each.started_at, limit_text(each.within, stage), calendar, each.pauses).at == each.due_at


def _notes(run: Run, each: Clock, source: list[str], same: bool | None, *, undecided: str) -> tuple[str, ...]:
    said: list[str] = []
    if undecided:
        said.append(_("company.yaml has no value for {name} yet").format(name=undecided))
    if same is False:
        said.append(_("by the calendar of today another date comes out; the recorded one counts"))
    if each.told:
        said.append(_("told to the complainant"))
    if each.extended:
        said.append(_("extended {times} times").format(times=each.extended))
    if each.stopped_at is not None:
        told = _("ended {at}, late") if each.late(each.stopped_at) else _("ended {at}, in time")
        told = told if each.due_at is not None else _("ended {at}")
        said.append(told.format(at=telling.short(run, each.stopped_at)))
    elif each.late(run.at):
        said.append(_("overdue"))
    if source:
        said.append(_("clauses: {clauses}").format(clauses=", ".join(source)))
    return tuple(said)


def _local(run: Run, moment: datetime | None) -> Any:  # noqa: ANN401
    return times.local(moment, run.zone) if moment else None
