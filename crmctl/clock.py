"""The only reader of the system clock. Times inside the program are aware UTC datetimes to the second."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from crmctl.errors import InvalidInput
from crmctl.i18n import _


def now() -> datetime:
    """Return the current time in UTC, with microseconds."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """Return `moment` as the database's text form: UTC, to the second, `2026-11-21T12:31:07Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_stamp(text: str) -> datetime:
    """Return the aware UTC datetime of a `stamp`."""
    return datetime.fromisoformat(text)


def local(moment: datetime, zone: str) -> str:
    """Return `moment` as RFC 3339 with the company's offset, the form of every time in JSON output."""
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def parse_day(text: str, flag: str) -> date:
    """Return the day an option names. Raises InvalidInput for anything but 2026-11-21."""
    try:
        if len(text) == 10 and text[4] == "-" == text[7]:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput(
        _("{flag} {text}: not a date").format(flag=flag, text=text[:20]),
        hint=_("write 2026-11-21"),
        code="DATE_INVALID",
    )


def parse_as_of(text: str, zone: str, at: datetime) -> datetime:
    """Return the moment `--as-of TEXT` names in the company's zone; a date means its end. Past only.

    Raises InvalidInput when it is no time or lies in the future.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(
            _("--as-of {text}: not a date or time").format(text=text),
            hint=_("write 2026-11-21 or 2026-11-21T18:00"),
            code="AS_OF_INVALID",
        ) from None
    if len(text) <= 10:
        moment = moment.replace(hour=23, minute=59, second=59)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    moment = moment.astimezone(UTC)
    if moment > at and len(text) > 10 or moment.date() > at.astimezone(ZoneInfo(zone)).date():
        raise InvalidInput(
            _("--as-of {text}: lies in the future").format(text=text),
            hint=_("give a past time"),
            code="AS_OF_FUTURE",
        )
    return min(moment, at)
