"""What anonymised customers left, for people and programs: one row a group, one column a field that is left of any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from crmctl.cli.render import Column, Label, Table
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _, pick
from crmctl.policy.metrics import BY_NAME
from crmctl.policy.policyset import PolicySet
from crmctl.policy.problems import suggest
from crmctl.retention import grouping
from crmctl.retention.rules import settings_of

_LABELS: Mapping[str, str] = {
    "created_at": N_("Entered"),
    "cancelled_at": N_("When cancelled"),
    "first_added_at": N_("First added"),
    "last_contact_at": N_("Last contact"),
    "company_name": N_("Company"),
}


def table(conn: Connection, policies: PolicySet, rules: Sequence[str]) -> Table:
    """Return the groups of some rules, or of all; there are few, as each has many customers in it.

    Raises InvalidInput for a rule that no policy has and that left nothing.
    """
    groups = list(grouping.listed(conn, rules))
    known = {rule.code for each in policies.of_kind("retention") for rule in settings_of(each).customers}
    for rule in rules:
        if rule not in known.union(each.rule for each in groups):
            raise InvalidInput(
                _("{rule}: no rule of the retention policy, nor of anything that was left").format(rule=rule[:40]),
                hint=suggest(rule, sorted(known)) or _("one of: {codes}").format(codes=", ".join(sorted(known))),
                code="RULE_UNKNOWN",
            )
    names = sorted({name for each in groups for name in each.facts})
    columns = [
        Column("rule", N_("Rule")),
        *(Column(name, _label(name)) for name in names),
        Column("customers", N_("Customers"), lambda value: f"{value:,}", right=True),
    ]
    rows = [(each.rule, *map(each.facts.get, names), each.customers) for each in groups]
    return Table(columns, rows, "groups")


_STEPS: Mapping[str, str] = {"year": N_("year"), "quarter": N_("quarter"), "month": N_("month")}


def _label(name: str) -> Label:
    if name in BY_NAME:
        return BY_NAME[name].labels
    return _LABELS.get(name, name)


def words(told: Sequence[Mapping[str, Any]]) -> str:
    """Return what rules leave, as a plan's summary has it, in one line: who agrees reads it."""
    return "; ".join(map(_one, told))


def _one(each: Mapping[str, Any]) -> str:
    parts = [_name(name) for name in each["keep"]]
    parts += [f"{_name(name)} ({_step(step)})" for name, step in each["generalise"].items()]
    parts += [
        f"{_name(name)} ({_('{count} characters').format(count=length)})" for name, length in each["mask"].items()
    ]
    few = _("at least {count} alike").format(count=each["at_least"])
    return f"{each['code']}: {', '.join([*parts, few])}"


def _name(name: str) -> str:
    label = _label(name)
    return _(label) if isinstance(label, str) else pick(dict(label), name)


def _step(step: int | str) -> str:
    return _("steps of {number}").format(number=f"{step:,}") if isinstance(step, int) else _(_STEPS[step])
