"""Who is acting: the kernel's uid, mapped to a person by access.yaml. Never USER, LOGNAME or loginuid (design §6).

    direct   the person's own account and files
    broker   a service account; sudo, which resets the environment, says in SUDO_UID for whom; without it, the job
             that `--job` names, with the rights access.yaml gives to jobs of this name
    server   as the two above, and PostgreSQL's session_user must be the same person (`confirm_session`)

What anybody can set is kept as evidence for the log and decides nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.i18n import _
from crmctl.process import behalf

if TYPE_CHECKING:
    from crmctl.security.access import AccessSettings

MODES = ("direct", "broker", "server")
UNKNOWN = "unknown"  # in place of a person's name; no person of access.yaml may be called so
_UNSET = 2**32 - 1  # loginuid of a process that nobody logged in for
_MOST_UID = 2**32 - 2


@dataclass(frozen=True, slots=True)
class Actor:
    """A person (or a job) at work. `via` is direct, sudo or job; `alone`: the only person, who holds all roles."""

    person: str
    uid: int
    via: str
    roles: tuple[str, ...]
    evidence: Mapping[str, int | str] = field(default_factory=dict)
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Process:
    """What the kernel and the environment say about this process."""

    uids: tuple[int, int, int]
    sudo_uid: str
    login_uid: int | None
    terminal: str

    @classmethod
    def here(cls) -> Process:
        """Return the running process."""
        return cls(os.getresuid(), os.environ.get("SUDO_UID", ""), _login_uid(), _terminal())

    def evidence(self) -> dict[str, int | str]:
        """Return what the log notes and nobody believes."""
        noted: dict[str, int | str] = {}
        if self.login_uid is not None:
            noted["loginuid"] = self.login_uid
        if self.sudo_uid.isascii() and self.sudo_uid.isdigit() and int(self.sudo_uid) <= _MOST_UID:
            noted["sudo_uid"] = int(self.sudo_uid)
        if self.terminal:
            noted["tty"] = self.terminal
        return noted


def current(
    access: AccessSettings,
    mode: str = "direct",
    *,
    service_uid: int | None = None,
    job: str | None = None,
    process: Process | None = None,
) -> Actor:
    """Return who acts in this process; `service_uid` is broker mode's account, `job` the name cron runs under.

    Without `job` it is the one of `--job`. Raises PermissionMissing when the uids differ (a set-uid program), belong
    to nobody in access.yaml, or when broker mode runs outside its account; InvalidInput for an unknown mode.
    """
    if mode not in MODES:
        raise InvalidInput(
            _("mode: {mode} is not one of {modes}").format(mode=mode, modes=", ".join(MODES)),
            hint=_("correct `mode` in crmctl.yaml"),
            code="MODE_UNKNOWN",
        )
    process = process or Process.here()
    real, effective, saved = process.uids
    if not real == effective == saved:
        raise PermissionMissing(
            _("real, effective and saved uid differ: crmctl never runs set-uid"),
            hint=_("remove the set-uid bit; use sudo"),
            code="UIDS_DIFFER",
        )
    job = behalf().job or None if job is None else job
    if mode == "broker" or (mode == "server" and service_uid is not None):
        return _behind_service(access, process, service_uid, job)
    if behalf().service:  # else everybody behind the account would be the one person whom access.yaml gives its uid
        raise PermissionMissing(
            _("this account is a service account, and crmctl.yaml says mode: {mode}").format(mode=mode),
            hint=_("set mode: broker and service_uid there, or take the workspace out of /etc/crmctl"),
            code="MODE_NOT_BROKER",
        )
    if job is not None:
        raise PermissionMissing(
            _("job {job}: jobs have an identity of their own only behind a service account").format(job=job),
            hint=_("run it as the person who answers for it"),
            code="JOB_NEEDS_SERVICE",
        )
    return _person(access, effective, "direct", process, alone=mode == "direct")


def stranger(mode: str = "direct", process: Process | None = None) -> Actor:
    """Return what the log can say of somebody whom `current` refuses: the uid, under a name that is nobody's."""
    process = process or Process.here()
    noted = process.evidence()
    claimed = noted.get("sudo_uid") if mode != "direct" else None
    if isinstance(claimed, int):
        return Actor(UNKNOWN, claimed, "sudo", (), noted)
    return Actor(UNKNOWN, process.uids[1], "direct", (), noted)


