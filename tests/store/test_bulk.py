"""Rows in, changed, looked up and deleted in bulk: the same on both databases."""

from __future__ import annotations

import random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import Engine

from crmctl.audit.tables import look
from crmctl.clock import parse_stamp
from crmctl.customers.tables import contact, identity
from crmctl.runs.tables import run
from crmctl.sheets.tables import rejected_row
from crmctl.store import bulk
from crmctl.store.engine import open_engine, read, write
from crmctl.store.failures import RowRefused

RUN = ("run_id", "command", "person", "uid", "host", "pid", "started_at", "ended_at", "state", "policy_hash", "counts")
CONTACT = ("customer_id", "contact_id", "is_primary", "created_at", "updated_at", "version", "sealed", "sealed_hash")
IDENTITY = ("digest", "kind", "epoch", "slot", "customer_id")
EARLY, LATE = "2026-01-05T00:30:00Z", "2026-11-21T12:31:07Z"


def a_run(number: int, **values: Any) -> tuple[Any, ...]:
    row = dict(zip(RUN, (number, "导入", "王芳", 1000, "h", 7, EARLY, None, "done", "ab", '{"a": 1}'), strict=True))
    return tuple({**row, **values}.values())


def contacts(n: int) -> list[tuple[Any, ...]]:
    return [(1 + i // 3, i, i % 3 == 0, EARLY, LATE, 1, bytes([0, 255, i % 256]), b"") for i in range(n)]


def all_rows(engine: Engine, table: Any, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    with read(engine) as conn:
        keys = conn.execute(select(*table.primary_key.columns)).all()
        names = [column.name for column in table.primary_key]
        return sorted(bulk.fetch_pairs(conn, table, names, [tuple(key) for key in keys], columns))


def test_rows_come_back_as_the_primitives_they_went_in_as(engine: Engine) -> None:
    rows = [a_run(1), a_run(2, ended_at=LATE, person='O\'Neil \\ \t\n"x"', counts=None), a_run(2**53, pid=2**31 - 1)]
    with write(engine) as conn:
        assert bulk.insert_rows(conn, run, RUN, iter(rows)) == 3
    assert all_rows(engine, run, RUN) == sorted(rows)


def test_typed_reads_see_what_bulk_wrote(engine: Engine) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, [a_run(1, ended_at=LATE)])
    with read(engine) as conn:
        started, ended = conn.execute(select(run.c.started_at, run.c.ended_at)).one()
    assert (started, ended) == (parse_stamp(EARLY), parse_stamp(LATE))


def test_values_may_stand_in_any_order(engine: Engine) -> None:
    names = tuple(reversed(RUN))
    with write(engine) as conn:
        bulk.insert_rows(conn, run, names, [tuple(reversed(a_run(1)))])
    assert all_rows(engine, run, RUN) == [a_run(1)]


def test_no_rows_are_no_work(engine: Engine) -> None:
    with write(engine) as conn:
        assert bulk.insert_rows(conn, run, RUN, []) == 0
        assert bulk.update_rows(conn, run, ["run_id"], ["state"], []) == 0
        assert bulk.delete_rows(conn, run, ["run_id"], []) == 0
        assert bulk.replace_rows(conn, run, RUN, []) == 0
        assert bulk.fetch_by_keys(conn, run, "run_id", [], RUN) == []
        assert bulk.fetch_pairs(conn, run, ["run_id"], [], RUN) == []


def test_update_touches_only_the_named_rows_and_columns(engine: Engine) -> None:
    rows = contacts(3000)
    changed = [(row[0], row[1], LATE, b"new", 2) for row in rows[::3]]
    with write(engine) as conn:
        bulk.insert_rows(conn, contact, CONTACT, rows)
        columns = ("updated_at", "sealed", "version")
        missing = [(9_000_000, 1, LATE, b"", 2)]
        assert bulk.update_rows(conn, contact, ("customer_id", "contact_id"), columns, changed + missing) == 1000
    expected = [(*row[:4], LATE, 2, b"new", row[7]) if number % 3 == 0 else row for number, row in enumerate(rows)]
    assert all_rows(engine, contact, CONTACT) == sorted((r[0], r[1], int(r[2]), *r[3:]) for r in expected)


def test_delete_by_composite_key(engine: Engine) -> None:
    rows = contacts(300)
    with write(engine) as conn:
        bulk.insert_rows(conn, contact, CONTACT, rows)
        gone = [(row[1], row[0]) for row in rows[:100]]
        assert bulk.delete_rows(conn, contact, ("contact_id", "customer_id"), gone) == 100
    assert [row[1] for row in all_rows(engine, contact, CONTACT)] == list(range(100, 300))


def test_replace_inserts_the_new_and_overwrites_the_old(engine: Engine) -> None:
    columns = ("state", "batch_id", "row_number", "reasons", "sealed")
    with write(engine) as conn:
        bulk.insert_rows(conn, rejected_row, columns, [("open", 1, n, "[]", b"a") for n in range(10)])
        bulk.replace_rows(conn, rejected_row, columns, [("fixed", 1, n, "[]", b"b") for n in range(5, 15)])
    states = [row[0] for row in sorted(all_rows(engine, rejected_row, columns), key=lambda row: row[2])]
    assert states == ["open"] * 5 + ["fixed"] * 10


@pytest.mark.parametrize("wanted", [1, 7, 65, 1203])
def test_look_ups_find_exactly_the_keys_asked_for(engine: Engine, wanted: int) -> None:
    dice = random.Random(7)
    digests = [dice.randbytes(16) for _ in range(2000)]
    rows = [(digest, 1 + i % 2, 1 + i % 3, 0, i) for i, digest in enumerate(digests)]
    asked = dice.sample(digests, wanted) + [dice.randbytes(16) for _ in range(wanted)]
    with write(engine) as conn:
        bulk.insert_rows(conn, identity, IDENTITY, rows)
    with read(engine) as conn:
        found = bulk.fetch_by_keys(conn, identity, "digest", asked, IDENTITY, extra={"epoch": (2, 3)})
        pairs = bulk.fetch_pairs(
            conn, identity, ("kind", "digest"), [(1, digest) for digest in asked], ("slot", "digest")
        )
    hits = set(asked)
    assert sorted(found) == sorted(row for row in rows if row[0] in hits and row[2] in (2, 3))
    assert sorted(pairs) == sorted((0, row[0]) for row in rows if row[0] in hits and row[1] == 1)


def test_a_key_asked_twice_is_answered_once(engine: Engine) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, [a_run(1), a_run(2)])
        assert bulk.fetch_by_keys(conn, run, "run_id", [1, 1, 3], ["run_id"]) == [(1,)]
        assert bulk.fetch_pairs(conn, run, ["run_id"], [(2,), (2,)], ["run_id"]) == [(2,)]


def test_a_look_up_leaves_the_planner_as_it_was(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    names = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
    with read(engine) as conn:
        bulk.fetch_by_keys(conn, run, "run_id", [1], ["run_id"])
        assert [conn.exec_driver_sql(f"SHOW {name}").scalar_one() for name in names] == ["on"] * 3
    engine.dispose()


def test_look_up_by_time_takes_the_text_form(engine: Engine) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, [a_run(1), a_run(2, started_at=LATE)])
        assert bulk.fetch_by_keys(conn, run, "started_at", [LATE], ["run_id", "started_at"]) == [(2, LATE)]


def test_a_refused_row_names_the_rule_not_the_value(engine: Engine) -> None:
    with pytest.raises(RowRefused) as refused, write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, [a_run(1, person="SECRET"), a_run(1, person="SECRET")])
    assert "run" in str(refused.value)
    assert "SECRET" not in str(refused.value)
    assert all_rows(engine, run, RUN) == []


