"""What a database holds, for the manifest: rows by table, where its log ends, the newest checkpoint it has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select, table

from crmctl.audit.checkpoints import newest
from crmctl.audit.tables import audit_head
from crmctl.audit.tree import Frontier
from crmctl.backups.manifest import LogHead
from crmctl.store import schema

if TYPE_CHECKING:
    from crmctl.audit.verify_entries import Trust

# Digests of identities are derived and would say of a destroyed person that there was one: made anew on restore, or
# not at all (security.md 2(b)).
LEFT_OUT = ("do_not_recreate", "identity")


def counts(conn: Connection, names: Iterable[str] = ()) -> dict[str, int]:
    """Return the number of rows of each table that a set holds, or of the tables of `names`: an older set has fewer."""
    found = {}
    for name in sorted(names or schema.load_all().tables):
        asked = select(func.count()).select_from(table(name))
        found[name] = 0 if name in LEFT_OUT else int(conn.execute(asked).scalar_one())
    return found


def log_head(conn: Connection) -> LogHead:
    """Return where the log ends, as its head says it."""
    columns = audit_head.c
    head = conn.execute(select(columns.size, columns.last_leaf, columns.frontier)).one()
    root = Frontier.from_bytes(head.size, head.frontier).root()
    return LogHead(head.size, root.hex(), head.last_leaf.hex())


def checkpoint_note(conn: Connection, trust: Trust) -> str:
    """Return the newest checkpoint of the log that is believed here, "" where there is none."""
    found = newest(conn, trust)
    return found.note if found else ""
