"""`keys rotate`, `destroy`, `mirror` through the front door, on both databases: the record, the horizon, the doctor."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import workspaces
from golden import call
from sqlalchemy import select

from crmctl import clock
from crmctl.audit.tables import audit_entry
from crmctl.security import masters
from crmctl.security.keystore import KeyStore
from crmctl.store import engine

BEGIN = datetime(2026, 11, 22, 4, 0, tzinfo=UTC)
Say = Callable[..., dict[str, Any]]


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The clock: its one item is now."""
    moment = [BEGIN]
    monkeypatch.setattr(clock, "now", lambda: moment[0])
    return moment


@pytest.fixture
def folder(tmp_path: Path, bare_database_url: str, hands: list[datetime]) -> Path:
    database = "" if bare_database_url.startswith("sqlite") else bare_database_url
    made = workspaces.make(tmp_path / "crm", database)
    with workspaces.running(made, "keys copy") as run:
        run.keys.add(run.keys.wrapper.wrap(run.keys.wrapper.new_keys("customer", range(1, 31))))
    return made


@pytest.fixture
def say(folder: Path) -> Say:
    """A function that runs a command and returns its document, or its failure."""

    def run(*words: object, status: int = 0) -> dict[str, Any]:
        done = call(["-w", str(folder), *map(str, words), "-o", "json"])
        assert done.exit_code == status, (done.exit_code, done.stdout, done.stderr)
        found: dict[str, Any] = json.loads(done.stdout or done.stderr)
        return found

    return run


def logged(folder: Path, act: str) -> list[dict[str, Any]]:
    with workspaces.running(folder, "keys status", dry_run=True) as run, engine.read(run.engine) as conn:
        bodies = map(orjson.loads, conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars())
        return [body for body in bodies if body["act"] == act]


def setting(folder: Path, line: str) -> None:
    with (folder / "crmctl.yaml").open("a") as config:
        config.write(line + "\n")


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in Path(f"{folder}.keys").glob("master-*"))


def overdue(folder: Path) -> list[tuple[str, str]]:
    """Return level and message of what the doctor says of the keys, the everlasting truths left out."""
    document = json.loads(call(["-w", str(folder), "doctor", "-o", "json"]).stdout)
    found = [(row["level"], row["message"]) for row in document["findings"] if row["subject"] == "keys"]
    return [(level, message) for level, message in found if level != "fine" and "losing" not in message]


def test_a_rotation_is_on_the_record(folder: Path, say: Say) -> None:
    assert say("keys", "rotate", "-n") == {
        "schema": "crmctl/keys-rotate/1", "run_id": None, "what": "master", "epoch": 2, "resumed": False, "done": 31,
        "left": 0, "dry_run": True,
    }  # fmt: skip
    assert files(folder) == ["master-0001.key"] and logged(folder, "keys.rotate") == []
    done = say("keys", "rotate")
    assert (done["epoch"], done["done"], done["left"], done["resumed"]) == (2, 31, 0, False)
    begun, ended = logged(folder, "keys.rotate")
    assert (begun["result"], begun["obj"], ended["result"], ended["obj"]) == ("begun", "master:2", "done", "master:2")
    assert ended["counts"] == {"epoch": 2, "left": 0, "rewrapped": 31} and ended["run"] == done["run_id"]
    assert files(folder) == ["master-0001.key", "master-0002.key"]
    status = say("keys", "status")
    assert [(each["epoch"], each["holds"]) for each in status["masters"]] == [(1, 0), (2, 31)]
    assert status["masters"][0]["destroy_from"].startswith("2026-12-20") and not status["masters"][1]["destroy_from"]
    assert say("keys", "rotate")["epoch"] == 3


