"""What a bulk look showed: committed to by its entry, found again by customer, verified with the changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, update

from crmctl.audit import entries, looks, tree
from crmctl.audit.listing import Filters, list_entries
from crmctl.audit.tables import look
from crmctl.audit.verify import verify
from crmctl.store.engine import read, write

Build = Callable[..., dict[str, Any]]


def shown(engine: Engine, entry: Build, run: int, customers: list[int]) -> bytes:
    with write(engine) as conn:
        number, root = looks.commit(conn, run, iter(customers))
        entries.append(conn, entry(act="customer.list", run=run, n=number, looks=number, looks_root=root.hex()))
    return root


def test_a_leaf_is_what_the_page_says(engine: Engine, entry: Build) -> None:
    """Recomputed with hashlib and json alone."""
    root = shown(engine, entry, 3, [7, 9, 4])
    with read(engine) as conn:
        rows = conn.execute(select(look).order_by(look.c.position)).all()
    found = []
    for row in rows:
        body = {"customer": row.customer_id, "position": row.position, "run": 3}
        text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        found.append(sha256(b"\x00" + row.salt + text).digest())
    assert [row.customer_id for row in rows] == [7, 9, 4]
    assert found == [row.leaf for row in rows]
    assert tree.root(found) == root
    assert len({row.salt for row in rows}) == 3


def test_many_at_once_come_from_a_generator(engine: Engine) -> None:
    with write(engine) as conn:
        number, root = looks.commit(conn, 1, (n for n in range(1, 10_001)))
        leaves = conn.execute(select(look.c.leaf).order_by(look.c.position)).scalars().all()
    assert (number, root) == (10_000, tree.root(leaves))


def test_nobody_shown_is_no_tree(engine: Engine) -> None:
    with write(engine) as conn:
        assert looks.commit(conn, 1, []) == (0, tree.EMPTY_ROOT)


def test_a_customer_brings_the_lists_that_showed_it(engine: Engine, entry: Build) -> None:
    shown(engine, entry, 3, [7, 9])
    shown(engine, entry, 4, [9])
    assert [body["run"] for body in list_entries(engine, Filters(customer=9), 10).entries] == [4, 3]
    assert [body["run"] for body in list_entries(engine, Filters(customer=7), 10).entries] == [3]


EDITS: dict[str, tuple[Any, str]] = {
    "customer": (update(look).where(look.c.position == 1).values(customer_id=99), "LOOK_LEAF"),
    "salt": (update(look).where(look.c.position == 1).values(salt=bytes(16)), "LOOK_LEAF"),
    "leaf": (update(look).where(look.c.position == 1).values(leaf=bytes(32)), "LOOKS_CHANGED"),
    "last one gone": (delete(look).where(look.c.position == 2), "LOOKS_CHANGED"),
    "first one gone": (delete(look).where(look.c.position == 0), "LOOK_LEAF"),
    "all gone": (delete(look), "LOOKS_MISSING"),
    "one more": (
        insert(look).values(customer_id=8, run_id=3, position=3, salt=None, leaf=bytes(32)),
        "LOOKS_CHANGED",
    ),
    "of no entry": (
        insert(look).values(customer_id=8, run_id=5, position=0, salt=None, leaf=bytes(32)),
        "LOOKS_UNCOVERED",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_what_was_shown_cannot_be_edited_unseen(engine: Engine, entry: Build, name: str) -> None:
    shown(engine, entry, 3, [7, 9, 4])
    assert verify(engine, changes=True).problems == ()
    statement, code = EDITS[name]
    with write(engine) as conn:
        conn.execute(statement)
    assert code in {problem.code for problem in verify(engine, changes=True).problems}


def test_two_entries_for_one_list(engine: Engine, entry: Build) -> None:
    root = shown(engine, entry, 3, [7])
    with write(engine) as conn:
        entries.append(conn, entry(act="customer.list", run=3, n=1, looks=1, looks_root=root.hex()))
    assert [problem.code for problem in verify(engine, changes=True).problems] == ["LOOKS_TWICE"]


def test_without_salt_the_tree_stands(engine: Engine, entry: Build) -> None:
    """As a purge leaves it."""
    shown(engine, entry, 3, [7, 9, 4])
    with write(engine) as conn:
        conn.execute(update(look).values(salt=None))
    assert verify(engine, changes=True).problems == ()
