"""Numbers of cases, by which people ask for one (CMP-03): a look-up apart, so that a case lies with its customer."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from crmctl.store.metadata import metadata

case_number = Table(
    "case_number",
    metadata,
    Column("number", Text, primary_key=True, comment="CMP-20261121-0007; of a row of a sheet its mark"),
    Column("kind", Text, nullable=False, comment="complaint; complaint_row: what tells an imported row"),
    Column("customer_id", BigInteger, nullable=False),
    Column("object_id", BigInteger, nullable=False, comment="the case's own number, complaint_id"),
    sqlite_with_rowid=False,
    info={"distribution": "number"},
)
