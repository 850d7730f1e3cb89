"""Policies in mode report: what they would do is written down, listed, never done (RULE-07)."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company, scoped
from sqlalchemy import false, func, select

from crmctl.audit.tables import audit_entry
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.runs.tables import plan, plan_item
from crmctl.tiers import survey


def listed(company: Company, *words: object) -> list[tuple[Any, ...]]:
    """Return customer, action, from and to of what is reported."""
    told = company.json("tier", "findings", *words)["findings"]
    return [(row["customer"], row["action"], row["from"], row["to"]) for row in told]


def states(company: Company) -> list[tuple[int, str, int]]:
    """Return number and state of all plans, and how many items are there."""
    items = select(func.count()).where(plan_item.c.plan_id == plan.c.plan_id).scalar_subquery()
    return [tuple(row) for row in company.rows(select(plan.c.plan_id, plan.c.state, items).order_by(plan.c.plan_id))]


@pytest.fixture
def reporting(company: Company) -> Company:
    """Everybody is graded; then a policy in mode report takes customers 2, 4, … and wants them core from 20,000 on."""
    company.regrade()
    company.sql("UPDATE customer SET type = 'government' WHERE customer_id % 2 = 0")
    scoped(company, "offices", "customer_type: [government]", "mode: report\n", core="20000")
    return company


FOUND = [
    (2, "change", "important", "core"), (4, "change", "important", "core"), (8, "change", "potential", "ordinary"),
    (10, "change", "important", "core"),
]  # fmt: skip


@pytest.mark.parametrize("kept", [survey.KEPT, 1])
def test_a_regrade_writes_down_what_it_would_have_done(
    reporting: Company, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    monkeypatch.setattr(survey, "KEPT", kept)  # beyond it, moves are read again
    before = reporting.tiers()
    told = reporting.regrade()
    assert (told["findings"], told["reported"], told["changed"]) == (1, 4, 0)
    assert reporting.tiers() == before
    assert listed(reporting) == FOUND
    row = reporting.json("tier", "findings", "--limit", 1)["findings"][0]
    assert row.pop("found_at").endswith("+08:00")
    assert row == {
        "customer": 2, "finding": "would move from Important to Core", "action": "change", "from": "important",
        "to": "core", "policy": "offices", "version": 1, "rule": "tiers[0]", "override": None,
        "inputs": {"annual_amount": 99999999}, "plan": 1,
    }  # fmt: skip
    assert states(reporting) == [(1, "reported", 4)]
    (body,) = reporting.rows(select(audit_entry.c.body).where(audit_entry.c.body.contains('"obj":"plan:1"')))
    assert '"result":"done"' in body.body
    reporting.json("audit", "verify", "--changes", status=14)


def test_it_is_told_in_words(reporting: Company) -> None:
    assert "see: crmctl tier findings" in reporting.say("tier", "regrade").stdout
    for lang, words in (
        ("en", "would move from Important to Core"),
        ("zh", "将由重要客户变更为核心客户"),
    ):
        told = reporting.say("tier", "findings", env={"CRMCTL_LANG": lang}).stdout
        assert words in told
    assert [row["reported"] for row in reporting.regrade("-n")["moves"]] == [True] * 4


def test_findings_are_paged_by_customer(reporting: Company) -> None:
    reporting.regrade()
    assert listed(reporting, "--limit", 2) == FOUND[:2]
    assert listed(reporting, "--after", "C-4") == FOUND[2:]


def test_nobody_is_told_of_customers_out_of_their_scope(reporting: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    reporting.regrade()
    for within, told in ([customer.c.customer_id > 4], FOUND[2:]), ([false()], []):
        monkeypatch.setattr(scope, "in_scope", lambda _run, within=within: within)
        assert listed(reporting) == told


def test_findings_are_never_applied(reporting: Company) -> None:
    reporting.regrade()
    before = reporting.tiers()
    for words in ([], ["--dry-run"]):
        refused = reporting.regrade("--apply", 1, *words, status=1)
        assert refused["code"] == "PLAN_REPORTED"
        assert "mode: enforce" in refused["hint"]
    reporting.regrade()
    assert reporting.regrade("--apply", 1, status=1)["code"] == "PLAN_REPORTED", "replaced by the second"
    assert reporting.tiers() == before


def test_the_next_regrade_replaces_them(reporting: Company) -> None:
    reporting.regrade()
    reporting.declare(K002="5")
    reporting.sql("UPDATE customer SET type = 'government' WHERE customer_id = 2")
    assert reporting.regrade()["findings"] == 2
    assert listed(reporting)[0] == (2, "change", "important", "ordinary")
    assert states(reporting) == [(1, "replaced", 0), (2, "reported", 4)]

    reporting.edit("tiers.offices.yaml", "mode: report\n", "")
    assert reporting.regrade()["findings"] is None
    assert listed(reporting) == []
    assert states(reporting) == [(1, "replaced", 0), (2, "replaced", 0)]


def test_a_regrade_of_some_replaces_theirs(reporting: Company) -> None:
    reporting.regrade()
    reporting.edit("tiers.offices.yaml", "gte: 20000", "gte: 900000")
    assert reporting.regrade("--customer", 4, "--customer", 5)["findings"] == 2
    assert listed(reporting) == [FOUND[0], (4, "change", "important", "ordinary"), *FOUND[2:]]
    reporting.edit("tiers.offices.yaml", "gte: 900000", "gte: 300001")
    reporting.sql("UPDATE customer SET tier = 'ordinary' WHERE customer_id = 4")
    assert reporting.regrade("--customer", 4)["findings"] is None
    assert listed(reporting) == [FOUND[0], *FOUND[2:]]


def test_an_override_is_found_at_once(reporting: Company) -> None:
    reporting.regrade()
    told = reporting.json("tier", "override", 2, "--pin", "ordinary", "--reason", "r")
    assert (told["changed"], told["reported"]) == (0, 1)
    assert listed(reporting)[0] == (2, "change", "important", "ordinary")
    assert reporting.json("tier", "findings")["findings"][0]["override"] == "pin"
    assert len(listed(reporting)) == 4


def test_a_dry_run_writes_no_findings(reporting: Company) -> None:
    told = reporting.regrade("--dry-run")
    assert (told["findings"], told["reported"]) == (None, 4)
    assert states(reporting) == []
    assert listed(reporting) == []


def test_who_would_wait(company: Company) -> None:
    company.regrade("--as-of", "2025-12-30")
    company.edit("tiers.yaml", "  regrade_every: $tier_regrade_months\n", "  downgrade_after: 2\n")
    company.edit("tiers.yaml", "version: 1\n", "version: 1\nmode: report\n")
    company.declare(K001="400000")
    told = company.regrade("--as-of", "2025-12-31")
    assert (told["waiting"], told["findings"]) == (0, 1)
    assert company.waits() == {}
    (row,) = company.json("tier", "findings")["findings"]
    assert (row["action"], row["finding"]) == ("wait", "would wait before it moves from Core to Important")
