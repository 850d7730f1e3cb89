"""A mirror is the key store a second time: in step, or nothing is written, or it is told."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from crmctl.errors import IntegrityFailed, InvalidInput, KeyMissing, StorageFailed
from crmctl.security import keymirror, keyrotate
from crmctl.security.keystanding import mirror_differs
from crmctl.security.keystore import KeyStore

AT = datetime(2026, 11, 21, tzinfo=UTC)
INSTANCE, OTHER = bytes(range(16)), bytes(range(1, 17))


@pytest.fixture(params=["folder, folder", "folder, postgresql", "postgresql, folder"])
def places(request: Any, tmp_path: Path) -> Iterator[tuple[Any, Any, Any]]:
    """The store, its mirror, and who gives the master keys."""
    found: list[Any] = []
    for number, form in enumerate(request.param.split(", ")):
        if form == "folder":
            found.append(tmp_path / f"k{number}")
        else:
            server = request.getfixturevalue("postgres_server")
            name = server.create()
            request.addfinalizer(partial(server.drop, name))
            found.append(server.url(name))
    master = None if isinstance(found[0], Path) else {"provider": "file", "path": str(tmp_path / "m-{epoch}.key")}
    KeyStore.create(found[0], INSTANCE, AT, master=master).close()
    yield found[0], found[1], master


def opened(places: tuple[Any, Any, Any]) -> KeyStore:
    return KeyStore.open(places[0], INSTANCE, master=places[2], at=AT, mirror=places[1])


def add(store: KeyStore, ids: Any) -> dict[int, Any]:
    keys = store.wrapper.new_keys("customer", ids)
    store.add(store.wrapper.wrap(keys))
    return {key.owner_id: key for key in keys}


def alone(places: tuple[Any, Any, Any]) -> KeyStore:
    """Open the mirror by itself, as after the loss of the first."""
    master = places[2]
    if master is None and not isinstance(places[1], Path):
        master = {"provider": "file", "path": str(places[0] / "master-{epoch}.key")}
    return KeyStore.open(places[1], INSTANCE, master=master, at=AT)


def test_a_mirror_is_made_and_kept_in_step(places: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keymirror, "_ROWS_AT_ONCE", 100)
    with KeyStore.open(places[0], INSTANCE, master=places[2], at=AT) as store:
        keys = add(store, range(1, 501))
    with opened(places) as store:
        assert keymirror.rehearsed(store).written in (500, 0)
        assert keymirror.repair(store) == (keymirror.Mirrored(True, 500, 0, 500))
        keys |= add(store, range(501, 601))
        assert not mirror_differs(store)
        assert store.remove("customer", range(1, 51), reference="plan:1") == 50
        keyrotate.new_master(store, AT)
        assert keyrotate.rewrap(store, lambda _more: None) == (551, 0)
        assert not mirror_differs(store)
    with alone(places) as mirror:
        assert mirror.fetch("customer", range(1, 601)) == {n: key for n, key in keys.items() if n > 50}
        assert mirror.wrapper.epoch == 2 and mirror.status()["receipts"] == 1
        wraps = [row.wraps for row in mirror.info.masters]
    with opened(places) as store:
        assert wraps == [row.wraps for row in store.info.masters]
        assert keymirror.repair(store) == keymirror.Mirrored(False, 0, 0, 550)


def test_a_mirror_that_cannot_be_reached_leaves_nothing_half(places: tuple[Any, Any, Any]) -> None:
    with opened(places) as store:
        for _attempt in range(2):
            with pytest.raises(StorageFailed) as failure:
                add(store, [1, 2, 3])
            assert failure.value.exit_code == 74 and "keys mirror" in failure.value.hint
        assert store.count("customer") == 0
        assert store.fetch("customer", [1]) == {}, "reading does without the mirror"
        with pytest.raises(StorageFailed):
            store.remove("customer", [1])
        keymirror.repair(store)
        add(store, [1, 2, 3])


def test_what_the_mirror_refuses_is_taken_back(places: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(places) as store:
        keymirror.repair(store)
        keys = add(store, [1])
        failing = StorageFailed("full", code="STORAGE_FAILED")
        monkeypatch.setattr(keymirror.Mirror, "add", lambda *_arguments: (_ for _ in ()).throw(failing))
        with pytest.raises(StorageFailed):
            add(store, [2, 3])
        assert store.fetch("customer", [1, 2, 3]) == keys
        with pytest.raises(IntegrityFailed):
            add(store, [1])
        assert store.fetch("customer", [1]) == keys, "a number that has a key keeps it"


def test_differences_of_every_kind_are_found_and_mended(
    places: tuple[Any, Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keymirror, "_ROWS_AT_ONCE", 7)
    with opened(places) as store:
        keymirror.repair(store)
        keys = add(store, range(1, 41))
        with alone(places) as mirror:
            mirror.remove("customer", [1, 20, 21, 40])
            add(mirror, [50, 60, *range(100, 130)])
            mirror.remove("customer", [30])
            add(mirror, [30])  # another key of the same number
        assert mirror_differs(store)
        assert keymirror.rehearsed(store) == keymirror.Mirrored(False, 5, 32, 40)
        assert keymirror.repair(store) == keymirror.Mirrored(False, 5, 32, 40)
        assert not mirror_differs(store)
    with alone(places) as mirror:
        assert mirror.fetch("customer", range(200)) == keys


def test_a_mirror_without_the_epoch_takes_nothing(places: tuple[Any, Any, Any]) -> None:
    with opened(places) as store:
        keymirror.repair(store)
    with KeyStore.open(places[0], INSTANCE, master=places[2], at=AT) as store:  # without its mirror: a slip
        keyrotate.new_master(store, AT)
        keyrotate.rewrap(store, lambda _more: None)
    with opened(places) as store:
        assert mirror_differs(store)
        with pytest.raises(StorageFailed) as failure:
            add(store, [1])
        assert failure.value.code == "MIRROR_BEHIND" and store.count("customer") == 0
        keymirror.repair(store)
        add(store, [1])
        assert not mirror_differs(store)


def test_another_workspaces_store_is_never_made_a_mirror(tmp_path: Path) -> None:
    KeyStore.create(tmp_path / "ours", INSTANCE, AT).close()
    with KeyStore.create(tmp_path / "theirs", OTHER, AT) as theirs:
        add(theirs, [1])
    before = (tmp_path / "theirs" / "keys.db").read_bytes()
    with KeyStore.open(tmp_path / "ours", INSTANCE, at=AT, mirror=tmp_path / "theirs") as store:
        for action in (lambda: keymirror.repair(store), lambda: add(store, [1])):
            with pytest.raises(KeyMissing) as failure:
                action()
            assert failure.value.code == "INSTANCE_WRONG"
    assert (tmp_path / "theirs" / "keys.db").read_bytes() == before


def test_no_mirror_and_the_store_itself_are_told(tmp_path: Path) -> None:
    KeyStore.create(tmp_path / "k", INSTANCE, AT).close()
    with KeyStore.open(tmp_path / "k", INSTANCE) as store, pytest.raises(InvalidInput) as failure:
        keymirror.repair(store)
    assert failure.value.code == "MIRROR_UNSET"
    with (
        KeyStore.open(tmp_path / "k", INSTANCE, mirror=str(tmp_path / "k")) as store,
        pytest.raises(InvalidInput) as failure,
    ):
        keymirror.repair(store)
    assert failure.value.code == "MIRROR_SAME"


def test_a_lost_mirror_is_made_again(tmp_path: Path) -> None:
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        keys = add(store, range(1, 11))
    for _loss in range(2):
        with KeyStore.open(tmp_path / "k", INSTANCE, at=AT, mirror=tmp_path / "m") as store:
            assert keymirror.repair(store).made
        modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "m").iterdir()}
        assert modes == {"keys.db": 0o600, "master-0001.key": 0o400}
        with KeyStore.open(tmp_path / "m", INSTANCE) as mirror:
            assert mirror.fetch("customer", keys) == keys
        shutil.rmtree(tmp_path / "m")
