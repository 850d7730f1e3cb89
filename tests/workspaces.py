"""Workspaces for tests: made by the real `init`, used through real runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from crmctl import clock
from crmctl.cli.invocation import Invocation
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.setup.init import Request, init


def make(folder: Path, database: str = "", *, demo: bool = False) -> Path:
    """Make a workspace in `folder` on `database` (empty: SQLite inside it) and return it."""
    init(Request(folder, "en", demo, database, ""), clock.now())
    return folder


@contextlib.contextmanager
def running(folder: Path, command: str = "customer import", *, dry_run: bool = False) -> Iterator[Run]:
    """Yield a begun run of `command` in a workspace."""
    call = Invocation(command=command, workspace=folder, dry_run=dry_run)
    with runs.open_run(call, command, command.replace(" ", ".")) as run:
        yield run if dry_run else runs.begin(run)
