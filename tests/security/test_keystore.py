"""The key store in its three forms: adds whole, never replaces, destroys for good, knows whose it is."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from crmctl.errors import IntegrityFailed, InvalidInput, KeyMissing, LimitExceeded, Locked, Refused, StorageFailed
from crmctl.security import keysqlite, keywrap
from crmctl.security.keystore import KeyStore
from crmctl.store.engine import open_engine, write

AT = datetime(2026, 11, 21, 12, 31, 7, tzinfo=UTC)
INSTANCE = bytes(range(16))


class Place:
    """One form of key store: where it is and who gives its master key."""

    def __init__(self, location, master=None) -> None:
        self.location, self.master = location, master

    def create(self, instance=INSTANCE):
        return KeyStore.create(self.location, instance, AT, master=self.master)

    def open(self, instance=INSTANCE, at=AT):
        return KeyStore.open(self.location, instance, master=self.master, at=at)


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def place(request, tmp_path):
    if request.param == "folder":
        yield Place(tmp_path / "k")
        return
    master = {"provider": "file", "path": str(tmp_path / "master-{epoch}.key")}
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path / 'keys.db'}", master)
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    yield Place(server.url(name), master)
    server.drop(name)


@pytest.fixture
def store(place):
    with place.create() as opened:
        yield opened


def added(store, ids, kind="customer"):
    keys = store.wrapper.new_keys(kind, ids)
    store.add(store.wrapper.wrap(keys))
    return {key.owner_id: key for key in keys}


def test_keys_come_back_in_another_process_life(place, store):
    keys = added(store, range(1, 3001)) | added(store, [9_000_000_000_000])
    batch = added(store, [1], "batch")
    assert store.index_keys() == place.open().index_keys()
    with place.open() as again:
        assert again.fetch("customer", [*keys, 77_777]) == keys
        assert again.fetch("customer", (number for number in (3, 2, 2))) == {2: keys[2], 3: keys[3]}
        assert again.key("batch", 1) == batch[1]
        assert again.fetch("customer", []) == {}
        assert (again.count("customer"), again.count("batch"), again.count("document")) == (3001, 1, 0)
        assert list(again.owner_ids("customer")) == sorted(keys)


def test_a_number_that_has_a_key_gets_no_other(store):
    keys = added(store, [1, 2, 3])
    with pytest.raises(IntegrityFailed) as failure:
        added(store, [4, 5, 2])
    assert failure.value.code == "KEY_EXISTS"
    assert store.fetch("customer", range(10)) == keys, "none of the refused chunk was added, none replaced"
    assert added(store, [4, 5]).keys() == {4, 5}


def test_removed_keys_are_gone_and_the_others_stay(store):
    keys = added(store, range(1, 2501))
    other = added(store, [1], "batch")
    assert store.remove("customer", range(1, 2001)) == 2000
    assert store.remove("customer", range(1, 2001)) == 0
    assert store.fetch("customer", keys) == {number: key for number, key in keys.items() if number > 2000}
    assert store.fetch("batch", [1]) == other
    store.compact()
    assert store.count("customer") == 500
    with pytest.raises(KeyMissing) as failure:
        store.key("customer", 7)
    assert failure.value.code == "KEY_MISSING" and "7" in failure.value.message


def test_a_receipt_stays_and_counts_once(place, store):
    added(store, range(1, 11))
    with place.open() as first:
        assert first.remove("customer", range(1, 5), reference="plan:1") == 4
        assert first.remove("customer", range(1, 7), reference="plan:1") == 2
    with place.open(at=datetime(2027, 1, 1, tzinfo=UTC)) as later:  # repeated after a crash: nothing is left to do
        assert later.remove("customer", range(1, 7), reference="plan:1") == 0
        (receipt,) = later._rows.receipts()
    assert receipt == ("plan:1", 1, 6, "2026-11-21T12:31:07Z", 1)
    assert store.status()["receipts"] == 1
    with place.open(at=None) as undated, pytest.raises(ValueError):
        undated.remove("customer", [8], reference="plan:2")


def test_the_status_tells_everything_but_secrets(place, store):
    keys = added(store, [1, 2])
    status = store.status()
    assert status["instance"] == str(UUID(bytes=INSTANCE))
    assert status["keys"] == {"customer": 2}
    assert status["masters"] == [{"epoch": 1, "created_at": "2026-11-21T12:31:07Z", "wraps": 3}]
    assert status["indexes"] == [{"epoch": 1, "created_at": "2026-11-21T12:31:07Z"}]
    assert (status["format"], status["created_at"]) == (1, "2026-11-21T12:31:07Z")
    assert status["kind"] == ("postgresql" if str(place.location).startswith("postgresql") else "sqlite")
    assert keys[1].secret.hex() not in str(status)


def test_another_workspaces_store_is_refused_naming_both(place, store):
    other = bytes(15) + b"\x01"
    with pytest.raises(KeyMissing) as failure:
        place.open(instance=other)
    assert failure.value.exit_code == 12 and failure.value.code == "INSTANCE_WRONG"
    assert str(UUID(bytes=INSTANCE)) in failure.value.message and str(UUID(bytes=other)) in failure.value.message


def test_a_store_is_never_made_over_another(place, store):
    keys = added(store, [1])
    with pytest.raises((Refused, StorageFailed)):
        place.create()
    assert store.fetch("customer", [1]) == keys


def test_a_missing_store_is_told(place):
    with pytest.raises(KeyMissing) as failure:
        place.open()
    assert failure.value.code == "KEYSTORE_MISSING" and failure.value.hint


def test_a_store_of_a_later_program_is_refused(place, store):
    _sql(place, "UPDATE store_info SET format = 2")
    with pytest.raises(KeyMissing) as failure:
        place.open()
    assert failure.value.code == "KEYSTORE_FORMAT"


def test_the_wrong_master_key_is_found_before_it_is_used(place, store):
    path = _master_path(place)
    path.unlink()
    path.write_text(base64.b64encode(os.urandom(32)).decode())
    path.chmod(0o400)
    with pytest.raises(KeyMissing) as failure:
        place.open()
    assert failure.value.code == "KEY_WRONG" and failure.value.exit_code == 12
    path.unlink()
    with pytest.raises(KeyMissing):
        place.open()


def test_a_key_swapped_or_altered_in_the_database_is_refused(place, store):
    added(store, [1, 2])
    _sql(place, "UPDATE data_key SET wrapped = (SELECT wrapped FROM data_key WHERE owner_id = 2) WHERE owner_id = 1")
    assert store.fetch("customer", [2])
    with pytest.raises(IntegrityFailed) as failure:
        store.fetch("customer", [1])
    assert failure.value.code == "KEY_BROKEN"


def test_a_master_key_wraps_no_more_than_it_may(store, monkeypatch):
    from crmctl.security import keyserver

    for module in (keysqlite, keyserver):
        monkeypatch.setattr(module, "WRAPS_PER_EPOCH", 4)
    added(store, [1, 2, 3])  # the index key was the first
    with pytest.raises(LimitExceeded):
        added(store, [4])
    assert store.count("customer") == 3
    assert keywrap.WRAPS_PER_EPOCH == 2**30


def test_a_newer_generation_is_the_one_in_use(store):
    from crmctl.security.sealing import DataKey

    added(store, [1])
    newer = DataKey("customer", 1, 2, os.urandom(32))
    store.add(store.wrapper.wrap([newer]))
    assert store.key("customer", 1) == newer
    assert list(store.owner_ids("customer")) == [1]
    assert store.remove("customer", [1]) == 2


def test_adding_nothing_is_fine(store):
    store.add([])
    assert store.count("customer") == 0


def test_a_url_needs_a_provider_of_its_master_key(tmp_path):
    for location in (f"sqlite:///{tmp_path / 'k.db'}", "postgresql://localhost/none"):
        with pytest.raises(InvalidInput) as failure:
            KeyStore.create(location, INSTANCE, AT)
        assert failure.value.code == "MASTER_CONFIG_MISSING"


def test_a_folder_may_leave_its_master_key_to_somebody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("KEY_IN_TESTS", base64.b64encode(bytes(32)).decode())
    master = {"provider": "env", "name": "KEY_IN_TESTS"}
    with KeyStore.create(tmp_path / "k", INSTANCE, AT, master=master) as store:
        keys = added(store, [1])
    assert [path.name for path in (tmp_path / "k").iterdir()] == ["keys.db"]
    with KeyStore.open(tmp_path / "k", INSTANCE, master=master) as store:
        assert store.fetch("customer", [1]) == keys


def test_no_password_is_shown(monkeypatch):
    from crmctl.security.keyserver import ServerKeys

    keys = ServerKeys("postgresql://me:hunter2@localhost:1/none")
    assert "hunter2" not in keys.location
    with pytest.raises(StorageFailed) as failure:
        keys.info()
    assert "hunter2" not in failure.value.message + failure.value.hint


def test_destroyed_keys_leave_no_byte_in_the_file(tmp_path):
    """secure_delete and a journal that is deleted: what is gone cannot be read from the disk image of the file."""
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        rows = store.wrapper.wrap(store.wrapper.new_keys("customer", range(1, 1001)))
        store.add(rows)
        path = tmp_path / "k" / "keys.db"
        assert all(row[3] in path.read_bytes() for row in rows)
        store.remove("customer", range(1, 501))
        left = path.read_bytes()
        assert not any(row[3] in left for row in rows[:500])
        assert all(row[3] in left for row in rows[500:])
        assert [entry.name for entry in (tmp_path / "k").iterdir() if "journal" in entry.name] == []
        size = path.stat().st_size
        store.compact()
        assert path.stat().st_size < size


def test_a_key_store_that_vanishes_is_missing_not_to_be_made_anew(tmp_path, postgres_server):
    from crmctl.security.keyserver import ServerKeys

    KeyStore.create(tmp_path / "k", INSTANCE, AT).close()
    keys = keysqlite.SqliteKeys(tmp_path / "k" / "keys.db")
    (tmp_path / "k" / "keys.db").unlink()
    for rows in (keys, ServerKeys(postgres_server.url("no_such_keys"))):
        with pytest.raises(KeyMissing) as failure:
            rows.info()
        assert (failure.value.code, failure.value.exit_code) == ("KEYSTORE_MISSING", 12)
        assert "restore the newest copy" in failure.value.hint
        assert "crmctl init" not in failure.value.hint


def test_a_busy_key_store_is_told_as_a_busy_database(tmp_path, monkeypatch):
    monkeypatch.setattr(keysqlite, "BUSY_SECONDS", 0.1)
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        other = keysqlite.connect(tmp_path / "k" / "keys.db")
        other.execute("BEGIN EXCLUSIVE")
        raw = store._rows._raw()
        raw.execute("PRAGMA busy_timeout=0")
        with pytest.raises(Locked) as failure:
            added(store, [1])
        other.execute("ROLLBACK")
        other.close()
        added(store, [1])
    assert (failure.value.code, failure.value.exit_code) == ("DATABASE_BUSY", 11)


@pytest.mark.parametrize("damage", [b"", b"not a database at all" * 100])
def test_a_file_that_is_no_key_store_is_told(tmp_path, damage):
    KeyStore.create(tmp_path / "k", INSTANCE, AT).close()
    (tmp_path / "k" / "keys.db").write_bytes(damage)
    with pytest.raises((KeyMissing, IntegrityFailed)):
        KeyStore.open(tmp_path / "k", INSTANCE)


def test_flipped_bits_in_the_file_never_give_a_wrong_key(tmp_path):
    """F7: whatever bit rots, the right key comes out, or an error, never another key."""
    import random

    from crmctl.errors import CrmctlError

    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        keys = added(store, range(1, 40))
    path = tmp_path / "k" / "keys.db"
    sound, dice, noticed = path.read_bytes(), random.Random(20261121), 0
    for _ in range(150):
        damaged = bytearray(sound)
        damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
        path.write_bytes(damaged)
        try:
            with KeyStore.open(tmp_path / "k", INSTANCE) as store:
                found = store.fetch("customer", keys)
                assert all(found[number] == keys[number] for number in found)
        except CrmctlError as error:
            assert error.exit_code in (12, 13, 74)
            noticed += 1
    assert noticed > 5


def test_a_connection_does_not_cross_a_fork(tmp_path):
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        keys = added(store, [1, 2])
        child = os.fork()
        if child == 0:
            os._exit(0 if store.fetch("customer", [1, 2]) == keys else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert added(store, [3]) == store.fetch("customer", [3])


def test_threads_have_connections_of_their_own(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store, ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda first: added(store, range(first, first + 50)), range(1, 2001, 50)))
        assert store.count("customer") == 2000


def test_both_databases_have_the_same_tables(tmp_path):
    """The SQLite file is made from the same metadata that PostgreSQL's tables are made from."""
    from crmctl.security.keytables import TABLES

    KeyStore.create(tmp_path / "k", INSTANCE, AT).close()
    raw = keysqlite.connect(tmp_path / "k" / "keys.db")
    found = {
        name: [row[1] for row in raw.execute(f"PRAGMA table_info({name})")]
        for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    settings = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("secure_delete", "synchronous")}
    raw.close()
    assert found == {name: list(table.columns.keys()) for name, table in TABLES.items()}
    assert settings == {"secure_delete": 1, "synchronous": 3}


def _master_path(place):
    return Path(place.master["path"].replace("{epoch}", "0001")) if place.master else place.location / "master-0001.key"


def _sql(place, statement):
    """Change the store's database behind its back."""
    location = str(place.location)
    if location.startswith("postgresql"):
        engine = open_engine(location)
        with write(engine) as conn:
            conn.execute(text(statement))
        engine.dispose()
        return
    raw = keysqlite.connect(Path(location.removeprefix("sqlite:///")) if place.master else place.location / "keys.db")
    raw.execute(statement)
    raw.close()
