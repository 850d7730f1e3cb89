"""The database of a workspace as sqlite3 or psql open it: behind the program's back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from crmctl import workspace
from crmctl.store.sqlite import driver


@contextlib.contextmanager
def direct(folder: Path) -> Iterator[Any]:
    """Yield a connection to a workspace's database that commits at once."""
    place = workspace.find(folder)
    if place.database_url.startswith("sqlite"):
        raw = driver().connect(str(folder / "data" / "crmctl.db"), isolation_level=None, timeout=30)
    else:
        import psycopg

        url = make_url(place.database_url)
        raw = psycopg.connect(host=url.query["host"], user=url.username, dbname=url.database, autocommit=True)
    try:
        yield raw
    finally:
        raw.close()
