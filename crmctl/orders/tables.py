"""Orders, and where each order number is (design §5: unique constraints contain the distribution column)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import UtcTime, metadata

# Clustered by customer: grading reads all orders of a customer together, in one pass over the table.
purchase_order = Table(
    "purchase_order",
    metadata,
    Column("customer_id", BigInteger, primary_key=True, autoincrement=False),
    Column("order_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Text, nullable=False, comment="as the system it comes from calls it"),
    Column("source", Text, nullable=False, comment="that system"),
    Column("amount", BigInteger, nullable=False, comment="in minor units of its currency; negative for a return"),
    Column("currency", Text, nullable=False),
    Column("home_amount", BigInteger, comment="in minor units of the home currency; null where no rate is known"),
    Column("ordered_on", Text, nullable=False, comment="day in the company's zone, YYYY-MM-DD"),
    Column("delivered_on", Text),
    Column("paid_on", Text),
    Column("product_line", Text),
    Column("batch_id", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "customer_id"},
)

order_number = Table(
    "order_number",
    metadata,
    Column("number", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("customer_id", BigInteger, nullable=False),
    Column("order_id", BigInteger, nullable=False),
    sqlite_with_rowid=False,
    info={"distribution": "number"},
)
