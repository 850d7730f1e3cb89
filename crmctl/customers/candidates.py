"""Valid rows → what the decider may see: digests instead of values."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from crmctl.customers.decide import Candidate
from crmctl.customers.model import SUPPORTING, UNIQUE, Key, Row
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex

CODE = IDENTITY_KINDS["external_code"]
ORG_NAME = IDENTITY_KINDS["org_name"]
PERSON_NAME = IDENTITY_KINDS["person_name"]
CONTACT_NAME = IDENTITY_KINDS["contact_name"]
ROW = IDENTITY_KINDS["row"]

Ident = Callable[[int, str], bytes]


def ident_function(index: BlindIndex, source: str) -> Ident:
    """Return the function from a kind and a normalised value to its ident: the kind byte and 16 bytes of digest.

    External codes are namespaced by the system they come from (`--source`).
    """
    heads = {number: bytes((number,)) for number in IDENTITY_KINDS.values()}
    digest = index.digest

    def ident(kind: int, value: str) -> bytes:
        return heads[kind] + digest(kind, f"{source}\x1f{value}" if kind in (CODE, ROW) else value)

    return ident


def effective_kind(key: Key) -> int:
    """Return the kind a key is indexed under: a contact person's name is not an individual's own."""
    return CONTACT_NAME if key.of_contact and key.kind == PERSON_NAME else key.kind


def candidate(row: Row, ident: Ident) -> Candidate:
    """Return the row as the decider sees it. A row without any key is known by its own digest."""
    unique: list[bytes] = []
    supporting: list[bytes] = []
    contact_keys: list[bytes] = []
    name = contact_name = None
    bare = True
    for key in row.keys:
        kind = effective_kind(key)
        mark = ident(kind, key.value)
        if kind == CONTACT_NAME:
            contact_name = mark
            continue
        if kind in (ORG_NAME, PERSON_NAME):
            name = mark
        if key.strength == UNIQUE:
            unique.append(mark)
            bare = False
        elif key.strength == SUPPORTING:
            supporting.append(mark)
            bare = False
            if key.of_contact:
                contact_keys.append(mark)
    if bare:
        unique.append(ident(ROW, row_digest(row)))
    return Candidate(
        row.number, row.organisation, tuple(unique), tuple(supporting), name, contact_name, tuple(contact_keys),
        row.contact is not None, bare,
    )  # fmt: skip


def row_digest(row: Row) -> str:
    """Return the digest by which a row without any identity is recognised again from the same source."""
    parts = [row.type, repr(sorted(row.clear.items())), repr(sorted(row.personal.items()))]
    parts.append(repr(sorted((row.contact or {}).items())))
    return sha256("\x1e".join(parts).encode()).hexdigest()
