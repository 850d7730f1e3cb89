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
from crmctl.security.sealing import pad

CODE = IDENTITY_KINDS["external_code"]
ORG_NAME = IDENTITY_KINDS["org_name"]
PERSON_NAME = IDENTITY_KINDS["person_name"]
CONTACT_NAME = IDENTITY_KINDS["contact_name"]
ROW = IDENTITY_KINDS["row"]

Ident = Callable[[int, str], bytes]
Mark = tuple[bytes, bool, bool]  # ident, exclusive, of the contact person


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


def ident_function(index: BlindIndex, source: str) -> Ident:
    """Return the function from a kind and a normalised value to its ident: the kind byte and 16 bytes of digest.

    External codes and digests of whole rows are namespaced by the system they come from (`--source`).
    """
    heads = {number: bytes((number,)) for number in IDENTITY_KINDS.values()}
    digest = index.digest

    def ident(kind: int, value: str) -> bytes:
        return heads[kind] + digest(kind, f"{source}\x1f{value}" if kind in (CODE, ROW) else value)

    return ident


def effective_kind(kind: int, of_contact: bool) -> int:
    """Return the kind a key is indexed under: a contact person's name is not an individual's own."""
    return CONTACT_NAME if of_contact and kind == PERSON_NAME else kind


class Packer:
    """Packs the rows of one file."""

    def __init__(self, settings: CustomersSettings, ident: Ident, source: str, *, keep_rows: bool) -> None:
        self.completeness = record.Completeness(settings)
        self.ident = ident
        self.source = source
        self.keep_rows = keep_rows

    def pack(self, row: Row, cells: list[str]) -> tuple[Candidate, Packed]:
        """Return a row as the decider sees it, and as the builder needs it."""
        candidate, marks = self._identify(row)
        clear, personal = record.new_record(row, self.source, self.completeness)
        contact = None if row.contact is None else pad(orjson.dumps(row.contact))
        packed = Packed(
            row.number,
            row.organisation,
            clear,
            pad(orjson.dumps(personal)),
            contact,
            marks,
            row.flags,
            pad(orjson.dumps(cells) + b" "),  # a copy of its true size: orjson's result occupies a kilobyte
            row if self.keep_rows else None,
        )
        return candidate, packed

    def _identify(self, row: Row) -> tuple[Candidate, tuple[Mark, ...]]:
        unique: list[bytes] = []
        supporting: list[bytes] = []
        contact_keys: list[bytes] = []
        marks: list[Mark] = []
        name = contact_name = None
        ident = self.ident
        for kind, value, strength, of_contact in row.keys:
            kind = CONTACT_NAME if of_contact and kind == PERSON_NAME else kind
            mark = ident(kind, value)
            marks.append((mark, strength == UNIQUE, of_contact))
            if kind == CONTACT_NAME:
                contact_name = mark
                continue
            if kind in (ORG_NAME, PERSON_NAME):
                name = mark
            if strength == UNIQUE:
                unique.append(mark)
            elif strength == SUPPORTING:
                supporting.append(mark)
                if of_contact:
                    contact_keys.append(mark)
        bare = not unique and not supporting
        if bare:  # known again by its own digest only
            unique.append(ident(ROW, row_digest(row)))
            marks.append((unique[0], True, False))
        candidate = Candidate(
            row.number, row.organisation, tuple(unique), tuple(supporting), name, contact_name, tuple(contact_keys),
            row.contact is not None, bare,
        )  # fmt: skip
        return candidate, tuple(marks)


def row_digest(row: Row) -> str:
    """Return the digest by which a row without any identity is recognised again from the same source."""
    parts = [row.type, repr(sorted(row.clear.items())), repr(sorted(row.personal.items()))]
    parts.append(repr(sorted((row.contact or {}).items())))
    return sha256("\x1e".join(parts).encode()).hexdigest()
