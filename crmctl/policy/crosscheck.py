"""Checks between fields and between files, once each file is well-formed: references, scopes, periods, exceptions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta

from crmctl.i18n import _
from crmctl.policy.company import CompanySettings
from crmctl.policy.conditionlint import findings as condition_findings
from crmctl.policy.exemptions import exempt
from crmctl.policy.kinds import KINDS
from crmctl.policy.model import SCOPES, Finding, folded, spellings
from crmctl.policy.nodes import Path, dotted
from crmctl.policy.policyset import Known, Mention, Policy
from crmctl.policy.problems import START, Report, shown, suggest
from crmctl.policy.scopes import Units, undecidable, units_below

SOON = timedelta(days=30)

# Who defines what a reference names, where that is one kind only: while its file is broken nothing can be said.
_HOME = {
    "value": "company",
    "org_unit": "company",
    "post": "company",
    "channel": "company",
    "notify_channel": "notify",
    "clause": "sources",
    "role": "access",
}


def crosscheck(
    policies: Sequence[Policy],
    reports: Mapping[str, Report],
    whole: Report,
    broken: Collection[str],
    day: date | None,
    *,
    alone: bool,
) -> None:
    """Note everything the policies get wrong together. `broken` are the kinds of files that could not be read."""
    if not alone:
        _required(policies, whole, broken)
    known = known_of(policies)
    units = next((units_below(each.settings) for each in policies if isinstance(each.settings, CompanySettings)), {})
    for policy in policies:
        findings = [
            *_twice(policy, policies),
            *_overlaps(policy, policies, units),
            *_period(policy),
            *_scope(policy, known, broken),
            *_unscoped(policy),
            *_owner(policy, policies),
            *_exceptions(policy, day),
            *_excepted_codes(policy, known, broken),
            *_lint(policy, known),
            *(finding for mention in policy.mentions for finding in _reference(mention, known, broken, alone=alone)),
        ]
        for finding in findings:
            mark = policy.marks.at(finding.at)
            reports[policy.path].add(mark, finding.code, finding.message, finding.hint)


def known_of(policies: Sequence[Policy]) -> Known:
    """Return what the policies define: codes and values."""
    codes: dict[str, set[str]] = {}
    values = {}
    for policy in policies:
        for what, names in policy.settings.provides().items():
            codes.setdefault(what, set()).update(names)
        if isinstance(policy.settings, CompanySettings):
            values.update(policy.settings.values)
    return Known(codes, values)


def _required(policies: Sequence[Policy], whole: Report, broken: Collection[str]) -> None:
    there = {policy.kind for policy in policies} | set(broken)
    for kind in KINDS:
        if kind.required and kind.name not in there:
            message = _("{name}.yaml is missing").format(name=kind.name)
            whole.add(START, "P308", message, _("crmctl init writes a first one"))


def _twice(policy: Policy, policies: Sequence[Policy]) -> Iterator[Finding]:
    for other in policies:
        if other is policy:
            return
        if (other.kind, other.name) == (policy.kind, policy.name):
            message = _("policy {kind} {name} is also in {file}").format(
                kind=policy.kind, name=policy.name, file=other.path
            )
            yield Finding(("name",), message, _("give each its own name"), "P305")


def _overlaps(policy: Policy, policies: Sequence[Policy], units: Units) -> Iterator[Finding]:
    for other in policies:
        if other is policy:
            return
        if other.kind != policy.kind:
            continue
        if other.scope.key == policy.scope.key and other.effective.overlaps(policy.effective):
            message = _("same scope and overlapping dates as {file}").format(file=other.path)
            hint = _("give it another scope, or set effective.until in one and effective.from in the other")
            yield Finding(("effective",), message, hint, "P304")
        elif undecidable(policy, other, units):
            message = _("scope: on some days this and {file} both fit, and neither goes first").format(file=other.path)
            hint = _("let one scope lie within the other, or keep them apart; an org unit takes in those below it")
            yield Finding(("scope",), message, hint, "P304")


def _period(policy: Policy) -> Iterator[Finding]:
    start, end = policy.effective.from_, policy.effective.until
    if start and end and end < start:
        message = _("effective: ends before it begins")
        yield Finding(("effective", "until"), message, _("until is the last day in force"))


def _scope(policy: Policy, known: Known, broken: Collection[str]) -> Iterator[Finding]:
    usable = type(policy.settings).scopes
    for what in SCOPES:
        if getattr(policy.scope, what) and what not in usable:
            message = _("scope.{what}: {kind} does not depend on it").format(what=what, kind=policy.kind)
            hint = _("allowed: {names}").format(names=", ".join(usable)) if usable else _("remove it")
            yield Finding(("scope", what), message, hint, "P208")
            continue
        allowed = known.known(what)
        if allowed is None or _HOME.get(what) in broken:
            continue
        for position, code in enumerate(getattr(policy.scope, what)):
            if code not in allowed:
                yield _unknown(("scope", what, position), what, code, allowed)


def _unscoped(policy: Policy) -> Iterator[Finding]:
    """Yield settings that only a policy for everybody may give."""
    for name in type(policy.settings).unscoped if not policy.scope.everybody else ():
        if getattr(policy.settings, name) is not None:
            message = _("{name}: only the policy for everybody may say it, and this one has a scope").format(name=name)
            yield Finding(("settings", name), message, _("move it to the {kind} policy without scope").format(
                kind=policy.kind), "P208")  # fmt: skip


def _unknown(at: Path, what: str, code: str, allowed: Collection[str]) -> Finding:
    message = _("{field}: no {what} '{code}'").format(field=dotted(at), what=what, code=shown(code))
    return Finding(at, message, suggest(code, allowed), "P307")


def _owner(policy: Policy, policies: Sequence[Policy]) -> Iterator[Finding]:
    for company in policies:
        if isinstance(company.settings, CompanySettings) and company.settings.posts:
            posts = company.settings.posts
            if folded(policy.owner) not in spellings(posts):
                message = _("owner: no post '{name}'").format(name=shown(policy.owner))
                names = [name for post in posts for name in post.names()]
                yield Finding(
                    ("owner",), message, suggest(policy.owner, names) or _("posts are in company.yaml"), "P307"
                )


def _exceptions(policy: Policy, day: date | None) -> Iterator[Finding]:
    for position, exemption in enumerate(policy.exceptions):
        at: Path = ("exceptions", position, "expires")
        if day is None:
            return
        if exemption.expires < day:
            message = _("the exception expired on {day} and is not applied").format(day=exemption.expires)
            yield Finding(at, message, _("remove it, or have it approved anew"), "P401")
        elif exemption.expires - day <= SOON:
            message = _("the exception expires on {day}").format(day=exemption.expires)
            yield Finding(at, message, "", "P402")


def _excepted_codes(policy: Policy, known: Known, broken: Collection[str]) -> Iterator[Finding]:
    for position, exemption in enumerate(policy.exceptions):
        condition = exempt(exemption).condition
        for reference, at in condition.references() if condition else ():
            allowed = known.known(reference.what)
            if allowed is not None and _HOME.get(reference.what) not in broken and reference.name not in allowed:
                place = at[:1] + at[2:]  # the file writes no operator
                yield _unknown(("exceptions", position, "match", *place), reference.what, reference, allowed)


def _lint(policy: Policy, known: Known) -> Iterator[Finding]:
    for finding in (*policy.settings.lint(known), *condition_findings(policy.settings, known)):
        yield Finding(("settings", *finding.at), finding.message, finding.hint, finding.code)


def _reference(mention: Mention, known: Known, broken: Collection[str], *, alone: bool) -> Iterator[Finding]:
    reference, at = mention.reference, ("settings", *mention.at)
    what, allowed = reference.what, known.known(reference.what)
    if _HOME.get(what) in broken or (allowed is None and (alone or what not in ("value", "clause"))):
        return
    if reference.name in (allowed or ()):
        return
    near = suggest(reference.name, allowed or ())
    if what == "value":
        message = _("{field}: no value {name} in company.yaml").format(field=dotted(at), name=shown(reference))
        yield Finding(at, message, near, "P302")
    elif what == "clause":
        message = _("{field}: no clause '{name}' in sources.yaml").format(field=dotted(at), name=shown(reference))
        yield Finding(at, message, near, "P303")
    else:
        yield _unknown(at, what, reference, allowed or ())
