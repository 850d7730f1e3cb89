"""How much a plan would destroy, and what else holds those customers: source files, exported copies, paper (DES-06)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, literal, select

from crmctl.audit.tables import look
from crmctl.paper import records as paper
from crmctl.retention import rejected, unowned
from crmctl.retention.belongings import belongings
from crmctl.runs.tables import plan_item
from crmctl.sheets.tables import batch
from crmctl.use.tables import copy_register


@dataclass(frozen=True)
class Weight:
    """What goes: rows by table, bytes of sealed envelopes; imports whose files hold them, copies and paper that do."""

    rows: dict[str, int]
    sealed_bytes: int
    batches: tuple[int, ...]
    copies: tuple[int, ...]
    paper: int

    def document(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "rows": self.rows,
            "bytes": self.sealed_bytes,
            "batches": list(self.batches),
            "copies": list(self.copies),
            "paper_planned": self.paper,
        }


def weigh(conn: Connection, number: int) -> Weight:
    """Return what a saved plan would destroy of those who are in it, not counting provisional customers with them."""
    rows: dict[str, int] = {}
    total = 0
    for table in belongings():
        if table is plan_item:
            continue
        size = func.sum(func.length(table.c.sealed)) if "sealed" in table.c else literal(0)
        query = select(func.count(), size).select_from(plan_item.join(table, _same(table))).where(*_doomed(number))
        found, sealed = conn.execute(query).one()
        if found:
            rows[str(table.name)] = int(found)  # the name is a subclass of str
            total += int(sealed or 0)
    listed = unowned.of(conn, number, rejected.IMPORTS)
    going = [each for each in rejected.read(listed) if not each.why] if listed is not None else []
    if of_imports := sum(each.rows for each in going):
        rows["rejected_row"] = of_imports
    batches = {*_batches(conn, number), *(each.batch_id for each in going)}
    return Weight(rows, total, tuple(sorted(batches)), _copies(conn, number), paper.planned(conn, number))


def _same(table: Any) -> Any:  # noqa: ANN401 - a table of customers' data
    return table.c.customer_id == plan_item.c.customer_id


def _doomed(number: int) -> tuple[Any, ...]:
    return plan_item.c.plan_id == number, plan_item.c.action == "destroy"


def _batches(conn: Connection, number: int) -> tuple[int, ...]:
    """Return the imports that brought them or anything of theirs: their files hold it still."""
    found: set[int] = set()
    for table in (each for each in belongings() if "batch_id" in each.c):
        query = select(table.c.batch_id).distinct().select_from(plan_item.join(table, _same(table)))
        found |= set(conn.execute(query.where(*_doomed(number), table.c.batch_id.is_not(None))).scalars())
    known = conn.execute(select(batch.c.batch_id).where(batch.c.batch_id.in_(found))).scalars() if found else ()
    return tuple(sorted(known))


def _copies(conn: Connection, number: int) -> tuple[int, ...]:
    """Return the copies outside that nobody destroyed yet and that hold any of them: exports, and rejected rows."""
    seen = select(look.c.run_id).distinct().select_from(plan_item.join(look, _same(look))).where(*_doomed(number))
    runs = set(conn.execute(seen).scalars())
    columns = copy_register.c
    query = select(columns.copy_id, columns.run_id).where(columns.disposed_at.is_(None))
    return tuple(sorted(copy for copy, run in conn.execute(query) if run in runs))
