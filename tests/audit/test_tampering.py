"""Everything somebody with the database in hand may do to it, at many places: verification finds each (exit 13).

Each act is done and verified inside one transaction, then rolled back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, select, update

from crmctl.audit.changes import CHANGE_COLUMNS, leaf_of
from crmctl.audit.tables import audit_entry, audit_head, change
from crmctl.audit.tree import Frontier, leaf_hash
from crmctl.audit.verify import Verification, verify_in
from crmctl.customers.tables import contact, customer
from crmctl.store.engine import write

PLACES = 8
Act = Callable[[Connection, random.Random], Any]


class _Undo(Exception):
    pass


@contextmanager
def undone(engine: Engine) -> Iterator[Connection]:
    try:
        with write(engine) as conn:
            yield conn
            raise _Undo
    except _Undo:
        pass


def some_row(conn: Connection, table: Table, rng: random.Random, *conditions: Any) -> Any:
    keys = list(table.primary_key)
    rows = conn.execute(select(table).where(*conditions).order_by(*keys)).all()
    return rng.choice(rows)


def where(table: Table, row: Any) -> list[Any]:
    return [column == getattr(row, column.name) for column in table.primary_key]


def set_in(conn: Connection, table: Table, row: Any, **values: Any) -> None:
    assert conn.execute(update(table).where(*where(table, row)).values(**values)).rowcount == 1


def flipped(value: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(value))
    return value[:at] + bytes([value[at] ^ 1 << rng.randrange(8)]) + value[at + 1 :]


def edited(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + chr((ord(text[at]) - 32 + rng.randint(1, 94)) % 95 + 32) + text[at + 1 :]


def newest(conn: Connection) -> int:
    return int(conn.execute(select(func.max(audit_entry.c.seq))).scalar_one())


def rewrite(conn: Connection, start: int, change_body: Callable[[str], str]) -> None:
    """What a patient forger does: change an entry, then every leaf, prev and the head after it."""
    rows = conn.execute(select(audit_entry).order_by(audit_entry.c.seq)).all()
    tree, prev, changed = Frontier(), bytes(32), []
    for row in rows:
        body = change_body(row.body) if row.seq == start else row.body
        body = body.replace(row.prev.hex(), prev.hex())
        leaf = leaf_hash(body.encode())
        changed.append({"seq": row.seq, "leaf": leaf, "prev": prev, "body": body})
        tree.append(leaf)
        prev = leaf
    conn.execute(delete(audit_entry))
    conn.execute(insert(audit_entry), changed)
    conn.execute(update(audit_head).values(size=tree.size, last_leaf=prev, frontier=tree.to_bytes()))


def shorten(conn: Connection, keep: int) -> None:
    """Cut the log's end off, head and all."""
    conn.execute(delete(audit_entry).where(audit_entry.c.seq >= keep))
    rows = conn.execute(select(audit_entry).order_by(audit_entry.c.seq)).all()
    tree = Frontier()
    tree.extend(row.leaf for row in rows)
    conn.execute(update(audit_head).values(size=keep, last_leaf=rows[-1].leaf, frontier=tree.to_bytes()))


# --- the log itself: found by plain `audit verify`


