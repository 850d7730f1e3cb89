"""Who the actor is to the database: the line of the staff register, and in server mode the login of the session."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.security import actor as actors
from crmctl.security import standing
from crmctl.store import engine

if TYPE_CHECKING:
    from crmctl.runs.run import Run
    from crmctl.security.access import AccessSettings


def placed(run: Run, access: AccessSettings) -> Run:
    """Return `run` with what the staff register says of its actor.

    In server mode, raises PermissionMissing unless the session's login is the same person's, InvalidInput on SQLite.
    """
    server = run.workspace.get("mode") == "server"
    person = access.people.get(run.actor.person)
    if not server and (person is None or run.actor.via == "job"):
        return run
    with engine.read(run.engine) as conn:
        if server:
            _confirm(conn, run, access)
        return run if person is None else replace(run, standing=standing.of(conn, person))


def _confirm(conn: Connection, run: Run, access: AccessSettings) -> None:
    if conn.dialect.name != "postgresql":
        raise InvalidInput(
            _("mode server needs PostgreSQL: an SQLite file knows no logins"),
            hint=_("set `mode` in crmctl.yaml to direct or broker"),
            code="MODE_NEEDS_POSTGRESQL",
        )
    query = text("SELECT rolname, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user")
    login, strong = conn.execute(query).one()
    actors.confirm_session(access, run.actor, login, bypasses_policies=bool(strong))
