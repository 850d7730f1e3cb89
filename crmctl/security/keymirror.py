"""A second key store, kept in step with the first: losing one disk is then not losing the data (security.md 2(c)).

The first store is the truth. It is written first and undone where the mirror fails, so that keys are in both or in
neither; only a kill between the two leaves them different, and then the import that was killed cleans up both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.errors import CrmctlError, InvalidInput, Locked, StorageFailed
from crmctl.i18n import _
from crmctl.security import keysqlite, masters
from crmctl.security.keyepochs import BEGINNING, Place, epochs_of
from crmctl.security.keyfiles import DATABASE, new_file, new_folder
from crmctl.security.keyplaces import Location, file_of, is_server, is_url
from crmctl.security.keyrows import KeyRows, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keywrap import KeyRow
from crmctl.security.masters import MasterSource
from crmctl.workspace import masked

if TYPE_CHECKING:
    from crmctl.security.keystore import KeyStore

_ROWS_AT_ONCE = 20_000
_KNOWN = ("INSTANCE_WRONG", "KEY_WRONG", "KEYSTORE_FORMAT", "MIRROR_BEHIND", "MIRROR_UNREACHABLE")


class Mirror:
    """The second store, opened when it is first written to: reading must not depend on it."""

    def __init__(self, location: Location, source: MasterSource, instance: bytes, at: datetime | None) -> None:
        self.place = location
        self.location = masked(str(location))
        self.source = source
        self._instance = instance
        self._at = at
        self._store: KeyStore | None = None

    def store(self) -> KeyStore:
        """Return the opened store. Raises StorageFailed when it cannot be reached, KeyMissing when it is another's."""
        if self._store is None:
            from crmctl.security.keystore import KeyStore

            with self._reached():
                self._store = KeyStore.open(self.place, self._instance, master=self.source, at=self._at)
        return self._store

    def ready(self, epoch: int) -> None:
        """Make sure that keys wrapped under `epoch` (0: any) can be written. Raises as `store` does."""
        store = self.store()
        with self._reached():
            known = {row.epoch for row in store.rows.info().masters}
        if epoch and epoch not in known:
            raise self._behind(epoch)

    def add(self, rows: Sequence[KeyRow]) -> None:
        """Write keys that the first store has taken."""
        with self._reached():
            try:
                epochs_of(self.store().rows).put(rows, [], wraps=len(rows))
            except KeyError:
                raise self._behind(rows[0][4]) from None

    def remove(self, kind: int, ids: Sequence[int], receipt: ReceiptRow | None) -> None:
        """Destroy keys that the first store has destroyed."""
        with self._reached():
            self.store().rows.delete(kind, ids, receipt)

    def compact(self) -> None:
        """Give back the space of destroyed keys."""
        with self._reached():
            self.store().rows.compact()

    def close(self) -> None:
        """Close the connection."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def _behind(self, epoch: int) -> StorageFailed:
        return StorageFailed(
            _("{location}: the mirror of the key store does not know master key {epoch}").format(
                location=self.location, epoch=epoch
            ),
            hint=_("bring it in step: crmctl keys mirror; nothing was written"),
            code="MIRROR_BEHIND",
        )

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        """Tell what stands in the mirror's way as what it is to the caller: a place that cannot be written."""
        try:
            yield
        except CrmctlError as error:
            if isinstance(error, Locked) or error.code in _KNOWN:
                raise
            raise StorageFailed(
                _("{location}: the mirror of the key store cannot be reached: {reason}").format(
                    location=self.location, reason=error.message
                ),
                hint=_("mount it, or make it anew: crmctl keys mirror; nothing was written"),
                code="MIRROR_UNREACHABLE",
            ) from None


@dataclass(frozen=True)
class Mirrored:
    """What bringing a mirror in step took: was it made anew, keys written, keys removed, keys there now."""

    made: bool
    written: int
    removed: int
    keys: int


def of(store: KeyStore) -> Mirror:
    """Return the mirror of a store. Raises InvalidInput when crmctl.yaml names none, or the store itself."""
    if store.mirror is None:
        raise InvalidInput(
            _("the key store has no mirror"),
            hint=_("name a folder or a database URL on another disk or server: keys_mirror in crmctl.yaml"),
            code="MIRROR_UNSET",
        )
    if store.mirror.location == store.location:
        raise InvalidInput(
            _("{location}: is the key store itself").format(location=store.location),
            hint=_("name another disk or server as keys_mirror in crmctl.yaml"),
            code="MIRROR_SAME",
        )
    return store.mirror


def repair(store: KeyStore) -> Mirrored:
    """Make the mirror where there is none, make it equal to the store where there is one, and prove it.

    Raises KeyMissing when the place holds another workspace's keys, StorageFailed when it cannot be written or is
    different even then.
    """
    mirror = of(store)
    made = _made(store, mirror)
    share_masters(store, mirror, store.info.masters)
    with mirror._reached():
        rows = mirror.store().rows
        written, removed = level(store.rows, rows)
        mirror.store().reload()
    if differs(store.rows, rows):
        raise StorageFailed(
            _("{location}: the mirror differs from the key store").format(location=mirror.location),
            hint=_("check the disk, then run it again: crmctl keys mirror"),
            code="MIRROR_BROKEN",
        )
    return Mirrored(made, written, removed, sum(rows.counts().values()))


