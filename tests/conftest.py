"""What every test stands on: a clean environment, and the same suite on SQLite and on a real PostgreSQL.

Fixtures: `database_url` (both databases in turn, migrated and empty), `engine` (the same, opened), `sqlite_url`,
`postgres_url` (one of them), `bare_database_url` (both, without any table), `postgres_server`, `full`.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import postgres
import pytest

from crmctl import i18n

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

DATABASES = ["sqlite", "postgresql"]
_OURS = ("CRMCTL_", "PG", "XDG_", "LC_", "LANG", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "SUDO_")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="demands of scale at full scale, not a twentieth")


# How long an example takes says something about the machine, nothing about the program.
hypothesis.settings.register_profile("crmctl", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("crmctl")


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether `make full` asked for demands of scale at full scale."""
    return bool(request.config.getoption("--full"))


@pytest.fixture(scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _clean_environment(_home: Path) -> Iterator[None]:
    """Let nothing of the person who runs the tests reach them; a zone that is neither UTC nor any company's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(_OURS):
                patch.delenv(name)
        patch.setenv("HOME", str(_home))
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("TZ", "America/St_Johns")
        patch.setenv("CRMCTL_TESTING", "1")
        patch.setenv("LANGUAGE", "en")  # `i18n.use` writes it; restored afterwards
        time.tzset()
        i18n.use("en")
        yield
    time.tzset()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A real server of this test process; fails with instructions when none can be had."""
    try:
        with postgres.server() as server:
            yield server
    except postgres.NoServer as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture(scope="session")
def _postgres_template(postgres_server: postgres.Server) -> str:
    name = postgres_server.create()
    _migrate(postgres_server.url(name))
    return name


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "crmctl.db"
    _migrate(f"sqlite:///{path}")
    return path


def _migrate(url: str) -> None:
    from crmctl.store import migrate
    from crmctl.store.engine import open_engine

    engine = open_engine(url)
    migrate.upgrade(engine)
    engine.dispose()


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A fresh SQLite database at the head revision."""
    path = tmp_path_factory.mktemp("sqlite") / "crmctl.db"
    shutil.copy2(_sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_url(postgres_server: postgres.Server, _postgres_template: str) -> Iterator[str]:
    """A fresh PostgreSQL database at the head revision."""
    name = postgres_server.create(_postgres_template)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh database at the head revision, on SQLite and on PostgreSQL in turn."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The engine of `database_url`."""
    from crmctl.store.engine import open_engine

    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture(params=DATABASES)
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables, on both in turn: on SQLite not even the file exists."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'crmctl.db'}"
        return
    server: postgres.Server = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)
