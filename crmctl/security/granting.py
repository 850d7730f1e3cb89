"""What a change of access.yaml gives and takes: whose roles, which rights of a role (ACC-08). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from pydantic import ValidationError

from crmctl.policy.loader import read_fields
from crmctl.policy.problems import Report
from crmctl.security.access import AccessSettings, Approval, Job, Person, Role

KIND = "access"
_OF_PERSON = ("uids", "pg", "staff", "org_unit", "confidentiality_signed", "training_passed", "until")
_OF_ROLE = ("scope", "fields", "limits")
_OF_JOB = ("as_role", "needs_plan", "pg")
_OF_APPROVAL = ("by", "posts", "people", "over_rows", "assurance", "expires", "on_drift")
_WHOLE = (
    "confidentiality_required", "training_required", "require_auid_match", "fold_denials", "conflicts", "deputies",
    "allowed_signers",
)  # fmt: skip


class Change(NamedTuple):
    """One thing that changed: a person, or the object (`role:steward`); what it got and lost, and what else differs.

    A person gets roles, a role gets acts (`batch.all` for batch.*, `deny.` before what it is denied).
    """

    person: str = ""
    object: str = ""
    granted: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing changed."""
        return not (self.granted or self.revoked or self.fields)


def settings_in(files: Mapping[str, str]) -> AccessSettings | None:
    """Return the access settings among recorded policy files; None when this program cannot read them."""
    for name, text in sorted(files.items()):
        found = read_fields(text.encode("utf-8"), Report(name))
        if found is None or found[1].get("kind") != KIND or found[1].get("scope"):
            continue
        try:
            return AccessSettings.model_validate(found[1].get("settings"))
        except ValidationError:
            return None
    return None


def changes(before: AccessSettings | None, after: AccessSettings) -> Iterator[Change]:
    """Yield what differs, people first; everything is new where `before` is None."""
    old = before or AccessSettings()
    parts = (
        *(_person(name, old, after) for name in _names(old.people, after.people)),
        *(_role(name, old.roles.get(name), after.roles.get(name)) for name in _names(old.roles, after.roles)),
        *(_job(name, old.jobs.get(name), after.jobs.get(name)) for name in _names(old.jobs, after.jobs)),
        *(
            _approval(name, old.approvals.get(name), after.approvals.get(name))
            for name in _names(old.approvals, after.approvals)
        ),
        Change(object="access:settings", fields=_differing(old, after, _WHOLE)),
    )
    yield from (change for change in parts if not change.empty)


def _names(old: Iterable[str], new: Iterable[str]) -> list[str]:
    return sorted({*old, *new})


def _person(name: str, old: AccessSettings, new: AccessSettings) -> Change:
    was, now = old.people.get(name), new.people.get(name)
    gained, lost = _moved(was.roles if was else (), now.roles if now else ())
    fields = list(_differing(was or Person(), now or Person(), _OF_PERSON))
    if (old.alone == name) != (new.alone == name):
        fields.append("alone")  # the only person holds every role
    if (was is None) != (now is None):
        fields.append("person")
    return Change(name, "", gained, lost, tuple(fields))


def _role(name: str, was: Role | None, now: Role | None) -> Change:
    gained, lost = _moved(_acts(was), _acts(now))
    fields = _differing(was or Role(), now or Role(), _OF_ROLE)
    return Change("", f"role:{name}", gained, lost, fields)


def _acts(role: Role | None) -> tuple[str, ...]:
    if role is None:
        return ()
    return (*map(_told, role.can), *(f"deny.{_told(act)}" for act in role.deny))


def _job(name: str, was: Job | None, now: Job | None) -> Change:
    nothing = Job(can=())
    gained, lost = _moved(map(_told, (was or nothing).can), map(_told, (now or nothing).can))
    return Change("", f"job:{name}", gained, lost, _differing(was or nothing, now or nothing, _OF_JOB))


def _approval(act: str, was: Approval | None, now: Approval | None) -> Change:
    nobody = Approval(by=())
    told = ("approval",) if (was is None) != (now is None) else ()
    fields = _differing(was or nobody, now or nobody, _OF_APPROVAL)
    return Change("", f"approvals:{_told(act)}", (), (), (*fields, *told))


def _told(act: str) -> str:
    """Return an act or `noun.*` in the form that entries of the log admit."""
    return f"{act[:-1]}all" if act.endswith(".*") else act


def _moved(was: Iterable[str], now: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    old, new = set(was), set(now)
    return tuple(sorted(new - old)), tuple(sorted(old - new))


def _differing(was: object, now: object, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name for name in names if getattr(was, name) != getattr(now, name))
