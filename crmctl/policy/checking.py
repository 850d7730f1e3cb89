"""From a folder of policy files to a `PolicySet`, or to the list of everything that is wrong with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from crmctl.errors import IntegrityFailed
from crmctl.i18n import _, reason
from crmctl.policy.binding import bind
from crmctl.policy.company import CompanySettings
from crmctl.policy.crosscheck import crosscheck
from crmctl.policy.header import Header
from crmctl.policy.kinds import BY_NAME
from crmctl.policy.loader import invalid, read_bytes, read_fields
from crmctl.policy.model import Settings
from crmctl.policy.nodes import Fields, Marks
from crmctl.policy.policyset import Policy, PolicySet, hash_files
from crmctl.policy.problems import START, Problem, Report
from crmctl.policy.scalars import Plain

SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking found: every problem in the order of the files, and the set unless there are errors."""

    problems: tuple[Problem, ...]
    policies: PolicySet | None
    count: int = 0  # files looked at


def load(folder: Path, at: datetime | None = None) -> PolicySet:
    """Return the policies of a folder. Raises PolicyInvalid with every problem of every file."""
    checked = check(folder, at)
    if checked.policies is None:
        raise invalid(checked.problems, str(folder))
    return checked.policies


def from_text(text: str, policy_hash: str = "") -> PolicySet:
    """Return the set whose `text()` was recorded, for what was decided under it.

    Raises IntegrityFailed when its hash is not `policy_hash` (where given), PolicyInvalid when this version of the
    program does not understand it any more.
    """
    try:
        files = {str(name): str(inside).encode("utf-8") for name, inside in json.loads(text).items()}
    except (ValueError, AttributeError):  # no JSON, or no object
        files = {}
    if not files or policy_hash not in ("", hash_files(files)):
        raise IntegrityFailed(
            _("the recorded policies are not those that were in force: their hash differs"),
            hint=_("the record was changed; see: crmctl audit verify"),
            code="POLICY_RECORD_BROKEN",
            details={"policy_hash": policy_hash},
        )
    checked = check_files(files, {name: Report(name) for name in files}, Report(""))
    if checked.policies is None:
        raise invalid(checked.problems, _("policies {hash}").format(hash=hash_files(files)[:12]))
    return checked.policies


def check(folder: Path, at: datetime | None = None) -> Checked:
    """Check every policy file of a folder in one pass; `at` decides which exceptions have expired."""
    report = Report(str(folder))
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError as error:
        report.add(START, "P100", _("cannot be read: {reason}").format(reason=reason(error)))
        return Checked(tuple(report.problems), None)
    reports, files = {}, {}
    for name in names:
        if name.endswith(".yml"):
            wrong = reports[name] = Report(str(folder / name))
            wrong.add(START, "P115", _("would not be read"), _("name it …{suffix}").format(suffix=SUFFIX))
        elif name.endswith(SUFFIX) and not name.startswith((".", "_")):
            reports[name] = Report(str(folder / name))
            data = read_bytes(folder / name, reports[name])
            if data is not None:
                files[name] = data
    return check_files(files, reports, report, at)


def check_files(
    files: Mapping[str, bytes],
    reports: Mapping[str, Report],
    whole: Report,
    at: datetime | None = None,
    *,
    alone: bool = False,
) -> Checked:
    """Check files given as bytes, into their reports; `whole` gets what concerns none of them.

    `alone`: the files are not a whole set, so that what they refer to may lie elsewhere.
    """
    policies = []
    for name, data in files.items():
        policy = _sound(name, data) or _policy(name, data, reports[name])
        if policy is not None:
            policies.append(policy)
    broken = {_kind_of(name) for name, report in reports.items() if report.errors}
    crosscheck(policies, reports, whole, broken, _day(policies, at), alone=alone)
    problems = [*whole.problems]
    for report in reports.values():
        problems += sorted(report.problems, key=lambda problem: (problem.line, problem.column))
    errors = any(not problem.warning for problem in problems)
    return Checked(tuple(problems), None if errors else PolicySet(tuple(policies), dict(files)), len(reports))


def _day(policies: Sequence[Policy], at: datetime | None) -> date | None:
    """Return the day it is at `at` where the company is."""
    zones = [policy.settings.timezone for policy in policies if isinstance(policy.settings, CompanySettings)]
    return at.astimezone(ZoneInfo(zones[0]) if zones else UTC).date() if at else None


def _kind_of(name: str) -> str:
    return name.removesuffix(SUFFIX).partition(".")[0]


@lru_cache(maxsize=64)
def _sound(name: str, data: bytes) -> Policy | None:
    """Return the policy of a file with nothing to note about it; the same bytes are understood once in a process."""
    report = Report(name)
    policy = _policy(name, data, report)
    return None if report.problems else policy


def _policy(name: str, data: bytes, report: Report) -> Policy | None:
    found = read_fields(data, report)
    if found is None:
        return None
    root, plain = found
    header = bind(Header, root, plain, report)
    kind = _settle_kind(name, root, plain, report)
    settings: Settings | None = None
    if kind is not None and "settings" in root.entries:
        entry = root.entries["settings"]
        settings = bind(BY_NAME[kind].model(), entry.value, plain["settings"], report, ("settings",))
    if header is None or settings is None:
        return None
    _check_name(name, header, root, report)
    return Policy(
        kind=header.kind,
        name=header.name or _given_name(name) or header.kind,
        version=header.version,
        owner=header.owner,
        description=header.description,
        scope=header.scope,
        effective=header.effective,
        mode=header.mode,
        limits=header.limits,
        exceptions=header.exceptions,
        settings=settings,
        path=name,
        hash=hashlib.sha256(data).hexdigest(),
        marks=Marks(root),
    )


def _settle_kind(name: str, root: Fields, plain: Mapping[str, Plain], report: Report) -> str | None:
    """Return the kind whose settings these are: the header's, else the file name's, so that all can be checked."""
    said, named = plain.get("kind"), _kind_of(name)
    if isinstance(said, str) and said in BY_NAME:
        if said != named:
            hint = _("name the file {kind}.yaml or {kind}.NAME.yaml").format(kind=said)
            message = _("kind {kind} in a file named {name}").format(kind=said, name=name)
            report.add(root.entries["kind"].value.mark, "P115", message, hint)
        return said
    return named if named in BY_NAME else None


def _given_name(name: str) -> str:
    return name.removesuffix(SUFFIX).partition(".")[2]


def _check_name(name: str, header: Header, root: Fields, report: Report) -> None:
    given = _given_name(name)
    if given and header.name and given != header.name:
        message = _("name {name} in a file named {file}").format(name=header.name, file=name)
        hint = _("name the file {kind}.{name}.yaml").format(kind=header.kind, name=header.name)
        report.add(root.entries["name"].value.mark, "P115", message, hint)
