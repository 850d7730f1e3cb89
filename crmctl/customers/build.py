"""Decisions → rows to write: sealed values, data keys, identities, change leaves (design §5, §6).

Runs in the second process where there is one. Plaintext comes in with the source rows and leaves only sealed.
"""

from __future__ import annotations

import struct
from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from crmctl.audit.changes import After, Before, clear_hash, clear_json, fields_json
from crmctl.customers import merge, record
from crmctl.customers.columns import customer_row
from crmctl.customers.decide import ADD_CONTACT, CREATE, DUPLICATE, MERGE, REJECT, Decision
from crmctl.customers.exchange import IDENTITY_PACKED, PIECE, Built, Order, State, Stored, Values
from crmctl.customers.model import UNIQUE, Key
from crmctl.customers.packing import Ident, Packed, effective_kind
from crmctl.security.keywrap import KeyWrapper
from crmctl.security.sealing import DataKey, pad
from crmctl.sheets.model import REJECTED_SEALED, Rejected


@dataclass(frozen=True)
class Recipe:
    """What building needs that does not change from chunk to chunk. Picklable; holds key material.

    `remembers` keeps what was built of the last two chunks at hand, for modes that merge.
    """

    batch_id: int
    run_id: int
    batch_key: DataKey
    wrapper: KeyWrapper
    epoch: int
    terms: merge.Terms
    remembers: bool


_owner_of = struct.Struct(">HQQ").pack  # epoch, slot, customer: what follows an ident


