"""What a login of mode server may not do whatever access.yaml grants: acts that need the owner of the database.

`access sql` gives logins no right to change entries of the log or to make all identities anew. Asked before anything is
begun, so that nothing is left half done behind the server's refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from crmctl.errors import PermissionMissing
from crmctl.i18n import _
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.runs.run import Run

_ASKED = "SELECT session_user, has_table_privilege(current_user, :table, :rights)"


def require(run: Run, table: str, *rights: str) -> None:
    """Raise PermissionMissing (DATABASE_OWNER_ONLY) when the session's role lacks one of its `rights` on a table."""
    if run.engine.dialect.name != "postgresql":
        return
    with engine.read(run.engine) as conn:
        answers = [conn.execute(text(_ASKED), {"table": table, "rights": right}).one() for right in rights]
    if all(has for _login, has in answers):
        return
    raise PermissionMissing(
        _("{command}: the database login {login} may not change {table}; nothing was begun").format(
            command=run.command, login=answers[0][0], table=table
        ),
        hint=_("the owner of the database runs it, in mode direct: docs/access.md, Mode server"),
        code="DATABASE_OWNER_ONLY",
    )
