"""`crmctl backup …`: create, list, verify, restore, drill."""

from __future__ import annotations

from pathlib import Path

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

READING_EXITS = (0, 1, 2, 4, 6, 10, 11, 74)
EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74, 130, 143)
FOLDER = click.Path(path_type=Path)
STATES = {
    "made": N_("made"),
    "verified": N_("whole"),
    "failed": N_("not whole"),
    "removed": N_("removed"),
    "missing": N_("not there"),
}


@command(
    example=("crmctl backup create --to /mnt/backup/data", "crmctl backup create --keys --to /media/vault/keys"),
    exits=EXITS,
    changes=True,
)
@click.option("--keys", is_flag=True, help=N_("The keys instead of the data, without their master keys."))
@click.option("--to", type=FOLDER, metavar="FOLDER", help=N_("Where to; else what crmctl.yaml names."))
def create_command(call: Invocation, keys: bool, to: Path | None) -> int | None:
    """Make a backup of the data, or of the keys, sealed to public keys, and read it back; then remove old ones.

    Nobody is stopped meanwhile. Data and keys never lie under one folder: whoever finds both reads everybody.
    Identities are left out; `backup restore` makes them anew.
    """
    from crmctl.backups import creating, telling
    from crmctl.backups.manifest import DATA, KEYS
    from crmctl.runs import run as runs

    with (
        runs.open_run(call, "backup create", "backup.create", lock="backup") as run,
        call.progress(_("reading back")) as progress,
    ):
        done = creating.create(run, KEYS if keys else DATA, to, progress.advance)
    if done.same_disk:
        call.warn(_("{folder} is on the disk of what it is a backup of").format(folder=done.folder.parent))
    if not done.sealed:
        call.warn(_("not sealed (backup_unsealed): whoever has it reads tiers, owners, company names"))
    call.emit(telling.created(done, call.dry_run), *telling.created_lines(done, call.dry_run))
    return None


@command(example=("crmctl backup list", "crmctl backup list --removed -o json"), exits=READING_EXITS)
@click.option("--removed", is_flag=True, help=N_("Those removed, too."))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, help=N_("How many to show."))
@click.option("--before", type=click.IntRange(min=1), metavar="NUMBER", help=N_("Continue before this backup."))
def list_command(call: Invocation, removed: bool, limit: int, before: int | None) -> int | None:
    """List backups, newest first: when made, where, whether there and seen whole."""
    from crmctl.backups import listing
    from crmctl.runs import run as runs

    with runs.open_run(call, "backup list", "backup.list") as run:
        rows = listing.rows(run, removed, limit, before or 0)
        run = runs.record_reading(run, n=len(rows))
    call.emit(
        {"run_id": run.run_id},
        Table(
            (
                Column("backup", N_("Backup"), right=True),
                Column("kind", N_("Of"), show=lambda kind: _("keys") if kind == "keys" else _("data")),
                Column("made_at", N_("Made")),
                Column("state", N_("State"), show=lambda state: _(STATES.get(state, state))),
                Column("verified_at", N_("Last read")),
                Column("bytes", N_("Bytes"), right=True),
                Column("log_size", N_("Log entries"), right=True),
                Column("folder", N_("Folder")),
            ),
            rows,
            "backups",
        ),
    )
    return None


@command(
    example=(
        "crmctl backup verify 7",
        "crmctl backup verify --all",
        "crmctl backup verify 7 --identity /media/me/age.key",
    ),
    exits=(0, 1, 2, 4, 6, 10, 11, 12, 13, 14, 74),
    formats=("table", "json"),
)
@click.argument("sets", nargs=-1, metavar="[SET…]")
@click.option("--all", "every", is_flag=True, help=N_("All that are listed."))
@click.option("--identity", type=FOLDER, metavar="FILE", help=N_("Private key of age: look inside as well. Not kept."))
def verify_command(call: Invocation, sets: tuple[str, ...], every: bool, identity: Path | None) -> int | None:
    """Read backups to the end: every byte against the manifest, the manifest against who signed it.

    SET is a number of `backup list` or a folder. With the private key the database inside is checked too, its log
    included. Exit 13 when one is not whole, 14 when the entry that vouches for it is not signed yet.
    """
    from crmctl.backups import telling, verifying
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs

    if bool(sets) == every:
        raise UsageProblem(_("which backup?"), hint=_("give numbers or folders, or --all"))
    with (
        runs.open_run(call, "backup verify", "backup.verify", lock="backup") as run,
        call.progress(_("reading")) as progress,
    ):
        run, done = verifying.verify(run, sets, every, identity, progress.advance)
    status = max([each.exit_code for each in done], key=(0, 14, 13).index, default=0)
    document = {"run_id": run.run_id, "backups": [telling.verified(each) for each in done]}
    lines = [line for each in done for line in telling.verified_lines(each)]
    call.emit(document, *(lines or [_("There is no backup yet.")]), trouble=bool(status))
    return status


