"""Fixtures: companies with staff and customers on each database, made once and copied."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import workspaces
from firm import POLICY, Firm, people

from crmctl.locate import shipped

CUSTOMERS, STAFF = 60, 10


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of database in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def _firms() -> dict[tuple[str, int, int], tuple[Path, str]]:
    """What was made already: by kind of database and size the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture
def founded(
    _firms: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Firm]]:
    """Return the function from a kind of database and a size to a company of its own."""
    made: list[tuple[Firm, str]] = []

    def server() -> Any:
        return request.getfixturevalue("postgres_server")

    def found(kind: str, size: int = CUSTOMERS, staff: int = STAFF) -> Firm:
        key = kind, size, staff
        if key not in _firms:
            name = server().create(request.getfixturevalue("_postgres_template")) if kind == "postgresql" else ""
            folder = tmp_path_factory.mktemp("firm") / "crm"
            workspaces.make(folder, server().url(name) if name else "")
            url = server().url(name) if name else f"sqlite:///{folder / 'data' / 'crmctl.db'}"
            _begun(Firm(folder, url), size, staff)
            _firms[key] = folder, name
        template, name = _firms[key]
        folder = tmp_path / f"{kind}{len(made)}" / "crm"
        folder.parent.mkdir()
        shutil.copytree(template, folder)
        shutil.copytree(f"{template}.keys", f"{folder}.keys")
        url, own = f"sqlite:///{folder / 'data' / 'crmctl.db'}", ""
        if kind == "postgresql":
            own = server().create(name)
            url = server().url(own)
            config = folder / "crmctl.yaml"
            text = re.sub(r"^database: .*$", f'database: "{url}"', config.read_text("utf-8"), flags=re.M)
            config.write_text(text, "utf-8")
        made.append((Firm(folder, url), own))
        return made[-1][0]

    yield found
    for firm, own in made:
        firm.close()
        if own:
            server().drop(own)


def _begun(firm: Firm, size: int, staff: int) -> None:
    """Let the company decide its numbers; give it people and so many graded customers."""
    shutil.copy(shipped("policies") / "_demo_company.yaml", firm.folder / "policies" / "company.yaml")
    firm.edit("staff.yaml", "    training_valid_for: $training_valid_months\n", "")
    firm.policy(POLICY)
    firm.staffed(people(staff, size * 2))
    firm.filled(size)
    firm.close()


@pytest.fixture
def firm(founded: Callable[..., Firm], kind: str) -> Firm:
    """A company of sixty graded customers and ten people, on each database; nobody owns anything yet."""
    return founded(kind)
