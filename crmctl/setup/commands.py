"""Commands that make a workspace and look after it."""

from __future__ import annotations

from pathlib import Path

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _


@command(example="crmctl init crm --lang zh", exits=(0, 1, 2, 4, 12, 74), formats=("table", "json"), silent=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--demo",
    is_flag=True,
    help=N_("Fill the values the written policies leave blank with examples, and add made-up staff."),
)
@click.option(
    "--database", default="", metavar="URL", help=N_("PostgreSQL URL or SQLite file; default: in the folder.")
)
@click.option("--keys", default="", metavar="DIR|URL", help=N_("Where the key store goes; default: FOLDER.keys."))
@click.option("--database-password-file", default="", help=N_("Owner-only file with the database's password."))
def init_command(
    call: Invocation, folder: Path, demo: bool, database: str, keys: str, database_password_file: str
) -> int | None:
    """Make a workspace in a new or empty folder.

    It gets the starter policies, an empty database, a key store apart from it, and you as its first administrator.
    """
    from crmctl import clock, i18n
    from crmctl.setup.init import Request, init
    from crmctl.workspace import masked

    made = init(Request(folder, i18n.lang(), demo, database, keys, database_password_file), clock.now())
    call.emit(
        {
            "workspace": str(made.folder),
            "database": masked(made.database),
            "keys": masked(made.keys),
            "instance": made.instance,
            "administrator": made.person,
            "policies": made.policies,
        },
        _("Workspace {folder} is ready; {person} is its first administrator.").format(
            folder=made.folder, person=made.person
        ),
        _("Keys: {keys}. Losing them is losing the data: keep a copy (crmctl keys copy DEST).").format(
            keys=masked(made.keys)
        ),
        _("Next: crmctl -w {folder} doctor, then crmctl -w {folder} customer import FILE").format(folder=made.folder),
    )
    return None


SUBJECTS = {
    "workspace": N_("workspace"),
    "modes": N_("file modes"),
    "disk": N_("disk"),
    "policies": N_("policies"),
    "undecided": N_("undecided"),
    "database": N_("database"),
    "keys": N_("key store"),
    "people": N_("people"),
    "audit": N_("audit log"),
    "backups": N_("backups"),
    "batches": N_("imports"),
    "use": N_("use of information"),
    "paper": N_("paper"),
    "calendar": N_("working calendar"),
    "notices": N_("notices"),
    "complaints": N_("complaints"),
    "holds": N_("holds"),
    "purges": N_("purges"),
}


@command(example="crmctl doctor", exits=(0, 1, 4), formats=("table", "json"))
def doctor_command(call: Invocation) -> int | None:
    """Say what is fine, what warns and what is wrong in this workspace.

    Exit status 1 only when something is wrong.
    """
    from crmctl import clock, workspace
    from crmctl.setup import doctor
    from crmctl.setup.findings import FINE, WARNS, WRONG

    place = workspace.called(call)
    findings = doctor.examine(place, clock.now())
    words = {FINE: _("fine"), WARNS: _("warns"), WRONG: _("WRONG")}
    order = {WRONG: 0, WARNS: 1, FINE: 2}
    findings.sort(key=lambda finding: order[finding.level])
    columns = (
        Column("level", N_("State"), show=lambda level: words[level]),
        Column("subject", N_("Subject"), show=lambda subject: _(SUBJECTS[subject])),
        Column("message", N_("Finding")),
        Column("hint", N_("What to do")),
    )
    rows = [(finding.level, finding.subject, finding.message, finding.hint) for finding in findings]
    wrong = sum(finding.level == WRONG for finding in findings)
    warns = sum(finding.level == WARNS for finding in findings)
    call.emit(
        {"ok": not wrong, "wrong": wrong, "warns": warns},
        Table(columns, rows, "findings"),
        _("{wrong} wrong, {warns} warnings").format(wrong=wrong, warns=warns),
    )
    return 1 if wrong else 0


