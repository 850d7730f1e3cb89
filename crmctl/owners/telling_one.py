"""One customer's owner explained in words, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crmctl.customers import showing
from crmctl.customers.policy import decimals_of
from crmctl.i18n import N_, _
from crmctl.owners.bench import said
from crmctl.owners.explaining import Explanation
from crmctl.owners.listing import REASONS
from crmctl.owners.telling import code_text, rule_label, skill_text
from crmctl.policy.policyset import PolicySet
from crmctl.sheets.formats.money import written

Line = tuple[str, str]
STEPS = {
    "IN_POST": N_("in post"),
    "POST": N_("on the post"),
    "LEVEL": N_("of the level"),
    "LEVEL_FROM": N_("of the level or a higher one"),
    "LANGUAGE": N_("speak the languages"),
    "ORG_UNIT": N_("of the organisation unit"),
    "REGION": N_("of the region"),
    "DEPARTMENT": N_("of the department"),
    "SAME_ORG_UNIT": N_("of the customer's organisation unit"),
    "SAME_REGION": N_("of the customer's region"),
    "OWN_05": N_("may own customers"),
}


def document(found: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON."""
    held, policy = found.held, found.policy
    return {
        "customer": found.customer_id,
        "owner": found.owner_id,
        "owner_number": found.bench.number(found.owner_id),
        "problems": list(found.bench.problems(found.owner_id)),
        "chosen": None if held is None else _held(held),
        "policy": None if policy is None else {"name": policy.name, "version": policy.version, "path": policy.path},
        "rule": None if found.rule is None else f"rules[{found.rule}]",
        "clauses": found.clauses,
        "eligible": [{"code": step.code, "left": step.left} for step in found.steps],
        "next": found.next_move,
        "nobody": found.code,
        "reporting": found.reporting,
        "undecided": None if found.undecided is None else found.undecided.message,
    }


def _held(held: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "since": held["since_at"],
        "reason": held["reason"],
        "policy": held["policy"] or None,
        "version": held["policy_version"] or None,
        "rule": held["rule"] or None,
        "runner_up": held["runner_up_id"],
        "inputs": held["inputs"],
        "ordered_by": held["ordered_by"],
        "run": held["run_id"],
    }


def lines(policies: PolicySet, found: Explanation) -> Iterator[Line]:
    """Yield an explanation as lines of label and text."""
    name = found.bench.name
    yield _("Customer"), showing.number_text(found.customer_id)
    yield _("Owner"), name(found.owner_id) or _("nobody")
    for code in found.bench.problems(found.owner_id) if found.owner_id is not None else ():
        yield _("Speaks against"), said(code)
    if found.held is not None:
        yield from _chosen(policies, found, found.held)
    if found.undecided is not None:
        yield _("Not decided"), found.undecided.message
    if found.policy is not None and found.rule is not None:
        yield _("Rule now"), rule_label(policies, (found.policy.name, f"rules[{found.rule}]"))
        yield _("Clauses"), ", ".join(found.clauses)
        told = [f"{_step(step.code)} {step.left}" for step in found.steps]
        yield _("Staff left"), " → ".join(told)
    if found.reporting:
        yield _("Policy in mode report"), _("says what it would do, and does nothing")
    if found.next_move is not None:
        yield _("Would go to"), name(found.next_move["to"])
        yield from _scales(found, decimals_of(policies), found.next_move["runner_up"], found.next_move["inputs"])
    if found.code is not None:
        yield _("Why nobody"), code_text(found.code)


def _step(code: str) -> str:
    return _(STEPS[code]) if code in STEPS else skill_text(code)


def _chosen(policies: PolicySet, found: Explanation, held: Mapping[str, Any]) -> Iterator[Line]:
    yield _("Since"), held["since_at"]
    yield _("Because"), _(REASONS.get(held["reason"], held["reason"]))
    if held["policy"]:
        rule = rule_label(policies, (held["policy"], held["rule"])) or held["rule"]
        told = _("{policy}, version {version}: {rule}")
        yield _("Policy"), told.format(policy=held["policy"], version=held["policy_version"], rule=rule)
    yield from _scales(found, decimals_of(policies), held["runner_up_id"], held["inputs"])
    yield _("Ordered by"), _("{person}, run {run}").format(person=held["ordered_by"], run=held["run_id"])


def _scales(found: Explanation, decimals: int, runner_up: int | None, inputs: Mapping[str, Any]) -> Iterator[Line]:
    """Yield what was on the scales: loads before the customer was given."""
    if "load" in inputs:
        told = _("{customers} of {capacity} customers, load {load}")
        yield (
            _("Load at the time"),
            told.format(
                customers=inputs["customers"], capacity=inputs["capacity"], load=load_text(decimals, inputs, "load")
            ),
        )
    if inputs.get("because") == "former_owner":
        yield _("Chosen as"), _("the former owner")
    if runner_up is not None:
        load = load_text(decimals, inputs, "runner_up_load")
        told = _("{person}, load {load}").format(person=found.bench.name(runner_up), load=load)
        yield _("Runner-up"), told
    if "place" in inputs:
        told = _("place {place} of {period}").format(place=inputs["place"], period=inputs["period"])
        yield _("Order of the period"), told


def load_text(decimals: int, inputs: Mapping[str, Any], name: str) -> str:
    """Return a load as people count it: customers, weighted customers, or money with so many decimals."""
    load = inputs.get(name)
    if load is None:
        return ""
    return written(load, decimals) if inputs.get("load_by") == "value" else f"{load / 1000:g}"
