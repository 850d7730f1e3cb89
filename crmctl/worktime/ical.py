"""Days off and make-up days from an iCal file; what an event means is said by its title.

Every day of an event counts: from its first to its last, all-day events as they are meant (the end is the day after),
others by the company's clock. What is not understood is told with its reason, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from crmctl.errors import InvalidInput
from crmctl.i18n import _

MOST_BYTES = 4 << 20
MOST_DAYS = 366  # of one event
LONGEST_TITLE = 100
DAY = timedelta(days=1)

_ALONE = r"(?:^|[\s\W]|节|日|旦|明){0}(?:$|[\s\W])"
_WORKED = re.compile("补班|上班|" + _ALONE.format("班") + r"|\bmake-?up\b|\bworking day\b|\bworkday\b", re.IGNORECASE)
_OFF = re.compile("放假|假期|公休|休息|" + _ALONE.format("休") + r"|\bholiday\b|\bday off\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Told:
    """A day that the file says is worked or off, with the title of its event."""

    day: date
    worked: bool
    title: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """An event that is not taken, and why; `day` is its first one where it has any."""

    day: date | None
    title: str
    reason: str


def read(data: bytes, name: str, zone: ZoneInfo) -> tuple[tuple[Told, ...], tuple[Rejected, ...]]:
    """Return the days that a file tells, in order, and the events that are rejected; `name` is what messages call it.

    Raises InvalidInput for what is no iCal file or too large for one.
    """
    told: dict[date, Told] = {}
    rejected: list[Rejected] = []
    for event in _events(data, name):
        title = _plain(str(event.get("SUMMARY") or ""))
        days, wrong = _days(event, zone)
        worked = meaning(title)
        if not wrong and worked is None:
            wrong = _("the title says neither off nor worked, or both")
        clash = next((day for day in days if day in told and told[day].worked != worked), None)
        if not wrong and clash is not None:
            wrong = _("{day} is off and worked in the same file").format(day=clash)
        if wrong or worked is None:
            rejected.append(Rejected(days[0] if days else None, title, wrong))
            continue
        for day in days:
            told.setdefault(day, Told(day, worked, title))
    return tuple(told[day] for day in sorted(told)), tuple(rejected)


def _plain(title: str) -> str:
    """Return a title in one line, without what is not seen: a policy file takes no invisible characters."""
    shown = "".join(each if each.isprintable() else " " if each.isspace() else "" for each in title)
    return " ".join(shown.split())[:LONGEST_TITLE]


def meaning(title: str) -> bool | None:
    """Say whether a title means a worked day (True) or a day off (False); None where it says neither, or both."""
    worked, off = _WORKED.search(title) is not None, _OFF.search(title) is not None
    return worked if worked != off else None


def _events(data: bytes, name: str) -> Iterator[Any]:
    import icalendar

    if len(data) > MOST_BYTES:
        message = _("{path}: is too large to be a calendar of days").format(path=name)
        raise InvalidInput(message, hint=_("import days off and make-up days only"), code="ICAL_INVALID")
    try:
        calendars: Sequence[Any] = icalendar.Calendar.from_ical(data, multiple=True)
        if not calendars or any(each.name != "VCALENDAR" for each in calendars):
            raise ValueError(name)
        events = [event for each in calendars for event in each.walk("VEVENT")]
    except (ValueError, KeyError, IndexError, UnicodeError, RecursionError):
        raise InvalidInput(
            _("{path}: is no iCal file").format(path=name),
            hint=_("a file that begins with BEGIN:VCALENDAR, as calendar programs export"),
            code="ICAL_INVALID",
        ) from None
    yield from events


def _days(event: Any, zone: ZoneInfo) -> tuple[list[date], str]:  # noqa: ANN401  the library's component
    """Return the days of an event and what is wrong with it, "" for nothing."""
    try:
        start = event["DTSTART"].dt
        first, last = _local(start, zone), _last(event, start, zone)
        cancelled, repeats = str(event.get("STATUS") or "").upper() == "CANCELLED", "RRULE" in event or "RDATE" in event
    except KeyError:
        return [], _("has no beginning")
    except (TypeError, ValueError, OverflowError, AttributeError):  # broken, written twice, or a time of day alone
        return [], _("its times are not understood")
    if cancelled:
        return [first], _("was cancelled")
    if repeats:
        return [first], _("repeats; write its days out")
    if last < first:
        return [first], _("ends before it begins")
    if (last - first).days >= MOST_DAYS:
        return [first], _("is longer than a year")
    return [first + number * DAY for number in range((last - first).days + 1)], ""


def _last(event: Any, start: date, zone: ZoneInfo) -> date:  # noqa: ANN401
    """Return an event's last day: the one before the end of an all-day event, the one in which another ends."""
    end, length = event.get("DTEND"), event.get("DURATION")
    until = end.dt if end is not None else start + length.dt if length is not None else None
    if until is None or until == start:
        return _local(start, zone)
    if isinstance(until, datetime):
        return _local(until - timedelta(microseconds=1), zone)
    return _local(until, zone) - DAY


def _local(at: date, zone: ZoneInfo) -> date:
    """Return the company's day of a day or moment. Raises TypeError for anything else."""
    if not isinstance(at, datetime):
        if not isinstance(at, date):
            raise TypeError(at)
        return at
    return at.date() if at.tzinfo is None else at.astimezone(UTC).astimezone(zone).date()
