"""kill -9 while keys are put under other keys: all opens at once afterwards, and the same command finishes it."""

from __future__ import annotations

import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import inside, killed_after, strike
from sqlalchemy import select

from crmctl.customers import records, tables
from crmctl.security import keymirror
from crmctl.security.keyepochs import epochs_of
from crmctl.store import engine

SEED = 20260107
EPOCHS = {
    "sqlite": "crmctl.security.keyepochs_sqlite:SqliteEpochs",
    "postgresql": "crmctl.security.keyepochs_server:ServerEpochs",
}
ROTATE = {
    "the run is begun": "after:1:crmctl.runs.run:begin",
    "the new master is in its file": "after:1:crmctl.security.masters:next_key",
    "the new master is known": "after:1:{epochs}.add_master",
    "the index key is rewrapped": "after:1:{epochs}.set_index",
    "keys are rewrapped, not written": "after:1:crmctl.security.keywrap:KeyWrapper.rewrap",
    "all keys are rewrapped": "before:1:{epochs}.wrapped",
    "the run is finished, not committed": "after:1:crmctl.runs.run:finish",
    "the last word is written, not committed": "after:2:crmctl.audit.entries:append",
}
INDEX = {
    "the new index key is known": "after:1:crmctl.security.keyrotate:new_index",
    "identities are written, not committed": "after:1:crmctl.store.bulk:replace_rows",
    "identities are made": "after:1:crmctl.customers.rekeying:_chunk",
    "some of the old ones are gone": "after:30:crmctl.store.engine:write",
    "the old ones are gone": "after:1:crmctl.customers.rekeying:_forget",
    "the old index key is gone": "after:1:crmctl.security.keyrotate:drop_index",
    "the last word is written, not committed": "after:2:crmctl.audit.entries:append",
}
MIRROR = {
    "the mirror is made": "after:1:crmctl.security.keymirror:_made",
    "its head is written": "after:1:{epochs}.put_head",
    "its keys are written": "after:1:{epochs}.put",
    "it is equal": "after:1:crmctl.security.keymirror:level",
    "the last word is written, not committed": "after:2:crmctl.audit.entries:append",
}
Held = dict[str, Any]


def setting(folder: Path, name: str, value: str) -> None:
    """Set one line of crmctl.yaml."""
    config = folder / "crmctl.yaml"
    text = re.sub(rf"^{name}:.*\n", "", config.read_text("utf-8"), flags=re.M)
    config.write_text(f"{text}{name}: {value}\n", "utf-8")


@pytest.fixture
def place(make: Callable[..., Path], kind: str, small: commands.Given, request: Any) -> Path:
    """A workspace with customers, its key store a folder, or on the server its database is on too."""
    folder = make(kind)
    if kind == "postgresql":
        setting(folder, "keys_mirror", f'"{empty_server(request)}"')
        assert inside(folder, "keys", "mirror").status == 0
        text = (folder / "crmctl.yaml").read_text("utf-8")
        url = re.search(r'^keys_mirror: "(.+)"$', text, re.M)
        assert url
        text = re.sub(r"^(keys|keys_mirror):.*\n", "", text, flags=re.M)
        master = f'master_key: {{provider: file, path: "{folder}.keys/master-{{epoch}}.key"}}'
        (folder / "crmctl.yaml").write_text(f'{text}keys: "{url[1]}"\n{master}\n', "utf-8")
    assert inside(folder, "customer", "import", small.path).status == 3
    return folder


def empty_server(request: Any) -> str:
    """Return the URL of an empty database, gone after the test."""
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    request.addfinalizer(lambda: server.drop(name))
    return str(server.url(name))


def held(folder: Path) -> Held:
    """Return what must not change: customers as they open, which identities stand and how; all by the way sound."""
    assert oracle.complaints(folder) == []
    found = oracle.contents(folder)
    with oracle.opened(folder) as run:
        wrapped = epochs_of(run.keys.rows).wrapped()
        assert sum(wrapped.values()) == sum(run.keys.rows.counts().values()) + len(run.keys.info.indexes)
        assert wrapped.keys() <= run.keys.wrapper.masters().keys()
        with engine.read(run.engine) as conn:
            columns = tables.identity.c
            rows = conn.execute(select(columns.kind, columns.epoch, columns.slot, columns.customer_id)).all()
        return {
            "customers": found["customers"],
            "contacts": found["contacts"],
            "rejected": found["rejected"],
            "changes": found["changes"],
            "identities": Counter((row.kind, row.slot, row.customer_id) for row in rows),
            "epochs": {row.epoch for row in rows},
            "index": set(run.keys.index_keys()[1]),
        }


def found_by_number(folder: Path, wanted: int) -> None:
    """Look up customers by their mobile numbers, which must find them whatever is half done."""
    looked = 0
    with oracle.opened(folder) as run:
        for number, (clear, personal) in enumerate(oracle.contents(folder)["customers"], 1):
            mobile = str(personal.get("mobile", ""))
            if re.fullmatch(r"\+\d+", mobile):
                looked += 1
                assert len(records.holders(run, "mobile", mobile)) >= 1, (number, clear["type"])
            if looked == wanted:
                return
    assert looked


