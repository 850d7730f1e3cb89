"""`backup restore`: a new workspace that works, from a set however old; what was destroyed stays destroyed (DES-06)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from desks import ADMIN, AUDITOR, STEWARD, Desk, imported
from media import Media, configure, destroy_keys, identities, store_of
from sqlalchemy import func, select, update

from crmctl import clock, workspace
from crmctl.audit.checkpoints import settings_of, trust_of
from crmctl.audit.tables import change, look
from crmctl.audit.verify import verify
from crmctl.backups import newlog, reconcile
from crmctl.customers.tables import contact, customer
from crmctl.policy import load
from crmctl.sheets.tables import batch, rejected_row
from crmctl.store import counters
from crmctl.store.engine import write

MORE = "customer_type,name,mobile,external_code\nindividual,钱多多,13512345672,K9\n"


@pytest.fixture
def empty(desk: Desk, request: pytest.FixtureRequest) -> list[object]:
    """The words that name a new database: none on SQLite, on a server an empty one, gone afterwards."""
    if desk.engine.dialect.name == "sqlite":
        return []
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    request.addfinalizer(lambda: server.drop(name))
    return ["--database", server.url(name)]


@pytest.fixture
def restore(desk: Desk, media: Media, empty: list[object], tmp_path: Path) -> Any:
    """A function that restores a set into a new workspace and returns what was said, and a desk there."""
    opened = []

    def restored(made: dict[str, Any], *words: object, status: int = 0) -> tuple[dict[str, Any], Desk]:
        folder = tmp_path / "back"
        said = desk.json(
            ADMIN, "backup", "restore", made["folder"], "--into", folder, "--identity", media.private, *empty, *words,
            status=status,
        )  # fmt: skip
        url = str(empty[1]) if empty else f"sqlite:///{folder / 'data' / 'crmctl.db'}"
        opened.append(Desk(folder, url))
        return said, opened[-1]

    yield restored
    for each in opened:
        each.close()


def sound(back: Desk) -> list[str]:
    """Return what is wrong with log, changes and rows of a restored workspace, by the keys that count there."""
    place = workspace.find(back.folder)
    trust = trust_of(place, settings_of(load(place.policies)))
    return [problem.code for problem in verify(back.engine, changes=True, rows=True, trust=trust).problems]


def wrong(back: Desk) -> list[str]:
    """Return what doctor finds wrong."""
    found = back.json(ADMIN, "doctor")["findings"]
    return [each["message"] for each in found if each["level"] == "wrong"]


def table(desk: Desk, of: Any) -> list[tuple[Any, ...]]:
    """Return a table's rows in order of its key."""
    return [tuple(row.values()) for row in desk.rows(select(of).order_by(*of.primary_key))]


def test_everything_is_there_again(desk: Desk, media: Media, restore: Any) -> None:
    """Rows, changes and log as they were; identities, which no set has, as they were as well."""
    media.sign()
    made = media.create()
    before, log = {each: table(desk, each) for each in (customer, contact, change)}, desk.log()
    said, back = restore(made)

    assert said["customers_removed"] == said["keys_destroyed_again"] == said["identities_shared"] == 0
    assert {each: table(back, each) for each in before} == before
    assert identities(back) == identities(desk)
    assert back.log()[: made["log_size"]] == log[: made["log_size"]]
    (entry,) = back.entries("backup.restore")
    assert (entry["source"], entry["counts"]["log"]) == (made["sha256"], made["log_size"])
    assert (sound(back), wrong(back)) == ([], [])
    found = back.json(STEWARD, "customer", "find", "--code", "K3")
    assert [each["customer"] for each in found["customers"]] == [3]


def test_it_goes_on_from_there(desk: Desk, media: Media, restore: Any) -> None:
    """The log under a name and a signer of its own, imports with numbers nobody ever had, backups, trials."""
    media.sign()
    made = media.create()
    assert imported(desk.folder, MORE).exit_code == 0  # number 4 has a key from now on; the set does not know it
    media.sign()
    _said, back = restore(made)

    assert back.say(ADMIN, "audit", "checkpoint").exit_code == 0
    assert back.json(ADMIN, "audit", "verify", "--rows")["ok"]
    settings = settings_of(load(back.folder / "policies"))
    assert re.search(r"^crmctl/[0-9a-f-]{36}/restored-\d{8}T\d{6}Z$", str(settings.origin))
    assert len(settings.signers) == 2
    assert imported(back.folder, MORE).exit_code == 0
    assert [row["customer_id"] for row in back.rows(select(customer.c.customer_id))][-1] == 5
    again = imported(back.folder, MORE)
    assert "1" in again.stdout and len(back.rows(select(customer))) == 4  # recognised by what was made anew
    assert (sound(back), wrong(back)) == ([], [])
    assert back.json(ADMIN, "backup", "create", "--to", media.data)["backup"] == 2 - 1


