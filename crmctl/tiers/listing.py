"""`tier list`: the tiers of the policy in force, with their conditions and standards in words (TIER-05)."""

from __future__ import annotations

from typing import Any

from crmctl.cli.render import Column
from crmctl.errors import ValueUndecided
from crmctl.i18n import N_, _
from crmctl.runs.run import Run, today
from crmctl.tiers import telling
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
    """Return the columns and rows of the list; a condition whose value is unset names it."""
    policy = run.policies.policy("tiers", at=today(run.policies, run.at))
    settings = policy.settings
    assert isinstance(settings, TiersSettings)
    ready: Grading | None = None
    undecided = ""
    try:
        ready = grading(run.policies, policy, telling.decimals_of(run.policies))
    except ValueUndecided as error:
        undecided = error.message
    columns = (
        Column("rank", N_("Rank"), right=True),
        Column("tier", N_("Code")),
        Column("label", N_("Tier")),
        Column("who", N_("Who")),
        Column("contact", N_("Contact")),
        Column("services", N_("Services")),
        Column("care", N_("Care")),
        Column("source", N_("Clauses")),
    )
    rows = [
        (
            tier.rank,
            tier.code,
            telling.label_of(tier.labels),
            telling.condition_text(run.policies, ready, position) if ready else undecided,
            contact_text(tier.standard.contact),
            ", ".join(telling.label_of(service) for service in tier.standard.services),
            telling.label_of(tier.standard.care),
            ", ".join(map(str, _clauses(tier))),
        )
        for position, tier in enumerate(settings.tiers)
    ]
    return columns, rows


def _clauses(tier: Tier) -> list[str]:
    return list(dict.fromkeys([*map(str, tier.source), *map(str, tier.standard.source)]))


def contact_text(contact: Contact) -> str:
    """Return how often a tier is contacted, in words."""
    if contact.times is None or contact.every is None:
        return _("as needed")
    told = _(PERIODS[contact.every]).format(times=contact.times)
    ways = ", ".join(_(WAYS[way]) for way in contact.ways)
    return f"{told}, {ways}" if ways else told
