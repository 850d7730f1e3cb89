"""The end of a purge: stores give back their space, the destruction is on record with the day it is complete."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.clock import parse_stamp
from crmctl.errors import REJECTED_ROWS
from crmctl.retention import earlier, grouping, records
from crmctl.retention.grouping import Leaving
from crmctl.retention.judging import ARCHIVED, SPARED, STAYED
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.plans import Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan, plan_item
from crmctl.security.keystanding import Terms, terms_of
from crmctl.store import engine, hygiene

if TYPE_CHECKING:
    from crmctl.retention.purging import Outcome


def end(run: Run, found: Plan, outcome: Outcome, approval: int | None, leaving: Leaving) -> Outcome:
    """Record that a purge is done, with what it destroyed and when no copy can bring it back."""
    number = found.plan_id
    run.keys.compact()
    hygiene.settle(run.engine)
    made = run.keys.rows.info().masters[-1]
    at = clock.now()
    with engine.write(run.engine) as conn:
        outcome.spared = spared(conn, number)
        outcome.archived = _archived(conn, number)
        counts = records.begun(conn, number).counts
        told = counts.get("imports", {})
        outcome.imports = [batch_id for batch_id, _rows in told.get("destroyed", ())]
        outcome.imports_spared = {int(batch_id): why for batch_id, why in told.get(SPARED, {}).items()}
        told = counts.get("old_values", {})
        outcome.old_values = dict(told.get("destroyed", ()))
        outcome.old_values_spared = Counter(told.get(SPARED, {}))
        outcome.destroyed = counts["going"]
        outcome.rows = Counter(counts.get("rows", {}))
        outcome.anonymised = Counter(counts.get("anonymised", {}))
        grouping.bring_together(conn, leaving)
        counts = {**counts, "destroyed": outcome.destroyed, "spared": outcome.spared}
        counts |= {"archived": outcome.archived} if outcome.archived else {}
        records.set_values(
            conn,
            number,
            state=records.DONE,
            shredded_at=at,
            master_epoch=made.epoch,
            complete_after=_complete_after(conn, run, number, parse_stamp(made.created_at), at),
            counts=records.dumps(counts),
        )
        conn.execute(update(plan).where(plan.c.plan_id == number).values(state=plans.APPLIED))
        runs.finish(conn, run, "done", 0 if outcome.whole else REJECTED_ROWS, outcome.counts())
        body = run.entry("done", at=at, obj=f"plan:{number}", counts=outcome.counts(), approval=approval)
        entries.append(conn, body)
    return outcome


def complete_after(made: datetime, shredded: datetime, terms: Terms) -> datetime:
    """Return from when on no copy of the key store, made before the keys were destroyed, can be opened any more.

    Such a copy is under the master key made at `made` or an older one; the newest is replaced when its rotation is due,
    or now if that is over, and destroyed as `keystanding` says. Later where somebody is late (security.md 2(c)).
    """
    replaced = max(shredded, made + timedelta(terms.rotation))
    return max(made + timedelta(terms.horizon), replaced + timedelta(terms.horizon - terms.rotation))


def _complete_after(conn: Connection, run: Run, number: int, made: datetime, at: datetime) -> datetime | None:
    """Return when no copy of the keys nor, of values before changes, any backup brings back what a plan destroyed.

    None where nobody can say, as the policy does not tell when those backups go.
    """
    keys, found = complete_after(made, at, terms_of(run.workspace)), records.begun(conn, number)
    sets = earlier.of_data(conn, found.begun_at) if any(found.emptied.values()) else []
    if not sets:
        return keys
    backups = earlier.gone_after(run.policies, sets)
    return None if backups is None else max(keys, backups)


def spared(conn: Connection, number: int) -> Counter[str]:
    """Return how many customers of a plan were spared, by reason."""
    columns = plan_item.c
    query = select(columns.after, func.count()).where(columns.plan_id == number, columns.action.in_((SPARED, STAYED)))
    return Counter({reason: int(many) for reason, many in conn.execute(query.group_by(columns.after))})


def _archived(conn: Connection, number: int) -> int:
    columns = plan_item.c
    query = select(func.count()).where(columns.plan_id == number, columns.action == ARCHIVED)
    return int(conn.execute(query).scalar_one())
