"""Reading customers: list, count, show, find, history; masked, and never more than a page at a time.

Keyset paging by number: page 20,000 costs what page 1 costs. What a person sees is decided by field class and role;
a customer outside the person's scope looks like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from sqlalchemy import ColumnElement, Connection, Select, func, select

from crmctl.customers import facts, tables
from crmctl.customers.columns import CUSTOMER, CUSTOMER_CLEAR, clear_of
from crmctl.customers.merge import CONTACT_SEALED, CUSTOMER_SEALED
from crmctl.customers.model import NO_CUSTOMER, PUT_AWAY
from crmctl.customers.packing import ident_function
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.scope import in_scope
from crmctl.runs import staying
from crmctl.runs.run import Run, access_of
from crmctl.security import masking, permissions
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex
from crmctl.security.sealing import DataKey, Sealer
from crmctl.store import bulk, engine

HIDDEN = None
MOST = 1000
AT_ONCE = 20_000  # numbers read in one step


@dataclass(frozen=True)
class Filters:
    """Which customers; empty means any. `company` is a substring of the registered name, `flag` "*" any flag.

    Who is cancelled or put away and unidentified complainants (status provisional) are found by that status or by their
    number alone.
    """

    tier: str = ""
    owner: int | None = None
    status: str = ""
    type: str = ""
    org_unit: str = ""
    batch: int | None = None
    flag: str = ""
    company: str = ""
    numbers: tuple[int, ...] | None = None
    after: int = 0


@dataclass(frozen=True)
class Shown:
    """A customer as this person may see it: clear columns, personal fields masked, contacts masked."""

    customer_id: int
    clear: Mapping[str, Any]
    personal: Mapping[str, Any]
    contacts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Page:
    """Customers in order of number; `next` continues after them, None at the end."""

    customers: list[Shown]
    next: int | None


@dataclass(frozen=True)
class Change:
    """One line of a customer's history: when, who, what was done to which object, which fields, by which batch."""

    change_id: int
    at: Any
    person: str
    command: str
    object: str
    object_id: int
    operation: str
    version: int
    fields: list[str]
    run_id: int


def page(run: Run, filters: Filters, limit: int, revealed: Collection[str] = ()) -> Page:
    """Return up to `limit` customers that match; fields `revealed` are in clear, which only `revealing` may ask for."""
    with engine.read(run.engine) as conn:
        rows = _rows(conn, run, filters, min(limit, MOST) + 1)
        contacts = facts.contacts(conn, [row[0] for row in rows])
    more = len(rows) > min(limit, MOST)
    rows = rows[: min(limit, MOST)]
    shown = _shown(run, rows, contacts, revealed)
    return Page(shown, rows[-1][0] if more else None)


def count(run: Run, filters: Filters) -> int:
    """Return how many customers match."""
    with engine.read(run.engine) as conn:
        query = select(func.count()).select_from(tables.customer).where(*_conditions(run, filters))
        return int(conn.execute(query).scalar_one())


def holders(run: Run, kind: str, value: str, source: str = "") -> tuple[int, ...]:
    """Return the numbers of those who have the identity `kind` of this normalised value, from the blind index.

    A name looks up individuals and contact persons alike; an external code needs its `source` system.
    """
    _current, keys = run.keys.index_keys()
    kinds = ["person_name", "contact_name"] if kind == "person_name" else [kind]
    found: set[int] = set()
    with engine.read(run.engine) as conn:
        for epoch, key in keys.items():
            ident = ident_function(BlindIndex(key, epoch), source)
            idents = {ident(IDENTITY_KINDS[name], value) for name in kinds}
            held = facts.find(conn, idents, [epoch])
            found.update(abs(customer) for customers in held.values() for customer in customers)
    return tuple(sorted(found))


def history(run: Run, number: int, limit: int) -> list[Change]:
    """Return a customer's changes, newest first, values left out (UPD-05 keeps them sealed or in the change log)."""
    from crmctl.audit.tables import change
    from crmctl.runs.tables import run as run_table

    if not page(run, Filters(numbers=(number,)), 1).customers:
        return []
    columns = change.c
    query = (
        select(
            columns.change_id, run_table.c.started_at, run_table.c.person, run_table.c.command, columns.object,
            columns.object_id, columns.operation, columns.version, columns.fields, columns.run_id,
        )
        .select_from(change.outerjoin(run_table, run_table.c.run_id == columns.run_id))
        .where(columns.customer_id == number)
        .order_by(columns.change_id.desc())
        .limit(limit)
    )  # fmt: skip
    with engine.read(run.engine) as conn:
        rows = conn.execute(query).all()
    return [Change(*row[:8], orjson.loads(row[8]), row[9]) for row in rows]


def settings_of(run: Run) -> CustomersSettings:
    """Return the field policy."""
    return cast("CustomersSettings", run.policies.settings("customers"))