def struck(folder: Path, point: str, kind: str, *words: object) -> None:
    done = strike(f"SIGKILL:{point.format(epochs=EPOCHS[kind])}", folder, *words)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), (done.status, done.err)


@pytest.mark.parametrize("where", ROTATE)
def test_a_rotation_killed_where(place: Path, kind: str, where: str) -> None:
    before = held(place)
    struck(place, ROTATE[where], kind, "keys", "rotate")
    assert held(place) == before

    done = inside(place, "keys", "rotate", "-o", "json")
    assert (done.status, done.document["epoch"], done.document["left"]) == (0, 2, 0), done.err
    assert held(place) == before
    with oracle.opened(place) as run:
        assert epochs_of(run.keys.rows).wrapped().keys() == {2}
    assert inside(place, "keys", "rotate", "-o", "json").document["epoch"] == 3


@pytest.mark.parametrize("where", INDEX)
def test_a_change_of_the_index_key_killed_where(place: Path, kind: str, small: commands.Given, where: str) -> None:
    before = held(place)
    struck(place, INDEX[where], kind, "keys", "rotate", "--index")
    found_by_number(place, 20)
    refused = inside(place, "customer", "import", small.path, "-o", "json")
    if "old index key is gone" not in where and "last word" not in where:
        assert (refused.status, refused.failure["code"]) == (1, "INDEX_CHANGING")

    done = inside(place, "keys", "rotate", "--index", "-o", "json")
    assert (done.status, done.document["lost"]) == (0, 0), done.err
    found_by_number(place, 20)
    again = inside(place, "customer", "import", small.path, "-o", "json")
    assert again.status == 3 and again.document["created"] == 0, "everybody is recognised under the new key"
    if refused.status == 1:
        after = held(place)
        assert after["identities"] == before["identities"] and after["epochs"] == after["index"] == {2}


@pytest.mark.parametrize("where", MIRROR)
def test_a_mirror_killed_where(place: Path, kind: str, where: str, request: Any) -> None:
    before = held(place)
    url = place.with_name("mirror") if kind == "sqlite" else empty_server(request)
    setting(place, "keys_mirror", f'"{url}"')
    struck(place, MIRROR[where], kind, "keys", "mirror")
    assert held(place) == before
    done = inside(place, "keys", "mirror", "-o", "json")
    assert done.status == 0, done.err
    in_step(place)


@pytest.mark.parametrize(
    "point",
    [
        "before:1:crmctl.security.keymirror:Mirror.add",
        "before:2:crmctl.security.keymirror:Mirror.add",
        "after:3:crmctl.security.keymirror:Mirror.add",
        "before:1:{epochs}.put",
    ],
)
def test_an_import_killed_between_the_stores(place: Path, kind: str, files: Path, point: str, request: Any) -> None:
    url = place.with_name("mirror") if kind == "sqlite" else empty_server(request)
    setting(place, "keys_mirror", f'"{url}"')
    assert inside(place, "keys", "mirror").status == 0
    given = commands.generated(files, 300, seed=9)
    struck(place, point, kind, "customer", "import", given.path, "--chunk", 100)
    unfinished = [batch for batch, state in oracle.states(place).items() if state != "done"]
    words: tuple[object, ...] = ("batch", "resume", *unfinished) if unfinished else ("customer", "import", given.path)
    assert inside(place, *words).status == 3
    assert oracle.complaints(place) == []
    in_step(place)


def in_step(place: Path) -> None:
    with oracle.opened(place) as run:
        assert run.keys.mirror is not None
        assert not keymirror.differs(run.keys.rows, run.keys.mirror.store().rows)


@pytest.mark.parametrize("words", [("keys", "rotate"), ("keys", "rotate", "--index"), ("keys", "mirror")])
def test_killed_at_random_moments(
    place: Path, kind: str, words: tuple[str, ...], small: commands.Given, full: bool, request: Any
) -> None:
    if "mirror" in words:
        url = place.with_name("mirror") if kind == "sqlite" else empty_server(request)
        setting(place, "keys_mirror", f'"{url}"')
    before = held(place)
    begun = time.monotonic()
    assert commands.crmctl(place, *words).status == 0
    whole = time.monotonic() - begun
    chance, hits = random.Random(SEED), 0
    for _attempt in range(500 if full else 30):
        hits += killed_after(chance.uniform(0.3, 1.1) * whole, place, *words)
        found_by_number(place, 3)
        if hits >= (50 if full else 3):
            break
    assert hits, "too fast to be killed"
    assert inside(place, *words).status == 0
    after = held(place)
    assert {name: after[name] for name in before if name not in ("epochs", "index")} == {
        name: before[name] for name in before if name not in ("epochs", "index")
    }
    assert after["epochs"] == after["index"] and len(after["index"]) == 1
    if "mirror" in words:
        in_step(place)
    assert inside(place, "customer", "import", small.path, "-o", "json").document["created"] == 0
