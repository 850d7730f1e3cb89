"""Notices that wait for their channel, and what became of them; codes, numbers and times only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from crmctl.store.metadata import JsonText, RowNumber, UtcTime, metadata

_UNSENT = text("sent_at IS NULL")

notification = Table(
    "notification",
    metadata,
    Column("notification_id", RowNumber, primary_key=True, autoincrement=False),
    Column("channel", Text, nullable=False, comment="code of the notify policy"),
    Column("subject", Text, nullable=False, comment="what it is about: complaint:CMP-20261121-0007"),
    Column("event", Text, nullable=False, comment="code: warn, overdue, level2, …"),
    Column("due_at", UtcTime, comment="the limit it is about"),
    Column("recipient", Text, nullable=False, comment="staff number or post; empty: whoever reads the channel"),
    Column("text_code", Text, nullable=False, comment="which message it becomes"),
    Column("data", JsonText, nullable=False, comment="what the message names: codes, numbers, times"),
    Column("run_id", BigInteger, nullable=False, comment="the run that wrote it"),
    Column("created_at", UtcTime, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, sent, failed, dropped"),
    Column("attempts", Integer, nullable=False, comment="how often its channel did not take it"),
    Column("tried_at", UtcTime, comment="the last time it was tried"),
    Column("sent_at", UtcTime),
    Column("failure", Text, comment="code: why the last attempt failed, or why it was dropped"),
    Index("ix_notification_unsent", "state", "channel", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
    info={"distribution": "coordinator"},
)
