"""Settings of policy kind `access`: who the people are, what their roles allow, which jobs and approvals there are.

Deny wins. A grant ends in `.*` at most after a noun and never grants a reveal: that is named in full (ACC-03). People
whose undertaking or training is missing may do nothing (ACC-05, TRN-01).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema

from crmctl.i18n import N_, _
from crmctl.policy.model import Between, Code, Day, Finding, Labels, Lookup, Many, Settings, Sources, Wrong
from crmctl.security.actor import UNKNOWN

Sensitivity = Literal["open", "internal", "personal", "sensitive"]
Scope = Literal["own", "org_unit", "all"]
Assurance = Literal["recorded", "authenticated", "signed"]

NEVER_BY_WILDCARD = "reveal"
_ACT = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)*\Z")
_PERSON = re.compile(r"\w[\w.@-]{0,63}\Z")
_LIMIT = re.compile(r"[1-9][0-9]{0,6}/day\Z")
_MINUTES = re.compile(r"(1 minute|([2-9]|[1-9][0-9]) minutes)\Z")
_WITHIN = re.compile(r"[1-9][0-9]{0,3} (hour|hours|day|days)\Z")


def _act(text: str) -> str:
    if not _ACT.match(text.removesuffix(".*")):
        raise Wrong(_("an act is wanted"), _("noun.verb as in customer.import, or noun.* for all of a noun"))
    return text


def _grant(text: str) -> str:
    if _act(text).endswith(f".{NEVER_BY_WILDCARD}.*"):
        raise Wrong(_("a reveal is granted by name, not by *"), _("write customer.reveal"))
    return text


def _person(text: str) -> str:
    if not _PERSON.match(text):
        raise Wrong(_("a person's name is wanted"), _("letters, digits, . _ @ and -, at most 64"))
    if text == UNKNOWN:
        raise Wrong(
            _("nobody may be called {name}").format(name=text), _("in the log it means somebody who is not listed here")
        )
    return text


def _limit(text: str) -> str:
    if not _LIMIT.match(text):
        raise Wrong(_("a limit is wanted"), _("a number a day: 50/day"))
    return text


def _within(text: str) -> str:
    if not _WITHIN.match(text):
        raise Wrong(_("a period is wanted"), _("as in 24 hours or 3 days"))
    return text


def _minutes(text: str) -> str:
    if not _MINUTES.match(text):
        raise Wrong(_("a period is wanted"), _("from 1 minute to 99 minutes"))
    return text


_TEXT = WithJsonSchema({"type": "string"})
Act = Annotated[str, StringConstraints(max_length=80), AfterValidator(_act), _TEXT]
Grant = Annotated[str, StringConstraints(max_length=80), AfterValidator(_grant), _TEXT]
PersonName = Annotated[str, AfterValidator(_person), _TEXT]
Limit = Annotated[str, AfterValidator(_limit), WithJsonSchema({"type": "string", "pattern": r"^[1-9][0-9]*/day$"})]
Within = Annotated[str, AfterValidator(_within), _TEXT]
Minutes = Annotated[str, AfterValidator(_minutes), _TEXT]
Uid = Annotated[int, Field(ge=0, le=2**32 - 2)]
AbsoluteOrOwn = Annotated[str, StringConstraints(min_length=1, max_length=1024)]  # a path; else in the workspace
StaffNumber = Annotated[str, StringConstraints(min_length=1, max_length=64)]
DatabaseRole = Annotated[str, StringConstraints(min_length=1, max_length=63)]


class Person(Settings):
    """One human being, however many accounts: one pair of eyes."""

    uids: Many[Uid] = Field((), description=N_("accounts on this machine, as `id -u` shows them"))
    pg: Many[DatabaseRole] = Field((), description=N_("login roles on PostgreSQL"))
    roles: Many[Code] = Field((), description=N_("what the person is, of the roles below"))
    staff: StaffNumber | None = Field(None, description=N_("staff number (工号); without it, whose uids are there"))
    org_unit: str | None = Field(None, description=N_("所属机构, for roles with scope org_unit"))
    confidentiality_signed: Day | None = Field(None, description=N_("day the undertaking was signed; none, no access"))
    training_passed: Day | None = Field(None, description=N_("day the training before the post was passed"))
    until: Day | None = Field(None, description=N_("last day of access"))


class FieldRights(Settings):
    """What a role sees of fields, by their sensitivity in customers.yaml; what is not listed is not shown."""

    view: Many[Sensitivity] = Field((), description=N_("shown in full"))
    mask: Many[Sensitivity] = Field((), description=N_("shown masked"))
    export: Many[Sensitivity] = Field((), description=N_("may leave in a file"))


class Role(Settings):
    """What people of a role may do, and to which customers."""

    labels: Labels | None = None
    can: Many[Grant] = Field((), description=N_("acts, as in customer.import or batch.*"))
    deny: Many[Act] = Field((), description=N_("acts refused whatever another role grants"))
    scope: Scope = Field("all", description=N_("own customers, those of the org unit, or all"))
    fields: FieldRights = Field(FieldRights(), description=N_("what is shown, by sensitivity"))
    limits: Mapping[Act, Limit] = Field({}, description=N_("how often a day, as in customer.reveal: 50/day"))
    source: Sources = ()


class Job(Settings):
    """What cron may do under a name; nothing else."""

    can: Many[Grant]
    as_role: Code | None = Field(None, description=N_("role whose scope and fields the job has"))
    needs_plan: bool = Field(False, description=N_("executes approved plans only, never makes one"))
    pg: Many[DatabaseRole] = Field((), description=N_("login roles on PostgreSQL, in mode server"))


class Approval(Settings):
    """Who must agree before an act; requester and approver are always two people."""

    by: Many[Code] = Field(description=N_("roles that may approve"))
    posts: Many[Code] = Field((), description=N_("posts of the staff register that may approve on paper, recorded"))
    next_by: Many[Code] = Field((), description=N_("roles of the next level, who may too when nobody has decided"))
    next_after: Within | None = Field(None, description=N_("how long after it was asked the next level may"))
    people: int = Field(1, ge=1, le=9, description=N_("how many"))
    over_rows: int = Field(0, ge=0, description=N_("needed above so many records"))
    assurance: Assurance = Field("authenticated", description=N_("recorded on paper, by the account, or SSH-signed"))
    expires: Within = Field("72 hours", description=N_("how long an approval can be used"))
    on_drift: Literal["abort", "skip"] = Field("abort", description=N_("when a record changed since the plan"))
    source: Sources = ()


class Deputy(Between):
    """Who decides while another is away; a deputy passes nothing on."""

    for_: PersonName = Field(alias="for", description=N_("who is away"))
    deputy: PersonName = Field(description=N_("who decides instead"))
    acts: Many[Act] = Field(description=N_("in what"))


class AccessSettings(Settings):
    """People, roles, jobs and approvals."""

    people: Mapping[PersonName, Person] = Field({}, description=N_("by the name that the log shows"))
    roles: Mapping[Code, Role] = Field({}, description=N_("what people may be"))
    conflicts: Many[Many[Code]] = Field((), description=N_("roles that one person must not hold together"))
    jobs: Mapping[Code, Job] = Field({}, description=N_("what cron may do"))
    approvals: Mapping[Act, Approval] = Field({}, description=N_("acts that need agreement"))
    deputies: Many[Deputy] = Field((), description=N_("who stands in for whom"))
    allowed_signers: AbsoluteOrOwn | None = Field(
        None, description=N_("file of SSH keys whose signatures count, as ssh-keygen(1) has it; theirs by person")
    )
    confidentiality_required: bool = Field(True, description=N_("no access without a signed undertaking"))
    training_required: bool = Field(True, description=N_("no access before the training is passed"))
    require_auid_match: bool = Field(False, description=N_("refuse when the login account is another one"))
    fold_denials: Minutes = Field("1 minute", description=N_("repeated refusals within this are one entry more"))
    source: Sources = ()

    @property
    def alone(self) -> str | None:
        """The only person there is, who then holds all roles; None when there are several or none."""
        return next(iter(self.people)) if len(self.people) == 1 else None

    def person_of(self, uid: int) -> str | None:
        """Return whose account `uid` is."""
        return next((name for name, person in self.people.items() if uid in person.uids), None)

    def person_of_role(self, session_user: str) -> str | None:
        """Return whose PostgreSQL role `session_user` is: a person's, or a job's as `job:NAME`."""
        owner = next((name for name, person in self.people.items() if session_user in person.pg), None)
        return owner or next((f"job:{name}" for name, job in self.jobs.items() if session_user in job.pg), None)

    def provides(self) -> Mapping[str, Collection[str]]:
        return {"role": tuple(self.roles)}

    def lint(self, look: Lookup) -> Iterator[Finding]:
        yield from _shared_accounts(self)
        yield from _job_accounts(self)
        yield from _job_rights(self)
        yield from _unknown_roles(self)
        yield from _conflicting_people(self)
        yield from _deputies(self)
        yield from _approvals(self, look)


def _shared_accounts(access: AccessSettings) -> Iterator[Finding]:
    kinds = (
        ("uids", _("uid {account}")),
        ("pg", _("database role {account}")),
        ("staff", _("staff number {account}")),
    )
    for field, what in kinds:
        owners: dict[Any, str] = {}
        for name, person in access.people.items():
            held = getattr(person, field) or ()
            for position, account in enumerate((held,) if isinstance(held, str) else held):
                first = owners.setdefault(account, name)
                if first != name:
                    message = _("{what} belongs to {first} already").format(
                        what=what.format(account=account), first=first
                    )
                    hint = _("an account is one person's")
                    place = ("people", name, field) if field == "staff" else ("people", name, field, position)
                    yield Finding(place, message, hint, "P306")


def _job_accounts(access: AccessSettings) -> Iterator[Finding]:
    """Yield database roles of jobs that are somebody's already: who acted could not be told."""
    owners = {role: name for name, person in access.people.items() for role in person.pg}
    for name, job in access.jobs.items():
        for position, role in enumerate(job.pg):
            if owners.setdefault(role, f"job:{name}") != f"job:{name}":
                what = _("database role {account}").format(account=role)
                message = _("{what} belongs to {first} already").format(what=what, first=owners[role])
                yield Finding(("jobs", name, "pg", position), message, _("an account is one person's"), "P306")


