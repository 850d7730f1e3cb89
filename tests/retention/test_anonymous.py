"""Anonymised customers leave numbers under values that tell nobody apart, and nothing else (DES-01, PIPL art. 73)."""

from __future__ import annotations

import json
import signal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from casework import Hours, Office
from desks import ADMIN, AUDITOR, PERSONAL, STEWARD, SUPERVISOR, Desk
from doomed import PLAN, Doomed
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sqlalchemy import select, update

from crmctl.retention.anonymous import MASK, Terms, columns, left
from crmctl.retention.policy import Anonymise
from crmctl.runs.tables import plan
from crmctl.store.engine import write

TERMS = Terms(ZoneInfo("Asia/Shanghai"), "CNY", 2)
WANTED = """\
      then: anonymise
      anonymise:
        keep: [industry]
        generalise: {first_added_at: year, annual_amount: 100000}
        mask: {region: 2}
        at_least: 5
"""
ALIKE, FEW = 9, 3
HEAD = "customer_type,company_name,name,mobile,region,industry,annual_amount,first_added_at\n"


def anonymising(desk: Desk) -> None:
    """Let the rule of those who never bought leave numbers."""
    desk.edit(
        "retention.yaml",
        "      since: [last_contact, contract_end, complaint, added]\n",
        "      since: [last_contact, contract_end, complaint, added]\n" + WANTED,
    )


def leads(office: Office) -> None:
    """Import firms that never buy: some alike, a few of another region."""
    path = office.desk.folder.parent / "leads.csv"
    regions = ["浙江省"] * ALIKE + ["云南省"] * FEW
    lines = [
        f"enterprise,匿名{n}号有限公司,经办{n},139{n:08},{region},制造业,{123456 + n},2026-05-0{n % 9 + 1}\n"
        for n, region in enumerate(regions)
    ]
    path.write_text(HEAD + "".join(lines), "utf-8")
    office.json(STEWARD, "customer", "import", path)


@pytest.fixture
def ready(office: Office, hours: Hours) -> Office:
    """An office in which a plan to anonymise is agreed to."""
    anonymising(office.desk)
    leads(office)
    hours.forward(days=31 * 36)
    office.json(ADMIN, "keys", "rotate")
    office.json(STEWARD, "purge", "plan")
    office.json(SUPERVISOR, "purge", "approve", PLAN)
    return office


def groups(office: Office) -> list[dict[str, Any]]:
    """Return what anonymised customers left."""
    found: list[dict[str, Any]] = office.json(AUDITOR, "purge", "anonymous")["groups"]
    return found


def test_from_plan_to_numbers(ready: Office) -> None:
    """DES-01: the plan says what is left of them, who agrees reads it, and of too few alike only their number is."""
    shown = ready.json(SUPERVISOR, "purge", "show", PLAN)
    (spec,) = shown["anonymise"]
    assert (spec["code"], spec["keep"], spec["at_least"]) == ("never_bought", ["industry"], 5)
    assert "region (2 characters)" in ready.desk.say(SUPERVISOR, "purge", "show", PLAN, "--lang", "en").stdout
    assert groups(ready) == []
    done = ready.json(STEWARD, "purge", "run", PLAN)["purges"][0]
    everybody = ALIKE + FEW + 3
    assert (done["destroyed"], done["anonymised"]) == (everybody, {"never_bought": everybody})
    facts = {"annual_amount": 100_000, "first_added_at": "2026", "industry": "manufacturing", "region": "浙江" + MASK}
    nothing = dict.fromkeys(facts)
    assert groups(ready) == [
        {"rule": "never_bought", **facts, "customers": ALIKE},
        {"rule": "never_bought", **nothing, "customers": FEW + 3},
    ]
    ready.sound()
    assert ready.json(STEWARD, "purge", "verify", PLAN)["clean"]
    record = json.loads(ready.desk.say(STEWARD, "purge", "show", PLAN, "--record").stdout)
    assert (record["destroyed"], record["anonymised"]) == (everybody, {"never_bought": everybody})
    assert ready.desk.refusal(AUDITOR, "purge", "anonymous", "--rule", "nosuch", status=4) == "RULE_UNKNOWN"
    assert ready.json(AUDITOR, "purge", "anonymous", "--rule", "former")["groups"] == []
    told = ready.desk.say(AUDITOR, "purge", "anonymous", "-o", "csv").stdout
    assert not [value for value in (*PERSONAL, "匿名", "经办", "13900000", "123456") if value in told]


def test_groups_grow(ready: Office, hours: Hours) -> None:
    """The next purge adds to what there is; a number without values stays one."""
    ready.json(STEWARD, "purge", "run", PLAN)
    leads(ready)
    hours.forward(days=31 * 36)
    ready.json(ADMIN, "keys", "rotate")
    second = ready.json(STEWARD, "purge", "plan")["plan"]
    ready.json(SUPERVISOR, "purge", "approve", second)
    ready.json(STEWARD, "purge", "run", second)
    assert [each["customers"] for each in groups(ready)] == [2 * ALIKE, 2 * FEW + 3]


