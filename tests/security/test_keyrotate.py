"""A new master key for every form of key store and every provider: nothing lost, nothing under the old one."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmctl.errors import InvalidInput, KeyMissing, LimitExceeded, Refused
from crmctl.security import keyepochs_sqlite, keyrotate, keywrap
from crmctl.security.keyepochs import epochs_of
from crmctl.security.keystore import KeyStore

AT = datetime(2026, 11, 21, 12, 31, 7, tzinfo=UTC)
INSTANCE = bytes(range(16))


class Place:
    """One form of key store, and where the master keys are."""

    def __init__(self, location: Any, master: Any, files: Path) -> None:
        self.location, self.master, self.files = location, master, files

    def open(self) -> KeyStore:
        return KeyStore.open(self.location, INSTANCE, master=self.master, at=AT)


@pytest.fixture(params=["folder", "sqlite", "postgresql"])
def place(request: Any, tmp_path: Path) -> Iterator[Place]:
    master = {"provider": "file", "path": str(tmp_path / "master-{epoch}.key")}
    if request.param == "folder":
        found = Place(tmp_path / "k", None, tmp_path / "k")
    elif request.param == "sqlite":
        found = Place(f"sqlite:///{tmp_path / 'keys.db'}", master, tmp_path)
    else:
        server = request.getfixturevalue("postgres_server")
        name = server.create()
        request.addfinalizer(lambda: server.drop(name))
        found = Place(server.url(name), master, tmp_path)
    KeyStore.create(found.location, INSTANCE, AT, master=found.master).close()
    yield found


def filled(store: KeyStore, number: int = 300) -> dict[tuple[str, int], Any]:
    found = {}
    for kind, ids in (("customer", range(1, number + 1)), ("batch", range(1, 4)), ("document", [7])):
        keys = store.wrapper.new_keys(kind, ids)
        store.add(store.wrapper.wrap(keys))
        found |= {(kind, key.owner_id): key for key in keys}
    return found


def held(store: KeyStore, keys: Any) -> dict[tuple[str, int], Any]:
    return {(kind, number): store.key(kind, number) for kind, number in keys}


def rotated(store: KeyStore) -> keyrotate.Rewrapped:
    keyrotate.new_master(store, AT)
    return keyrotate.rewrap(store, lambda _more: None)


def test_every_key_is_under_the_new_master_and_is_what_it_was(place: Place) -> None:
    with place.open() as store:
        keys, index = filled(store), store.index_keys()
        assert rotated(store) == (305, 0)
        assert held(store, keys) == keys
        assert epochs_of(store.rows).wrapped() == {2: 305}
    with place.open() as again:
        assert again.wrapper.epoch == 2 and held(again, keys) == keys and again.index_keys() == index
        assert [row.wraps for row in again.info.masters] == [305, 305]
        assert rotated(again) == (305, 0)
    assert sorted(path.name for path in place.files.glob("master-*")) == [f"master-000{n}.key" for n in (1, 2, 3)]
    assert (place.files / "master-0003.key").stat().st_mode & 0o777 == 0o400


def test_the_old_master_opens_nothing_once_it_is_replaced(place: Place) -> None:
    with place.open() as store:
        filled(store, 20)
        old = keywrap.KeyWrapper(INSTANCE, {1: store.wrapper.masters()[1]})
        rotated(store)
        for row in store.rows.sample(100):
            with pytest.raises(KeyMissing):
                old.unwrap(row)


def test_pieces_smaller_than_the_store_and_a_second_start(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after some pieces, both epochs stand side by side; started again, only the rest is done."""
    with place.open() as store:
        keys = filled(store)
        keyrotate.new_master(store, AT)
        pieces = epochs_of(store.rows).rewrap(2, 50, store.wrapper.rewrap)
        assert next(pieces) == 50
        pieces.close()  # type: ignore[attr-defined]
    with place.open() as store:
        wrapped = epochs_of(store.rows).wrapped()
        assert wrapped[2] in (50, 100) and wrapped[1] == 305 - wrapped[2]
        assert held(store, keys) == keys
        monkeypatch.setattr(keyrotate, "KEYS_AT_ONCE", 64)
        assert keyrotate.rewrap(store, lambda _more: None) == (305 - wrapped[2], 0)
        assert held(store, keys) == keys and epochs_of(store.rows).wrapped() == {2: 305}


def test_a_store_opened_before_reads_and_writes_on(place: Place) -> None:
    with place.open() as early, place.open() as store:
        keys = filled(early)
        rotated(store)
        late = early.wrapper.new_keys("customer", [1000])
        early.add(early.wrapper.wrap(late))  # an import that had begun wraps under the old one still
        assert held(early, keys) == keys
        assert early.wrapper.epoch == 2
        assert epochs_of(store.rows).wrapped() == {1: 1, 2: 305}
        with pytest.raises(Refused) as failure:
            epochs_of(store.rows).drop_master(1)
        assert failure.value.code == "EPOCH_IN_USE"
        assert keyrotate.rewrap(store, lambda _more: None) == (1, 0)
        epochs_of(store.rows).drop_master(1)
        assert held(store, {("customer", 1000): 0}) == {("customer", 1000): late[0]}


