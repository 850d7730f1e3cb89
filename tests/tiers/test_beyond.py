"""A plan beyond the limits: refused, asked for, agreed to by somebody else, applied once; killed and finished."""

from __future__ import annotations

import os
from typing import Any

import orjson
import pytest
from company import Company
from sqlalchemy import select, update

from crmctl.approvals.tables import approval
from crmctl.audit.tables import audit_entry
from crmctl.runs.tables import plan_item
from crmctl.store.engine import write
from crmctl.tiers import applying, planning

OWN, WANG = os.getuid(), 1002


@pytest.fixture
def limited(company: Company) -> Company:
    """A company where wang.j approves, whose re-grade may change one tier, and three are to change."""
    company.edit("tiers.yaml", "limits: {max_percent: 20}", "limits: {max_changes: 1}")
    company.regrade()
    company.declare(K001="400000", K003="1", K005="1000000")
    company.edit(
        "access.yaml",
        "  people:\n",
        '  people:\n    "wang.j":\n      uids: [1002]\n      roles: [supervisor]\n'
        '      confidentiality_signed: "2026-01-01"\n      training_passed: "2026-01-01"\n',
    )
    return company


def as_wang(company: Company, *words: object, status: int = 0) -> dict[str, Any]:
    """Run a command from another person's account."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (WANG, WANG, WANG))
        return company.json(*words, status=status)


def entries(company: Company) -> list[dict[str, Any]]:
    found = [orjson.loads(row.body) for row in company.rows(select(audit_entry).order_by(audit_entry.c.seq))]
    return [body for body in found if "approval" in body]


def test_asked_agreed_applied_once(limited: Company) -> None:
    before = limited.tiers()
    saved = limited.regrade("--plan", "--ask")
    assert (saved["changed"], saved["plan"], saved["approval"]) == (3, 1, 1)
    for words in ([], ["--dry-run"]):
        assert limited.regrade("--apply", 1, *words, status=6)["code"] == "APPROVAL_MISSING"
    assert limited.json("approval", "approve", 1, status=6)["code"] == "APPROVAL_OWN_REQUEST"
    as_wang(limited, "approval", "approve", 1)
    limited.regrade("--apply", 1, "--dry-run")
    assert limited.tiers() == before
    assert limited.regrade("--apply", 1)["changed"] == 3
    assert limited.tiers() == {**before, 1: "important", 3: "ordinary", 5: "core"}
    assert limited.regrade("--apply", 1, status=8)["code"] == "PLAN_APPLIED"
    assert limited.json("approval", "show", 1)["state"] == "used"
    assert [(body["act"], body["result"]) for body in entries(limited)] == [
        ("approval.ask", "done"), ("approval.approve", "denied"), ("approval.approve", "done"),
        ("tier.regrade", "done"), ("approval.show", "done"),
    ]  # fmt: skip
    limited.verify()


def test_without_anybody_asked_the_limit_holds_and_says_the_way(limited: Company) -> None:
    limited.regrade("--plan")
    refused = limited.regrade("--apply", 1, status=7)
    assert "--max-changes 3" in refused["hint"]
    assert "crmctl tier regrade --plan --ask" in refused["hint"]
    assert limited.say("tier", "regrade", "--ask").exit_code == 2


def test_an_approval_of_another_plan_is_none_for_this(limited: Company) -> None:
    limited.regrade("--plan", "--ask")
    as_wang(limited, "approval", "approve", 1)
    limited.regrade("--plan")
    assert limited.regrade("--apply", 2, status=7)["code"] == "LIMIT_EXCEEDED"


def test_a_plan_changed_after_agreement_is_not_applied(limited: Company) -> None:
    limited.regrade("--plan", "--ask")
    as_wang(limited, "approval", "approve", 1)
    with write(limited.engine) as conn:
        conn.execute(update(plan_item).where(plan_item.c.customer_id == 5).values(after="ordinary"))
    assert limited.regrade("--apply", 1, status=8)["code"] == "PLAN_CHANGED"
    with write(limited.engine) as conn:
        conn.execute(update(plan_item).where(plan_item.c.customer_id == 5).values(after="core"))
        conn.execute(update(approval).values(subject_hash="b" * 64))
    assert limited.regrade("--apply", 1, status=8)["code"] == "APPROVAL_STALE"


def test_what_was_begun_under_an_approval_is_finished_under_it(
    limited: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted after the first chunk: the approval is spent, and the rest of the same plan is still its own."""
    limited.regrade("--plan", "--ask")
    as_wang(limited, "approval", "approve", 1)
    real = applying.apply
    done: list[int] = []

    def once(*given: Any, **more: Any) -> None:
        if done:
            raise KeyboardInterrupt
        real(*given, **more)
        done.append(1)

    with monkeypatch.context() as patch:
        patch.setattr(planning, "apply", once)
        patch.setattr(planning, "CHUNK", 1)
        limited.say("tier", "regrade", "--apply", 1)
    assert len(done) == 1
    assert limited.json("approval", "show", 1)["state"] == "used"
    limited.regrade("--apply", 1)
    assert limited.regrade()["changed"] == 0
    assert [body["approval"] for body in entries(limited) if body["act"] == "tier.regrade"] == [1]
    limited.verify()
