"""The key store: one wrapped data key per owner, apart from the data and never in its backups (security.md 2(c)).

To destroy a person is to destroy a key here. To lose the store is to lose the data: `crmctl keys copy` makes copies.

Forms: a folder (`master-0001.key` 0400 and `keys.db` 0600 in a folder 0700), a SQLite URL, or a PostgreSQL URL; with a
URL the master key comes from the provider that crmctl.yaml names (`masters`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from crmctl.clock import stamp
from crmctl.errors import InvalidInput, KeyMissing
from crmctl.i18n import _
from crmctl.security import keysqlite, masters
from crmctl.security.keyfiles import DATABASE, check_folder, new_file, new_folder, read_private
from crmctl.security.keyrows import FORMAT, IndexRow, KeyRows, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keywrap import OWNER_KINDS, OWNER_NAMES, KeyRow, KeyWrapper, master_proof
from crmctl.security.masters import MasterSource
from crmctl.security.sealing import KEY_BYTES, DataKey, owner_label

Location = Path | str
Master = MasterSource | Mapping[str, Any] | None
_SECRET_BYTES = 64 * 1024


class KeyStore:
    """An opened key store. Writing calls are committed when they return; nothing is ever replaced."""

    def __init__(self, rows: KeyRows, info: StoreInfo, wrapper: KeyWrapper, at: datetime | None = None) -> None:
        self._rows = rows
        self._info = info
        self._at = at
        self.wrapper = wrapper

    @classmethod
    def create(cls, location: Location, instance: bytes, at: datetime, *, master: Master = None) -> KeyStore:
        """Make a new store for the workspace `instance` and open it.

        A folder appears whole or not at all. Raises Refused when there is one, InvalidInput for a URL without a
        provider of its master key, StorageFailed when the disk refuses.
        """
        source = _source(location, master)
        if _is_server(location):
            from crmctl.security import keyserver

            keyserver.create(str(location), _new_info(instance, at, masters.make(source, 1)))
        elif _is_url(location):
            with new_file(_file_of(str(location))) as building:
                keysqlite.create(building, _new_info(instance, at, masters.make(source, 1)))
        else:
            with new_folder(Path(location)) as building:
                inside = source if master is not None else masters.in_folder(building)
                keysqlite.create(building / DATABASE, _new_info(instance, at, masters.make(inside, 1)))
        return cls.open(location, instance, master=master, at=at)

    @classmethod
    def open(
        cls, location: Location, instance: bytes, *, master: Master = None, at: datetime | None = None
    ) -> KeyStore:
        """Open the store of the workspace `instance`; `at` is the moment that shred receipts record.

        Raises KeyMissing when it is missing, insecure, of another workspace, or its master key is missing or wrong.
        """
        rows = _open_rows(location)
        try:
            info = rows.info()
            _check_info(rows.location, info, instance)
            source = _source(location, master)
            keys = {row.epoch: _checked_master(source, row, instance) for row in info.masters}
        except BaseException:
            rows.close()
            raise
        return cls(rows, info, KeyWrapper(instance, keys), at)

    def __enter__(self) -> KeyStore:
        return self

    def __exit__(self, *_failure: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the store's connection."""
        self._rows.close()

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
        a key would orphan living data. Raises LimitExceeded when the master key has wrapped all it may.
        """
        if rows:
            self._rows.insert(rows, self.wrapper.epoch)

    def fetch(self, owner_kind: str, ids: Iterable[int]) -> dict[int, DataKey]:
        """Return owner → newest key; owners without a key are left out."""
        return self.wrapper.unwrap_all(self._rows.select(OWNER_KINDS[owner_kind], sorted(ids)))

    def key(self, owner_kind: str, owner_id: int) -> DataKey:
        """Return one owner's newest key. Raises KeyMissing when there is none."""
        found = self.fetch(owner_kind, (owner_id,)).get(owner_id)
        if found is None:
            raise KeyMissing(
                _("{location}: holds no key of {kind} {number}").format(
                    location=self.location, kind=owner_label(owner_kind), number=owner_id
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
        return self._rows.delete(kind, sorted(ids), receipt)

    def compact(self) -> None:
        """Rewrite the store's file after a large removal, so that freed pages go too."""
        self._rows.compact()

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


def _is_url(location: Location) -> bool:
    return isinstance(location, str) and "://" in location


def _is_server(location: Location) -> bool:
    return _is_url(location) and not str(location).startswith("sqlite")


def _file_of(url: str) -> Path:
    return Path(url.partition("://")[2].removeprefix("/"))


def _open_rows(location: Location) -> KeyRows:
    if _is_server(location):
        from crmctl.security.keyserver import ServerKeys

        return ServerKeys(str(location))
    if _is_url(location):
        return keysqlite.SqliteKeys(_file_of(str(location)))
    check_folder(Path(location))
    return keysqlite.SqliteKeys(Path(location) / DATABASE)


def _source(location: Location, master: Master) -> MasterSource:
    if isinstance(master, MasterSource):
        return master
    if master is not None:
        return masters.source_from(master)
    if not _is_url(location):
        return masters.in_folder(Path(location))
    raise InvalidInput(
        _("a key store with a URL needs to know who gives its master key"),
        hint=_("set `master_key` in crmctl.yaml: {example}").format(
            example="{provider: file, path: /…/master-{epoch}.key}"
        ),
        code="MASTER_CONFIG_MISSING",
    )


def _checked_master(source: MasterSource, row: MasterRow, instance: bytes) -> bytes:
    key = masters.read(source, row.epoch)
    if master_proof(key, instance, row.epoch) != row.proof:
        raise KeyMissing(
            _("master key {epoch}: is not the one these keys are wrapped under").format(epoch=row.epoch),
            hint=_("restore it from the copy made by `crmctl keys copy`"),
            code="KEY_WRONG",
        )
    return key


def _check_info(location: str, info: StoreInfo, instance: bytes) -> None:
    if info.format != FORMAT:
        raise KeyMissing(
            _("{location}: is a key store of format {format}, this program reads {known}").format(
                location=location, format=info.format, known=FORMAT
            ),
            hint=_("use the program version that wrote it"),
            code="KEYSTORE_FORMAT",
        )
    if info.instance != instance:
        raise KeyMissing(
            _("{location}: belongs to workspace {theirs}, this one is {ours}").format(
                location=location, theirs=_shown(info.instance), ours=_shown(instance)
            ),
            hint=_("correct `keys` in crmctl.yaml"),
            code="INSTANCE_WRONG",
        )


def _shown(instance: bytes) -> str:
    return str(UUID(bytes=instance)) if len(instance) == 16 else "?"


def _new_info(instance: bytes, at: datetime, master: bytes) -> StoreInfo:
    wrapper = KeyWrapper(instance, {1: master})
    moment = stamp(at)
    index = IndexRow(1, moment, wrapper.wrap_index(os.urandom(KEY_BYTES), 1), 1)
    return StoreInfo(FORMAT, instance, moment, (MasterRow(1, moment, wrapper.proof(1), 1),), (index,))


__all__ = ["KeyStore", "KeyWrapper", "read_secret"]
