"""What a database of keys must be able to do when master and index keys change, and to be held against another one.

`keyepochs_sqlite` and `keyepochs_server` do it; `epochs_of` finds which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.security.keyrows import IndexRow, KeyRows, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keywrap import KeyRow

Place = tuple[int, int, int]  # owner kind, owner, generation: the order of the keys
Again = Callable[[Sequence[KeyRow]], list[KeyRow]]
BEGINNING: Place = (-1, -1, -1)


class EpochRows(Protocol):
    """Changes of epochs in one database of keys. Every writing call is one durable transaction."""

    def wrapped(self) -> dict[int, int]:
        """Return master epoch → how many keys, index keys included, it wraps now; without epochs that wrap none."""

    def add_master(self, row: MasterRow) -> None:
        """Add a master epoch."""

    def drop_master(self, epoch: int) -> None:
        """Forget a master epoch. Raises Refused when it is the newest or wraps anything at that very moment."""

    def rewrap(self, epoch: int, most: int, again: Again) -> Iterator[int]:
        """Put all keys of older master epochs under `epoch`, `most` to a transaction; yield how many each changed."""

    def set_index(self, row: IndexRow) -> None:
        """Add an index key, or replace it as it is wrapped."""

    def drop_index(self, epoch: int) -> None:
        """Destroy an index key."""

    def page(self, after: Place, most: int, until: Place | None = None) -> list[KeyRow]:
        """Return the next keys after a place, in order, up to and with `until`."""

    def put(self, rows: Sequence[KeyRow], gone: Sequence[Place], wraps: int = 0) -> None:
        """Write keys as they are, replacing what stands there, and remove others.

        With `wraps`, that many are counted for the epoch of the rows. Raises KeyError when there is no such epoch.
        """

    def put_head(self, info: StoreInfo, receipts: Sequence[ReceiptRow]) -> None:
        """Make master epochs, index keys and receipts those given."""


def epochs_of(rows: KeyRows) -> EpochRows:
    """Return what changes epochs in an opened database of keys."""
    if rows.kind == "sqlite":
        from crmctl.security.keyepochs_sqlite import SqliteEpochs
        from crmctl.security.keysqlite import SqliteKeys

        assert isinstance(rows, SqliteKeys)
        return SqliteEpochs(rows)
    from crmctl.security.keyepochs_server import ServerEpochs
    from crmctl.security.keyserver import ServerKeys

    assert isinstance(rows, ServerKeys)
    return ServerEpochs(rows)


def still_used(location: str, epoch: int) -> Refused:
    """Return the error of a master epoch that may not go."""
    return Refused(
        _("{location}: master key {epoch} is the newest or still wraps keys").format(location=location, epoch=epoch),
        hint=_("put all keys under the newest one: crmctl keys rotate"),
        code="EPOCH_IN_USE",
    )
