"""A small company with people of every role, on SQLite and PostgreSQL in turn."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parent))

from realm import Realm, built  # noqa: E402


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both kinds of database in turn."""
    return str(request.param)


@pytest.fixture(scope="session")
def _realms() -> dict[str, tuple[Path, str]]:
    """What was made already: by kind of database the workspace, and on PostgreSQL its database."""
    return {}


@pytest.fixture
def realm(
    kind: str, _realms: Any, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, request: Any
) -> Iterator[Realm]:
    """A company of its own, copied; its log, changes and rows must be sound afterwards."""
    server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
    if kind not in _realms:
        name = server.create() if server else ""
        folder = built(tmp_path_factory.mktemp("realm") / "crm", server.url(name) if server else "")
        _realms[kind] = folder, name
    template, name = _realms[kind]
    folder = tmp_path / "crm"
    shutil.copytree(template, folder)
    shutil.copytree(f"{template}.keys", f"{folder}.keys")
    config = folder / "crmctl.yaml"
    text = config.read_text("utf-8").replace(f"{template}.keys", f"{folder}.keys")
    url, own = f"sqlite:///{folder / 'data' / 'crmctl.db'}", ""
    if server:
        own = server.create(name)
        url = server.url(own)
        text = re.sub(r"^database: .*$", f'database: "{url}"', text, flags=re.M)
    config.write_text(text, "utf-8")
    made = Realm(folder, url)
    yield made
    problems = made.problems()
    made.close()
    if server:
        server.drop(own)
    assert problems == []
