"""kill -9 while a backup is made or restored: no half of a set, no half of a workspace, and the next one works."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import oracle
import pyrage
import pytest
from commands import inside, killed_after, strike

SEED = 20260105
CREATE = {
    "the run is begun": "after:1:crmctl.runs.run:begin",
    "the folder is made": "before:1:crmctl.backups.writing:part",
    "the database is written": "after:1:crmctl.backups.writing:part",
    "all parts are written": "before:1:crmctl.backups.writing:seal_up",
    "the manifest is written": "after:1:crmctl.backups.writing:seal_up",
    "the set has its name": "before:1:crmctl.backups.checking:problems",
    "it is read back": "after:1:crmctl.backups.checking:problems",
    "it is entered, not committed": "after:1:crmctl.backups.register:enter",
    "the last word is written, not committed": "after:1:crmctl.audit.entries:append",
    "an old one is half removed": "before:1:crmctl.backups.register:note:removed",
}
RESTORE = {
    "nothing is there": "after:1:crmctl.backups.opening:configuration_of",
    "the workspace is written": "after:1:crmctl.backups.restored:write_workspace",
    "the database is there": "after:1:crmctl.backups.inside:log_problems",
    "the run is begun": "after:1:crmctl.runs.run:begin",
    "identities are made": "after:1:crmctl.customers.reindexing:rebuild",
    "the last word is written": "after:1:crmctl.runs.run:finish",
}


@pytest.fixture
def place(make: Callable[..., Path], kind: str, small: commands.Given) -> Path:
    """A workspace with customers; a private key, a shelf for the data."""
    folder = make(kind)
    assert inside(folder, "customer", "import", small.path).status == 3
    made = pyrage.x25519.Identity.generate()
    private = folder.parent / "age.key"
    private.write_text(f"{made}\n")
    private.chmod(0o600)
    with (folder / "crmctl.yaml").open("a") as stream:
        stream.write(f'backup_recipients: ["{made.to_public()}"]\n')
    (folder.parent / "shelf" / "data").mkdir(parents=True)
    text = (folder / "policies" / "backup.yaml").read_text("utf-8")
    keep = "keep_data: {days: $backup_keep_days, sets: 2}"
    assert keep in text
    (folder / "policies" / "backup.yaml").write_text(text.replace(keep, "keep_data: {sets: 1}"), "utf-8")
    return folder


def create(place: Path) -> tuple[object, ...]:
    return "backup", "create", "--to", place.parent / "shelf" / "data", "-o", "json"


def listed(place: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(inside(place, "backup", "list", "-o", "json").out)["backups"]
    return found


def require_sound(place: Path) -> None:
    """What the register has is whole, vouched for and there; a new set is made, and nothing half-made is left."""
    for row in listed(place):
        if row["state"] != "missing":  # of a set whose removal was struck down the manifest goes first
            assert inside(place, "backup", "verify", row["backup"]).status in (0, 14), row
    made = json.loads(inside(place, *create(place)).out)
    shelf = place.parent / "shelf" / "data"
    assert [path for path in shelf.iterdir() if path.name.startswith(".")] == []
    assert inside(place, "backup", "verify", made["backup"], "--identity", place.parent / "age.key").status in (0, 14)
    assert [path.name for path in (place / "spool").iterdir()] == []
    assert oracle.complaints(place) == []


@pytest.mark.parametrize("moment", CREATE)
def test_killed_while_it_is_made(place: Path, moment: str) -> None:
    assert inside(place, *create(place)).status == 0
    point = CREATE[moment]
    done = strike(f"SIGKILL:{point}", place, *create(place))

    assert done.status == -signal.SIGKILL, done.err
    known = [row["backup"] for row in listed(place)]
    assert known in ([1], [2, 1])
    require_sound(place)


@pytest.mark.parametrize("moment", RESTORE)
def test_killed_while_it_is_restored(place: Path, kind: str, moment: str, request: Any) -> None:
    made = json.loads(inside(place, *create(place)).out)
    into = place.parent / "back"
    words = ["backup", "restore", made["folder"], "--into", into, "--identity", place.parent / "age.key", "-o", "json"]
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    names = [server.create() for _time in range(2)] if server else []
    more = [["--database", server.url(name)] for name in names] if server else [[], []]
    try:
        done = strike(f"SIGKILL:{RESTORE[moment]}", place, *words, *more[0])
        assert done.status == -signal.SIGKILL, done.err
        assert not into.exists()
        restored = inside(place, *words, *more[1])
        assert restored.status == 0, restored.err
        assert sorted(path.name for path in into.parent.glob("*back*")) == ["back", "back.signer"]
        assert list(into.parent.glob(".*")) == []
        assert oracle.complaints(place) == []
    finally:
        for name in names:
            server.drop(name)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    "moment", ["before:2:crmctl.backups.agefile:Sink.write", "after:1:crmctl.backups.writing:part"]
)
def test_told_to_end(place: Path, name: str, moment: str) -> None:
    """In the middle of sealing, too, where a library between hides why it was stopped."""
    done = strike(f"{name}:{moment}", place, *create(place))
    assert done.status == 128 + getattr(signal, name), (done.status, done.err)
    shelf = place.parent / "shelf" / "data"
    assert list(shelf.iterdir()) == []
    assert list((place / "spool").iterdir()) == []
    require_sound(place)


def test_killed_at_random(place: Path, kind: str, full: bool) -> None:
    """Somewhere, again and again: what list shows is whole, and the next one is made."""
    chance = random.Random(f"{SEED}{kind}")
    struck = sum(killed_after(chance.uniform(0.2, 1.6), place, *create(place)) for _time in range(50 if full else 6))
    assert struck > 0
    require_sound(place)
