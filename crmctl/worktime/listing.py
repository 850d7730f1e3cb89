"""`crmctl calendar list` and `crmctl calendar show`: the calendars there are, and a year of one."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, cast

from crmctl.cli.render import Column, Part, Table
from crmctl.i18n import N_, _
from crmctl.worktime.calendars import Calendar, in_force
from crmctl.worktime.policy import WEEKDAYS, CalendarSettings
from crmctl.worktime.showing import reason
from crmctl.worktime.times import SHORT, span_told
from crmctl.worktime.yearview import months, unusual

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.policy.policyset import PolicySet

_CALENDARS = (
    Column("name", N_("Name")),
    Column("version", N_("Version"), right=True),
    Column("org_units", N_("Units")),
    Column("days", N_("Days of the week"), show=lambda days: ", ".join(_(SHORT[day]) for day in days)),
    Column("holidays", N_("Public holidays")),
    Column("unannounced", N_("Year not announced")),
    Column("days_off", N_("Own days off"), right=True),
    Column("days_worked", N_("Own working days"), right=True),
    Column("file", N_("File")),
)
_MONTHS = (
    Column("month", N_("Month")),
    Column("working_days", N_("Working days"), right=True),
    Column("working_hours", N_("Working hours"), right=True),
    Column("provisional", N_("Provisional"), show=lambda unsure: _("yes") if unsure else ""),
)
_DAYS = (
    Column("date", N_("Day")),
    Column("weekday", N_("Weekday"), show=lambda day: _(SHORT[day])),
    Column("worked", N_("Worked")),
    Column("shifts", N_("Shifts")),
    Column("why", N_("Why"), show=lambda why: reason(*why)),
)


def emit_calendars(call: Invocation, policies: PolicySet, today: date) -> None:
    """Write the calendars in force, most general first as the files stand."""
    rows = []
    for policy in in_force(policies, today):
        settings = cast("CalendarSettings", policy.settings)
        worked = [name for place, name in enumerate(WEEKDAYS) if settings.shifts(place)]
        rows.append(
            (policy.name, policy.version, list(policy.scope.org_unit), worked, settings.holidays, settings.unannounced,
             len(settings.days_off), len(settings.days_worked), policy.path)
        )  # fmt: skip
    call.emit({}, Table(_CALENDARS, rows, key="calendars"))


def emit_year(call: Invocation, calendar: Calendar, number: int) -> None:
    """Write a year of a calendar: each month's working days, and the days that are not as their day of the week."""
    found = months(calendar, number)
    of_months: list[tuple[Any, ...]] = [
        (each.first.strftime("%Y-%m"), each.days, span_told(each.time), each.provisional) for each in found
    ]
    days = list(unusual(calendar, number))
    rows = [
        (
            day.isoformat(),
            WEEKDAYS[day.weekday()],
            kind.worked,
            list(kind.shifts),
            (kind.why, kind.label, kind.provisional),
        )
        for day, kind in days
    ]
    document = {
        "calendar": calendar.key,
        "zone": calendar.zone.key,
        "year": number,
        "provisional": any(each.provisional for each in found),
        "working_days": sum(each.days for each in found),
        "months": [
            {
                "month": each.first.strftime("%Y-%m"),
                "working_days": each.days,
                "working_seconds": int(each.time.total_seconds()),
                "provisional": each.provisional,
            }
            for each in found
        ],
        "days": [
            {
                "date": day.isoformat(),
                "worked": kind.worked,
                "shifts": list(kind.shifts),
                "why": kind.why,
                "label": kind.label,
                "provisional": kind.provisional,
            }
            for day, kind in days
        ],
    }
    title = _("Calendar {calendar}, {year}: {days} working days").format(
        calendar=calendar.key, year=number, days=document["working_days"]
    )
    unsure = _("provisional: the public holidays of {year} are not announced yet").format(year=number)
    parts: list[Part] = []
    if rows:
        parts = ["", _("Days that are not as their day of the week:"), "", Table(_DAYS, rows)]
    call.emit(
        document,
        title,
        *([unsure] if document["provisional"] else []),
        "",
        Table(_MONTHS, of_months),
        *parts,
    )
