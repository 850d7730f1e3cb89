"""`policy test`: every case decided by the policies, what came out against what was expected, rules no case reached."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from crmctl.errors import CrmctlError, InvalidInput
from crmctl.i18n import _
from crmctl.policy import casefile
from crmctl.policy.binding import bind
from crmctl.policy.casefile import Case
from crmctl.policy.company import CompanySettings, ValueEntry
from crmctl.policy.crosscheck import known_of
from crmctl.policy.deciding import DECIMALS, Decision, decider_of
from crmctl.policy.metrics import BY_NAME, Left, Value
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.problems import Problem, Report
from crmctl.policy.scopes import ruling_for

_TYPE, _UNIT = Left(BY_NAME["customer_type"]), Left(BY_NAME["org_unit"])


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case; `faults` are empty when all is as expected."""

    case: Case
    policy: Policy | None
    decision: Decision | None
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "file": self.case.path,
            "line": self.case.line,
            "name": self.case.name,
            "policy": f"{self.policy.kind}.{self.policy.name}" if self.policy else None,
            "ok": not self.faults,
            "decision": self.decision.decision if self.decision else None,
            "codes": list(self.decision.codes) if self.decision else [],
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True)
class Untested:
    """A rule that no case reached."""

    policy: Policy
    rule: str

    @property
    def place(self) -> str:
        """File and line."""
        places = {rule: self.policy.marks.at(("settings", *at)).line for rule, at in rules_of(self.policy).items()}
        return f"{self.policy.path}:{places[self.rule]}"


@dataclass(frozen=True, slots=True)
class Results:
    """What a run over files of cases found."""

    outcomes: tuple[Outcome, ...]
    untested: tuple[Untested, ...]

    @property
    def ok(self) -> bool:
        """Whether every case came out as expected and every rule was reached."""
        return not self.untested and not any(outcome.faults for outcome in self.outcomes)


def read_cases(paths: Sequence[Path], policies: PolicySet) -> tuple[list[Case], list[Problem]]:
    """Return the cases of files and everything that is wrong with the files."""
    cases, problems = [], []
    known = known_of(policies.policies)
    for path in paths:
        report = Report(str(path))
        cases += casefile.read(path, policies, known, report)
        problems += sorted(report.problems, key=lambda problem: (problem.line, problem.column))
    return cases, problems


def run(cases: Sequence[Case], policies: PolicySet, *, whole: bool) -> Results:
    """Decide every case. `whole`: these are all cases there are, so that a rule none of them reaches is untested."""
    outcomes = tuple(_outcome(case, policies) for case in cases)
    return Results(outcomes, tuple(_untested(outcomes)) if whole else ())


def rules_of(policy: Policy) -> dict[str, tuple[str | int, ...]]:
    """Return the rules of a policy that cases must reach: name, and place in the settings."""
    from crmctl.policy.nodes import dotted

    return {dotted(at): at for at in policy.settings.tested_rules()}


def _untested(outcomes: Sequence[Outcome]) -> Iterator[Untested]:
    reached: dict[str, set[str]] = {}
    tested: dict[str, Policy] = {}
    for outcome in outcomes:
        if outcome.policy is not None:
            tested.setdefault(outcome.policy.path, outcome.policy)
            reached.setdefault(outcome.policy.path, set()).update(outcome.decision.rules if outcome.decision else ())
    for path, policy in sorted(tested.items()):
        yield from (Untested(policy, rule) for rule in rules_of(policy) if rule not in reached[path])


def _outcome(case: Case, policies: PolicySet) -> Outcome:
    policy = None
    try:
        with_values = valued(policies, case.values)
        facts = _facts(case, with_values)
        policy = _policy(case, with_values, facts)
        decider = decider_of(case.kind)
        assert decider is not None  # reading told of a kind without one
        decision = decider(with_values, policy, facts, case.as_of)
    except CrmctlError as error:
        return Outcome(case, policy, None, (error.message,))
    return Outcome(case, policy, decision, tuple(_faults(case, decision)))


def _faults(case: Case, decision: Decision) -> Iterator[str]:
    expect = case.expect
    if decision.decision != expect.decision:
        yield _("expected {expected}, got {found}").format(expected=expect.decision, found=decision.decision)
    if expect.codes is None:
        return
    for code in dict.fromkeys(expect.codes):
        if code not in decision.codes:
            yield _("expected code {code} did not come").format(code=code)
    for code in dict.fromkeys(decision.codes):
        if code not in expect.codes:
            yield _("unexpected code {code}").format(code=code)


def _facts(case: Case, policies: PolicySet) -> dict[Left, Value]:
    bound = policies.bound(list(case.facts.values()), DECIMALS)
    found: dict[Left, Value] = {}
    for left, each in zip(case.facts, bound, strict=True):
        (compare,) = each.tree.comparisons()
        value = compare.operands[0]
        assert not isinstance(value, Decimal)
        found[left] = value
    return found


def _policy(case: Case, policies: PolicySet, facts: Mapping[Left, Value]) -> Policy:
    if case.policy is not None:
        return policies.policy(case.kind, case.policy)
    kind, unit = facts.get(_TYPE), facts.get(_UNIT)
    found = ruling_for(
        policies,
        case.kind,
        case.as_of,
        customer_type=str(kind) if kind is not None else None,
        org_unit=str(unit) if unit is not None else None,
    )
    if found is None:
        message = _("no policy {kind} is in force on {day} for these facts").format(kind=case.kind, day=case.as_of)
        raise InvalidInput(message, code="POLICY_MISSING")
    return found


def valued(policies: PolicySet, values: Mapping[str, int | Decimal | str]) -> PolicySet:
    """Return the policies with other values in company.yaml than the file has. Raises InvalidInput for a wrong one."""
    if not values:
        return policies
    company = policies.policy("company")
    assert isinstance(company.settings, CompanySettings)
    entries = dict(company.settings.values)
    for name, value in values.items():
        entries[name] = _entry(name, entries[name], value)
    changed = replace(company, settings=company.settings.model_copy(update={"values": entries}))
    return PolicySet(tuple(changed if each is company else each for each in policies.policies), policies.files)


def _entry(name: str, entry: ValueEntry, value: int | Decimal | str) -> ValueEntry:
    from crmctl.policy.nodes import Scalar
    from crmctl.policy.problems import START

    report = Report(name)
    found = bind(ValueEntry, Scalar(START, "", plain=True), {"value": value, "unit": entry.unit}, report)
    if found is None:
        raise InvalidInput(f"${name}: {report.problems[0].message}", hint=report.problems[0].hint, code="CASE_INVALID")
    return entry.model_copy(update={"value": value})
