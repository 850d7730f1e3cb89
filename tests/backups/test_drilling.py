"""`backup drill`: a set is restored on trial; the living open, the destroyed do not, nothing is kept (SEC-02)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from desks import ADMIN, Desk, imported
from media import Media, destroy_keys, flip, pair, store_of
from sqlalchemy import select, update

from crmctl.backups import drilling, reconcile
from crmctl.customers.tables import customer
from crmctl.runs.tables import run as run_table
from crmctl.security.sealing import DataKey
from crmctl.store.engine import write

MORE = "customer_type,name,mobile,external_code\n" + "".join(
    f"individual,路人{chr(0x4E00 + n)},1351234{n:04d},M{n}\n" for n in range(230)
)


@pytest.fixture
def drill(desk: Desk, media: Media) -> Any:
    """A function that tries a set and returns what was said."""
    server = ["--database", desk.url] if desk.engine.dialect.name == "postgresql" else []

    def tried(which: object, *words: object, status: int = 0) -> dict[str, Any]:
        line = ("backup", "drill", which, "--identity", media.private, *server, *words)
        return desk.json(ADMIN, *line, status=status)

    return tried


def databases(desk: Desk) -> list[str]:
    """Return the names of trial databases on the server."""
    if desk.engine.dialect.name == "sqlite":
        return []
    with desk.engine.connect() as conn:
        found = conn.exec_driver_sql("SELECT datname FROM pg_database WHERE datname LIKE 'crmctl_drill%%'")
        return list(found.scalars())


def test_a_trial_opens_the_living(desk: Desk, media: Media, drill: Any) -> None:
    assert imported(desk.folder, MORE).exit_code == 0
    media.sign()
    made = media.create()
    said = drill(1)

    assert (said["living"], said["decrypted"]) == (233, drilling.SAMPLE)
    assert (said["destroyed"], said["resurrected"], said["problems"]) == (0, 0, [])
    assert (said["entries"], said["age_days"]) == (made["log_size"], 0)
    (entry,) = desk.entries("backup.drill")
    assert (entry["result"], entry["obj"], entry["counts"]["decrypted"]) == ("done", "backup:1", 200)


def test_nothing_of_it_is_kept(desk: Desk, media: Media, drill: Any) -> None:
    """Nor does it touch what it reads: neither the set, nor the keys, nor the database of today but for its entry."""
    media.create()
    (desk.folder / "spool" / "drill-left").mkdir()  # by a trial that was killed
    keys = (Path(f"{desk.folder}.keys") / "keys.db").read_bytes()
    bytes_of = {path: path.read_bytes() for folder in media.sets() for path in folder.iterdir()}
    destroyed = [row["customer_id"] for row in desk.rows(select(customer.c.customer_id))]
    drill(1)

    assert list((desk.folder / "spool").iterdir()) == []
    assert databases(desk) == []
    assert (Path(f"{desk.folder}.keys") / "keys.db").read_bytes() == keys
    assert {path: path.read_bytes() for folder in media.sets() for path in folder.iterdir()} == bytes_of
    assert [row["customer_id"] for row in desk.rows(select(customer.c.customer_id))] == destroyed


def test_the_destroyed_do_not_open(desk: Desk, media: Media, drill: Any) -> None:
    media.create()
    destroy_keys(desk.folder, [2])
    said = drill(1)
    assert (said["living"], said["decrypted"], said["destroyed"], said["resurrected"]) == (2, 2, 1, 0)


def test_one_that_opens_again_is_found(desk: Desk, media: Media, drill: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody brought an older copy of the keys back, after the log had said that a customer was destroyed."""
    media.create()
    monkeypatch.setattr(reconcile, "destroyed", lambda _run: [3])
    said = drill(1, status=13)
    assert (said["destroyed"], said["resurrected"]) == (1, 1)
    assert [problem["code"] for problem in said["problems"]] == ["DESTROYED_RETURN"]


def test_a_set_of_keys_is_tried_with_it(desk: Desk, media: Media, drill: Any) -> None:
    """One made before somebody was destroyed has the key; one made afterwards has not, and nothing of it is kept."""
    media.create()
    media.create_keys()
    destroy_keys(desk.folder, [2])
    said = drill(1, "--keys-set", 2, status=13)
    assert (said["destroyed"], said["resurrected"], said["keys_set"]) == (1, 1, 2)
    assert [problem["code"] for problem in said["problems"]] == ["KEYS_RETURN"]
    listed = desk.json(ADMIN, "backup", "list")["backups"]
    assert {each["state"] for each in listed} == {"verified"}, "neither set is damaged"
    media.create_keys()
    said = drill(1, "--keys-set", 3)
    assert (said["destroyed"], said["resurrected"]) == (1, 0)
    entry = desk.entries("backup.drill")[-1]
    assert (entry["counts"]["keys_set"], entry["counts"]["resurrected"]) == (3, 0)
    assert list((desk.folder / "spool").iterdir()) == []


