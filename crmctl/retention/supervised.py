"""A supervision of destruction, and what rules on trial found, in words and JSON (DES-05, RULE-07)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crmctl import clock
from crmctl.cli.render import Column, Part, Table
from crmctl.customers.showing import number_text
from crmctl.i18n import N_, _
from crmctl.retention import telling
from crmctl.retention.findings import Finding
from crmctl.retention.supervising import Figures, Standing
from crmctl.runs.run import Run

OUTCOMES = {"compliant": N_("compliant"), "deficient": N_("deficient")}


def document(run: Run, found: Figures, stands: Standing) -> dict[str, Any]:
    """Return the JSON of a supervision."""
    return {
        "run_id": run.run_id,
        "since": None if found.since is None else clock.local(found.since, run.zone),
        "supervise_by": None if stands.due_on is None else stands.due_on.isoformat(),
        "supervision_overdue": stands.overdue,
        "wrong": found.wrong,
        "undecided": found.undecided or None,
        "due": dict(found.due),
        "overdue": None if found.overdue is None else dict(found.overdue),
        "longest_days": found.longest,
        "destroyed": {str(plan): number for plan, number in found.destroyed.items()},
        "unfinished": list(found.unfinished),
        "unverified": list(found.unverified),
        "unapproved": list(found.unapproved),
        "sampled": found.sampled,
        "found": found.found,
        "copies_overdue": found.copies_overdue,
        "paper_overdue": found.paper_overdue,
    }


def parts(run: Run, found: Figures, stands: Standing) -> Iterator[Part]:
    """Yield what people read of a supervision."""
    policies = run.policies
    since = _("the beginning") if found.since is None else clock.local(found.since, run.zone)
    overdue = _("no time is decided") if found.overdue is None else telling.by_rule(policies, found.overdue)
    lines: list[tuple[str, str]] = [
        (_("Since"), since),
        (_("May be destroyed, not destroyed"), telling.by_rule(policies, found.due)),
        (_("Of these overdue"), overdue),
        (_("Longest waiting, days"), f"{found.longest:,}" if found.due else ""),
        (_("Purges"), f"{len(found.destroyed):,}"),
        (_("Customers destroyed"), f"{sum(found.destroyed.values()):,}"),
        (_("Not agreed to as they must be"), _plans(found.unapproved)),
        (_("Begun, not finished"), _plans(found.unfinished)),
        (_("Done, not verified"), _plans(found.unverified)),
        (_("Looked for again, found"), f"{found.sampled:,}, {found.found:,}"),
        (_("Copies that should be gone"), f"{found.copies_overdue:,}"),
        (_("Paper items that should be gone"), f"{found.paper_overdue:,}"),
    ]
    yield Table((Column("what", N_("What")), Column("value", N_("Value"))), [(a, b or "0") for a, b in lines])
    if found.undecided:
        yield found.undecided
    if stands.due_on is not None:
        told = _("supervision was due by {day}") if stands.overdue else _("supervision is due by {day}")
        yield told.format(day=stands.due_on.isoformat())


def found(run: Run, findings: Sequence[Finding]) -> Table:
    """Return whom policies in mode report would destroy."""
    columns = (
        Column("customer", N_("Customer")),
        Column("rule", N_("Rule"), lambda code: telling.rule(run.policies, code)),
        Column("policy", N_("Policy")),
        Column("version", N_("Version"), right=True),
        Column("found_at", N_("Found")),
    )
    rows = [
        (number_text(each.customer_id), each.rule, each.policy, each.version, clock.local(each.found_at, run.zone))
        for each in findings
    ]
    return Table(columns, rows, "findings")


def _plans(numbers: Sequence[int]) -> str:
    return ", ".join(_("plan {plan}").format(plan=number) for number in numbers)
