"""Master and index epochs of a SQLite key store; destroyed wraps are overwritten (`secure_delete`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from crmctl.security.keyepochs import BEGINNING, Again, Place, still_used
from crmctl.security.keyrows import IndexRow, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keysqlite import SqliteKeys, exhausted
from crmctl.security.keywrap import WRAPS_PER_EPOCH, KeyRow

_COLUMNS = "owner_kind, owner_id, generation, wrapped, master_epoch"
_BY_PLACE = "owner_kind = ? AND owner_id = ? AND generation = ?"


class SqliteEpochs:
    """Changes of epochs in one file."""

    def __init__(self, rows: SqliteKeys) -> None:
        self._rows = rows

    def wrapped(self) -> dict[int, int]:
        with self._rows.reading() as raw:
            return _wrapped(raw)

    def add_master(self, row: MasterRow) -> None:
        with self._rows.writing() as raw:
            raw.execute("INSERT INTO master_epoch (epoch, created_at, proof, wraps) VALUES (?, ?, ?, ?)", row)

    def drop_master(self, epoch: int) -> None:
        with self._rows.writing() as raw:
            (newest,) = raw.execute("SELECT max(epoch) FROM master_epoch").fetchone()
            if epoch == newest or epoch in _wrapped(raw):
                raise still_used(self._rows.location, epoch)
            raw.execute("DELETE FROM master_epoch WHERE epoch = ?", (epoch,))

    def rewrap(self, epoch: int, most: int, again: Again) -> Iterator[int]:
        after: Place = BEGINNING
        while True:
            with self._rows.writing() as raw:
                found = _page(raw, after, most, None)
                fresh = again([row for row in found if row[4] < epoch])
                if fresh:
                    raw.executemany(
                        f"UPDATE data_key SET wrapped = ?, master_epoch = ? WHERE {_BY_PLACE}",  # noqa: S608
                        [(bytearray(row[3]), row[4], *row[:3]) for row in fresh],
                    )
                    _count(raw, self._rows.location, epoch, len(fresh))
            yield len(fresh)
            if len(found) < most:
                return
            after = found[-1][:3]

    def set_index(self, row: IndexRow) -> None:
        with self._rows.writing() as raw:
            raw.execute("INSERT OR REPLACE INTO index_key VALUES (?, ?, ?, ?)", row)
            _count(raw, self._rows.location, row.master_epoch, 1)

    def drop_index(self, epoch: int) -> None:
        with self._rows.writing() as raw:
            raw.execute("DELETE FROM index_key WHERE epoch = ?", (epoch,))

    def page(self, after: Place, most: int, until: Place | None = None) -> list[KeyRow]:
        with self._rows.reading() as raw:
            return _page(raw, after, most, until)

    def put(self, rows: Sequence[KeyRow], gone: Sequence[Place], wraps: int = 0) -> None:
        with self._rows.writing() as raw:
            raw.executemany(f"DELETE FROM data_key WHERE {_BY_PLACE}", gone)  # noqa: S608
            raw.executemany(
                f"INSERT OR REPLACE INTO data_key ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",  # noqa: S608
                [(*row[:3], bytearray(row[3]), row[4]) for row in rows],
            )
            if wraps:
                counted = raw.execute("UPDATE master_epoch SET wraps = wraps + ? WHERE epoch = ?", (wraps, rows[0][4]))
                if counted.rowcount != 1:
                    raise KeyError(rows[0][4])

    def put_head(self, info: StoreInfo, receipts: Sequence[ReceiptRow]) -> None:
        with self._rows.writing() as raw:
            for table, found in (("master_epoch", info.masters), ("index_key", info.indexes)):
                raw.execute(f"DELETE FROM {table}")  # noqa: S608
                raw.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?)", found)  # noqa: S608
            raw.execute("DELETE FROM shred_receipt")
            raw.executemany("INSERT INTO shred_receipt VALUES (?, ?, ?, ?, ?)", receipts)


def _wrapped(raw: Any) -> dict[int, int]:
    union = "SELECT master_epoch FROM data_key UNION ALL SELECT master_epoch FROM index_key"
    return dict(raw.execute(f"SELECT master_epoch, count(*) FROM ({union}) GROUP BY 1").fetchall())  # noqa: S608


def _page(raw: Any, after: Place, most: int, until: Place | None) -> list[KeyRow]:
    upto = "" if until is None else " AND (owner_kind, owner_id, generation) <= (?, ?, ?)"
    statement = (
        f"SELECT {_COLUMNS} FROM data_key WHERE (owner_kind, owner_id, generation) > (?, ?, ?){upto}"  # noqa: S608
        " ORDER BY owner_kind, owner_id, generation LIMIT ?"
    )
    found: list[KeyRow] = raw.execute(statement, (*after, *(until or ()), most)).fetchall()
    return found


def _count(raw: Any, location: str, epoch: int, number: int) -> None:
    counted = raw.execute(
        "UPDATE master_epoch SET wraps = wraps + ?1 WHERE epoch = ?2 AND wraps + ?1 <= ?3",
        (number, epoch, WRAPS_PER_EPOCH),
    )
    if counted.rowcount != 1:
        raise exhausted(location, epoch)
