"""Owners policies in mode report: what they would do is written down, listed, never done (RULE-07)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from firm import PLAIN, Firm
from officeworld import Office
from sqlalchemy import false, func, select

from crmctl.audit.tables import audit_entry
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.runs.tables import plan, plan_item

TRIAL = PLAIN.replace(
    "schema: 1", "schema: 1\nname: trial\nscope: {customer_type: [government]}\nmode: report"
).replace('labels: {en: All}, source: ["004 §5②"]', "labels: {en: Tried}, staff: {levels: [senior]}")


def listed(firm: Firm, *words: object) -> list[tuple[Any, ...]]:
    """Return customer, action and to of what is reported."""
    return [(row["customer"], row["action"], row["to"]) for row in firm.json("owner", "findings", *words)["findings"]]


def states(firm: Firm) -> list[tuple[int, str, int]]:
    """Return number and state of all plans, and how many items are there."""
    items = select(func.count()).where(plan_item.c.plan_id == plan.c.plan_id).scalar_subquery()
    return [tuple(row) for row in firm.rows(select(plan.c.plan_id, plan.c.state, items).order_by(plan.c.plan_id))]


@pytest.fixture
def trying(firm: Firm) -> Firm:
    """Every third customer is of an office, for which a policy is tried that wants seniors."""
    firm.policy(PLAIN)
    (firm.folder / "policies" / "owners.trial.yaml").write_text(TRIAL, "utf-8")
    firm.sql("UPDATE customer SET type = 'government' WHERE customer_id % 3 = 0")
    return firm


def test_an_assignment_writes_down_what_it_would_have_done(trying: Firm) -> None:
    planned = trying.assign("-n")
    told = trying.assign()
    assert (told["findings"], told["reported"], told["assigned"]) == (1, 20, 40)
    assert (planned["findings"], planned["reported"]) == (None, 20)
    assert {number for number, owner in trying.owners().items() if owner is None} == set(range(3, 61, 3))
    found = trying.json("owner", "findings")["findings"]
    assert [row["customer"] for row in found] == list(range(3, 61, 3))
    row = found[0]
    assert (row["action"], row["from"], row["policy"], row["version"], row["plan"]) == ("assign", None, "trial", 1, 1)
    assert row["rule"] == ["trial", "rules[0]"] and row["inputs"]["place"] > 0 and row["code"] is None
    assert states(trying) == [(1, "reported", 20)]
    (body,) = trying.rows(select(audit_entry.c.body).where(audit_entry.c.body.contains('"obj":"plan:1"')))
    assert '"result":"done"' in body.body
    trying.json("audit", "verify", "--changes", status=14)


def test_it_is_explained_that_nothing_is_done(trying: Firm) -> None:
    told = trying.json("owner", "explain", 3)
    assert told["reporting"] and told["next"]["rule"] == "rules[0]"
    assert "and does nothing" in trying.say("owner", "explain", 3).stdout
    assert not trying.json("owner", "explain", 4)["reporting"]


def test_who_would_find_nobody(trying: Firm) -> None:
    path = trying.folder / "policies" / "owners.trial.yaml"
    path.write_text(path.read_text("utf-8").replace("levels: [senior]", "departments: [nowhere]"), "utf-8")
    told = trying.assign()
    assert (told["findings"], told["reported"], told["unassignable"]) == (1, 0, 0)
    assert {row["code"] for row in trying.json("owner", "findings")["findings"]} == {"DEPARTMENT"}


def test_it_is_told_in_words(trying: Firm) -> None:
    assert "see: crmctl owner findings" in trying.say("owner", "assign", "--limit", 0).stdout
    for lang, words in (("en", r"would go to N T\d+ \(T\d+\).*trial.*Tried"), ("zh", r"将分配给 N T\d+")):
        assert re.search(words, trying.say("owner", "findings", env={"CRMCTL_LANG": lang}).stdout)


def test_findings_are_paged_replaced_and_never_applied(trying: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    trying.assign()
    first = listed(trying)
    assert listed(trying, "--limit", 2) == first[:2]
    assert listed(trying, "--after", "C-6") == first[2:]
    assert trying.assign("--apply", 1, status=1)["code"] == "PLAN_REPORTED"
    trying.assign("--customer", 3, "--customer", 4)
    assert [row[0] for row in listed(trying)] == [row[0] for row in first]
    assert states(trying) == [(1, "reported", 19), (2, "reported", 1)]
    trying.assign()
    assert states(trying) == [(1, "replaced", 0), (2, "replaced", 0), (3, "reported", 20)]
    for within, told in ([customer.c.customer_id > 6], first[2:]), ([false()], []):
        with monkeypatch.context() as patch:
            patch.setattr(scope, "in_scope", lambda _run, within=within: within)
            assert [row[0] for row in listed(trying)] == [row[0] for row in told]
    (trying.folder / "policies" / "owners.trial.yaml").unlink()
    assert (trying.assign()["findings"], listed(trying)) == (None, [])


def test_a_reclaim_writes_down_whom_it_would_have_taken(office: Office) -> None:
    office.desk.edit("owners.yaml", "owner: grading post\n", "owner: grading post\nmode: report\n")
    office.update(2, tier=["core"] * 2, last_contact_at=[office.day(-70)] * 2)
    office.give("B2", 4, 5)
    office.sql("UPDATE ownership SET since_at = '2026-01-05T00:00:00Z'")
    assert office.json("owner", "reclaim", "--dry-run")["findings"] is None
    done = office.json("owner", "reclaim")
    assert (done["reclaimed"], done["reported"], done["findings"]) == (0, 2, 1)
    found = office.json("owner", "findings")["findings"]
    assert [(row["customer"], row["action"], row["from"], row["to"]) for row in found] == [
        (4, "reclaim", office.ids["B2"], None), (5, "reclaim", office.ids["B2"], None),
    ]  # fmt: skip
    assert found[0]["rule"] == ["owners", "pools[0].reclaim[0]"] and found[0]["inputs"] == {"no_contact_for": 60}
    assert "would go from Ben (B2) back to the pool" in office.say("owner", "findings").stdout
    office.json("owner", "assign")  # what assignments find is another list
    assert {row["action"] for row in office.json("owner", "findings")["findings"]} >= {"reclaim"}
    assert office.open() == {4: office.ids["B2"], 5: office.ids["B2"]}
