"""How books, handovers and findings look to people: the columns of their lists."""

from __future__ import annotations

from typing import Any

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.customers import showing
from crmctl.customers.policy import decimals_of
from crmctl.i18n import N_, _
from crmctl.owners import findings
from crmctl.owners.bench import Bench, bench, said
from crmctl.owners.findings import Finding
from crmctl.owners.handovers import CAUSES, STATES
from crmctl.owners.measure import Measure
from crmctl.owners.telling import code_text, rule_label
from crmctl.runs.run import Run
from crmctl.sheets.formats.money import written
from crmctl.store import engine


def workload_columns(run: Run, people: Bench, used: Measure | None) -> tuple[Column, ...]:
    """Return the columns of `owner workload`."""
    label = showing.labels(run.policies)
    decimals = decimals_of(run.policies)

    def by_tier(counts: dict[str, int]) -> str:
        return ", ".join(f"{label('tier', None if tier == 'none' else tier) or _('ungraded')} {number}"
                         for tier, number in counts.items())  # fmt: skip

    return (
        Column("staff_id", detail=True),
        Column("number", N_("Staff number")),
        Column("name", N_("Full name")),
        Column("customers", N_("Customers"), right=True),
        Column("tiers", N_("By tier"), show=by_tier),
        Column("value", N_("Annual amount"), show=lambda value: written(value, decimals), right=True),
        Column("load", N_("Load"), show=used.text if used else str, right=True),
        Column("capacity", N_("Capacity"), right=True),
        Column("free", N_("Free"), right=True),
        Column("problems", N_("Speaks against"), show=lambda codes: ", ".join(map(said, codes))),
        Column("absences", N_("Absences")),
        Column("deputy", N_("Stands in"), show=people.name),
        Column("stands_in_for", N_("Stands in for")),
    )


def handover_columns(people: Bench) -> tuple[Column, ...]:
    """Return the columns of `owner handover list`."""
    return (
        Column("handover", N_("No."), right=True),
        Column("at", N_("At")),
        Column("from", N_("From whom"), show=people.name),
        Column("to", N_("To whom"), show=people.name),
        Column("reason", N_("Because"), show=lambda code: _(CAUSES.get(code, code))),
        Column("customers", N_("Customers"), right=True),
        Column("accepted", N_("Accepted"), right=True),
        Column("returned", N_("Given back"), right=True),
        Column("state", N_("State"), show=lambda code: _(STATES.get(code, code))),
        Column("ordered_by", N_("Ordered by")),
        Column("run", N_("Run")),
        Column("closed_at", detail=True),
    )


def item_columns(run: Run, people: Bench) -> tuple[Column, ...]:
    """Return the columns of a handover's customers."""
    label = showing.labels(run.policies)
    return (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("tier", N_("Tier"), show=lambda value: label("tier", value)),
        Column("to", N_("To whom"), show=people.name),
        Column("state", N_("State"), show=lambda code: _(STATES.get(code, code))),
        Column("rule", N_("Rule")),
        Column("decided_at", N_("Decided at")),
        Column("decided_by", N_("Decided by")),
        Column("wecom_at", N_("In a WeCom file")),
    )


def reported(run: Run, limit: int, after: int) -> tuple[tuple[Column, ...], list[tuple[Any, ...]]]:
    """Return the columns and rows of what policies in mode report found, by customer number, from after one on."""
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        found = findings.listed(conn, run, limit, after)
    columns = (
        Column("customer", N_("Customer"), show=showing.number_text),
        Column("finding", N_("Finding")),
        Column("action", detail=True),
        Column("from", detail=True),
        Column("to", detail=True),
        Column("runner_up", N_("Runner-up"), show=people.name),
        Column("code", detail=True),
        Column("policy", N_("Policy")),
        Column("version", N_("Version")),
        Column("rule", N_("Rule"), show=lambda value: rule_label(run.policies, value) or (value or ("", ""))[1]),
        Column("inputs", detail=True),
        Column("found_at", N_("Found at")),
        Column("plan", detail=True),
    )
    rows = [
        (
            each.customer_id, finding_text(people, each), each.action, each.before, each.after, each.runner_up,
            each.code, each.policy, each.version, (each.policy, each.rule), dict(each.inputs),
            clock.local(each.found_at, run.zone), each.plan_id,
        )
        for each in found
    ]  # fmt: skip
    return columns, rows


def finding_text(people: Bench, found: Finding) -> str:
    """Return in words what a policy in mode report would do."""
    names = {"before": people.name(found.before), "after": people.name(found.after)}
    if found.action == findings.BACK:
        return _("would go from {before} back to the pool").format(**names)
    if found.action == findings.NOBODY:
        return _("would find nobody: {reason}").format(reason=code_text(found.code or ""))
    if found.before is not None:
        return _("would go from {before} to {after}").format(**names)
    return _("would go to {after}").format(**names)
