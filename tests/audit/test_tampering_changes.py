"""Everything somebody may do to the change log: `audit verify --changes` finds it (exit 13).

What these acts have in hand is `Tamper` of conftest. Each is done and verified in one transaction, then rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, func, insert, select

from crmctl.audit.changes import CHANGE_COLUMNS, leaf_of
from crmctl.audit.tables import audit_entry, change


def columns_edited(t: Any, **of: Callable[[Any], Any]) -> None:
    row = t.row(change, *(change.c[name].is_not(None) for name in of))
    t.set(change, row, **{name: act(getattr(row, name)) for name, act in of.items()})


def change_number_edited(t: Any) -> None:
    name = t.random.choice(["customer_id", "change_id", "run_id", "chunk", "position", "object_id", "version"])
    columns_edited(t, **{name: lambda value: value + 1000})


def change_text_edited(t: Any) -> None:
    name, value = t.random.choice([("object", "staff"), ("operation", "merge"), ("fields", '["mobile"]')])
    columns_edited(t, **{name: lambda _old: value})


def change_hash_flipped(t: Any) -> None:
    name = t.random.choice([name for name in CHANGE_COLUMNS if name.endswith("_hash") or name in ("salt", "leaf")])
    columns_edited(t, **{name: lambda value: t.flipped(value)})


def change_hash_removed(t: Any) -> None:
    name = t.random.choice([name for name in CHANGE_COLUMNS if name.endswith("_hash")])
    columns_edited(t, **{name: lambda _old: None})


def change_edited_with_its_leaf(t: Any) -> None:
    row = t.row(change)
    new = {**row._mapping, "clear_after_hash": t.random.randbytes(32)}
    leaf = leaf_of(tuple(new[name] for name in CHANGE_COLUMNS))
    t.set(change, row, clear_after_hash=new["clear_after_hash"], leaf=leaf)


def clear_image_edited(t: Any) -> None:
    columns_edited(t, before_clear=lambda value: value.replace("draft", "archived").replace("1", "2"))


def sealed_image_flipped(t: Any) -> None:
    columns_edited(t, before_sealed=lambda value: t.flipped(value))


def image_removed(t: Any) -> None:
    columns_edited(t, **{t.random.choice(["before_clear", "before_sealed"]): lambda _old: None})


def change_deleted(t: Any) -> None:
    t.conn.execute(delete(change).where(*t.where(change, t.row(change))))


def chunk_deleted(t: Any) -> None:
    row = t.row(change)
    t.conn.execute(delete(change).where(change.c.run_id == row.run_id, change.c.chunk == row.chunk))


def change_doubled(t: Any) -> None:
    row = t.row(change)
    t.conn.execute(insert(change).values({**row._mapping, "change_id": 9999, "position": t.random.randint(0, 99)}))


def change_of_no_chunk(t: Any) -> None:
    row = t.row(change)
    new = {**row._mapping, "change_id": 9999, "run_id": 77, "position": 0, "version": 99}
    t.conn.execute(insert(change).values({**new, "leaf": leaf_of(tuple(new[name] for name in CHANGE_COLUMNS))}))


def changes_trade_places(t: Any) -> None:
    one = t.row(change, change.c.run_id == 1)
    two = t.row(change, change.c.run_id == 1, change.c.chunk == one.chunk, change.c.leaf != one.leaf)
    t.set(change, one, position=two.position)
    t.set(change, two, position=one.position)


def root_forged_and_log_rewritten(t: Any) -> None:
    entry = t.row(audit_entry, audit_entry.c.body.contains("changes_root"))
    at = entry.body.index('"changes_root":"') + 16
    t.rewrite(entry.seq, lambda body: body[:at] + t.random.randbytes(32).hex() + body[at + 64 :])


def number_forged_and_log_rewritten(t: Any) -> None:
    entry = t.row(audit_entry, audit_entry.c.body.contains("changes_root"))
    t.rewrite(entry.seq, lambda body: body.replace('"changes":', '"changes":1'))


def chunk_entry_made_harmless_and_log_rewritten(t: Any) -> None:
    entry = t.row(audit_entry, audit_entry.c.body.contains("changes_root"))
    t.rewrite(entry.seq, lambda body: body.replace("changes_root", "changes_none"))


def end_cut_off_with_the_head(t: Any) -> None:
    last_chunk = t.conn.execute(
        select(func.max(audit_entry.c.seq)).where(audit_entry.c.body.contains("changes_root"))
    ).scalar_one()
    t.shorten(t.random.randint(1, last_chunk))


ON_CHANGES: list[Callable[[Any], None]] = [
    change_number_edited, change_text_edited, change_hash_flipped, change_hash_removed, change_edited_with_its_leaf,
    clear_image_edited, sealed_image_flipped, image_removed, change_deleted, chunk_deleted, change_doubled,
    change_of_no_chunk, changes_trade_places, root_forged_and_log_rewritten, number_forged_and_log_rewritten,
    chunk_entry_made_harmless_and_log_rewritten, end_cut_off_with_the_head,
]  # fmt: skip


def test_tampering_with_changes_is_found(missed: Callable[..., list[str]]) -> None:
    assert missed(ON_CHANGES, changes=True) == []
