"""What the log says of one object under one act: looked up where a row of the database alone is not to be believed."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, select

from crmctl.audit.tables import audit_entry


def said(conn: Connection, act: str, obj: str | None) -> Iterator[dict[str, Any]]:
    """Yield the entries of an act about an object, or any, oldest first: those whose text is what their leaf says.

    Reads the whole log. What was pruned says nothing any more.
    """
    columns = audit_entry.c
    query = select(columns.body, columns.leaf).order_by(columns.seq)
    for mark in (f'"act":"{act}"', *([f'"obj":"{obj}"'] if obj is not None else [])):
        query = query.where(columns.body.contains(mark, autoescape=True))
    for text, leaf in conn.execute(query):
        data = text.encode()
        if sha256(b"\x00" + data).digest() == bytes(leaf):
            body = orjson.loads(data)
            if body.get("act") == act and obj in (None, body.get("obj")):
                yield body
