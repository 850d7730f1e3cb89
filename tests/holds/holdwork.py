"""What tests of holds do again and again: set one with the real command, bring a text, look who is under which."""

from __future__ import annotations

from typing import Any

from desks import STEWARD, Desk
from sqlalchemy import select

from crmctl.holds.tables import legal_hold_item

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
