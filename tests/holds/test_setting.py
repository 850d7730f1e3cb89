"""`hold set`: who is held, by whom and why; what is refused before anything is set (DES-07)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillWaiting
from pathlib import Path
from typing import Any

import pytest
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR, Desk
from holdwork import ORDER, SET, WHY, hold, items, planned, text
from sqlalchemy import delete, insert, select, update

from crmctl.errors import StorageFailed
from crmctl.holds import keep_others_out, setting, writing
from crmctl.holds.tables import legal_hold, legal_hold_item
from crmctl.runs.tables import plan_item
from crmctl.store.engine import read, write


def test_who_is_held_and_why(desk: Desk) -> None:
    """DES-07: reason, authority, who and when are on record, sealed, and shown to whoever may see holds."""
    done = hold(desk, "C-2", 1, "C-000002", "--authority", text(desk, ORDER), "--review-on", "2099-06-30")
    assert {name: done[name] for name in done if name not in ("run_id", "schema")} == {
        "dry_run": False, "hold": 1, "kind": "legal", "everybody": False, "held": 2, "already": 0, "begun": 0,
    }  # fmt: skip
    assert items(desk) == [(1, 1), (2, 1)]
    shown = desk.json(AUDITOR, "hold", "show", 1)
    assert [shown[name] for name in ("reason", "authority", "set_by", "review_on", "customers", "first")] == [
        WHY, ORDER, "li.na", "2099-06-30", 2, [1, 2],
    ]  # fmt: skip
    (row,) = desk.rows(select(legal_hold))
    assert WHY.encode() not in row["sealed"] and ORDER.encode() not in row["sealed"]
    (entry,) = desk.entries("hold.set")
    assert [entry[name] for name in ("obj", "n", "counts", "changes")] == [
        "hold:1", 2, {"held": 2, "already": 0}, 3,
    ]  # fmt: skip
    assert not any(WHY in body.decode() or ORDER in body.decode() for body in desk.log())
    looked = desk.entries("hold.show")[-1]
    assert (looked["obj"], looked["looks"]) == ("hold:1", 2)


def test_customers_of_a_file_and_of_standard_input(desk: Desk, tmp_path: Path) -> None:
    """One number a line, in either form, blank lines between, a mark at the beginning; each customer once."""
    file = tmp_path / "customers.txt"
    file.write_bytes(b"\xef\xbb\xbfC-000003\r\n\r\n1\r\n1\n")
    assert hold(desk, "--from", file, 3)["held"] == 2
    words = ("--kind", "audit", "--reason", text(desk, WHY), "--from", "-")
    assert desk.say(STEWARD, *SET, *words, stdin=b"2\n").exit_code == 0
    assert items(desk) == [(1, 1), (2, 2), (3, 1)]


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [
        (b"1\nsomebody\n", "NUMBER_INVALID", "line 2"),
        (b"1\n\xff\xfe\n", "NUMBER_INVALID", "line 2"),
        (b"1" * 5000, "NUMBER_INVALID", "line 1"),
        (b"\n\n", "FILE_EMPTY", "no customer number"),
    ],
)
def test_a_file_that_is_none_is_refused(desk: Desk, tmp_path: Path, content: bytes, code: str, said: str) -> None:
    file = tmp_path / "customers.txt"
    file.write_bytes(content)
    refused = hold(desk, "--from", file, status=4)
    assert (refused["code"], items(desk)) == (code, [])
    assert said in refused["message"] and "somebody" not in refused["message"]


def test_a_customer_there_is_not(desk: Desk) -> None:
    assert hold(desk, 1, 99, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert (items(desk), desk.rows(select(legal_hold))) == ([], [])


def test_a_dry_run_sets_nothing(desk: Desk) -> None:
    assert hold(desk, 1, 2)["hold"] == 1
    before = len(desk.log())
    tried = hold(desk, 3, "--dry-run", "--review-on", "2099-01-01")
    assert [tried[name] for name in ("run_id", "dry_run", "hold", "held")] == [None, True, None, 1]
    words = (*SET, 1, 3, "--hold", 1, "--reason", text(desk, WHY), "--dry-run")
    assert [desk.json(STEWARD, *words)[name] for name in ("hold", "held", "already")] == [1, 1, 1]
    assert (items(desk), len(desk.log())) == ([(1, 1), (2, 1)], before)


@pytest.mark.parametrize(
    "words",
    [
        ("1", "--reason", "-"),
        ("1", "--kind", "legal"),
        ("--kind", "legal", "--reason", "-"),
        ("1", "--everybody", "--kind", "legal", "--reason", "-"),
        ("1", "--hold", "1", "--kind", "legal", "--reason", "-"),
        ("--hold", "1", "--everybody", "--reason", "-"),
        ("1", "--kind", "whatever", "--reason", "-"),
    ],
)
def test_what_does_not_go_together(desk: Desk, words: Sequence[str]) -> None:
    assert desk.say(STEWARD, *SET, *words, stdin=b"because\n").exit_code == 2
    assert desk.rows(select(legal_hold)) == []


def test_a_review_day_is_one_to_come(desk: Desk) -> None:
    assert hold(desk, 1, "--review-on", "2020-01-01", status=4)["code"] == "INPUT_INVALID"
    assert hold(desk, 1, "--review-on", "2099-02-30", status=4)["code"] == "DATE_INVALID"
    assert items(desk) == []


def test_who_may_set_lift_and_see(desk: Desk) -> None:
    """Whoever purges may hold, and does not lift what keeps them from it."""
    reason = ("--reason", text(desk, WHY))
    assert desk.refusal(AUDITOR, *SET, 1, "--kind", "audit", *reason) == "ACT_NOT_GRANTED"
    for number, uid in enumerate((STEWARD, SUPERVISOR, ADMIN), 1):
        assert hold(desk, 1, uid=uid)["hold"] == number
    for uid in (STEWARD, SUPERVISOR, ADMIN, AUDITOR):
        assert len(desk.json(uid, "hold", "list")["holds"]) == 3
    assert desk.refusal(STEWARD, "hold", "lift", 1, *reason) == "ACT_DENIED"
    assert desk.refusal(AUDITOR, "hold", "lift", 1, *reason) == "ACT_NOT_GRANTED"
    assert desk.json(SUPERVISOR, "hold", "lift", 1, *reason)["whole"]
    assert desk.json(ADMIN, "hold", "lift", 2, *reason)["whole"]


def test_more_customers_under_a_hold(desk: Desk) -> None:
    """Who adds to a hold says why; who is under it already stays so."""
    hold(desk, 1)
    added = desk.json(ADMIN, *SET, 1, 3, "--hold", 1, "--reason", text(desk, "案件扩大"))
    assert [added[name] for name in ("hold", "kind", "held", "already")] == [1, "legal", 1, 1]
    (note,) = desk.json(AUDITOR, "hold", "show", 1)["notes"]
    assert [note[name] for name in ("what", "person", "text", "run")] == [
        "added",
        "zhou.m",
        "案件扩大",
        added["run_id"],
    ]
    assert items(desk) == [(1, 1), (3, 1)]
    words = ("--reason", text(desk, WHY))
    assert desk.refusal(ADMIN, *SET, 1, "--hold", 7, *words, status=1) == "HOLD_UNKNOWN"
    desk.json(ADMIN, "hold", "lift", 1, *words)
    assert desk.refusal(ADMIN, *SET, 1, "--hold", 1, *words, status=1) == "HOLD_LIFTED"
    desk.json(ADMIN, *SET, "--everybody", "--kind", "incident", *words)
    assert desk.refusal(ADMIN, *SET, 1, "--hold", 2, *words, status=1) == "HOLD_EVERYBODY"


def test_whose_destruction_has_begun_cannot_be_held(desk: Desk) -> None:
    """DES-07: no way back is no way back; nothing is set, and the message says which customer and plan."""
    number = planned(desk, 2)
    refused = hold(desk, 1, 2, 3, status=1)
    assert refused["code"] == "PURGE_BEGUN"
    assert "C-000002" in refused["message"] and f"plan {number}" in refused["message"]
    assert hold(desk, 2, "--dry-run", status=1)["code"] == "PURGE_BEGUN"
    assert (items(desk), desk.rows(select(legal_hold))) == ([], [])
    assert hold(desk, 1, 3)["held"] == 2


@pytest.mark.parametrize("other", [{"action": "destroy"}, {"kind": "tier.regrade"}])
def test_what_is_only_planned_can_still_be_held(desk: Desk, other: Mapping[str, Any]) -> None:
    planned(desk, 2, **other)
    assert hold(desk, 2)["held"] == 1


def test_everybody_is_held_and_told_for_whom_it_is_too_late(desk: Desk) -> None:
    planned(desk, 2)
    done = hold(desk, "--everybody", kind="incident")
    assert [done[name] for name in ("everybody", "held", "begun")] == [True, 0, 1]
    assert items(desk) == []
    (row,) = desk.json(AUDITOR, "hold", "list")["holds"]
    assert (row["everybody"], row["customers"]) == (True, None)
    assert desk.json(AUDITOR, "hold", "list", "--customer", 1)["kept"] == ["incident"]
    assert desk.entries("hold.set")[-1]["counts"] == {"everybody": 1}


def test_a_destruction_that_begins_meanwhile_is_waited_for(desk: Desk) -> None:
    """It took the lock that holds take, and is not committed yet: whoever sets a hold waits, and then sees it."""
    planned(desk, 2, action="destroy")
    with ThreadPoolExecutor(1) as other:
        with write(desk.engine) as conn:
            keep_others_out(conn)
            conn.execute(update(plan_item).values(action="purging"))
            told = other.submit(hold, desk, 1, 2, status=1)
            with pytest.raises(StillWaiting):
                told.result(2)
        assert told.result(60)["code"] == "PURGE_BEGUN"
    assert items(desk) == []


def test_who_is_gone_meanwhile(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at and there, destroyed before it is written: nothing of the chunk is set."""
    monkeypatch.setattr(setting.scope, "require", lambda *_given: None)
    assert hold(desk, 1, 77, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert items(desk) == []


def test_many_are_set_chunk_by_chunk_and_a_failure_is_gone_on_from(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """What is committed stays; the same customers with --hold finish it, each held once."""
    monkeypatch.setattr(writing, "CHUNK", 1)
    add = writing.add_items

    def fails(conn: Any, run: Any, log: Any, number: int, customers: Sequence[int], last: Any) -> None:
        if 3 in customers:
            raise StorageFailed("the disk is full")
        add(conn, run, log, number, customers, last)

    with monkeypatch.context() as patch:
        patch.setattr(writing, "add_items", fails)
        hold(desk, 1, 2, 3, status=74)
    assert items(desk) == [(1, 1), (2, 1)]
    done = desk.json(STEWARD, *SET, 1, 2, 3, "--hold", 1, "--reason", text(desk, WHY))
    assert (done["held"], done["already"]) == (1, 2)
    assert items(desk) == [(1, 1), (2, 1), (3, 1)]
    told = [(entry["chunk"], entry["n"], entry["obj"]) for entry in desk.entries("hold.set") if "chunk" in entry]
    assert told == [(0, 1, "hold:1"), (1, 1, "hold:1"), (0, 1, "hold:1"), (1, 1, "hold:1"), (2, 1, "hold:1")]


def test_a_row_behind_the_programs_back_shows(desk: Desk) -> None:
    """Who is held is protected by the change log: `audit verify --rows` finds what was taken out, put in or edited."""
    hold(desk, 1, 2)
    assert desk.problems() == []
    with read(desk.engine) as conn:
        kept = dict(conn.execute(select(legal_hold_item).where(legal_hold_item.c.customer_id == 1)).mappings().one())
    with write(desk.engine) as conn:
        conn.execute(delete(legal_hold_item).where(legal_hold_item.c.customer_id == 1))
        conn.execute(insert(legal_hold_item).values({**kept, "customer_id": 3}))
        conn.execute(update(legal_hold).values(kind="audit"))
    assert sorted(desk.problems()) == ["ROW_CHANGED", "ROW_MISSING", "ROW_UNLOGGED"]
    with write(desk.engine) as conn:  # as it was, for it is verified afterwards
        conn.execute(delete(legal_hold_item).where(legal_hold_item.c.customer_id == 3))
        conn.execute(insert(legal_hold_item).values(kept))
        conn.execute(update(legal_hold).values(kind="legal"))
