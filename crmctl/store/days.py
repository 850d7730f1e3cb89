"""Calendar days in SQL: the company's day of a moment, and days between days; the same on both databases.

Moments are UTC (`UtcTime`), days are text `YYYY-MM-DD` in the company's zone, as in `store.metadata`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Date, Text, case, cast, func, literal, literal_column, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)  # zones did not change their clocks by rule before
_STEP = timedelta(days=6)  # no zone changed its clocks twice within six days; Brazil once did within seven


class _Zone(FunctionElement[str]):
    """The company's day of a moment: `_Zone(moment)`, with the zone's name.

    Zone and end are among the clauses too: statements that differ in them are not taken for each other, and those that
    do not are compiled once.
    """

    inherit_cache = True
    type = Text()

    def __init__(self, moment: ColumnElement[Any], zone: str, until: datetime) -> None:
        super().__init__(moment, literal_column(f"{zone} {until.isoformat()}"))
        self.zone, self.until = zone, until


@compiles(_Zone, "postgresql")
def _day_postgresql(element: _Zone, compiler: Any, **given: Any) -> str:
    moment, _of = element.clauses
    day = func.to_char(func.timezone(literal(element.zone), moment), literal("YYYY-MM-DD"))
    return str(compiler.process(day, **given))


@compiles(_Zone, "sqlite")
def _day_sqlite(element: _Zone, compiler: Any, **given: Any) -> str:
    """SQLite knows no zones: the offset of each stretch of time is written out."""
    moment, _of = element.clauses
    text = type_coerce(moment, Text)
    *ended, (_open, seconds) = offsets(element.zone, element.until)
    shift: ColumnElement[str] = literal(f"{seconds:+d} seconds")
    if ended:  # some zones never changed their clocks
        shift = case(*((text < end, literal(f"{before:+d} seconds")) for end, before in ended), else_=shift)
    return str(compiler.process(func.date(text, shift), **given))


def local_day(moment: ColumnElement[Any], zone: str, until: datetime) -> ColumnElement[str]:
    """Return the company's day of a moment as text; `until` is the last moment that matters."""
    return _Zone(moment, zone, until)


class _Days(FunctionElement[int]):
    """Days from one day to a later one."""

    inherit_cache = True
    type = BigInteger()


@compiles(_Days, "postgresql")
def _days_postgresql(element: _Days, compiler: Any, **given: Any) -> str:
    earlier, later = element.clauses
    return f"CAST({compiler.process(cast(later, Date) - cast(earlier, Date), **given)} AS BIGINT)"


@compiles(_Days, "sqlite")
def _days_sqlite(element: _Days, compiler: Any, **given: Any) -> str:
    earlier, later = element.clauses
    between = func.julianday(later) - func.julianday(earlier)  # of days without time: exact
    return f"CAST({compiler.process(between, **given)} AS INTEGER)"


def days_between(earlier: ColumnElement[str], later: str) -> ColumnElement[int]:
    """Return the days from `earlier` to the day `later`, 0 where `earlier` is later; NULL where it is NULL."""
    found: ColumnElement[int] = _Days(earlier, literal(later))
    return case((found < 0, literal(0, BigInteger)), else_=found)


@lru_cache(maxsize=16)
def offsets(zone: str, until: datetime) -> tuple[tuple[str, int], ...]:
    """Return a zone's offsets from UTC in seconds, each with the stamp of its end, oldest first; the last is open."""
    place = ZoneInfo(zone)
    until = until.replace(microsecond=0)  # moments are stored to the second, and so do clocks change
    found: list[tuple[str, int]] = []
    moment, offset = _FIRST, _offset(place, _FIRST)
    while moment < until:
        following = min(moment + _STEP, until)
        if _offset(place, following) != offset:
            turn = _turn(place, moment, following, offset)
            found.append((turn.strftime("%Y-%m-%dT%H:%M:%SZ"), offset))
            moment, offset = turn, _offset(place, turn)
        else:
            moment = following
    return (*found, ("", offset))


def _turn(place: ZoneInfo, before: datetime, after: datetime, offset: int) -> datetime:
    """Return the first second with another offset than at `before`."""
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if _offset(place, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(place: ZoneInfo, moment: datetime) -> int:
    found = place.utcoffset(moment.astimezone(place))
    assert found is not None
    return int(found.total_seconds())
