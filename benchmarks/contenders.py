"""What the import is measured against, and crmctl itself: how to prepare, run and check each.

Only `argv` is timed. What a contender needs beforehand (a workspace, an empty table) is prepared outside the clock, and
what it wrote is checked outside the clock: a run with wrong counts fails the benchmark, however quick it was.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.machine import script
from benchmarks.measure import Measured
from benchmarks.parties import HEADER
from benchmarks.server import Server

COLUMNS = HEADER.split(",")
COUNTS = ("read", "created", "updated", "unchanged", "duplicate", "rejected", "flagged")
DONE = (0, 3)  # exit codes of an import that finished, without and with rejected rows


class WrongResult(Exception):
    """A contender did not do the work; its time means nothing."""


@dataclass(frozen=True, slots=True)
class Input:
    """One generated file with what it must come to."""

    path: Path
    rows: int
    expected: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Job:
    """One timed command: what it is called in the table, the command, the check of what it did."""

    name: str
    argv: Sequence[str | Path]
    check: Callable[[Measured], dict[str, Any]]
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to get a file into a database; `jobs` prepares a fresh place and yields what is timed there, in order."""

    name: str
    database: str
    jobs: Callable[[Path], Iterator[Job]]


def environment(home: Path) -> dict[str, str]:
    """Return a clean environment, so that nobody's settings are measured."""
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(home), "LANG": "C.UTF-8"}


def _succeeded(run: Measured, codes: Sequence[int] = (0,)) -> None:
    if run.exit_code not in codes:
        raise WrongResult(f"exit {run.exit_code}: {run.stderr.decode(errors='replace')[-2000:]}")