def test_nothing_is_wrapped_under_a_master_that_is_gone(place: Place) -> None:
    with place.open() as early, place.open() as store:
        rows = early.wrapper.wrap(early.wrapper.new_keys("customer", [1]))
        rotated(store)
        epochs_of(store.rows).drop_master(1)
        with pytest.raises(LimitExceeded):
            early.add(rows)
        assert store.count("customer") == 0


def test_the_newest_is_never_dropped(place: Place) -> None:
    with place.open() as store:
        with pytest.raises(Refused):
            epochs_of(store.rows).drop_master(1)
        rotated(store)
        with pytest.raises(Refused):
            epochs_of(store.rows).drop_master(2)
        assert [row.epoch for row in store.rows.info().masters] == [1, 2]


def test_a_file_left_by_a_killed_rotation_is_the_next_key(place: Place) -> None:
    left = base64.b64encode(os.urandom(32))
    path = place.files / "master-0002.key"
    path.write_bytes(left)
    path.chmod(0o400)
    with place.open() as store:
        keys = filled(store, 5)
        rotated(store)
        assert base64.b64encode(store.wrapper.masters()[2]) == left and held(store, keys) == keys


def test_an_altered_key_is_told_and_nothing_of_its_piece_changes(tmp_path: Path) -> None:
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        filled(store, 10)
        store.rows._raw().execute(  # type: ignore[attr-defined]
            "UPDATE data_key SET wrapped = randomblob(60) WHERE owner_kind = 1 AND owner_id = 7"
        )
        with pytest.raises(Exception, match="altered"):
            rotated(store)
        assert epochs_of(store.rows).wrapped() == {1: 14, 2: 1}


def test_a_master_that_may_wrap_no_more_stops_the_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        filled(store, 10)
        monkeypatch.setattr(keyepochs_sqlite, "WRAPS_PER_EPOCH", 5)
        with pytest.raises(LimitExceeded):
            rotated(store)


PROGRAM = "import base64, sys, pathlib; sys.stdout.write(pathlib.Path(sys.argv[1]).read_text())"


def provided(tmp_path: Path, provider: str) -> dict[str, Any]:
    """Return a provider whose keys are in files that somebody else makes."""
    if provider == "command":
        return {"provider": "command", "argv": [sys.executable, "-c", PROGRAM, str(tmp_path / "key-{epoch}")]}
    return {"provider": "systemd", "name": "key-{epoch}"}


def give(tmp_path: Path, epoch: int, key: bytes = b"") -> None:
    path = tmp_path / f"key-{epoch:04d}"
    path.write_bytes(base64.b64encode(key or os.urandom(32)))
    path.chmod(0o400)


@pytest.mark.parametrize("provider", ["command", "systemd"])
def test_other_providers_must_have_the_next_key(provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    master = provided(tmp_path, provider)
    give(tmp_path, 1)
    with KeyStore.create(f"sqlite:///{tmp_path / 'keys.db'}", INSTANCE, AT, master=master) as store:
        keys = filled(store, 5)
        with pytest.raises(KeyMissing, match="no master key of epoch 2") as failure:
            rotated(store)
        assert failure.value.exit_code == 12 and "again" in failure.value.hint
        assert [row.epoch for row in store.rows.info().masters] == [1]
        give(tmp_path, 2, store.wrapper.masters()[1])
        with pytest.raises(KeyMissing, match="same master key") as failure:
            rotated(store)
        assert failure.value.code == "MASTER_SAME"
        (tmp_path / "key-0002").unlink()
        give(tmp_path, 2)
        assert rotated(store) == (10, 0)
        assert held(store, keys) == keys


def test_a_provider_that_makes_a_key_up_each_time_is_refused(tmp_path: Path) -> None:
    program = (
        "import base64, os, sys; e = sys.argv[1]; "
        "sys.stdout.buffer.write(base64.b64encode(b'k' * 32 if e == '0001' else os.urandom(32)))"
    )
    master = {"provider": "command", "argv": [sys.executable, "-c", program, "{epoch}"]}
    with KeyStore.create(f"sqlite:///{tmp_path / 'keys.db'}", INSTANCE, AT, master=master) as store:
        with pytest.raises(KeyMissing, match="another master key"):
            rotated(store)
        assert [row.epoch for row in store.rows.info().masters] == [1]


def test_a_provider_without_a_place_for_the_epoch_is_told_so(tmp_path: Path) -> None:
    master = {"provider": "file", "path": str(tmp_path / "master-0001.key")}
    with KeyStore.create(f"sqlite:///{tmp_path / 'keys.db'}", INSTANCE, AT, master=master) as store:
        with pytest.raises(InvalidInput) as failure:
            rotated(store)
        assert failure.value.code == "MASTER_NOT_NUMBERED" and "{epoch}" in failure.value.hint
    assert [path.name for path in tmp_path.glob("master-*")] == ["master-0001.key"]


def test_index_keys_come_and_go(place: Place) -> None:
    with place.open() as store:
        old = store.index_keys()[1][1]
        assert keyrotate.new_index(store, AT) == 2
        newest, keys = store.index_keys()
        assert newest == 2 and keys[1] == old != keys[2]
        keyrotate.drop_index(store, 1)
        assert store.index_keys() == (2, {2: keys[2]})
    with place.open() as again:
        assert again.index_keys() == (2, {2: keys[2]})
