"""Refusals that come before a run is opened: the command line itself was not allowed, and the log is to say so."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from crmctl import clock, policy, workspace
from crmctl.errors import CrmctlError
from crmctl.runs import run as runs
from crmctl.security import actor
from crmctl.store import engine

if TYPE_CHECKING:
    from pathlib import Path

    from crmctl.errors import PermissionMissing


def note(folder: Path, act: str, refusal: PermissionMissing) -> None:
    """Log in the workspace at `folder` that `act` was refused, where the log can be reached; refused it is either way.

    Somebody whom access.yaml does not know is noted as such, for that alone.
    """
    with contextlib.suppress(CrmctlError), contextlib.ExitStack() as stack:
        place = workspace.find(folder)
        policies = policy.load(place.policies)
        base = engine.open_engine(runs.database_url(place), timeout=place.timeout, workspace=place.root)
        stack.callback(base.dispose)
        now = clock.now()
        nobody = actor.stranger(str(place.get("mode")))
        run = runs.identified(runs.Run(act.replace(".", " "), act, nobody, place, policies, base, now, now))
        runs.note_denied(run, refusal)