@command(
    example=(
        "crmctl backup restore /mnt/backup/data/SET --into crm-restored --identity /media/me/age.key",
        "crmctl backup restore SET --into restored --identity age.key --keys-set KEYS --masters /media/vault",
    ),
    exits=EXITS,
    formats=("table", "json"),
    silent=True,
)
@click.argument("which", metavar="SET")
@click.option("--into", type=FOLDER, metavar="DIR", required=True, help=N_("The new workspace, or key store."))
@click.option("--identity", type=FOLDER, metavar="FILE", help=N_("Private key of age. Read once, kept nowhere."))
@click.option("--database", default="", metavar="URL", help=N_("Of a dump of PostgreSQL: an empty database for it."))
@click.option("--database-password-file", default="", help=N_("Owner-only file with the database's password."))
@click.option("--keys", default="", metavar="STORE", help=N_("The key store of today; else where it was then."))
@click.option("--keys-set", type=FOLDER, metavar="SET", help=N_("A backup of the keys, where the key store is lost."))
@click.option("--masters", type=FOLDER, metavar="DIR", help=N_("The folder of the master keys for a set of keys."))
@click.option(
    "--vkey", "vkeys", multiple=True, metavar="KEY", help=N_("Verifier key of the audit signer that signed SET.")
)
@click.option("--unsigned", is_flag=True, help=N_("Take a set that nobody here can vouch for; the log will say so."))
@click.option(
    "--give-up",
    type=click.IntRange(0),
    default=0,
    metavar="NUMBER",
    help=N_("Remove so many customers that lack a key for no known reason."),
)
def restore_command(
    call: Invocation,
    which: str,
    into: Path,
    identity: Path | None,
    database: str,
    database_password_file: str,
    keys: str,
    keys_set: Path | None,
    masters: Path | None,
    vkeys: tuple[str, ...],
    unsigned: bool,
    give_up: int,
) -> int | None:
    """Make a new workspace from a backup of the data, a new key store from one of the keys; nothing is overwritten.

    The keys of today open it, however old it is. Customers without a key were destroyed since: they are removed again.
    The restored log goes on under a name and a signer of its own.
    """
    from crmctl.backups import restoring, telling
    from crmctl.backups.restored import Request

    request = Request(
        which, into, identity, database, database_password_file, keys, keys_set, masters, vkeys, unsigned, give_up
    )
    with call.progress(_("restoring")) as progress:
        done = restoring.restore(call, request, progress.advance)
    call.emit(telling.restored(done, into), *telling.restored_lines(done, into))
    return None


@command(
    example=(
        "crmctl backup drill 7 --identity /media/me/age.key",
        "crmctl backup drill 7 --keys-set 8 --identity /media/me/age.key",
    ),
    exits=EXITS,
    formats=("table", "json"),
)
@click.argument("which", metavar="SET")
@click.option("--identity", type=FOLDER, metavar="FILE", help=N_("Private key of age. Read once, kept nowhere."))
@click.option(
    "--database", default="", metavar="URL", help=N_("Of a dump of PostgreSQL: a database on the server to try it on.")
)
@click.option(
    "--keys-set", default="", metavar="SET", help=N_("A set of the keys, in which nobody who was destroyed may be.")
)
def drill_command(call: Invocation, which: str, identity: Path | None, database: str, keys_set: str) -> int | None:
    """Restore a backup on trial, privately, and prove it: living customers open, destroyed ones do not.

    Log and every row are verified, identities made anew, 200 customers chosen at random opened. Nothing of it is kept.
    SET is a number of `backup list` or a folder. With --keys-set a backup of the keys is tried as well, on those who
    were destroyed: take the newest. Exit 13 when anything is wrong.
    """
    from crmctl.backups import drilling, telling
    from crmctl.runs import run as runs

    with (
        runs.open_run(call, "backup drill", "backup.drill", lock="backup") as run,
        call.progress(_("restoring")) as progress,
    ):
        done = drilling.drill(run, which, identity, database, progress.advance, keys_set=keys_set)
    call.emit(telling.drilled(done), *telling.drilled_lines(done), trouble=bool(done.problems))
    return done.exit_code