@pytest.mark.parametrize(
    "point",
    [
        "after:2:crmctl.retention.grouping:leave",
        "after:1:crmctl.runs.chunks:write",
        "after:2:crmctl.retention.records:add",
        "after:2:crmctl.retention.purging:destroy",
        "after:1:crmctl.retention.grouping:bring_together",
    ],
)
def test_killed(ready: Office, point: str) -> None:
    """DES-06: killed anywhere, everybody is counted once."""
    doomed = Doomed(ready, ALIKE + FEW + 3)
    assert doomed.purge(f"SIGKILL:{point}").returncode == -signal.SIGKILL
    assert groups(ready) == [], "until it is done nobody is shown who may be alone"
    again = doomed.purge()
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["purges"][0]["anonymised"] == {"never_bought": ALIKE + FEW + 3}
    assert [each["customers"] for each in groups(ready)] == [ALIKE, FEW + 3]


def test_what_is_left_is_agreed_to(ready: Office) -> None:
    """DES-02: whoever changes what a plan leaves, after somebody agreed to it, destroys nobody."""
    with write(ready.desk.engine) as conn:
        text = conn.execute(select(plan.c.summary).where(plan.c.plan_id == PLAN)).scalar_one()
        changed = text.replace('"at_least":5', '"at_least":2')
        assert changed != text
        conn.execute(update(plan).where(plan.c.plan_id == PLAN).values(summary=changed))
    assert ready.desk.refusal(STEWARD, "purge", "run", PLAN, status=8) == "APPROVAL_STALE"
    assert Doomed(ready, ALIKE + FEW + 3).alive() == ALIKE + FEW + 3


def test_nothing_of_who_asks(office: Office) -> None:
    """Whoever asks to be forgotten leaves no number either."""
    anonymising(office.desk)
    made = office.json(STEWARD, "purge", "plan", "--customer", "C-1")
    assert made["anonymise"] == []
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    assert office.json(STEWARD, "purge", "run", made["plan"])["purges"][0]["anonymised"] == {}
    assert groups(office) == []


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("keep: [industry]", "keep: [name]", "customers[2].anonymise.keep[0]"),
        ("mask: {region: 2}", "mask: {mobile: 2}", "mobile: unknown key"),
        ("keep: [industry]", "keep: [industry, region]", "customers[2].anonymise"),
        ("first_added_at: year", "first_added_at: 7", "customers[2].anonymise.generalise.first_added_at"),
        ("first_added_at: year", "first_added_at: day", "customers[2].anonymise.generalise.first_added_at"),
        ("at_least: 5", "at_least: 1", "customers[2].anonymise.at_least"),
        ("then: anonymise", "then: destroy", "customers[2].anonymise"),
    ],
)
def test_lists_that_are_refused(office: Office, old: str, new: str, where: str) -> None:
    """What is personal cannot be left, a list must be meant, and two who are alike are the least."""
    anonymising(office.desk)
    office.desk.edit("retention.yaml", WANTED, WANTED.replace(old, new))
    done = office.desk.say(STEWARD, "policy", "validate")
    assert done.exit_code == 4
    assert where in done.stdout + done.stderr


@given(
    region=st.none() | st.text(min_size=1, max_size=12),
    amount=st.none() | st.integers(0, 10**15),
    percent=st.none() | st.integers(0, 100),
    length=st.integers(1, 20),
    step=st.integers(1, 10**9),
)
def test_what_is_left(region: str | None, amount: int | None, percent: int | None, length: int, step: int) -> None:
    """Never more of a text than the list says, never a whole one; numbers are multiples; the rest is not there."""
    spec = Anonymise(
        generalise={"annual_amount": step, "completeness": step, "first_added_at": "quarter"},
        mask={"region": length},
        at_least=2,
    )
    row = dict.fromkeys(columns([spec]))
    row |= {"region": region, "annual_amount": amount, "completeness": percent, "currency": "CNY"}
    row |= {"first_added_at": "2025-12-31T16:30:00Z", "company_name": "示例"}
    found = left(spec, row, TERMS)
    assert set(found) <= {"annual_amount", "completeness", "first_added_at", "region"}
    assert found["first_added_at"] == "2026-Q1"  # of the company's clock
    if region is not None:
        shown = str(found["region"]).removesuffix(MASK)
        assert region.startswith(shown)
        assert len(shown) <= length < len(region) or not shown
    for name, value in (("annual_amount", None if amount is None else amount // 100), ("completeness", percent)):
        assert (name in found) is (value is not None)
        assert value is None or (int(found[name]) % step == 0 and 0 <= value - int(found[name]) < step)
    assert "annual_amount" not in left(spec, row | {"currency": "USD"}, TERMS)


def test_a_list_of_nothing_is_a_number() -> None:
    """Without any field everybody is in one group."""
    spec = Anonymise(at_least=2)
    assert left(spec, {}, TERMS) == {}
    assert columns([spec]) == ()
    with pytest.raises(ValidationError):
        Anonymise(at_least=1)