def test_whoever_was_destroyed_since_stays_destroyed(desk: Desk, media: Media, restore: Any) -> None:
    """DES-06: no row, no contact, no identity; leaves and hashes stay, and the log verifies, rows included."""
    assert desk.json(STEWARD, "customer", "list")["customers"]  # leaves looks of everybody
    media.sign()
    made = media.create()
    destroy_keys(desk.folder, [1])
    said, back = restore(made)

    assert (said["customers_removed"], said["removed"]) == (1, [1])
    assert said["rows_removed"] == {"contact": 2, "customer": 1}
    assert [row["customer_id"] for row in back.rows(select(customer.c.customer_id))] == [2, 3]
    assert {identity[-1] for identity in identities(back)} == {2, 3}
    theirs = back.rows(select(change).where(change.c.customer_id == 1))
    assert sorted(row["operation"] for row in theirs if row["salt"] is None)[-3:] == ["destroy"] * 3
    assert [row for row in theirs if row["salt"] or row["before_clear"] or row["before_sealed"]] == []
    assert back.rows(select(look).where(look.c.customer_id == 1, look.c.salt.is_not(None))) == []
    assert back.rows(select(func.count()).select_from(look).where(look.c.customer_id == 1))[0]["count_1"] > 0
    assert (sound(back), wrong(back)) == ([], [])
    destroy_keys(desk.folder, [2, 3])  # of the desk's own workspace only receipts are left: its rows have no keys now


def test_rejected_rows_whose_key_is_gone_go_too(desk: Desk, media: Media, restore: Any) -> None:
    """What a purge of a quarantine destroyed stays destroyed; where no receipt says so, nothing is removed."""
    assert imported(desk.folder, "customer_type,name,mobile\nindividual,路人甲,12\n").exit_code == 3
    made = media.create()
    with store_of(desk.folder) as store:
        assert store.remove("batch", [2], reference="plan:7") == 1
    said, back = restore(made)
    assert said["rows_removed"] == {"rejected_row": 1}
    assert back.rows(select(rejected_row)) == []
    (row,) = back.rows(select(batch).where(batch.c.batch_id == 2))
    assert (row["sealed"], bool(row["destroyed_at"])) == (b"", True)
    assert back.json(STEWARD, "batch", "show", 2)["file"] is None
    assert (sound(back), wrong(back)) == ([], [])


def test_the_key_of_an_import_that_was_destroyed_is_destroyed_again(desk: Desk, media: Media, restore: Any) -> None:
    """DES-06: an older copy of the keys brings no file name and no rejected row back."""
    assert imported(desk.folder, "customer_type,name,mobile\nindividual,路人甲,12\n").exit_code == 3
    with write(desk.engine) as conn:
        conn.execute(update(batch).where(batch.c.batch_id == 2).values(destroyed_at=clock.now()))
    _said, back = restore(media.create())
    with store_of(back.folder) as store:
        assert (list(store.owner_ids("batch")), store.rows.receipts()[-1].reference[:8]) == ([1], "restore:")


def test_rejected_rows_stay_where_their_key_is_only_missing(desk: Desk, media: Media, restore: Any) -> None:
    assert imported(desk.folder, "customer_type,name,mobile\nindividual,路人甲,12\n").exit_code == 3
    made = media.create()
    with store_of(desk.folder) as store:
        assert store.remove("batch", [2]) == 1
    said, back = restore(made)
    assert (said["rows_removed"], len(back.rows(select(rejected_row)))) == ({}, 1)


def test_a_year_old_set_opens_with_the_keys_of_today(desk: Desk, media: Media, restore: Any) -> None:
    """Every master and the index key were changed since."""
    made = media.create()
    for _year in range(3):
        assert desk.say(ADMIN, "keys", "rotate").exit_code == 0
    assert desk.say(ADMIN, "keys", "rotate", "--index").exit_code == 0
    _said, back = restore(made)
    assert identities(back) == identities(desk)
    assert (sound(back), wrong(back)) == ([], [])


