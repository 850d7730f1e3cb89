"""Whose time is over: in SQL for all what `decide` says of one, on both databases; exact to the day (DES-01)."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, insert

from crmctl import policy
from crmctl.complaints.tables import complaint
from crmctl.customers.tables import customer
from crmctl.locate import shipped
from crmctl.orders.tables import purchase_order
from crmctl.policy.metrics import Left, Value, by_source, source_at
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import in_force
from crmctl.retention.decide import DUE, STATES, decide
from crmctl.retention.rules import ready
from crmctl.retention.selecting import Basis
from crmctl.store.engine import write

DAY = date(2026, 11, 21)
AT = datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("Asia/Shanghai"))
PEOPLE = 120
ORDER = {"source": "s", "amount": 1, "currency": "CNY", "created_at": AT, "updated_at": AT, "version": 1}
VALUES = (
    ("customer_retention_months", 60), ("lead_retention_months", 24), ("cancelled_retention_months", 6),
    ("invalid_retention_months", 6),
)  # fmt: skip
LEADS = "    - code: never_bought\n"
SINCE = "      since: [last_contact, contract_end, complaint, added]\n"
AWAY = """\
    - code: put_away
      labels: {zh: 已封存客户, en: Customers who are put away}
      when: {all: [{status: {eq: put_away}}, {completeness: {gte: 40}}]}
      since: [put_away, complaint]
      keep: {months: 12}
      source: ["003 §3.六 6.1"]
"""
NEAR = (0, 1, 29, 30, 31, 59, 60, 61, 360, 365, 366, 729, 730, 731, 760, 761, 762, 1095, 1096, 1826, 1827, 2000)


def policies(folder: Path, chance: random.Random) -> PolicySet:
    """Return the shipped set with figures and a shape of the rules that chance has chosen."""
    place = folder / f"policies-{chance.random()}"
    place.mkdir()
    for path in shipped("policies").glob("[a-z]*.yaml"):
        text = path.read_text("utf-8")
        if path.name == "company.yaml":
            text = (shipped("policies") / "_demo_company.yaml").read_text("utf-8")
            for name, was in VALUES:
                text = text.replace(
                    f"{name}:\n      value: {was}", f"{name}:\n      value: {chance.choice((0, 1, 12, 24, 60))}"
                )
        if path.name == "retention.yaml":
            if chance.random() < 0.5:
                text = text.replace(LEADS, AWAY + LEADS).replace(SINCE, SINCE + "      then: archive\n")
            text = text.replace("grace: {days: 30}", f"grace: {{days: {chance.choice((0, 1, 30))}}}")
            text = text.replace(
                "keep: {months: 36}", f"keep: {{{chance.choice(('months: 12', 'months: 36', 'days: 60'))}}}"
            )
        (place / path.name).write_text(text, "utf-8")
    return policy.load(place)


def basis(found: PolicySet) -> Basis:
    """Return what is decided by."""
    rulings = in_force(found, "retention", DAY)
    return Basis(found, rulings, {place: ready(found, each.policy, DAY, 2) for place, each in enumerate(rulings)}, AT)


def somebody(number: int, chance: random.Random) -> dict[str, Any]:
    """Return a customer whose days lie near what rules ask for, or are not known."""

    def ago() -> datetime:
        return (AT - timedelta(days=chance.choice(NEAR), hours=chance.choice((-11, 0, 12)))).astimezone(UTC)

    cancelled = chance.random() < 0.2
    away = chance.random() < 0.2
    ends = (DAY - timedelta(days=chance.choice((*NEAR, -5)))).isoformat()
    return {
        "customer_id": number,
        "type": chance.choice(("enterprise", "individual")),
        "status": "put_away" if away else "cancelled" if cancelled else "draft",
        "cancelled_at": ago() if cancelled else None,
        "put_away_at": ago() if away else None,
        "completeness": chance.choice((None, 0, 33, 39, 40, 100)),
        "created_at": ago(),
        "updated_at": AT,
        "last_contact_at": ago() if chance.random() < 0.5 else None,
        "attributes": f'{{"contract_end_on":"{ends}"}}' if chance.random() < 0.3 else None,
        "version": 1,
        "derived_version": 0,
        "sealed": b"",
        "sealed_hash": b"",
    }


def belongings(number: int, chance: random.Random) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return orders and complaints of a customer, some of them somebody else's who was not known."""
    orders, complaints = [], []
    for own in range(chance.choice((0, 0, 1, 3))):
        on = (DAY - timedelta(days=chance.choice(NEAR))).isoformat()
        orders.append(ORDER | {"customer_id": number, "order_id": own, "number": f"{number}-{own}", "ordered_on": on})
    for own in range(chance.choice((0, 0, 0, 1, 2))):
        closed = AT - timedelta(days=chance.choice(NEAR)) if chance.random() < 0.8 else None
        blank = {column.name: "" for column in complaint.columns if not column.nullable}
        complaints.append(blank | {
            "customer_id": number, "complaint_id": number * 10 + own, "number": f"C{number}-{own}",
            "status": "closed" if closed else "accepted", "closed_at": closed, "received_at": AT, "accepted_at": AT,
            "created_at": AT, "updated_at": AT, "plan_version": 0, "reopened": 0, "policy_version": 1, "version": 1,
            "linked_customer_id": chance.randint(1, PEOPLE) if chance.random() < 0.2 else None,
            "sealed": b"", "sealed_hash": b"",
        })  # fmt: skip
    return orders, complaints


