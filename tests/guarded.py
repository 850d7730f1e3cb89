"""A database of the tests' server as a company has it: every account reaches the server, a password opens the database.

The server otherwise believes whoever reaches its socket, and lets nobody but us reach it.
"""

from __future__ import annotations

import contextlib
import pwd
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import postgres
import psycopg
from psycopg import sql

ROLE = "crm"
# Only root is the server's administrator, by the kernel's word; every other role needs its password.
_RULES = "local all postgres peer map=tests\nlocal all all scram-sha-256\n"


@dataclass(frozen=True)
class Guarded:
    """A database: its URL as a workspace names it, the file with the password, the URL of the test itself."""

    url: str
    secret: Path
    ours: str


@contextlib.contextmanager
def database(server: postgres.Server, folder: Path) -> Iterator[Guarded]:
    """Yield a new database owned by a role with a password, which is put into `folder`; the server as it was after."""
    secret = folder / "database.password"
    secret.touch(mode=0o400)
    password = secrets.token_urlsafe(16)
    secret.write_text(password)
    name = server.create()
    with server.connect() as conn:
        conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password)))
        conn.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(sql.Identifier(name), sql.Identifier(ROLE)))
    try:
        with _guarded(server):
            yield Guarded(f"postgresql://{ROLE}@/{name}?host={server.socket_folder}", secret, server.url(name))
    finally:
        server.drop(name)
        with server.connect() as conn:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(ROLE)))


@contextlib.contextmanager
def _guarded(server: postgres.Server) -> Iterator[None]:
    """Let every account reach the server, and the server ask for passwords, until the block ends."""
    with server.connect() as conn:
        rows = conn.execute("SELECT current_setting('hba_file'), current_setting('ident_file')").fetchone()
    assert rows is not None
    rules, names = map(Path, rows)
    before = rules.read_text(), names.read_text()
    mode = server.socket_folder.stat().st_mode & 0o777
    names.write_text(f"tests {pwd.getpwuid(0).pw_name} postgres\n")
    rules.write_text(_RULES)
    try:
        _reload(server, asks=True)
        server.socket_folder.chmod(mode | 0o011)
        yield
    finally:
        server.socket_folder.chmod(mode)
        rules.write_text(before[0])
        names.write_text(before[1])
        _reload(server, asks=False)


def _reload(server: postgres.Server, *, asks: bool) -> None:
    """Have the server read its rules; return when it asks for passwords, or does no more."""
    with server.connect() as conn:
        conn.execute("SELECT pg_reload_conf()")
    deadline = time.monotonic() + 30
    while _asks(server) is not asks:
        assert time.monotonic() < deadline, "the server keeps to its old rules"
        time.sleep(0.01)


def _asks(server: postgres.Server) -> bool:
    try:
        psycopg.connect(host=str(server.socket_folder), user=ROLE, dbname="postgres").close()
    except psycopg.OperationalError:
        return True
    return False
