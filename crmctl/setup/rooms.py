"""What each room has to say of a workspace that can be opened: what is late, unfinished or waits for somebody."""

from __future__ import annotations

from crmctl.i18n import _
from crmctl.setup.findings import WARNS, WRONG, Patient


def use(patient: Patient) -> None:
    from crmctl.runs import run as runs
    from crmctl.store import engine
    from crmctl.use import evaluating

    if patient.engine is None or patient.policies is None:
        return
    with engine.read(patient.engine) as conn:
        late = evaluating.overdue_copies(conn, runs.today(patient.policies, patient.at).isoformat())
        stands = evaluating.standing(conn, patient.policies, patient.at)
    if late:
        message = _("copies that should have been destroyed: {copies_overdue}").format(copies_overdue=late)
        patient.note(WARNS, "use", message, "crmctl use copies --due")
    if stands.overdue:
        message = _("use of information was to be evaluated by {day}").format(day=stands.due_on)
        patient.note(WARNS, "use", message, "crmctl use evaluate")


def paper(patient: Patient) -> None:
    from crmctl.paper import records
    from crmctl.runs import run as runs
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    with engine.read(patient.engine) as conn:
        late = records.overdue(conn, runs.today(patient.policies, patient.at).isoformat())
    if late:
        message = _("paper items that have to be destroyed: {number}").format(number=late)
        patient.note(WARNS, "paper", message, "crmctl paper list --due")


def calendars(patient: Patient) -> None:
    from crmctl.runs import run as runs
    from crmctl.worktime import calendars

    if patient.policies is None:
        return
    for name, year in calendars.unannounced(patient.policies, runs.today(patient.policies, patient.at)):
        patient.note(
            WARNS,
            "calendar",
            _("{name}: the public holidays of {year} are not known here; deadlines in it are provisional").format(
                name=name, year=year
            ),
            "pip install --upgrade chinesecalendar",
        )


def batches(patient: Patient) -> None:
    from crmctl.sheets import batches
    from crmctl.store import engine

    if patient.engine is None:
        return
    with engine.read(patient.engine) as conn:
        open_batches = [batch for batch in batches.newest(conn, 100) if batch.state in batches.UNFINISHED]
    for batch in open_batches:
        patient.note(
            WARNS,
            "batches",
            _("batch {batch} is not finished").format(batch=batch.batch_id),
            f"crmctl batch resume {batch.batch_id}",
        )


def notices(patient: Patient) -> None:
    from crmctl.notify import standing
    from crmctl.notify.policy import enforced, settings_of
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    settings = settings_of(patient.policies)
    for message, hint in standing.open_files(settings, patient.place.root):
        patient.note(WRONG, "notices", message, hint)
    with engine.read(patient.engine) as conn:
        found = list(standing.troubles(conn, settings, patient.at))
    for message, command in found:
        patient.note(WARNS, "notices", message, command)
    if settings.channels and not enforced(patient.policies):
        patient.note(WARNS, "notices", _("notify.yaml is not in mode enforce: notices wait"))


def complaints(patient: Patient) -> None:
    from crmctl.complaints import standing
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    with engine.read(patient.engine) as conn:
        found = list(standing.troubles(conn, patient.policies))
    for message, hint in found:
        patient.note(WARNS, "complaints", message, hint)


def holds(patient: Patient) -> None:
    from crmctl.holds import standing
    from crmctl.runs import run as runs
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    with engine.read(patient.engine) as conn:
        found = list(standing.troubles(conn, runs.today(patient.policies, patient.at)))
    for message, command in found:
        patient.note(WARNS, "holds", message, command)


def purges(patient: Patient) -> None:
    from crmctl.retention import standing, supervising
    from crmctl.runs import run as runs
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    with engine.read(patient.engine) as conn:
        found = list(standing.troubles(conn, patient.at, runs.company_zone(patient.policies)))
        stands = supervising.standing(conn, patient.policies, patient.at)
    for wrong, message, command in found:
        patient.note(WRONG if wrong else WARNS, "purges", message, command)
    if stands.overdue:
        message = _("destruction was to be supervised by {day}").format(day=stands.due_on)
        patient.note(WARNS, "purges", message, "crmctl purge supervise")


def backups(patient: Patient) -> None:
    from crmctl.backups import standing
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    for message, hint in standing.misplaced(patient.place):
        patient.note(WRONG, "backups", message, hint)
    with engine.read(patient.engine) as conn:
        found = list(standing.troubles(conn, patient.place, patient.policies, patient.at))
    for message, command in found:
        patient.note(WARNS, "backups", message, command)