def told(conn: Any, base: Basis, numbers: list[int]) -> dict[int, tuple[str, int | None]]:
    """Return state and rule of each customer as Python decides one by one, from facts read one by one."""
    each = base.readies[0]
    facts: dict[int, dict[Left, Value]] = {number: {} for number in numbers}
    for target, lefts in by_source(each.asked()).items():
        for number, found in source_at(target).facts(conn, numbers, lefts, AT).items():
            facts[number].update(found)
    decided = {number: decide(each, facts[number]) for number in numbers}
    return {number: (found.state, found.rule.position if found.rule else None) for number, found in decided.items()}


@pytest.mark.parametrize("seed", range(12))
def test_sql_decides_as_python_does(engine: Engine, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    base = basis(policies(tmp_path, chance))
    people = [somebody(number, chance) for number in range(1, PEOPLE + 1)]
    orders, complaints = [], []
    for each in people:
        some, more = belongings(each["customer_id"], chance)
        orders += some
        complaints += more
    with write(engine) as conn:
        conn.execute(insert(customer), people)
        for table, rows in ((purchase_order, orders), (complaint, complaints)):
            if rows:
                conn.execute(insert(table), rows)
        follow = {row["customer_id"] for row in complaints if row["linked_customer_id"]}
        alone = [number for number in range(1, PEOPLE + 1) if number not in follow]
        python = told(conn, base, alone)
        named = {each.found.customer_id: (each.state, each.found.rule) for each in base.named(conn, alone)}
        due = [found.customer_id for found in base.due(conn)]
        states = base.states(conn)
    assert named == python
    assert due == sorted(number for number, (state, _rule) in python.items() if state == DUE)
    counted = {state: sum(1 for each, _rule in python.values() if each == state) for state in STATES}
    assert {state: number for (_place, state), number in states.items()} == {s: n for s, n in counted.items() if n}


def test_every_state_is_reached(engine: Engine, tmp_path: Path) -> None:
    """The generator above means something: over all seeds every state but `no_start` comes up."""
    del engine
    reached = set()
    for seed in range(12):
        chance = random.Random(seed)
        base = basis(policies(tmp_path, chance))
        for number in range(60):
            one = somebody(number, chance)
            lefts: dict[Left, Value] = dict.fromkeys(base.readies[0].asked())
            for left in lefts:
                if left.metric.name == "days_since_last_order" and chance.random() < 0.5:
                    lefts[left] = chance.choice(NEAR)
                elif left.metric.name == "days_since_added":
                    lefts[left] = (AT - one["created_at"]).days
                elif left.metric.name == "days_since_put_away" and one["put_away_at"]:
                    lefts[left] = (AT - one["put_away_at"]).days
            reached.add(decide(base.readies[0], lefts).state)
    assert {"due", "grace", "minimum", "running", "put_away"} <= reached


@pytest.mark.parametrize(
    ("day", "since", "over"),
    [
        (date(2026, 2, 28), date(2026, 1, 28), True),
        (date(2026, 2, 28), date(2026, 1, 31), False),
        (date(2026, 3, 1), date(2026, 1, 31), True),
        (date(2028, 2, 29), date(2028, 1, 29), True),
    ],
)
def test_a_month_is_one_of_the_calendar(tmp_path: Path, day: date, since: date, over: bool) -> None:
    """DES-01: from the 31st a month is over on the first day after a shorter one, never earlier."""
    folder = tmp_path / "month"
    folder.mkdir()
    for name, data in policies(tmp_path, random.Random(0)).files.items():
        (folder / name).write_bytes(data)
    text = (shipped("policies") / "retention.yaml").read_text("utf-8").replace("$lead_retention_months", "1")
    (folder / "retention.yaml").write_text(text.replace("grace: {days: 30}", "grace: {days: 0}"), "utf-8")
    found = policy.load(folder)
    rules = ready(found, found.policy("retention"), day, 2).rules
    (rule,) = (each for each in rules if each.code == "never_bought")
    assert ((day - since).days >= rule.days) is over
