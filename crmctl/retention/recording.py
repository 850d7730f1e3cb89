"""The destruction record (销毁记录): what was destroyed, when, how, by whom and why, naming nobody (DES-03, DES-04)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from crmctl import clock
from crmctl.approvals import records as approvals
from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.policy.policyset import Policy
from crmctl.retention import byhand, earlier, records, trials
from crmctl.retention.planning import ACT
from crmctl.retention.policy import UNOWNED
from crmctl.retention.proving import leaves_of
from crmctl.retention.records import Destruction
from crmctl.retention.rules import of_kind, settings_of
from crmctl.runs import plans
from crmctl.runs.run import Run
from crmctl.runs.tables import run as run_table
from crmctl.store import engine, hygiene

SCHEMA = "crmctl/destruction/1"


def record(run: Run, found: Destruction, checks: Sequence[tuple[str, int]]) -> str:
    """Return the record of a purge whose `checks` found nothing, as canonical ASCII JSON."""
    with engine.read(run.engine) as conn:
        document = {
            "schema": SCHEMA,
            "instance": str(run.workspace.get("instance")),
            **_about_plan(conn, run, found),
            **_about_people(conn, run, found),
            **_about_digests(conn, found),
            "checks": dict(checks),
            "backups": _backups(conn, run, found),
            "trial": _trial(conn, run, found),
            "server": hygiene.kept_by_server(run.engine),
            "verified_at": clock.local(run.at, run.zone),
            "verified_by": run.actor.person,
        }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _about_plan(conn: Connection, run: Run, found: Destruction) -> dict[str, Any]:
    plan = plans.find(conn, found.plan_id, ACT)
    counts = found.counts
    assert found.shredded_at is not None
    return {
        "plan": plan.plan_id,
        "plan_hash": plan.hash,
        "policies": plan.policy_hash,
        "policy": [_policy(policy) for policy in run.policies.of_kind("retention")] if _same(run, plan) else None,
        "destroyed": counts["destroyed"],
        "rules": plan.summary.get("destroy", {}),
        "archived": counts.get("archived", 0),
        "anonymised": counts.get("anonymised", {}),
        "kept": plan.summary.get("keep", {}),
        "spared": counts["spared"],
        "imports": _imports(found),
        "old_values": _old_values(conn, found),
        "do_not_recreate": found.counts.get("barred"),
        "rows": counts.get("rows", {}),
        "source_files": plan.summary.get("batches", []),
        **byhand.left(conn, plan),
        "begun_at": clock.local(found.begun_at, run.zone),
        "shredded_at": clock.local(found.shredded_at, run.zone),
        "erasure_complete_after": clock.local(found.complete_after, run.zone) if found.complete_after else None,
        "master_key": found.master_epoch,
    }


def _imports(found: Destruction) -> dict[str, Any]:
    """Return the imports whose rejected rows were destroyed, and how many; which were spared, and why."""
    told = found.counts.get("imports", {})
    return {
        "destroyed": [{"batch": batch_id, "rejected_rows": rows} for batch_id, rows in told.get("destroyed", ())],
        "spared": told.get("spared", {}),
    }


def _old_values(conn: Connection, found: Destruction) -> dict[str, Any]:
    """Return how many changes of which run lost the values before them, how many kept them, and why.

    They are deleted, their customers' keys are not: `opened_by` are the backups that bring them back.
    """
    told = found.counts.get("old_values", {})
    sets = earlier.of_data(conn, found.begun_at) if any(found.emptied.values()) else []
    return {
        "destroyed": [{"run": number, "changes": changes} for number, changes in found.emptied.items()],
        "spared": told.get("spared", {}),
        "opened_by": [each.number for each in sets],
    }


def _same(run: Run, plan: plans.Plan) -> bool:
    """Say whether the policies are still those of the plan: what is told of others would be wrong."""
    return plan.policy_hash == run.policies.hash


def _policy(policy: Policy) -> dict[str, Any]:
    settings = settings_of(policy)
    clauses = [*settings.source, *(clause for rule in settings.customers for clause in rule.source)]
    basis = {rule.code: dict(rule.basis or {}) for rule in settings.customers}
    for kind in UNOWNED:
        if (given := of_kind(settings, kind)) is not None:
            clauses += given.source
            basis[kind] = dict(given.basis or {})
    return {
        "name": policy.name,
        "version": policy.version,
        "method": settings.method,
        "clauses": list(dict.fromkeys(map(str, clauses))),
        "basis": basis,
    }


def _about_people(conn: Connection, run: Run, found: Destruction) -> dict[str, Any]:
    plan = plans.find(conn, found.plan_id, ACT)
    asked = next(iter(approvals.of_subject(conn, ACT, records.reference(found.plan_id))), None)
    if asked is None:
        raise IntegrityFailed(
            _("plan {plan}: the approval it was carried out with is not in the database any more").format(
                plan=found.plan_id
            ),
            hint=_("no record is issued; crmctl audit verify says what else is missing"),
            code="APPROVAL_LOST",
        )
    made = approvals.decisions(conn, (asked.approval_id,))[asked.approval_id]
    columns = run_table.c
    numbers = found.counts.get("runs") or [found.run_id]
    executed = conn.execute(select(columns.person).where(columns.run_id.in_(numbers)).order_by(columns.run_id))
    return {
        "planned_by": plan.person,
        "planned_at": clock.local(plan.created_at, run.zone),
        "approval": asked.approval_id,
        "approved_by": [
            {
                "person": each.person,
                "for": each.for_person,
                "entered_by": each.entered_by,
                "assurance": each.assurance,
                "document": each.document,
                "at": clock.local(each.decided_at, run.zone),
            }
            for each in made
            if each.decision == "approve"
        ],
        "executed_by": list(dict.fromkeys(executed.scalars())),
    }


def _backups(conn: Connection, run: Run, found: Destruction) -> list[dict[str, Any]]:
    """Return the backups made before and still kept: what they hold of the destroyed opens with no key there is."""
    return [
        {"backup": number, "kind": kind, "made_at": clock.local(made, run.zone), "master_key": epoch}
        for number, kind, made, epoch in earlier.sets(conn, found.begun_at)
    ]


def _trial(conn: Connection, run: Run, found: Destruction) -> dict[str, Any] | None:
    """Return the newest trial of a backup since; None where there is none."""
    trial = trials.newest(conn, found.shredded_at or found.begun_at)
    return None if trial is None else {**trial._asdict(), "at": clock.local(trial.at, run.zone)}


def _about_digests(conn: Connection, found: Destruction) -> dict[str, Any]:
    number, root = leaves_of(conn, found.plan_id)
    return {"digests": number, "digests_root": root.hex()}