def _job_rights(access: AccessSettings) -> Iterator[Finding]:
    """Yield what jobs are granted by name that a person must answer for."""
    from crmctl.security.permissions import NOT_FOR_JOBS

    for name, job in access.jobs.items():
        for position, act in enumerate(job.can):
            if act in NOT_FOR_JOBS:
                message = _("{act}: a person answers for it, never a job").format(act=act)
                yield Finding(("jobs", name, "can", position), message, _("grant it to a role"))


def _unknown_roles(access: AccessSettings) -> Iterator[Finding]:
    from crmctl.policy.problems import suggest

    named: list[tuple[tuple[str | int, ...], str]] = []
    for name, person in access.people.items():
        named += [(("people", name, "roles", at), role) for at, role in enumerate(person.roles)]
    for row, roles in enumerate(access.conflicts):
        named += [(("conflicts", row, at), role) for at, role in enumerate(roles)]
    for name, job in access.jobs.items():
        named += [(("jobs", name, "as_role"), job.as_role)] if job.as_role else []
    for name, approval in access.approvals.items():
        named += [(("approvals", name, "by", at), role) for at, role in enumerate(approval.by)]
        named += [(("approvals", name, "next_by", at), role) for at, role in enumerate(approval.next_by)]
    for place, role in named:
        if role not in access.roles:
            message = _("{role}: no such role").format(role=role)
            yield Finding(place, message, suggest(role, access.roles), "P307")


