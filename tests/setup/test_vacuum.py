"""`db vacuum`: room that rows left is given back, on the record; refused where there is no room to do it in."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest
from desks import ADMIN, STEWARD, Desk, imported
from sqlalchemy import delete, func, select

from crmctl.customers.tables import customer, identity
from crmctl.store.engine import write

ROWS = "customer_type,name,mobile\n" + "".join(f"individual,顾客{n},139{n:08}\n" for n in range(3_000))
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def emptied(desk: Desk) -> Desk:
    """A desk whose look-ups were large once."""
    assert imported(desk.folder, ROWS).exit_code == 0
    with write(desk.engine) as conn:
        conn.execute(delete(identity).where(identity.c.customer_id > 100))
    desk.close()
    return desk


def test_room_is_given_back(emptied: Desk) -> None:
    rehearsed = emptied.json(ADMIN, "db", "vacuum", "--dry-run")
    assert (rehearsed["run_id"], rehearsed["bytes_after"], emptied.entries("db.vacuum")) == (None, None, [])
    done = emptied.json(ADMIN, "db", "vacuum")
    assert done["bytes_after"] > 0
    if emptied.url.startswith("sqlite"):
        assert done["bytes_after"] < done["bytes_before"]
        assert not [path for path in (emptied.folder / "data").iterdir() if "etilqs" in path.name]
    (entry,) = emptied.entries("db.vacuum")
    assert entry["counts"] == {"bytes_before": done["bytes_before"], "bytes_after": done["bytes_after"]}
    assert emptied.rows(select(func.count().label("n")).select_from(customer))[0]["n"] > 3_000
    assert emptied.problems() == []


def test_it_belongs_to_administrators(desk: Desk) -> None:
    assert desk.refusal(STEWARD, "db", "vacuum") == "ACT_NOT_GRANTED"


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
def test_without_room_nothing_is_begun(emptied: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 10**9, 1 << 20))
    assert emptied.refusal(ADMIN, "db", "vacuum", status=74) == "DISK_FULL"
    assert emptied.problems() == []
