"""How often a day somebody may do an act, from the log; refusals, and how many entries a flood of them leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from realm import AGENT, OTHER, STEWARD, Realm

from crmctl import clock
from crmctl.cli.invocation import Invocation
from crmctl.errors import PermissionMissing
from crmctl.runs import allowance, denials
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import engine

DAY = datetime(2026, 11, 22, 4, 0, tzinfo=clock.UTC)  # noon in the company


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[datetime]]:
    """A clock that the test sets."""
    hands = [DAY]
    monkeypatch.setattr(clock, "now", lambda: hands[0])
    yield hands


def find(realm: Realm, uid: int, status: int) -> dict[str, Any]:
    return realm.json(uid, "customer", "find", "--company", "样例", status=status)


def test_the_limit_of_a_day_is_counted_from_the_log(realm: Realm, now: list[datetime]) -> None:
    realm.edit("access.yaml", "customer.find: 200/day", "customer.find: 3/day")
    for _turn in range(3):
        find(realm, AGENT, 0)
    assert find(realm, AGENT, 6)["code"] == "LIMIT_REACHED"
    denied = realm.entries("customer.find")[-1]
    assert (denied["result"], denied["codes"], denied["actor"]["person"]) == ("denied", ["LIMIT_REACHED"], "chen.x")
    find(realm, OTHER, 0)  # theirs is another count
    find(realm, STEWARD, 0)  # whose role states none
    now[0] = DAY + timedelta(hours=11, minutes=59)  # the company's day has not ended: 23:59 there
    assert find(realm, AGENT, 6)["code"] == "LIMIT_REACHED"
    now[0] = DAY + timedelta(hours=12)
    find(realm, AGENT, 0)


def test_the_smallest_of_several_roles_counts_for_reads_and_changes(realm: Realm) -> None:
    realm.edit("access.yaml", "customer.find: 200/day", "customer.*: 1/day, staff.update: 1/day")
    realm.edit("access.yaml", "pg: [test_chen_x], roles: [agent]", "pg: [test_chen_x], roles: [agent, admin]")
    realm.say(AGENT, "customer", "show", "1")
    assert realm.json(AGENT, "customer", "show", "1", status=6)["code"] == "LIMIT_REACHED"
    assert realm.say(AGENT, "staff", "update", "E6", "--level", "mid").exit_code == 0
    told = realm.json(AGENT, "staff", "update", "E6", "--level", "senior", status=6)
    assert told["code"] == "LIMIT_REACHED"
    assert realm.entries("staff.update")[-1]["result"] == "denied"


def test_unknown_customers_count_as_well(realm: Realm) -> None:
    """Who walks through all numbers is stopped however few of them are their own (A22)."""
    realm.edit("access.yaml", "customer.find: 200/day", "customer.show: 5/day")
    codes = [
        realm.json(AGENT, "customer", "show", number, status=1 if number < 6 else 6)["code"] for number in range(1, 8)
    ]
    assert codes == ["CUSTOMER_UNKNOWN"] * 5 + ["LIMIT_REACHED"] * 2


def opened(realm: Realm, act: str = "customer.find") -> Any:
    return runs.open_run(Invocation(act.replace(".", " "), workspace=realm.folder), act.replace(".", " "), act)


@pytest.fixture
def agent(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr("os.getresuid", lambda: (AGENT, AGENT, AGENT))
    with opened(realm) as run:
        yield run


def test_two_at_once_do_not_both_have_the_last_turn(realm: Realm, agent: Run) -> None:
    realm.edit("access.yaml", "customer.find: 200/day", "customer.find: 5/day")
    with opened(realm) as run:
        refused: list[str] = []

        def look() -> None:
            for _turn in range(3):
                try:
                    runs.record_reading(run, n=0)
                except PermissionMissing as refusal:
                    refused.append(refusal.code)

        threads = [Thread(target=look) for _each in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    done = [entry for entry in realm.entries("customer.find") if entry["result"] == "done"]
    assert (len(done), len(refused)) == (5, 7)


def test_counting_goes_past_a_clock_that_was_set_back(realm: Realm, agent: Run) -> None:
    """Setting the clock to yesterday and back buys nothing: order is by number."""
    today, yesterday = agent, replace(agent, at=agent.at - timedelta(days=1))
    for run in (today, today, yesterday, yesterday, today):
        runs.record_reading(run, n=0)
    with engine.read(realm.engine) as conn:
        assert allowance.used(conn, "chen.x", "customer.find", allowance.day_began(today)) == 3
        assert allowance.used(conn, "he.l", "customer.find", allowance.day_began(today)) == 0


def test_counting_stops_where_the_day_began(realm: Realm, agent: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowance, "PAGE", 4)
    for days in (3, 2, 2, 1, 1, 1, 0, 0, 0, 0, 0):
        runs.record_reading(replace(agent, at=agent.at - timedelta(days=days)), n=0)
    read: list[int] = []
    parsed = allowance._parsed
    monkeypatch.setattr(allowance, "_parsed", lambda text: read.append(1) or parsed(text))
    with engine.read(realm.engine) as conn:
        assert allowance.used(conn, "chen.x", "customer.find", allowance.day_began(agent)) == 5
    assert len(read) <= 10  # two pages of four, and the oldest entry of each


def test_a_flood_of_refusals_leaves_few_entries(realm: Realm, agent: Run) -> None:
    """A24: under 100 entries for 100,000 refusals; here 3,000 within five minutes, of two kinds."""
    refusals = [PermissionMissing("no", code="ACT_NOT_GRANTED"), PermissionMissing("no", code="ACT_DENIED")]
    before = len(realm.entries())
    for number in range(3000):
        run = replace(agent, at=agent.at + timedelta(milliseconds=100 * number))
        with engine.write(run.engine) as conn:
            denials.note(conn, run, refusals[number % 2])
    after = replace(agent, at=agent.at + timedelta(minutes=10))
    runs.record_reading(after, n=0)
    new = realm.entries()[before:]
    denied = [entry for entry in new if entry["result"] == "denied"]
    assert len(denied) <= 24  # six minutes begun, two kinds, the first and the folded of each
    assert sum(entry.get("counts", {}).get("repeated", 1) for entry in denied) == 3000
    assert {tuple(entry["codes"]) for entry in denied} == {("ACT_NOT_GRANTED",), ("ACT_DENIED",)}
    assert {entry["actor"]["person"] for entry in denied} == {"chen.x"}


@pytest.mark.parametrize("minutes", [1, 5])
def test_the_count_comes_with_the_first_entry_after_the_minute(realm: Realm, now: list[datetime], minutes: int) -> None:
    """As shipped after one; a company may say otherwise."""
    if minutes != 1:
        realm.edit("access.yaml", "fold_denials: 1 minute", f"fold_denials: {minutes} minutes")
    for _turn in range(4):
        assert realm.say(AGENT, "audit", "list").exit_code == 6
    assert len(realm.entries("audit.list")) == 1
    now[0] = DAY + timedelta(minutes=minutes, seconds=-1)
    realm.say(STEWARD, "customer", "list")
    assert len(realm.entries("audit.list")) == 1
    now[0] = DAY + timedelta(minutes=minutes, seconds=1)
    realm.say(STEWARD, "customer", "list")
    first, folded = realm.entries("audit.list")
    assert (first["result"], "counts" in first) == ("denied", False)
    assert (folded["result"], folded["counts"], folded["actor"]["uid"]) == ("denied", {"repeated": 3}, AGENT)
    realm.say(AGENT, "audit", "list")
    assert len(realm.entries("audit.list")) == 3  # a new minute: an entry at once
