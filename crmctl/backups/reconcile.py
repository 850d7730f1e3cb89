"""What was destroyed stays destroyed: a restored database is brought in line with the keys there are.

A customer without a key was destroyed after the set was made. It goes with everything of it, as a purge would have it:
each protected row leaves a `destroy` change, images and salts are emptied, hashes and leaves stay. The other way round,
a key that an older set of keys brought back is destroyed again where the log says that its customer was.

Customers without a key are removed only where receipts of the key store account for them: else it is the key store
that lacks something, and nothing may be removed for that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, Engine, select, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.audit.tables import change
from crmctl.customers.opened import pages
from crmctl.errors import KeyMissing
from crmctl.i18n import _
from crmctl.paper import marking
from crmctl.retention.destroying import destroy, protected_rows
from crmctl.retention.forgetting import forget_cases
from crmctl.runs import chunks
from crmctl.security.keywrap import OWNER_KINDS
from crmctl.store import bulk, counters, engine, schema

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.keystore import KeyStore

AT_ONCE = 2_000  # customers in one transaction
OURS = "restore:"  # references of keys destroyed again: they were counted when they were destroyed first
# Numbers that keys are kept under: a restored database must give none that has a key already.
_COUNTED = ("customer", "batch", "document", "staff", "run")


class Standing(NamedTuple):
    """How database and keys stand to each other.

    `keyless` customers have rows and no key, `returned` ones were destroyed and have a key again; `destroyed` is how
    many the log says were destroyed, `receipts` how many keys the key store says it destroyed.
    """

    keyless: tuple[int, ...]
    returned: tuple[int, ...]
    destroyed: int
    receipts: int

    @property
    def unaccounted(self) -> int:
        """How many customers lack a key that nobody destroyed."""
        return max(0, len(self.keyless) - max(0, self.receipts - self.destroyed))


def standing(run: Run) -> Standing:
    """Compare every customer of the run's database with the run's key store."""
    owners = run.keys.owner_ids("customer")
    keyless = tuple(_without((number for page in pages(run) for number in page), owners))
    gone = set(destroyed(run))
    returned: list[int] = []
    for some in _batches(sorted(gone)):
        returned += run.keys.fetch("customer", some)
    return Standing(keyless, tuple(sorted(returned)), len(gone), _receipts(run, "customer"))


def destroyed(run: Run) -> list[int]:
    """Return the customers that the log says were destroyed and that have no row, ascending."""
    columns, customers = change.c, schema.load_all().tables["customer"]
    query = select(columns.customer_id).where(columns.object == "customer", columns.operation == "destroy").distinct()
    with engine.read(run.engine) as conn:
        said = sorted(conn.execute(query).scalars())
        living = {
            number
            for some in _batches(said)
            for (number,) in bulk.fetch_by_keys(conn, customers, "customer_id", some, ("customer_id",))
        }
    return [number for number in said if number not in living]


def _without(numbers: Iterator[int], owners: Iterator[int]) -> Iterator[int]:
    """Yield the numbers that are none of the owners; both ascend."""
    owner = next(owners, None)
    for number in numbers:
        while owner is not None and owner < number:
            owner = next(owners, None)
        if owner != number:
            yield number


def require_accounted(found: Standing, accepted: int) -> None:
    """Raise KeyMissing where customers lack keys that nobody destroyed, unless exactly so many are given up."""
    if found.unaccounted and found.unaccounted != accepted:
        raise KeyMissing(
            _("{number} customers have no key, and the key store does not say that it destroyed theirs").format(
                number=found.unaccounted
            ),
            hint=_(
                "it is older than the data: give a newer one (--keys, --keys-set). If there is none, they cannot be "
                "read by anybody; --give-up {number} removes them"
            ).format(number=found.unaccounted),
            code="KEYS_INCOMPLETE",
        )


def remove(run: Run, customers: Sequence[int], tell: Callable[[int], None]) -> dict[str, int]:
    """Remove these customers and all that is theirs; return how many rows of which table went.

    Each chunk is a transaction with its entry; the run must have begun.
    """
    gone: dict[str, int] = {}
    for ordinal, some in enumerate(_batches(customers)):
        with engine.read(run.engine) as conn:
            rows = protected_rows(conn, some)
        counts = chunks.write(run, ordinal, len(some), rows, partial(_fill, run, customers=some))
        for name, number in counts.items():
            gone[name] = gone.get(name, 0) + number
        tell(len(some))
    return gone


def _fill(run: Run, conn: Connection, log: Changes, customers: Sequence[int]) -> dict[str, int]:
    """Remove them as a purge does, and whatever held them when the set was made; their paper is due."""
    marking.make_due(conn, run, customers)
    forget_cases(conn, customers)
    return dict(destroy(conn, log, customers, held=True))


def forget_quarantine(run: Run) -> int:
    """Remove what is sealed of imports whose key was destroyed since: rejected rows, file name; return how many rows.

    Only as far as receipts account for the missing keys: else it is the key store that lacks something. Keys that an
    older set of keys brought back, of imports that the database knows as destroyed, are destroyed again.
    """
    tables = schema.load_all().tables
    rejected, columns = tables["rejected_row"], tables["batch"].c
    query = select(columns.batch_id, columns.destroyed_at).order_by(columns.batch_id)
    with engine.read(run.engine) as conn:
        rows = conn.execute(query).all()
    returned = list(run.keys.fetch("batch", [number for number, destroyed in rows if destroyed is not None]))
    if returned:
        run.keys.remove("batch", returned, reference=f"{OURS}{run.run_id}")
    keyless = list(_without((number for number, destroyed in rows if destroyed is None), run.keys.owner_ids("batch")))
    known = sum(destroyed is not None for _number, destroyed in rows)  # their receipts account for nothing else
    if not keyless or len(keyless) > _receipts(run, "batch") - known:
        return 0
    with engine.write(run.engine) as conn:
        theirs = bulk.among(conn, columns.batch_id, keyless)
        conn.execute(update(tables["batch"]).where(theirs).values(sealed=b"", destroyed_at=run.at))
        gone = Counter(row[0] for row in bulk.remove_rows(conn, rejected, "batch_id", keyless, ("batch_id",)))
        for number in keyless:
            entries.append(conn, run.entry("done", at=clock.now(), batch=number, n=gone[number]))
    return gone.total()


def _receipts(run: Run, owner_kind: str) -> int:
    """Return how many keys of a kind of owner were destroyed, by the key store's receipts."""
    kind = OWNER_KINDS[owner_kind]
    rows = [row for row in run.keys.rows.receipts() if row.owner_kind == kind]
    return sum(row.keys for row in rows if not row.reference.startswith(OURS))


def destroy_again(run: Run, customers: Sequence[int]) -> int:
    """Destroy the keys of customers that the log says were destroyed; return how many."""
    return run.keys.remove("customer", customers, reference=f"{OURS}{run.run_id}") if customers else 0


def go_past(base: Engine, keys: KeyStore) -> None:
    """Let numbers be given from behind the highest that has a key: a key is never given to a second owner.

    Numbers of paper have no key and stand on folders: as many are left out as runs were, at least, since the set was
    made.
    """
    with engine.write(base) as conn:
        for name in _COUNTED:
            highest = max(keys.owner_ids(name), default=0)
            following = counters.take(conn, name, 0)
            if following <= highest:
                counters.take(conn, name, highest - following + 1)
                if name == "run":  # each item of paper is registered by a run of its own
                    counters.take(conn, "paper", highest - following + 1)


def _batches(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    rest = iter(numbers)
    while some := list(islice(rest, AT_ONCE)):
        yield some
