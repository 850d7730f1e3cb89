"""A PostgreSQL server for the benchmark: the one the tests start, but with its stock configuration (fsync on)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

STOCK = {"listen_addresses": ""}  # everything else as initdb leaves it; nothing listens on the network


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `pattern` is the URL of a database with {} for its name."""

    pattern: str

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        return self.pattern.format(database)

    def version(self) -> str:
        """Return the server's version number."""
        with self._connect() as connection:
            row = connection.execute("SHOW server_version").fetchone()
            return str(row[0]) if row else "unknown"

    def create(self, database: str) -> str:
        """Create an empty database, in place of one of that name, and return its URL; what is dirty is written out."""
        self.drop(database)
        with self._connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
            connection.execute("CHECKPOINT")
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database if it is there."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True)


@contextlib.contextmanager
def postgresql(url: str | None = None) -> Iterator[Server]:
    """Yield the server at `url` (`postgresql://user@host:port`), or one started now and gone afterwards."""
    if url:
        yield Server(url.rstrip("/") + "/{}")
        return
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    import postgres

    postgres.SETTINGS.clear()
    postgres.SETTINGS.update(STOCK)
    with postgres.server() as started:
        yield Server(started.url("{}"))