def crmctl(
    source: Input, server: Server | None, *, options: Sequence[str] = (), again: str = "", label: str = "crmctl"
) -> Contender:
    """Return crmctl on SQLite, or on the PostgreSQL `server`; `again` is a mode in which the file comes once more."""
    database = "postgresql" if server else "sqlite"

    def jobs(place: Path) -> Iterator[Job]:
        program = script("crmctl")
        if program is None:
            raise WrongResult("the console script crmctl is not installed")
        env, workspace = environment(place), place / "workspace"
        name = f"bench_{place.name}"
        where = ["--database", server.create(name)] if server else []
        init: list[str | Path] = [program, "init", workspace, "--lang", "en", *where]
        done = subprocess.run(init, env=env, cwd=place, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise WrongResult(f"crmctl init: {done.stderr.decode(errors='replace')[-2000:]}")
        base: list[str | Path] = [program, "-w", workspace, "customer", "import", source.path, "-o", "json"]
        base += [*options, "--mode"]
        try:
            yield Job(label, [*base, "create"], lambda run: _first(run, source) | _sizes(place), env)
            if again:
                yield Job(f"{label}, again, {again}", [*base, again], lambda run: _again(run, source, again), env)
        finally:
            if server:
                server.drop(name)

    return Contender(label, database, jobs)


def _report(run: Measured) -> dict[str, Any]:
    _succeeded(run, DONE)
    report: dict[str, Any] = json.loads(run.stdout)
    return report


def _first(run: Measured, source: Input) -> dict[str, Any]:
    """Compare every count with the generator's: exact, at any size."""
    report = _report(run)
    found = {name: report[name] for name in COUNTS}
    wanted = {name: source.expected[name] for name in COUNTS}
    if found != wanted:
        raise WrongResult(f"counts {found}, expected {wanted}")
    return {"counts": found}


def _again(run: Measured, source: Input, mode: str) -> dict[str, Any]:
    """Check that nothing changed the second time: in `upsert` all are unchanged, in `create` all are duplicates.

    For `upsert` the file must have no duplicates: with them, each updates what the one before it wrote.
    """
    report, wanted = _report(run), source.expected
    known = wanted["created"] + wanted["updated"] + wanted["duplicate"]
    same = "unchanged" if mode == "upsert" else "duplicate"
    if report[same] != known or report["rejected"] != wanted["rejected"]:
        raise WrongResult(f"the same file again came to { ({name: report[name] for name in COUNTS}) }")
    return {"counts": {name: report[name] for name in COUNTS}}


def _sizes(place: Path) -> dict[str, Any]:
    files = (path for path in place.rglob("*") if path.is_file())
    return {"bytes": {path.name: size for path in files if (size := path.stat().st_size) > 100_000}}


def sqlite_shell(source: Input) -> Contender:
    """Return `sqlite3 .import`: every cell as text into one table without an index."""

    def jobs(place: Path) -> Iterator[Job]:
        database = place / "plain.db"
        argv: list[str | Path] = ["sqlite3", database, ".mode csv", f".import '{source.path}' customer"]
        yield Job("sqlite3 .import", argv, lambda run: _stored(run, database, source))

    return Contender("sqlite3 .import", "sqlite", jobs)


def sqlite_utils(source: Input, *options: str) -> Contender:
    """Return `sqlite-utils insert --csv`, as it comes or with `--no-detect-types`."""
    label = " ".join(["sqlite-utils insert --csv", *options])

    def jobs(place: Path) -> Iterator[Job]:
        database = place / "utils.db"
        argv: list[str | Path] = [script("sqlite-utils") or "sqlite-utils", "insert", database, "customer", source.path]
        argv += ["--csv", *options, "--silent"]
        yield Job(label, argv, lambda run: _stored(run, database, source), environment(place))

    return Contender(label, "sqlite", jobs)


def django(source: Input, python: Path) -> Contender:
    """Return django-import-export upserting by mobile, one query and one write a row as it does."""

    def jobs(place: Path) -> Iterator[Job]:
        database = place / "django.db"
        program = Path(__file__).with_name("django_import.py")
        argv = [python, program, source.path, database]
        yield Job("django-import-export", argv, lambda run: _upserted(run, database), environment(place))

    return Contender("django-import-export", "sqlite", jobs)


def copy(source: Input, server: Server) -> Contender:
    """Return psql's `\\copy`: every cell as text into one PostgreSQL table without an index."""

    def jobs(place: Path) -> Iterator[Job]:
        name = f"bench_{place.name}"
        url = server.create(name)
        columns = ", ".join(f"{column} text" for column in COLUMNS)
        _psql(url, f"CREATE TABLE customer ({columns})")
        argv = ["psql", "-X", "-q", "-d", url, "-c", f"\\copy customer from '{source.path}' csv header"]

        def check(run: Measured) -> dict[str, Any]:
            _succeeded(run)
            return _count(int(_psql(url, "SELECT count(*) FROM customer")), source.rows)

        try:
            yield Job("\\copy", argv, check)
        finally:
            server.drop(name)

    return Contender("\\copy", "postgresql", jobs)


def _psql(url: str, statement: str) -> str:
    command = ["psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _stored(run: Measured, database: Path, source: Input) -> dict[str, Any]:
    _succeeded(run)
    connection = sqlite3.connect(database)
    try:
        (rows,) = connection.execute("SELECT count(*) FROM customer").fetchone()
    finally:
        connection.close()
    return _count(rows, source.rows)


def _upserted(run: Measured, database: Path) -> dict[str, Any]:
    _succeeded(run)
    connection = sqlite3.connect(database)
    try:
        (rows,) = connection.execute("SELECT count(*) FROM customer").fetchone()
    finally:
        connection.close()
    if not rows:
        raise WrongResult("nothing was stored")
    return {"counts": {"stored": rows}}


def _count(found: int, wanted: int) -> dict[str, Any]:
    if found != wanted:
        raise WrongResult(f"{found} rows stored, {wanted} in the file")
    return {"counts": {"stored": found}}


def available(name: str, python: Path | None = None) -> str:
    """Return "" when a contender can run here, else what is missing."""
    if name == "django-import-export":
        probe = [str(python or sys.executable), "-c", "import django, import_export, tablib"]
        found = subprocess.run(probe, capture_output=True, check=False).returncode == 0
        return "" if found else "django-import-export is not installed (pip install django-import-export)"
    if name.startswith("sqlite-utils"):
        return "" if script("sqlite-utils") else "sqlite-utils is not installed (pip install sqlite-utils)"
    program = {"sqlite3 .import": "sqlite3", "\\copy": "psql"}[name]
    return "" if shutil.which(program) else f"the program {program} is not installed"
