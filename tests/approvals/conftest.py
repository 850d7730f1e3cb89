"""An office of six people on each database, made once and copied; the module beside is imported by name."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import workspaces

sys.path.append(str(Path(__file__).parent))

from office import Office, write_access  # noqa: E402


@pytest.fixture(scope="session")
def _offices() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of database in turn."""
    return str(request.param)


@pytest.fixture
def office(
    kind: str, _offices: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: Any
) -> Iterator[Office]:
    """A workspace of its own with the people of `office.PEOPLE`; afterwards its log must be sound."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    if kind not in _offices:
        name = server.create(request.getfixturevalue("_postgres_template")) if server else ""
        folder = workspaces.make(tmp_path_factory.mktemp("office") / "crm", server.url(name) if server else "")
        _offices[kind] = folder, name
    template, name = _offices[kind]
    folder = tmp_path / "crm"
    shutil.copytree(template, folder)
    shutil.copytree(f"{template}.keys", f"{folder}.keys")
    url = f"sqlite:///{folder / 'data' / 'crmctl.db'}"
    if server:
        own = server.create(name)
        url = server.url(own)
        config = folder / "crmctl.yaml"
        config.write_text(
            re.sub(r"^database: .*$", f'database: "{url}"', config.read_text("utf-8"), flags=re.M), "utf-8"
        )
    write_access(folder)
    found = Office(folder, url)
    yield found
    problems = found.problems()
    found.close()
    if server:
        server.drop(own)
    assert problems == []
