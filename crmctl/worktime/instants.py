"""From what a clock on the wall shows to real moments, also where the clock is put forward or back.

A local time is the first moment at which the clock shows it or a later time of that day's course. So a time that is
skipped in spring is the moment of the change, a time that comes twice in autumn is its first coming, what lies between
two local times is never negative, and shifts that follow one another without a gap do so in real time too.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)
_MIDNIGHT = time()


def moment(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the UTC moment of a local time without zone."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if early.astimezone(zone).replace(tzinfo=None) == local.replace(fold=0):
        return early
    late = local.replace(tzinfo=zone, fold=1).astimezone(UTC)  # skipped: the change lies between the two readings
    return _change(late, early, zone)


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Return the second between two moments from which the zone's offset is that of the later one."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        if middle <= before:
            break
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """Return the day on a calendar on the wall at a moment."""
    return at.astimezone(zone).date()


@lru_cache(maxsize=4096)
def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment at which a local day begins."""
    return moment(datetime.combine(day, _MIDNIGHT), zone)


def at_minute(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """Return the moment of a minute of a local day; 1440 is the end of the day."""
    return moment(datetime.combine(day, _MIDNIGHT) + timedelta(minutes=minute), zone)
