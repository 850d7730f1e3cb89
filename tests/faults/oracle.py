"""What must be true after an import, however often it was killed on the way."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import func, select

from crmctl import clock
from crmctl.audit.tables import audit_entry, change
from crmctl.audit.verify import verify
from crmctl.cli.invocation import Invocation
from crmctl.customers import merge, tables
from crmctl.runs import run as runs
from crmctl.runs import tables as run_tables
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.sheets import batches
from crmctl.sheets.tables import batch
from crmctl.store import engine

ASIDE = ("sealed", "sealed_hash")
_CHANGED = ("object", "object_id", "operation", "version", "fields")


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Run]:
    """Yield a run in a workspace that records nothing."""
    with runs.open_run(Invocation(command="customer list", workspace=folder), "customer list", "customer.list") as run:
        yield run


def states(folder: Path) -> dict[int, str]:
    """Return the state of every batch, by number."""
    with opened(folder) as run, engine.read(run.engine) as conn:
        return {row.batch_id: row.state for row in conn.execute(select(batch))}


def chunks(run: Run) -> list[int]:
    """Return how many chunks of each batch are committed."""
    with engine.read(run.engine) as conn:
        return [row.chunks for row in conn.execute(select(batch).order_by(batch.c.batch_id))]


def runs_of(run: Run, command: str) -> list[tuple[str, int | None]]:
    """Return state and exit code of every run of a command."""
    columns = run_tables.run.c
    query = select(columns.state, columns.exit_code).where(columns.command == command).order_by(columns.run_id)
    with engine.read(run.engine) as conn:
        return [(row.state, row.exit_code) for row in conn.execute(query)]


def contents(folder: Path) -> dict[str, Any]:
    """Return everything imports wrote, opened, in the order of source rows.

    Customers and batches are counted 1, 2, 3 … in the order they were created: a killed run leaves holes in the real
    numbers, which mean nothing. What differs from run to run by nature (envelopes, times of writing) is left out.
    """
    with opened(folder) as run:
        with engine.read(run.engine) as conn:
            customers = conn.execute(select(tables.customer).order_by(tables.customer.c.customer_id)).mappings().all()
            contacts = conn.execute(select(tables.contact).order_by(*tables.contact.primary_key)).mappings().all()
            identities = conn.execute(select(tables.identity)).all()
            changes = conn.execute(select(change.c.customer_id, *(change.c[name] for name in _CHANGED))).all()
            found = batches.newest(conn, 1000)
        rank = {row["customer_id"]: number for number, row in enumerate(customers, 1)}
        imports = {batch.batch_id: number for number, batch in enumerate(reversed(found), 1)}
        keys = run.keys.fetch("customer", rank)
        sealer = Sealer(run.workspace.instance)

        def plain(row: Mapping[str, Any], place: Any, number: int) -> tuple[Any, Any]:
            values = {name: _primitive(value) for name, value in row.items() if name not in ASIDE}
            values["customer_id"] = rank[row["customer_id"]]
            values["batch_id"] = imports[row["batch_id"]]
            values["created_at"] = values["updated_at"] = None
            sealed = sealer.open_json(keys[row["customer_id"]], place, bytes(row["sealed"]), number)
            return values, sealed

        return {
            "batches": [(batch.batch_id, batch.state, batch.cursor, dict(batch.counts)) for batch in found],
            "customers": [plain(row, merge.CUSTOMER_SEALED, 0) for row in customers],
            "contacts": [plain(row, merge.CONTACT_SEALED, row["contact_id"]) for row in contacts],
            "identities": sorted(
                (bytes(row.digest).hex(), row.kind, row.epoch, rank[row.slot] if row.slot else 0, rank[row.customer_id])
                for row in identities
            ),
            "changes": sorted(
                (rank[row[0]], row[1], rank[row[2]] if row[1] == "customer" else row[2], *map(str, row[3:]))
                for row in changes
            ),
            "rejected": [row for batch in found for row in _rejected(run, batch.batch_id, rank, imports)],
        }


def _rejected(run: Run, batch: int, rank: Mapping[int, int], imports: Mapping[int, int]) -> Iterator[tuple[Any, ...]]:
    key = run.keys.key("batch", batch)
    with engine.read(run.engine) as conn:
        for row in batches.rejected_rows(conn, batch, Sealer(run.workspace.instance), key):
            reasons = [
                {**reason, "candidates": [rank[number] for number in reason.get("candidates", [])]}
                for reason in row.reasons
            ]
            yield imports[batch], row.number, reasons, row.state, row.cells


def _primitive(value: object) -> object:
    return clock.stamp(value) if hasattr(value, "tzinfo") else value


def difference(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return where two `contents` differ, few lines of each: an assertion on all of it would say nothing."""
    told = {}
    for part, values in wanted.items():
        if found[part] != values:
            mine, theirs = Counter(map(repr, found[part])), Counter(map(repr, values))
            told[part] = {"more": list(mine - theirs)[:3], "missing": list(theirs - mine)[:3]}
    return told


def complaints(folder: Path) -> list[str]:
    """Return what is wrong with a workspace in which no import is unfinished: nothing, if all is well."""
    with opened(folder) as run:
        found = [problem.message for problem in verify(run.engine, changes=True, rows=True).problems]
        with engine.read(run.engine) as conn:
            customers = set(conn.execute(select(tables.customer.c.customer_id)).scalars())
            numbers = set(conn.execute(select(batch.c.batch_id)).scalars())
            states = Counter(conn.execute(select(batch.c.state)).scalars())
            reserved = conn.execute(select(func.count()).select_from(run_tables.reservation)).scalar_one()
            moments = conn.execute(
                select(batch.c.started_at, tables.customer.c.created_at)
                .join_from(tables.customer, batch, tables.customer.c.batch_id == batch.c.batch_id)
                .distinct()
            ).all()
            told = _told(conn)
            sums = {
                row.batch_id: {name: getattr(row, name) for name in batches.COUNTS}
                for row in conn.execute(select(batch))
            }
        for kind, owners in (("customer", customers), ("batch", numbers)):
            held = list(run.keys.owner_ids(kind))
            found += [f"{kind} {number}: no key" for number in sorted(owners - set(held))[:5]]
            found += [f"{kind} {number}: a key of nobody" for number in sorted(set(held) - owners)[:5]]
            if run.keys.count(kind) != len(owners):
                found.append(f"{run.keys.count(kind)} keys of {len(owners)} owners of kind {kind}")
        if states.keys() - {"done"}:
            found.append(f"unfinished batches: {dict(states)}")
        if reserved:
            found.append(f"{reserved} reservations left")
        found += [f"created at {there}, begun at {begun}" for begun, there in moments if begun != there]
        found += [f"batch {number}: log and batch disagree" for number in sums if told.get(number) != sums[number]]
        found += [f"left behind: {path.name}" for path in run.workspace.spool.iterdir()]
    return found


def _told(conn: Any) -> dict[int, dict[str, int]]:
    """Return what the log's chunk entries add up to, by batch."""
    sums: dict[int, dict[str, int]] = {}
    for body in conn.execute(select(audit_entry.c.body).order_by(audit_entry.c.seq)).scalars():
        entry = orjson.loads(body)
        if entry.get("chunk") is not None:
            total = sums.setdefault(entry["batch"], dict.fromkeys(batches.COUNTS, 0))
            for name, number in entry["counts"].items():
                total[name] += number
    return sums
