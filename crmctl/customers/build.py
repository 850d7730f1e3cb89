"""Decisions → rows to write: sealed values, data keys, identities, change leaves (design §5, §6).

Runs in the second process where there is one. Plaintext comes in with the source rows and leaves only sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from crmctl.audit import changes
from crmctl.audit.tree import root
from crmctl.customers import merge
from crmctl.customers.candidates import Ident, effective_kind
from crmctl.customers.columns import customer_row
from crmctl.customers.decide import ADD_CONTACT, CREATE, DUPLICATE, MERGE, REJECT, Decision
from crmctl.customers.model import LOOK_UP, UNIQUE, Key, Rejected, Row
from crmctl.security.keystore import KeyWrapper
from crmctl.security.sealing import DataKey, Place, Sealer, pad

CUSTOMER_SEALED = Place("customer", "sealed")
CONTACT_SEALED = Place("contact", "sealed")
REJECTED_SEALED = Place("rejected_row", "sealed")


@dataclass(frozen=True)
class Recipe:
    """What building needs that does not change from chunk to chunk. Picklable; holds key material."""

    batch_id: int
    run_id: int
    batch_key: DataKey
    sealer: Sealer
    wrapper: KeyWrapper
    epoch: int
    at: str
    source: str
    clear_blanks: bool
    recorded: merge.Recorded


class Order(NamedTuple):
    """What the first process asks the second to build: decisions for a run of rows, with what they need.

    `first_change` begins the numbers of their changes; `keys` holds wrapped data keys, `customers` and `contacts` the
    stored rows of those matched, `contact_counts` the highest contact number of companies that get one more.
    """

    chunk: int
    decisions: Sequence[Decision]
    first_change: int
    keys: Mapping[int, tuple[Any, ...]]
    customers: Mapping[int, tuple[Any, ...]]
    contacts: Mapping[int, list[tuple[Any, ...]]]
    contact_counts: Mapping[int, int]


@dataclass
class Built:
    """Rows ready for one transaction, in the column orders of `columns`, and the counts they stand for."""

    chunk: int
    first_row: int = 0
    last_row: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    customers: list[tuple[Any, ...]] = field(default_factory=list)
    contacts: list[tuple[Any, ...]] = field(default_factory=list)
    changed_customers: list[tuple[Any, ...]] = field(default_factory=list)
    changed_contacts: list[tuple[Any, ...]] = field(default_factory=list)
    identities: list[tuple[Any, ...]] = field(default_factory=list)
    dropped_identities: list[tuple[Any, ...]] = field(default_factory=list)
    keys: list[tuple[Any, ...]] = field(default_factory=list)
    changes: list[tuple[Any, ...]] = field(default_factory=list)
    changes_root: bytes = b""
    rejected: list[tuple[Any, ...]] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)


COUNTS = ("read", "created", "updated", "unchanged", "duplicate", "rejected", "flagged")


@dataclass
class State:
    """A customer touched in this chunk or the one before: what a later row of the file must see."""

    key: DataKey
    row: tuple[Any, ...]
    contacts: list[tuple[Any, ...]]
    contact_count: int


class Builder:
    """Builds chunk after chunk; remembers the customers of the last two, which may not be committed yet."""

    def __init__(self, recipe: Recipe, ident: Ident) -> None:
        self.recipe = recipe
        self.ident = ident
        self.earlier: dict[int, State] = {}
        self.now: dict[int, State] = {}
        self.chunk = -1

    def build(self, rows: Sequence[Row], cells: Callable[[int], list[str]], order: Order) -> Built:
        """Return what `order` makes of `rows`; `cells` gives the original cells of a row number."""
        if order.chunk != self.chunk:
            self.earlier, self.now, self.chunk = self.now, {}, order.chunk
        built = Built(order.chunk)
        leaves = changes.Writer(self.recipe.run_id, order.chunk, order.first_change, built.changes)
        created = [d.customer_id for d in order.decisions if d.operation == CREATE]
        fresh = self.recipe.wrapper.new_keys("customer", created)
        built.keys = self.recipe.wrapper.wrap(fresh)
        new_keys = iter(fresh)
        for row, decision in zip(rows, order.decisions, strict=True):
            if decision.operation == CREATE:
                self._create(row, decision, next(new_keys), built, leaves)
            elif decision.operation == DUPLICATE:
                built.counts["duplicate"] += 1
            elif decision.operation == ADD_CONTACT:
                self._add_contact(row, self._state(decision.customer_id, order), built, leaves)
                built.counts["updated"] += 1
            elif decision.operation == MERGE:
                self._merge(row, self._state(decision.customer_id, order), built, leaves)
            elif decision.operation == REJECT:
                reason = {"code": decision.code, "field": "", "candidates": list(decision.others)}
                self.reject(row.number, [reason], cells(row.number), built)
        built.identities.sort()
        built.changes_root = root(change[-1] for change in built.changes) if built.changes else b""
        return built

    def reject(self, number: int, reasons: list[dict[str, Any]], cells: list[str], built: Built) -> None:
        """Add a row to quarantine: codes in clear, its cells sealed under the batch key."""
        recipe = self.recipe
        sealed = recipe.sealer.seal(
            recipe.batch_key, REJECTED_SEALED, pad(orjson.dumps(cells)), object_id=number
        )
        built.rejected.append((recipe.batch_id, number, orjson.dumps(reasons).decode(), "open", sealed))
        built.counts["rejected"] += 1
        for code in {reason["code"] for reason in reasons}:
            built.reasons[code] = built.reasons.get(code, 0) + 1

    def rejected(self, row: Rejected, built: Built) -> None:
        """Add a row that did not pass validation to quarantine."""
        self.reject(row.number, [reason._asdict() for reason in row.reasons], row.cells, built)

    def _create(self, row: Row, decision: Decision, key: DataKey, built: Built, leaves: changes.Writer) -> None:
        recipe = self.recipe
        number = decision.customer_id
        flags = (*row.flags, decision.flag) if decision.flag else row.flags
        clear, personal = recipe.recorded.new(row, number, flags, recipe.source)
        clear["batch_id"] = recipe.batch_id
        clear["created_at"] = clear["updated_at"] = recipe.at
        clear["version"], clear["derived_version"] = 1, 0
        sealed = recipe.sealer.seal(key, CUSTOMER_SEALED, pad(orjson.dumps(personal)))
        sealed_hash = sha256(sealed).digest()
        stored = customer_row(clear, sealed, sealed_hash)
        built.customers.append(stored)
        leaves.created(number, "customer", number, clear, sealed_hash)
        state = State(key, stored, [], 0)
        if row.contact is not None:
            self._new_contact(row, state, built, leaves)
        if row.organisation or recipe.recorded.remembers:
            self.now[number] = state
        self._identify(row.keys, number, built)
        if not row.keys or all(k.strength == LOOK_UP for k in row.keys):
            mark = recipe.recorded.bare_mark(row, self.ident)
            built.identities.append((mark[1:], mark[0], recipe.epoch, 0, number))
        built.counts["created"] += 1
        built.counts["flagged"] += bool(flags)

    def _new_contact(self, row: Row, state: State, built: Built, leaves: changes.Writer) -> None:
        recipe = self.recipe
        customer = state.key.owner_id
        state.contact_count += 1
        contact = state.contact_count
        clear: dict[str, str | int] = {
            "customer_id": customer,
            "contact_id": contact,
            "is_primary": 1 if contact == 1 else 0,
            "batch_id": recipe.batch_id,
            "created_at": recipe.at,
            "updated_at": recipe.at,
            "version": 1,
        }
        sealed = recipe.sealer.seal(state.key, CONTACT_SEALED, pad(orjson.dumps(row.contact)), object_id=contact)
        sealed_hash = sha256(sealed).digest()
        stored = (*clear.values(), sealed, sealed_hash)
        built.contacts.append(stored)
        if self.recipe.recorded.remembers:
            state.contacts = [*state.contacts, stored]
        leaves.created(customer, "contact", contact, clear, sealed_hash)

    def _add_contact(self, row: Row, state: State, built: Built, leaves: changes.Writer) -> None:
        self._new_contact(row, state, built, leaves)
        self.now[state.key.owner_id] = state
        self._identify([key for key in row.keys if key.of_contact], state.key.owner_id, built)

    def _identify(self, keys: Sequence[Key], customer: int, built: Built) -> None:
        epoch = self.recipe.epoch
        for key in keys:
            mark = self.ident(effective_kind(key), key.value)
            slot = 0 if key.strength == UNIQUE else customer
            built.identities.append((mark[1:], mark[0], epoch, slot, customer))

    def _state(self, customer: int, order: Order) -> State:
        state = self.now.get(customer) or self.earlier.get(customer)
        if state is None:
            stored = order.customers.get(customer, ())
            held = order.contacts.get(customer, [])
            highest = order.contact_counts.get(customer) or max((int(row[1]) for row in held), default=0)
            state = State(self.recipe.wrapper.unwrap(order.keys[customer]), stored, held, highest)
        return state

    def _merge(self, row: Row, state: State, built: Built, leaves: changes.Writer) -> None:
        merged = merge.merge(row, state.key, state.row, state.contacts, self.recipe)
        customer = state.key.owner_id
        if merged.conflict:
            built.counts["unchanged"] -= 0
        if merged.customer is not None:
            leaves.updated(customer, "customer", customer, merged.customer)
            state.row = merged.customer.after
        if merged.contact is not None:
            leaves.updated(customer, "contact", merged.contact.object_id, merged.contact)
            state.contacts = [
                merged.contact.after if old[1] == merged.contact.object_id else old for old in state.contacts
            ]
        if merged.new_contact:
            self._new_contact(row, state, built, leaves)
        self._reindex(customer, merged, built)
        self.now[customer] = state
        built.counts["updated" if merged.changed else "unchanged"] += 1

    def _reindex(self, customer: int, merged: merge.Merged, built: Built) -> None:
        ...