def test_a_rotation_that_failed_half_way_is_finished_by_the_next(
    folder: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crmctl.security import keyturning

    monkeypatch.setattr(keyturning.keyrotate, "rewrap", lambda *_arguments: (_ for _ in ()).throw(RuntimeError))
    call(["-w", str(folder), "keys", "rotate"])
    monkeypatch.undo()
    assert [each["holds"] for each in say("keys", "status")["masters"]] == [31, 0]
    done = say("keys", "rotate")
    assert (done["epoch"], done["resumed"], done["done"]) == (2, True, 31)
    assert say("keys", "rotate")["epoch"] == 3


def test_an_epoch_is_destroyed_after_its_horizon_only(folder: Path, say: Say, hands: list[datetime]) -> None:
    assert say("keys", "destroy", 1, status=1)["code"] == "EPOCH_IN_USE"
    say("keys", "copy", folder.parent / "copy")
    hands[0] += timedelta(7)
    say("keys", "rotate")
    assert say("keys", "destroy", 2, status=1)["code"] == "EPOCH_IN_USE", "the newest"
    hands[0] = BEGIN + timedelta(28) - timedelta(seconds=1)
    young = say("keys", "destroy", 1, status=1)
    assert young["code"] == "EPOCH_TOO_YOUNG" and "2026-12-20T12:00:00+08:00" in young["message"]
    hands[0] += timedelta(seconds=1)
    rehearsed = say("keys", "destroy", 1, "-n")
    assert rehearsed["dry_run"] and files(folder) == ["master-0001.key", "master-0002.key"]
    done = say("keys", "destroy", 1)
    assert done["files"] == [f"{folder}.keys/master-0001.key"] and done["copies"] == [1]
    assert files(folder) == ["master-0002.key"]
    assert [each["epoch"] for each in say("keys", "status")["masters"]] == [2]
    begun, ended = logged(folder, "keys.destroy")
    assert (begun["result"], ended["result"], ended["obj"]) == ("begun", "done", "master:1")
    assert say("keys", "destroy", 1, status=1)["code"] == "EPOCH_UNKNOWN"
    with KeyStore.open(folder.parent / "copy", _instance(folder)) as copy:
        assert copy.count("customer") == 30, "the copy holds its own master key: that is why it is named"


def test_after_a_late_rotation_the_copies_made_last_are_spared(folder: Path, say: Say, hands: list[datetime]) -> None:
    hands[0] += timedelta(60)
    say("keys", "rotate")
    assert say("keys", "destroy", 1, status=1)["code"] == "EPOCH_TOO_YOUNG"
    hands[0] += timedelta(21)
    say("keys", "destroy", 1)


def test_the_terms_are_settings_with_a_source(folder: Path, say: Say, hands: list[datetime]) -> None:
    shown = {item["name"]: item for item in say("config", "show")["settings"]}
    assert (str(shown["key_horizon_days"]["value"]), shown["key_horizon_days"]["source"]) == ("28", "default")
    setting(folder, "key_horizon_days: 10\nkey_rotation_days: 5")
    shown = {item["name"]: item for item in say("config", "show")["settings"]}
    assert (str(shown["key_horizon_days"]["value"]), shown["key_horizon_days"]["source"]) == ("10", "crmctl.yaml")
    say("keys", "rotate")
    hands[0] += timedelta(10)
    say("keys", "destroy", 1)


@pytest.mark.parametrize("line", ["key_horizon_days: 3", "key_horizon_days: soon", "key_rotation_days: 0"])
def test_terms_that_make_no_sense_are_refused(folder: Path, say: Say, line: str) -> None:
    setting(folder, line)
    assert say("keys", "destroy", 1, status=4)["code"] == "CONFIG_INVALID"


def test_the_doctor_says_what_is_due(folder: Path, say: Say, hands: list[datetime]) -> None:
    assert overdue(folder) == []
    hands[0] += timedelta(7)
    assert overdue(folder) == [("warns", "master key 1 is 7 days old")]
    say("keys", "rotate")
    assert overdue(folder) == []
    hands[0] = BEGIN + timedelta(28)
    say("keys", "rotate")
    assert overdue(folder) == [
        ("warns", "master key 1 is overdue for destruction since 2026-12-20"),
        ("warns", "index key 1 is 28 days old"),
    ]
    assert "overdue" in say("keys", "status")["overdue"][0]


def test_a_destruction_killed_before_the_file_was_gone_is_finished(
    folder: Path, say: Say, hands: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    say("keys", "rotate")
    hands[0] += timedelta(28)
    monkeypatch.setattr(masters, "destroy", lambda *_arguments: (_ for _ in ()).throw(RuntimeError))
    call(["-w", str(folder), "keys", "destroy", "1"])
    monkeypatch.undo()
    monkeypatch.setattr(clock, "now", lambda: hands[0])
    assert files(folder) == ["master-0001.key", "master-0002.key"]
    assert [each["epoch"] for each in say("keys", "status")["masters"]] == [2]
    say("keys", "destroy", 1)
    assert files(folder) == ["master-0002.key"]


def test_another_provider_is_told_to_destroy_it_itself(folder: Path, say: Say, hands: list[datetime]) -> None:
    store, given = Path(f"{folder}.keys"), folder.parent / "given"
    given.mkdir(mode=0o700)
    shutil.move(store / "master-0001.key", given / "0001")
    setting(folder, f'master_key: {{provider: command, argv: [/bin/cat, "{given}/{{epoch}}"]}}')
    assert say("keys", "rotate", status=12)["code"] == "MASTER_MISSING"
    masters.write(given / "0002", bytes(range(32)))
    assert say("keys", "rotate")["done"] == 31
    hands[0] += timedelta(28)
    done = say("keys", "destroy", 1)
    assert (done["provider"], done["files"]) == ("command", []) and (given / "0001").exists()
    (given / "0001").unlink()
    assert say("keys", "status")["keys"] == {"customer": 30}
    (given / "0002").unlink()
    missing = say("keys", "status", status=12)
    assert "2" in missing["message"] and _uuid(folder) in missing["message"]


def test_a_mirror_by_commands(folder: Path, say: Say, hands: list[datetime]) -> None:
    assert say("keys", "mirror", status=4)["code"] == "MIRROR_UNSET"
    place = folder.parent / "mirror"
    setting(folder, f"keys_mirror: {place}")
    assert overdue(folder)[0][0] == "wrong"
    assert say("keys", "mirror", "-n")["made"] and not place.exists()
    made = say("keys", "mirror")
    assert (made["made"], made["written"], made["keys"], made["mirror"]) == (True, 30, 30, str(place))
    assert overdue(folder) == [] and say("keys", "status")["mirror"] == str(place)
    say("keys", "rotate")
    assert overdue(folder) == []
    assert sorted(path.name for path in place.iterdir()) == ["keys.db", "master-0001.key", "master-0002.key"]
    hands[0] += timedelta(28)
    assert len(say("keys", "destroy", 1)["files"]) == 2
    assert sorted(path.name for path in place.iterdir()) == ["keys.db", "master-0002.key"]
    with KeyStore.open(place, _instance(folder)) as mirror:
        mirror.remove("customer", [7])
    assert ("wrong", "the mirror differs from the key store") in overdue(folder)
    assert say("keys", "mirror")["written"] == 1
    assert [result["result"] for result in logged(folder, "keys.mirror")] == ["begun", "done"] * 2


def test_rotations_take_turns_with_copies(folder: Path, say: Say) -> None:
    with workspaces.running(folder, "keys status") as run:
        from crmctl.runs.run import hold

        with hold(run, "keys"):
            for words in (("keys", "rotate"), ("keys", "copy", folder.parent / "c"), ("keys", "destroy", 1)):
                assert say(*words, "--lock-timeout", "0", status=11)["code"] == "LOCKED"


def _uuid(folder: Path) -> str:
    found = re.search(r'^instance: "(.+)"$', (folder / "crmctl.yaml").read_text(), re.M)
    assert found
    return found[1]


def _instance(folder: Path) -> bytes:
    return bytes.fromhex(_uuid(folder).replace("-", ""))
