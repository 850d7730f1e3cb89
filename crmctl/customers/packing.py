"""A valid row made small: what the decider may see of it, and what is left to be sealed when it is decided.

Two blocks of rows wait in memory while a third is written, so a row is kept as a few byte strings instead of some
thirty Python objects, and its identities are digested once.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from crmctl.customers import record
from crmctl.customers.decide import Candidate
from crmctl.customers.model import SUPPORTING, UNIQUE, Row
from crmctl.customers.policy import CustomersSettings
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex
from crmctl.security.sealing import BLOCK

CODE = IDENTITY_KINDS["external_code"]
ORG_NAME = IDENTITY_KINDS["org_name"]
PERSON_NAME = IDENTITY_KINDS["person_name"]
CONTACT_NAME = IDENTITY_KINDS["contact_name"]
ROW = IDENTITY_KINDS["row"]
_NAMES = frozenset((ORG_NAME, PERSON_NAME))

Ident = Callable[[int, str], bytes]
Mark = tuple[bytes, bool, bool]  # ident, exclusive, of the contact person
_SPACES = [b" " * count for count in range(BLOCK)]
_new = tuple.__new__


class Packed(NamedTuple):
    """A row ready to become a new customer; `row` itself only where it may be merged into an old one."""

    number: int
    organisation: bool
    clear: dict[str, Any]
    personal: bytes
    contact: bytes | None
    marks: tuple[Mark, ...]
    flags: tuple[str, ...]
    cells: bytes
    row: Row | None


def _small(value: object) -> bytes:
    """Return padded JSON in bytes of their true size: as orjson returns it, it occupies a kilobyte."""
    text = orjson.dumps(value)
    lacking = -len(text) % BLOCK
    return text + _SPACES[lacking] if lacking else bytes(memoryview(text))


def ident_function(index: BlindIndex, source: str) -> Ident:
    """Return the function from a kind and a normalised value to its ident: 16 bytes of digest and the kind byte.

    External codes and digests of whole rows are namespaced by the system they come from (`--source`).
    """
    tails = {number: bytes((number,)) for number in IDENTITY_KINDS.values()}
    namespaced = frozenset((CODE, ROW))
    space = f"{source}\x1f"
    digest = index.digest

    def ident(kind: int, value: str) -> bytes:
        if kind in namespaced:
            value = space + value
        return digest(kind, value) + tails[kind]

    return ident


def effective_kind(kind: int, of_contact: bool) -> int:
    """Return the kind a key is indexed under: a contact person's name is not an individual's own."""
    return CONTACT_NAME if of_contact and kind == PERSON_NAME else kind


class Packer:
    """Packs the rows of one file."""

    def __init__(
        self,
        settings: CustomersSettings,
        ident: Ident,
        source: str,
        *,
        keep_rows: bool,
        barred: Callable[[Row], bool] | None = None,
    ) -> None:
        self.completeness = record.Completeness(settings)
        self.ident = ident
        self.source = source
        self.keep_rows = keep_rows
        self.barred = barred

    def pack(self, row: Row, cells: list[str]) -> tuple[Candidate, Packed]:
        """Return a row as the decider sees it, and as the builder needs it."""
        candidate, marks = self._identify(row)
        clear, personal = record.new_record(row, self.source, self.completeness)
        contact = row.contact
        packed = (
            row.number, row.organisation, clear, _small(personal), None if contact is None else _small(contact),
            marks, row.flags, orjson.dumps(cells) + b" ", row if self.keep_rows else None,
        )  # fmt: skip
        return candidate, _new(Packed, packed)  # Packed(…) takes twice as long

    def _identify(self, row: Row) -> tuple[Candidate, tuple[Mark, ...]]:
        unique: tuple[bytes, ...] = ()  # one or none, as a rule: adding to a tuple is cheaper than making one of a list
        supporting: tuple[bytes, ...] = ()
        contact_keys: tuple[bytes, ...] = ()
        marks: tuple[Mark, ...] = ()
        name = contact_name = None
        ident = self.ident
        for kind, value, strength, of_contact in row.keys:
            if kind == PERSON_NAME and of_contact:
                contact_name = ident(CONTACT_NAME, value)
                marks += ((contact_name, strength == UNIQUE, True),)
                continue
            mark = ident(kind, value)
            marks += ((mark, strength == UNIQUE, of_contact),)
            if kind in _NAMES:
                name = mark
            if strength == UNIQUE:
                unique += (mark,)
            elif strength == SUPPORTING:
                supporting += (mark,)
                if of_contact:
                    contact_keys += (mark,)
        bare = not unique and not supporting
        if bare:  # known again by its own digest only
            unique = (ident(ROW, row_digest(row)),)
            marks += ((unique[0], True, False),)
        candidate = (
            row.number, row.organisation, unique, supporting, name, contact_name,
            supporting if len(contact_keys) == len(supporting) else contact_keys, row.contact is not None, bare,
            self.barred is not None and self.barred(row),
        )  # fmt: skip
        return _new(Candidate, candidate), marks


def row_digest(row: Row) -> str:
    """Return the digest by which a row without any identity is recognised again from the same source."""
    parts = [row.type, repr(sorted(row.clear.items())), repr(sorted(row.personal.items()))]
    parts.append(repr(sorted((row.contact or {}).items())))
    return sha256("\x1e".join(parts).encode()).hexdigest()