def test_a_set_of_keys_must_be_one_that_is_known_and_whole(desk: Desk, media: Media, drill: Any) -> None:
    media.create()
    made = media.create_keys()
    assert drill(1, "--keys-set", 1, status=4)["code"] == "BACKUP_KIND"
    other = media.keys / "copied"
    shutil.copytree(made["folder"], other)
    assert drill(1, "--keys-set", other, status=4)["code"] == "BACKUP_KIND"
    flip(Path(made["folder"]) / "keys.db.age", 400)
    said = drill(1, "--keys-set", 2, status=13)
    assert [problem["code"] for problem in said["problems"]] == ["PART_HASH"]
    assert said["decrypted"] == 3, "the data were tried all the same"
    state = {each["backup"]: each["state"] for each in desk.json(ADMIN, "backup", "list")["backups"]}
    assert state[1] == "verified"


def test_a_key_store_that_lost_keys_is_found(desk: Desk, media: Media, drill: Any) -> None:
    media.create()
    with store_of(desk.folder) as store:
        assert store.remove("customer", [1]) == 1  # without a receipt: nobody destroyed it on purpose
    said = drill(1, status=13)
    assert [problem["code"] for problem in said["problems"]] == ["KEYS_INCOMPLETE"]


def test_a_wrong_key_is_found(desk: Desk, media: Media, drill: Any) -> None:
    """The key store has one of this number, yet it is not the one that sealed the customer."""
    media.create()
    with store_of(desk.folder) as store:
        store.remove("customer", [1])
        store.add(store.wrapper.wrap([DataKey("customer", 1, 1, b"k" * 32)]))
    said = drill(1, status=13)
    assert {problem["code"] for problem in said["problems"]} <= {"KEY_WRONG", "SEAL_BROKEN", "KEY_MISSING"}
    assert said["decrypted"] < said["living"]


def test_a_log_of_today_that_does_not_go_on_from_it_is_found(desk: Desk, media: Media, drill: Any) -> None:
    """Signed or not, the newest leaf of the set must be in the log of today."""
    from crmctl.audit.tables import audit_entry

    made = media.create()
    at = audit_entry.c.seq == made["log_size"] - 1
    with write(desk.engine) as conn:
        leaf = conn.execute(select(audit_entry.c.leaf).where(at)).scalar_one()
        conn.execute(update(audit_entry).where(at).values(leaf=b"x" * 32))
    assert [problem["code"] for problem in drill(1, status=13)["problems"]] == ["LOG_FORKED"]
    with write(desk.engine) as conn:
        conn.execute(update(audit_entry).where(at).values(leaf=leaf))


def test_a_damaged_set_fails_its_trial(desk: Desk, media: Media, drill: Any, tmp_path: Path) -> None:
    made = media.create()
    (part,) = Path(made["folder"]).glob("database*")
    flip(part, 9_999)
    said = drill(1, status=13)
    assert [problem["code"] for problem in said["problems"]] == ["PART_HASH"]
    assert desk.json(ADMIN, "backup", "list")["backups"][0]["state"] == "failed"
    assert desk.entries("backup.drill")[0]["codes"] == ["PART_HASH"]
    columns = run_table.c
    assert desk.rows(select(columns.state, columns.exit_code).where(columns.command == "backup drill")) == [
        {"state": "failed", "exit_code": 13}
    ]


def test_what_cannot_be_tried_is_refused(desk: Desk, media: Media, tmp_path: Path) -> None:
    media.create()
    media.create_keys()
    stranger, _public = pair(tmp_path / "stranger.key")
    server = ["--database", desk.url] if desk.engine.dialect.name == "postgresql" else []
    assert desk.refusal(ADMIN, "backup", "drill", 1, *server, status=12) == "IDENTITY_MISSING"
    assert desk.refusal(ADMIN, "backup", "drill", 1, "--identity", stranger, *server, status=12) == "IDENTITY_WRONG"
    assert desk.refusal(ADMIN, "backup", "drill", 2, "--identity", media.private, *server, status=4) == "BACKUP_KIND"
    if server:
        assert desk.refusal(ADMIN, "backup", "drill", 1, "--identity", media.private, status=4) == "DATABASE_KIND"
    assert list((desk.folder / "spool").iterdir()) == []
    assert databases(desk) == []
