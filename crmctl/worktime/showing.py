"""`crmctl sla explain`: a deadline with its working, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from crmctl import clock
from crmctl.cli.render import Column, Part, Table
from crmctl.i18n import N_, _
from crmctl.worktime.calendars import Calendar
from crmctl.worktime.clocks import Case, Clock
from crmctl.worktime.explain import Interval, Skipped, Working, explain
from crmctl.worktime.limits import Limit
from crmctl.worktime.times import day_told, span_told, time_told

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.worktime.pauses import Pause

WHY: Mapping[str, str] = {
    "workday": N_("working day"),
    "make_up": N_("make-up working day"),
    "day_worked": N_("worked by the company's own list"),
    "restday": N_("rest day"),
    "holiday": N_("public holiday"),
    "fixed_holiday": N_("fixed holiday"),
    "day_off": N_("off by the company's own list"),
    "start": N_("day of the start"),
    "pause": N_("pause"),
}
_COLUMNS = (
    Column("number", N_("Day"), right=True),
    Column("from", N_("From")),
    Column("until", N_("Until")),
    Column("counted", N_("Counts"), right=True),
    Column("why", N_("Why")),
)


def emit(call: Invocation, each: Clock) -> None:
    """Write the working of a clock that is no case's."""
    found = working(each)
    call.emit(document(each, found), *lines(each, found))


def emit_case(call: Invocation, case: Case) -> None:
    """Write the working of each clock of a case."""
    told = [(each, working(each)) for each in case.clocks]
    documents = [document(each, found) for each, found in told]
    parts: list[Part] = list(case.notes)
    for each, found in told:
        parts += [*([""] if parts else []), *lines(each, found)]
    call.emit({"run_id": case.run_id, "case": case.reference, **case.more, "clocks": documents}, *parts)


def working(each: Clock) -> Working:
    """Return a clock's working; without a limit there is nothing but the date that is recorded."""
    if each.limit is None:
        return Working(each.recorded, False, (), ())
    return explain(each.start, each.limit, each.calendar, each.pauses)


def document(each: Clock, working: Working) -> dict[str, Any]:
    """Return a clock's working as JSON; times with the company's offset, lengths in seconds."""
    zone, limit = each.calendar.zone, each.limit
    return {
        **({"label": each.label} if each.label else {}),
        "from": _moment(each.start, zone),
        "limit": {"number": limit.number, "unit": limit.unit, "ends": limit.ends} if limit else None,
        "calendar": each.calendar.key if limit and limit.working else None,
        "zone": zone.key,
        "due": _moment(working.due, zone) if working.due else None,
        **({"recorded": _moment(each.recorded, zone)} if each.recorded else {}),
        "provisional": working.provisional,
        "pauses": [_pause(pause, zone) for pause in each.pauses],
        "intervals": [_interval(interval, zone) for interval in working.intervals],
        "skipped": [_skipped(skipped, zone) for skipped in working.skipped],
        **each.more,
    }


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return clock.local(at, zone.key)


def _pause(pause: Pause, zone: ZoneInfo) -> dict[str, Any]:
    return {"from": _moment(pause.from_, zone), "until": _moment(pause.until, zone) if pause.until else None}


def _interval(interval: Interval, zone: ZoneInfo) -> dict[str, Any]:
    day = interval.day
    return {
        "from": _moment(interval.from_, zone),
        "until": _moment(interval.until, zone),
        "seconds": int(interval.counted.total_seconds()),
        "day": interval.number or None,
        "why": day.why if day else None,
        "label": day.label if day else "",
        "provisional": bool(day and day.provisional),
    }


def _skipped(skipped: Skipped, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "from": _moment(skipped.from_, zone),
        "until": _moment(skipped.until, zone) if skipped.until else None,
        "why": skipped.why,
        "label": skipped.label,
        "provisional": skipped.provisional,
    }


def lines(each: Clock, working: Working) -> list[Part]:
    """Return a clock's working for people: what it comes to, then all that counted and did not, in order of time."""
    calendar, limit = each.calendar, each.limit
    if limit is None:
        due = time_told(each.recorded, calendar.zone, closing=True) if each.recorded else ""
        told = _("due {due}, as promised").format(due=due) if due else _("no limit: only measured")
        since = _("from {start}: {outcome}").format(start=time_told(each.start, calendar.zone), outcome=told)
        return [*([f"{each.label}:"] if each.label else []), since, *each.notes]
    rows = [(interval.from_, _counted_row(interval, limit, calendar)) for interval in working.intervals]
    rows += [(skipped.from_, _skipped_row(skipped, calendar)) for skipped in working.skipped]
    rows.sort(key=lambda row: row[0])
    parts: list[Part] = [*([f"{each.label}:"] if each.label else []), _outcome(each, limit, working)]
    if each.recorded and each.recorded != working.due:
        parts.append(_("recorded deadline: {time}").format(time=time_told(each.recorded, calendar.zone, closing=True)))
    if working.provisional:
        parts.append(_("provisional: public holidays in it are not announced yet; the deadline may move"))
    return [*parts, *each.notes, "", Table(_COLUMNS, [row for _at, row in rows])]


def _outcome(each: Clock, limit: Limit, working: Working) -> str:
    zone = each.calendar.zone
    begin = _("{limit} from {start}").format(limit=limit.words, start=time_told(each.start, zone))
    if limit.working:
        begin = _("{limit}, calendar {calendar}").format(limit=begin, calendar=each.calendar.key)
    if working.due is None:
        return _("{limit}: no deadline while the clock stands still").format(limit=begin)
    return _("{limit}: due {due}").format(limit=begin, due=time_told(working.due, zone, closing=True))


def _counted_row(interval: Interval, limit: Limit, calendar: Calendar) -> tuple[Any, ...]:
    zone, day = calendar.zone, interval.day
    why = reason(day.why, day.label, day.provisional) if day else _("every hour counts")
    if interval.number and not limit.working:
        why = _("every day counts")
    until = time_told(interval.until, zone, closing=True)
    return interval.number or None, time_told(interval.from_, zone), until, span_told(interval.counted), why


def _skipped_row(skipped: Skipped, calendar: Calendar) -> tuple[Any, ...]:
    why = reason(skipped.why, skipped.label, skipped.provisional)
    if skipped.first and skipped.last and skipped.why != "start":
        return None, day_told(skipped.first), day_told(skipped.last), "-", why
    until = time_told(skipped.until, calendar.zone, closing=True) if skipped.until else _("still open")
    return None, time_told(skipped.from_, calendar.zone), until, "-", why


def reason(why: str, label: str, provisional: bool) -> str:
    """Return why a day counts or not, in the reader's language."""
    text = _(WHY[why])
    if label:
        text = _("{why}: {label}").format(why=text, label=label)
    return _("{why} (provisional)").format(why=text) if provisional else text
