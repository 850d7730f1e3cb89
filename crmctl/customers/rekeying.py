"""Identities made anew under another index key, from the opened customers (security.md 2(b), `keys rotate --index`).

Identities are derived: neither a customer's version nor the change log moves. Each identity that stands under the old
key is made again as it stands, exclusive or not; what no longer follows from the customer is counted as lost. A step
done twice changes nothing, so that what was killed is simply done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import delete, func, select

from crmctl.customers import record, tables
from crmctl.customers.columns import IDENTITY
from crmctl.customers.identities import identity_values
from crmctl.customers.model import Row
from crmctl.customers.opened import opened, pages
from crmctl.customers.packing import CODE, ROW, Ident, effective_kind, ident_function, row_digest
from crmctl.customers.policy import CLEAR_COLUMNS, CustomersSettings
from crmctl.customers.records import settings_of
from crmctl.runs.run import Run
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex
from crmctl.sheets.tables import batch
from crmctl.store import bulk, engine

_SLICES = 64  # the old identities go in as many transactions
_GRADED = ("tier", "stage")  # what the program itself may have set since the row was read
Value = tuple[int, str, str]  # kind, comparable value, source system of a code


@dataclass
class _Keys:
    """Idents under the old and the new key, by source system of codes and rows."""

    old: BlindIndex
    new: BlindIndex
    made: dict[str, tuple[Ident, Ident]] = field(default_factory=dict)

    def of(self, value: Value) -> tuple[bytes, bytes]:
        kind, text, source = value
        pair = self.made.get(source)
        if pair is None:
            pair = self.made[source] = ident_function(self.old, source), ident_function(self.new, source)
        return pair[0](kind, text), pair[1](kind, text)


def rekey(run: Run, tell: Callable[[int], None]) -> tuple[int, int]:
    """Make all identities anew under the newest index key, remove those under older ones; `tell` hears of customers.

    Returns how many were made and how many lost. Needs the lock `import`: whoever adds customers meanwhile would look
    for them under one key only.
    """
    newest, keys = run.keys.index_keys()
    made = lost = 0
    for epoch in sorted(set(keys) - {newest}):
        both = _Keys(BlindIndex(keys[epoch], epoch), BlindIndex(keys[newest], newest))
        total, sources = _before(run, epoch)
        found = 0
        for numbers in pages(run):
            found += _chunk(run, numbers, both, sources)
            tell(len(numbers))
        made, lost = made + found, lost + max(0, total - found)
        _forget(run, epoch)
    return made, lost


def _before(run: Run, epoch: int) -> tuple[int, Sequence[str]]:
    """Return how many identities an epoch has, and the systems whose bare rows may be among them."""
    columns = tables.identity.c
    with engine.read(run.engine) as conn:
        count = select(func.count()).select_from(tables.identity).where(columns.epoch == epoch)
        rows = conn.execute(count.where(columns.kind == ROW)).scalar_one()
        sources = conn.execute(select(batch.c.source).distinct()).scalars().all() if rows else []
        return int(conn.execute(count).scalar_one()), sources


def _chunk(run: Run, numbers: Sequence[int], keys: _Keys, sources: Sequence[str]) -> int:
    settings, epoch = settings_of(run), keys.old.epoch
    asked: dict[tuple[bytes, int, int, int], bytes] = {}
    for number, clear, personal, people in opened(run, numbers):
        for value in values_of(settings, clear, personal, people, sources):
            old, new = keys.of(value)
            for slot in (0, number):
                asked[old[:16], old[16], epoch, slot] = new
    with engine.read(run.engine) as conn:
        held = bulk.fetch_pairs(conn, tables.identity, IDENTITY[:4], asked, IDENTITY)
    here = set(numbers)
    fresh = {
        (asked[digest, kind, of, slot][:16], kind, keys.new.epoch, slot, customer)
        for digest, kind, of, slot, customer in held
        if customer in here
    }
    with engine.write(run.engine) as conn:
        bulk.replace_rows(conn, tables.identity, IDENTITY, sorted(fresh))
    return len(fresh)


def values_of(
    settings: CustomersSettings,
    clear: Mapping[str, Any],
    personal: Mapping[str, Any],
    people: Sequence[Mapping[str, Any]],
    sources: Sequence[str],
) -> Iterator[Value]:
    """Yield every value of a stored customer that may be an identity, whatever the policy says of it today."""
    attributes = orjson.loads(clear["attributes"]) if clear.get("attributes") else {}
    own = {**clear, **attributes, **personal}
    for item in settings.fields:
        if item.identity is None or item.code == record.CODE_FIELD:
            continue
        kind = IDENTITY_KINDS[item.identity.kind]
        for place in (own, *people):
            value = place.get(item.code)
            if isinstance(value, str) and value:
                indexed = effective_kind(kind, place is not own)
                for comparable in identity_values(item.identity.kind, value):
                    yield indexed, comparable, ""
    for source, code in attributes.get(record.CODES, {}).items():
        yield CODE, code, source
    for source in sources:
        for digest in row_digests(clear, personal, people):
            yield ROW, digest, source


def row_digests(
    clear: Mapping[str, Any], personal: Mapping[str, Any], people: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the digests that the row a customer was made from may have had, if nothing was changed since."""
    columns = {name: value for name, value in clear.items() if name in CLEAR_COLUMNS}
    as_read = {name: value for name, value in columns.items() if name not in _GRADED}
    for given in (columns, as_read) if as_read != columns else (columns,):
        for contact in people or (None,):
            person = None if contact is None else dict(contact)
            yield row_digest(Row(0, clear["type"], False, given, {}, dict(personal), person, (), (), ()))


def _forget(run: Run, epoch: int) -> None:
    columns = tables.identity.c
    step = 256 // _SLICES
    for start in range(0, 256, step):
        within = [columns.epoch == epoch, columns.digest >= bytes((start,))]
        if start + step < 256:
            within.append(columns.digest < bytes((start + step,)))
        with engine.write(run.engine) as conn:
            conn.execute(delete(tables.identity).where(*within))
