"""`crmctl sla …`, `crmctl calendar …`: deadlines with their working; calendars, a year, days from iCal, what moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from crmctl.policy.policyset import PolicySet
    from crmctl.worktime.calendars import Calendar

NAME = click.option("--calendar", "name", default="", metavar="NAME", help=N_("This calendar, by its name."))
UNIT = click.option("--org-unit", default="", metavar="CODE", help=N_("The calendar of this org unit."))


@command(
    example=(
        'crmctl sla explain --from 2026-09-30T17:00 --within "7 working days"',
        'crmctl sla explain --from "2026-11-20 17:00" --within "2 working hours" --pause 2026-11-23T09:00/',
    ),
    exits=(0, 1, 2, 4, 6, 10, 11, 74),
    formats=("table", "json"),
)
@click.argument("case", required=False, metavar="[CASE]")
@click.option("--from", "start", default="", metavar="TIME", help=N_("When the clock starts, by the company's clock."))
@click.option("--within", default="", metavar="LIMIT", help=N_('The limit: "24 hours", "1 working day", "3 个工作日".'))
@NAME
@UNIT
@click.option("--pause", "pauses", multiple=True, metavar="FROM/UNTIL", help=N_("The clock stands still; repeatable."))
@click.option(
    "--ends",
    type=click.Choice(("close", "elapsed")),
    default="close",
    help=N_("Days end at the close of the last one, or at the time of day they began."),
)
def explain_command(
    call: Invocation,
    case: str | None,
    start: str,
    within: str,
    name: str,
    org_unit: str,
    pauses: tuple[str, ...],
    ends: str,
) -> None:
    """Say when a time limit ends, with every interval that counted and every day that did not.

    It is a calculation: the time may lie in the future. Minutes, hours and days run on the wall; working minutes,
    working hours and working days by the calendar in force on the day of the start. With CASE, the clocks of that case.
    """
    from crmctl.worktime import clocks, showing, times
    from crmctl.worktime.instants import local_day

    if case:
        if start or within or pauses:
            raise click.UsageError(_("CASE has its own times: leave --from, --within and --pause out"))
        showing.emit_case(call, clocks.case(call, case))
        return
    if not start or not within:
        raise click.UsageError(_("give --from and --within, or a CASE"))
    policies = _policies(call)
    zone = _zone(policies)
    begin, limit = (
        times.time_given("--from", start, zone),
        times.limit_given(within, "close" if ends == "close" else "elapsed"),
    )
    calendar = _calendar(policies, local_day(begin, zone), name, org_unit)
    stands = tuple(times.pause_given(text, zone) for text in pauses)
    showing.emit(call, clocks.Clock("", begin, limit, calendar, stands))


@command(example="crmctl calendar list", exits=(0, 2, 4))
def list_command(call: Invocation) -> None:
    """List the calendars in force: for whom, which days of the week, which public holidays."""
    from crmctl.worktime import listing

    policies = _policies(call)
    listing.emit_calendars(call, policies, _today(policies))


@command(
    example=("crmctl calendar show", "crmctl calendar show --year 2027 --calendar working"),
    exits=(0, 2, 4),
    formats=("table", "json"),
)
@click.option("--year", type=click.IntRange(1900, 2200), default=None, help=N_("The year; this one unless given."))
@NAME
@UNIT
def show_command(call: Invocation, year: int | None, name: str, org_unit: str) -> None:
    """Show a year of a calendar: working days of each month, and the days that are not as their day of the week."""
    from crmctl.worktime import listing

    policies = _policies(call)
    today = _today(policies)
    listing.emit_year(call, _calendar(policies, today, name, org_unit), year or today.year)


@command(
    example=("crmctl calendar import holidays-2027.ics --dry-run", "crmctl calendar import plant.ics --calendar plant"),
    exits=(0, 1, 2, 3, 4, 6, 11, 74),
    changes=True,
    silent=False,
)
@click.argument("file", type=click.Path(path_type=str), metavar="FILE")
@NAME
def import_command(call: Invocation, file: str, name: str) -> int:
    """Add the days off and make-up days of an iCal file to a calendar's file.

    An event's title decides: 休, 放假, holiday, day off are days off; 班, 补班, 上班, make-up, working day are worked.
    Whatever says neither, or both, is rejected and told. Comments and layout of the file stay, its version goes up by
    one; all policies are checked with the days in them before anything is written.
    """
    from pathlib import Path

    from crmctl.worktime import asking

    return asking.add_days(call, Path(file), name)


@command(
    example=("crmctl calendar update", "crmctl calendar update --apply"),
    exits=(0, 1, 2, 3, 4, 6, 10, 11, 74, 130, 143),
    changes=True,
    silent=False,
    formats=("table", "json", "ndjson", "csv", "xlsx"),
)
@NAME
@click.option("--apply", "apply_", is_flag=True, help=N_("Move them; without it they are only listed."))
def update_command(call: Invocation, name: str, apply_: bool) -> int | None:
    """List running deadlines that a changed calendar makes another, and with --apply move them.

    For when a year's holidays are announced, or the company takes a day off. What a customer was told never moves: it
    is listed with what it would be. Nor does a date that was promised.
    """
    from dataclasses import replace

    from crmctl.errors import REJECTED_ROWS
    from crmctl.runs import run as runs
    from crmctl.worktime import clocks, telling

    with runs.open_run(call, "calendar update", "calendar.update") as run:
        if name:
            _calendar(run.policies, _today(run.policies), name, "")
        apply_ = apply_ and not run.dry_run
        found = clocks.moving(run, name, apply=apply_)
        if not apply_:
            run = runs.record_reading(run, n=found.examined)
        telling.emit_moving(call, replace(run, run_id=found.run_id or run.run_id), found, applied=apply_)
    return REJECTED_ROWS if found.troubles else None


def _policies(call: Invocation) -> PolicySet:
    from crmctl import policy, workspace

    return policy.load(workspace.called(call).policies)


def _zone(policies: PolicySet) -> ZoneInfo:
    from zoneinfo import ZoneInfo

    return ZoneInfo(policies.company.timezone)


def _today(policies: PolicySet) -> date:
    from crmctl import clock
    from crmctl.worktime.instants import local_day

    return local_day(clock.now(), _zone(policies))


def _calendar(policies: PolicySet, day: date, name: str, org_unit: str) -> Calendar:
    """Return the calendar asked for. Raises InvalidInput for an unknown name or unit, UsageError for both."""
    from crmctl.errors import InvalidInput
    from crmctl.policy.model import folded, spellings
    from crmctl.policy.problems import suggest
    from crmctl.worktime.calendars import calendar_for

    if name and org_unit:
        raise click.UsageError(_("--calendar or --org-unit, not both"))
    known = spellings(policies.company.org_units)
    if org_unit and folded(org_unit) not in known:
        message = _("--org-unit {code}: no such unit").format(code=org_unit[:40])
        raise InvalidInput(message, hint=suggest(org_unit, set(known.values())), code="UNIT_UNKNOWN")
    return calendar_for(policies, day, org_unit=known[folded(org_unit)] if org_unit else None, name=name)