def entry_edited(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    set_in(conn, audit_entry, row, body=edited(row.body, rng))


def entry_edited_with_its_leaf(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    body = edited(row.body, rng)
    set_in(conn, audit_entry, row, body=body, leaf=leaf_hash(body.encode()))


def entry_shortened(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    set_in(conn, audit_entry, row, body=row.body[: rng.randrange(len(row.body))])


def entry_space_added(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    at = rng.randrange(len(row.body) + 1)
    set_in(conn, audit_entry, row, body=row.body[:at] + " " + row.body[at:])


def leaf_flipped(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    set_in(conn, audit_entry, row, leaf=flipped(row.leaf, rng))


def prev_flipped(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    set_in(conn, audit_entry, row, prev=flipped(row.prev, rng))


def entry_deleted(conn: Connection, rng: random.Random) -> None:
    conn.execute(delete(audit_entry).where(*where(audit_entry, some_row(conn, audit_entry, rng))))


def entries_deleted_in_a_row(conn: Connection, rng: random.Random) -> None:
    first = rng.randrange(newest(conn))
    conn.execute(delete(audit_entry).where(audit_entry.c.seq.between(first, first + rng.randint(1, 4))))


def entries_renumbered_over_a_gap(conn: Connection, rng: random.Random) -> None:
    last = newest(conn)
    gone = rng.randrange(last)
    conn.execute(delete(audit_entry).where(audit_entry.c.seq == gone))
    for seq in range(gone + 1, last + 1):
        conn.execute(update(audit_entry).where(audit_entry.c.seq == seq).values(seq=seq - 1))


def end_cut_off(conn: Connection, rng: random.Random) -> None:
    conn.execute(delete(audit_entry).where(audit_entry.c.seq > rng.randrange(newest(conn))))


def entries_swapped(conn: Connection, rng: random.Random) -> None:
    one = some_row(conn, audit_entry, rng)
    two = some_row(conn, audit_entry, rng, audit_entry.c.seq != one.seq)
    for row, seq in ((one, -1), (two, one.seq), (one, two.seq)):
        taken = -1 if row is one and seq == two.seq else row.seq
        conn.execute(update(audit_entry).where(audit_entry.c.seq == taken).values(seq=seq))


def entry_replaced_by_another(conn: Connection, rng: random.Random) -> None:
    one = some_row(conn, audit_entry, rng)
    two = some_row(conn, audit_entry, rng, audit_entry.c.seq != one.seq)
    set_in(conn, audit_entry, one, body=two.body, leaf=two.leaf)


def entry_added(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    values = {"seq": newest(conn) + 1, "leaf": row.leaf, "prev": rng.randbytes(32), "body": row.body}
    conn.execute(insert(audit_entry).values(values))


def entry_put_before_the_first(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng)
    values = {"seq": -rng.randint(1, 9), "leaf": row.leaf, "prev": rng.randbytes(32), "body": row.body}
    conn.execute(insert(audit_entry).values(values))


def head_set_back(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, audit_entry, rng, audit_entry.c.seq < newest(conn))
    conn.execute(update(audit_head).values(size=row.seq + 1, last_leaf=row.leaf))


def head_leaf_flipped(conn: Connection, rng: random.Random) -> None:
    head = some_row(conn, audit_head, rng)
    set_in(conn, audit_head, head, last_leaf=flipped(head.last_leaf, rng))


def head_tree_flipped(conn: Connection, rng: random.Random) -> None:
    head = some_row(conn, audit_head, rng)
    set_in(conn, audit_head, head, frontier=flipped(head.frontier, rng))


def head_removed(conn: Connection, _rng: random.Random) -> None:
    conn.execute(delete(audit_head))


def everything_removed(conn: Connection, _rng: random.Random) -> None:
    for table in (audit_entry, audit_head, change, contact, customer):
        conn.execute(delete(table))


def entries_removed_and_head_to_zero(conn: Connection, _rng: random.Random) -> None:
    conn.execute(delete(audit_entry))
    conn.execute(update(audit_head).values(size=0, last_leaf=bytes(32), frontier=b""))


# --- the change log: found by --changes


def columns_edited(conn: Connection, rng: random.Random, **of: Callable[[Any], Any]) -> None:
    row = some_row(conn, change, rng, *(change.c[name].is_not(None) for name in of))
    set_in(conn, change, row, **{name: act(getattr(row, name)) for name, act in of.items()})


def change_number_edited(conn: Connection, rng: random.Random) -> None:
    name = rng.choice(["customer_id", "change_id", "run_id", "chunk", "position", "object_id", "version"])
    columns_edited(conn, rng, **{name: lambda value: value + 1000})


def change_text_edited(conn: Connection, rng: random.Random) -> None:
    name, value = rng.choice([("object", "staff"), ("operation", "merge"), ("fields", '["mobile"]')])
    columns_edited(conn, rng, **{name: lambda _old: value})


def change_hash_flipped(conn: Connection, rng: random.Random) -> None:
    name = rng.choice([name for name in CHANGE_COLUMNS if name.endswith("_hash") or name in ("salt", "leaf")])
    columns_edited(conn, rng, **{name: lambda value: flipped(value, rng)})


def change_hash_removed(conn: Connection, rng: random.Random) -> None:
    name = rng.choice([name for name in CHANGE_COLUMNS if name.endswith("_hash")])
    columns_edited(conn, rng, **{name: lambda _old: None})


def change_edited_with_its_leaf(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, change, rng)
    new = {**row._mapping, "clear_after_hash": rng.randbytes(32)}
    set_in(
        conn, change, row, clear_after_hash=new["clear_after_hash"], leaf=leaf_of(tuple(new[n] for n in CHANGE_COLUMNS))
    )


def clear_image_edited(conn: Connection, rng: random.Random) -> None:
    columns_edited(conn, rng, before_clear=lambda value: value.replace("draft", "archived").replace("1", "2"))


def sealed_image_flipped(conn: Connection, rng: random.Random) -> None:
    columns_edited(conn, rng, before_sealed=lambda value: flipped(value, rng))


def image_removed(conn: Connection, rng: random.Random) -> None:
    columns_edited(conn, rng, **{rng.choice(["before_clear", "before_sealed"]): lambda _old: None})


def change_deleted(conn: Connection, rng: random.Random) -> None:
    conn.execute(delete(change).where(*where(change, some_row(conn, change, rng))))


def chunk_deleted(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, change, rng)
    conn.execute(delete(change).where(change.c.run_id == row.run_id, change.c.chunk == row.chunk))


def change_doubled(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, change, rng)
    conn.execute(insert(change).values({**row._mapping, "change_id": 9999, "position": rng.randint(0, 99)}))


def change_of_no_chunk(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, change, rng)
    new = {**row._mapping, "change_id": 9999, "run_id": 77, "position": 0, "version": 99}
    conn.execute(insert(change).values({**new, "leaf": leaf_of(tuple(new[name] for name in CHANGE_COLUMNS))}))


def changes_trade_places(conn: Connection, rng: random.Random) -> None:
    one = some_row(conn, change, rng, change.c.run_id == 1)
    two = some_row(conn, change, rng, change.c.run_id == 1, change.c.chunk == one.chunk, change.c.leaf != one.leaf)
    set_in(conn, change, one, position=two.position)
    set_in(conn, change, two, position=one.position)


def root_forged_and_log_rewritten(conn: Connection, rng: random.Random) -> None:
    entry = some_row(conn, audit_entry, rng, audit_entry.c.body.contains("changes_root"))
    at = entry.body.index('"changes_root":"') + 16
    rewrite(conn, entry.seq, lambda body: body[:at] + rng.randbytes(32).hex() + body[at + 64 :])


def number_forged_and_log_rewritten(conn: Connection, rng: random.Random) -> None:
    entry = some_row(conn, audit_entry, rng, audit_entry.c.body.contains("changes_root"))
    rewrite(conn, entry.seq, lambda body: body.replace('"changes":', '"changes":1'))


def chunk_entry_made_harmless_and_log_rewritten(conn: Connection, rng: random.Random) -> None:
    entry = some_row(conn, audit_entry, rng, audit_entry.c.body.contains("changes_root"))
    rewrite(conn, entry.seq, lambda body: body.replace("changes_root", "changes_none"))


def end_cut_off_with_the_head(conn: Connection, rng: random.Random) -> None:
    last_chunk = conn.execute(
        select(func.max(audit_entry.c.seq)).where(audit_entry.c.body.contains("changes_root"))
    ).scalar_one()
    shorten(conn, rng.randint(1, last_chunk))


# --- the rows: found by --rows


def row_edited(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, customer, rng)
    values = {"tier": "core", "owner_id": 5, "company_name": "x", "annual_amount": 1, "batch_id": 9, "version": 7}
    values |= {"first_added_at": row.updated_at, "flags": "", "completeness": 100, "attributes": "{}"}
    name = rng.choice(sorted(values))
    set_in(conn, customer, row, **{name: values[name]})


def field_cleared(conn: Connection, rng: random.Random) -> None:
    set_in(conn, customer, some_row(conn, customer, rng), **{rng.choice(["company_name", "first_added_at"]): None})


def contact_edited(conn: Connection, rng: random.Random) -> None:
    set_in(conn, contact, some_row(conn, contact, rng), is_primary=0)


def sealed_flipped(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    row = some_row(conn, table, rng)
    set_in(conn, table, row, sealed=flipped(row.sealed, rng))


def sealed_replaced_with_its_hash(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    sealed = rng.randbytes(64)
    set_in(conn, table, some_row(conn, table, rng), sealed=sealed, sealed_hash=sha256(sealed).digest())


def sealed_swapped(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    one = some_row(conn, table, rng)
    two = some_row(conn, table, rng, table.c.customer_id != one.customer_id)
    set_in(conn, table, one, sealed=two.sealed, sealed_hash=two.sealed_hash)
    set_in(conn, table, two, sealed=one.sealed, sealed_hash=one.sealed_hash)


def sealed_hash_flipped(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    row = some_row(conn, table, rng)
    set_in(conn, table, row, sealed_hash=flipped(row.sealed_hash, rng))


def row_deleted(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    conn.execute(delete(table).where(*where(table, some_row(conn, table, rng))))


def row_inserted(conn: Connection, rng: random.Random) -> None:
    table = rng.choice([customer, contact])
    row = some_row(conn, table, rng)
    conn.execute(insert(table).values({**row._mapping, "customer_id": rng.randint(500, 10**12)}))


def row_brought_back(conn: Connection, rng: random.Random) -> None:
    row = some_row(conn, customer, rng)
    conn.execute(insert(customer).values({**row._mapping, "customer_id": 7}))


def row_moved(conn: Connection, rng: random.Random) -> None:
    set_in(conn, contact, some_row(conn, contact, rng), contact_id=99)


def salt_and_images_removed(conn: Connection, rng: random.Random) -> None:
    """Without a salt a leaf cannot be recomputed: then the hashes beside it prove nothing, unless it was purged."""
    row = some_row(conn, change, rng, change.c.customer_id != 7)
    set_in(conn, change, row, salt=None, before_clear=None, before_sealed=None)


ON_THE_LOG: list[Act] = [
    entry_edited, entry_edited_with_its_leaf, entry_shortened, entry_space_added, leaf_flipped, prev_flipped,
    entry_deleted, entries_deleted_in_a_row, entries_renumbered_over_a_gap, end_cut_off, entries_swapped,
    entry_replaced_by_another, entry_added, entry_put_before_the_first, head_set_back, head_leaf_flipped,
    head_tree_flipped, head_removed, everything_removed, entries_removed_and_head_to_zero,
]  # fmt: skip
ON_CHANGES: list[Act] = [
    change_number_edited, change_text_edited, change_hash_flipped, change_hash_removed, change_edited_with_its_leaf,
    clear_image_edited, sealed_image_flipped, image_removed, change_deleted, chunk_deleted, change_doubled,
    change_of_no_chunk, changes_trade_places, root_forged_and_log_rewritten, number_forged_and_log_rewritten,
    chunk_entry_made_harmless_and_log_rewritten, end_cut_off_with_the_head,
]  # fmt: skip
ON_ROWS: list[Act] = [
    row_edited, field_cleared, contact_edited, sealed_flipped, sealed_replaced_with_its_hash, sealed_swapped,
    sealed_hash_flipped, row_deleted, row_inserted, row_brought_back, row_moved, salt_and_images_removed,
]  # fmt: skip


def check(engine: Engine, acts: list[Act], levels: dict[str, bool]) -> None:
    missed = []
    for act in acts:
        for place in range(PLACES):
            with undone(engine) as conn:
                act(conn, random.Random(f"{act.__name__} {place}"))
                result: Verification = verify_in(conn, **levels)
            if result.exit_code != 13 or not result.problems:
                missed.append(f"{act.__name__} {place}")
    assert missed == []


def test_tampering_with_the_log_is_found(world: Any) -> None:
    check(world.engine, ON_THE_LOG, {})


def test_tampering_with_changes_is_found(world: Any) -> None:
    check(world.engine, ON_CHANGES, {"changes": True})


def test_tampering_with_rows_is_found(world: Any) -> None:
    check(world.engine, ON_ROWS, {"rows": True})


def test_nothing_was_wrong_before_nor_after(world: Any) -> None:
    """The yardstick of the tests above: an honest world verifies, and each act was undone."""
    check(world.engine, ON_ROWS[:2], {"rows": True})
    with undone(world.engine) as conn:
        result = verify_in(conn, rows=True)
    assert (result.exit_code, result.problem_count, result.entries, result.rows) == (14, 0, 17, 34)


def test_a_log_rewritten_whole_is_valid_and_unsigned(world: Any) -> None:
    """Said openly: without signatures whoever can write the database can write another history."""
    with undone(world.engine) as conn:
        rewrite(conn, 1, lambda body: body.replace("li.na", "wu.di"))
        assert verify_in(conn).exit_code == 14