def test_a_key_store_on_a_server(
    desk: Desk, media: Media, restore: Any, postgres_server: Any, request: pytest.FixtureRequest
) -> None:
    """Its keys are copied row by row; a set knows where it was, not its password."""
    name = postgres_server.create()
    request.addfinalizer(lambda: postgres_server.drop(name))
    url = postgres_server.url(name).replace("postgres@", "postgres:hunter2@")
    configure(desk.folder, f'keys_mirror: "{url}"')
    assert desk.say(ADMIN, "keys", "mirror").exit_code == 0
    masters = f"{desk.folder}.keys/master-{{epoch}}.key"
    configure(desk.folder, f'keys: "{url}"')
    configure(desk.folder, 'keys_mirror: ""')
    configure(desk.folder, f'master_key: {{provider: file, path: "{masters}"}}')
    made, keys = media.create(), media.create_keys()
    assert keys["counts"]["customer"] == 3
    said, back = restore(made)

    assert said["customers_removed"] == 0
    assert "hunter2" not in (back.folder / "crmctl.yaml").read_text("utf-8")
    assert (sound(back), wrong(back)) == ([], [])
    opened = desk.json(ADMIN, "backup", "verify", "1", "2", "--identity", media.private, status=14)["backups"]
    assert [each["whole"] for each in opened] == [True, True]


def test_lost_keys_come_from_their_own_set(desk: Desk, media: Media, restore: Any) -> None:
    """With master keys from elsewhere; never one of them is in either set."""
    made, keys = media.create(), media.create_keys()
    masters, store = media.keys.parent / "paper", Path(f"{desk.folder}.keys")
    masters.mkdir(mode=0o700)
    shutil.copy2(store / "master-0001.key", masters)
    secret = (masters / "master-0001.key").read_bytes().strip()
    for path in [path for folder in media.sets() for path in folder.iterdir()]:
        assert secret not in path.read_bytes()
    aside = store.rename(store.with_name("lost"))
    words = ("--keys-set", keys["folder"])
    assert restore(made, *words, status=12)[0]["code"] == "MASTER_MISSING"
    assert not Path(f"{desk.folder.parent / 'back'}.keys").exists()
    said, back = restore(made, *words, "--masters", masters)

    assert said["customers_removed"] == 0
    assert store_of(back.folder).location == f"{back.folder}.keys"
    assert (sound(back), wrong(back)) == ([], [])
    aside.rename(store)


def test_an_old_set_of_keys_brings_nobody_back(desk: Desk, media: Media, restore: Any) -> None:
    """Its keys open customers that the log of the newer data says were destroyed: they are destroyed again."""
    keys = media.create_keys()
    older = media.create()
    destroy_keys(desk.folder, [2])
    _said, between = restore(older)  # where the destruction is on the record, as a purge leaves it
    configure(between.folder, f'backup_recipients: ["{media.public}"]')
    newer = between.json(ADMIN, "backup", "create", "--to", media.data)
    between.close()
    shutil.move(between.folder, between.folder.with_name("between"))
    shutil.move(f"{between.folder}.signer", between.folder.with_name("between.signer"))
    if between.engine.dialect.name == "postgresql":
        with write(between.engine) as conn:
            conn.exec_driver_sql("DROP SCHEMA public CASCADE")
            conn.exec_driver_sql("CREATE SCHEMA public")
        between.close()
    masters = Path(f"{desk.folder}.keys")
    aside = masters.rename(masters.with_name("lost"))
    said, back = restore(newer, *("--keys-set", keys["folder"], "--masters", aside, "--unsigned"))

    assert (said["keys_destroyed_again"], said["customers_removed"]) == (1, 0)
    with store_of(back.folder) as store:
        assert list(store.owner_ids("customer")) == [1, 3]
    assert (sound(back), wrong(back)) == ([], [])
    aside.rename(masters)


def test_keys_that_are_too_few_remove_nobody(desk: Desk, media: Media, restore: Any, tmp_path: Path) -> None:
    """A key store older than the data is no proof that anybody was destroyed."""
    keys = media.create_keys()
    assert imported(desk.folder, MORE).exit_code == 0
    made = media.create()
    store = Path(f"{desk.folder}.keys")
    aside = store.rename(tmp_path / "lost")
    words = ("--keys-set", keys["folder"], "--masters", aside)
    assert restore(made, *words, status=12)[0]["code"] == "KEYS_INCOMPLETE"
    assert restore(made, *words, "--give-up", 3, status=12)[0]["code"] == "KEYS_INCOMPLETE"
    assert not (tmp_path / "back").exists()
    said, back = restore(made, *words, "--give-up", 1)
    assert said["removed"] == [4]
    assert (sound(back), wrong(back)) == ([], [])
    aside.rename(store)


