"""A copy of the key store opens what was sealed, is proved before it is called a copy, and overwrites nothing."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from crmctl.errors import IntegrityFailed, Refused
from crmctl.security import keycopy, keysqlite
from crmctl.security.keystore import KeyStore

AT = datetime(2026, 11, 21, tzinfo=UTC)
INSTANCE = bytes(range(16))


@pytest.fixture(params=["folder", "postgresql"])
def store(request, tmp_path):
    if request.param == "folder":
        opened = KeyStore.create(tmp_path / "k", INSTANCE, AT)
    else:
        server = request.getfixturevalue("postgres_server")
        master = {"provider": "file", "path": str(tmp_path / "master.key")}
        name = server.create()
        opened = KeyStore.create(server.url(name), INSTANCE, AT, master=master)
        request.addfinalizer(lambda: server.drop(name))
    with opened:
        yield opened


def filled(store, number):
    keys = store.wrapper.new_keys("customer", range(1, number + 1))
    store.add(store.wrapper.wrap(keys))
    return {key.owner_id: key for key in keys}


def test_a_copy_is_a_key_store(store, tmp_path):
    keys = filled(store, 12_000)
    status = store.copy_to(tmp_path / "copy")
    assert status["keys"] == {"customer": 12_000} and status["location"] == str(tmp_path / "copy")
    with KeyStore.open(tmp_path / "copy", INSTANCE) as copy:
        assert copy.fetch("customer", keys) == keys
        assert copy.index_keys() == store.index_keys()
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "copy").iterdir()}
    assert modes == {"keys.db": 0o600, "master-0001.key": 0o400}
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o700


def test_receipts_are_copied(tmp_path, store):
    filled(store, 5)
    store._at = AT
    store.remove("customer", [1], reference="plan:1")
    store.copy_to(tmp_path / "copy")
    with KeyStore.open(tmp_path / "copy", INSTANCE) as copy:
        assert copy._rows.receipts() == store._rows.receipts() != []


def test_an_existing_place_is_refused(store, tmp_path):
    filled(store, 3)
    (tmp_path / "copy").mkdir()
    with pytest.raises(Refused):
        store.copy_to(tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_copy_that_differs_is_no_copy(store, tmp_path, monkeypatch):
    """A row lost, a row damaged, the wrong master key: each is found, and nothing is left behind."""
    filled(store, 50)
    before = set(tmp_path.iterdir())
    real = keycopy.copy_rows

    def losing(rows, target):
        counts = real(rows, target)
        _execute(target, "DELETE FROM data_key WHERE owner_id = 7")
        return counts

    def damaging(rows, target):
        counts = real(rows, target)
        _execute(target, "UPDATE data_key SET wrapped = randomblob(60) WHERE owner_id = 7")
        return counts

    for fault in (losing, damaging):
        monkeypatch.setattr(keycopy, "copy_rows", fault)
        with pytest.raises(IntegrityFailed):
            store.copy_to(tmp_path / "copy")
    monkeypatch.setattr(keycopy, "copy_rows", real)
    monkeypatch.setattr(keycopy.masters, "write", lambda path, key: _write(path))
    with pytest.raises(IntegrityFailed):
        store.copy_to(tmp_path / "copy")
    assert set(tmp_path.iterdir()) == before


def test_the_sample_reaches_every_part_of_a_large_store(tmp_path):
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        filled(store, 2_500)
        numbers = [row[1] for row in store._rows.sample(100)]
    assert len(numbers) == 100 and numbers[0] <= 25 and numbers[-1] >= 2_475


def _execute(target, statement):
    raw = keysqlite.connect(target)
    raw.execute(statement)
    raw.close()


def _write(path):
    import base64

    path.write_text(base64.b64encode(os.urandom(32)).decode())
    path.chmod(0o400)