class Builder:
    """Builds chunk after chunk; remembers the customers of the last two, which may not be committed yet."""

    def __init__(self, recipe: Recipe, ident: Ident) -> None:
        self.recipe = recipe
        self.ident = ident
        # `clear_json` of a new contact, but for contact and customer number and whether it is the first
        self.contact_clear = (
            b'{"batch_id":%d,"contact_id":%%d,"created_at":"%b","customer_id":%%d,"is_primary":%%d,"updated_at":"%b",'
            b'"version":1}'
        ) % (recipe.batch_id, recipe.terms.at.encode(), recipe.terms.at.encode())
        self.earlier: dict[int, State] = {}
        self.now: dict[int, State] = {}

    def build(self, rows: Sequence[Packed], refused: Sequence[Rejected], order: Order) -> Built:
        """Return what `order` makes of `rows`, and of rows `refused` before anything could be decided."""
        self.earlier, self.now = self.now, {}
        work = _Work(order.chunk)
        created = [d.customer_id for d in order.decisions if d.operation == CREATE]
        fresh = self.recipe.wrapper.new_keys("customer", created)
        work.built.put("keys", self.recipe.wrapper.wrap(fresh))
        fresh.reverse()
        waiting = list(rows)
        waiting.reverse()
        for done, decision in enumerate(order.decisions):
            row = waiting.pop()  # what is built is no longer kept
            if decision.operation == CREATE:
                self._create(row, decision, fresh.pop(), work)
            elif decision.operation == DUPLICATE:
                work.built.counts["duplicate"] += 1
            elif decision.operation == ADD_CONTACT:
                self._add_contact(row, decision, self._state(decision.customer_id, order.stored), work)
            elif decision.operation == MERGE:
                self._merge(row, self._state(decision.customer_id, order.stored), work)
            elif decision.operation == REJECT:
                reason = {"code": decision.code, "field": "", "candidates": list(decision.others)}
                self._reject(row.number, [reason], row.cells, work)
            if done % PIECE == PIECE - 1 and not self.recipe.remembers:
                work.spill()  # nothing built earlier is touched again in this mode
        for item in refused:
            self._reject(item.number, [reason._asdict() for reason in item.reasons], orjson.dumps(item.cells), work)
        work.finish()
        return work.built

    def _reject(self, number: int, reasons: list[dict[str, Any]], cells: bytes, work: _Work) -> None:
        """Add a row to quarantine: codes in clear, its cells sealed under the batch key."""
        recipe = self.recipe
        sealed = recipe.terms.sealer.seal(recipe.batch_key, REJECTED_SEALED, pad(cells), object_id=number)
        built = work.built
        work.rejected.append((recipe.batch_id, number, orjson.dumps(reasons).decode(), "open", sealed))
        built.counts["rejected"] += 1
        for code in {reason["code"] for reason in reasons}:
            built.reasons[code] = built.reasons.get(code, 0) + 1

    def _create(self, row: Packed, decision: Decision, key: DataKey, work: _Work) -> None:
        recipe, terms = self.recipe, self.recipe.terms
        number = decision.customer_id
        flags = {*row.flags, decision.flag} - {""}
        clear = row.clear
        clear["customer_id"], clear["batch_id"] = number, recipe.batch_id
        clear["created_at"] = clear["updated_at"] = terms.at
        clear["version"], clear["derived_version"] = 1, 0
        if flags:
            clear["flags"] = " ".join(sorted(flags))
        sealed = terms.sealer.seal(key, merge.CUSTOMER_SEALED, row.personal)
        sealed_hash = sha256(sealed).digest()
        stored = customer_row(clear, sealed, sealed_hash)
        work.customers[number] = stored
        clear_hash = sha256(record.dumps(clear)).digest()  # without looking for nulls: there are none
        if "owner_id" in clear:
            work.own("created", number, clear["owner_id"])
        work.created.append((number, "customer", number, clear_hash, sealed_hash))
        state = State(key, stored, [], 0)
        if row.contact is not None:
            self._new_contact(row.contact, state, work)
        if row.organisation or recipe.remembers:
            self._remember(state)
        epoch = recipe.epoch
        exclusive, shared = _owner_of(epoch, 0, number), _owner_of(epoch, number, number)
        work.added.update([mark + (exclusive if unique else shared) for mark, unique, _contact in row.marks])
        work.built.counts["created"] += 1
        work.built.counts["flagged"] += bool(flags)

    def _new_contact(self, fields: bytes, state: State, work: _Work) -> None:
        terms = self.recipe.terms
        customer = state.key.owner_id
        state.contact_count += 1
        contact = state.contact_count
        primary = 1 if contact == 1 else 0
        sealed = terms.sealer.seal(state.key, merge.CONTACT_SEALED, fields, object_id=contact)
        sealed_hash = sha256(sealed).digest()
        stored = (customer, contact, primary, self.recipe.batch_id, terms.at, terms.at, 1, sealed, sealed_hash)
        work.contacts[customer, contact] = stored
        if self.recipe.remembers:
            state.contacts = [*state.contacts, stored]
        clear_hash = sha256(self.contact_clear % (contact, customer, primary)).digest()
        work.created.append((customer, "contact", contact, clear_hash, sealed_hash))

    def _add_contact(self, row: Packed, decision: Decision, state: State, work: _Work) -> None:
        assert row.contact is not None
        customer, epoch = state.key.owner_id, self.recipe.epoch
        self._new_contact(row.contact, state, work)
        self._remember(state)
        for mark, unique, of_contact in row.marks:
            if of_contact and mark not in decision.held:
                work.added.add(mark + _owner_of(epoch, 0 if unique else customer, customer))
        work.built.counts["updated"] += 1

    def _remember(self, state: State) -> None:
        """Keep what a later row of the file may need; ciphers take a kilobyte each and are quickly made again."""
        key = state.key
        bare = DataKey(key.owner_kind, key.owner_id, key.generation, key.secret)
        stored = state.row if self.recipe.remembers else ()
        self.now[key.owner_id] = State(bare, stored, state.contacts, state.contact_count)

    def _identity(self, key: Key, customer: int) -> bytes:
        mark = self.ident(effective_kind(key.kind, key.of_contact), key.value)
        return mark + _owner_of(self.recipe.epoch, 0 if key.strength == UNIQUE else customer, customer)

    def _state(self, customer: int, stored: Stored) -> State:
        return self.now.get(customer) or self.earlier.get(customer) or stored.state(customer)

    def _merge(self, row: Packed, state: State, work: _Work) -> None:
        assert row.row is not None
        merged = merge.merge(row.row, state.key, state.row, state.contacts, self.recipe.terms)
        customer = state.key.owner_id
        if merged.conflict:
            self._reject(row.number, [{"code": merged.conflict, "field": "type"}], row.cells, work)
            return
        if not merged.changed:  # and nothing to remember: it is as the database, or the chunk that changed it, has it
            work.built.counts["unchanged"] += 1
            return
        if merged.customer is not None:
            state.row = merged.customer.row
            if "owner_id" in merged.customer.fields:
                work.own("edited", customer, merged.customer.after["owner_id"])
            work.edit("customer", customer, merged.customer)
            written = work.customers if customer in work.customers else work.changed_customers
            written[customer] = state.row
        if merged.contact is not None:
            number = merged.contact.object_id
            state.contacts = [merged.contact.row if old[1] == number else old for old in state.contacts]
            work.edit("contact", customer, merged.contact)
            place = customer, number
            (work.contacts if place in work.contacts else work.changed_contacts)[place] = merged.contact.row
        if merged.new_contact and row.contact is not None:
            self._new_contact(row.contact, state, work)
        work.reindex(
            {self._identity(key, customer) for key in merged.keys_added},
            {self._identity(key, customer) for key in merged.keys_dropped},
        )
        self._remember(state)
        work.built.counts["updated"] += 1


