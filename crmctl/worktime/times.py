"""Times as people give and read them: local, by the clock of the company; also in the future, where one calculates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _
from crmctl.policy.model import Wrong
from crmctl.worktime.instants import moment
from crmctl.worktime.limits import Ends, Limit, limit_of
from crmctl.worktime.pauses import Pause
from crmctl.worktime.policy import WEEKDAYS as DAYS

WEEKDAYS = (N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))
SHORT = dict(zip(DAYS, WEEKDAYS, strict=True))
_HINT = N_("write 2026-11-20T17:00, by the company's clock")


def time_given(flag: str, text: str, zone: ZoneInfo) -> datetime:
    """Return the UTC moment of a time on the command line. Raises InvalidInput naming `flag`."""
    try:
        found = datetime.fromisoformat(text.strip())
        if len(text.strip()) <= len("2026-11-20"):
            raise ValueError(text)
        return moment(found, zone) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            _("{flag} {text}: not a time").format(flag=flag, text=text[:40]), hint=_(_HINT), code="TIME_INVALID"
        ) from None


def pause_given(text: str, zone: ZoneInfo) -> Pause:
    """Return the pause FROM/UNTIL, or FROM/ while it is open. Raises InvalidInput for anything else."""
    begin, slash, end = text.partition("/")
    if not slash:
        raise InvalidInput(
            _("--pause {text}: not FROM/UNTIL").format(text=text[:60]),
            hint=_("as in 2026-11-20T17:00/2026-11-23T09:00; without UNTIL it is still open"),
            code="TIME_INVALID",
        )
    try:
        return Pause(time_given("--pause", begin, zone), time_given("--pause", end, zone) if end.strip() else None)
    except ValueError:
        raise InvalidInput(
            _("--pause {text}: ends before it begins").format(text=text[:60]), hint=_(_HINT), code="TIME_INVALID"
        ) from None


def limit_given(text: str, ends: Ends) -> Limit:
    """Return the limit on the command line. Raises InvalidInput where it is none."""
    try:
        return limit_of(text, ends)
    except Wrong as wrong:
        raise InvalidInput(f"--within: {wrong.message}", hint=wrong.hint, code="LIMIT_INVALID") from None


def weekday(day: date) -> str:
    """Return the day of the week, short, in the reader's language."""
    return _(WEEKDAYS[day.weekday()])


def day_told(day: date) -> str:
    """Return a day as people read it: Fri 2026-11-20."""
    return f"{weekday(day)} {day.isoformat()}"


def time_told(at: datetime, zone: ZoneInfo, *, closing: bool = False) -> str:
    """Return a moment as people read it: Fri 2026-11-20 17:00; `closing` shows midnight as 24:00 of the day before."""
    local = at.astimezone(zone)
    if closing and (local.hour, local.minute, local.second) == (0, 0, 0):
        return f"{day_told(local.date() - timedelta(days=1))} 24:00"
    return f"{day_told(local.date())} {local:{'%H:%M:%S' if local.second else '%H:%M'}}"


def span_told(span: timedelta) -> str:
    """Return a length of time in hours and minutes, as 7:30; seconds only where there are any."""
    minutes, seconds = divmod(int(span.total_seconds()), 60)
    text = f"{minutes // 60}:{minutes % 60:02d}"
    return f"{text}:{seconds:02d}" if seconds else text
