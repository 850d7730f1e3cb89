"""The tables can be spread over many machines (design §5): proved from the metadata alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, MetaData, SmallInteger, Table, Text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.schema import ForeignKeyConstraint

from crmctl.store.metadata import Digest, JsonText, UtcTime
from crmctl.store.schema import load_all

EVERYWHERE, ONE_PLACE = "reference", "coordinator"
SPREAD = ("customer_id", "digest", "batch_id", "run_id", "number")
TYPES = (BigInteger, Integer, SmallInteger, Text, Digest, JsonText, UtcTime)
NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def violations(metadata: MetaData) -> Iterator[str]:
    for table in metadata.tables.values():
        how = table.info.get("distribution")
        if how not in (*SPREAD, EVERYWHERE, ONE_PLACE):
            yield f"{table.name}: distribution {how!r}"
            continue
        yield from _names_and_types(table)
        if how in SPREAD:
            yield from _uniqueness(table, how)
        yield from _references(table, how)


def _names_and_types(table: Table) -> Iterator[str]:
    for name in (table.name, *table.columns.keys()):
        if not NAME.fullmatch(name) or len(name) > 40:
            yield f"{table.name}: name {name!r}"
    for column in table.columns:
        if not isinstance(column.type, TYPES):
            yield f"{table.name}.{column.name}: type {column.type!r}"
        if column.server_default is not None or column.identity is not None or column.autoincrement is True:
            yield f"{table.name}.{column.name}: the database fills it in"
    if not table.primary_key.columns:
        yield f"{table.name}: no primary key"


def _uniqueness(table: Table, how: str) -> Iterator[str]:
    keys = [table.primary_key, *(c for c in table.constraints if isinstance(c, Unique))]
    keys += [index for index in table.indexes if index.unique]
    for key in keys:
        if how not in [column.name for column in key.columns]:
            yield f"{table.name}: {key.name or 'a key'} lacks {how}"
    if how == "customer_id" and table.primary_key.columns.keys()[0] != how:
        yield f"{table.name}: the primary key does not begin with customer_id"


def _references(table: Table, how: str) -> Iterator[str]:
    for constraint in table.constraints:
        if not isinstance(constraint, ForeignKeyConstraint):
            continue
        other = constraint.referred_table.info.get("distribution")
        beside = how == other and how in SPREAD and how in constraint.column_keys
        if not (beside or other == EVERYWHERE and how != ONE_PLACE or how == other and how not in SPREAD):
            yield f"{table.name}: a foreign key crosses from {how} to {other}"


def test_the_schema_can_be_distributed() -> None:
    assert list(violations(load_all())) == []


def test_every_room_is_loaded() -> None:
    assert {"customer", "identity", "change", "audit_entry", "run", "batch", "counter"} <= set(load_all().tables)


@pytest.mark.parametrize(
    ("columns", "how", "told"),
    [
        ([Column("id", BigInteger, primary_key=True)], None, "distribution None"),
        ([Column("id", BigInteger, primary_key=True)], "customer_id", "lacks customer_id"),
        (
            [Column("customer_id", BigInteger, primary_key=True), Column("code", Text, unique=True)],
            "customer_id",
            "lacks customer_id",
        ),
        (
            [Column("digest", Digest, primary_key=True), Column("n", Integer), Index("ix", "n", unique=True)],
            "digest",
            "ix lacks digest",
        ),
        (
            [Column("id", BigInteger, primary_key=True), Column("customer_id", BigInteger, primary_key=True)],
            "customer_id",
            "does not begin with customer_id",
        ),
        (
            [Column("customer_id", BigInteger, ForeignKey("log.id"), primary_key=True)],
            "customer_id",
            "crosses from customer_id to coordinator",
        ),
        ([Column("Id", BigInteger, primary_key=True)], "reference", "name 'Id'"),
        ([Column("n", BigInteger, primary_key=True, server_default="1")], "reference", "fills it in"),
        ([Column("n", BigInteger)], "reference", "no primary key"),
    ],
)
def test_the_rules_catch_what_they_should(columns: list[object], how: str | None, told: str) -> None:
    metadata = MetaData()
    Table("log", metadata, Column("id", BigInteger, primary_key=True), info={"distribution": "coordinator"})
    Table("bad", metadata, *columns, info={"distribution": how} if how else {})  # type: ignore[arg-type]
    assert any(told in line for line in violations(metadata)), list(violations(metadata))
