"""A consistent dump of a PostgreSQL database by pg_dump, and its way back by pg_restore, both streamed.

The rows are counted in the transaction whose picture pg_dump takes, so that the manifest says what the dump holds. The
programs have to be of the server's major version or newer; the nearest is taken, for an older server reads its dump.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from sqlalchemy import DDL, Connection, Engine, func, make_url, select, text

from crmctl.errors import CrmctlError, Refused, StorageFailed
from crmctl.files import OWNER_FILE
from crmctl.i18n import _
from crmctl.log import scrub
from crmctl.store import schema
from crmctl.store.engine import read, timeout_of, write
from crmctl.store.failures import translated

_PLACES = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin", "opt/homebrew/opt/libpq/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_PATIENCE = 10  # seconds for a program to say its version, or to end once its work is done


def tool(name: str, server: int) -> Path:
    """Return the program `name` of the major version `server` or the nearest newer one.

    Raises Refused, naming what to install, where there is none.
    """
    known = {version: path for path in _candidates(name) if (version := _version(path)) is not None}
    fit = [version for version in known if version >= server]
    if fit:
        return known[min(fit)]
    here = ", ".join(map(str, sorted(known))) or "-"
    raise Refused(
        _("{program} of PostgreSQL {server} or newer is needed; found here: {found}").format(
            program=name, server=server, found=here
        ),
        hint=_("install it: apt-get install postgresql-client-{server}").format(server=server),
        code="PG_TOOL_MISSING",
    )


def _candidates(name: str) -> Iterator[Path]:
    """Yield where the program may be, the one on PATH last: of two of a version it is the one that is taken."""
    for pattern in _PLACES:
        yield from sorted(Path("/").glob(f"{pattern}/{name}"))
    found = shutil.which(name)
    if found:
        yield Path(found)


def _version(path: Path) -> int | None:
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        asked = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, timeout=_PATIENCE, check=True, stdin=subprocess.DEVNULL
        )
        said = _VERSION.search(asked.stdout)
        return int(said[1]) if said else None
    return None


@contextlib.contextmanager
def dumping(engine: Engine, empty: Collection[str]) -> Iterator[tuple[Connection, BinaryIO]]:
    """Yield a connection and the stream of a dump, both of the same moment; the tables in `empty` come without rows.

    Read the stream to its end. Raises Refused without a fitting pg_dump, StorageFailed where it fails.
    """
    with read(engine) as conn:
        program = tool("pg_dump", _major(conn))
        moment = conn.execute(select(func.pg_export_snapshot())).scalar_one()
        words = [program, "--format=custom", f"--snapshot={moment}", "--no-owner", "--no-privileges"]
        words += [f"--exclude-table-data={_schema(conn)}.{name}" for name in empty]
        with _started(engine, words, stdout=subprocess.PIPE) as child:
            yield conn, cast("BinaryIO", child.stdout)


def _schema(conn: Connection) -> str:
    return str(conn.execute(select(func.current_schema())).scalar_one())


def _major(conn: Connection) -> int:
    return int(conn.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def require_empty(engine: Engine) -> None:
    """Raise Refused unless the database holds nothing yet: a restore never overwrites."""
    with read(engine) as conn:
        relations = text(
            "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')"
            " AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'"
        )
        if conn.execute(relations).scalar_one():
            raise Refused(
                _("the database is not empty; nothing was restored"),
                hint=_("make a new one (createdb) and give its URL: a restore never overwrites"),
                code="DATABASE_NOT_EMPTY",
            )


@contextlib.contextmanager
def loading(engine: Engine) -> Iterator[BinaryIO]:
    """Yield a stream that a dump is written to; one transaction, so that half a dump leaves nothing.

    Raises Refused without a fitting pg_restore, StorageFailed where it fails.
    """
    with read(engine) as conn:
        program = tool("pg_restore", _major(conn))
    words = [program, "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    with _started(engine, words, stdin=subprocess.PIPE) as child:
        yield cast("BinaryIO", child.stdin)


def clear(engine: Engine) -> None:
    """Remove what a restore put into a database that was empty, after it failed."""
    with contextlib.suppress(CrmctlError), write(engine) as conn:
        schema.load_all().drop_all(conn)
        conn.execute(text("DROP TABLE IF EXISTS alembic_version"))


def _address(engine: Engine) -> str:
    """Return the database as libpq takes it, without its password: process lists show it."""
    url = make_url(engine.url).set(drivername="postgresql", password=None)
    return url.render_as_string(hide_password=False)


@contextlib.contextmanager
def _started(
    engine: Engine, words: list[Any], stdin: int | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of the programs while the block speaks with it; ended with it, whatever happens."""
    words = [*words, f"--dbname={_address(engine)}"]
    with tempfile.TemporaryDirectory(prefix="crmctl-") as folder, tempfile.TemporaryFile() as complaints:
        environment = {**os.environ, "PGPASSFILE": str(_password_file(Path(folder), engine)), "LC_ALL": "C"}
        child = subprocess.Popen(words, stdin=stdin, stdout=stdout, stderr=complaints, env=environment)  # noqa: S603
        try:
            with contextlib.suppress(BrokenPipeError):  # the program's own failure is to be told, not that it is gone
                yield child
                _close(child)
            if child.wait() != 0:
                complaints.seek(0)
                raise _failed(Path(str(words[0])).name, complaints.read(4096))
        finally:
            if child.poll() is None:
                child.kill()
                child.wait(_PATIENCE)
            with contextlib.suppress(OSError):
                _close(child)


def _close(child: subprocess.Popen[bytes]) -> None:
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            stream.close()


def _password_file(folder: Path, engine: Engine) -> Path:
    path = folder / "pgpass"
    password = "" if engine.url.password is None else str(engine.url.password)
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_FILE), "w", encoding="utf-8") as stream:
        stream.write(f"*:*:*:*:{escaped}\n" if escaped else "")
    return path


def _failed(program: str, said: bytes) -> StorageFailed:
    return StorageFailed(
        _("{program} failed: {reason}").format(program=program, reason=scrub(said.decode("utf-8", "replace"))),
        hint=_("see that the server is there, and that this login may read and write all of the database"),
        code="PG_TOOL_FAILED",
    )


@contextlib.contextmanager
def temporary(engine: Engine, name: str) -> Iterator[str]:
    """Yield the URL of a new database of that name on the engine's server, gone afterwards.

    Raises what the server says: whoever asks has to be allowed to make databases.
    """
    make = _statement("CREATE DATABASE %(name)s TEMPLATE template0 ENCODING 'UTF8'", name)
    remove = _statement("DROP DATABASE IF EXISTS %(name)s WITH (FORCE)", name)
    outside = engine.execution_options(isolation_level="AUTOCOMMIT")
    with translated(engine.url, timeout_of(engine)), outside.connect() as conn:
        conn.execute(remove)
        conn.execute(make)
    try:
        yield engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        with translated(engine.url, timeout_of(engine)), outside.connect() as conn:
            conn.execute(remove)


def _statement(form: str, name: str) -> DDL:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError("not the name of a database")
    return DDL(form, context={"name": name})  # type: ignore[no-untyped-call]
