"""Grading in words: moves, matrix and explanation, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crmctl.cli.render import Column, Table
from crmctl.customers import showing
from crmctl.customers.policy import decimals_of
from crmctl.i18n import N_, _, pick
from crmctl.policy.conditions import Compare
from crmctl.policy.conditionwords import Words
from crmctl.policy.evaluate import Trace
from crmctl.policy.metrics import left_named
from crmctl.policy.policyset import PolicySet
from crmctl.tiers.explain import Explanation
from crmctl.tiers.grading import Grading
from crmctl.tiers.moves import Scoped
from crmctl.tiers.policy import Tier
from crmctl.tiers.regrade import Outcome
from crmctl.tiers.survey import Move

ACTIONS = {
    "change": N_("changes"),
    "wait": N_("waits for a downgrade"),
    "clear": N_("recovered"),
    "undecided": N_("no rule fits"),
}
FINDINGS = {
    "change": N_("would move from {before} to {after}"),
    "wait": N_("would wait before it moves from {before} to {after}"),
    "undecided": N_("no rule would fit; has {before}"),
}
CAUSES = {
    "rule": N_("by the rules"),
    "override": N_("by an override"),
    "grace": N_("by the rules, after a wait"),
    "waiting": N_("a downgrade waits"),
    "undecided": N_("no rule fits"),
}
KINDS = {"pin": N_("pinned"), "floor": N_("not below"), "ceiling": N_("not above")}
COUNTS = (
    ("graded", N_("Graded")),
    ("changed", N_("Changed")),
    ("unchanged", N_("Unchanged")),
    ("undecided", N_("Undecided")),
    ("waiting", N_("Waiting")),
    ("recovered", N_("Recovered")),
    ("exempt", N_("Excepted")),
    ("reported", N_("Would change")),
)


def words_of(policies: PolicySet) -> Words:
    """Return how figures and codes are told in this company."""
    label = showing.labels(policies)
    names = {"customer_type": "type"}
    return Words(
        decimals_of(policies), policies.company.currency, lambda what, code: label(names.get(what, what), code)
    )


def tier_label(policies: PolicySet, code: str | None) -> str:
    """Return a tier's label, whichever of the policies has it; `none` for no tier."""
    if not code:
        return _("none")
    return next((label_of(tier.labels) for tier in all_tiers(policies) if tier.code == code), code)


def finding_text(policies: PolicySet, action: str, before: str | None, after: str | None) -> str:
    """Return what a policy in mode report would do, in words."""
    return _(FINDINGS[action]).format(before=tier_label(policies, before), after=tier_label(policies, after))


def all_tiers(policies: PolicySet) -> Iterator[Tier]:
    """Yield the tiers of every tiers policy, those for everybody first."""
    yield from showing.tiers(policies)


def codes_by_rank(policies: PolicySet) -> list[str]:
    """Return the codes of the tiers of every tiers policy, highest rank first, each once.

    A code that several policies have stands where the policy for everybody ranks it.
    """
    ranks: dict[str, int] = {}
    for tier in all_tiers(policies):
        ranks.setdefault(tier.code, tier.rank)
    return sorted(ranks, key=lambda code: ranks[code])


def figures_text(policies: PolicySet, inputs: Mapping[str, Any]) -> str:
    """Return figures as they were kept, by the names of their left sides, in words."""
    named = {text: left_named(text) for text in inputs}
    facts = {left: inputs[text] for text, left in named.items() if left is not None}
    unknown = [f"{text}={inputs[text]}" for text, left in named.items() if left is None]  # a metric of another version
    told = [words_of(policies).facts(facts)] if facts else []
    return _("; ").join([*told, *unknown])


def counts_table(outcome: Outcome) -> Table:
    """Return the counts of a re-grade in one line; what is zero and seldom is left out."""
    seldom = {"waiting", "recovered", "exempt", "reported", "undecided"}
    shown = [(code, label) for code, label in COUNTS if outcome.counts[code] or code not in seldom]
    columns = [Column(code, label, right=True) for code, label in shown]
    return Table(columns, [[outcome.counts[code] for code, _label in shown]])


def matrix_table(policies: PolicySet, matrix: Mapping[str, Mapping[str, int]]) -> Table:
    """Return the migration matrix as rows from, to, customers."""
    columns = (
        Column("from", N_("Old tier")),
        Column("to", N_("New tier")),
        Column("customers", N_("Customers"), right=True),
    )
    rows = [
        (_name(policies, before), _name(policies, after), number)
        for before, row in matrix.items()
        for after, number in row.items()
    ]
    return Table(columns, rows)


def _name(policies: PolicySet, code: str) -> str:
    return tier_label(policies, None if code == "none" else code)


def move_columns(policies: PolicySet) -> tuple[Column, ...]:
    """Return the columns of a list of moves; which of them are only reported is told where a policy only reports."""
    reporting = any(policy.mode == "report" for policy in policies.of_kind("tiers"))
    return (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("action", N_("Outcome"), show=lambda value: _(ACTIONS[value])),
        Column("from", N_("Old tier"), show=lambda value: tier_label(policies, value)),
        Column("to", N_("New tier"), show=lambda value: tier_label(policies, value)),
        Column("rule", N_("Rule")),
        Column("override", N_("Override"), show=lambda value: _(KINDS[value])),
        Column("inputs", N_("Figures"), show=lambda value: str(value)),
        Column("reported", N_("Only reported"), detail=not reporting),
    )


