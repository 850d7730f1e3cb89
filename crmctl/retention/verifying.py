"""`purge verify`: prove that what a plan destroyed is gone, then issue the destruction record (DES-04, DES-05).

Everything is looked for again from what the log says was destroyed: rows, identities, images and salts, rejected rows,
values before changes, keys in every store, and pieces of the destroyed envelopes in the files of the database. Only
where nothing is found is there a record; what the newest trial of a backup showed is in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Connection, func, or_, select

from crmctl import clock
from crmctl.audit import checkpoints, entries, signing
from crmctl.audit.tables import change, look
from crmctl.customers.tables import identity
from crmctl.errors import IntegrityFailed, Locked, Refused
from crmctl.i18n import _
from crmctl.retention import oldvalues, recording, records, rightly, trials
from crmctl.retention.belongings import belongings
from crmctl.retention.proving import leaves_of
from crmctl.retention.records import Destruction
from crmctl.retention.trials import Trial
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.keywrap import OWNER_KINDS
from crmctl.sheets.tables import batch, rejected_row
from crmctl.store import bulk, engine, hygiene

_AT_ONCE = 10_000
_PIECE = 16 << 20  # bytes of a file searched at once


@dataclass(frozen=True)
class Check:
    """One thing that was looked for: `code`, how many places were searched, how many times something was found."""

    code: str
    looked: int
    found: int


@dataclass(frozen=True)
class Verified:
    """What verification found, and the record it issued; `signed` says whether a checkpoint covers it already.

    `trial` is the newest trial of a backup since, `untried` says that there are backups and none was tried.
    """

    run_id: int | None
    plan_id: int
    checks: tuple[Check, ...]
    record: str | None
    record_hash: str | None
    signed: bool
    trial: Trial | None = None
    untried: bool = False

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not any(check.found for check in self.checks)


def verify(run: Run, number: int) -> Verified:
    """Check a purge that is done, issue its record the first time; a dry run checks and writes nothing.

    Raises Refused for one that is not done, Locked while others still read what was before (SQLite), IntegrityFailed
    where anything is left.
    """
    with engine.read(run.engine) as conn:
        found = records.begun(conn, number)
    if found.state == records.BEGUN:
        raise Refused(
            _("plan {plan}: its purge is not finished").format(plan=number),
            hint=_("finish it: crmctl purge run {plan}").format(plan=number),
            code="PURGE_UNFINISHED",
        )
    if found.state != records.VERIFIED:  # later its own hash is in the log
        with engine.read(run.engine) as conn:
            rightly.require(conn, plans.find(conn, number, plans.PURGE))
            rightly.require_settled(conn, number, found.root or b"")
    if not hygiene.settle(run.engine):
        raise Locked(
            _("plan {plan}: somebody reads the database as it was before, so its files cannot be searched").format(
                plan=number
            ),
            hint=_("wait until other commands are done, then verify again"),
            code="DATABASE_READ",
        )
    checks = tuple(_checks(run, found))
    outcome = Verified(None, number, checks, found.record, _hex(found.record_hash), False, *_tried(run, found))
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        if not outcome.clean:
            _refuse(run, outcome)
        record = found.record or recording.record(run, found, [(each.code, each.looked) for each in checks])
        digest = sha256(record.encode()).digest()
        _keep(run, found, record, digest)
    return replace(outcome, run_id=run.run_id, record=record, record_hash=digest.hex(), signed=_signed(run))


def _checks(run: Run, found: Destruction) -> Iterator[Check]:
    with engine.read(run.engine) as conn:
        customers = destroyed(conn, found)
        leaves, root = leaves_of(conn, found.plan_id)
        imports = [batch_id for batch_id, _rows in found.counts.get("imports", {}).get("destroyed", ())]
        told = len(customers) + len(imports) + len(found.emptied)
        yield Check("digests", leaves, abs(leaves - told) or int(root != found.root))
        yield Check("rows", len(customers), rows_left(conn, customers))
        yield Check("identities", len(customers), ways_left(conn, customers))
        yield Check("images", len(customers), images_left(conn, customers))
        if imports:
            yield Check("rejected_rows", len(imports), _quarantined(conn, imports))
        if found.emptied:
            yield Check("old_values", len(found.emptied), _old_values(conn, found))
    stores, keys = keys_left(run, {"customer": customers, "batch": imports})
    yield Check("keys", stores * (len(customers) + len(imports)), keys)
    files = list(_files(run))
    probes = [bytes.fromhex(text) for kept in found.counts.get("probes", {}).values() for text in kept]
    yield Check("files", len(files), sum(_contains(path, probes) for path in files))


def _tried(run: Run, found: Destruction) -> tuple[Trial | None, bool]:
    with engine.read(run.engine) as conn:
        trial = trials.newest(conn, found.shredded_at or found.begun_at)
        return trial, trial is None and trials.any_set(conn)


def destroyed(conn: Connection, found: Destruction) -> list[int]:
    """Return the numbers of the customers that a purge destroyed, as the change log has them."""
    columns = change.c
    query = select(columns.customer_id).where(
        columns.run_id.in_(found.counts.get("runs", ())), columns.object == "customer", columns.operation == "destroy"
    )
    return sorted(conn.execute(query).scalars())


def rows_left(conn: Connection, customers: Sequence[int]) -> int:
    """Return how many rows of customers there are, in any table that belongs to them."""
    found = 0
    for table in belongings():
        for part in _parts(customers):
            found += len(bulk.fetch_by_keys(conn, table, "customer_id", part, ("customer_id",)))
    return found


def ways_left(conn: Connection, customers: Sequence[int]) -> int:
    """Return how many identities lead to customers."""
    query = select(func.count()).select_from(identity).where(bulk.among(conn, identity.c.customer_id, customers))
    return int(conn.execute(query).scalar_one())


def images_left(conn: Connection, customers: Sequence[int]) -> int:
    """Return how many changes and looks of them still have an image or a salt."""
    columns = change.c
    kept = or_(columns.salt.is_not(None), columns.before_clear.is_not(None), columns.before_sealed.is_not(None))
    query = select(func.count()).select_from(change).where(kept, bulk.among(conn, change.c.customer_id, customers))
    salted = (
        select(func.count())
        .select_from(look)
        .where(look.c.salt.is_not(None), bulk.among(conn, look.c.customer_id, customers))
    )
    return int(conn.execute(query).scalar_one()) + int(conn.execute(salted).scalar_one())


def keys_left(run: Run, owners: Mapping[str, Sequence[int]]) -> tuple[int, int]:
    """Return how many key stores there are, and how many keys of these owners, by kind, are in them."""
    stores = [run.keys.rows, *([run.keys.mirror.store().rows] if run.keys.mirror is not None else [])]
    found = sum(
        len(store.select(OWNER_KINDS[kind], part))
        for store in stores for kind, numbers in owners.items() for part in _parts(numbers)
    )  # fmt: skip
    return len(stores), found


def _quarantined(conn: Connection, imports: Sequence[int]) -> int:
    """Return how many rejected rows of these imports are left, and how many of them have anything sealed."""
    rows = select(func.count()).where(bulk.among(conn, rejected_row.c.batch_id, imports))
    columns = batch.c
    sealed = select(func.count()).where(bulk.among(conn, columns.batch_id, imports), func.length(columns.sealed) > 0)
    return int(conn.execute(rows).scalar_one()) + int(conn.execute(sealed).scalar_one())


def _old_values(conn: Connection, found: Destruction) -> int:
    """Return how many changes of the runs that went have values before them, besides those that were spared then."""
    spared = dict(found.counts["old_values"]["left"])
    left = oldvalues.left(conn, list(found.emptied))
    return sum(max(0, many - spared.get(number, 0)) for number, many in left.items())


def _parts(customers: Sequence[int]) -> Iterator[Sequence[int]]:
    return (customers[at : at + _AT_ONCE] for at in range(0, len(customers), _AT_ONCE))


def _files(run: Run) -> Iterator[Path]:
    """Yield the files of a SQLite database."""
    if run.engine.dialect.name == "sqlite":
        database = Path(str(run.engine.url.database))
        for path in (database, *(database.with_name(database.name + suffix) for suffix in ("-wal", "-journal"))):
            if path.exists() and path.stat().st_size:
                yield path


def _contains(path: Path, probes: Sequence[bytes]) -> int:
    """Return how many of the probes are anywhere in a file."""
    found: set[bytes] = set()
    with path.open("rb") as stream:
        before = b""  # a probe may lie across two pieces
        while piece := stream.read(_PIECE):
            data = before + piece
            found.update(probe for probe in probes if probe in data)
            before = data[-records.PROBE_BYTES :]
    return len(found)


def _refuse(run: Run, outcome: Verified) -> None:
    """Log what was found, and raise IntegrityFailed: there is no record of a destruction that left something."""
    left = {each.code: each.found for each in outcome.checks if each.found}
    with engine.write(run.engine) as conn:
        entries.append(conn, run.entry("failed", at=clock.now(), obj=f"plan:{outcome.plan_id}", counts=left))
    raise IntegrityFailed(
        _("plan {plan}: something is left of what it destroyed: {left}").format(
            plan=outcome.plan_id, left=", ".join(f"{code} {number}" for code, number in left.items())
        ),
        hint=_("no record is issued; tell whoever keeps the database, then verify again"),
        code="PURGE_LEFT",
        details={"plan": outcome.plan_id, "left": left},
    )


def _keep(run: Run, found: Destruction, record: str, digest: bytes) -> None:
    """Keep the record and commit to it in the log: the next checkpoint signs it."""
    with engine.write(run.engine) as conn:
        if found.state != records.VERIFIED:
            records.set_values(
                conn,
                found.plan_id,
                state=records.VERIFIED,
                record=record,
                record_hash=digest,
                verified_run_id=run.run_id,
            )
        number = int(found.counts.get("destroyed", 0))
        runs.finish(conn, run, "done", 0, {"destroyed": number})
        entries.append(
            conn, run.entry("done", at=clock.now(), obj=f"plan:{found.plan_id}", n=number, source=digest.hex())
        )


def _signed(run: Run) -> bool:
    """Sign the log, and with it the record, where this account has the signer; else the next checkpoint does it."""
    if not signing.readable(run.workspace.signer):
        return False
    with runs.hold(run, "checkpoint"):
        checkpoints.make(run)
    return True


def _hex(digest: bytes | None) -> str | None:
    return None if digest is None else digest.hex()
