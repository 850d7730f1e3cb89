"""What a login of mode server may not do whatever access.yaml grants: acts that need the owner of the database.

`access sql` gives logins no right to change entries of the log or to make all identities anew. Asked before anything is
begun, so that nothing is left half done behind the server's refusal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from crmctl.errors import PermissionMissing
from crmctl.i18n import _
from crmctl.security import permissions
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.runs.run import Run

_FILTERED = "SELECT row_security_active(:table)"
_OWNS = (
    "SELECT session_user, pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = to_regclass(:table)"
)
_ASKED = "SELECT session_user, has_table_privilege(current_user, :table, :rights)"


def require(run: Run, table: str, *rights: str) -> None:
    """Raise PermissionMissing (DATABASE_OWNER_ONLY) when the session's role lacks one of its `rights` on a table."""
    if run.engine.dialect.name != "postgresql":
        return
    with engine.read(run.engine) as conn:
        answers = [conn.execute(text(_ASKED), {"table": table, "rights": right}).one() for right in rights]
    if all(has for _login, has in answers):
        return
    raise _owner_only(run, answers[0][0], table)


def _owner_only(run: Run, login: str, table: str) -> PermissionMissing:
    return PermissionMissing(
        _("{command}: the database login {login} may not change {table}; nothing was begun").format(
            command=run.command, login=login, table=table
        ),
        hint=_("the owner of the database runs it, in mode direct: docs/access.md, Mode server"),
        code="DATABASE_OWNER_ONLY",
    )


def require_owner(run: Run) -> None:
    """Raise PermissionMissing (DATABASE_OWNER_ONLY) when the session's role is not the owner of the tables."""
    if run.engine.dialect.name != "postgresql":
        return
    with engine.read(run.engine) as conn:
        login, owns = conn.execute(text(_OWNS), {"table": "customer"}).one()
    if not owns:
        raise _owner_only(run, login, "customer")


def require_every_row(run: Run, table: str) -> None:
    """Raise PermissionMissing (ROWS_HIDDEN) for somebody whose scope is not everybody, when row policies hide rows.

    Customers in a pool, and those given away, are not the person's: no row policy of scope own lets them be written.
    """
    access = run.policies.settings("access")
    if run.engine.dialect.name != "postgresql" or permissions.scope(run.actor, access, run.act) == "all":  # type: ignore[arg-type]
        return
    with engine.read(run.engine) as conn:
        hidden = conn.execute(text(_FILTERED), {"table": table}).scalar_one()
    if hidden:
        raise PermissionMissing(
            _("{command}: in mode server your database login sees your own customers only; nothing was begun").format(
                command=run.command
            ),
            hint=_("somebody whose scope is everybody does it for you: docs/access.md, Mode server"),
            code="ROWS_HIDDEN",
        )
