"""The row of a destruction: begun, done, verified; one for each plan that passed the point of no return (DES-04)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from crmctl import clock
from crmctl.approvals import using
from crmctl.audit import entries
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.retention.tables import destruction
from crmctl.runs.plans import APPLYING, Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan
from crmctl.store import engine

BEGUN, DONE, VERIFIED = "begun", "done", "verified"
PROBES = 8  # pieces of destroyed envelopes that the files are searched for afterwards
PROBE_BYTES = 16


@dataclass(frozen=True)
class Destruction:
    """A destruction as it stands; `counts` what was destroyed and spared, by kind and reason."""

    plan_id: int
    state: str
    run_id: int
    begun_at: datetime
    shredded_at: datetime | None
    master_epoch: int | None
    complete_after: datetime | None
    counts: Mapping[str, Any]
    root: bytes | None
    record: str | None
    record_hash: bytes | None
    verified_run_id: int | None

    @property
    def emptied(self) -> dict[int, int]:
        """How many changes of which run lost the values before them."""
        return dict(self.counts.get("old_values", {}).get("destroyed", ()))


def reference(number: int) -> str:
    """Return what a plan is called where its keys were: the shred receipt's reference."""
    return f"plan:{number}"


def begin(run: Run, found: Plan, approval: int | None) -> None:
    """Spend the approval and mark the plan begun: from here on it only goes forward."""
    number = found.plan_id
    with engine.write(run.engine) as conn:
        if approval is not None:
            using.spend(conn, run, approval)
        values = {"state": APPLYING, "applied_run_id": run.run_id}
        conn.execute(update(plan).where(plan.c.plan_id == number).values(**values))
        conn.execute(
            insert(destruction).values(
                plan_id=number, state=BEGUN, run_id=run.run_id, begun_at=clock.now(), counts=dumps({})
            )
        )
        body = run.entry("done", act="purge.begin", at=clock.now(), obj=f"plan:{number}", n=found.items,
                         approval=approval, source=found.hash)  # fmt: skip
        entries.append(conn, body)


def find(conn: Connection, number: int) -> Destruction | None:
    """Return the destruction of a plan; None while it has not begun."""
    row = conn.execute(select(destruction).where(destruction.c.plan_id == number)).mappings().first()
    if row is None:
        return None
    kept = {name: row[name] for name in Destruction.__dataclass_fields__}
    return Destruction(**{**kept, "counts": orjson.loads(row["counts"])})


def begun(conn: Connection, number: int) -> Destruction:
    """Return the destruction of a plan. Raises Refused while it has not begun."""
    found = find(conn, number)
    if found is None:
        raise Refused(
            _("plan {plan}: nothing was destroyed under it").format(plan=number),
            hint=_("see: crmctl purge list"),
            code="PURGE_NOT_BEGUN",
        )
    return found


def add(
    conn: Connection,
    run: Run,
    number: int,
    removed: Mapping[str, int],
    probes: Sequence[bytes],
    of: str = "customers",
    anonymised: Mapping[str, int] | None = None,
) -> None:
    """Add up in a chunk's transaction what was removed, by table, and keep probes of it while there is room.

    Probes of customers, of imports and of runs (`of`) have room of their own. `anonymised` are customers by rule. Other
    chunks that end meanwhile wait for this one's transaction.
    """
    conn.execute(select(destruction.c.plan_id).where(destruction.c.plan_id == number).with_for_update())
    counts = begun(conn, number).counts
    rows = Counter(counts.get("rows", {}))
    rows.update(removed)
    runs = sorted({*counts.get("runs", ()), run.run_id})
    kept: dict[str, list[str]] = dict(counts.get("probes", {}))
    kept[of] = [*kept.get(of, ()), *(probe.hex() for probe in probes)][:PROBES]
    told = {**counts, "rows": rows, "runs": runs, "probes": kept}
    if anonymised:
        told["anonymised"] = Counter(counts.get("anonymised", {})) + Counter(anonymised)
    set_values(conn, number, counts=dumps(told))


def set_values(conn: Connection, number: int, **values: Any) -> None:  # noqa: ANN401 - columns of the table
    """Set columns of a destruction in the caller's transaction."""
    conn.execute(update(destruction).where(destruction.c.plan_id == number).values(**values))


def dumps(value: Mapping[str, Any]) -> str:
    """Return JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
