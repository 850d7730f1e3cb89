"""What a database of keys must be able to do, whichever it is; `keysqlite` and `keyserver` do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from crmctl.security.keywrap import KeyRow

FORMAT = 1


class MasterRow(NamedTuple):
    """One master epoch as stored; times are stamps."""

    epoch: int
    created_at: str
    proof: bytes
    wraps: int


class IndexRow(NamedTuple):
    """One index key as stored; times are stamps."""

    epoch: int
    created_at: str
    wrapped: bytes
    master_epoch: int


class ReceiptRow(NamedTuple):
    """What is left of destroyed keys; times are stamps."""

    reference: str
    owner_kind: int
    keys: int
    shredded_at: str
    newest_master_epoch: int


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """The head of a key store."""

    format: int
    instance: bytes
    created_at: str
    masters: tuple[MasterRow, ...]
    indexes: tuple[IndexRow, ...]


class KeyRows(Protocol):
    """One opened database of keys. Every writing call is one transaction: committed whole when it returns."""

    location: str
    kind: str

    def info(self) -> StoreInfo:
        """Return the head. Raises KeyMissing when there is none."""

    def insert(self, rows: Sequence[KeyRow], epoch: int) -> None:
        """Add keys and count the wraps of `epoch`; an existing key is an error, never replaced.

        Raises IntegrityFailed (KEY_EXISTS), LimitExceeded when the epoch would pass WRAPS_PER_EPOCH.
        """

    def select(self, kind: int, ids: Sequence[int]) -> list[KeyRow]:
        """Return the rows of these owners, generations ascending."""

    def delete(self, kind: int, ids: Sequence[int], receipt: ReceiptRow | None) -> int:
        """Destroy the keys of these owners, add up the receipt, return how many rows are gone."""

    def owners(self, kind: int) -> Iterator[int]:
        """Yield the owners that have a key, ascending, in flat memory."""

    def counts(self) -> dict[int, int]:
        """Return owner kind → number of keys."""

    def sample(self, most: int) -> list[KeyRow]:
        """Return up to `most` rows spread over the store."""

    def dump(self) -> AbstractContextManager[Iterator[Sequence[KeyRow]]]:
        """Yield every key in batches, as of one moment."""

    def receipts(self) -> list[ReceiptRow]:
        """Return all shred receipts."""

    def compact(self) -> None:
        """Give back the space of destroyed keys, so that nothing of them stays in the file."""

    def close(self) -> None:
        """Close the connection."""
