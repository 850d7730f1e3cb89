"""Fixtures: workspaces as `init` makes them, all of one installation, so that what is imported can be compared.

One key store and one instance number for all: equal rows then have equal digests, on SQLite and on PostgreSQL.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from sqlalchemy import insert

from crmctl.runs import tables
from crmctl.setup import init as setup
from crmctl.store import engine

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace that nobody uses; others are copies of it."""
    folder = tmp_path_factory.mktemp("installation") / "crm"
    setup.init(setup.Request(folder, "en"), AT)
    return folder


@pytest.fixture
def make(
    installation: Path, tmp_path: Path, request: pytest.FixtureRequest, _postgres_on_demand: Callable[[], str]
) -> Make:
    """A function from a database's kind (and a name) to a new workspace on it."""
    del request

    def workspace(kind: str = "sqlite", name: str = "") -> Path:
        folder = tmp_path / (name or kind) / "crm"
        folder.parent.mkdir(parents=True)
        shutil.copytree(f"{installation}.keys", f"{folder}.keys")
        shutil.copytree(installation, folder)
        if kind == "postgresql":
            _move(folder, _postgres_on_demand())
        return folder

    return workspace


def _move(folder: Path, url: str) -> None:
    """Let a fresh workspace stand on the empty database at `url` instead of the one inside it."""
    config = folder / "crmctl.yaml"
    text = config.read_text("utf-8")
    instance = re.search(r'^instance: "(.+)"$', text, re.M)
    assert instance
    config.write_text(re.sub(r"^database: .*$", f'database: "{url}"', text, flags=re.M), "utf-8")
    for path in (folder / "data").iterdir():
        path.unlink()
    base = engine.open_engine(url)
    with engine.write(base) as conn:
        conn.execute(insert(tables.installation).values(id=1, instance=instance[1], created_at=AT))
    base.dispose()
    setup._first_entry(folder, AT)


@pytest.fixture
def _postgres_on_demand(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    names: list[str] = []

    def url() -> str:
        server: Any = request.getfixturevalue("postgres_server")
        names.append(server.create(request.getfixturevalue("_postgres_template")))
        return str(server.url(names[-1]))

    yield url
    for name in names:
        request.getfixturevalue("postgres_server").drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of database in turn."""
    return str(request.param)


@pytest.fixture
def folder(make: Make, kind: str) -> Path:
    """A workspace on each database."""
    return make(kind)


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated files are, for the whole session."""
    return tmp_path_factory.mktemp("files")


@pytest.fixture(scope="session")
def small(files: Path) -> commands.Given:
    """Four hundred rows: imported in one process."""
    return commands.generated(files, 400)


@pytest.fixture(scope="session")
def large(files: Path) -> commands.Given:
    """Enough rows for a second process."""
    from crmctl.customers.intake import WORTH_A_PROCESS

    return commands.generated(files, WORTH_A_PROCESS + 200)


@pytest.fixture(scope="session")
def references(
    installation: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[commands.Given], dict[str, Any]]:
    """A function from a file to the contents that importing it leaves when nothing disturbs it (on SQLite)."""
    known: dict[Path, dict[str, Any]] = {}

    def reference(given: commands.Given) -> dict[str, Any]:
        if given.path not in known:
            folder = tmp_path_factory.mktemp("reference") / "crm"
            shutil.copytree(f"{installation}.keys", f"{folder}.keys")
            shutil.copytree(installation, folder)
            begun = time.monotonic()
            done = commands.crmctl(folder, "customer", "import", given.path, "-o", "json")
            seconds = time.monotonic() - begun
            assert done.status == 3, done.err
            assert done.counts == given.counts
            assert oracle.complaints(folder) == []
            known[given.path] = {**oracle.contents(folder), "seconds": seconds}
        return known[given.path]

    return reference
