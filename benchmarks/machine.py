"""What the figures were measured on: without it a figure says nothing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the machine, the versions and the load at this moment, as name → text."""
    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "crmctl": _package("crmctl") + _commit(),
        "sqlite of crmctl": _crmctl_sqlite(),
        "sqlite3 shell": _first_line(["sqlite3", "--version"]),
        "sqlite-utils": _package("sqlite-utils"),
        "psql": _first_line(["psql", "--version"]),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    return facts | dict(extra or {})


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _crmctl_sqlite() -> str:
    try:
        from pysqlite3 import dbapi2 as sqlite
    except ImportError:
        import sqlite3 as sqlite
    return str(sqlite.sqlite_version)


def _commit() -> str:
    root = Path(__file__).resolve().parents[1]
    commit = _first_line(["git", "-C", str(root), "describe", "--always", "--dirty"])
    return "" if commit.startswith("not") else f" ({commit})"


def _first_line(command: list[str]) -> str:
    """Return the first two words of what a command says of its version."""
    if shutil.which(command[0]) is None:
        return "not installed"
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return "not known"
    words = done.stdout.split()
    return next((word for word in words if word[:1].isdigit()), words[0] if words else "unknown")


def script(name: str) -> Path | None:
    """Return a console script of this environment, or else one found on the path."""
    beside = Path(sys.executable).parent / name
    found = beside if beside.exists() else shutil.which(name)
    return Path(found) if found else None
