"""Values before changes destroyed: the change log of a plan's runs loses its images and keeps hashes, salts, leaves.

It is deletion: what was before is sealed under the customer's key, which lives on, so that backups made before still
open it. Each transaction takes as many changes as it may and says in the log of which runs; what `audit verify` finds
without images must be accounted for there. Done again without harm, killed anywhere: what is empty is not found again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Select, delete, select, tuple_, update

from crmctl import clock, holds
from crmctl.audit import entries
from crmctl.audit.tables import IMAGES, change
from crmctl.retention import oldvalues, records, unowned
from crmctl.retention.oldvalues import RUNS, Old
from crmctl.retention.records import PROBE_BYTES
from crmctl.retention.unowned import Require
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.security.sealing import TAG_BYTES
from crmctl.store import bulk, engine

AT_ONCE = 20_000  # changes in one transaction …
RUNS_AT_ONCE = 250  # … and runs, each with an entry of its own
_PROBED = 2  # images of a transaction
_IMAGES = {"before_clear": None, "before_sealed": None}


def clear(run: Run, number: int, require: Require) -> None:
    """Empty the images of the runs that a plan has settled to go, but for those of customers who are held.

    `require` says whether an item is what was fixed; what it was asked about is what is emptied.
    """
    with engine.read(run.engine) as conn:
        item = unowned.of(conn, number, RUNS)
        if item is None:
            return
        require(conn, number, (item,))
    runs = oldvalues.read(item)
    gone, spared = unowned.going(item, runs)
    closed = False
    while not closed:  # once more where a hold was lifted meanwhile
        for some in _groups(gone):
            while _piece(run, number, some):
                pass
        closed = _close(run, number, gone, [(each, spared[each.run_id]) for each in runs if each.run_id in spared])


def _groups(gone: Sequence[Old]) -> Iterator[list[int]]:
    """Yield runs by number, as many at a time as one transaction should take."""
    some, changes = list[int](), 0
    for each in gone:
        if some and (changes + each.changes > AT_ONCE or len(some) == RUNS_AT_ONCE):
            yield some
            some, changes = [], 0
        some.append(each.run_id)
        changes += each.changes
    if some:
        yield some


def _piece(run: Run, number: int, runs: Sequence[int]) -> bool:
    """Empty some of what these runs have; return whether there may be more."""
    if run.held is not None:
        run.held.check()
    with engine.write(run.engine) as conn:
        holds.keep_others_out(conn)
        if holds.everybody(conn):
            return False
        columns = change.c
        some = (
            select(columns.customer_id, columns.change_id)
            .where(IMAGES, bulk.among(conn, columns.run_id, runs), columns.customer_id.not_in(oldvalues.held(run.at)))
            .order_by(columns.run_id, columns.change_id)
            .limit(AT_ONCE)
        )
        probes = _probes(conn, some)
        query = update(change).where(tuple_(columns.customer_id, columns.change_id).in_(some)).values(_IMAGES)
        emptied = Counter(conn.execute(query.returning(columns.run_id)).scalars())
        if emptied:
            _record(conn, run, number, emptied, probes)
    return emptied.total() >= AT_ONCE


def _record(conn: Connection, run: Run, number: int, emptied: Counter[int], probes: Sequence[bytes]) -> None:
    """Note how many changes of each run were emptied: in the destruction, and each run in the log."""
    records.add(conn, run, number, {}, probes, of=RUNS)
    counts = records.begun(conn, number).counts
    so_far = Counter({int(each): many for each, many in counts.get("emptied", {}).items()})
    so_far.update(emptied)
    told = {str(each): many for each, many in so_far.items()}
    records.set_values(conn, number, counts=records.dumps({**counts, "emptied": told}))
    for each, many in sorted(emptied.items()):
        body = run.entry("done", at=clock.now(), obj=records.reference(number), emptied=each, n=many)
        entries.append(conn, body)


def _close(run: Run, number: int, gone: Sequence[Old], spared: Sequence[tuple[Old, str]]) -> bool:
    """Record what went and what stays and why, once nothing is left but what is held; return whether that is so."""
    runs = [each.run_id for each in gone]
    with engine.write(run.engine) as conn:
        holds.keep_others_out(conn)
        left, frozen = oldvalues.left(conn, runs), holds.everybody(conn)
        kept = Counter({f"hold:{frozen}": sum(left.values())} if frozen and left else {})
        if left and not frozen:
            kept = oldvalues.staying(conn, list(left), run.at)
            if kept.total() < sum(left.values()):
                return False
        for each, why in spared:
            kept[why] += each.changes
        counts = dict(records.begun(conn, number).counts)
        emptied = counts.pop("emptied", {})
        told = {
            "destroyed": [[each, emptied.get(str(each), 0)] for each in runs],
            "spared": dict(kept),
            "left": [[each, many] for each, many in left.items()],
        }
        records.set_values(conn, number, counts=records.dumps({**counts, "old_values": told}))
        conn.execute(delete(plan_item).where(*unowned.where(number, RUNS)))
    return True


def _probes(conn: Connection, some: Select[tuple[int, int]]) -> list[bytes]:
    """Return pieces of some of the envelopes that are about to go, to be searched for in the files."""
    columns = change.c
    chosen = (
        select(columns.before_sealed)
        .where(tuple_(columns.customer_id, columns.change_id).in_(some), columns.before_sealed.is_not(None))
        .limit(_PROBED)
    )
    return [bytes(each[-PROBE_BYTES - TAG_BYTES : -TAG_BYTES]) for each in conn.execute(chosen).scalars()]
