"""A year of complaints, held against a minute counter and against plain recomputation from raw rows.

1,000 complaints on SQLite and 150 on PostgreSQL; with --full 20,000 and 1,000.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import minutes
import pytest
import yearcompany
from sqlalchemy import Engine, Table, select
from year import BEGIN, CHANGE, END, Year, patched
from yearfigures import Told, figures

from crmctl import workspace
from crmctl.audit.checkpoints import trust_of
from crmctl.audit.policy import AuditSettings
from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.complaints import tables
from crmctl.store.engine import open_engine, read

COMPLAINTS = {
    ("sqlite", False): 1_000,
    ("postgresql", False): 150,
    ("sqlite", True): 20_000,
    ("postgresql", True): 1_000,
}
MEMORY = Path("/dev/shm")
CLOCK = ("stage", "started_at", "within", "told", "due_at", "provisional", "stopped_at", "extended", "pauses")
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Lived:
    """A year that is over: what was done, and the raw rows of it."""

    year: Year
    engine: Engine

    def rows(self, table: Table) -> list[Row]:
        """Return the rows of a table in the order of their keys."""
        with read(self.engine) as conn:
            return [dict(row) for row in conn.execute(select(table).order_by(*table.primary_key)).mappings()]

    def by_case(self, table: Table) -> Mapping[int, list[Row]]:
        """Return rows by complaint, in the order in which they were written."""
        found = defaultdict(list)
        for row in self.rows(table):
            found[row["complaint_id"]].append(row)
        return found

    @cached_property
    def cases(self) -> list[Row]:
        """Every complaint."""
        return self.rows(tables.complaint)

    @cached_property
    def events(self) -> Mapping[int, list[Row]]:
        """What happened to each."""
        return self.by_case(tables.complaint_event)

    @cached_property
    def clocks(self) -> Mapping[int, list[Row]]:
        """The clocks of each."""
        return self.by_case(tables.complaint_clock)

    @cached_property
    def expected(self) -> Mapping[int, list[minutes.Clock]]:
        """The clocks that each must have."""
        settings = yearcompany.calendars(self.year.folder)
        calendars = {name: minutes.Calendar(each) for name, each in settings.items()}
        return {
            case["complaint_id"]: minutes.clocks(
                self.events[case["complaint_id"]],
                json.loads(case["terms"]),
                calendars[yearcompany.CALENDAR_OF[case["org_unit"]]],
                calendars,
            )
            for case in self.cases
        }

    @cached_property
    def log(self) -> list[Row]:
        """The entries of the log."""
        with read(self.engine) as conn:
            return [
                json.loads(body) for (body,) in conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq))
            ]


@pytest.fixture(params=["sqlite", "postgresql"])
def lived(request: pytest.FixtureRequest, full: bool) -> Iterator[Lived]:
    """The year, on each database; in memory where there is a place: a year of commits then waits for no disk."""
    kind = str(request.param)
    with tempfile.TemporaryDirectory(prefix="crmctl-year-", dir=MEMORY if MEMORY.is_dir() else None) as home:
        folder, url = Path(home) / "crm", ""
        if kind == "postgresql":
            server = request.getfixturevalue("postgres_server")
            url = server.url(server.create(request.getfixturevalue("_postgres_template")))
        year = Year(folder, COMPLAINTS[kind, full])
        with pytest.MonkeyPatch.context() as patch:
            patched(patch, year)
            year.run(url)
        engine = open_engine(url or f"sqlite:///{folder / 'data' / 'crmctl.db'}")
        yield Lived(year, engine)
        engine.dispose()


def test_a_year_of_complaints(lived: Lived) -> None:
    """All that is asked of the year, of one that is lived once (CMP-03, CMP-23, REQ-05, REQ-09, T2, K05)."""
    assert len(lived.cases) == lived.year.complaints
    the_year_is_a_whole_one(lived)
    every_clock_is_what_a_minute_counter_makes_of_raw_events(lived)
    who_complained_before_july_keeps_the_limits_of_then(lived)
    nothing_is_lost_and_numbers_have_no_gaps(lived)
    for period in PERIODS:
        figures_are_those_of_a_plain_recomputation(lived, *period)
    the_log_says_the_same(lived)


def every_clock_is_what_a_minute_counter_makes_of_raw_events(lived: Lived) -> None:
    """Every deadline and every end of a stage follows from events and terms alone (CMP-03, T2, REQ-05)."""
    wrong, seen = [], Counter[str]()
    for case in lived.cases:
        found = lived.expected[case["complaint_id"]]
        stored = [_clock(row) for row in lived.clocks[case["complaint_id"]]]
        expected = [tuple(getattr(clock, name) for name in CLOCK) for clock in found]
        if sorted(stored, key=_order) != sorted(expected, key=_order):
            wrong.append((case["number"], set(map(str, stored)) ^ set(map(str, expected))))
        seen.update(_sorts(found))
    assert wrong[:3] == [], f"{len(wrong)} of {len(lived.cases)}"
    some = {"limited", "unlimited", "late", "kept", "provisional", "paused", "extended", "told", "promised", "running"}
    assert set(seen) == some, seen


def _clock(row: Row) -> tuple[Any, ...]:
    pauses = [tuple(map(_moment, pause)) for pause in json.loads(row["pauses"])]
    whole = {**row, "pauses": pauses, "told": bool(row["told"]), "provisional": bool(row["provisional"])}
    return tuple(whole[name] for name in CLOCK)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _order(clock: tuple[Any, ...]) -> tuple[Any, ...]:
    return clock[1], clock[0]


def _sorts(clocks: list[minutes.Clock]) -> Iterator[str]:
    """Yield what sorts of clocks there are, so that none is missing from the year."""
    for clock in clocks:
        late = clock.late()
        yield "limited" if clock.within else "unlimited"
        for sort, is_it in (
            ("late", late is True), ("kept", late is False), ("provisional", clock.provisional), ("told", clock.told),
            ("paused", bool(clock.pauses)), ("extended", bool(clock.extended)),
            ("promised", clock.within == "promised"), ("running", clock.stopped_at is None),
        ):  # fmt: skip
            if is_it:
                yield sort


LIMITS = {  # policy and stage: the limits before July and from then on, without the s of many
    ("complaints", "respond"): ({"15 working minute", "30 working minute"}, {"8 working minute", "15 working minute"}),
    ("complaints", "verify"): ({"4 working hour", "2 day", "1 working day"},
                               {"2 working hour", "1 day", "4 working hour"}),
    ("complaints", "propose"): ({"1 working day", "3 working day"}, {"4 working hour", "2 working day"}),
    ("complaints", "progress"): ({""}, {"2 working day"}),
    ("wecom", "respond"): ({"1 working hour"}, {"30 working minute"}),
    ("handbook", "respond"): ({"24 hour"}, {"12 hour"}),
    ("handbook", "propose"): ({"48 hour"}, {"24 hour"}),
    ("north", "propose"): ({"1 working day", "3 working day"}, {"4 working hour", "2 working day"}),
}  # fmt: skip


def who_complained_before_july_keeps_the_limits_of_then(lived: Lived) -> None:
    """A policy changed mid-year changes no complaint that was accepted under the former one (REQ-09, ENG-06)."""
    found = defaultdict(set)
    kept = 0
    for case in lived.cases:
        old = case["accepted_at"] < CHANGE
        assert case["policy_version"] == (1 if old else 2), case["number"]
        terms = {stage["code"]: stage["within"] for stage in json.loads(case["terms"])["stages"]}
        for clock in lived.clocks[case["complaint_id"]]:
            if not clock["extended"]:
                assert clock["within"] == terms[clock["stage"]], case["number"]
            kept += old and clock["started_at"] >= CHANGE and bool(clock["within"])
            found[case["policy"], clock["stage"], old].add(clock["within"].removesuffix("s"))
    for (policy, stage), (before, since) in LIMITS.items():
        for old, limits in ((True, before), (False, since)):
            there = found[policy, stage, old]
            assert there and there <= limits, (policy, stage, old, there)
    assert kept  # of old complaints, clocks that began under the new policy


PERIODS = (  # first and last day, and the moment asked as of, by the company's clock
    ("2026-01-01", "2026-12-31", ""),
    ("2026-06-17", "2026-07-14", ""),
    ("2026-10-01", "2026-10-31", ""),
    ("2026-09-01", "2026-09-30", "2026-09-17T11:11:11"),
    ("2026-03-05", "2026-03-05", ""),
)


def figures_are_those_of_a_plain_recomputation(lived: Lived, first: str, last: str, as_of: str) -> None:
    """`complaint statistics` gives what raw events and the minute counter's clocks give (K05, K15, K28, K29, K30)."""
    told = [
        Told(case, lived.events[case["complaint_id"]], lived.expected[case["complaint_id"]], _timely(case["terms"]))
        for case in lived.cases
    ]
    days, moment = (date.fromisoformat(first), date.fromisoformat(last)), _here(as_of) if as_of else END
    service = {
        (policy, category)
        for policy in ("complaints", "wecom", "handbook", "north")
        for category in ("attitude", "skill", "response")
    }
    expected = figures(told, *days, moment, service)
    found = _statistics(lived, "--from", first, "--until", last, *(["--as-of", as_of] if as_of else []))
    assert found["counts"] == expected["counts"]
    assert {each["stage"]: (each["kept"], each["judged"]) for each in found["stages"]} == expected["stages"]
    by_name = {figure["definition"]: figure for figure in found["figures"]}
    # As of a moment amid it a period has no equal before it.
    for name in ("K05", "K28", "K29", "K15", *([] if as_of else ["K30"])):
        figure = by_name[name]
        assert (figure["numerator"], figure["denominator"]) == pytest.approx(expected[name]), name
    assert by_name["K05"]["unlimited"] == expected["unlimited"]
    assert by_name["K28"]["unanswered"] == expected["unanswered"]
    assert by_name["K16"]["denominator"] == lived.year.customers
    counts = found["counts"]
    assert counts["open"] == (
        counts["open_before"] + counts["opened"] - counts["closed"] - counts["duplicates"] + counts["reopened"]
    )


