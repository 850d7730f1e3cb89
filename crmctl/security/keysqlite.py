"""Keys in a SQLite file: raw driver, rollback journal that is deleted at commit, destroyed rows overwritten.

`synchronous=EXTRA` syncs the folder after the journal is gone: a power cut must not take back keys whose customers are
committed in the main database. No WAL: old pages would stay readable in it (security.md 2(c), 2(g)).
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crmctl.errors import DatabaseMissing, IntegrityFailed, KeyMissing, LimitExceeded, StorageFailed
from crmctl.i18n import _
from crmctl.process import patience
from crmctl.security.keyfiles import check_private
from crmctl.security.keyrows import IndexRow, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keywrap import WRAPS_PER_EPOCH, KeyRow
from crmctl.store.failures import RowRefused, translated
from crmctl.store.sqlite import driver, patiently

BUSY_SECONDS = 30.0
_IDS_AT_ONCE = 1_000
_ROWS_AT_ONCE = 5_000
_PRAGMAS = (
    f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}",
    "PRAGMA page_size=8192",
    "PRAGMA journal_mode=DELETE",
    "PRAGMA synchronous=EXTRA",
    "PRAGMA secure_delete=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-8000",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)
_COLUMNS = "owner_kind, owner_id, generation, wrapped, master_epoch"


class SqliteKeys:
    """The keys in one file. A connection per process and thread: SQLite's must not cross a fork."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        check_private(path)
        self.path = path
        self.location = str(path)
        self._local = threading.local()

    def info(self) -> StoreInfo:
        with self.reading() as raw:
            known = raw.execute("SELECT count(*) FROM sqlite_master WHERE name = 'store_info'").fetchone()[0]
            head = raw.execute("SELECT format, instance, created_at FROM store_info").fetchone() if known else None
            if head is None:
                raise not_a_store(self.location)
            masters = raw.execute("SELECT epoch, created_at, proof, wraps FROM master_epoch ORDER BY epoch").fetchall()
            indexes = raw.execute(
                "SELECT epoch, created_at, wrapped, master_epoch FROM index_key ORDER BY epoch"
            ).fetchall()
        version, instance, created_at = head
        return StoreInfo(
            version, instance, created_at, tuple(map(MasterRow._make, masters)), tuple(map(IndexRow._make, indexes))
        )

    def insert(self, rows: Sequence[KeyRow], epoch: int) -> None:
        try:
            with self.writing() as raw:
                quick = [(*row[:3], bytearray(row[3]), row[4]) for row in rows]  # the driver binds these much faster
                raw.executemany(f"INSERT INTO data_key ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", quick)  # noqa: S608
                counted = raw.execute(
                    "UPDATE master_epoch SET wraps = wraps + ?1 WHERE epoch = ?2 AND wraps + ?1 <= ?3",
                    (len(rows), epoch, WRAPS_PER_EPOCH),
                )
                if counted.rowcount != 1:
                    raise exhausted(self.location, epoch)
        except RowRefused:
            raise key_exists(self.location) from None

    def select(self, kind: int, ids: Sequence[int]) -> list[KeyRow]:
        found: list[KeyRow] = []
        with self.reading() as raw:
            for at in range(0, len(ids), _IDS_AT_ONCE):
                some = ids[at : at + _IDS_AT_ONCE]
                statement = f"SELECT {_COLUMNS} FROM data_key WHERE owner_kind = ? AND owner_id IN ({_marks(some)})"  # noqa: S608
                found += raw.execute(statement + " ORDER BY owner_id, generation", (kind, *some))
        return found

    def delete(self, kind: int, ids: Sequence[int], receipt: ReceiptRow | None) -> int:
        gone = 0
        with self.writing() as raw:
            for at in range(0, len(ids), _IDS_AT_ONCE):
                some = ids[at : at + _IDS_AT_ONCE]
                statement = f"DELETE FROM data_key WHERE owner_kind = ? AND owner_id IN ({_marks(some)})"  # noqa: S608
                gone += raw.execute(statement, (kind, *some)).rowcount
            if receipt is not None:
                raw.execute(
                    "INSERT INTO shred_receipt (reference, owner_kind, keys, shredded_at, newest_master_epoch)"
                    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (reference, owner_kind) DO UPDATE SET"
                    " keys = keys + excluded.keys, newest_master_epoch = excluded.newest_master_epoch,"
                    " shredded_at = CASE WHEN excluded.keys > 0 THEN excluded.shredded_at ELSE shredded_at END",
                    receipt._replace(keys=gone),
                )
        return gone

    def owners(self, kind: int) -> Iterator[int]:
        after = -1
        while True:
            with self.reading() as raw:
                found = raw.execute(
                    "SELECT DISTINCT owner_id FROM data_key WHERE owner_kind = ? AND owner_id > ?"
                    " ORDER BY owner_id LIMIT ?",
                    (kind, after, _ROWS_AT_ONCE),
                ).fetchall()
            if not found:
                return
            yield from (owner for (owner,) in found)
            after = found[-1][0]

    def counts(self) -> dict[int, int]:
        with self.reading() as raw:
            return dict(raw.execute("SELECT owner_kind, count(*) FROM data_key GROUP BY owner_kind").fetchall())

    def sample(self, most: int) -> list[KeyRow]:
        with self.reading() as raw:
            (total,) = raw.execute("SELECT count(*) FROM data_key").fetchone()
            numbered = "SELECT *, row_number() OVER () - 1 AS n FROM data_key"
            statement = f"SELECT {_COLUMNS} FROM ({numbered}) WHERE n % ? = 0"  # noqa: S608
            found: list[KeyRow] = raw.execute(statement, (max(1, -(-total // most)),)).fetchall()
        return found

    @contextlib.contextmanager
    def dump(self) -> Iterator[Iterator[Sequence[KeyRow]]]:
        with self.reading() as raw:
            cursor = raw.execute(f"SELECT {_COLUMNS} FROM data_key ORDER BY 1, 2, 3")  # noqa: S608
            yield iter(lambda: cursor.fetchmany(_ROWS_AT_ONCE), [])

    def receipts(self) -> list[ReceiptRow]:
        with self.reading() as raw:
            found = raw.execute(
                "SELECT reference, owner_kind, keys, shredded_at, newest_master_epoch FROM shred_receipt ORDER BY 1, 2"
            ).fetchall()
        return list(map(ReceiptRow._make, found))

    def compact(self) -> None:
        with self._translated():
            self._raw().execute("VACUUM")

    def backup_to(self, path: Path) -> dict[int, int]:
        """Copy the database page by page as of one moment into a new file; return its counts at that moment."""
        target = driver().connect(str(path))
        try:
            with self.reading() as raw:
                counts = dict(raw.execute("SELECT owner_kind, count(*) FROM data_key GROUP BY owner_kind").fetchall())
                raw.backup(target)
        except driver().OperationalError as error:
            if hasattr(error, "sqlite_errorcode"):
                raise
            raise StorageFailed(  # what the copy's side says comes without a code
                _("{path}: cannot be written: {reason}").format(path=path, reason=_("input/output error")),
                hint=_("free space or correct the permissions, then run the same command again"),
                code="STORAGE_FAILED",
            ) from error
        finally:
            target.close()
        return counts

    def damage(self) -> list[str]:
        """Return what SQLite finds wrong with the file; empty when sound."""
        with self.reading() as raw:
            found = [row[0] for row in raw.execute("PRAGMA integrity_check").fetchall()]
        return [] if found == ["ok"] else found

    def close(self) -> None:
        held = getattr(self._local, "held", None)
        if held is not None and held[0] == os.getpid():
            held[1].close()
        self._local.held = None

    def _raw(self) -> Any:
        held = getattr(self._local, "held", None)
        if held is None or held[0] != os.getpid():
            held = self._local.held = (os.getpid(), connect(self.path))
        return held[1]

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            with translated(self.path, BUSY_SECONDS):
                yield
        except DatabaseMissing as error:
            raise gone(error) from None

    @contextlib.contextmanager
    def writing(self) -> Iterator[Any]:
        """Yield a driver connection inside one durable transaction."""
        with self._translated():
            raw = self._raw()
            patiently(lambda: raw.execute("BEGIN IMMEDIATE"), patience(BUSY_SECONDS))
            try:
                yield raw
                raw.execute("COMMIT")
            except BaseException:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        """Yield a driver connection that sees one moment of the store."""
        with self._translated():
            raw = self._raw()
            raw.execute("BEGIN")
            try:
                yield raw
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")


def connect(path: Path) -> Any:
    """Return a connection to an existing key file; a missing one is an error, never made anew."""
    raw = driver().connect(
        "file:" + quote(str(path)) + "?mode=rw", uri=True, timeout=BUSY_SECONDS, isolation_level=None
    )
    try:
        for pragma in _PRAGMAS:
            raw.execute(pragma)
    except BaseException:
        raw.close()
        raise
    return raw


def create(path: Path, info: StoreInfo) -> None:
    """Make a new owner-only key file holding `info` and no keys. Raises StorageFailed when the disk refuses."""
    from sqlalchemy.dialects import sqlite
    from sqlalchemy.schema import CreateTable

    from crmctl.security.keytables import TABLES
    from crmctl.store.sqlite import create_file

    create_file(path)
    keys = SqliteKeys(path)
    try:
        with keys.writing() as raw:
            for table in TABLES.values():
                raw.execute(str(CreateTable(table).compile(dialect=sqlite.dialect())))
            write_info(raw, info)
    finally:
        keys.close()


def write_info(raw: Any, info: StoreInfo) -> None:
    """Write the head of a store through a driver connection, inside the caller's transaction."""
    raw.execute("INSERT INTO store_info VALUES (1, ?, ?, ?)", (info.format, info.instance, info.created_at))
    raw.executemany("INSERT INTO master_epoch VALUES (?, ?, ?, ?)", info.masters)
    raw.executemany("INSERT INTO index_key VALUES (?, ?, ?, ?)", info.indexes)


def _marks(values: Sequence[int]) -> str:
    return ",".join("?" * len(values))


def key_exists(location: str) -> IntegrityFailed:
    """Return the error of a number that has a key already: replacing it would orphan living data."""
    return IntegrityFailed(
        _("{location}: a key of this number exists already; none was added").format(location=location),
        hint=_("the database was restored to an older state than its key store: run `crmctl doctor`"),
        code="KEY_EXISTS",
    )


def exhausted(location: str, epoch: int) -> LimitExceeded:
    """Return the error of a master key that has wrapped as many keys as it safely may."""
    return LimitExceeded(
        _("{location}: master key {epoch} has wrapped all the keys it may").format(location=location, epoch=epoch),
        hint=_("start the next master key before adding customers"),
        code="MASTER_EXHAUSTED",
    )


def gone(error: DatabaseMissing) -> KeyMissing:
    """Return the error of a key store whose database is not there: `init` would only make an empty one."""
    return KeyMissing(
        error.message,
        hint=_("check `keys` in crmctl.yaml; restore the newest copy of the key store"),
        code="KEYSTORE_MISSING",
    )


def not_a_store(location: str) -> KeyMissing:
    """Return the error of a database that holds no keys."""
    return KeyMissing(
        _("{location}: is not a key store").format(location=location),
        hint=_("check `keys` in crmctl.yaml; restore the newest copy of the key store"),
        code="KEYSTORE_MISSING",
    )
