"""The one MetaData of the main database, its naming convention, and the column types of design §5.

Every table says in `info["distribution"]` how it lies on distributed PostgreSQL: a column name (`customer_id`,
`digest`, `batch_id`, `run_id`, `number`), `reference` (a copy on every node) or `coordinator` (kept local, as the log
is).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from crmctl.clock import stamp

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC to the second: `timestamptz` on PostgreSQL, `clock.stamp` text on SQLite.

    Python sees aware UTC datetimes on both; bulk paths carry the stamp text on both (see `store.bulk`).
    """

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            from sqlalchemy.dialects.postgresql import TIMESTAMP

            return dialect.type_descriptor(TIMESTAMP(timezone=True, precision=0))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return value.astimezone(UTC).replace(microsecond=0) if dialect.name == "postgresql" else stamp(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


class JsonText(TypeDecorator[str]):
    """Canonical JSON kept as text on both databases: what is hashed is what is stored, byte for byte."""

    impl = Text
    cache_ok = True


# INTEGER PRIMARY KEY is SQLite's rowid itself: no second tree for a number that is the only key.
RowNumber = BigInteger().with_variant(Integer(), "sqlite")


Digest = LargeBinary
Sealed = LargeBinary
