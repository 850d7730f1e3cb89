"""What tests of holds do again and again: set one with the real command, bring a text, look who is under which."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from desks import STEWARD, Desk
from sqlalchemy import insert, select

from crmctl import clock
from crmctl.holds.tables import legal_hold_item
from crmctl.runs.tables import plan, plan_item
from crmctl.store.engine import write

WHY, ORDER = "税务稽查要求保留全部往来资料", "杭州市税务局 2026-117 号"
SET = ("hold", "set")


def text(desk: Desk, words: str) -> str:
    """Return an argument that brings a personal text, from a file."""
    path = desk.folder.parent / f"text-{len(words)}.txt"
    path.write_text(words, "utf-8")
    return f"@{path}"


def hold(desk: Desk, *words: object, uid: int = STEWARD, kind: str = "legal", status: int = 0) -> dict[str, Any]:
    """Set a hold; return the document, or the failure."""
    return desk.json(uid, *SET, *words, "--kind", kind, "--reason", text(desk, WHY), status=status)


def items(desk: Desk) -> list[tuple[int, int]]:
    """Return who is under which hold."""
    return sorted((row["customer_id"], row["hold_id"]) for row in desk.rows(select(legal_hold_item)))


def planned(desk: Desk, customer: int, *, kind: str = "purge.run", action: str = "purging") -> int:
    """Let a plan say that something is done to a customer; return its number."""
    with write(desk.engine) as conn:
        numbers = [*conn.execute(select(plan.c.plan_id)).scalars(), 0]
        number, at = max(numbers) + 1, clock.now()
        told = {"hash": "0" * 64, "policy_hash": "0" * 64, "summary": "{}", "items": 1, "cursor": 0}
        values = {"plan_id": number, "kind": kind, "run_id": 1, "person": "li.na", "state": "applying", "as_of": at}
        conn.execute(insert(plan).values(**values, **told, created_at=at, expires_at=at + timedelta(days=1)))
        conn.execute(insert(plan_item).values(customer_id=customer, plan_id=number, action=action, detail="[]"))
    return number
