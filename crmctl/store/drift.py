"""How the tables of a database differ from those the program expects: what Alembic sees, and what it does not.

Alembic compares tables, columns, types, indexes and unique constraints. Order of columns, CHECK constraints, clustered
tables on SQLite and columns without statistics on PostgreSQL are compared here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import CheckConstraint, LargeBinary, Table, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.sql.schema import SchemaItem

from crmctl.i18n import _
from crmctl.store.schema import load_all


def differences(connection: Connection) -> list[str]:
    """Return one line for each difference; empty when the database is as expected."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    expected = load_all()
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    found = [_line(change) for change in _flat(compare_metadata(context, expected))]
    present = set(inspect(connection).get_table_names())
    for table in expected.tables.values():
        if table.name in present:
            found += _shape(connection, table)
    return sorted(found)


def _flat(changes: Iterable[Any]) -> Iterator[Any]:
    """Alembic nests the changes of one column in a list."""
    for change in changes:
        if isinstance(change, list):
            yield from change
        else:
            yield change


def _line(change: tuple[Any, ...]) -> str:
    """Return one of Alembic's differences as `add_table: customer`: what would make the database right."""
    action, *parts = change
    names: list[str] = []
    for part in parts:
        if isinstance(part, SchemaItem):
            owner = getattr(part, "table", None)
            if owner is not None and owner.name not in names:
                names.append(owner.name)
            names.append(str(getattr(part, "name", part)))
        elif isinstance(part, str):
            names.append(part)
    return _("{action}: {what}").format(action=action, what=".".join(names))


def _shape(connection: Connection, table: Table) -> Iterator[str]:
    inspector = inspect(connection)
    columns = [column["name"] for column in inspector.get_columns(table.name)]
    if columns != [column.name for column in table.columns] and set(columns) == set(table.columns.keys()):
        yield _("{table}: its columns stand in another order").format(table=table.name)
    checks = {check["name"] for check in inspector.get_check_constraints(table.name)}
    wanted = {constraint.name for constraint in table.constraints if isinstance(constraint, CheckConstraint)}
    for name in sorted(str(name) for name in checks ^ wanted):
        yield _("{table}: check constraint {name} is missing or unknown").format(table=table.name, name=name)
    if connection.dialect.name == "sqlite":
        clustered = text("SELECT wr FROM pragma_table_list(:name)")
        without_rowid = connection.execute(clustered, {"name": table.name}).scalar_one()
        if bool(without_rowid) == bool(table.dialect_options["sqlite"]["with_rowid"]):
            yield _("{table}: WITHOUT ROWID is not as expected").format(table=table.name)
    else:
        yield from _statistics(connection, table)


def _statistics(connection: Connection, table: Table) -> Iterator[str]:
    """Sealed values and digests are not sampled: samples would outlive a purge (security.md 2(g))."""
    sampled = text(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0"
        " AND coalesce(attstattarget, -1) <> 0 AND NOT attisdropped"
    )
    names = set(connection.execute(sampled, {"name": table.name}).scalars())
    for column in table.columns:
        if isinstance(column.type, LargeBinary) and column.name in names:
            yield _("{table}.{column}: the server keeps samples of its values").format(
                table=table.name, column=column.name
            )