def test_older_keys_are_refused_while_those_of_today_are_there(desk: Desk, media: Media, restore: Any) -> None:
    """Whoever was destroyed after both sets were made is known to the key store of today alone."""
    made, keys = media.create(), media.create_keys()
    destroy_keys(desk.folder, [3])
    words = ("--keys-set", keys["folder"], "--masters", f"{desk.folder}.keys")
    assert restore(made, *words, status=1)[0]["code"] == "KEYS_OLDER"
    said, _back = restore(made)
    assert said["removed"] == [3]
    destroy_keys(desk.folder, [1, 2])


def test_keys_alone_come_back(desk: Desk, media: Media, tmp_path: Path) -> None:
    """The data are there, the disk of the keys is not: its set and the master keys make another store of it."""
    made = media.create_keys()
    assert imported(desk.folder, MORE).exit_code == 0  # number 4 is in no set of keys
    store = Path(f"{desk.folder}.keys")
    aside, new = store.rename(tmp_path / "lost"), tmp_path / "new.keys"
    words = ("backup", "restore", made["folder"], "--into", new, "--identity", media.private)
    assert desk.refusal(ADMIN, *words, status=12) == "MASTER_MISSING"
    assert not new.exists()
    said = desk.json(ADMIN, *words, "--masters", aside)

    assert (said["keys"], said["keys_destroyed_again"], said["without_key"]) == (str(new), 0, 1)
    (entry,) = desk.entries("backup.restore")
    assert (entry["fields"], entry["counts"]["keyless"]) == (["keys"], 1)
    configure(desk.folder, f'keys: "{new}"')
    assert desk.json(STEWARD, "customer", "find", "--code", "K3")["customers"][0]["customer"] == 3
    aside.rename(store)
    configure(desk.folder, f'keys: "{store}"')


