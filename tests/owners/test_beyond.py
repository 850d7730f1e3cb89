"""A plan beyond the limits: refused, asked for, agreed to by somebody else, applied once; begun and finished."""

from __future__ import annotations

import os
from typing import Any

import orjson
import pytest
from firm import PLAIN, Firm
from sqlalchemy import select

from crmctl.audit.tables import audit_entry
from crmctl.owners import applying, planning

WANG = 1002


@pytest.fixture
def limited(firm: Firm) -> Firm:
    """A company where wang.j approves, and four customers of one who has left are to go to others: one may."""
    firm.policy(PLAIN.replace("owner: grading post", "owner: grading post\nlimits: {max_changes: 1}"))
    firm.assign()
    firm.edit(
        "access.yaml",
        "  people:\n",
        '  people:\n    "wang.j":\n      uids: [1002]\n      roles: [supervisor]\n'
        '      confidentiality_signed: "2026-01-01"\n      training_passed: "2026-01-01"\n',
    )
    leaver = next(number for number in firm.numbers().values() if list(firm.owners().values()).count(number) > 3)
    assert firm.say("staff", "deactivate", leaver).exit_code == 0
    return firm


def as_wang(firm: Firm, *words: object) -> dict[str, Any]:
    """Run a command from another person's account."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "getresuid", lambda: (WANG, WANG, WANG))
        return firm.json(*words)


def test_asked_agreed_applied_once(limited: Firm) -> None:
    before = limited.owners()
    saved = limited.assign("--plan", "--ask")
    assert saved["reassigned"] > 1 and (saved["plan"], saved["approval"]) == (1, 1)
    for words in ([], ["--dry-run"]):
        assert limited.assign("--apply", 1, *words, status=6)["code"] == "APPROVAL_MISSING"
    assert limited.json("approval", "approve", 1, status=6)["code"] == "APPROVAL_OWN_REQUEST"
    as_wang(limited, "approval", "approve", 1)
    limited.assign("--apply", 1, "--dry-run")
    assert limited.owners() == before
    assert limited.assign("--apply", 1)["assigned"] == saved["assigned"]
    assert sum(owner != before[number] for number, owner in limited.owners().items()) == saved["assigned"]
    assert limited.assign("--apply", 1, status=8)["code"] == "PLAN_APPLIED"
    assert limited.json("approval", "show", 1)["state"] == "used"
    bodies = [orjson.loads(row.body) for row in limited.rows(select(audit_entry).order_by(audit_entry.c.seq))]
    assert [body["act"] for body in bodies if body.get("approval") == 1] == [
        "approval.ask", "approval.approve", "approval.approve", "owner.assign", "approval.show",
    ]  # fmt: skip
    limited.verify()


def test_without_anybody_asked_the_limit_holds_and_says_the_way(limited: Firm) -> None:
    limited.assign("--plan")
    refused = limited.assign("--apply", 1, status=7)
    assert "crmctl owner assign --plan --ask" in refused["hint"]
    assert limited.assign("--ask", status=2)["code"] == "USAGE"


def test_an_approval_of_another_plan_is_none_for_this(limited: Firm) -> None:
    limited.assign("--plan", "--ask")
    as_wang(limited, "approval", "approve", 1)
    limited.assign("--plan")
    assert limited.assign("--apply", 2, status=7)["code"] == "LIMIT_EXCEEDED"


def test_what_was_begun_under_an_approval_is_finished_under_it(limited: Firm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after the first chunk: the approval is spent, and the rest of the same plan is still its own."""
    saved = limited.assign("--plan", "--ask")
    as_wang(limited, "approval", "approve", 1)
    done: list[int] = []

    def once(*given: Any, **more: Any) -> None:
        if done:
            raise KeyboardInterrupt
        applying.apply(*given, **more)
        done.append(1)

    with monkeypatch.context() as patch:
        patch.setattr(planning, "apply", once)
        patch.setattr(planning, "CHUNK", 1)
        limited.say("owner", "assign", "--apply", 1)
    assert len(done) == 1 < saved["assigned"]
    assert limited.json("approval", "show", 1)["state"] == "used"
    limited.assign("--apply", 1)
    assert limited.assign()["assigned"] == 0
    limited.verify()