@command(example="crmctl config show", exits=(0, 4), formats=("table", "json", "csv"))
def config_show_command(call: Invocation) -> int | None:
    """Show each configuration value and where it comes from; passwords are masked."""
    from crmctl import workspace

    place = workspace.called(call)
    columns = (
        Column("name", N_("Setting")),
        Column("value", N_("Value")),
        Column("source", N_("Source")),
        Column("meaning", N_("Meaning"), show=_),
    )
    rows = []
    for value in place.values.values():
        shown = "" if value.value is None else workspace.masked(str(value.value))
        rows.append((value.name, shown, value.source, value.meaning))
    call.emit({"workspace": str(place.root)}, Table(columns, rows, "settings"))
    return None


@command(example="crmctl db upgrade", exits=(0, 1, 4, 6, 10, 11, 74), formats=("table", "json"), silent=True)
def db_upgrade_command(call: Invocation) -> int | None:
    """Bring the database to the revision of this program, and the schemas that editors use to its policy kinds.

    Does nothing when they are there.
    """
    from crmctl import workspace
    from crmctl.errors import StorageFailed
    from crmctl.setup import database
    from crmctl.setup.init import write_schemas

    before, after = database.upgrade(call)
    schemas = 0
    try:
        schemas = write_schemas(workspace.called(call).policies)
    except StorageFailed as failure:  # only editors miss them
        call.warn(failure.message)
    call.emit(
        {"before": before, "revision": after, "changed": before != after, "schemas": schemas},
        _("database at revision {revision}").format(revision=after),
    )
    return None


@command(example="crmctl db current", exits=(0, 4, 10), formats=("table", "json"))
def db_current_command(call: Invocation) -> int | None:
    """Show the database's revision and the program's. Exit status 10 when they differ."""
    from crmctl.setup import database
    from crmctl.store.migrate import HEAD

    found = database.current(call)
    call.emit(
        {"revision": found, "head": HEAD},
        _("database {revision}, program {head}").format(revision=found or _("none"), head=HEAD),
    )
    return 0 if found == HEAD else 10


@command(example="crmctl db check", exits=(0, 1, 4, 10), formats=("table", "json"))
def db_check_command(call: Invocation) -> int | None:
    """Compare the database's tables with the program's. Exit status 1 when they differ."""
    from crmctl.setup import database

    differences = database.check(call)
    call.emit(
        {"differences": differences, "ok": not differences},
        *(differences or [_("the tables are as they should be")]),
    )
    return 1 if differences else 0


@command(example="crmctl db vacuum", exits=(0, 4, 6, 10, 11, 74, 130, 143), changes=True, formats=("table", "json"))
def db_vacuum_command(call: Invocation) -> int | None:
    """Give back the room that destroyed rows left.

    For a quiet hour, after large purges: on SQLite the file is written anew, which takes its size twice on disk, and
    nobody else writes meanwhile. On PostgreSQL it is VACUUM (ANALYZE) of every table, beside other work: the room is
    there for new rows, the files seldom shrink.
    """
    from crmctl.runs import run as runs
    from crmctl.setup import database

    with runs.open_run(call, "db vacuum", "db.vacuum", lock="import") as run, runs.hold(run, "purge"):
        done = database.vacuum(run)
    if not done.settled:
        call.warn(_("somebody still reads the database as it was: its log is cut back when they are done"))
    told = _("database: {before} MB before, {after} MB now")
    if call.dry_run:
        told = _("database: {before} MB; nothing was written")
    call.emit(
        {
            "run_id": done.run_id,
            "dry_run": call.dry_run,
            "bytes_before": done.before,
            "bytes_after": None if call.dry_run else done.after,
        },
        told.format(before=f"{done.before / 2**20:.1f}", after=f"{done.after / 2**20:.1f}"),
    )
    return None


@command(example="crmctl demo", exits=(0, 1, 74), formats=("table",))
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo"))
def demo_command(call: Invocation, folder: Path) -> int | None:
    """Take a tour of the main job in a new workspace, on sample data that ships with the program."""
    from crmctl.setup.demo import demo

    demo(folder.absolute(), click.echo)
    return None