def _rows(conn: Connection, run: Run, filters: Filters, limit: int) -> list[tuple[Any, ...]]:
    if filters.numbers is not None:
        wanted = sorted(number for number in filters.numbers if number > filters.after)[:limit]
        chosen: ColumnElement[bool] = tables.customer.c.customer_id.in_(wanted)
    else:
        chosen = tables.customer.c.customer_id > filters.after
    query: Select[Any] = select(tables.customer.c.customer_id).where(chosen, *_conditions(run, filters))
    numbers = conn.execute(query.order_by(tables.customer.c.customer_id).limit(limit)).scalars().all()
    rows = bulk.fetch_by_keys(conn, tables.customer, "customer_id", list(numbers), CUSTOMER)
    return sorted(rows)


def _conditions(run: Run, filters: Filters) -> list[ColumnElement[bool]]:
    columns = tables.customer.c
    found: list[ColumnElement[bool]] = []
    for name in ("tier", "status", "type", "org_unit"):
        if getattr(filters, name):
            found.append(columns[name] == getattr(filters, name))
    if not filters.status and filters.numbers is None:
        found.append(columns.status.not_in(NO_CUSTOMER))
    if filters.owner is not None:
        found.append(columns.owner_id == filters.owner)
    if filters.batch is not None:
        found.append(columns.batch_id == filters.batch)
    if filters.flag == "*":
        found.append(columns.flags.is_not(None))
    elif filters.flag:
        found.append((" " + columns.flags + " ").contains(f" {filters.flag} ", autoescape=True))
    if filters.company:
        found.append(columns.company_name.contains(filters.company, autoescape=True))
    return found + in_scope(run)


def numbers(run: Run, filters: Filters) -> Iterator[int]:
    """Yield the numbers of all customers that match and may leave the house, ascending, a page at a time.

    Who is put away is only stored: none of them is among them, whatever is asked for.
    """
    columns, after = tables.customer.c, filters.after
    wanted = (*_conditions(run, filters), columns.status != PUT_AWAY)
    query = select(columns.customer_id).where(*wanted).order_by(columns.customer_id).limit(AT_ONCE)
    while True:
        with engine.read(run.engine) as conn:
            found = conn.execute(query.where(columns.customer_id > after)).scalars().all()
        yield from found
        if len(found) < AT_ONCE:
            return
        after = found[-1]


def _shown(
    run: Run,
    rows: Sequence[tuple[Any, ...]],
    contacts: Mapping[int, list[tuple[Any, ...]]],
    revealed: Collection[str] = (),
) -> list[Shown]:
    if not rows:
        return []
    keys = run.keys.fetch("customer", [row[0] for row in rows])
    rows = _living(run, rows, keys)
    sealer = Sealer(run.workspace.instance)
    face = _Face(run, revealed)
    found = []
    for row in rows:
        number = row[0]
        clear = clear_of(CUSTOMER_CLEAR, row)
        attributes = orjson.loads(clear.pop("attributes")) if "attributes" in clear else {}
        key = keys.get(number) or run.keys.key("customer", number)
        personal = sealer.open_json(key, CUSTOMER_SEALED, row[-2])
        people = [
            {"contact_id": item[1], **face.masked(sealer.open_json(key, CONTACT_SEALED, item[-2], item[1]))}
            for item in contacts.get(number, [])
        ]
        found.append(Shown(number, face.visible({**clear, **attributes}), face.masked(personal), people))
    return found


def _living(run: Run, rows: Sequence[tuple[Any, ...]], keys: Mapping[int, DataKey]) -> Sequence[tuple[Any, ...]]:
    """Return the rows without those whose key a purge has destroyed and whose row it has not removed yet."""
    missing = [row[0] for row in rows if row[0] not in keys]
    if not missing:
        return rows
    with engine.read(run.engine) as conn:
        going = {customer for customer, _plan in staying.being_destroyed(conn, missing)}
    return [row for row in rows if row[0] not in going]


class _Face:
    """What this person may see of each field."""

    def __init__(self, run: Run, revealed: Collection[str] = ()) -> None:
        self.revealed = frozenset(revealed)
        self.fields = settings_of(run).by_code
        access = access_of(run.policies)
        self.rights = {
            sensitivity: permissions.field_right(run.actor, access, sensitivity)
            for sensitivity in ("open", "internal", "personal", "sensitive")
        }

    def visible(self, clear: Mapping[str, Any]) -> dict[str, Any]:
        """Return clear columns and attributes: shown, masked or left out by their class.

        What the policy has no field for is shown when it is a column of ours, never when it is an attribute: its
        class went with its field. An amount's currency is of the class of the amount.
        """
        found = {}
        for name, value in clear.items():
            field = self.fields.get(name) or self.fields.get(name.removesuffix("_currency"))
            right = self.rights[field.sensitivity] if field else "view" if name in CUSTOMER_CLEAR else "none"
            if right == "view" or name in self.revealed:
                found[name] = value
            elif right == "mask" and field is not None and isinstance(value, str):
                found[name] = masking.mask(field.mask, value)
        return found

    def masked(self, sealed: Mapping[str, Any]) -> dict[str, Any]:
        """Return sealed fields masked: in full they are a reveal, which is another act."""
        found = {}
        for name, value in sealed.items():
            field = self.fields.get(name)
            if field is not None and self.rights[field.sensitivity] != "none":
                found[name] = value if name in self.revealed else masking.mask(field.mask, str(value))
        return found
