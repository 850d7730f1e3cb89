"""Days in SQL are the days that zoneinfo says, on both databases, wherever and whenever clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, literal, null, select
from sqlalchemy.engine import Connection, Engine

from crmctl.store.days import days_between, local_day, offsets
from crmctl.store.engine import write
from crmctl.store.metadata import UtcTime

# Clocks that change twice a year, that stopped changing, that never changed, by half an hour, over a whole day.
ZONES = (
    "America/New_York", "Asia/Shanghai", "UTC", "Etc/GMT+5", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
    "America/Recife", "Africa/Casablanca", "Asia/Gaza", "America/St_Johns",
)  # fmt: skip
UNTIL = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
SAMPLE = Table(
    "sample",
    MetaData(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("moment", UtcTime),
    Column("day", Text),
    prefixes=["TEMPORARY"],
)
# 2026: New York's clocks change on 8 March at 07:00 UTC and on 1 November at 06:00 UTC.
TURNS = tuple(
    datetime.fromisoformat(text).replace(tzinfo=UTC)
    for text in (
        "2026-03-08T07:00:00", "2026-11-01T06:00:00", "1986-05-03T18:00:00", "1991-09-14T15:00:00",
        "2011-12-30T10:00:00", "2000-10-08T03:00:00", "2000-10-15T02:00:00",
    )
)  # fmt: skip
SECONDS = st.integers(0, int(UNTIL.timestamp()))
NEAR = st.builds(lambda turn, seconds: turn + timedelta(seconds=seconds), st.sampled_from(TURNS), st.integers(-2, 2))
MIDNIGHT = st.builds(
    lambda day, zone, seconds: datetime(1970, 1, 2, tzinfo=ZoneInfo(zone)) + timedelta(days=day, seconds=seconds),
    st.integers(0, 20_600),
    st.sampled_from(ZONES),
    st.integers(-1, 1),
)
MOMENTS = st.one_of(NEAR, MIDNIGHT, SECONDS.map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))


def days_in(conn: Connection, moments: list[datetime], zone: str, until: datetime = UNTIL) -> list[str]:
    conn.execute(SAMPLE.delete())
    conn.execute(insert(SAMPLE), [{"id": place, "moment": moment} for place, moment in enumerate(moments)])
    day = local_day(SAMPLE.c.moment, zone, until)
    return list(conn.scalars(select(day).order_by(SAMPLE.c.id)))


def test_the_companys_day_of_a_moment(engine: Engine) -> None:
    @settings(max_examples=150)
    @given(st.lists(MOMENTS, min_size=1, max_size=20), st.sampled_from(ZONES))
    def agree(moments: list[datetime], zone: str) -> None:
        wanted = [moment.astimezone(ZoneInfo(zone)).date().isoformat() for moment in moments]
        assert days_in(conn, moments, zone) == wanted

    with write(engine) as conn:
        SAMPLE.create(conn)
        agree()


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        ("America/New_York", "2026-01-05T04:59:59Z", "2026-01-04"),
        ("America/New_York", "2026-01-05T05:00:00Z", "2026-01-05"),
        ("America/New_York", "2026-07-05T03:59:59Z", "2026-07-04"),
        ("America/New_York", "2026-07-05T04:00:00Z", "2026-07-05"),
        ("Asia/Shanghai", "2026-01-04T15:59:59Z", "2026-01-04"),
        ("Asia/Shanghai", "2026-01-04T16:00:00Z", "2026-01-05"),
        ("Asia/Shanghai", "1988-07-04T15:00:00Z", "1988-07-05"),  # summer time, 1986 to 1991
        ("UTC", "2026-01-04T23:59:59Z", "2026-01-04"),
        ("Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-31"),  # Samoa had no 30th
    ],
)
def test_midnight_is_the_companys(engine: Engine, zone: str, moment: str, day: str) -> None:
    with write(engine) as conn:
        SAMPLE.create(conn)
        assert days_in(conn, [datetime.fromisoformat(moment)], zone) == [day]


@pytest.mark.parametrize("zone", ZONES)
def test_a_moment_after_the_last_that_matters_is_not_before_its_day(engine: Engine, zone: str) -> None:
    """A record from a clock that goes fast: days since it are 0, whatever its own day is."""
    until = datetime(2026, 3, 8, 6, 59, 59, 900_000, tzinfo=UTC)
    today = until.astimezone(ZoneInfo(zone)).date().isoformat()
    with write(engine) as conn:
        SAMPLE.create(conn)
        (day,) = days_in(conn, [datetime(2026, 3, 8, 7, 0, 1, tzinfo=UTC)], zone, until)
        assert day >= today


def test_nothing_is_known_of_a_missing_moment(engine: Engine) -> None:
    with write(engine) as conn:
        SAMPLE.create(conn)
        conn.execute(insert(SAMPLE), [{"id": 1}])
        day = local_day(SAMPLE.c.moment, "America/New_York", UNTIL)
        assert conn.execute(select(day, days_between(SAMPLE.c.day, "2026-01-05"))).one() == (None, None)


def test_days_between_are_days_of_the_calendar(engine: Engine) -> None:
    """The same query runs with other days: none is kept from the time before."""

    @given(st.dates(date(1900, 1, 1), date(2199, 12, 31)), st.dates(date(1900, 1, 1), date(2199, 12, 31)))
    def agree(earlier: date, later: date) -> None:
        found = days_between(literal(earlier.isoformat()), later.isoformat())
        assert conn.scalar(select(found)) == max(0, (later - earlier).days)

    with write(engine) as conn:
        agree()
        assert conn.scalar(select(days_between(null(), "2026-01-05"))) is None


@pytest.mark.parametrize("turn", TURNS[:2])
@pytest.mark.parametrize("after", [-1_000_001, -1, 0, 1, 300_000, 999_999, 1_500_000])
def test_clocks_that_change_as_we_look(turn: datetime, after: int) -> None:
    """Wherever the last second falls, in microseconds from the change, the last stretch is the one it is in."""
    until = turn + timedelta(microseconds=after)
    found = offsets("America/New_York", until)
    there = until.astimezone(ZoneInfo("America/New_York")).utcoffset()
    assert there is not None
    assert found[-1] == ("", int(there.total_seconds()))
    assert (found[-2][0] == turn.strftime("%Y-%m-%dT%H:%M:%SZ")) is (after >= 0)


def test_a_zone_that_never_changed_has_one_stretch() -> None:
    assert offsets("UTC", UNTIL) == (("", 0),)
    assert offsets("Etc/GMT+5", UNTIL) == (("", -5 * 3600),)
