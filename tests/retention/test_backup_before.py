"""A backup made before a purge brings nobody back: the destroyed are gone and the living are there (DES-06)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from casework import Office
from desks import ADMIN, STEWARD, Desk
from doomed import PLAN, REJECTED, Doomed

sys.path.append(str(Path(__file__).parents[1] / "backups"))
from media import Media, configure, pair  # noqa: E402

LIVING = "customer_type,name,mobile,external_code\nindividual,钱多多,13512345672,K9\n"


@pytest.fixture
def media(doomed: Doomed, tmp_path: Path) -> Media:
    """Two media beside the office, and a new pair of keys."""
    data, keys = tmp_path / "shelf" / "data", tmp_path / "vault" / "keys"
    for folder in (data, keys):
        folder.mkdir(parents=True)
    private, public = pair(tmp_path / "age.key")
    configure(doomed.office.desk.folder, f'backup_recipients: ["{public}"]')
    return Media(doomed.office.desk, data, keys, private, public)


def test_a_backup_made_before_brings_nobody_back(
    doomed: Doomed, media: Media, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    office, desk = doomed.office, doomed.office.desk
    sheet = tmp_path / "living.csv"
    sheet.write_text(LIVING, "utf-8")
    office.json(STEWARD, "customer", "import", sheet)
    media.sign()
    made = media.create()
    for _since in range(3):
        since = _paper(office)
    assert doomed.purge().returncode == 0
    assert office.json(STEWARD, "purge", "verify", PLAN)["clean"]
    assert doomed.alive() == 1
    record = json.loads(desk.say(STEWARD, "purge", "show", PLAN, "--record").stdout)
    assert [(each["backup"], each["kind"]) for each in record["backups"]] == [(made["backup"], "data")]
    tried = office.json(
        ADMIN, "backup", "drill", made["folder"], "--identity", media.private, *_server(doomed, request)
    )
    assert (tried["living"], tried["decrypted"]) == (1, 1), tried
    assert (tried["destroyed"], tried["resurrected"], tried["problems"]) == (doomed.customers, 0, []), tried
    back = _restored(doomed, media, made, tmp_path, request)
    listed = back.json(STEWARD, "customer", "list")["customers"]
    assert [row["customer"] for row in listed] == [25]
    found = back.json(STEWARD, "customer", "find", "--mobile", "13512345672")["customers"]
    assert [row["customer"] for row in found] == [25]
    assert not back.json(STEWARD, "customer", "find", "--mobile", "13812345678")["customers"]
    assert desk.json(STEWARD, "purge", "show", PLAN)["state"] == "verified"
    due = back.json(STEWARD, "paper", "list")["items"]
    assert [(each["item"], each["state"], each["plans"]) for each in due] == [(2, "due", []), (1, "due", [])]
    again = _paper(Office(back, office.hours))
    assert again > since, "a number that stands on a folder is given to another"
    back.close()


def test_a_trial_of_the_newest_backup_is_in_the_record(
    doomed: Doomed, media: Media, request: pytest.FixtureRequest
) -> None:
    """DES-06: one that began after the purge and in which nobody opened; a set of keys of before does open them."""
    office, desk = doomed.office, doomed.office.desk
    media.sign()
    data, keys = media.create(), media.create_keys()
    drill = ("backup", "drill", data["folder"], "--identity", media.private, *_server(doomed, request))
    office.json(ADMIN, *drill)
    office.hours.forward(hours=1)
    assert doomed.purge().returncode == 0
    office.hours.forward(hours=1)

    def verified(opens: int | None) -> None:
        done = office.json(STEWARD, "purge", "verify", PLAN, "--dry-run")
        assert (done["clean"], done["backup_untried"], done["backup_opens"]) == (True, opens is None, opens)

    verified(None)
    assert "backup drill" in desk.say(STEWARD, "purge", "verify", PLAN, "--dry-run").stdout
    office.json(ADMIN, *drill)
    verified(0)
    office.json(ADMIN, *drill, "--keys-set", keys["backup"], status=13)
    verified(doomed.customers)
    newer = media.create_keys()
    office.json(ADMIN, *drill, "--keys-set", newer["backup"])
    verified(0)
    assert office.json(STEWARD, "purge", "verify", PLAN)["clean"]
    told = json.loads(desk.say(STEWARD, "purge", "show", PLAN, "--record").stdout)["trial"]
    assert (told["backup"], told["destroyed"]) == (f"backup:{data['backup']}", doomed.customers)
    assert (told["keys_set"], told["resurrected"]) == (newer["backup"], 0)


def _paper(office: Office) -> int:
    """Register a folder about the living; return its number."""
    words = ("--customer", "C-25", "--kind", "folder", "--keeper", "K1", "--place", office.text("档案柜"))
    return int(office.json(STEWARD, "paper", "add", *words)["items"][0]["item"])


def _server(doomed: Doomed, request: pytest.FixtureRequest) -> list[object]:
    if doomed.office.desk.engine.dialect.name == "sqlite":
        return []
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    request.addfinalizer(lambda: server.drop(name))
    return ["--database", server.url(name)]


def _restored(doomed: Doomed, media: Media, made: dict[str, Any], tmp_path: Path, request: Any) -> Desk:
    folder, empty = tmp_path / "back", _server(doomed, request)
    words = ("backup", "restore", made["folder"], "--into", folder, "--identity", media.private, *empty)
    told = doomed.office.json(ADMIN, *words)
    assert told["rows_removed"]["customer"] == doomed.customers, json.dumps(told)
    assert told["rows_removed"]["rejected_row"] == REJECTED
    return Desk(folder, str(empty[1]) if empty else f"sqlite:///{folder / 'data' / 'crmctl.db'}")
