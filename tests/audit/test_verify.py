"""What verification reports and how; the acts it must find are in test_tampering."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, func, insert, select, text, update

from crmctl.audit import entries, tree
from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes
from crmctl.audit.problems import KEPT
from crmctl.audit.tables import audit_entry, audit_head, change, checkpoint
from crmctl.audit.verify import Verification, verify
from crmctl.audit.verify_entries import Pin
from crmctl.customers.tables import contact, customer
from crmctl.store import bulk
from crmctl.store.engine import write

Build = Callable[..., dict[str, Any]]


def codes(result: Verification) -> set[str]:
    return {problem.code for problem in result.problems}


def execute(engine: Engine, *statements: Any) -> None:
    with write(engine) as conn:
        for statement in statements:
            conn.execute(text(statement) if isinstance(statement, str) else statement)


def test_an_empty_log_is_a_failure(engine: Engine) -> None:
    result = verify(engine, rows=True)
    assert (result.exit_code, codes(result), result.entries) == (13, {"LOG_EMPTY"}, 0)


def test_levels_say_what_was_looked_at(world: Any) -> None:
    plain, with_changes, with_rows = (
        verify(world.engine), verify(world.engine, changes=True), verify(world.engine, rows=True)
    )  # fmt: skip
    assert [(r.entries, r.changes, r.rows) for r in (plain, with_changes, with_rows)] == [
        (17, None, None), (17, 43, None), (17, 43, 34)
    ]  # fmt: skip
    assert with_rows.document() == {
        "ok": True, "entries": 17, "signed": 0, "unsigned": 17, "pruned": 0, "pruned_by": None,
        "changes": 43, "rows": 34,
        "root": plain.root.hex(), "problem_count": 0, "problems": [],
    }  # fmt: skip


def test_progress_tells_everything_read(world: Any) -> None:
    told: list[int] = []
    verify(world.engine, rows=True, progress=told.append)
    assert sum(told) == 17 + 43 + 34


def test_the_root_is_that_of_the_entries(world: Any) -> None:
    with world.engine.connect() as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars().all()
    assert verify(world.engine).root == tree.root(tree.leaf_hash(body.encode()) for body in bodies)


def add_checkpoint(engine: Engine, number: int, size: int, root: bytes | None = None) -> None:
    with write(engine) as conn:
        leaves = conn.execute(select(audit_entry.c.leaf).order_by(audit_entry.c.seq).limit(size)).scalars()
        real = tree.root(leaves)
        at = func.current_timestamp() if engine.dialect.name == "postgresql" else text("'2026-11-21T12:00:00Z'")
        conn.execute(
            insert(checkpoint).values(seq=number, size=size, root=root or real, note=f"note {number}", added_at=at)
        )


def test_trusted_checkpoints_sign_what_they_cover(world: Any) -> None:
    for number, size in enumerate((5, 5, 9)):
        add_checkpoint(world.engine, number, size)
    trusted = verify(world.engine, trust=lambda _note, _size, _root: True)
    assert (trusted.signed, trusted.unsigned, trusted.exit_code) == (9, 8, 14)
    add_checkpoint(world.engine, 4, 17)
    whole = verify(world.engine, trust=lambda _note, _size, _root: True)
    assert (whole.signed, whole.exit_code) == (17, 0)


def test_a_checkpoint_that_nobody_trusts_signs_nothing(world: Any) -> None:
    """Anybody who writes the database can put a row there."""
    add_checkpoint(world.engine, 0, 9)
    add_checkpoint(world.engine, 1, 17)
    found = verify(world.engine, trust=lambda note, _size, _root: note == "note 0")
    assert (found.signed, found.exit_code) == (9, 13)
    assert [(problem.code, problem.subject) for problem in found.problems] == [("CHECKPOINT_SIGNATURE", "checkpoint:1")]
    assert (verify(world.engine).signed, codes(verify(world.engine))) == (0, {"CHECKPOINT_SIGNATURE"})


def test_checkpoints_held_outside_are_compared_as_well(world: Any) -> None:
    add_checkpoint(world.engine, 0, 9)
    root = verify(world.engine).root

    def checked(*pins: Pin) -> Verification:
        return verify(world.engine, trust=lambda _note, _size, _root: True, pins=pins)

    same = checked(Pin(17, root, "", "signer"))
    assert (same.signed, same.exit_code) == (9, 14)  # what counts is stored in the database
    other = checked(Pin(9, bytes(32), "", "anchor:worm"), Pin(18, root, "", "signer"))
    assert [(problem.code, problem.subject) for problem in other.problems] == [
        ("CHECKPOINT_ROOT", "anchor:worm"), ("CHECKPOINT_BEYOND", "signer")
    ]  # fmt: skip


def test_a_checkpoint_of_another_history_is_found(world: Any) -> None:
    add_checkpoint(world.engine, 0, 6, root=b"\x01" * 32)
    assert codes(verify(world.engine)) == {"CHECKPOINT_ROOT"}


def test_a_checkpoint_of_a_longer_log_is_found(world: Any) -> None:
    add_checkpoint(world.engine, 0, 18)
    assert codes(verify(world.engine, trust=lambda *_: True)) == {"CHECKPOINT_BEYOND"}


def test_an_update_does_not_launder_an_edit(world: Any) -> None:
    """The row matches its last change again, but that change began from what no change had left."""
    execute(world.engine, update(customer).where(customer.c.customer_id == 3).values(tier="core"))
    assert codes(verify(world.engine, rows=True)) == {"ROW_CHANGED"}
    clear, sealed, version = world.rows["customer", 3, 3]
    world.rows["customer", 3, 3] = {**clear, "tier": "core"}, sealed, version
    world.update(9, 0, 3)
    assert codes(verify(world.engine, rows=True)) == {"CHANGE_CHAIN"}


@pytest.mark.parametrize(
    ("statement", "code", "subject"),
    [
        (update(customer).where(customer.c.customer_id == 2).values(region="x"), "ROW_CHANGED", "customer:2"),
        (update(contact).where(contact.c.customer_id == 9).values(sealed=b"x"), "ROW_SEALED", "contact:9/1"),
        (update(customer).where(customer.c.customer_id == 2).values(sealed_hash=b"x"), "ROW_HASH", "customer:2"),
        ("DELETE FROM customer WHERE customer_id = 2", "ROW_MISSING", "customer:2"),
        ("UPDATE contact SET contact_id = 5 WHERE customer_id = 9", "ROW_UNLOGGED", "contact:9/5"),
        ("UPDATE change SET salt = NULL WHERE customer_id = 2", "SALT_MISSING", "customer:2"),
    ],
)
def test_a_row_is_named_by_code_and_number(world: Any, statement: Any, code: str, subject: str) -> None:
    execute(world.engine, statement)
    result = verify(world.engine, rows=True)
    assert result.exit_code == 13
    assert (code, subject) in {problem[:2] for problem in result.problems}


def test_purged_changes_of_a_destroyed_object_verify(world: Any) -> None:
    """Purge takes salts and images; leaves and hashes stay and carry the tree."""
    execute(
        world.engine,
        update(change).where(change.c.customer_id == 7).values(salt=None, before_clear=None, before_sealed=None),
    )
    assert verify(world.engine, rows=True).exit_code == 14


@pytest.mark.parametrize(
    ("code", "version", "after", "found"),
    [
        ("customer", 3, After(bytes(32), None), "VERSION_GAP"),
        ("customer", 1, After(bytes(32), None), "VERSION_GAP"),
        ("visitor", 1, After(bytes(32), None), "OBJECT_UNKNOWN"),
    ],
)
def test_changes_that_cannot_be_accounted_for(
    world: Any, entry: Build, code: str, version: int, after: After, found: str
) -> None:
    """Well committed, yet not what the program writes."""
    made = Changes(9, 0, 5000)
    made.create((2, code, 2), "[]", after, version)
    with write(world.engine) as conn:
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, made.rows)
        number, root = made.summary()
        entries.append(conn, entry(run=9, chunk=0, changes=number, changes_root=root))
    assert verify(world.engine, changes=True).exit_code == 14
    assert found in codes(verify(world.engine, rows=True))


def test_what_only_one_check_finds(after: Callable[..., Verification]) -> None:
    """Each of these fits everywhere else: all leaves, links and the head were made to agree with it."""

    def first_chunk(t: Any) -> int:
        return int(
            t.conn.execute(select(func.min(audit_entry.c.seq)).where(audit_entry.c.body.contains("_root"))).scalar()
        )

    def last_of_chunk(t: Any) -> Any:
        return t.conn.execute(select(change).where(change.c.run_id == 1).order_by(change.c.change_id.desc())).first()

    acts: dict[str, tuple[Callable[[Any], Any], set[str]]] = {
        "text": (lambda t: t.rewrite(4, lambda body: body[:-1]), {"ENTRY_FORM"}),
        "number": (lambda t: t.rewrite(4, lambda body: body.replace('"seq":4', '"seq":5')), {"ENTRY_PLACE"}),
        "run": (lambda t: t.rewrite(first_chunk(t), lambda body: body.replace('"run"', '"ran"')), {"ENTRY_FORM"}),
        "position": (lambda t: t.set(change, last_of_chunk(t), position=99), {"CHANGE_PLACE"}),
    }
    for name, (act, expected) in acts.items():
        assert (name, codes(after(act, changes=True)) - {"CHUNK_UNCOVERED"}) == (name, expected)


def test_missing_entries_are_named(after: Callable[..., Verification]) -> None:
    result = after(lambda t: t.conn.execute(audit_entry.delete().where(audit_entry.c.seq.between(3, 6))))
    assert ("ENTRY_MISSING", "entry:7", "entries 3 to 6 are missing") in result.problems


def test_an_operation_that_is_none(world: Any, entry: Build) -> None:
    """Committed, linked and counted, but a creation of what was there already."""
    with world.engine.connect() as conn:
        last = conn.execute(select(change).where(change.c.customer_id == 2)).one()
    made = Changes(9, 0, 5000)
    before = Before("{}", b"", last.clear_after_hash, last.sealed_after_hash)
    made.update((2, "customer", 2), 2, "[]", before, After(last.clear_after_hash, last.sealed_after_hash))
    row = list(made.rows[0])
    row[7], row[10] = "create", None
    row[12] = None  # no salt: the leaf is not recomputed
    with write(world.engine) as conn:
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, [tuple(row)])
        number, root = made.summary()
        entries.append(conn, entry(run=9, chunk=0, changes=number, changes_root=root))
    assert codes(verify(world.engine, rows=True)) == {"CHANGE_OPERATION", "SALT_MISSING"}


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE change SET object_id = 'x' WHERE customer_id = 3", "CHANGE_FORM"),
        ("UPDATE contact SET customer_id = 'x' WHERE customer_id = 3", "ROW_FORM"),
    ],
)
def test_text_for_numbers_is_named(sqlite_world: Any, statement: str, code: str) -> None:
    with sqlite_world.engine.begin() as conn:
        conn.exec_driver_sql(statement)
    assert code in codes(verify(sqlite_world.engine, rows=True))


def test_a_chunk_without_changes_needs_no_rows(world: Any, entry: Build) -> None:
    with write(world.engine) as conn:
        entries.append(conn, entry(run=9, chunk=0, changes=0))
    assert verify(world.engine, rows=True).exit_code == 14


def test_two_entries_for_one_chunk_are_found(world: Any, entry: Build) -> None:
    with write(world.engine) as conn:
        entries.append(conn, entry(run=4, chunk=0, changes=2, changes_root="00" * 32))
    assert {"CHUNK_TWICE", "CHUNK_CHANGED"} <= codes(verify(world.engine, changes=True))


def test_rows_in_another_order_on_disk_verify(world: Any) -> None:
    """As after a restore that wrote customer by customer: slower, not wrong."""
    with write(world.engine) as conn:
        rows = conn.execute(select(change).order_by(change.c.customer_id, change.c.change_id)).all()
        conn.execute(change.delete())
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, [tuple(row) for row in rows])
    assert verify(world.engine, rows=True).exit_code == 14


def test_problems_are_counted_beyond_those_listed(world: Any) -> None:
    with write(world.engine) as conn:
        for _ in range(5 * KEPT):
            entries.append(conn, {**_look(world), "run": 1})
        conn.execute(update(audit_entry).where(audit_entry.c.seq >= 17).values(leaf=b"x"))
    result = verify(world.engine)
    assert len(result.problems) == KEPT
    assert result.problem_count == 5 * KEPT
    assert result.document()["problem_count"] == 5 * KEPT


def _look(world: Any) -> dict[str, Any]:
    with world.engine.connect() as conn:
        import json

        body = json.loads(conn.execute(select(audit_entry.c.body).limit(1)).scalar_one())
    return {key: value for key, value in body.items() if key not in ("seq", "prev", "v")}


HUGE = '{"changes_root":"00","run":1e300,"chunk":1,"changes":1}'


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET body = x'7b7d' WHERE seq = 3",
        "UPDATE audit_entry SET body = '[1]' WHERE seq = 3",
        "UPDATE audit_entry SET body = 7 WHERE seq = 3",
        "UPDATE audit_entry SET leaf = 'text', prev = 'text' WHERE seq = 3",
        "UPDATE audit_head SET size = 'many'",
        "UPDATE audit_head SET last_leaf = 5, frontier = 'text'",
        "UPDATE change SET salt = 'text', leaf = 'text' WHERE customer_id = 3",
        "UPDATE change SET version = 'two', object_id = 'x', fields = x'00' WHERE customer_id = 3",
        "UPDATE change SET before_clear = x'00', before_sealed = 'text' WHERE customer_id = 3",
        "UPDATE change SET run_id = 'one', chunk = 'two', position = 'three' WHERE customer_id = 3",
        "UPDATE change SET customer_id = 'three' WHERE customer_id = 3",
        "UPDATE contact SET customer_id = 'three' WHERE customer_id = 3",
        "UPDATE customer SET annual_amount = 1.5, region = x'00' WHERE customer_id = 3",
        "UPDATE customer SET sealed = 'text', sealed_hash = 7 WHERE customer_id = 3",
        "UPDATE customer SET completeness = 1e400 WHERE customer_id = 3",
        "UPDATE customer SET region = CAST(x'ff' AS TEXT) WHERE customer_id = 3",
        "UPDATE change SET before_clear = CAST(x'ff' AS TEXT) WHERE customer_id = 3 AND operation = 'update'",
        "UPDATE change SET object = CAST(x'ff' AS TEXT) WHERE customer_id = 3",
        "UPDATE audit_entry SET body = CAST(x'ff' AS TEXT) WHERE seq = 3",
        "INSERT INTO audit_entry VALUES (99999999999, x'00', x'00', '{\"changes_root\": 5}')",
        f"INSERT INTO audit_entry VALUES (17, x'00', x'00', '{HUGE}')",
    ],
)
def test_values_of_another_type_are_problems_not_crashes(sqlite_world: Any, statement: str) -> None:
    """SQLite stores any type in any column."""
    with sqlite_world.engine.begin() as conn:
        conn.exec_driver_sql(statement)
    assert verify(sqlite_world.engine, rows=True).exit_code == 13


def test_text_that_is_not_utf8_hides_nothing_else(sqlite_world: Any) -> None:
    with sqlite_world.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE customer SET region = CAST(x'ff' AS TEXT) WHERE customer_id = 3")
        conn.exec_driver_sql("UPDATE customer SET tier = 'core' WHERE customer_id IN (1, 24)")
    result = verify(sqlite_world.engine, rows=True)
    assert {problem.subject for problem in result.problems} == {"customer:1", "customer:3", "customer:24"}
    assert result.rows == 34
    assert sqlite_world.engine.connect().connection.driver_connection.text_factory is str


def fill(engine: Engine, body: dict[str, Any], number: int) -> None:
    """Write `number` entries and as many changes, in chunks of 500."""
    frontier, prev, rows = tree.Frontier(), entries.GENESIS, []
    with write(engine) as conn:
        conn.execute(insert(audit_head).values(id=1, size=0, last_leaf=prev, frontier=b""))
        for seq in range(number):
            fields = {}
            if seq % 500 == 0:
                made = Changes(1, seq // 500, seq + 1)
                for at in range(500):
                    made.create((seq + at + 1, "customer", seq + at + 1), "[]", After(bytes(32), bytes(32)))
                bulk.insert_rows(conn, change, CHANGE_COLUMNS, made.rows)
                fields = {"run": 1, "chunk": seq // 500, "changes": 500, "changes_root": made.summary().root}
            line = entries.line({**body, **fields}, seq, prev)
            leaf = tree.leaf_hash(line)
            frontier.append(leaf)
            rows.append((seq, leaf, prev, line.decode()))
            prev = leaf
        bulk.insert_rows(conn, audit_entry, ("seq", "leaf", "prev", "body"), rows)
        conn.execute(update(audit_head).values(size=number, last_leaf=prev, frontier=frontier.to_bytes()))


def test_memory_does_not_grow_with_the_log(engine: Engine, entry: Build) -> None:
    peaks = []
    for size in (4_000, 20_000):
        execute(engine, "DELETE FROM audit_entry", "DELETE FROM audit_head", "DELETE FROM change")
        fill(engine, entry(), size)
        tracemalloc.start()
        result = verify(engine, changes=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (result.entries, result.changes, result.exit_code) == (size, size, 14)
    assert peaks[1] < peaks[0] * 1.2
