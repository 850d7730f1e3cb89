"""Which entries leave the log and in what form, on both databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from bundles import CUSTOMER, START, build
from sqlalchemy import Engine, select

from crmctl.audit import ocsf
from crmctl.audit.export import Wanted, bodies, choose, lines
from crmctl.audit.proofs import Subtrees, full_subtrees, hidden
from crmctl.audit.tables import audit_entry
from crmctl.audit.tree import inclusion_proof, leaf_hash, root
from crmctl.store.engine import read


def exported(engine: Engine, wanted: Wanted) -> list[bytes]:
    with read(engine) as conn:
        return b"".join(lines(bodies(conn, choose(conn, wanted)))).splitlines()


def minute(number: int) -> Any:
    return START + timedelta(minutes=number)


def test_everything_is_the_exact_bytes(engine: Engine) -> None:
    build(engine)
    with read(engine) as conn:
        stored = conn.execute(select(audit_entry.c.body, audit_entry.c.leaf).order_by(audit_entry.c.seq)).all()
    found = exported(engine, Wanted())
    assert len(found) == 250
    assert [(line.decode(), leaf_hash(line)) for line in found] == [tuple(row) for row in stored]


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [(10, 13, [9, 10, 11]), (None, 3, [0, 1]), (249, None, [248, 249]), (300, None, []), (None, 1, [])],
)
def test_a_period(engine: Engine, since: int | None, until: int | None, expected: list[int]) -> None:
    """Entry n is of minute n + 1; the end is not included."""
    build(engine)
    wanted = Wanted(since=minute(since) if since else None, until=minute(until) if until else None)
    assert [json.loads(line)["seq"] for line in exported(engine, wanted)] == expected
    with read(engine) as conn:
        assert choose(conn, wanted).count == len(expected)


def test_a_period_where_the_clock_went_back_leaves_nothing_out(engine: Engine) -> None:
    log, _notes = build(engine)
    log.number = 100
    log.shows([1])
    found = [json.loads(line) for line in exported(engine, Wanted(since=minute(100), until=minute(103)))]
    assert [body["seq"] for body in found] == list(range(99, 251))
    assert found[-1]["skew"] is True


def test_one_customer(engine: Engine) -> None:
    """What was about it, the chunks that changed it, the lists that showed it."""
    build(engine)
    found = [json.loads(line) for line in exported(engine, Wanted(customer=CUSTOMER))]
    acts = [body["act"] for body in found]
    assert {act: acts.count(act) for act in set(acts)} == {
        "customer.show": 10,
        "customer.list": 5,
        "customer.import": 7,
    }
    assert [body["seq"] for body in found] == sorted(body["seq"] for body in found)
    within = exported(engine, Wanted(customer=CUSTOMER, since=minute(51), until=minute(101)))
    assert {json.loads(line)["seq"] for line in within} == {b["seq"] for b in found if 50 <= b["seq"] < 100}
    assert exported(engine, Wanted(customer=999)) == []


def test_events_for_a_siem(engine: Engine) -> None:
    """What OCSF 1.1 requires of API Activity and Entity Management is there, and the entry itself."""
    build(engine)
    for line in exported(engine, Wanted()):
        event = json.loads(ocsf.event(line, "1.0"))
        assert event["raw_data"].encode() == line
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert {"time", "severity_id", "actor", "metadata", "category_uid", "activity_id"} <= event.keys()
        assert event["class_uid"] == 6003 and {"api", "src_endpoint"} <= event.keys()
        assert event["metadata"]["product"]["name"] == "crmctl"
        assert event["time"] % 60_000 == 0


@pytest.mark.parametrize(
    ("act", "obj", "result", "expected"),
    [
        ("staff.update", "staff:7", "done", (3004, 3, 1, 1)),
        ("staff.add", "staff:7", "refused", (3004, 1, 2, 1)),
        ("customer.show", "customer:7", "denied", (6003, 2, 2, 2)),
        ("tier.regrade", None, "begun", (6003, 99, 1, 1)),
    ],
)
def test_classes_of_events(act: str, obj: str | None, result: str, expected: tuple[int, ...]) -> None:
    body = {"act": act, "result": result, "seq": 3, "ts": "2026-11-21T12:00:00Z", "purpose": "audit"}
    event = json.loads(ocsf.event(json.dumps({**body, **({"obj": obj} if obj else {})}).encode(), "1.0"))
    assert (event["class_uid"], event["activity_id"], event["status_id"], event["severity_id"]) == expected
    assert event["unmapped"] == {"purpose": "audit"}
    assert event["time"] == 1795262400000
    if expected[0] == 3004:
        assert event["entity"] == {"type": "staff", "uid": "7"}


def test_an_unreadable_entry_is_an_event_too() -> None:
    event = json.loads(ocsf.event(b'{"act":', "1.0"))
    assert (event["status_id"], event["raw_data"]) == (0, '{"act":')


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100, 1025])
def test_subtrees_give_roots_and_proofs(size: int) -> None:
    leaves = [leaf_hash(bytes([n % 256, n // 256])) for n in range(size)]
    with Subtrees(iter(leaves)) as found:
        assert (found.size, found.root(0, size)) == (size, root(leaves))
        for index in {0, size // 2, size - 1}:
            proof = found.inclusion(index, size)
            assert [node for _side, node in proof] == inclusion_proof(leaves, index)


def test_what_is_hidden_and_what_is_shown_make_the_whole() -> None:
    """Whatever is shown, wherever checkpoints lie: full subtrees, no overlap, none across a checkpoint."""
    import random

    dice = random.Random(7)
    for _case in range(300):
        size = dice.randint(1, 400)
        shown, at = [], 0
        while (at := at + dice.randint(0, 90)) < size:
            end = min(at + dice.randint(1, 60), size)
            shown.append((at, end))
            at = end + 1
        cuts = [dice.randint(0, size) for _ in range(4)]
        pieces = sorted([(start, end - start) for start, end in shown] + list(hidden(shown, size, cuts)))
        at = 0
        for start, count in pieces:
            assert start == at
            at += count
        assert at == size
        for start, count in hidden(shown, size, cuts):
            assert count & (count - 1) == 0 and start % count == 0
            assert not any(start < cut < start + count for cut in cuts)
    assert list(full_subtrees(0, 0)) == []
