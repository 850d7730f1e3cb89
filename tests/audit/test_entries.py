"""Entries: their exact bytes, what they refuse, and how they are appended."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, text, update

from crmctl.audit import entries, tree
from crmctl.audit.tables import audit_entry, audit_head
from crmctl.audit.verify import verify
from crmctl.errors import IntegrityFailed
from crmctl.store.engine import open_engine, write

Build = Callable[..., dict[str, Any]]


def test_golden_bytes(entry: Build) -> None:
    body = entry(
        act="customer.import", run=7, batch=3, chunk=0, rows=(2, 20001), counts={"read": 20000, "created": 19000},
        changes=38000, changes_root="ab" * 32, policy="cd" * 32, host="crm 1", codes=["NAME_MISSING"], obj=None,
        fields=(),
    )  # fmt: skip
    assert entries.line(body, 5, b"\x01" * 32) == (
        b'{"act":"customer.import","actor":{"person":"li.na","roles":["steward"],"uid":1001,"via":"direct"},"batch":3,'
        b'"changes":38000,"changes_root":"' + b"ab" * 32 + b'","chunk":0,"codes":["NAME_MISSING"],'
        b'"counts":{"created":19000,"read":20000},"host":"crm_1","policy":"' + b"cd" * 32 + b'","prev":"' + b"01" * 32
        + b'","result":"done","rows":[2,20001],"run":7,"seq":5,"ts":"2026-11-21T12:00:00Z","v":1}'
    )  # fmt: skip


def test_bytes_are_ascii_whatever_the_person_is_called(entry: Build, make_actor: Callable[[str], Any]) -> None:
    line = entries.line(entry(actor=make_actor("李娜")), 0, entries.GENESIS)
    assert b'"person":"\\u674e\\u5a1c"' in line
    assert line.isascii()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("act", "Customer list"),
        ("act", "customer.show\n"),
        ("result", "ok"),
        ("run", -1),
        ("run", 2**53),
        ("run", 1.0),
        ("run", True),
        ("n", "3"),
        ("obj", "customer:张伟"),
        ("obj", "zhang.wei@example.cn"),
        ("obj", 13812345678),
        ("fields", ["13812345678"]),
        ("fields", ["mobile", "客户"]),
        ("fields", "mobile"),
        ("purpose", "he asked for it"),
        ("purpose", "call-13812345678"),
        ("ticket", "please"),
        ("ticket", "crm-1"),
        ("policy", "AB" * 32),
        ("policy", "ab" * 31),
        ("changes_root", b"\x00" * 32),
        ("rows", [5, 2]),
        ("rows", [1, 2, 3]),
        ("source", "customers.csv"),
        ("counts", {"read": 1.5}),
        ("counts", {"张伟": 1}),
        ("counts", {"read": float("nan")}),
        ("codes", ["name missing"]),
        ("codes", ["N13812345678"]),
        ("codes", ["X"] * 201),
        ("as_of", "yesterday"),
        ("job", "nightly job"),
    ],
)
def test_values_of_another_form_are_refused(entry: Build, key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"audit entry: .*{key}") as refused:
        entry(**{key: value})
    assert "138" not in str(refused.value)
    assert "张" not in str(refused.value)


@pytest.mark.parametrize("key", ["note", "name", "text", "mobile", "seq", "prev", "v", "skew", "why", "reason"])
def test_unknown_keys_are_refused(entry: Build, key: str) -> None:
    with pytest.raises(ValueError, match="no such key"):
        entry(**{key: "CRM-1"})


def test_no_key_takes_free_text(entry: Build) -> None:
    """Whatever key there is: a sentence, a telephone number, an address are refused."""
    for key in entries._FORMS.keys() - {"actor", "ts", "host", "about"}:
        for personal in (
            "Zhang Wei asked",
            "张伟",
            "zhang.wei@example.cn",
            "+86 138 1234 5678",
            ["Zhang Wei"],
            {"a b": 1},
        ):
            with pytest.raises(ValueError, match="audit entry"):
                entry(**{key: personal})


def test_about_takes_a_name_of_access_yaml_alone(entry: Build) -> None:
    """Who it is about is a person at work here, in any script, as the actor is; never a sentence or a number."""
    assert entry(about="张伟")["about"] == "张伟"
    for personal in ("Zhang Wei asked", "+86 138 1234 5678", ["Zhang Wei"], {"a b": 1}):
        with pytest.raises(ValueError, match="audit entry"):
            entry(about=personal)


@pytest.mark.parametrize("missing", ["act", "actor", "ts", "result"])
def test_incomplete_entries_are_refused(entry: Build, missing: str) -> None:
    body = entry()
    del body[missing]
    with pytest.raises(ValueError, match=missing):
        entries.check(body)


ROOT = {"changes_root": "ab" * 32}


@pytest.mark.parametrize("fields", [{"changes": 3, "run": 1, "chunk": 0}, ROOT, {"changes": 3, **ROOT}])
def test_changes_come_with_root_run_and_chunk(entry: Build, fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="changes"):
        entry(**fields)


def test_actor_must_be_one(entry: Build) -> None:
    for change in (
        {"person": "a b"},
        {"uid": -1},
        {"via": "sudo su"},
        {"roles": "steward"},
        {"name": "x"},
        {"tty": "x"},
    ):
        body = entry()
        body["actor"] = {**body["actor"], **change}
        with pytest.raises(ValueError, match="actor"):
            entries.check(body)


def test_evidence_is_noted_in_its_form_only(entry: Build) -> None:
    from crmctl.security.actor import Actor

    who = Actor(
        "li.na", 1001, "sudo", ("b", "a"), {"loginuid": 1001, "tty": "/dev/pts/3", "sudo_uid": 7, "USER": "x y"}
    )
    assert entry(actor=who)["actor"] == {
        "person": "li.na", "uid": 1001, "via": "sudo", "roles": ["a", "b"],
        "loginuid": 1001, "tty": "/dev/pts/3", "sudo_uid": 7,
    }  # fmt: skip


def test_too_large_an_entry_is_refused(entry: Build, engine: Engine) -> None:
    body = entry(fields=[f"field_{number:03}_{'x' * 40}" for number in range(200)])
    with pytest.raises(ValueError, match="8 KiB"), write(engine) as conn:
        entries.append(conn, body)
    assert verify(engine).entries == 0


def test_append_grows_chain_and_tree(entry: Build, engine: Engine) -> None:
    appended = []
    with write(engine) as conn:
        appended += [entries.append(conn, entry(run=number)) for number in range(3)]
    for number in range(3, 9):
        with write(engine) as conn:
            appended.append(entries.append(conn, entry(run=number)))
    with engine.connect() as conn:
        rows = conn.execute(select(audit_entry).order_by(audit_entry.c.seq)).all()
        head = conn.execute(select(audit_head)).one()
    assert [row.seq for row in rows] == [item.seq for item in appended] == list(range(9))
    prev = bytes(32)
    for row, item in zip(rows, appended, strict=True):
        assert row.prev == prev == bytes.fromhex(json.loads(row.body)["prev"])
        assert row.leaf == item.leaf == tree.leaf_hash(row.body.encode())
        prev = row.leaf
    assert (head.id, head.size, head.last_leaf) == (1, 9, prev)
    assert tree.Frontier.from_bytes(9, head.frontier).root() == tree.root([row.leaf for row in rows])


def test_clock_going_backwards_is_said(entry: Build, engine: Engine, later: Callable[[int], Any]) -> None:
    with write(engine) as conn:
        for seconds in (0, 0, 60, 59, 61):
            entries.append(conn, entry(at=later(seconds)))
    with engine.connect() as conn:
        bodies = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars()
        assert [json.loads(body).get("skew") for body in bodies] == [None, None, None, True, None]


def test_an_entry_goes_with_its_transaction(entry: Build, engine: Engine) -> None:
    class Stop(Exception):
        pass

    with pytest.raises(Stop), write(engine) as conn:
        entries.append(conn, entry())
        raise Stop
    with write(engine) as conn:
        assert entries.append(conn, entry()).seq == 0


def test_a_fork_is_impossible(entry: Build, engine: Engine) -> None:
    """Even with the head set back: the leaf that a second branch would follow has a follower already."""
    from crmctl.store.failures import RowRefused

    with write(engine) as conn:
        for _ in range(3):
            entries.append(conn, entry())
    with engine.connect() as conn:
        first = conn.execute(select(audit_entry).where(audit_entry.c.seq == 0)).one()
    with pytest.raises(RowRefused), write(engine) as conn:
        line = entries.line(entry(run=9), 9, first.leaf)
        values = {"seq": 9, "leaf": tree.leaf_hash(line), "prev": first.leaf, "body": line.decode()}
        conn.execute(audit_entry.insert().values(values))


@pytest.mark.parametrize(
    "spoil",
    [
        update(audit_head).values(size=2),
        update(audit_head).values(size=4, frontier=bytes(32)),
        update(audit_head).values(last_leaf=bytes(32)),
        update(audit_head).values(frontier=b"short"),
        delete(audit_head),
        delete(audit_entry).where(audit_entry.c.seq == 2),
        delete(audit_entry),
        update(audit_entry).where(audit_entry.c.seq == 2).values(leaf=bytes(32)),
        update(audit_entry).where(audit_entry.c.seq == 2).values(seq=7),
    ],
)
def test_nothing_is_appended_to_a_log_that_does_not_end_as_it_should(entry: Build, engine: Engine, spoil: Any) -> None:
    with write(engine) as conn:
        for _ in range(3):
            entries.append(conn, entry())
        conn.execute(spoil)
        before = conn.execute(select(audit_entry.c.seq)).all()
        with pytest.raises(IntegrityFailed) as failed:
            entries.append(conn, entry())
        assert conn.execute(select(audit_entry.c.seq)).all() == before
    assert failed.value.code == "LOG_HEAD"


WRITER = """
import sys
from datetime import UTC, datetime
from crmctl.audit import entries
from crmctl.security.actor import Actor
from crmctl.store.engine import open_engine, write
url, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
engine = open_engine(url)
body = entries.entry(act="customer.show", actor=Actor(name, 1, "direct", ()), at=datetime(2026, 1, 1, tzinfo=UTC),
                     result="done")
