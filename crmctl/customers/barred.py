"""Who asked to be forgotten and is not to be entered again for a while, known by keyed digests alone (PIPL art. 47).

The digests are under a key of their own that never changes: who they are of can only be asked by whoever brings the
value, as an import does. Optional, by the retention policy; purges fill it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import select

from crmctl.customers.model import UNIQUE, Row
from crmctl.customers.packing import ident_function
from crmctl.customers.tables import do_not_recreate
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.store import engine

OWNER, NUMBER = "do_not_recreate", 1  # of the key in the key store


class Barred:
    """The digests of an import's source, ready to be asked; picklable, for the sealing process."""

    def __init__(self, index: BlindIndex, source: str, digests: Iterable[bytes]) -> None:
        self.index, self.source = index, source
        self.digests = frozenset(digests)
        self._ident = ident_function(index, source)

    def __reduce__(self) -> tuple[Any, ...]:
        return Barred, (self.index, self.source, self.digests)

    def has(self, row: Row) -> bool:
        """Say whether one of the values that decide who a row is belongs to somebody who asked to be forgotten."""
        return any(self._ident(key.kind, key.value)[:16] in self.digests for key in row.keys if key.strength == UNIQUE)


def of(run: Run, source: str) -> Barred | None:
    """Return who must not be entered again on the company's day; None where there is nobody."""
    day = runs.today(run.policies, run.at).isoformat()
    query = select(do_not_recreate.c.digest).where(do_not_recreate.c.until_on >= day)
    with engine.read(run.engine) as conn:
        digests = [bytes(digest) for digest in conn.execute(query).scalars()]
    if not digests:
        return None
    return Barred(index_of(run), source, digests)


def index_of(run: Run, *, make: bool = False) -> BlindIndex:
    """Return what digests are made with; with `make` its key is made where there is none yet. Raises KeyMissing."""
    if make and not run.keys.fetch(OWNER, (NUMBER,)):
        run.keys.add(run.keys.wrapper.wrap(run.keys.wrapper.new_keys(OWNER, [NUMBER])))
    return BlindIndex(run.keys.key(OWNER, NUMBER).secret, NUMBER)
