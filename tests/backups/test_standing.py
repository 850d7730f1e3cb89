"""What doctor says of backups: overdue, not tried, not whole, not sealed, not configured (SEC-02)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from desks import ADMIN, Desk
from media import Media, configure, flip
from sqlalchemy import select, update

from crmctl.backups.tables import backup
from crmctl.runs.tables import installation
from crmctl.runs.tables import run as run_table
from crmctl.store.engine import write


def said(desk: Desk) -> list[str]:
    """Return what doctor says of backups."""
    return [each["message"] for each in desk.json(ADMIN, "doctor")["findings"] if each["subject"] == "backups"]


def age(desk: Desk, days: int) -> None:
    """Let installation, sets and runs be so much older."""
    with write(desk.engine) as conn:
        for table, key, column in (
            (installation, "id", "created_at"),
            (backup, "backup_id", "made_at"),
            (run_table, "run_id", "ended_at"),
        ):
            for number, at in conn.execute(select(table.c[key], table.c[column])).all():
                if at is not None:
                    values = {column: at - timedelta(days=days)}
                    conn.execute(update(table).where(table.c[key] == number).values(values))


def test_overdue(desk: Desk, media: Media) -> None:
    """The demo company wants one of each every 7 days, and a trial every 30."""
    assert said(desk) == []
    age(desk, 8)
    assert [line[:29] for line in said(desk)] == ["no backup of the data since 2", "no backup of the keys since 2"]
    media.create()
    media.create_keys()
    assert said(desk) == []
    age(desk, 31)
    assert [line.partition(" since")[0] for line in said(desk)] == [
        "no backup of the data",
        "no backup of the keys",
        "no backup was restored on trial",
    ]
    media.create()
    media.create_keys()
    server = ["--database", desk.url] if desk.engine.dialect.name == "postgresql" else []
    desk.json(ADMIN, "backup", "drill", "1", "--identity", media.private, *server)
    assert said(desk) == []


def test_a_broken_set_is_told_and_does_not_count(desk: Desk, media: Media) -> None:
    flip(next(Path(media.create()["folder"]).glob("database*")), 1)
    media.codes(1)
    assert said(desk) == ["backup 1 is not whole"]
    age(desk, 8)
    assert sorted(line.partition(" since")[0] for line in said(desk)) == [
        "backup 1 is not whole",
        "no backup of the data",
        "no backup of the keys",
    ]


def test_not_sealed_and_not_configured(desk: Desk, media: Media) -> None:
    configure(desk.folder, "backup_recipients: []")
    configure(desk.folder, "backup_unsealed: true")
    (desk.folder / "policies" / "backup.yaml").unlink()
    age(desk, 400)
    assert said(desk) == ["how often backups are made is not configured", "backups are not sealed"]
