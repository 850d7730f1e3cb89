"""Old sets go once a newer one was read back whole; only sets of ours, each with an entry (SEC-02)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from desks import ADMIN, Desk
from media import Media, flip
from sqlalchemy import select, update

from crmctl.backups import creating
from crmctl.backups.checking import Problem
from crmctl.backups.tables import backup
from crmctl.policy import check
from crmctl.store.engine import write

KEEP = "keep_data: {days: $backup_keep_days, sets: 2}"


def older(desk: Desk, days: int) -> None:
    """Let all sets be so much older."""
    with write(desk.engine) as conn:
        for number, made in conn.execute(select(backup.c.backup_id, backup.c.made_at)).all():
            at = made - timedelta(days=days)
            conn.execute(update(backup).where(backup.c.backup_id == number).values(made_at=at))


def states(desk: Desk) -> list[str]:
    return [row["state"] for row in desk.rows(select(backup).order_by(backup.c.backup_id))]


def test_beyond_days_and_number(desk: Desk, media: Media) -> None:
    """Both bounds have to be passed."""
    desk.edit("backup.yaml", KEEP, "keep_data: {days: 30, sets: 2}")
    first = media.create()
    assert media.create()["removed"] == []
    older(desk, 10)
    assert media.create()["removed"] == []  # three, but young
    older(desk, 25)
    assert media.create("--dry-run")["removed"] == [1, 2]
    last = media.create()

    assert last["removed"] == [1, 2]
    assert states(desk) == ["removed", "removed", "verified", "verified"]
    assert not Path(first["folder"]).exists()
    assert sorted(path.name for path in media.sets()) == sorted(
        Path(row["location"]).name for row in desk.rows(select(backup)) if row["state"] != "removed"
    )
    assert [entry["obj"] for entry in desk.entries("backup.remove")] == ["backup:1", "backup:2"]
    assert [each["backup"] for each in desk.json(ADMIN, "backup", "list")["backups"]] == [4, 3]
    assert len(desk.json(ADMIN, "backup", "list", "--removed")["backups"]) == 4


@pytest.mark.parametrize("keep", ["{}", "{days: $backup_keep_days}", "{sets: 1, days: $backup_keep_days}"])
def test_undecided_nothing_goes(desk: Desk, media: Media, keep: str) -> None:
    desk.edit("backup.yaml", KEEP, f"keep_data: {keep}")
    company = desk.folder / "policies" / "company.yaml"
    text = company.read_text("utf-8")
    assert "value: 365\n" in text
    company.write_text(text.replace("value: 365\n", "value: unset\n"), "utf-8")
    for _time in range(3):
        assert media.create()["removed"] == []
        older(desk, 500)
    assert states(desk) == ["verified"] * 3


def test_a_broken_set_is_none_of_those_kept(desk: Desk, media: Media) -> None:
    desk.edit("backup.yaml", KEEP, "keep_data: {sets: 2}")
    media.create()
    broken = media.create()
    flip(next(Path(broken["folder"]).glob("database*")), 77)
    assert media.codes(2) == ["PART_HASH"]
    assert media.create()["removed"] == []  # the new one and the first
    assert media.create()["removed"] == [1, 2]


def test_what_is_not_ours_stays(desk: Desk, media: Media) -> None:
    """A folder whose manifest is not the one that was registered, and files that a set does not name."""
    desk.edit("backup.yaml", KEEP, "keep_data: {sets: 1}")
    first, second = Path(media.create()["folder"]), None
    (first / "letter").write_text("keep me")
    second = media.create()
    assert second["removed"] == [1]
    assert [path.name for path in first.iterdir()] == ["letter"]

    folder = Path(second["folder"])
    flip(folder / "MANIFEST.json", 40)
    third = media.create()
    assert (third["removed"], third["not_reached"]) == ([], [2])
    assert len(list(folder.iterdir())) > 2

    Path(third["folder"]).rename(media.data / "aside")  # its medium is elsewhere today
    assert media.create()["not_reached"] == [2, 3]
    assert states(desk) == ["removed", "verified", "verified", "verified"]


def test_nothing_goes_before_the_new_one_is_whole(desk: Desk, media: Media, monkeypatch: pytest.MonkeyPatch) -> None:
    """restic's order: first the new set is read back, then old ones go."""
    desk.edit("backup.yaml", KEEP, "keep_data: {sets: 1}")
    media.create()
    monkeypatch.setattr(creating.checking, "problems", lambda *_said: [Problem("PART_HASH", "database", "broken")])
    assert desk.refusal(ADMIN, "backup", "create", "--to", media.data, status=13) == "BACKUP_BROKEN"
    assert states(desk) == ["verified"]
    assert len(media.sets()) == 1


def test_keys_have_a_rotation_of_their_own(desk: Desk, media: Media) -> None:
    media.create()
    media.create_keys()
    older(desk, 60)
    media.create_keys()
    assert media.create_keys()["removed"] == [2]  # older than 28 days, and two newer ones are there
    assert states(desk) == ["verified", "removed", "verified", "verified"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("every: $backup_every_days", "every: 0", "above 0"),
        ("days: 28", "days: 1.5", "above 0"),
        ("sets: 2}\n\n  # Wrapped", "sets: -1}\n\n  # Wrapped", "above 0"),
        ("every: $backup_every_days", "every: $often", "no value"),
        ("every: $backup_every_days", "whenever: 3", "whenever"),
    ],
)
def test_policy_is_checked(desk: Desk, old: str, new: str, said: str) -> None:
    path = desk.folder / "policies" / "backup.yaml"
    path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    from crmctl import clock

    texts = [problem.text for problem in check(desk.folder / "policies", clock.now()).problems]
    assert any(said in text and "backup.yaml" in text for text in texts), texts
