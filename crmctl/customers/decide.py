"""Who a row is: created, added to, merged, duplicate or in conflict (design §5 Identity, §8). Pure.

The decider sees digests only. An `ident` is the 16-byte blind index of a value followed by one kind byte. A holder
is a customer number, positive when the ident is exclusively its own, negative when it is only a look-up.

Rows are taken one by one: a row sees the rows before it, whether they are committed, waiting to be written, or in
the same chunk. So the result does not depend on the chunk size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

CREATE, ADD_CONTACT, MERGE, DUPLICATE, REJECT = range(5)
MODES = ("create", "update", "upsert")

IDENTITY_CONFLICT = "IDENTITY_CONFLICT"
NO_MATCH = "NO_MATCH"
SHARED_KEY = "SHARED_KEY"
NO_IDENTITY = "NO_IDENTITY"
DO_NOT_RECREATE = "DO_NOT_RECREATE"


class Candidate(NamedTuple):
    """A valid row as the decider sees it."""

    number: int
    organisation: bool
    unique: tuple[bytes, ...]
    supporting: tuple[bytes, ...]
    name: bytes | None
    contact_name: bytes | None
    contact_keys: tuple[bytes, ...]
    has_contact: bool
    bare: bool  # no key at all but the row's own digest
    barred: bool = False  # somebody who asked to be forgotten


class Decision(NamedTuple):
    """What happens to a row: one of the five operations, to whom, and why.

    `flag` is a code the created customer carries; `code` with `others` (customer numbers) says why it is rejected;
    `held` are keys of an added contact that the customer has already.
    """

    operation: int
    customer_id: int = 0
    flag: str = ""
    code: str = ""
    others: tuple[int, ...] = ()
    held: tuple[bytes, ...] = ()


@dataclass
class Known:
    """What is known about idents: from the database (facts), or from rows decided but not yet committed."""

    holders: dict[bytes, list[int]] = field(default_factory=dict)
    names: set[tuple[bytes, int]] = field(default_factory=set)
    touched: dict[int, set[bytes]] = field(default_factory=dict)
    asked: set[tuple[bytes, int]] = field(default_factory=set)


class Decided(NamedTuple):
    """Decisions for the rows up to where deciding had to stop, and what is missing to go on.

    `missing` are (name ident, customer) pairs to look up before deciding again from the start. `stopped` says that
    the next row depends on what an earlier row may have removed: write those first, then go on with it.
    """

    decisions: list[Decision]
    created: int
    missing: set[tuple[bytes, int]]
    stopped: bool


def decide(rows: Sequence[Candidate], facts: Known, waiting: Known, chunk: Known, mode: str, first: int = 1) -> Decided:
    """Return what happens to each row in `mode`; `chunk` is filled with what the rows add.

    `facts` come from the database, `waiting` from a chunk decided but not yet written. New customers are numbered
    from `first` on.
    """
    work = _Decider(facts, waiting, chunk, mode, first)
    decisions: list[Decision] = []
    for row in rows:
        if mode != "create" and work.depends_on_unwritten(row):
            return Decided(decisions, work.created, work.missing, True)
        decisions.append(work.row(row))
    return Decided(decisions, work.created, work.missing, False)


def pairs(rows: Sequence[Candidate], facts: Known) -> set[tuple[bytes, int]]:
    """Return the (name ident, customer) pairs that deciding will ask for: names of rows whose keys are held."""
    found: set[tuple[bytes, int]] = set()
    held = facts.holders
    if not held:
        return found
    for row in rows:
        name = row.contact_name if row.organisation else row.name
        if name is not None:
            for ident in (*row.unique, *row.supporting):
                found.update((name, abs(customer)) for customer in held.get(ident, ()))
    return found


class _Decider:
    def __init__(self, facts: Known, waiting: Known, chunk: Known, mode: str, first: int) -> None:
        self.facts, self.waiting, self.chunk, self.mode, self.first = facts, waiting, chunk, mode, first
        self.created = 0
        self.missing: set[tuple[bytes, int]] = set()

    def row(self, row: Candidate) -> Decision:
        match, others, shared = self._match(row)
        if others:
            return Decision(REJECT, code=IDENTITY_CONFLICT, others=others)
        if match:
            return self._matched(row, match)
        if self.mode == "update":
            return Decision(REJECT, code=NO_MATCH)
        if row.barred:
            return Decision(REJECT, code=DO_NOT_RECREATE)
        customer = self.first + self.created
        self.created += 1
        self._remember(row, customer)
        if self.mode != "create":
            self.chunk.touched[customer] = {*row.unique, *row.supporting}
        return Decision(CREATE, customer, flag=NO_IDENTITY if row.bare else SHARED_KEY if shared else "")

    def _matched(self, row: Candidate, match: int) -> Decision:
        if self.mode != "create":
            self._remember(row, match)
            self.chunk.touched.setdefault(match, set()).update(row.unique, row.supporting)
            return Decision(MERGE, match)
        if row.has_contact and not self._contact_known(row, match):
            held = tuple(ident for ident in row.contact_keys if -match in self._holders(ident))
            self._remember_contact(row, match)
            return Decision(ADD_CONTACT, match, held=held)
        return Decision(DUPLICATE, match)

    def _match(self, row: Candidate) -> tuple[int, tuple[int, ...], bool]:
        """Return (the customer it is or 0, the customers in conflict, whether a key is shared with a stranger)."""
        if not self._met(row):
            return 0, (), False
        owners: set[int] = set()
        sharers: set[int] = set()
        for ident in row.unique:
            for customer in self._holders(ident):
                owners.add(customer) if customer > 0 else sharers.add(-customer)
        for ident in row.supporting:
            sharers.update(abs(customer) for customer in self._holders(ident))
        same = {customer for customer in sharers if row.name is not None and self._named(row, customer)}
        found = owners | same
        if len(found) > 1:
            return 0, tuple(sorted(found)), False
        if not found:
            return 0, (), True
        match = found.pop()
        if match in owners and row.name is not None and not self._named(row, match):
            return 0, (match,), False
        return match, (), False

    def _met(self, row: Candidate) -> bool:
        """Say whether anybody holds a key of the row: most rows of a first import are settled here."""
        facts, waiting, chunk = self.facts.holders, self.waiting.holders, self.chunk.holders
        for ident in row.unique + row.supporting:  # noqa: SIM110 - any() takes twice the time
            if ident in facts or ident in waiting or ident in chunk:
                return True
        return False

    def _holders(self, ident: bytes) -> Iterable[int]:
        found = self.facts.holders.get(ident, [])
        for known in (self.waiting, self.chunk):
            more = known.holders.get(ident)
            if more:
                found = found + more
        return found

    def _named(self, row: Candidate, customer: int) -> bool:
        """Say whether the row's own name is the customer's: an organisation's is a key, a person's a look-up."""
        assert row.name is not None
        if row.organisation:
            return any(abs(holder) == customer for holder in self._holders(row.name))
        return self._pair(row.name, customer)

    def _pair(self, name: bytes, customer: int) -> bool:
        pair = (name, customer)
        if pair in self.chunk.names or pair in self.waiting.names or pair in self.facts.names:
            return True
        if customer < self.first and pair not in self.facts.asked:
            self.missing.add(pair)
        return False

    def _contact_known(self, row: Candidate, customer: int) -> bool:
        if row.contact_name is not None:
            return self._pair(row.contact_name, customer)
        return any(abs(holder) == customer for ident in row.contact_keys for holder in self._holders(ident))

    def depends_on_unwritten(self, row: Candidate) -> bool:
        """Say whether a key of this row may have been taken away from its holder by a row not yet written."""
        if not self._met(row):
            return False
        idents = row.unique + row.supporting
        for ident in idents:
            for holder in self._holders(ident):
                for known in (self.waiting, self.chunk):
                    carried = known.touched.get(abs(holder))
                    if carried is not None and (known is self.waiting or carried.isdisjoint(idents)):
                        return True
        return False

    def _remember(self, row: Candidate, customer: int) -> None:
        holders = self.chunk.holders
        for holder, idents in ((customer, row.unique), (-customer, row.supporting)):
            for ident in idents:
                held = holders.get(ident)
                if held is None:
                    holders[ident] = [holder]
                elif holder not in held:
                    held.append(holder)
        for name in (row.name, row.contact_name):
            if name is not None:
                self.chunk.names.add((name, customer))

    def _remember_contact(self, row: Candidate, customer: int) -> None:
        for ident in row.contact_keys:
            self.chunk.holders.setdefault(ident, []).append(-customer)
        if row.contact_name is not None:
            self.chunk.names.add((row.contact_name, customer))
