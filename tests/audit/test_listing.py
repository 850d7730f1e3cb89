"""Looking into the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, update

from crmctl.audit import entries, listing
from crmctl.audit.listing import Filters, list_entries, parse_customer, parse_moment
from crmctl.audit.tables import audit_entry
from crmctl.errors import InvalidInput
from crmctl.store.engine import write

Build = Callable[..., dict[str, Any]]


@pytest.fixture
def varied(engine: Engine, entry: Build, make_actor: Callable[[str], Any], later: Callable[[int], datetime]) -> Engine:
    with write(engine) as conn:
        for number in range(12):
            who = ("li.na", "李娜", "li_na")[number % 3]
            act = ("customer.show", "customer.find", "audit.list", "customers.show")[number % 4]
            result = "denied" if number % 5 == 0 else "done"
            body = entry(actor=make_actor(who), act=act, result=result, at=later(60 * number), obj=f"customer:{number}")
            entries.append(conn, body)
    return engine


def seqs(engine: Engine, limit: int = 100, **parts: Any) -> list[int]:
    return [body["seq"] for body in list_entries(engine, Filters(**parts), limit).entries]


def test_newest_first(varied: Engine) -> None:
    assert seqs(varied) == list(range(11, -1, -1))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"who": "li.na"}, [9, 6, 3, 0]),
        ({"who": "李娜"}, [10, 7, 4, 1]),
        ({"who": "li%na"}, []),
        ({"who": '"'}, []),
        ({"act": "customer.show"}, [8, 4, 0]),
        ({"act": "customer.*"}, [9, 8, 5, 4, 1, 0]),
        ({"act": "customer"}, []),
        ({"result": "denied"}, [10, 5, 0]),
        ({"result": "denied", "who": "li.na"}, [0]),
        ({"customer": 4}, [4]),
        ({"customer": 1}, [1]),
        ({"since": datetime(2026, 11, 21, 12, 9, tzinfo=UTC)}, [11, 10, 9]),
        ({"until": datetime(2026, 11, 21, 12, 2, tzinfo=UTC)}, [1, 0]),
        ({"before": 2}, [1, 0]),
        ({"before": 0}, []),
    ],
)
def test_filters(varied: Engine, parts: dict[str, Any], expected: list[int]) -> None:
    assert seqs(varied, **parts) == expected


def test_pages_join_without_gap_or_overlap(varied: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE", 5)
    found, before = [], None
    while True:
        page = list_entries(varied, Filters(act="customer.*", before=before), 2)
        found += [body["seq"] for body in page.entries]
        if page.next is None:
            break
        before = page.next
    assert found == [9, 8, 5, 4, 1, 0]


def test_a_customer_brings_the_chunks_that_changed_it(world: Any) -> None:
    bodies = list_entries(world.engine, Filters(customer=21), 100).entries
    assert [(body["act"], body.get("run"), body.get("chunk")) for body in bodies] == [
        ("customer.import", 2, 0),
        ("customer.import", 1, 2),
    ]


def test_an_unreadable_entry_is_listed_by_number(varied: Engine) -> None:
    with write(varied) as conn:
        conn.execute(update(audit_entry).where(audit_entry.c.seq == 3).values(body="{"))
        conn.execute(update(audit_entry).where(audit_entry.c.seq == 4).values(body='{"actor":"x","seq":9}'))
    bodies = {body["seq"]: body for body in list_entries(varied, Filters(), 100).entries}
    assert (bodies[3], bodies[4]) == ({"seq": 3}, {"seq": 4})
    assert seqs(varied, who="li.na") == [9, 6, 0]


@pytest.mark.parametrize(("text", "number"), [("C-000123", 123), ("c7", 7), ("42", 42), (" 42 ", 42)])
def test_customer_numbers(text: str, number: int) -> None:
    assert parse_customer(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "C-", "13.5", "张伟", "1" * 16])
def test_what_is_no_customer_number(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a customer number"):
        parse_customer(text)


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        ("2026-11-21", False, "2026-11-20T16:00:00+00:00"),
        ("2026-11-21", True, "2026-11-21T16:00:00+00:00"),
        ("2026-11-21T18:00", True, "2026-11-21T10:00:00+00:00"),
        ("2026-11-21T18:00:00+00:00", False, "2026-11-21T18:00:00+00:00"),
    ],
)
def test_moments_are_the_companys(text: str, end: bool, expected: str) -> None:
    assert parse_moment(text, "Asia/Shanghai", end=end).astimezone(UTC).isoformat() == expected


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9999-12-31", ""])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidInput, match="not a date or time"):
        parse_moment(text, "Asia/Shanghai", end=True)