def move_row(scoped: Scoped, move: Move, words: Words | None) -> tuple[Any, ...]:
    """Return a move as a row of `move_columns`; figures in words, or as they are where `words` is None."""
    grading = scoped.grading
    lefts = grading.compared()
    facts = {left: value for left, value in zip(lefts, move.values, strict=True) if value is not None}
    inputs: Any = {left.text: value for left, value in facts.items()}
    if words is not None:
        inputs = words.facts(facts) if facts else ""
    rule = "" if move.rank is None else grading.rule_name(move.rank)
    return (move.customer_id, move.action, move.before, move.after, rule, move.held, inputs, scoped.ruling.report)


def explanation_lines(policies: PolicySet, found: Explanation, reason: str) -> Iterator[tuple[str, str]]:
    """Yield what explains a tier, as label and text."""
    words = words_of(policies)
    yield _("Customer"), showing.number_text(found.customer_id)
    yield _("Tier"), tier_label(policies, found.tier)
    if found.ruling is None or found.grading is None:
        yield _("Policy"), _("no tiers policy is for this customer")
        return
    policy = found.ruling.policy
    yield _("Policy"), _("{name}, version {version}").format(name=policy.name, version=policy.version)
    if found.graded is None or found.settled is None:
        yield _("Exception"), found.excepted
        return
    rule = found.graded.rule
    settled = found.settled
    yield _("Says"), tier_label(policies, settled.tier) + " · " + _(CAUSES[settled.cause])
    if rule is not None:
        yield _("Rule"), f"{found.grading.rule_name(rule.rank)} · {tier_label(policies, rule.tier)}"
        yield _("Clauses"), ", ".join(clauses(found))
    if found.override is not None:
        yield _("Override"), _override(policies, found, reason)
    if settled.since is not None:
        yield _("Waiting since"), settled.since.isoformat()
    for left in found.grading.compared():
        yield left.words, words.value(left, found.graded.facts[left])
    for measure in found.graded.points:
        told = _("{points} points, weight {weight}").format(points=measure.points, weight=measure.weight)
        yield measure.code, told
    if found.graded.score is not None:
        yield _("Score"), score_text(found)
    for tier, missing in found.near_misses():
        for near in missing:
            yield _("Not {tier}").format(tier=tier_label(policies, tier)), words.near(near)


def score_text(found: Explanation) -> str:
    """Return the score in points with two decimals, cut off."""
    assert found.graded is not None and found.grading is not None
    hundredths = (found.graded.score or 0) * 100 // found.grading.unit
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _override(policies: PolicySet, found: Explanation, reason: str) -> str:
    assert found.override is not None
    until = found.override.until_on or _("until it is lifted")
    told = f"{_(KINDS[found.override.kind])} {tier_label(policies, found.override.tier)}"
    return f"{told} · {until} · {found.override.person} · {reason}"


def clauses(found: Explanation) -> list[str]:
    """Return the clauses behind the rule that holds."""
    if found.graded is None or found.graded.rule is None or found.ruling is None:
        return []
    settings: Any = found.ruling.policy.settings
    return [str(clause) for clause in settings.tiers[found.graded.rule.position].source]


def explanation_document(policies: PolicySet, found: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON; figures in the smallest units."""
    document: dict[str, Any] = {
        "customer": found.customer_id,
        "tier": found.tier,
        "policy": None,
        "decision": None,
        "cause": None,
        "rule": None,
        "clauses": clauses(found),
        "inputs": {},
        "rules": [],
        "near_misses": [],
        "score": None,
        "override": None,
        "waiting_since": None if found.since is None else found.since.isoformat(),
        "exception": found.excepted or None,
    }
    if found.override is not None:
        document["override"] = {
            "kind": found.override.kind,
            "tier": found.override.tier,
            "until": found.override.until_on,
            "person": found.override.person,
        }
    if found.ruling is not None:
        policy = found.ruling.policy
        document["policy"] = {"name": policy.name, "version": policy.version, "path": policy.path}
    if found.graded is None or found.settled is None or found.grading is None:
        return document
    words = words_of(policies)
    rule = found.graded.rule
    return {
        **document,
        "decision": found.settled.tier,
        "cause": found.settled.cause,
        "rule": found.grading.rule_name(rule.rank) if rule else None,
        "inputs": {left.text: found.graded.facts[left] for left in found.grading.compared()},
        "rules": [_rule(each.tier, trace) for each, trace in found.graded.traces],
        "near_misses": [
            {"tier": tier, "left": near.compare.left.text, "distance": near.distance, "text": words.near(near)}
            for tier, missing in found.near_misses()
            for near in missing
        ],
        "score": score_text(found) if found.graded.score is not None else None,
    }


def _rule(tier: str, trace: Trace | None) -> dict[str, Any]:
    return {"tier": tier, "compared": None if trace is None else trace.as_dict()}


def condition_text(policies: PolicySet, grading: Grading, position: int) -> str:
    """Return a tier's condition in words: its comparisons, joined."""
    words = words_of(policies)
    rule = grading.rules[position]
    if rule.least is not None:
        return _("{points} points or more").format(points=rule.least // grading.unit)
    if rule.condition is None:
        return _("everybody else")
    parts = [words.comparison(each) for each in rule.condition.tree.comparisons() if isinstance(each, Compare)]
    return _("; ").join(parts)


def label_of(labels: Mapping[Any, str] | None) -> str:
    """Return labels in the reader's language."""
    return pick(dict(labels), "") if labels else ""
