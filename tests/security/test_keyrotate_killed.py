"""kill -9 between and within the pieces of a rotation: every key opens, and starting again does only the rest (F1)."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmctl.security import keyrotate
from crmctl.security.keyepochs import epochs_of
from crmctl.security.keystore import KeyStore

AT = datetime(2026, 11, 21, tzinfo=UTC)
INSTANCE = bytes(range(16))
KEYS, PIECE, MOMENTS = 4_000, 100, 12


def rotate(location: Any, master: Any) -> None:
    """Begin a rotation, or go on with one, and end without a word."""
    with KeyStore.open(location, INSTANCE, master=master) as store:
        if epochs_of(store.rows).wrapped().keys() == {store.wrapper.epoch}:
            keyrotate.new_master(store, AT)
        keyrotate.rewrap(store, lambda _more: None)


@pytest.mark.parametrize("form", ["folder", "postgresql"])
def test_a_killed_rotation_loses_nothing(
    form: str, tmp_path: Path, request: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyrotate, "KEYS_AT_ONCE", PIECE)
    location: Any = tmp_path / "k"
    master = None
    if form == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create()
        request.addfinalizer(lambda: server.drop(name))
        location, master = server.url(name), {"provider": "file", "path": str(tmp_path / "m-{epoch}.key")}
    with KeyStore.create(location, INSTANCE, AT, master=master) as store:
        made = store.wrapper.new_keys("customer", range(1, KEYS + 1))
        store.add(store.wrapper.wrap(made))
    keys, index = {key.owner_id: key for key in made}, None
    begun = time.monotonic()
    rotate(location, master)
    whole, dice, between = time.monotonic() - begun, random.Random(11), 0
    for _moment in range(MOMENTS):
        child = os.fork()
        if child == 0:
            try:
                rotate(location, master)
            finally:
                os._exit(0)
        time.sleep(dice.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with KeyStore.open(location, INSTANCE, master=master) as store:
            wrapped = epochs_of(store.rows).wrapped()
            assert sum(wrapped.values()) == KEYS + 1
            between += len(wrapped) > 1
            assert store.fetch("customer", keys) == keys
            index = index or store.index_keys()
            assert store.index_keys() == index
    assert between, "never killed in the middle"
    rotate(location, master)
    with KeyStore.open(location, INSTANCE, master=master) as store:
        assert epochs_of(store.rows).wrapped() == {store.wrapper.epoch: KEYS + 1}
        assert store.fetch("customer", keys) == keys
