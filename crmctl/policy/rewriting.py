"""Rewriting one policy file from a command: permitted, the whole set checked before, in the log, never half-written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.errors import DatabaseMissing, Refused
from crmctl.i18n import _
from crmctl.policy.checking import check_files
from crmctl.policy.loader import invalid
from crmctl.policy.policyset import PolicySet
from crmctl.policy.problems import Report

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.runs.run import Run
    from crmctl.workspace import Workspace

LOCK = "policy-answer"  # one at a time, whichever file


@dataclass(frozen=True)
class Ground:
    """Where a file is rewritten, and the policies as they are; no run where no database can be used."""

    place: Workspace
    policies: PolicySet
    run: Run | None


@dataclass(frozen=True)
class Rewritten:
    """The policies with the new file in them, checked; `data` is the new file `path`. Nothing is written yet."""

    policies: PolicySet
    path: str
    data: bytes
    number: int  # of values that changed
    names: tuple[str, ...]  # what changed, for the log: codes, never values
    counts: Mapping[str, int]
    obj: str = ""
    exit_code: int = 0


def rechecked(policies: PolicySet, path: str, data: bytes, what: str) -> PolicySet:
    """Return the policies with other bytes in one file. Raises PolicyInvalid with every problem they then have."""
    files = {**policies.files, path: data}
    checked = check_files(files, {name: Report(name) for name in files}, Report(""))
    if checked.policies is None:
        raise invalid([problem for problem in checked.problems if not problem.warning], what)
    return checked.policies


@contextlib.contextmanager
def allowed(call: Invocation, command: str, act: str) -> Iterator[Ground]:
    """Yield where to rewrite for somebody who may. Raises PermissionMissing, also where there is no database."""
    from crmctl import clock, policy, workspace
    from crmctl.runs import run as runs
    from crmctl.security import actor, permissions

    with contextlib.ExitStack() as stack:
        try:
            run = stack.enter_context(runs.open_run(call, command, act, lock=LOCK))
        except DatabaseMissing:
            place = workspace.called(call)
            policies = policy.load(place.policies)
            access = runs.access_of(policies)
            who = actor.current(access, mode=str(place.get("mode")), service_uid=place.get("service_uid"))
            permissions.require(who, access, act, on=runs.today(policies, clock.now()))
            yield Ground(place, policies, None)
            return
        yield Ground(run.workspace, run.policies, run)


def write(call: Invocation, ground: Ground, new: Rewritten) -> int | None:
    """Write the file and, in one transaction with it, the run and its entry; a failed commit puts the file back.

    Returns the run's number; None, with a warning, where no database can be used.
    """
    path = (ground.place.policies / new.path).resolve()
    old = ground.policies.files[new.path]
    if ground.run is None:
        _replace(path, old, new.data)
        call.warn(_("without a database at this revision the change of {path} is not in the log").format(path=new.path))
        return None
    from crmctl.audit import entries
    from crmctl.runs import run as runs
    from crmctl.store import engine

    run = runs.begin(ground.run)
    with runs.recorded_failure(run):
        written = False
        try:
            with engine.write(run.engine) as conn:
                runs.keep_policy_text(conn, new.policies, run.at)
                runs.finish(conn, run, "done", new.exit_code, dict(new.counts))
                decided = replace(run, policies=new.policies)
                fields = list(new.names[: entries.MAX_ITEMS])
                entries.append(conn, decided.entry("done", n=new.number, fields=fields, obj=new.obj))
                _replace(path, old, new.data)
                written = True
        except BaseException:
            if written:
                _replace(path, new.data, old)
            raise
    return run.run_id


def _replace(path: Path, old: bytes, new: bytes) -> None:
    """Replace a policy file that is still as it was read, keeping its mode. Raises Refused where it is not."""
    from crmctl.files import atomic_output

    if path.read_bytes() != old:
        raise Refused(_("{path}: was changed meanwhile").format(path=path), hint=_("run it again"), code="FILE_CHANGED")
    with atomic_output(path, replace=True, mode=path.stat().st_mode & 0o777) as stream:
        stream.write(new)
