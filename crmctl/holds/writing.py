"""The one way holds change: rows of holds and of their customers, with a change each, within a chunk's transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import After, Before, Changes, clear_hash, clear_json, fields_json
from crmctl.holds import facts, texts
from crmctl.holds.protected import HOLD, HOLD_CLEAR, ITEM, ITEM_CLEAR
from crmctl.holds.tables import legal_hold, legal_hold_item
from crmctl.runs import staying
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey
from crmctl.store import bulk

CHUNK = 10_000  # customers in one transaction
_EVERYTHING = fields_json(frozenset())
_CHANGED = ("lifted_by", "lifted_at", "updated_at", "version", "sealed", "sealed_hash")


def keep_others_out(conn: Connection) -> None:
    """Let whoever else sets or lifts a hold, or begins a destruction, wait until this transaction ends.

    Whoever begins one calls this before it looks at holds: then nobody is held whose destruction has begun.
    """
    staying.keep_destruction_out(conn)


def create(conn: Connection, run: Run, log: Changes, values: Mapping[str, Any], sealed: tuple[bytes, bytes]) -> None:
    """Write a new hold: `values` are its number, kind, everybody and review day, `sealed` its texts and their hash."""
    at = clock.stamp(run.at)
    given = {
        **values,
        "set_by": run.actor.person,
        "set_at": at,
        "lifted_by": None,
        "lifted_at": None,
        "run_id": run.run_id,
        "created_at": at,
        "updated_at": at,
        "version": 1,
    }
    row = {name: given[name] for name in HOLD_CLEAR}
    log.create((0, HOLD.code, row["hold_id"]), _EVERYTHING, After(clear_hash(row), sealed[1]))
    bulk.insert_rows(conn, legal_hold, facts.HOLD_ROW, [(*row.values(), *sealed)])


def revise(
    conn: Connection, run: Run, log: Changes, hold: int, key: DataKey, note: tuple[str, str] | None, *, lifted: bool
) -> None:  # fmt: skip
    """Add a note (what, text) to the texts of a hold, or mark it lifted, or both: one change of it."""
    row = facts.stored(conn, hold)
    envelope, digest = row["sealed"], row["sealed_hash"]
    before = {name: row[name] for name in HOLD_CLEAR}
    told, at, fields = clear_json(before), clock.stamp(run.at), set[str]()
    after = {**before, "updated_at": at, "version": before["version"] + 1}
    if note is not None:
        more = texts.noted(texts.opened(run, key, envelope, hold), run, *note)
        envelope, digest = texts.seal(run, key, more, hold)
        fields.add("notes")
    if lifted:
        after |= {"lifted_by": run.actor.person, "lifted_at": at}
        fields |= {"lifted_by", "lifted_at"}
    log.update(
        (0, HOLD.code, hold),
        after["version"],
        fields_json(frozenset(fields)),
        Before(told.decode(), row["sealed"], sha256(told).digest(), row["sealed_hash"]),
        After(clear_hash(after), digest),
    )
    values = {**after, "sealed": envelope, "sealed_hash": digest}
    bulk.update_rows(conn, legal_hold, ("hold_id",), _CHANGED, [(hold, *(values[name] for name in _CHANGED))])


def add_items(
    conn: Connection, run: Run, log: Changes, hold: int, customers: Sequence[int], last: Mapping[int, int]
) -> None:  # fmt: skip
    """Put customers under a hold; `last` are the versions that their items had, where they were under it before."""
    at, rows = clock.stamp(run.at), []
    for customer in customers:
        row = (customer, hold, run.run_id, at)
        after = After(clear_hash(dict(zip(ITEM_CLEAR, row, strict=True))), None)
        log.create((customer, ITEM.code, hold), _EVERYTHING, after, last.get(customer, 0) + 1)
        rows.append(row)
    bulk.insert_rows(conn, legal_hold_item, ITEM_CLEAR, rows)


def remove_items(conn: Connection, log: Changes, hold: int, customers: Collection[int]) -> int:
    """Take those of `customers` that are under a hold out of it; return how many were. Others are kept out already."""
    found = bulk.fetch_by_keys(conn, legal_hold_item, "customer_id", customers, ITEM_CLEAR, extra={"hold_id": (hold,)})
    last = facts.versions(conn, hold, [row[0] for row in found])
    for row in sorted(found):
        told = clear_json(dict(zip(ITEM_CLEAR, row, strict=True)))
        before = Before(told.decode(), None, sha256(told).digest(), None)
        log.destroy((row[0], ITEM.code, hold), last[row[0]] + 1, _EVERYTHING, before)
    return bulk.delete_rows(conn, legal_hold_item, ("customer_id", "hold_id"), [row[:2] for row in found])
