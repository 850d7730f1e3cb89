"""What a valid row of a customer file becomes (design §8)."""

from __future__ import annotations

from typing import Any, NamedTuple

CANCELLED = "cancelled"  # status of who is a customer no more
PUT_AWAY = "put_away"  # of whose data are only stored any more, and used for nothing (封存, PIPL 47)
PROVISIONAL = "provisional"  # of a complainant nobody knows yet: nothing but the key their complaint is sealed under
NO_CUSTOMER = (CANCELLED, PUT_AWAY, PROVISIONAL)  # whom nobody owns, grades, lists or exports
UNIQUE = "unique"
SUPPORTING = "supporting"
LOOK_UP = "none"


class Key(NamedTuple):
    """One identity a row carries (design §5, Identity).

    `kind` is a number of `security.identity.IDENTITY_KINDS`, `value` is normalised, `strength` is "unique",
    "supporting" or "none" (look-up only), `of_contact` says that it belongs to the contact person of an organisation.
    """

    kind: int
    value: str
    strength: str
    of_contact: bool


class Row(NamedTuple):
    """A valid row, normalised.

    `number` is the record's number as a spreadsheet shows it (the header is 1). `clear` holds customer columns,
    `attributes` policy-defined fields that are not personal, `personal` sealed fields of the customer, `contact`
    sealed fields of an organisation's contact person (None when all are blank). No value is null. Times are UTC
    stamps, dates ISO text, money integer minor units. `blank` names the mapped fields whose cells held nothing.
    `keys` holds the party's own name first. `owner` is the staff id of whoever the row names as its owner, and may be.
    """

    number: int
    type: str
    organisation: bool
    clear: dict[str, str | int]
    attributes: dict[str, Any]
    personal: dict[str, str]
    contact: dict[str, str] | None
    blank: frozenset[str] | tuple[str, ...]
    keys: tuple[Key, ...]
    flags: tuple[str, ...]
    owner: int | None = None
