"""Digests of who was destroyed, which name nobody, and the receipts that prove one of them (DES-04).

    leaf = SHA-256(0x00 ‖ salt ‖ canonical),   canonical = {"customer":7,"plan":12}

or {"batch":3,"plan":12}, or {"run":5,"plan":12}: canonical is ASCII without spaces, the salt 16 random bytes of that
customer in that plan, of the import whose rejected rows went, or of the run whose changes lost the values before them.
The salts of a plan are forgotten with its customers; who asked for it is given theirs as a receipt, and can show with
it that the record of the plan speaks of them. The tree is over the leaves in the order of their bytes, which tells
nothing of the customers.
"""

from __future__ import annotations

from base64 import b32decode, b32encode
from hashlib import sha256
from typing import NamedTuple

from crmctl.errors import InvalidInput
from crmctl.i18n import _

SALT_SIZE = 16
_CANONICAL = '{"%s":%d,"plan":%d}'
_CHECK = 2  # bytes at the end of a token that catch a typing error
_GROUP = 5  # characters between two hyphens


class Receipt(NamedTuple):
    """What a token says: the plan, the customer, the salt."""

    plan_id: int
    customer_id: int
    salt: bytes

    @property
    def leaf(self) -> bytes:
        """The leaf it proves."""
        return leaf_of(self.salt, self.customer_id, self.plan_id)


def leaf_of(salt: bytes, number: int, plan: int, of: str = "customer") -> bytes:
    """Return the leaf of one customer of one plan, or (`of`) of one batch or run."""
    return sha256(b"\x00" + salt + (_CANONICAL % (of, number, plan)).encode()).digest()


def token(plan: int, customer: int, salt: bytes) -> str:
    """Return the receipt that a person is given: letters and digits in groups, fit for paper."""
    body = plan.to_bytes(5) + customer.to_bytes(6) + salt
    text = b32encode(body + sha256(body).digest()[:_CHECK]).decode().rstrip("=")
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def read_token(text: str) -> Receipt:
    """Return what a token says. Raises InvalidInput for anything else, without repeating it."""
    letters = "".join(text.split()).replace("-", "").upper().replace("0", "O").replace("1", "I")
    try:
        raw = b32decode(letters + "=" * (-len(letters) % 8))
    except ValueError:  # of base 32, or no ASCII at all
        raw = b""
    body, check = raw[:-_CHECK], raw[-_CHECK:]
    if len(body) != 11 + SALT_SIZE or sha256(body).digest()[:_CHECK] != check:
        raise InvalidInput(
            _("this is no receipt of ours, or there is a typing error in it"),
            hint=_("copy it from the paper as it is, with or without hyphens"),
            code="RECEIPT_INVALID",
        )
    return Receipt(int.from_bytes(body[:5]), int.from_bytes(body[5:11]), body[11:])