def rehearsed(store: KeyStore) -> Mirrored:
    """Return what `repair` would do, as far as it can be seen without writing."""
    mirror, number = of(store), sum(store.rows.counts().values())
    if not _exists(mirror):
        return Mirrored(True, number, 0, number)
    with mirror._reached():
        pages = list(differences(store.rows, mirror.store().rows))
    return Mirrored(False, sum(len(missing) for missing, _gone in pages), sum(len(gone) for _m, gone in pages), number)


def share_masters(store: KeyStore, mirror: Mirror, rows: Sequence[MasterRow]) -> None:
    """Give a mirror that keeps its master keys itself those it lacks, known as they are to the store's wrapper."""
    if mirror.source == store.source or mirror.source.provider != "file":
        return
    for row in rows:
        if not mirror.source.file(row.epoch).exists():
            masters.write(mirror.source.file(row.epoch), masters.read(store.source, row.epoch))


def level(store: KeyRows, mirror: KeyRows) -> tuple[int, int]:
    """Make the mirror's head, receipts and keys those of the store; return how many keys it wrote and removed.

    Keys may be added and destroyed meanwhile: what was destroyed while its page was written is looked for again.
    """
    epochs_of(mirror).put_head(store.info(), store.receipts())
    written = removed = 0
    for missing, gone in differences(store, mirror):
        epochs_of(mirror).put(missing, gone)
        written, removed = written + len(missing), removed + len(gone)
        if missing:
            places = [row[:3] for row in missing]
            here = epochs_of(store).page(_before(places[0]), 2 * _ROWS_AT_ONCE, places[-1])
            again = sorted(set(places) - {row[:3] for row in here})
            if again:
                epochs_of(mirror).put([], again)
    return written, removed


def differences(store: KeyRows, mirror: KeyRows) -> Iterator[tuple[list[KeyRow], list[Place]]]:
    """Yield, page by page, keys that the mirror lacks or has otherwise, and places of keys that it should not have."""
    after: Place = BEGINNING
    mine_of, theirs_of = epochs_of(store).page, epochs_of(mirror).page
    while True:
        mine, theirs = mine_of(after, _ROWS_AT_ONCE), theirs_of(after, _ROWS_AT_ONCE)
        ends = [rows[-1][:3] for rows in (mine, theirs) if len(rows) == _ROWS_AT_ONCE]
        until = min(ends) if ends else None
        if mine != theirs:
            here = {row[:3]: row for row in mine if until is None or row[:3] <= until}
            there = {row[:3]: row for row in theirs if until is None or row[:3] <= until}
            missing = [row for place, row in here.items() if there.get(place) != row]
            gone = [place for place in there if place not in here]
            if missing or gone:
                yield missing, gone
        if until is None:
            return
        after = until


def differs(store: KeyRows, mirror: KeyRows) -> bool:
    """Say whether the two hold other epochs, index keys or keys."""
    return _head(store.info()) != _head(mirror.info()) or next(differences(store, mirror), None) is not None


def _head(info: StoreInfo) -> tuple[object, ...]:
    return info.format, info.instance, [(row.epoch, row.proof) for row in info.masters], info.indexes


def _before(place: Place) -> Place:
    return place[0], place[1], place[2] - 1


def _exists(mirror: Mirror) -> bool:
    """Say whether anything is where the mirror belongs: a file, a folder, or a key store's tables on a server."""
    if not is_server(mirror.place):
        return _path(mirror).exists()
    from sqlalchemy import inspect

    from crmctl.store import engine

    with mirror._reached():
        base = engine.open_engine(str(mirror.place))
        try:
            with engine.read(base) as conn:
                return inspect(conn).has_table("store_info")
        finally:
            base.dispose()


def _path(mirror: Mirror) -> Path:
    return file_of(str(mirror.place)) if is_url(mirror.place) else Path(mirror.place)


def _made(store: KeyStore, mirror: Mirror) -> bool:
    """Make an empty mirror where nothing is; say whether that was so."""
    if _exists(mirror):
        return False
    info, path = store.rows.info(), _path(mirror)
    if is_server(mirror.place):
        from crmctl.security import keyserver

        keyserver.create(str(mirror.place), info)
        return True
    if not path.parent.is_dir():
        raise StorageFailed(
            _("{path}: is no folder").format(path=path.parent), hint=_("mount it first"), code="MIRROR_UNREACHABLE"
        )
    if is_url(mirror.place):
        with new_file(path) as building:
            keysqlite.create(building, info)
        return True
    with new_folder(path) as building:
        keysqlite.create(building / DATABASE, info)
        if mirror.source != store.source:
            for row in info.masters:
                masters.write(masters.in_folder(building).file(row.epoch), masters.read(store.source, row.epoch))
    return True
