"""Opening a run: who is refused is in the log, by name or by number."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workspaces
from golden import call
from sqlalchemy import Engine, select

from crmctl.audit.tables import audit_entry
from crmctl.audit.verify import verify
from crmctl.store.engine import open_engine, write

ELSEWHERE = 64999
Place = tuple[Path, Engine]


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A workspace in which the uid of this process belongs to nobody, and its database."""
    name = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("_postgres_template"))
    folder = workspaces.make(tmp_path / "w", server.url(name) if name else "")
    engine = open_engine(server.url(name) if name else f"sqlite:///{folder / 'data' / 'crmctl.db'}")
    rename(folder)
    yield folder, engine
    engine.dispose()
    if name:
        server.drop(name)


def rename(folder: Path) -> None:
    path = folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    assert f"uids: [{os.getuid()}]" in text
    path.write_text(text.replace(f"uids: [{os.getuid()}]", f"uids: [{ELSEWHERE}]"), "utf-8")


def newest(engine: Engine) -> dict[str, Any]:
    with engine.connect() as conn:
        body = conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq.desc())).scalars().first()
    found: dict[str, Any] = json.loads(body or "{}")
    return found


@pytest.mark.parametrize("words", [["customer", "list"], ["customer", "find", "--number", "7"], ["db", "check"]])
def test_a_uid_of_nobody_is_refused_and_that_is_an_entry(place: Place, words: list[str]) -> None:
    folder, engine = place
    told = call(["-w", str(folder), *words, "-o", "json"])
    assert (told.exit_code, json.loads(told.stderr)["code"]) == (6, "ACTOR_UNKNOWN")

    entry = newest(engine)
    assert (entry["act"], entry["result"], entry["codes"]) == (".".join(words[:2]), "denied", ["ACTOR_UNKNOWN"])
    actor = {key: entry["actor"][key] for key in ("person", "uid", "via", "roles")}
    assert actor == {"person": "unknown", "uid": os.getuid(), "via": "direct", "roles": []}
    assert verify(engine).ok


def test_it_is_refused_even_where_the_log_takes_no_entry(place: Place) -> None:
    folder, engine = place
    before = newest(engine)
    with write(engine) as conn:
        conn.execute(audit_entry.insert().values(seq=99, leaf=b"x", prev=b"y", body="{}"))
    told = call(["-w", str(folder), "customer", "list", "-o", "json"])
    assert told.exit_code == 6
    with write(engine) as conn:
        conn.execute(audit_entry.delete().where(audit_entry.c.seq == 99))
    assert newest(engine) == before


def test_a_database_of_another_workspace_gets_no_entry(tmp_path: Path) -> None:
    ours, theirs = workspaces.make(tmp_path / "ours"), workspaces.make(tmp_path / "theirs")
    rename(ours)
    config = ours / "crmctl.yaml"
    other = theirs / "data" / "crmctl.db"
    config.write_text(config.read_text("utf-8").replace('"data/crmctl.db"', f'"sqlite:///{other}"'), "utf-8")
    engine = open_engine(f"sqlite:///{other}")
    before = newest(engine)

    assert call(["-w", str(ours), "customer", "list"]).exit_code == 12
    assert call(["-w", str(ours), "db", "current"]).exit_code == 6
    assert newest(engine) == before
    engine.dispose()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves files that others cannot open")
def test_root_by_mistake_leaves_nothing_that_keeps_the_owner_out(tmp_path: Path) -> None:
    folder = workspaces.make(tmp_path / "w")
    rename(folder)
    data = folder / "data"
    (data / "crmctl.db-turn").unlink()
    for path in (data, *data.iterdir()):
        os.chown(path, ELSEWHERE, ELSEWHERE)

    assert call(["-w", str(folder), "customer", "list"]).exit_code == 6
    assert (data / "crmctl.db-turn").exists()
    assert {path.stat().st_uid for path in data.iterdir()} == {ELSEWHERE}
