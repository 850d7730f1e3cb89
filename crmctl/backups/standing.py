"""How backups stand, for `doctor`: what is overdue, not sealed, not whole, or lies together (SEC-02)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from crmctl.backups import drilling, places, register
from crmctl.backups.manifest import DATA, KEYS, Kind
from crmctl.backups.policy import settings_of
from crmctl.errors import CrmctlError
from crmctl.i18n import N_, _
from crmctl.runs.tables import installation
from crmctl.runs.tables import run as run_table

if TYPE_CHECKING:
    from crmctl.policy import PolicySet
    from crmctl.policy.model import Figure
    from crmctl.workspace import Workspace

_LATE = {DATA: N_("no backup of the data since {day}"), KEYS: N_("no backup of the keys since {day}")}
_MAKE = {DATA: "crmctl backup create", KEYS: "crmctl backup create --keys"}


def misplaced(place: Workspace) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the folders that crmctl.yaml names; one that is not mounted is not wrong."""
    kinds: tuple[Kind, ...] = (DATA, KEYS)
    for kind in kinds:
        if not place.get(places.SETTINGS[kind]):
            continue
        try:
            places.destination(place, kind, None, ())
        except CrmctlError as error:
            if error.code != "FOLDER_MISSING":
                yield error.message, error.hint


def troubles(conn: Connection, place: Workspace, policies: PolicySet, at: datetime) -> Iterator[tuple[str, str]]:
    """Yield message and command of what is overdue, not whole or not sealed."""
    settings, known = settings_of(policies), register.rows(conn)
    if settings.every is None:
        yield _("how often backups are made is not configured"), _("say so in policies/backup.yaml: every")
    if place.get("backup_unsealed") is True and not place.get("backup_recipients"):
        yield _("backups are not sealed"), _("name public keys as backup_recipients in crmctl.yaml")
    begun = conn.execute(select(installation.c.created_at)).scalar_one()
    every, drills = _days(policies, settings.every), _days(policies, settings.drill_every)
    kinds: tuple[Kind, ...] = (DATA, KEYS)
    for kind in kinds:
        made = [row.made_at for row in known if row.kind == kind and row.state != register.FAILED]
        last = max(made, default=begun)
        if every is not None and at - last > every:
            yield _(_LATE[kind]).format(day=last.date().isoformat()), _MAKE[kind]
    sets = [row.made_at for row in known if row.kind == DATA]
    tried = _last_drill(conn) or min(sets, default=None)
    if drills is not None and tried is not None and at - tried > drills:
        message = _("no backup was restored on trial since {day}").format(day=tried.date().isoformat())
        yield message, "crmctl backup drill"
    for row in known:
        if row.state == register.FAILED:
            yield (
                _("backup {number} is not whole").format(number=row.backup_id),
                f"crmctl backup verify {row.backup_id}",
            )


def _days(policies: PolicySet, figure: Figure | None) -> timedelta | None:
    number = None if figure is None else policies.figure(figure)
    return None if number is None else timedelta(int(number))


def _last_drill(conn: Connection) -> datetime | None:
    """Return when a trial last ended well."""
    columns = run_table.c
    query = select(func.max(columns.ended_at)).where(columns.command == drilling.COMMAND, columns.state == "done")
    found: datetime | None = conn.execute(query).scalar_one()
    return found
