"""What goes between the two processes of an import: orders with the stored rows they need, and what was built of them.

Rows travel as bytes and are opened a piece at a time: a tenth of their size as objects, and cheap to send.
"""

from __future__ import annotations

import marshal
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from crmctl.customers.decide import Decision
from crmctl.security.sealing import DataKey
from crmctl.sheets.model import COUNTS

Values = tuple[Any, ...]

PIECE = 2000  # rows unpacked at once
# digest, kind, epoch, slot, customer: in bytes as they sort in the table
IDENTITY_PACKED = struct.Struct(">16sBHQQ")
SECTIONS = (
    "keys", "customers", "contacts", "identities", "rejected", "created", "edited",
    "changed_customers", "changed_contacts", "dropped_identities", "owners",
)  # fmt: skip


class Found(NamedTuple):
    """What the database holds of the customers that rows matched, by customer.

    `keys` are their data keys, `customers` and `contacts` stored rows, `contact_counts` the highest contact number.
    """

    keys: Mapping[int, DataKey] = {}
    customers: Mapping[int, tuple[Any, ...]] = {}
    contacts: Mapping[int, list[tuple[Any, ...]]] = {}
    contact_counts: Mapping[int, int] = {}


class Stored(NamedTuple):
    """The same on its way to where rows are built: as bytes, opened one by one, so that few are objects at once."""

    keys: Mapping[int, tuple[str, int, int, bytes]] = {}
    customers: Mapping[int, bytes] = {}
    contacts: Mapping[int, bytes] = {}
    contact_counts: Mapping[int, int] = {}

    @classmethod
    def of(cls, found: Found) -> Stored:
        """Return what was found, packed."""
        return cls(
            {number: (key.owner_kind, number, key.generation, key.secret) for number, key in found.keys.items()},
            {number: marshal.dumps(row) for number, row in found.customers.items()},
            {number: marshal.dumps(rows) for number, rows in found.contacts.items()},
            found.contact_counts,
        )

    def state(self, customer: int) -> State:
        """Return one customer as it is stored."""
        packed = self.customers.get(customer)
        row = marshal.loads(packed) if packed is not None else ()  # noqa: S302 - our own bytes
        packed = self.contacts.get(customer)
        held = marshal.loads(packed) if packed is not None else []  # noqa: S302 - our own bytes
        highest = self.contact_counts.get(customer) or max((int(contact[1]) for contact in held), default=0)
        return State(DataKey(*self.keys[customer]), row, held, highest)


class Order(NamedTuple):
    """What the first process asks to have built: decisions for the valid rows of a block from `start` on.

    A block is what was read ahead; it becomes one chunk (one transaction), or several when a row depends on what an
    earlier one takes away (`final` is False for all but the last). `after` is the last source row of the chunk
    before.
    """

    block: int
    chunk: int
    start: int
    final: bool
    after: int
    decisions: Sequence[Decision]
    stored: Stored


@dataclass
class Built:
    """Rows ready for one transaction, by section, in the column orders of `columns`; and the counts they stand for.

    `touched` are customers older than this chunk that it changes. Rows of `owners`: the place among the chunk's changes
    of the one that gives a customer its owner, the customer, the owner.
    """

    chunk: int
    first_row: int = 0
    last_row: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    reasons: dict[str, int] = field(default_factory=dict)
    touched: tuple[int, ...] = ()
    next_customer: int = 0  # the first number after those it creates, 0 if it creates none
    changes: int = 0  # rows of the sections `created` and `edited`, which get their numbers and leaves when written
    sections: dict[str, list[bytes]] = field(default_factory=lambda: {name: [] for name in SECTIONS})

    def put(self, section: str, rows: Sequence[Values]) -> None:
        """Add rows to a section, packed: a tenth of their size as objects, and cheap to send to the first process."""
        for at in range(0, len(rows), PIECE):
            self.sections[section].append(marshal.dumps(list(rows[at : at + PIECE])))

    def put_identities(self, packed: Sequence[bytes]) -> None:
        """Add identities, each packed as `IDENTITY_PACKED`: they are many, and sorted and sent as bytes at a third."""
        for at in range(0, len(packed), PIECE):
            self.sections["identities"].append(b"".join(packed[at : at + PIECE]))

    def pieces(self, section: str) -> Iterator[list[Values]]:
        """Yield the rows of a section, a piece at a time."""
        for piece in self.sections[section]:
            if section == "identities":
                yield list(IDENTITY_PACKED.iter_unpack(piece))
            else:
                yield marshal.loads(piece)  # noqa: S302 - our own bytes, from a child of the same interpreter


@dataclass(slots=True)
class State:
    """A customer touched in this chunk or the one before: what a later row of the file must see."""

    key: DataKey
    row: tuple[Any, ...]
    contacts: list[tuple[Any, ...]]
    contact_count: int
