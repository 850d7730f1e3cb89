"""The key store: one wrapped data key per owner, apart from the data and never in its backups (security.md 2(c)).

To destroy a person is to destroy a key here. To lose the store is to lose the data: `crmctl keys copy` makes copies.

Forms: a folder (`master-0001.key` 0400 and `keys.db` 0600 in a folder 0700), a SQLite URL, or a PostgreSQL URL; with a
URL the master key comes from the provider that crmctl.yaml names (`masters`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from crmctl.clock import stamp
from crmctl.errors import CrmctlError, KeyMissing
from crmctl.i18n import _
from crmctl.security import keysqlite, masters
from crmctl.security.keyfiles import DATABASE, new_file, new_folder, read_private
from crmctl.security.keyplaces import (
    Location,
    Master,
    check_info,
    checked_master,
    file_of,
    is_server,
    is_url,
    open_rows,
    shown,
    source_of,
)
from crmctl.security.keyrows import FORMAT, IndexRow, KeyRows, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keywrap import OWNER_KINDS, OWNER_NAMES, KeyRow, KeyWrapper
from crmctl.security.masters import MasterSource
from crmctl.security.sealing import KEY_BYTES, DataKey, owner_label

if TYPE_CHECKING:
    from crmctl.security.keymirror import Mirror

_SECRET_BYTES = 64 * 1024


class KeyStore:
    """An opened key store. Writing calls are committed when they return; nothing is ever replaced."""

    def __init__(self, rows: KeyRows, source: MasterSource, instance: bytes, at: datetime | None = None) -> None:
        self._rows = rows
        self._at = at
        self.source = source
        self.mirror: Mirror | None = None
        self._info, self.wrapper = _proven(rows, source, instance)

    @classmethod
    def create(cls, location: Location, instance: bytes, at: datetime, *, master: Master = None) -> KeyStore:
        """Make a new store for the workspace `instance` and open it.

        A folder appears whole or not at all. Raises Refused when there is one, InvalidInput for a URL without a
        provider of its master key, StorageFailed when the disk refuses.
        """
        source = source_of(location, master)
        if is_server(location):
            from crmctl.security import keyserver

            keyserver.create(str(location), _new_info(instance, at, masters.make(source, 1)))
        elif is_url(location):
            with new_file(file_of(str(location))) as building:
                keysqlite.create(building, _new_info(instance, at, masters.make(source, 1)))
        else:
            with new_folder(Path(location)) as building:
                inside = source if master is not None else masters.in_folder(building)
                keysqlite.create(building / DATABASE, _new_info(instance, at, masters.make(inside, 1)))
        return cls.open(location, instance, master=master, at=at)

    @classmethod
    def open(
        cls,
        location: Location,
        instance: bytes,
        *,
        master: Master = None,
        at: datetime | None = None,
        mirror: Location | None = None,
    ) -> KeyStore:
        """Open the store of the workspace `instance`; `at` is the moment that shred receipts record.

        What is written here is written to the `mirror` too, or nowhere; reading does without it. Raises KeyMissing when
        the store is missing, insecure, of another workspace, or its master key is missing or wrong.
        """
        rows = open_rows(location)
        try:
            store = cls(rows, source_of(location, master), instance, at)
        except BaseException:
            rows.close()
            raise
        if mirror:
            from crmctl.security.keymirror import Mirror

            own = master is None and not is_url(mirror)  # a folder beside nothing else keeps its master keys itself
            store.mirror = Mirror(mirror, masters.in_folder(Path(mirror)) if own else store.source, instance, at)
        return store

    def __enter__(self) -> KeyStore:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store's connections."""
        if self.mirror is not None:
            self.mirror.close()
        self._rows.close()

    def reload(self) -> None:
        """Learn of epochs that came or went since the store was opened; raises as `open` does."""
        self._info, self.wrapper = _proven(self._rows, self.source, self.instance)

    @property
    def rows(self) -> KeyRows:
        """The database of keys."""
        return self._rows

    @property
    def info(self) -> StoreInfo:
        """The head of the store as it was when last read."""
        return self._info

    @property
    def instance(self) -> bytes:
        """The workspace the store belongs to."""
        return self._info.instance

    @property
    def location(self) -> str:
        """Where the keys are: the folder, or the URL without its password."""
        folder = Path(self._rows.location)
        return str(folder.parent) if self._rows.kind == "sqlite" and folder.name == DATABASE else self._rows.location

    def add(self, rows: Sequence[KeyRow]) -> None:
        """Store wrapped keys (`wrapper.wrap`) in one durable transaction.

        Raises IntegrityFailed (KEY_EXISTS) when an owner has a key already: numbers are never used twice, and replacing
        a key would orphan living data. Raises LimitExceeded when the master key has wrapped all it may, StorageFailed
        when the mirror cannot be reached: then the keys are in neither store.
        """
        if not rows:
            return
        if self.mirror is None:
            self._rows.insert(rows, rows[0][4])
            return
        self.mirror.ready(rows[0][4])  # before anything is written anywhere
        self._rows.insert(rows, rows[0][4])
        try:
            self.mirror.add(rows)
        except BaseException:
            from crmctl.security.keyepochs import epochs_of

            with contextlib.suppress(CrmctlError):
                epochs_of(self._rows).put([], [row[:3] for row in rows])
            raise

    def fetch(self, owner_kind: str, ids: Iterable[int]) -> dict[int, DataKey]:
        """Return owner → newest key; owners without a key are left out."""
        rows = self._rows.select(OWNER_KINDS[owner_kind], sorted(ids))
        if not {row[4] for row in rows} <= self.wrapper.masters().keys():
            self.reload()  # the master key was changed since this store was opened
        return self.wrapper.unwrap_all(rows)

    def key(self, owner_kind: str, owner_id: int) -> DataKey:
        """Return one owner's newest key. Raises KeyMissing when there is none."""
        found = self.fetch(owner_kind, (owner_id,)).get(owner_id)
        if found is None:
            raise KeyMissing(
                _(
                    "{location}: holds no key of {kind} {number} (workspace {instance}, newest master key {epoch})"
                ).format(
                    location=self.location,
                    kind=owner_label(owner_kind),
                    number=owner_id,
                    instance=shown(self.instance),
                    epoch=self.wrapper.epoch,
                ),
                hint=_("it was destroyed, or this key store is older than the database: see `crmctl keys status`"),
                code="KEY_MISSING",
            )
        return found

    def remove(self, owner_kind: str, ids: Iterable[int], *, reference: str = "") -> int:
        """Destroy the keys of these owners in one durable transaction; return how many keys are gone.

        With a `reference` (a plan, a batch) a shred receipt stays; repeating the call after a crash adds nothing.
        """
        kind, receipt = OWNER_KINDS[owner_kind], None
        if reference:
            if self._at is None:
                raise ValueError("a receipt needs the moment the store was opened with")
            receipt = ReceiptRow(reference, kind, 0, stamp(self._at), self.wrapper.epoch)
        doomed = sorted(ids)
        if self.mirror is None:
            return self._rows.delete(kind, doomed, receipt)
        self.mirror.ready(0)
        gone = self._rows.delete(kind, doomed, receipt)
        self.mirror.remove(kind, doomed, receipt)
        return gone

    def compact(self) -> None:
        """Rewrite the store's file after a large removal, so that freed pages go too."""
        self._rows.compact()
        if self.mirror is not None:
            self.mirror.compact()

    def count(self, owner_kind: str) -> int:
        """Return how many keys owners of this kind have."""
        return self._rows.counts().get(OWNER_KINDS[owner_kind], 0)

    def owner_ids(self, owner_kind: str) -> Iterator[int]:
        """Yield the owners of this kind that have a key, ascending, in flat memory."""
        return self._rows.owners(OWNER_KINDS[owner_kind])

    def index_keys(self) -> tuple[int, dict[int, bytes]]:
        """Return the newest index epoch and epoch → index key, for `identity.BlindIndex`."""
        keys = {
            row.epoch: self.wrapper.unwrap_index(row.wrapped, row.epoch, row.master_epoch) for row in self._info.indexes
        }
        return max(keys), keys

    def status(self) -> dict[str, Any]:
        """Return what the store holds, no secrets: the document of `crmctl keys status`; times are stamps."""
        info = self._rows.info()
        return {
            "location": self.location,
            "kind": self._rows.kind,
            "format": info.format,
            "instance": str(UUID(bytes=info.instance)),
            "created_at": info.created_at,
            "masters": [{"epoch": row.epoch, "created_at": row.created_at, "wraps": row.wraps} for row in info.masters],
            "indexes": [{"epoch": row.epoch, "created_at": row.created_at} for row in info.indexes],
            "keys": {OWNER_NAMES.get(kind, str(kind)): number for kind, number in self._rows.counts().items()},
            "receipts": len(self._rows.receipts()),
        }

    def copy_to(self, dest: Path) -> dict[str, Any]:
        """Copy keys and master keys into a new owner-only folder, verified; return its `status`.

        Raises Refused when `dest` exists, IntegrityFailed when the copy does not verify (it is then removed).
        """
        from crmctl.security.keycopy import copy_store

        copy_store(self._rows, self.wrapper, self.instance, dest)
        with KeyStore.open(dest, self.instance) as copy:
            return copy.status()


def read_secret(path: Path) -> bytes:
    """Return the bytes of an owner-only file that holds a secret. Raises KeyMissing."""
    return read_private(path, _SECRET_BYTES)


def _proven(rows: KeyRows, source: MasterSource, instance: bytes) -> tuple[StoreInfo, KeyWrapper]:
    """Return the head of a store and what unwraps its keys; every master key is the one it claims to be."""
    info = rows.info()
    while True:
        check_info(rows.location, info, instance)
        try:
            keys = {row.epoch: checked_master(source, row, instance) for row in info.masters}
        except KeyMissing:
            read, info = info, rows.info()
            if read.masters == info.masters:  # else an epoch was destroyed this moment
                raise
        else:
            return info, KeyWrapper(instance, keys)


def _new_info(instance: bytes, at: datetime, master: bytes) -> StoreInfo:
    wrapper = KeyWrapper(instance, {1: master})
    moment = stamp(at)
    index = IndexRow(1, moment, wrapper.wrap_index(os.urandom(KEY_BYTES), 1), 1)
    return StoreInfo(FORMAT, instance, moment, (MasterRow(1, moment, wrapper.proof(1), 1),), (index,))


__all__ = ["KeyStore", "KeyWrapper", "Location", "Master", "read_secret"]