def test_keys_alone_bring_nobody_back(
    desk: Desk, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of the data says who was destroyed since; while the key store of today is there, it is to be used."""
    made = media.create_keys()
    words = ("backup", "restore", made["folder"], "--into", tmp_path / "new.keys", "--identity", media.private)
    monkeypatch.setattr(reconcile, "destroyed", lambda _run: [2])
    said = desk.json(ADMIN, *words, "--masters", f"{desk.folder}.keys")
    assert said["keys_destroyed_again"] == 1
    with store_of(desk.folder) as today:
        assert list(today.owner_ids("customer")) == [1, 2, 3]  # only read
    destroy_keys(desk.folder, [3])
    words = (*words[:4], tmp_path / "newer.keys", *words[5:])
    assert desk.refusal(ADMIN, *words, "--masters", f"{desk.folder}.keys", status=1) == "KEYS_OLDER"
    assert desk.refusal(ADMIN, *words[:2], "99", *words[3:], status=4) == "BACKUP_UNKNOWN"


# Never over anything, never by anybody, never from anything ------------------------------------------------------


def test_nothing_is_ever_overwritten(desk: Desk, media: Media, restore: Any, tmp_path: Path) -> None:
    made = media.create()
    for name in ("back", "back.signer"):
        place = tmp_path / name
        place.mkdir()
        (place / "mine").write_text("x")
        assert restore(made, status=1)[0]["code"] == "FOLDER_NOT_EMPTY"
        assert (place / "mine").read_text() == "x"
        shutil.rmtree(place)
    words = ("backup", "restore", made["folder"], "--into", desk.folder, "--identity", media.private)
    assert desk.refusal(ADMIN, *words, status=1) == "FOLDER_NOT_EMPTY"
    if desk.engine.dialect.name == "postgresql":
        words = (*words[:4], tmp_path / "back", *words[5:], "--database", desk.url)
        assert desk.refusal(ADMIN, *words, status=1) == "DATABASE_NOT_EMPTY"
        assert desk.refusal(ADMIN, *words[:-2], status=4) == "DATABASE_KIND"
    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "back.signer").exists()


def test_a_damaged_set_restores_nothing(desk: Desk, media: Media, restore: Any, tmp_path: Path) -> None:
    from media import flip

    made = media.create()
    (part,) = Path(made["folder"]).glob("database*")
    flip(part, 5_000)
    assert restore(made, status=13)[0]["code"] == "BACKUP_BROKEN"
    assert list(tmp_path.glob("*back*")) == []


def test_it_is_allowed_by_the_access_in_the_set(desk: Desk, media: Media, empty: list[object], tmp_path: Path) -> None:
    made = media.create()
    words = ("backup", "restore", made["folder"], "--into", tmp_path / "b", "--identity", media.private, *empty)
    for person in (STEWARD, AUDITOR, 4711):
        assert desk.refusal(person, *words) in ("ACT_NOT_GRANTED", "ACTOR_UNKNOWN")
        assert list(tmp_path.glob("*b*.signer")) == [] and not (tmp_path / "b").exists()
    assert desk.json(ADMIN, *words)["customers_removed"] == 0  # and the database is as empty as it was


def test_without_the_old_workspace_somebody_has_to_vouch(
    desk: Desk, media: Media, restore: Any, tmp_path: Path
) -> None:
    """The machine is gone: the signer's verifier key, kept elsewhere, says that the set is genuine."""
    media.sign()
    made = media.create()
    vkey = (desk.folder / "signer.vkey").read_text().strip()
    gone = desk.folder.rename(tmp_path / "gone")
    assert restore(made, status=13)[0]["code"] == "NOT_SIGNED"
    other = vkey.replace("crmctl/", "other/")
    assert restore(made, "--vkey", other, status=4)[0]["code"] == "VKEY_INVALID"
    said, back = restore(made, "--vkey", vkey)
    assert said["vouched"] == "signed"
    assert back.entries("backup.restore")[0]["counts"]["unsigned"] == 0
    assert wrong(back) == []
    gone.rename(desk.folder)


def test_taken_as_it_is_the_log_says_so(desk: Desk, media: Media, restore: Any, tmp_path: Path) -> None:
    made = media.create()
    gone = desk.folder.rename(tmp_path / "gone")
    said, back = restore(made, "--unsigned")
    assert said["vouched"] == "nobody"
    assert back.entries("backup.restore")[0]["counts"]["unsigned"] == 1
    gone.rename(desk.folder)


def test_a_row_changed_behind_our_back_is_found(desk: Desk, media: Media, restore: Any, tmp_path: Path) -> None:
    """It came into the set with a sound manifest; the change log knows better."""
    with write(desk.engine) as conn:
        before = conn.execute(select(customer.c.region).where(customer.c.customer_id == 2)).scalar_one()
        conn.execute(update(customer).where(customer.c.customer_id == 2).values(region="330100"))
    made = media.create()
    assert restore(made, status=13)[0]["code"] == "BACKUP_BROKEN"
    assert not (tmp_path / "back").exists()
    with write(desk.engine) as conn:
        conn.execute(update(customer).where(customer.c.customer_id == 2).values(region=before))


def test_numbers_go_on_behind_the_highest_that_has_a_key(desk: Desk, media: Media, restore: Any) -> None:
    made = media.create()
    assert imported(desk.folder, MORE).exit_code == 0
    _said, back = restore(made)
    with write(back.engine) as conn:
        assert counters.take(conn, "customer", 0) == 5
        assert counters.take(conn, "batch", 0) >= 3
        conn.rollback()


@pytest.mark.parametrize(
    "text",
    [
        "kind: audit\nsettings:\n  signers: []\n  # why\n  stale_after: 24 hours\n",
        'kind: audit\nsettings:\n    origin: "old"  # gone\n    signers:\n      - a\n      - b\n    # why\n    x: 1\n',
        "kind: audit\nsettings:\n  x: 1\n  # why\n  origin: old\n",
        "kind: audit\nsettings:\n  # why\n",
        None,
    ],
)
def test_audit_yaml_keeps_everything_else(text: str | None) -> None:
    import yaml

    found = newlog.renamed(text, "crm/restored-1", ["one+1+a", "two+2+b"])
    settings = yaml.safe_load(found)["settings"]
    was = (yaml.safe_load(text)["settings"] or {}) if text else {}
    assert (settings["origin"], settings["signers"]) == ("crm/restored-1", ["one+1+a", "two+2+b"])
    assert {name: value for name, value in settings.items() if name not in ("origin", "signers")} == {
        name: value for name, value in was.items() if name not in ("origin", "signers")
    }
    assert ("# why" in found) == ("# why" in (text or ""))
