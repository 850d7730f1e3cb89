"""Identities made from nothing, after a restore: backups leave them out, since they are derived (security.md 2(b)).

Each customer gets the identities that an import of today would give it. Where two have one that only one may have, the
first keeps it and the other can be found by it, no more; an import then asks a person, as it does of any such pair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import orjson
from sqlalchemy import func, select

from crmctl.customers import record, tables
from crmctl.customers.columns import IDENTITY
from crmctl.customers.model import LOOK_UP, UNIQUE
from crmctl.customers.opened import Opened, opened, pages
from crmctl.customers.packing import CODE, CONTACT_NAME, ROW, Ident, effective_kind, ident_function
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.records import settings_of
from crmctl.customers.rekeying import row_digests
from crmctl.runs.run import Run
from crmctl.security.identity import BlindIndex
from crmctl.sheets.tables import batch
from crmctl.store import bulk, engine

Value = tuple[int, str, str, bool]  # kind, comparable value, source system of a code, whether only one may have it


class _Idents:
    """Idents under the newest index key, by source system of codes and rows."""

    def __init__(self, index: BlindIndex) -> None:
        self._index = index
        self._made: dict[str, Ident] = {}

    def of(self, kind: int, text: str, source: str) -> bytes:
        ident = self._made.get(source)
        if ident is None:
            ident = self._made[source] = ident_function(self._index, source)
        return ident(kind, text)


def rebuild(run: Run, tell: Callable[[int], None]) -> tuple[int, int]:
    """Make the identities of all customers anew; `tell` hears of customers. Needs the table to be empty.

    Returns how many there are, and how many of those that only one customer may have were claimed by several.
    """
    newest, keys = run.keys.index_keys()
    idents, settings = _Idents(BlindIndex(keys[newest], newest)), settings_of(run)
    with engine.read(run.engine) as conn:
        sources = dict(conn.execute(select(batch.c.batch_id, batch.c.source)).tuples().all())
    shared = 0
    for numbers in pages(run):
        shared += _chunk(run, numbers, idents, settings, sources, newest)
        tell(len(numbers))
    with engine.read(run.engine) as conn:
        return int(conn.execute(select(func.count()).select_from(tables.identity)).scalar_one()), shared


def _chunk(
    run: Run,
    numbers: Sequence[int],
    idents: _Idents,
    settings: CustomersSettings,
    sources: Mapping[int, str],
    epoch: int,
) -> int:
    claims: dict[bytes, list[int]] = {}
    fresh: set[tuple[bytes, int, int, int, int]] = set()
    for customer in opened(run, numbers):
        for kind, text, source, exclusive in values_of(settings, customer, sources):
            ident = idents.of(kind, text, source)
            if exclusive:
                claims.setdefault(ident, []).append(customer.number)
            else:
                fresh.add((ident[:16], ident[16], epoch, customer.number, customer.number))
    shared = 0
    with engine.write(run.engine) as conn:
        asked = [(ident[:16], ident[16], epoch, 0) for ident in sorted(claims)]
        held = bulk.fetch_pairs(conn, tables.identity, IDENTITY[:4], asked, ("digest", "kind"))
        taken = {digest + bytes((kind,)) for digest, kind in held}
        for ident, claimed in claims.items():
            customers = list(dict.fromkeys(claimed))
            if ident not in taken:
                fresh.add((ident[:16], ident[16], epoch, 0, customers.pop(0)))
            shared += len(customers)
            fresh.update((ident[:16], ident[16], epoch, number, number) for number in customers)
        bulk.insert_rows(conn, tables.identity, IDENTITY, sorted(fresh))
    return shared


def values_of(settings: CustomersSettings, customer: Opened, sources: Mapping[int, str]) -> Iterator[Value]:
    """Yield what identifies a stored customer; a bare one is known by the row it came from, as that was."""
    _number, clear, personal, people = customer
    bare = True
    for key in record.keys_of(settings, clear, personal, people):
        kind = effective_kind(key.kind, key.of_contact)
        bare = bare and (key.strength == LOOK_UP or kind == CONTACT_NAME)  # as `packing` takes it
        yield kind, key.value, "", key.strength == UNIQUE
    strength = _of_codes(settings, str(clear["type"]))
    attributes = orjson.loads(clear["attributes"]) if clear.get("attributes") and strength is not None else {}
    for source, code in attributes.get(record.CODES, {}).items():
        bare = bare and strength == LOOK_UP
        yield CODE, code, source, strength == UNIQUE
    if bare and clear.get("batch_id") in sources:
        for digest in row_digests(clear, personal, people):
            yield ROW, digest, sources[clear["batch_id"]], True


def _of_codes(settings: CustomersSettings, type_code: str) -> str | None:
    """Return how well an external code identifies customers of a type; None where it does not at all."""
    for field in settings.fields:
        if field.code == record.CODE_FIELD and field.identity is not None:
            party = settings.type_by_code[type_code].party
            strength = field.identity.types.get(type_code) or getattr(field.identity, party)
            return None if strength is None else strength or LOOK_UP
    return None
