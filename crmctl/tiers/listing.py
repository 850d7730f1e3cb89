"""`tier list`: the tiers of the policy in force, with their conditions and standards in words (TIER-05).

`tier findings`: what policies in mode report would do, in words.
"""

from __future__ import annotations

from typing import Any

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.customers import showing
from crmctl.customers.policy import decimals_of
from crmctl.errors import ValueUndecided
from crmctl.i18n import N_, _
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import in_force
from crmctl.runs.run import Run, today
from crmctl.store import engine
from crmctl.tiers import findings, telling
from crmctl.tiers.grading import Grading, grading
from crmctl.tiers.policy import Contact, Tier, TiersSettings

PERIODS = {
    "week": N_("{times} a week"),
    "month": N_("{times} a month"),
    "quarter": N_("{times} a quarter"),
    "year": N_("{times} a year"),
}
WAYS = {
    "face_to_face": N_("face to face"),
    "phone": N_("phone"),
    "online": N_("online"),
    "mail": N_("mail"),
    "sms": N_("SMS"),
    "wecom": N_("WeCom"),
    "any": N_("any way"),
}


def tiers(run: Run) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """Return the columns and rows of the list: of every policy in force, most specific first."""
    rulings = in_force(run.policies, "tiers", today(run.policies, run.at))
    columns = (
        Column("policy", N_("Policy"), detail=len(rulings) == 1),
        Column("rank", N_("Rank"), right=True),
        Column("tier", N_("Code")),
        Column("label", N_("Tier")),
        Column("who", N_("Who belongs")),
        Column("contact", N_("How often")),
        Column("services", N_("Services")),
        Column("care", N_("Care")),
        Column("source", N_("Clauses")),
    )
    return columns, [row for ruling in rulings for row in _rows(run.policies, ruling.policy)]


def _rows(policies: PolicySet, policy: Policy) -> list[tuple[Any, ...]]:
    """Return the tiers of one policy; a condition whose value is unset names it."""
    settings = policy.settings
    assert isinstance(settings, TiersSettings)
    ready: Grading | None = None
    undecided = ""
    try:
        ready = grading(policies, policy, decimals_of(policies))
    except ValueUndecided as error:
        undecided = error.message
    return [
        (
            policy.name,
            tier.rank,
            tier.code,
            telling.label_of(tier.labels),
            telling.condition_text(policies, ready, position) if ready else undecided,
            contact_text(tier.standard.contact),
            ", ".join(telling.label_of(service) for service in tier.standard.services),
            telling.label_of(tier.standard.care),
            ", ".join(map(str, _clauses(tier))),
        )
        for position, tier in enumerate(settings.tiers)
    ]


def _clauses(tier: Tier) -> list[str]:
    return list(dict.fromkeys([*map(str, tier.source), *map(str, tier.standard.source)]))


def contact_text(contact: Contact) -> str:
    """Return how often a tier is contacted, in words."""
    if contact.times is None or contact.every is None:
        return _("as needed")
    told = _(PERIODS[contact.every]).format(times=contact.times)
    ways = ", ".join(_(WAYS[way]) for way in contact.ways)
    return f"{told}, {ways}" if ways else told


def reported(run: Run, limit: int, after: int) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """Return the columns and rows of what policies in mode report found, by customer number, from after one on."""
    policies = run.policies
    with engine.read(run.engine) as conn:
        found = findings.listed(conn, run, limit, after)
    columns = (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("finding", N_("Finding")),
        Column("action", detail=True),
        Column("from", detail=True),
        Column("to", detail=True),
        Column("policy", N_("Policy")),
        Column("version", N_("Version")),
        Column("rule", N_("Rule")),
        Column("override", N_("Override"), show=lambda value: _(telling.KINDS[value])),
        Column("inputs", N_("Figures"), show=lambda value: telling.figures_text(policies, value)),
        Column("found_at", N_("Found at")),
        Column("plan", detail=True),
    )
    rows = [
        (
            each.customer_id, telling.finding_text(policies, each.action, each.before, each.after), each.action,
            each.before, each.after, each.policy, each.version, each.rule, each.override, each.inputs,
            clock.local(each.found_at, run.zone), each.plan_id,
        )
        for each in found
    ]  # fmt: skip
    return columns, rows
