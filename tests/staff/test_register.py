"""The register on both databases: every change logged, nobody's number taken twice, names that two people share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import workspaces
from sqlalchemy import select

from crmctl import staff as room
from crmctl.audit.tables import change
from crmctl.errors import CrmctlError, Refused
from crmctl.runs.tables import run as run_table
from crmctl.staff import register
from crmctl.staff.tables import staff as staff_table
from crmctl.store.engine import read


def test_what_is_added_is_found_by_other_rooms(folder: Path, staff: Any) -> None:
    staff.add("1001", "王小明", "--wecom-id", "wxm", "--joined-on", "2026-01-05")
    staff.add("1002", "王小明", "--left-on", "2026-06-30")
    with workspaces.running(folder, "staff list") as run, read(run.engine) as conn:
        assert room.find(conn, "wxm").number == "1001"
        assert [person.number for person in room.active(conn, date(2026, 6, 29))] == ["1001", "1002"]
        assert [person.number for person in room.active(conn, date(2026, 6, 30))] == ["1001"]
        with pytest.raises(Refused) as several:
            room.find(conn, "王小明")
        with pytest.raises(Refused) as nobody:
            room.find(conn, "1003")
    assert (several.value.code, several.value.details["numbers"]) == ("STAFF_AMBIGUOUS", ["1001", "1002"])
    assert "王小明" not in several.value.message
    assert nobody.value.code == "STAFF_UNKNOWN"


def test_every_change_is_in_the_change_log(folder: Path, staff: Any) -> None:
    staff.add("1", "甲", "--level", "初级", "--set", "job_title=顾问")
    staff.json("update", "1", "--level", "mid", "--languages", "英语", "--set", "job_title=")
    staff.json("deactivate", "1")
    columns = change.c
    wanted = (
        columns.customer_id,
        columns.object,
        columns.object_id,
        columns.operation,
        columns.version,
        columns.fields,
    )
    with workspaces.running(folder, "staff list") as run, read(run.engine) as conn:
        rows = conn.execute(select(*wanted).order_by(columns.change_id)).all()
    assert [tuple(row) for row in rows] == [
        (0, "staff", 1, "create", 1, "[]"),
        (0, "staff", 1, "update", 2, '["job_title","languages","level"]'),
        (0, "staff", 1, "update", 3, '["left_on"]'),
    ]


def test_the_same_again_changes_nothing(staff: Any) -> None:
    staff.add("1", "甲", "--level", "mid")
    again = staff.json("update", "1", "--level", "中级", "--name", " 甲 ")
    assert (again["outcome"], again["fields"]) == ("unchanged", [])
    assert staff.json("update", "1", "--level", "senior")["fields"] == ["level"]


def test_an_identity_is_one_persons(staff: Any) -> None:
    staff.add("1", "甲", "--hr-id", "H1", "--wecom-id", "W1", "--dingtalk-id", "D1", "--uids", "1001")
    staff.add("2", "乙")
    for flag, value, code in (
        ("--number", "１", "NUMBER_TAKEN"),
        ("--hr-id", "h1", "HR_ID_TAKEN"),
        ("--wecom-id", "w1", "WECOM_ID_TAKEN"),
        ("--dingtalk-id", "d1", "DINGTALK_ID_TAKEN"),
        ("--uids", "7,1001", "UID_TAKEN"),
    ):
        status, found, details = staff.refused("update", "2", flag, value)
        assert (status, found, details["refusals"][0]["numbers"]) == (1, code, ["1"])
    assert staff.refused("add", "--number", "1", "--name", "丙")[:2] == (1, "NUMBER_TAKEN")
    assert staff.json("list", "--count")["count"] == 2


def test_a_dry_run_says_the_same_and_writes_nothing(folder: Path, staff: Any) -> None:
    staff.add("1", "甲")
    before = _everything(folder)
    wanted: dict[tuple[str, ...], str] = {
        ("add", "--number", "2", "--name", "乙"): "created",
        ("update", "1", "--level", "mid"): "updated",
        ("update", "1", "--name", "甲"): "unchanged",
        ("deactivate", "1"): "updated",
        ("absence", "add", "1", "--from", "2026-12-01", "--until", "2026-12-02"): "created",
    }
    for words, outcome in wanted.items():
        document = staff.json(*words, "--dry-run")
        assert (document["run_id"], document["outcome"]) == (None, outcome)
    assert staff.refused("add", "--number", "1", "--name", "丙", "-n")[:2] == (1, "NUMBER_TAKEN")
    assert _everything(folder) == before


def _everything(folder: Path) -> list[Any]:
    with workspaces.running(folder, "staff list", dry_run=True) as run, read(run.engine) as conn:
        tables = (staff_table, change, run_table)
        return [conn.execute(select(table).order_by(*table.primary_key)).all() for table in tables]


def test_a_refused_change_is_recorded_as_such(folder: Path, staff: Any) -> None:
    staff.add("1", "甲")
    staff.refused("add", "--number", "1", "--name", "乙")
    with workspaces.running(folder, "staff list") as run, read(run.engine) as conn:
        states = conn.execute(select(run_table.c.state).order_by(run_table.c.run_id)).scalars().all()
    assert states[:2] == ["done", "refused"]


def test_leaving_and_coming_back(staff: Any) -> None:
    staff.add("1", "甲")
    assert staff.json("deactivate", "1", "--left-on", "2026-01-01")["staff"]["state"] == "inactive"
    assert staff.json("list", "--state", "active", "--count")["count"] == 0
    assert staff.json("list", "--state", "active", "--count", "--as-of", "2025-12-31")["count"] == 1
    assert staff.json("update", "1", "--left-on", "")["staff"]["state"] == "active"


def test_people_added_at_once_share_nothing(folder: Path, staff: Any) -> None:
    """Two processes that add the same number: one adds, one is refused; nobody gets a staff id twice."""
    staff.add("9", "甲")
    said: list[str] = []

    def adding(number: str) -> Callable[[], None]:
        def work() -> None:
            try:
                with workspaces.running(folder, "staff add", dry_run=True) as dry:
                    from dataclasses import replace

                    outcome = register.add(replace(dry, dry_run=False), {"number": number, "name": "乙"})
                said.append(outcome.outcome)
            except CrmctlError as error:
                said.append(error.code)

        return work

    threads = [threading.Thread(target=adding(number)) for number in ("1", "1", "2", "3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["NUMBER_TAKEN", "created", "created", "created"]
    found = staff.json("list")["staff"]
    assert sorted(row["number"] for row in found) == ["1", "2", "3", "9"]
    assert len({row["staff_id"] for row in found}) == 4
