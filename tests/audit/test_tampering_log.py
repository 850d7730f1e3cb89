"""Everything somebody may do to the log itself: plain `audit verify` finds it (exit 13).

What these acts have in hand is `Tamper` of conftest. Each is done and verified in one transaction, then rolled back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, insert, update

from crmctl.audit.tables import audit_entry, audit_head, change
from crmctl.audit.tree import leaf_hash
from crmctl.customers.tables import contact, customer


def entry_edited(t: Any) -> None:
    row = t.row(audit_entry)
    t.set(audit_entry, row, body=t.edited(row.body))


def entry_edited_with_its_leaf(t: Any) -> None:
    row = t.row(audit_entry)
    body = t.edited(row.body)
    t.set(audit_entry, row, body=body, leaf=leaf_hash(body.encode()))


def entry_shortened(t: Any) -> None:
    row = t.row(audit_entry)
    t.set(audit_entry, row, body=row.body[: t.random.randrange(len(row.body))])


def entry_space_added(t: Any) -> None:
    row = t.row(audit_entry)
    at = t.random.randrange(len(row.body) + 1)
    t.set(audit_entry, row, body=row.body[:at] + " " + row.body[at:])


def leaf_flipped(t: Any) -> None:
    row = t.row(audit_entry)
    t.set(audit_entry, row, leaf=t.flipped(row.leaf))


def prev_flipped(t: Any) -> None:
    row = t.row(audit_entry)
    t.set(audit_entry, row, prev=t.flipped(row.prev))


def entry_deleted(t: Any) -> None:
    t.conn.execute(delete(audit_entry).where(*t.where(audit_entry, t.row(audit_entry))))


def entries_deleted_in_a_row(t: Any) -> None:
    first = t.random.randrange(t.newest())
    t.conn.execute(delete(audit_entry).where(audit_entry.c.seq.between(first, first + t.random.randint(1, 4))))


def entries_renumbered_over_a_gap(t: Any) -> None:
    last = t.newest()
    gone = t.random.randrange(last)
    t.conn.execute(delete(audit_entry).where(audit_entry.c.seq == gone))
    for seq in range(gone + 1, last + 1):
        t.conn.execute(update(audit_entry).where(audit_entry.c.seq == seq).values(seq=seq - 1))


def end_cut_off(t: Any) -> None:
    t.conn.execute(delete(audit_entry).where(audit_entry.c.seq > t.random.randrange(t.newest())))


def entries_swapped(t: Any) -> None:
    one = t.row(audit_entry)
    two = t.row(audit_entry, audit_entry.c.seq != one.seq)
    for row, seq in ((one, -1), (two, one.seq), (one, two.seq)):
        taken = -1 if row is one and seq == two.seq else row.seq
        t.conn.execute(update(audit_entry).where(audit_entry.c.seq == taken).values(seq=seq))


def entry_replaced_by_another(t: Any) -> None:
    one = t.row(audit_entry)
    two = t.row(audit_entry, audit_entry.c.seq != one.seq)
    t.set(audit_entry, one, body=two.body, leaf=two.leaf)


def entry_added(t: Any) -> None:
    row = t.row(audit_entry)
    values = {"seq": t.newest() + 1, "leaf": row.leaf, "prev": t.random.randbytes(32), "body": row.body}
    t.conn.execute(insert(audit_entry).values(values))


def entry_put_before_the_first(t: Any) -> None:
    row = t.row(audit_entry)
    values = {"seq": -t.random.randint(1, 9), "leaf": row.leaf, "prev": t.random.randbytes(32), "body": row.body}
    t.conn.execute(insert(audit_entry).values(values))


def head_set_back(t: Any) -> None:
    row = t.row(audit_entry, audit_entry.c.seq < t.newest())
    t.conn.execute(update(audit_head).values(size=row.seq + 1, last_leaf=row.leaf))


def head_leaf_flipped(t: Any) -> None:
    head = t.row(audit_head)
    t.set(audit_head, head, last_leaf=t.flipped(head.last_leaf))


def head_tree_flipped(t: Any) -> None:
    head = t.row(audit_head)
    t.set(audit_head, head, frontier=t.flipped(head.frontier))


def head_removed(t: Any) -> None:
    t.conn.execute(delete(audit_head))


def everything_removed(t: Any) -> None:
    for table in (audit_entry, audit_head, change, contact, customer):
        t.conn.execute(delete(table))


def entries_removed_and_head_to_zero(t: Any) -> None:
    t.conn.execute(delete(audit_entry))
    t.conn.execute(update(audit_head).values(size=0, last_leaf=bytes(32), frontier=b""))


ON_THE_LOG: list[Callable[[Any], None]] = [
    entry_edited, entry_edited_with_its_leaf, entry_shortened, entry_space_added, leaf_flipped, prev_flipped,
    entry_deleted, entries_deleted_in_a_row, entries_renumbered_over_a_gap, end_cut_off, entries_swapped,
    entry_replaced_by_another, entry_added, entry_put_before_the_first, head_set_back, head_leaf_flipped,
    head_tree_flipped, head_removed, everything_removed, entries_removed_and_head_to_zero,
]  # fmt: skip


def test_tampering_with_the_log_is_found(missed: Callable[..., list[str]]) -> None:
    assert missed(ON_THE_LOG) == []


def test_a_log_rewritten_whole_is_valid_and_unsigned(missed: Callable[..., list[str]]) -> None:
    """Said openly: without signatures whoever can write the database can write another history."""

    def history_rewritten(t: Any) -> None:
        t.rewrite(1, lambda body: body.replace("li.na", "wu.di"))

    assert missed([history_rewritten], exit_code=14) == []


def test_nothing_is_found_where_nothing_was_done(missed: Callable[..., list[str]]) -> None:
    """The yardstick of all these tests."""

    def nothing(_t: Any) -> None:
        pass

    assert missed([nothing], exit_code=14, rows=True) == []
