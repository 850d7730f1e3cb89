"""Workspaces with a staff register, on SQLite and PostgreSQL in turn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workspaces
from golden import Result, call

from crmctl.audit.verify import verify
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.policy.policyset import PolicySet
from crmctl.runs import run as runs
from crmctl.store.engine import open_engine
from crmctl.workspace import find

NORTHWIND = Path(__file__).parents[3] / "shared" / "data" / "northwind" / "employees.csv"


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A workspace whose people the test adds; afterwards its log, changes and rows must be sound."""
    name = ""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("_postgres_template"))
    place = workspaces.make(tmp_path / "w", server.url(name) if name else "", demo=False)
    yield place
    engine = open_engine(runs.database_url(find(place)), workspace=place)
    result = verify(engine, changes=True, rows=True)
    engine.dispose()
    if name:
        server.drop(name)
    assert [problem.code for problem in result.problems] == []


@pytest.fixture
def sqlite_folder(tmp_path: Path) -> Path:
    """A workspace on SQLite, for what does not depend on the database."""
    return workspaces.make(tmp_path / "w")


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return load(shipped("policies"))


@pytest.fixture
def northwind() -> Path:
    """Return the real staff sheet that lies beside the repository."""
    if not NORTHWIND.is_file():
        pytest.skip("no shared data beside the repository")
    return NORTHWIND


class Register:
    """`crmctl staff …` in one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, stdin: bytes = b"") -> Result:
        return call(["-w", str(self.folder), "staff", *words], stdin)

    def json(self, *words: str, status: int = 0) -> Any:
        """Return the document of a command that must end with `status`."""
        done = self(*words, "-o", "json")
        assert done.exit_code == status, done.stderr + done.stdout
        return json.loads(done.stdout)

    def refused(self, *words: str) -> tuple[int, str, Any]:
        """Return exit status, code and details of a command that must fail."""
        done = self(*words, "-o", "json")
        assert done.exit_code != 0
        assert done.stdout == ""
        failure = json.loads(done.stderr.splitlines()[-1])
        return done.exit_code, failure["code"], failure.get("details", {})

    def add(self, number: str, name: str = "某人", *words: str) -> Any:
        return self.json("add", "--number", number, "--name", name, *words)["staff"]


@pytest.fixture
def staff(folder: Path) -> Register:
    return Register(folder)


@pytest.fixture
def staff_here(sqlite_folder: Path) -> Register:
    """`crmctl staff …` on SQLite alone."""
    return Register(sqlite_folder)
