"""`purge show`: one plan whole: what it is, who agreed, what became of it, its customers by number, its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.approvals import records as approvals
from crmctl.approvals.beyond import fingerprint
from crmctl.customers.showing import number_text, parse_number
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.retention import byhand, waiting
from crmctl.retention.deciding import ARCHIVE, DESTROY
from crmctl.retention.judging import ARCHIVED
from crmctl.retention.policy import CUSTOMERS
from crmctl.retention.records import Destruction
from crmctl.retention.waiting import Purge
from crmctl.runs.plans import PURGING, Item, read_item
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine

_BECOMING = (DESTROY, PURGING, ARCHIVE, ARCHIVED)  # of whom anything becomes; all others stay


@dataclass(frozen=True)
class Wanted:
    """What to show besides the plan: customers from one on, only those who stay, the record as it is."""

    customers: bool = False
    kept: bool = False
    after: int = 0
    limit: int = 100
    record: bool = False


@dataclass(frozen=True)
class Shown:
    """A purge as it is shown; `looks` are the customers whose numbers it tells, None where it tells none."""

    purge: Purge
    document: dict[str, Any]
    items: list[tuple[str, str, str]] = field(default_factory=list)  # number, what becomes of it, rule or reason
    looks: list[int] | None = None
    record: str | None = None
    names: dict[str, str] = field(default_factory=dict)  # what people call the rules and reasons of `items`


def wanted(given: Mapping[str, Any]) -> Wanted:
    """Return what the options of the command ask for."""
    after = parse_number(given["after"]) if given["after"] else 0
    return Wanted(given["customers"] or given["kept"], given["kept"], after, given["limit"], given["record"])


def show(run: Run, number: int, want: Wanted) -> Shown:
    """Return a purge. Raises Refused for a plan there is not, or a record that is not issued yet."""
    with engine.read(run.engine) as conn:
        found = waiting.find(conn, number, run.at)
        record = _record(found) if want.record else None
        items = _items(conn, number, want) if want.customers else []
        document = _document(conn, run, found)
    rules = _rules(run, found) if items else {}
    rows = [(number_text(item.customer_id), _becomes(item), _why(rules, item)) for item in items]
    looks = [item.customer_id for item in items] if want.customers else None
    document["customers"] = [dict(zip(("customer", "becomes", "why"), row, strict=True)) for row in rows]
    document["next"] = rows[-1][0] if len(rows) == want.limit and rows else None
    return Shown(found, document, rows, looks, record, _names(run, {why for _number, _becomes, why in rows}))


def _names(run: Run, codes: Iterable[str]) -> dict[str, str]:
    from crmctl.retention import telling

    rules = {code: telling.rule(run.policies, code) for code in codes}
    return {code: name if name != code else telling.reason(code) for code, name in rules.items()}


def _record(found: Purge) -> str:
    done = found.destruction
    if done is None or done.record is None:
        raise Refused(
            _("plan {plan}: there is no destruction record yet").format(plan=found.plan.plan_id),
            hint=_("it is issued by: crmctl purge verify {plan}").format(plan=found.plan.plan_id),
            code="RECORD_MISSING",
        )
    return done.record


def _items(conn: Connection, number: int, want: Wanted) -> list[Item]:
    columns = plan_item.c
    query = (
        select(columns.customer_id, columns.action, columns.before, columns.after, columns.detail)
        .where(columns.plan_id == number, columns.customer_id > want.after, columns.detail != "[]")
        .order_by(columns.customer_id)
        .limit(want.limit)
    )
    if want.kept:
        query = query.where(columns.action.not_in(_BECOMING))
    return [read_item(row) for row in conn.execute(query)]


def _becomes(item: Item) -> str:
    return item.action if item.action in _BECOMING else "kept"


def _rules(run: Run, found: Purge) -> dict[tuple[int, int], str]:
    """Return the codes of the rules by policy and position; none where the policies are not those of the plan."""
    if found.plan.policy_hash != run.policies.hash:
        return {}
    from crmctl.retention.selecting import basis

    readies = basis(run, CUSTOMERS).readies
    return {(place, at): rule.code for place, each in readies.items() for at, rule in enumerate(each.rules)}


def _why(rules: Mapping[tuple[int, int], str], item: Item) -> str:
    """Return the reason that keeps a customer, else the rule by which its time is over."""
    return item.after or rules.get((item.detail[0], item.detail[1]), "")


def _document(conn: Connection, run: Run, found: Purge) -> dict[str, Any]:
    plan, asked, done = found.plan, found.approval, found.destruction
    made = approvals.decisions(conn, (asked.approval_id,))[asked.approval_id] if asked else []

    def at(moment: Any) -> str | None:  # noqa: ANN401 - a moment or None
        return None if moment is None else clock.local(moment, run.zone)

    return {
        "plan": plan.plan_id,
        "state": found.state,
        "hash": plan.hash,
        "fingerprint": fingerprint(plan),
        "planned_by": plan.person,
        "planned_at": at(plan.created_at),
        "expires_at": at(plan.expires_at),
        **{name: plan.summary.get(name, {}) for name in ("destroy", "archive", "keep", "states", "reported")},
        **{name: plan.summary.get(name, {}) for name in ("rejected_rows", "old_values")},
        "anonymise": plan.summary.get("anonymise", []),
        "anonymised": done.counts.get("anonymised", {}) if done else {},
        # what the plan said it would be, until it is known what went
        "rows": done.counts.get("rows", {}) if done and done.shredded_at else plan.summary.get("rows", {}),
        "bytes": plan.summary.get("bytes", 0),
        "batches": plan.summary.get("batches", []),
        **byhand.left(conn, plan),
        "paper_planned": plan.summary.get("paper_planned", 0),
        "approval": asked.approval_id if asked else None,
        "approved_by": [each.person for each in made if each.decision == "approve"],
        "begun_at": at(done and done.begun_at),
        "shredded_at": at(done and done.shredded_at),
        "erasure_complete_after": at(done and done.complete_after),
        "destroyed": done.counts.get("destroyed") if done else None,
        "archived": done.counts.get("archived", 0) if done else 0,
        "spared": done.counts.get("spared", {}) if done else {},
        "imports": done.counts.get("imports", {}) if done else {},
        "old_values_done": _old_values(done) if done else {},
        "record_sha256": done.record_hash.hex() if done and done.record_hash else None,
    }


def _old_values(done: Destruction) -> dict[str, Any]:
    """Return how many changes of how many runs lost the values before them, and how many kept them, by reason."""
    spared = done.counts.get("old_values", {}).get("spared", {})
    if not (done.emptied or spared):
        return {}
    return {"runs": len(done.emptied), "changes": sum(done.emptied.values()), "spared": spared}