def confirm_session(
    access: AccessSettings, actor: Actor, session_user: str, *, bypasses_policies: bool = False
) -> Actor:
    """Return `actor` when PostgreSQL's `session_user` is the same person (server mode).

    `bypasses_policies` is rolsuper or rolbypassrls of that role. Raises PermissionMissing otherwise.
    """
    if bypasses_policies:
        raise PermissionMissing(
            _("database role {role}: passes over all row policies").format(role=session_user),
            hint=_("connect with an ordinary role"),
            code="DATABASE_ROLE_TOO_STRONG",
        )
    if access.person_of_role(session_user) != actor.person:
        raise PermissionMissing(
            _("database role {role}: is not {person}'s").format(role=session_user, person=actor.person),
            hint=_("policies/access.yaml lists a person's database roles under `pg`"),
            code="DATABASE_ROLE_OF_ANOTHER",
        )
    return actor


def _behind_service(access: AccessSettings, process: Process, service_uid: int | None, job: str | None) -> Actor:
    effective = process.uids[1]
    if service_uid is None or effective != service_uid:
        raise PermissionMissing(
            _("this workspace works through its service account; uid {uid} is not it").format(uid=effective),
            hint=_("run it through sudo as the service account"),
            code="NOT_THE_SERVICE",
        )
    if process.sudo_uid:
        claimed = process.evidence().get("sudo_uid")
        if not isinstance(claimed, int):
            raise PermissionMissing(_("SUDO_UID: not a uid"), hint=_("run it through sudo"), code="SUDO_UID_INVALID")
        if job is not None:
            raise PermissionMissing(
                _("job {job}: a person does not act as a job").format(job=job),
                hint=_("leave --job out; cron of the service account runs jobs"),
                code="JOB_BY_PERSON",
            )
        return _person(access, claimed, "sudo", process, alone=False)
    entry = access.jobs.get(job or "")
    if job is None or entry is None:
        raise PermissionMissing(
            _("nobody is known to act: neither a person through sudo nor a job of access.yaml"),
            hint=_("jobs: {names}").format(names=", ".join(sorted(access.jobs)) or "-"),
            code="ACTOR_UNKNOWN",
        )
    roles = (entry.as_role,) if entry.as_role else ()
    return Actor(f"job:{job}", effective, "job", roles, process.evidence())


def _person(access: AccessSettings, uid: int, via: str, process: Process, *, alone: bool) -> Actor:
    name = access.person_of(uid)
    if name is None:
        raise PermissionMissing(
            _("uid {uid}: nobody in policies/access.yaml").format(uid=uid),
            hint=_("run as yourself, not as root")
            if uid == 0
            else _("ask the administrator to add uid {uid} to a person there").format(uid=uid),
            code="ACTOR_UNKNOWN",
        )
    login = process.login_uid
    if access.require_auid_match and login is not None and access.person_of(login) != name:
        raise PermissionMissing(
            _("uid {uid}: logged in as uid {login}, which is another person").format(uid=uid, login=login),
            hint=_("log in as yourself"),
            code="LOGIN_DIFFERS",
        )
    only = alone and access.alone == name
    roles = tuple(access.roles) if only else access.people[name].roles
    return Actor(name, uid, via, roles, process.evidence(), only)


def _login_uid() -> int | None:
    try:
        text = Path("/proc/self/loginuid").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
    return int(text) if text.strip().isdigit() and int(text) != _UNSET else None


def _terminal() -> str:
    for descriptor in (0, 1, 2):
        try:
            return os.ttyname(descriptor)
        except OSError:
            continue
    return ""