def test_nothing_of_a_failed_block_stays(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, [a_run(1)])
        raise ZeroDivisionError
    assert all_rows(engine, run, RUN) == []


def test_a_range_of_rows(engine: Engine) -> None:
    rows = [a_run(number, ended_at=LATE if number % 2 else None) for number in (1, 2, 3, 5, 8)]
    with write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, rows)
        assert sorted(bulk.fetch_range(conn, run, "run_id", 2, 5, RUN)) == rows[1:4]
        assert bulk.fetch_range(conn, run, "run_id", 6, 7, RUN) == []


def test_removed_rows_are_returned_as_they_were(engine: Engine) -> None:
    rows = contacts(40)
    with write(engine) as conn:
        bulk.insert_rows(conn, contact, CONTACT, rows)
    with write(engine) as conn:
        gone = bulk.remove_rows(conn, contact, "customer_id", [3, 1, 3, 999], CONTACT)
        assert bulk.remove_rows(conn, contact, "customer_id", [], CONTACT) == []
    stored = [tuple(int(value) if type(value) is bool else value for value in row) for row in rows]
    assert sorted(gone) == [row for row in stored if row[0] in (1, 3)]
    assert all_rows(engine, contact, CONTACT) == [row for row in stored if row[0] not in (1, 3)]


def test_counted_rows_are_those_asked_for(engine: Engine) -> None:
    with write(engine) as conn:
        bulk.insert_rows(conn, contact, CONTACT, contacts(3000))
        assert bulk.count_by_keys(conn, [contact], "customer_id", [3, 1, 3, 9999]) == 6
        assert bulk.count_by_keys(conn, [contact, contact], "customer_id", range(2, 900)) == 2 * 3 * 898
        assert bulk.count_by_keys(conn, [contact], "customer_id", []) == 0
        two, none = [look, contact], [look]
        assert contact in bulk.with_keys(conn, two, "customer_id", [3, 9999])
        server = conn.dialect.name == "postgresql"
        assert bulk.with_keys(conn, two, "customer_id", [3]) == ([contact] if server else two)
        assert bulk.with_keys(conn, none, "customer_id", [3]) == ([] if server else none)
        assert bulk.with_keys(conn, two, "customer_id", []) == []


def test_emptied_rows_are_told_and_the_others_are_as_they_were(engine: Engine) -> None:
    rows = [a_run(number, ended_at=LATE) for number in range(1, 700)]
    with write(engine) as conn:
        bulk.insert_rows(conn, run, RUN, rows)
        told = bulk.empty_rows(conn, run, "run_id", [5, *range(100, 650), 9999], ("ended_at", "counts"), ("run_id",))
        assert bulk.empty_rows(conn, run, "run_id", [], ("counts",), ("run_id",)) == []
    assert sorted(told) == [(5,), *((number,) for number in range(100, 650))]
    emptied = {number for (number,) in told}
    expected = [a_run(row[0], ended_at=None, counts=None) if row[0] in emptied else row for row in rows]
    assert all_rows(engine, run, RUN) == expected
