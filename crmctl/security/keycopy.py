"""Copy a key store for safe keeping, and prove the copy before saying it is one."""

from __future__ import annotations

from pathlib import Path

from crmctl.errors import IntegrityFailed
from crmctl.i18n import _
from crmctl.security import keysqlite, masters
from crmctl.security.keyfiles import DATABASE, new_folder
from crmctl.security.keyrows import KeyRows
from crmctl.security.keywrap import KeyWrapper, master_proof

SAMPLE = 1_000  # keys unwrapped to prove a copy


def copy_store(rows: KeyRows, wrapper: KeyWrapper, instance: bytes, dest: Path) -> None:
    """Copy keys as of one moment, and the master keys, into the new folder `dest`.

    The folder appears whole and verified or not at all. Raises Refused when it exists, IntegrityFailed when the copy
    differs from what was read, StorageFailed when the disk refuses.
    """
    with new_folder(dest) as building:
        wanted = copy_rows(rows, building / DATABASE)
        for epoch, key in wrapper.masters().items():
            masters.write(masters.in_folder(building).file(epoch), key)
        if not _verifies(building, instance, wanted):
            raise IntegrityFailed(
                _("{path}: the copy differs from the key store").format(path=dest),
                hint=_("check the disk and copy again, to another place"),
                code="COPY_BROKEN",
            )


def copy_rows(rows: KeyRows, target: Path) -> dict[int, int]:
    """Copy wrapped keys, epochs and receipts as of one moment into the new file `target`; return keys by kind.

    No master key is among them. Raises StorageFailed when the disk refuses.
    """
    if isinstance(rows, keysqlite.SqliteKeys):
        from crmctl.store.sqlite import create_file

        create_file(target)
        return rows.backup_to(target)
    return _stream(rows, target)


def _stream(rows: KeyRows, target: Path) -> dict[int, int]:
    """Copy a server's keys row by row into a new file; memory stays flat."""
    keysqlite.create(target, rows.info())
    counts: dict[int, int] = {}
    raw = keysqlite.connect(target)
    try:
        raw.execute("BEGIN IMMEDIATE")
        with rows.dump() as batches:
            for batch in batches:
                raw.executemany("INSERT INTO data_key VALUES (?, ?, ?, ?, ?)", batch)
                for row in batch:
                    counts[row[0]] = counts.get(row[0], 0) + 1
        raw.executemany("INSERT INTO shred_receipt VALUES (?, ?, ?, ?, ?)", rows.receipts())
        raw.execute("COMMIT")
    finally:
        raw.close()
    return counts


def _verifies(folder: Path, instance: bytes, wanted: dict[int, int]) -> bool:
    """Say whether the written folder holds all keys, sound, and master keys that open a sample of them."""
    copy = keysqlite.SqliteKeys(folder / DATABASE)
    try:
        info = copy.info()
        keys = {row.epoch: masters.read(masters.in_folder(folder), row.epoch) for row in info.masters}
        if any(master_proof(keys[row.epoch], instance, row.epoch) != row.proof for row in info.masters):
            return False
        if copy.counts() != wanted or copy.damage():
            return False
        wrapper = KeyWrapper(instance, keys)
        wrapper.unwrap_all(copy.sample(SAMPLE))
        for row in info.indexes:
            wrapper.unwrap_index(row.wrapped, row.epoch, row.master_epoch)
    finally:
        copy.close()
    return True
