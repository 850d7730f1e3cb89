"""A company of twelve customers on each database, made once and copied; the modules beside are imported by name."""

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

from company import Company, imported  # noqa: E402

# Beside each threshold of the demo company: 1,000,000 yuan and 300,000 yuan; nothing; and none declared.
AMOUNTS = (
    "1000000", "999999.99", "1000000.01", "300000", "299999.99", "0.01", "0", "", "5000000", "400000", "20000", "1",
)  # fmt: skip


@pytest.fixture(scope="session")
def _companies() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of database in turn."""
    return str(request.param)


@pytest.fixture
def company(
    kind: str, _companies: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: Any
) -> Iterator[Company]:
    """A workspace of its own: C-1 to C-7 and C-9 to C-12 declare `AMOUNTS`, C-8 declares nothing; nobody is graded."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    if kind not in _companies:
        name = server.create(request.getfixturevalue("_postgres_template")) if server else ""
        folder = workspaces.make(
            tmp_path_factory.mktemp("company") / "crm", server.url(name) if server else "", demo=True
        )
        imported(folder, AMOUNTS)
        _companies[kind] = folder, name
    template, name = _companies[kind]
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
    found = Company(folder, url)
    yield found
    found.close()
    if server:
        server.drop(own)