def _timely(terms: str) -> frozenset[str]:
    return frozenset(stage["code"] for stage in json.loads(terms)["stages"] if stage["timely"])


def _statistics(lived: Lived, *words: str) -> Any:  # noqa: ANN401 - JSON
    """Run the command once the year is over, as somebody who sees every complaint."""
    year = replace(lived.year, now=END, uid=yearcompany.ADMIN)
    with pytest.MonkeyPatch.context() as patch:
        patched(patch, year)
        done = yearcompany.said(year.folder, "complaint", "statistics", *words, "-o", "json")
    return json.loads(done.stdout)


def nothing_is_lost_and_numbers_have_no_gaps(lived: Lived) -> None:
    """Every complaint, event and refusal is on record; acceptance numbers count from 1 each day (CMP-03, CMP-23)."""
    done, refused = lived.year.done, lived.year.refused
    kinds = Counter(event["kind"] for events in lived.events.values() for event in events)
    assert kinds == {kind: n for kind, n in done.items() if kind != "tried"}
    assert len(lived.cases) == lived.year.complaints == kinds["accepted"]
    statuses = Counter(case["status"] for case in lived.cases)
    assert statuses["closed"] == kinds["closed"] - kinds["reopened"]
    assert statuses["duplicate"] == kinds["duplicated"] == sum(bool(case["duplicate_of"]) for case in lived.cases)
    logged = Counter(entry["codes"][0] for entry in lived.log if entry["result"] == "refused")
    assert logged == refused
    days = defaultdict(list)
    for case in lived.cases:
        day, number = case["number"].removeprefix("CMP-").split("-")
        assert day == f"{case['accepted_at'].astimezone(minutes.HERE):%Y%m%d}"
        days[day].append(int(number))
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in days.values())


