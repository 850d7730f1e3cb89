"""Master and index epochs of a key store on PostgreSQL."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from psycopg import Connection as Raw
from psycopg import sql
from sqlalchemy import Connection, delete, func, insert, select, union_all, update
from sqlalchemy.dialects import postgresql

from crmctl.clock import parse_stamp
from crmctl.process import held_back
from crmctl.security import keytables as tables
from crmctl.security.keyepochs import BEGINNING, Again, Place, still_used
from crmctl.security.keyrows import IndexRow, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keyserver import ServerKeys
from crmctl.security.keysqlite import exhausted
from crmctl.security.keywrap import WRAPS_PER_EPOCH, KeyRow
from crmctl.store.bulk import delete_rows, replace_rows, update_rows

_KEY = tables.data_key.c
_PLACE = ("owner_kind", "owner_id", "generation")
_NAMES = (*_PLACE, "wrapped", "master_epoch")


class ServerEpochs:
    """Changes of epochs behind one URL."""

    def __init__(self, rows: ServerKeys) -> None:
        self._rows = rows

    def wrapped(self) -> dict[int, int]:
        with self._rows.reading() as conn:
            return _wrapped(conn)

    def add_master(self, row: MasterRow) -> None:
        with self._rows.writing() as conn:
            conn.execute(insert(tables.master_epoch).values(_dated(row)))

    def drop_master(self, epoch: int) -> None:
        master = tables.master_epoch
        with self._rows.writing() as conn:
            # whoever wraps counts it in this row: locked, nobody can wrap between the look and the removal
            conn.execute(select(master.c.epoch).where(master.c.epoch == epoch).with_for_update())
            newest = conn.execute(select(func.max(master.c.epoch))).scalar_one()
            if epoch == newest or epoch in _wrapped(conn):
                raise still_used(self._rows.location, epoch)
            conn.execute(delete(master).where(master.c.epoch == epoch))

    def rewrap(self, epoch: int, most: int, again: Again) -> Iterator[int]:
        """See `EpochRows.rewrap`; the server writes one piece while the next is read and wrapped here."""
        with ThreadPoolExecutor(1) as writer:
            written: Future[int] | None = None
            after: Place = BEGINNING
            while True:
                found = self.page(after, most)
                fresh = again([row for row in found if row[4] < epoch])
                if written is not None:
                    yield written.result()
                with held_back(*signal.Signals):  # the first one starts the thread: an exception would leave half of it
                    written = writer.submit(self._replace, epoch, fresh)
                if len(found) < most:
                    break
                after = found[-1][:3]
            yield written.result()

    def _replace(self, epoch: int, fresh: Sequence[KeyRow]) -> int:
        """Write rewrapped keys; one that was destroyed since it was read stays so."""
        if not fresh:
            return 0
        with self._rows.writing() as conn:
            changed = update_rows(conn, tables.data_key, _PLACE, _NAMES[3:], fresh)
            _count(conn, self._rows.location, epoch, changed)
        return changed

    def set_index(self, row: IndexRow) -> None:
        index = tables.index_key
        with self._rows.writing() as conn:
            conn.execute(delete(index).where(index.c.epoch == row.epoch))
            conn.execute(insert(index).values(_dated(row)))
            _count(conn, self._rows.location, row.master_epoch, 1)

    def drop_index(self, epoch: int) -> None:
        index = tables.index_key
        with self._rows.writing() as conn:
            conn.execute(delete(index).where(index.c.epoch == epoch))

    def page(self, after: Place, most: int, until: Place | None = None) -> list[KeyRow]:
        with self._rows.reading() as conn:
            return _page(conn, after, most, until)

    def put(self, rows: Sequence[KeyRow], gone: Sequence[Place], wraps: int = 0) -> None:
        master = tables.master_epoch
        with self._rows.writing() as conn:
            if gone:
                delete_rows(conn, tables.data_key, _PLACE, gone)
            if rows:
                replace_rows(conn, tables.data_key, _NAMES, rows)
            if wraps:
                counted = update(master).where(master.c.epoch == rows[0][4]).values(wraps=master.c.wraps + wraps)
                if conn.execute(counted).rowcount != 1:
                    raise KeyError(rows[0][4])

    def put_head(self, info: StoreInfo, receipts: Sequence[ReceiptRow]) -> None:
        master, index, receipt = tables.master_epoch, tables.index_key, tables.shred_receipt
        with self._rows.writing() as conn:
            # replaced in place: whoever counts a wrap at this moment must not find its epoch gone
            conn.execute(delete(master).where(master.c.epoch.not_in([row.epoch for row in info.masters])))
            statement = postgresql.insert(master).values([_dated(row) for row in info.masters])
            changed = {name: statement.excluded[name] for name in ("created_at", "proof", "wraps")}
            conn.execute(statement.on_conflict_do_update(index_elements=["epoch"], set_=changed))
            conn.execute(delete(index))
            if info.indexes:
                conn.execute(insert(index), [_dated(row) for row in info.indexes])
            conn.execute(delete(receipt))
            if receipts:
                dated = [row._asdict() | {"shredded_at": parse_stamp(row.shredded_at)} for row in receipts]
                conn.execute(insert(receipt), dated)


def _dated(row: MasterRow | IndexRow) -> dict[str, object]:
    return row._asdict() | {"created_at": parse_stamp(row.created_at)}


def _wrapped(conn: Connection) -> dict[int, int]:
    both = union_all(select(_KEY.master_epoch), select(tables.index_key.c.master_epoch)).subquery()
    found = conn.execute(select(both.c.master_epoch, func.count()).group_by(both.c.master_epoch))
    return {row[0]: row[1] for row in found}


def _page(conn: Connection, after: Place, most: int, until: Place | None) -> list[KeyRow]:
    names = sql.SQL(", ").join(map(sql.Identifier, _PLACE))
    upto = sql.SQL("AND ({}) <= (%s, %s, %s)").format(names) if until is not None else sql.SQL("")
    statement = sql.SQL(
        "SELECT {0}, wrapped, master_epoch FROM data_key WHERE ({0}) > (%s, %s, %s) {1} ORDER BY {0} LIMIT %s"
    )
    raw: Raw[Any] = conn.connection.driver_connection  # type: ignore[assignment]
    with raw.cursor(binary=True) as cursor:  # a million rows: SQLAlchemy's rows take four times as long
        cursor.execute(statement.format(names, upto), (*after, *(until or ()), most))
        found: list[KeyRow] = cursor.fetchall()
    return found


def _count(conn: Connection, location: str, epoch: int, number: int) -> None:
    master = tables.master_epoch
    within = update(master).where(master.c.epoch == epoch, master.c.wraps + number <= WRAPS_PER_EPOCH)
    if conn.execute(within.values(wraps=master.c.wraps + number)).rowcount != 1:
        raise exhausted(location, epoch)