class _Work:
    """A chunk being built. Objects are kept by number: one touched twice is written once, as it is at the end."""

    def __init__(self, chunk: int) -> None:
        self.built = Built(chunk)
        self.created: list[Values] = []
        self.edited: list[Values] = []
        self.customers: dict[int, Values] = {}
        self.contacts: dict[tuple[int, int], Values] = {}
        self.changed_customers: dict[int, Values] = {}
        self.changed_contacts: dict[tuple[int, int], Values] = {}
        self.touched: set[int] = set()
        self.rejected: list[Values] = []
        self.added: set[bytes] = set()
        self.dropped: set[bytes] = set()
        self.owners: list[tuple[str, int, int, int]] = []
        self.spilled = {"created": 0, "edited": 0}

    def own(self, section: str, customer: int, staff_id: int) -> None:
        """Note that a customer gets its owner by the next change of the section."""
        before = len(self.created if section == "created" else self.edited)
        self.owners.append((section, self.spilled[section] + before, customer, staff_id))

    def edit(self, table: str, customer: int, edited: merge.Edited) -> None:
        """Note an update in the change log, with its before-image."""
        clear = clear_json(edited.before)
        before = Before(
            clear.decode(), edited.sealed_before, sha256(clear).digest(), sha256(edited.sealed_before).digest()
        )
        after = After(clear_hash(edited.after), sha256(edited.sealed_after).digest())
        fields = fields_json(frozenset(edited.fields))
        of = (customer, table, edited.object_id)
        self.edited.append((of, edited.version, fields, tuple(before), tuple(after)))

    def reindex(self, added: set[bytes], dropped: set[bytes]) -> None:
        """Note identities gained and lost; what one row of the chunk gave and another takes is not written at all."""
        self.dropped |= dropped - self.added
        self.added -= dropped
        self.added |= added - self.dropped
        self.dropped -= added

    def spill(self) -> None:
        """Pack what is finished."""
        built = self.built
        older = {*self.changed_customers, *(place[0] for place in (*self.contacts, *self.changed_contacts))}
        self.touched |= older - self.customers.keys()
        built.next_customer = max(self.customers, default=built.next_customer - 1) + 1
        finished: tuple[tuple[str, MutableMapping[Any, Values]], ...] = (
            ("customers", self.customers),
            ("contacts", self.contacts),
            ("changed_customers", self.changed_customers),
            ("changed_contacts", self.changed_contacts),
        )
        for section, kept in finished:
            built.put(section, list(kept.values()))
            kept.clear()
        for section, noted in (("created", self.created), ("edited", self.edited)):
            built.changes += len(noted)
            self.spilled[section] += len(noted)
            built.put(section, noted)
            noted.clear()

    def finish(self) -> None:
        """Put everything into `built`."""
        self.spill()
        built = self.built
        built.touched = tuple(sorted(self.touched))
        built.put("rejected", sorted(self.rejected))
        first = {"created": 0, "edited": self.spilled["created"]}  # changes are numbered in this order
        built.put("owners", [(first[section] + at, customer, owner) for section, at, customer, owner in self.owners])
        built.put_identities(sorted(self.added))  # neighbours on a page are written together
        built.put("dropped_identities", [IDENTITY_PACKED.unpack(identity)[:4] for identity in sorted(self.dropped)])