def the_year_is_a_whole_one(lived: Lived) -> None:
    """The script itself: every hour of the day, every day of the week, National Day, every fate and refusal."""
    at = [case["received_at"].astimezone(minutes.HERE) for case in lived.cases]
    assert {moment.hour for moment in at} == set(range(24))
    assert {moment.weekday() for moment in at} == set(range(7))
    assert sum((moment.month, moment.day) in {(10, day) for day in range(1, 8)} for moment in at) > 0
    assert all(BEGIN <= case["accepted_at"] < END for case in lived.cases)
    assert {case["policy"] for case in lived.cases} == {"complaints", "wecom", "handbook", "north"}
    assert {case["severity"] for case in lived.cases} == {"general", "serious", "critical"}
    assert {case["tier"] for case in lived.cases} == {tier or None for tier in yearcompany.TIERS}
    assert {case["org_unit"] for case in lived.cases} == set(yearcompany.UNITS)
    assert {"closed", "duplicate", "accepted", "refused"} <= {case["status"] for case in lived.cases}
    assert {"MISSING", "NOT_YET", "AT_TOO_EARLY", "EXTENSION_LATE", "CASE_CLOSED"} <= set(lived.year.refused)
    assert {"reopened", "mediated", "extended", "analysed", "legal_reviewed"} <= set(lived.year.done)


