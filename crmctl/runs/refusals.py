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
    from crmctl.cli.options import Invocation
    from crmctl.errors import PermissionMissing


def note(call: Invocation, refusal: PermissionMissing) -> None:
    """Log that `call` was refused, where the log can be reached; it is refused either way.

    Somebody whom access.yaml does not know is noted as such, for that alone.
    """
    with contextlib.suppress(CrmctlError), contextlib.ExitStack() as stack:
        place = workspace.called(call)
        policies = policy.load(place.policies)
        base = engine.open_engine(runs.database_url(place), timeout=place.timeout, workspace=place.root)
        stack.callback(base.dispose)
        now = clock.now()
        nobody = actor.stranger(str(place.get("mode")))
        act = call.command.replace(" ", ".")
        runs.note_denied(runs.identified(runs.Run(call.command, act, nobody, place, policies, base, now, now)), refusal)
