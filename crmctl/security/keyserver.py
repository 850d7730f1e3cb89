"""Keys in a PostgreSQL database of their own, on another server than the data (design §5)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, inspect, select, update
from sqlalchemy.dialects.postgresql import insert

from crmctl.clock import parse_stamp, stamp
from crmctl.errors import DatabaseMissing, Refused
from crmctl.i18n import _
from crmctl.security import keytables as tables
from crmctl.security.keyrows import IndexRow, MasterRow, ReceiptRow, StoreInfo
from crmctl.security.keysqlite import exhausted, gone, key_exists, not_a_store
from crmctl.security.keywrap import WRAPS_PER_EPOCH, KeyRow
from crmctl.store.bulk import fetch_by_keys, insert_rows
from crmctl.store.engine import open_engine, read, timeout_of, write
from crmctl.store.failures import RowRefused, translated

_ROWS_AT_ONCE = 5_000
_KEY = tables.data_key.c
_KEY_COLUMNS = (_KEY.owner_kind, _KEY.owner_id, _KEY.generation, _KEY.wrapped, _KEY.master_epoch)
_NAMES = tuple(column.name for column in _KEY_COLUMNS)


class ServerKeys:
    """The keys behind one URL. The engine is opened anew in a forked child by whoever opens the store there."""

    kind = "postgresql"

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self.location = self._engine.url.render_as_string(hide_password=True)

    def writing(self) -> contextlib.AbstractContextManager[Connection]:
        """Return a connection inside one durable transaction."""
        return write(self._engine)

    def reading(self) -> contextlib.AbstractContextManager[Connection]:
        """Return a connection that sees one moment of the store."""
        return read(self._engine)

    def info(self) -> StoreInfo:
        try:
            with self.reading() as conn:
                if not inspect(conn).has_table(tables.store_info.name):
                    raise not_a_store(self.location)
                return _info(conn)
        except DatabaseMissing as error:
            raise gone(error) from None

    def insert(self, rows: Sequence[KeyRow], epoch: int) -> None:
        master = tables.master_epoch
        try:
            with self.writing() as conn:
                insert_rows(conn, tables.data_key, _NAMES, rows)
                wraps = master.c.wraps + len(rows)
                within = update(master).where(master.c.epoch == epoch, wraps <= WRAPS_PER_EPOCH)
                if conn.execute(within.values(wraps=wraps)).rowcount != 1:
                    raise exhausted(self.location, epoch)
        except RowRefused:
            raise key_exists(self.location) from None

    def select(self, kind: int, ids: Sequence[int]) -> list[KeyRow]:
        with self.reading() as conn:
            found = fetch_by_keys(conn, tables.data_key, "owner_id", ids, _NAMES, extra={"owner_kind": (kind,)})
        return sorted(_row(row) for row in found)

    def delete(self, kind: int, ids: Sequence[int], receipt: ReceiptRow | None) -> int:
        doomed = delete(tables.data_key).where(_KEY.owner_kind == kind, _KEY.owner_id == func.any(list(ids)))
        with self.writing() as conn:
            gone = conn.execute(doomed).rowcount
            if receipt is not None:
                _write_receipt(conn, receipt._replace(keys=gone))
        return gone

    def owners(self, kind: int) -> Iterator[int]:
        after = -1
        while True:
            query = select(_KEY.owner_id).distinct().where(_KEY.owner_kind == kind, _KEY.owner_id > after)
            with self.reading() as conn:
                found = conn.scalars(query.order_by(_KEY.owner_id).limit(_ROWS_AT_ONCE)).all()
            if not found:
                return
            yield from found
            after = found[-1]

    def counts(self) -> dict[int, int]:
        with self.reading() as conn:
            return _counts(conn)

    def sample(self, most: int) -> list[KeyRow]:
        with self.reading() as conn:
            total = sum(_counts(conn).values())
            numbered = select(*_KEY_COLUMNS, (func.row_number().over() - 1).label("n")).subquery()
            step = max(1, -(-total // most))
            query = select(*(numbered.c[column.name] for column in _KEY_COLUMNS))
            return [_row(found) for found in conn.execute(query.where(numbered.c.n % step == 0))]

    @contextlib.contextmanager
    def dump(self) -> Iterator[Iterator[Sequence[KeyRow]]]:
        with self.reading() as conn:
            query = select(*_KEY_COLUMNS).order_by(_KEY.owner_kind, _KEY.owner_id, _KEY.generation)
            found = conn.execution_options(stream_results=True, yield_per=_ROWS_AT_ONCE).execute(query)
            yield ([_row(row) for row in batch] for batch in found.partitions())

    def receipts(self) -> list[ReceiptRow]:
        table = tables.shred_receipt
        with self.reading() as conn:
            found = conn.execute(select(table).order_by(table.c.reference, table.c.owner_kind)).all()
        return [ReceiptRow(row[0], row[1], row[2], stamp(row[3]), row[4]) for row in found]

    def compact(self) -> None:
        with translated(self._engine.url, timeout_of(self._engine)), self._engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM data_key")

    def close(self) -> None:
        self._engine.dispose()


def create(url: str, info: StoreInfo) -> None:
    """Make the tables of a key store and its head in one transaction. Raises Refused when there is one already."""
    engine = open_engine(url)
    try:
        with write(engine) as conn:
            if inspect(conn).has_table(tables.store_info.name):
                raise Refused(
                    _("{location}: holds a key store already").format(
                        location=engine.url.render_as_string(hide_password=True)
                    ),
                    hint=_("give each workspace a key store of its own"),
                    code="KEYSTORE_EXISTS",
                )
            tables.metadata.create_all(conn, checkfirst=False)
            _write_info(conn, info)
    finally:
        engine.dispose()


def _write_info(conn: Connection, info: StoreInfo) -> None:
    at = parse_stamp(info.created_at)
    head = {"id": 1, "format": info.format, "instance": info.instance, "created_at": at}
    conn.execute(tables.store_info.insert(), [head])
    masters = [row._asdict() | {"created_at": parse_stamp(row.created_at)} for row in info.masters]
    conn.execute(tables.master_epoch.insert(), masters)
    indexes = [row._asdict() | {"created_at": parse_stamp(row.created_at)} for row in info.indexes]
    conn.execute(tables.index_key.insert(), indexes)


def _write_receipt(conn: Connection, receipt: ReceiptRow) -> None:
    table = tables.shred_receipt
    values = receipt._asdict() | {"shredded_at": parse_stamp(receipt.shredded_at)}
    statement = insert(table).values(values)
    changed: dict[str, Any] = {
        "keys": table.c["keys"] + statement.excluded["keys"],
        "newest_master_epoch": statement.excluded.newest_master_epoch,
    }
    if receipt.keys:  # run again after a crash, nothing is left to destroy: the first date stands
        changed["shredded_at"] = statement.excluded.shredded_at
    conn.execute(statement.on_conflict_do_update(index_elements=["reference", "owner_kind"], set_=changed))


def _info(conn: Connection) -> StoreInfo:
    info, master, index = tables.store_info.c, tables.master_epoch.c, tables.index_key.c
    head = conn.execute(select(info.format, info.instance, info.created_at)).one()
    masters = conn.execute(select(master.epoch, master.created_at, master.proof, master.wraps).order_by(master.epoch))
    indexes = conn.execute(
        select(index.epoch, index.created_at, index.wrapped, index.master_epoch).order_by(index.epoch)
    )
    return StoreInfo(
        head[0],
        bytes(head[1]),
        stamp(head[2]),
        tuple(MasterRow(row[0], stamp(row[1]), bytes(row[2]), row[3]) for row in masters),
        tuple(IndexRow(row[0], stamp(row[1]), bytes(row[2]), row[3]) for row in indexes),
    )


def _counts(conn: Connection) -> dict[int, int]:
    found = conn.execute(select(_KEY.owner_kind, func.count()).group_by(_KEY.owner_kind))
    return {row[0]: row[1] for row in found}


def _row(found: Any) -> KeyRow:
    return found[0], found[1], found[2], bytes(found[3]), found[4]
