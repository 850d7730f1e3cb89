"""Broker mode's doors: the front, which runs as the caller, and the service account's side of it (design §6).

    caller                                        service account
    parses, opens the caller's files     ──►      takes the command line and the open files from the socket
    sudo -n -u SERVICE python -I -m crmctl        checks who calls, cleans up, runs the command
    gives written files their names      ◄──      says which files are whole

A file of root's in /etc/crmctl says which workspace belongs to which service account. Where there is none, nothing
here is loaded.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmctl.front.caller import Front
    from crmctl.front.service import Service

FOLDER = "/etc/crmctl"
BEHIND_FRONT = "--behind-front"  # the whole command line of the service account's side


def door(arguments: Sequence[str], named: str) -> Front | Service | None:
    """Return how this process stands to the workspace: None where it is nobody's service.

    `named` is the workspace's folder as the caller names it, or ''. Raises PermissionMissing where the service account
    is asked for what it must not do, InvalidInput for a registration that cannot be trusted.
    """
    if not os.path.isdir(FOLDER):  # noqa: PTH112 - pathlib costs 4 ms at start
        return None
    from crmctl.front import registry

    entries = registry.read(FOLDER)
    mine = [entry for entry in entries if entry.uid == os.geteuid()]
    if mine or list(arguments) == [BEHIND_FRONT]:
        from crmctl.front import service

        return service.enter(mine, arguments, named)
    entry = registry.find(entries, named)
    if entry is None:
        return None
    from crmctl.front.caller import Front

    return Front(entry, tuple(arguments))
