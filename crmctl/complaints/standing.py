"""What `crmctl doctor` says of complaints: that nobody handles some, and that nobody is told when one is late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from sqlalchemy import Connection, func, select

from crmctl.complaints.decide import CLOSED
from crmctl.complaints.policy import ComplaintsSettings
from crmctl.complaints.tables import complaint
from crmctl.i18n import _
from crmctl.policy.policyset import PolicySet


def troubles(conn: Connection, policies: PolicySet) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and what to do about it; nothing where no complaint is open."""
    columns = complaint.c
    query = select(func.count(), func.count(columns.handler_id)).where(columns.status.not_in(CLOSED))
    opened, handled = conn.execute(query).one()
    if not opened:
        return
    if handled < opened:
        message = _("open complaints that nobody handles: {count}").format(count=opened - handled)
        yield message, "crmctl complaint list --unhandled"
    silent = [path for path, settings in _enforced(policies) if settings.escalation and not _telling(settings)]
    if silent:
        message = _("{files}: no level of escalation has a channel: who is late is listed, and nobody is told")
        yield message.format(files=", ".join(silent)), _("name channels of notify.yaml at the levels of escalation")


def _telling(settings: ComplaintsSettings) -> bool:
    return any(level.channels for level in settings.escalation)


def _enforced(policies: PolicySet) -> Iterator[tuple[str, ComplaintsSettings]]:
    """Yield the complaints policies that complaints are handled by, by the names of their files."""
    for policy in policies.of_kind("complaints"):
        if policy.mode == "enforce":
            yield policy.path, cast("ComplaintsSettings", policy.settings)
