"""Staff and their absences (OWN-04, OWN-05). Small tables, the same on every node."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from crmctl.store.metadata import JsonText, RowNumber, UtcTime, metadata

staff = Table(
    "staff",
    metadata,
    Column("staff_id", RowNumber, primary_key=True, autoincrement=False),
    Column("number", Text, nullable=False, unique=True, comment="staff number (工号)"),
    Column("name", Text, nullable=False, comment="not unique: two people may share one"),
    Column("state", Text, nullable=False, comment="active, inactive"),
    Column("post", Text, comment="code of company.yaml"),
    Column("level", Text),
    Column("department", Text),
    Column("org_unit", Text, comment="code of company.yaml"),
    Column("region", Text),
    Column("capacity", Integer, comment="customers one may look after; null: as policy says"),
    Column("languages", Text, comment="codes, space-separated, sorted"),
    Column("hr_id", Text, comment="in the personnel system"),
    Column("wecom_id", Text, comment="userid in WeCom"),
    Column("dingtalk_id", Text, comment="userid in DingTalk"),
    Column("uids", Text, comment="accounts of the operating system, space-separated, sorted"),
    Column("trained_on", Text, comment="day the training was passed (TRN-01)"),
    Column("signed_on", Text, comment="day the confidentiality undertaking was signed (ACC-05)"),
    Column("joined_on", Text),
    Column("left_on", Text),
    Column("attributes", JsonText, comment="policy-defined fields"),
    Column("batch_id", BigInteger),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    info={"distribution": "reference"},
)

absence = Table(
    "absence",
    metadata,
    Column("absence_id", RowNumber, primary_key=True, autoincrement=False),
    Column("staff_id", BigInteger, nullable=False),
    Column("from_on", Text, nullable=False, comment="first day away"),
    Column("until_on", Text, nullable=False, comment="last day away"),
    Column("deputy_id", BigInteger, comment="staff who stands in"),
    Column("cancelled_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("version", Integer, nullable=False),
    info={"distribution": "reference"},
)
