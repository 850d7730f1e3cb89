"""A key store that is not the one: older, newer, missing, another workspace's. Exit 12, never an empty result."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
import workspaces
from golden import Result, call
from realm import CUSTOMERS

MORE = "customer_type,name,mobile\nindividual,周小一,13811110001\nindividual,周小二,13811110002\n"
LATER = "customer_type,name,mobile\nindividual,周小三,13811110003\n"
Say = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, bare_database_url: str) -> Path:
    database = "" if bare_database_url.startswith("sqlite") else bare_database_url
    return workspaces.make(tmp_path / "crm", database)


@pytest.fixture
def say(folder: Path) -> Say:
    return lambda *words: call(["-w", str(folder), *map(str, words)])


def sheet(folder: Path, text: str, name: str = "more.csv") -> Path:
    path = folder.parent / name
    path.write_text(text, "utf-8")
    return path


def swapped(folder: Path, other: Path | None) -> None:
    """Put another store where the workspace's own was."""
    keys = Path(f"{folder}.keys")
    keys.rename(folder.parent / "was.keys")
    if other is not None:
        shutil.copytree(other, keys)


def refused(done: Result, *ids: str) -> None:
    assert done.exit_code == 12, (done.exit_code, done.stdout, done.stderr)
    assert done.stdout == ""
    for each in ids:
        assert each in done.stderr


def instance(folder: Path) -> str:
    found = re.search(r'^instance: "(.+)"$', (folder / "crmctl.yaml").read_text(), re.M)
    assert found
    return found[1]


def test_an_older_one(folder: Path, say: Say) -> None:
    assert say("customer", "import", sheet(folder, CUSTOMERS)).exit_code == 0
    assert say("keys", "copy", folder.parent / "older").exit_code == 0
    assert say("customer", "import", sheet(folder, MORE)).exit_code == 0
    swapped(folder, folder.parent / "older")
    ours = instance(folder)
    refused(say("customer", "show", 5), ours, "newest master key 1")
    refused(say("customer", "list"), ours, "newest master key 1")
    later = sheet(folder, LATER, "later.csv")
    refused(say("customer", "import", later), ours, "newest master key 1")
    refused(say("customer", "import", later, "-n"), ours)
    assert say("customer", "show", 4).exit_code == 0, "whose key is there is shown"


def test_an_older_one_from_before_a_rotation(folder: Path, say: Say) -> None:
    assert say("keys", "copy", folder.parent / "older").exit_code == 0
    assert say("keys", "rotate").exit_code == 0
    swapped(folder, folder.parent / "older")
    refused(say("keys", "rotate"), instance(folder), "newest master key is 1, 2 was made")


def test_a_newer_one(folder: Path, say: Say, tmp_path: Path) -> None:
    """The database was restored to an older state: what is in it is read rightly, nothing is written over."""
    assert say("customer", "import", sheet(folder, CUSTOMERS)).exit_code == 0
    before = tmp_path / "before"
    shutil.copytree(f"{folder}.keys", before)
    assert say("customer", "import", sheet(folder, MORE)).exit_code == 0
    newer = tmp_path / "newer"
    Path(f"{folder}.keys").rename(newer)
    shutil.copytree(before, f"{folder}.keys")
    with workspaces.running(folder, "keys status", dry_run=True) as run:
        forget(run)
    shutil.rmtree(f"{folder}.keys")
    shutil.copytree(newer, f"{folder}.keys")
    shown = say("customer", "list", "-o", "csv")
    assert shown.exit_code == 0 and len(shown.stdout.splitlines()) == 5
    assert say("customer", "show", 1).exit_code == 0
    refused(say("customer", "import", sheet(folder, LATER, "later.csv")), instance(folder), "newest master key 1")


def forget(run: object) -> None:
    """Take the database back to before its second import, as a restored backup is."""
    from sqlalchemy import delete, update

    from crmctl.runs.run import Run
    from crmctl.store import engine, schema
    from crmctl.store.counters import counter

    assert isinstance(run, Run)
    tables = schema.load_all().tables
    with engine.write(run.engine) as conn:
        for name, column in (("customer", "customer_id"), ("identity", "customer_id"), ("contact", "customer_id")):
            conn.execute(delete(tables[name]).where(tables[name].c[column] > 4))
        conn.execute(delete(tables["batch"]).where(tables["batch"].c.batch_id > 1))
        conn.execute(update(counter).where(counter.c.name == "batch").values(next_value=2))
        conn.execute(update(counter).where(counter.c.name == "customer").values(next_value=5))


def test_none(folder: Path, say: Say) -> None:
    assert say("customer", "import", sheet(folder, CUSTOMERS)).exit_code == 0
    swapped(folder, None)
    for words in (("customer", "show", 1), ("customer", "list"), ("customer", "import", sheet(folder, LATER))):
        refused(say(*words), f"{folder}.keys")
    (folder.parent / "was.keys").rename(f"{folder}.keys")
    (Path(f"{folder}.keys") / "master-0001.key").rename(folder.parent / "away")
    for words in (("customer", "show", 1), ("customer", "list"), ("customer", "import", sheet(folder, LATER))):
        refused(say(*words), instance(folder), "master key 1")


def test_another_workspaces(folder: Path, say: Say, tmp_path: Path) -> None:
    assert say("customer", "import", sheet(folder, CUSTOMERS)).exit_code == 0
    theirs = workspaces.make(tmp_path / "theirs")
    swapped(folder, Path(f"{theirs}.keys"))
    ids = str(UUID(instance(theirs))), str(UUID(instance(folder)))
    for words in (("customer", "show", 1), ("customer", "list"), ("customer", "import", sheet(folder, LATER))):
        refused(say(*words), *ids)


def test_the_same_keys_under_another_master(folder: Path, say: Say) -> None:
    master = Path(f"{folder}.keys") / "master-0001.key"
    master.chmod(0o600)
    master.write_text("A" * 43 + "=\n")
    for words in (("keys", "status"), ("customer", "import", sheet(folder, LATER))):
        refused(say(*words), instance(folder), "master key 1")
