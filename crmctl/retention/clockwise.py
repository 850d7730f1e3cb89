"""Whether the clock can be trusted with what cannot be undone: held against the log, which only goes forward."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from crmctl.approvals import records
from crmctl.clock import local
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs.run import Run

_SLACK = timedelta(minutes=10)  # two machines' clocks differ by less


def require_right(conn: Connection, run: Run, days: int, *, accept: bool) -> None:
    """Raise Refused for a clock behind the log's newest entry, or `days` ahead of it unless somebody `accept`s it."""
    newest = records.now(conn, datetime.min.replace(tzinfo=run.at.tzinfo))
    if run.at < newest - _SLACK:
        raise Refused(
            _("the clock says {now}, but the log has an entry of {newest}: it was set back").format(
                now=local(run.at, run.zone), newest=local(newest, run.zone)
            ),
            hint=_("set the clock right; nothing is destroyed by a clock that goes backwards"),
            code="CLOCK_BACK",
        )
    if run.at > newest + timedelta(days=days) and not accept:
        raise Refused(
            _("the clock says {now}, the newest entry of the log is of {newest}").format(
                now=local(run.at, run.zone), newest=local(newest, run.zone)
            ),
            hint=_("if the clock is right, repeat with --accept-clock"),
            code="CLOCK_AHEAD",
        )