def _conflicting_people(access: AccessSettings) -> Iterator[Finding]:
    """Yield who holds roles that exclude each other; one who is alone must hold them all."""
    for row, roles in enumerate(access.conflicts):
        if len(set(roles)) < 2:
            yield Finding(("conflicts", row), _("name at least two roles"), "")
    if access.alone:
        return
    for name, person in access.people.items():
        for roles in access.conflicts:
            held = sorted(set(roles) & set(person.roles))
            if len(set(roles)) > 1 and len(held) > 1:
                message = _("{person} holds roles that exclude each other: {roles}").format(
                    person=name, roles=", ".join(held)
                )
                yield Finding(("people", name, "roles"), message, _("give one of them to somebody else"))


def _approvals(access: AccessSettings, look: Lookup) -> Iterator[Finding]:
    posts = look.known("post")
    for name, approval in access.approvals.items():
        for at, post in enumerate(approval.posts):
            if posts is not None and post not in posts:
                message = _("{post}: no such post").format(post=post)
                yield Finding(("approvals", name, "posts", at), message, _("company.yaml lists them"), "P307")
        if bool(approval.next_by) != (approval.next_after is not None):
            message = _("next_by and next_after go together")
            yield Finding(("approvals", name), message, _("who is next, and after how long"))
        if approval.posts and approval.assurance != "recorded":
            message = _("posts approve on paper, which `assurance: {assurance}` does not take")
            hint = _("write `assurance: recorded`, or leave `posts` out")
            yield Finding(("approvals", name, "posts"), message.format(assurance=approval.assurance), hint)
        if approval.assurance == "signed" and access.allowed_signers is None:
            message = _("signatures are wanted, and no file of signers is named")
            yield Finding(("approvals", name, "assurance"), message, _("name it as `allowed_signers`"))


def _deputies(access: AccessSettings) -> Iterator[Finding]:
    for row, entry in enumerate(access.deputies):
        for field, name in (("for", entry.for_), ("deputy", entry.deputy)):
            if name not in access.people:
                yield Finding(("deputies", row, field), _("{person}: no such person").format(person=name), "", "P307")
        if entry.for_ == entry.deputy:
            yield Finding(("deputies", row, "deputy"), _("a deputy is another person"), "")
        elif any(other.for_ == entry.deputy and other.overlaps(entry) for other in access.deputies):
            message = _("{person} is away as well: a deputy passes nothing on").format(person=entry.deputy)
            yield Finding(("deputies", row, "deputy"), message, _("name somebody who is there"))