for _ in range(times):
    with write(engine) as conn:
        entries.append(conn, body)
"""


def test_eight_processes_append_at_once(database_url: str, engine: Engine, full: bool) -> None:
    """From the empty log on: no fork, no gap, nothing lost, nobody is turned away."""
    times = 200 if full else 25
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, database_url, f"writer{number}", str(times)])
        for number in range(8)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 8
    result = verify(engine)
    assert (result.entries, result.problems, result.exit_code) == (8 * times, (), 14)
    with engine.connect() as conn:
        persons = [json.loads(body)["actor"]["person"] for body in conn.execute(select(audit_entry.c.body)).scalars()]
    assert {person: persons.count(person) for person in persons} == {f"writer{n}": times for n in range(8)}


def test_the_database_keeps_the_exact_bytes(entry: Build, engine: Engine) -> None:
    with write(engine) as conn:
        entries.append(conn, entry(run=1))
        length = conn.execute(text("SELECT length(body) FROM audit_entry")).scalar_one()
    assert length == len(entries.line(entry(run=1), 0, bytes(32)))


def test_an_entry_that_is_no_text_any_more_breaks_the_log(entry: Build, sqlite_url: str) -> None:
    engine = open_engine(sqlite_url)
    with write(engine) as conn:
        entries.append(conn, entry())
        conn.exec_driver_sql("UPDATE audit_entry SET body = CAST(x'7bff7d' AS TEXT)")
    with pytest.raises(IntegrityFailed) as failed, write(engine) as conn:
        entries.append(conn, entry())
    assert (failed.value.code, failed.value.exit_code) == ("LOG_HEAD", 13)
    engine.dispose()
