"""What `policy explain` says of a customer's time: which rule, from which day, until when, what keeps it besides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from crmctl import holds
from crmctl.customers import scope, showing
from crmctl.errors import InvalidInput, ValueUndecided
from crmctl.i18n import _
from crmctl.policy.metrics import BY_NAME, Left, Value, by_source, source_at
from crmctl.policy.model import Figure
from crmctl.retention import telling
from crmctl.retention.decide import Decided, decide, latest
from crmctl.retention.policy import CUSTOMERS, METRIC_OF, Span
from crmctl.retention.rules import NEVER, Ready, settings_of
from crmctl.retention.selecting import Basis, basis
from crmctl.runs.run import Run
from crmctl.store import engine

Told = tuple[int, dict[str, Any], list[tuple[str, str]]]


def explained(run: Run, number: str, *, for_people: bool) -> Told:
    """Return the customer's number, the explanation as JSON, and as lines of label and text (`for_people` only).

    While a period is undecided, or no policy is in force, that is what it says.
    """
    wanted = showing.parse_number(number)
    scope.require(run, (wanted,))
    try:
        base = basis(run, CUSTOMERS)
    except (ValueUndecided, InvalidInput) as waiting:
        return wanted, {"state": "undecided", "reason": waiting.message}, [(_("Retention"), waiting.message)]
    with engine.read(run.engine) as conn:
        named = next(base.named(conn, (wanted,)), None)
        if named is None:
            told = _("no retention policy is for this customer")
            return wanted, {"state": "no_policy"}, [(_("Retention"), told)]
        each = base.readies[named.found.policy]
        facts = _facts(conn, base, each, wanted)
        held = [*holds.kept(conn, (wanted,), run.as_of).get(wanted, ()), *filter(None, (holds.everybody(conn),))]
    decided = decide(each, facts)
    document = _document(each, decided, facts, held)
    return wanted, document, list(_lines(base, each, document)) if for_people else []


def _facts(conn: Connection, base: Basis, each: Ready, customer: int) -> dict[Left, Value]:
    found: dict[Left, Value] = {}
    for target, lefts in by_source(each.asked()).items():
        found.update(source_at(target).facts(conn, (customer,), lefts, base.at)[customer])
    return found


def _document(each: Ready, decided: Decided, facts: Mapping[Left, Value], held: list[str]) -> dict[str, Any]:
    days = {name: facts[left] for name, metric in METRIC_OF.items() if (left := Left(BY_NAME[metric])) in facts}
    found: dict[str, Any] = {
        "state": decided.state,
        "policy": each.policy.name,
        "version": each.policy.version,
        "days_since": days,
        "holds": held,
    }
    if decided.rule is not None:
        rule = decided.rule
        written = each.written(rule.position)
        found |= {
            "rule": rule.code,
            "where": each.rule_name(rule.position),
            "clauses": [str(clause) for clause in written.source],
            "began_on": _day(each.day, decided.days),
            "over_after_days": rule.due_days,
            "destroyed_after_days": rule.days,
            "left_days": max(0, rule.days - decided.days) if decided.days is not None else None,
            "minimums": [
                {
                    "since": list(written.minimums[minimum.position].since),
                    "days": minimum.days,
                    "basis": dict(written.minimums[minimum.position].basis),
                    "over": latest(minimum.since, facts) >= minimum.days,
                }
                for minimum in rule.minimums
            ],
        }
    return found


def _day(day: date, days: int | None) -> str | None:
    if days is None or days == NEVER:
        return None
    return (day - timedelta(days=days)).isoformat()


def _lines(base: Basis, each: Ready, told: Mapping[str, Any]) -> list[tuple[str, str]]:
    lines = [(_("Retention"), _(telling.STATES[told["state"]]))]
    if "rule" in told:
        written = next(rule for rule in settings_of(each.policy).customers if rule.code == told["rule"])
        lines += [
            (_("Rule"), f"{telling.rule(base.policies, told['rule'])} ({told['where']})"),
            (_("Clauses"), ", ".join(told["clauses"])),
            (_("Kept for"), _span(base, written.keep)),
            (_("Runs from"), told["began_on"] or "-"),
            (_("Days left"), "-" if told["left_days"] is None else f"{told['left_days']:,}"),
        ]
    lines += [(_("Held"), ", ".join(map(holds.label, told["holds"])))] if told["holds"] else []
    return lines


def _span(base: Basis, span: Span) -> str:
    number = _number(base, span.figure)
    return (_("{count} days") if span.months is None else _("{count} months")).format(count=number)


def _number(base: Basis, figure: Figure) -> str:
    return str(base.policies.resolve(figure))
