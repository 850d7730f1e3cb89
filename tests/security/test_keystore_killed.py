"""kill -9 while keys are written: every chunk is there whole or not at all, and what was confirmed is there (F1)."""

from __future__ import annotations

import os
import random
import signal
import time
from datetime import UTC, datetime

import pytest

from crmctl.security.keystore import KeyStore

AT = datetime(2026, 11, 21, tzinfo=UTC)
INSTANCE = bytes(range(16))
CHUNK = 1000
MOMENTS = 10


def start_writer(location, master, first):
    """Fork a child that adds chunk after chunk and confirms each on a pipe; return its pid and the pipe."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        store = KeyStore.open(location, INSTANCE, master=master)
        while True:
            keys = store.wrapper.new_keys("customer", range(first, first + CHUNK))
            store.add(store.wrapper.wrap(keys))
            os.write(writing, b".")
            first += CHUNK
    finally:
        os._exit(1)


def kill_after(child, reading, seconds):
    """Let the child confirm its first chunk, wait, kill it; return how many chunks it confirmed."""
    confirmed = len(os.read(reading, 1))
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    while part := os.read(reading, 65536):
        confirmed += len(part)
    os.close(reading)
    return confirmed


def wait_for_the_server(server):
    """Wait until the killed client's session is over: it may be finishing a commit that nobody hears of."""
    with server.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'crmctl'"
        while connection.execute(query).fetchone()[0]:
            time.sleep(0.002)


@pytest.mark.parametrize("form", ["folder", "postgresql"])
def test_a_killed_writer_leaves_whole_chunks(form, tmp_path, request):
    location, master = tmp_path / "k", None
    if form == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create()
        request.addfinalizer(lambda: server.drop(name))
        location, master = server.url(name), {"provider": "file", "path": str(tmp_path / "m.key")}
    KeyStore.create(location, INSTANCE, AT, master=master).close()
    dice, first = random.Random(9), 1
    for _ in range(MOMENTS):
        child, reading = start_writer(location, master, first)
        confirmed = kill_after(child, reading, dice.uniform(0, 0.05))
        if form == "postgresql":
            wait_for_the_server(server)
        with KeyStore.open(location, INSTANCE, master=master) as store:
            written = [number for number in store.owner_ids("customer") if number >= first]
            assert len(written) in (confirmed * CHUNK, (confirmed + 1) * CHUNK)
            assert written == list(range(first, first + len(written)))
            assert len(store.fetch("customer", written[-2 * CHUNK :])) == 2 * CHUNK or len(written) == CHUNK
        first += len(written)
    with KeyStore.open(location, INSTANCE, master=master) as store:
        assert store.status()["masters"][0]["wraps"] == first, "the index key and every committed key, no more"


def test_a_killed_removal_is_whole_or_nothing(tmp_path):
    number = 20_000
    with KeyStore.create(tmp_path / "k", INSTANCE, AT) as store:
        store.add(store.wrapper.wrap(store.wrapper.new_keys("customer", range(1, number + 1))))
    dice = random.Random(7)
    for _ in range(10):
        child = os.fork()
        if child == 0:
            KeyStore.open(tmp_path / "k", INSTANCE, at=AT).remove("customer", range(1, 15_001), reference="plan:1")
            os._exit(0)
        time.sleep(dice.uniform(0.002, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with KeyStore.open(tmp_path / "k", INSTANCE) as store:
            left, receipts = store.count("customer"), store.status()["receipts"]
            assert (left, receipts) in ((number, 0), (5_000, 1))
            if left == 5_000:
                store.add(store.wrapper.wrap(store.wrapper.new_keys("customer", range(1, 15_001))))
                store._rows._raw().execute("DELETE FROM shred_receipt")


def test_a_killed_creation_leaves_no_store(tmp_path):
    dice = random.Random(5)
    for moment in range(10):
        place = tmp_path / f"k{moment}"
        child = os.fork()
        if child == 0:
            KeyStore.create(place, INSTANCE, AT)
            os._exit(0)
        time.sleep(dice.uniform(0, 0.03))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if place.exists():
            KeyStore.open(place, INSTANCE).close()
        else:
            KeyStore.create(place, INSTANCE, AT).close()