def the_log_says_the_same(lived: Lived) -> None:
    """`audit verify --rows` finds nothing after the year."""
    trust = trust_of(workspace.find(lived.year.folder), AuditSettings())
    assert verify(lived.engine, changes=True, rows=True, trust=trust).problems == ()


def test_the_minute_counter_by_hand() -> None:
    """The counter itself, against paper: National Day 2026, the Sunday that makes up for it, pauses, the year's end."""
    calendar = minutes.Calendar(
        {"hours": [{"days": ["mon", "tue", "wed", "thu", "fri"], "shifts": ["09:00-12:00", "13:00-18:00"]}],
         "holidays": "CN", "fixed_holidays": ["01-01"]}
    )  # fmt: skip

    def due(start: str, within: str, ends: str = "close", *pauses: tuple[str, str]) -> str:
        still = tuple((_here(begin), _here(end)) for begin, end in pauses)
        at, _unsure = minutes.due(_here(start), within, ends, calendar, still)
        assert at is not None
        return at.astimezone(minutes.HERE).strftime("%m-%d %H:%M:%S")

    assert due("2026-11-20T17:00:00", "2 working hours") == "11-23 10:00:00"
    assert due("2026-09-30T17:59:30", "30 working minutes") == "10-08 09:29:30"
    assert due("2026-09-19T20:00:00", "1 working day") == "09-20 18:00:00"
    assert due("2026-09-30T10:00:00", "1 working day") == "10-08 18:00:00"
    assert due("2026-11-20T17:00:00", "24 hours") == "11-21 17:00:00"
    assert due("2026-11-20T17:00:00", "2 days") == "11-23 00:00:00"
    assert due("2026-11-20T17:00:05", "1 working day", "elapsed") == "11-23 17:00:05"
    assert due("2026-11-21T11:00:00", "1 working day", "elapsed") == "11-24 09:00:00"
    assert due("2026-11-23T09:00:00", "1 working hour", "close", ("2026-11-23T09:30:00", "2026-11-23T14:10:10")) == (
        "11-23 14:40:10"
    )
    # Of the two days one goes by while the clock stands still.
    assert due("2026-11-20T17:00:00", "2 working days", "close", ("2026-11-23T08:00:00", "2026-11-23T19:00:00")) == (
        "11-25 18:00:00"
    )
    assert minutes.due(_here("2026-12-31T10:00:00"), "1 working day", "close", calendar)[1]


def _here(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=minutes.HERE).astimezone(UTC)
