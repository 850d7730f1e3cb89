"""One screen about a workspace: what is fine, what warns, what is wrong. Looks, changes nothing, shows no values."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from crmctl import workspace as workspaces
from crmctl.errors import CrmctlError
from crmctl.i18n import _
from crmctl.setup import rooms
from crmctl.setup.findings import FINE, WARNS, WRONG, Finding, Patient

if TYPE_CHECKING:
    from crmctl.audit.policy import AuditSettings
    from crmctl.audit.standing import LogState
    from crmctl.security.access import AccessSettings
    from crmctl.security.keystore import KeyStore
    from crmctl.workspace import Workspace

LITTLE_SPACE = 1 << 30  # bytes: an import of a million customers needs about this much


def examine(place: Workspace, at: datetime) -> list[Finding]:
    """Return every finding; a failed check is a finding, never an exception."""
    with ExitStack() as stack:
        patient = Patient(place, at, stack)
        for subject, check in _CHECKS:
            try:
                check(patient)
            except CrmctlError as error:
                patient.note(WRONG, subject, error.message, error.hint)
        return patient.findings


def _workspace(patient: Patient) -> None:
    place = patient.place
    patient.note(FINE, "workspace", str(place.root))
    loose = [path for path in _private(place) if path.exists() and stat.S_IMODE(path.lstat().st_mode) & 0o077]
    if loose:
        names = ", ".join(str(path) for path in loose)
        patient.note(WRONG, "modes", _("open to others: {names}").format(names=names), f"chmod go-rwx {names}")
    free = shutil.disk_usage(place.root).free
    if free < LITTLE_SPACE:
        patient.note(WARNS, "disk", _("{mb} MB free").format(mb=free >> 20), _("an import may need more"))


def _private(place: Workspace) -> Iterator[Path]:
    yield place.root
    yield place.root / workspaces.FILE
    yield from (place.root / name for name in ("data", "locks", "spool", "reports"))
    yield from (place.root / "data").glob("*.db*")


def _policies(patient: Patient) -> None:
    from crmctl import policy

    checked = policy.check(patient.place.policies, patient.at)
    for problem in checked.problems:
        patient.note(WARNS if problem.warning else WRONG, "policies", problem.text, problem.hint)
    patient.policies = checked.policies
    if checked.policies is None:
        return
    count, digest = len(checked.policies.policies), checked.policies.hash[:12]
    patient.note(FINE, "policies", _("{count} files, set {hash}").format(count=count, hash=digest))
    for open_value in checked.policies.undecided():
        patient.note(
            WARNS,
            "undecided",
            _("{name} is unset ({clauses})").format(name=open_value.name, clauses=", ".join(open_value.clauses)),
            _("decide it in policies/company.yaml"),
        )


def _database(patient: Patient) -> None:
    from crmctl.runs import run as runs
    from crmctl.runs import tables
    from crmctl.store import engine, migrate

    url = runs.database_url(patient.place)
    base = engine.open_engine(url, timeout=5, workspace=patient.place.root)
    patient.stack.callback(base.dispose)
    migrate.require_head(base)
    report = engine.journal_report(base)
    with engine.read(base) as conn:
        instance = conn.execute(select(tables.installation.c.instance)).scalar_one_or_none()
    if instance != patient.place.get("instance"):
        patient.note(WRONG, "database", _("belongs to another workspace"), _("correct `database` in crmctl.yaml"))
        return
    patient.engine = base
    shown = ", ".join(
        f"{name} {report[name]}" for name in ("library", "journal_mode", "server_version") if name in report
    )
    patient.note(FINE, "database", f"{workspaces.masked(patient.place.database_url)} ({shown})")
    if report.get("database") == "sqlite" and not report.get("wal_safe"):
        patient.note(
            WARNS, "database", _("an old SQLite library: slower, safe journal in use"), "pip install pysqlite3"
        )
    if report.get("fsync") == "off" or report.get("synchronous_commit") == "off":
        patient.note(WARNS, "database", _("PostgreSQL does not wait for the disk: a power cut loses entries"))


def _keys(patient: Patient) -> None:
    from crmctl.security import keystanding
    from crmctl.security.keystore import KeyStore
    from crmctl.security.sealing import owner_label

    place = patient.place
    mirror, master = place.keys_mirror or None, place.get("master_key")
    store = KeyStore.open(place.keys, place.instance, master=master, at=patient.at, mirror=mirror)
    patient.stack.callback(store.close)
    patient.keys = store
    status = store.status()
    counts = ", ".join(f"{owner_label(kind)} {number}" for kind, number in sorted(status["keys"].items())) or "0"
    patient.note(FINE, "keys", _("{location}: {counts}").format(location=store.location, counts=counts))
    patient.note(
        WARNS,
        "keys",
        _("losing the key store is losing the data"),
        _("keep a copy elsewhere: crmctl keys copy DEST"),
    )
    _same_count(patient, store)
    for message, command in keystanding.warnings(store, keystanding.terms_of(place), patient.at):
        patient.note(WARNS, "keys", message, command)
    if keystanding.mirror_differs(store):
        patient.note(WRONG, "keys", _("the mirror differs from the key store"), "crmctl keys mirror")


def _same_count(patient: Patient, store: KeyStore) -> None:
    from crmctl.customers.tables import customer
    from crmctl.store import engine

    if patient.engine is None:
        return
    with engine.read(patient.engine) as conn:
        customers = conn.execute(select(func.count()).select_from(customer)).scalar_one()
    keys = store.count("customer")
    if keys < customers:
        patient.note(
            WRONG,
            "keys",
            _("{missing} customers have no key: the key store is older than the database").format(
                missing=customers - keys
            ),
            _("restore the newest copy of the key store"),
        )


def _people(patient: Patient) -> None:
    from crmctl.runs import run as runs
    from crmctl.security import actor, permissions

    if patient.policies is None:
        return
    access: AccessSettings = patient.policies.settings("access")  # type: ignore[assignment]
    who = actor.current(access, mode=str(patient.place.get("mode")), service_uid=patient.place.get("service_uid"))
    permissions.require(who, access, "doctor", on=runs.today(patient.policies, patient.at))
    roles = ", ".join(sorted(who.roles))
    patient.note(FINE, "people", _("you are {person} ({roles})").format(person=who.person, roles=roles))
    if access.alone:
        patient.note(
            WARNS,
            "people",
            _("{person} is alone: nobody can approve what needs two").format(person=access.alone),
            _("name a second person in policies/access.yaml"),
        )
    elif patient.place.get("mode") == "direct" and len(access.people) > 1:
        patient.note(
            WARNS,
            "people",
            _("several people in direct mode: whoever reads the keys can read everything"),
            _("broker mode enforces the policy; see SECURITY.md"),
        )
    if who.uid == 0:
        patient.note(WARNS, "people", _("running as root"), _("use an ordinary account"))


def _log(patient: Patient) -> None:
    from crmctl.audit import checkpoints, standing
    from crmctl.audit.policy import duration
    from crmctl.store import engine

    if patient.engine is None or patient.policies is None:
        return
    settings = checkpoints.settings_of(patient.policies)
    with engine.read(patient.engine) as conn:
        state = standing.state(conn, patient.place, settings)
    if not state.size:
        patient.note(WRONG, "audit", _("the log is empty"), _("crmctl audit verify says more"))
        return
    patient.note(FINE, "audit", _("entries: {size}").format(size=state.size))
    if state.signed > state.size:
        message = _("{signed} entries were signed, {size} are there").format(signed=state.signed, size=state.size)
        patient.note(WRONG, "audit", message, _("crmctl audit verify says more"))
    unsigned = state.size - state.signed
    if unsigned > 0:
        message = _("newest entries not signed yet: {count}").format(count=unsigned)
        late = state.unsigned_since is None or patient.at - state.unsigned_since > duration(settings.stale_after)
        if late:
            message = _("{message}, for longer than {period}").format(message=message, period=settings.stale_after)
        patient.note(WRONG if late else WARNS, "audit", message, "crmctl audit checkpoint" if late else "")
    _anchors(patient, state, settings)


def _anchors(patient: Patient, state: LogState, settings: AuditSettings) -> None:
    from crmctl.audit.policy import duration

    for name, since in state.behind:
        late = patient.at - since > duration(settings.anchor_stale_after)
        message = _("anchor {name} has not the newest checkpoint").format(name=name)
        if late:
            message = _("{message}, for longer than {period}").format(
                message=message, period=settings.anchor_stale_after
            )
        patient.note(WRONG if late else WARNS, "audit", message, "crmctl audit checkpoint")


_CHECKS: tuple[tuple[str, Callable[[Patient], None]], ...] = (
    ("workspace", _workspace),
    ("policies", _policies),
    ("database", _database),
    ("keys", _keys),
    ("people", _people),
    ("audit", _log),
    ("backups", rooms.backups),
    ("batches", rooms.batches),
    ("use", rooms.use),
    ("paper", rooms.paper),
    ("calendar", rooms.calendars),
    ("notices", rooms.notices),
    ("complaints", rooms.complaints),
    ("holds", rooms.holds),
    ("purges", rooms.purges),
)
