"""What `crmctl doctor` says of holds: that somebody was to ask whether some are still needed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection

from crmctl.holds import facts
from crmctl.i18n import _

_NAMED = 5


def troubles(conn: Connection, day: date) -> Iterator[tuple[str, str]]:
    """Yield message and command where the review day of holds has passed on `day`."""
    late = list(facts.overdue(conn, day.isoformat()))
    if late:
        named = ", ".join(str(hold) for hold in late[:_NAMED]) + (", …" if len(late) > _NAMED else "")
        message = _("holds whose review day has passed: {count} ({holds})").format(count=len(late), holds=named)
        yield message, f"crmctl hold show {late[0]}"
