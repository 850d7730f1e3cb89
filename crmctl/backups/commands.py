"""`crmctl backup …`: create, list, verify, restore, drill."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.backups.creating import Created

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

    Nobody is stopped meanwhile. Data and keys never lie under one folder: whoever finds both reads everybody. Identities
    are left out; `backup restore` makes them anew.
    """
    from crmctl.backups import creating
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
    call.emit(_created(done, call.dry_run), *_created_lines(done, call.dry_run))
    return None


def _created(done: Created, dry_run: bool) -> dict[str, object]:
    return {
        "run_id": done.run_id,
        "backup": done.number,
        "kind": done.kind,
        "folder": str(done.folder),
        "bytes": done.made.size if done.made else None,
        "counts": dict(done.made.counts) if done.made else None,
        "log_size": done.made.log.size if done.made else None,
        "sha256": done.digest or None,
        "signed": done.signed,
        "sealed": done.sealed,
        "same_disk": done.same_disk,
        "removed": [each.number for each in done.removed if each.reached],
        "not_reached": [each.number for each in done.removed if not each.reached],
        "dry_run": dry_run,
    }


def _created_lines(done: Created, dry_run: bool) -> list[str]:
    gone = [str(each.number) for each in done.removed if each.reached]
    if dry_run or done.made is None:
        lines = [_("{folder} would be made; nothing was written.").format(folder=done.folder)]
        return lines + (
            [_("Old ones that would be removed: {numbers}").format(numbers=", ".join(gone))] if gone else []
        )
    lines = [
        _("Backup {number} of {count} rows made and read back: {folder} ({size} MB)").format(
            number=done.number,
            count=sum(done.made.counts.values()),
            folder=done.folder,
            size=f"{done.made.size / 1e6:.1f}",
        ),
        _("Signed by the audit signer.")
        if done.signed
        else _("Not signed here: the log names it, and the next checkpoint signs that (crmctl audit checkpoint)."),
    ]
    if gone:
        lines.append(_("Old ones removed: {numbers}").format(numbers=", ".join(gone)))
    away = [str(each.number) for each in done.removed if not each.reached]
    if away:
        lines.append(
            _("Old ones that are not where they were written, and stay listed: {numbers}").format(
                numbers=", ".join(away)
            )
        )
    return lines


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
    from crmctl.backups import verifying
    from crmctl.errors import UsageProblem
    from crmctl.runs import run as runs

    if bool(sets) == every:
        raise UsageProblem(_("which backup?"), hint=_("give numbers or folders, or --all"))
    with (
        runs.open_run(call, "backup verify", "backup.verify", lock="backup") as run,
        call.progress(_("reading")) as progress,
    ):
        run, done = verifying.verify(run, sets, every, identity, progress.advance)
    document = {
        "run_id": run.run_id,
        "backups": [
            {
                "backup": each.number,
                "folder": str(each.folder),
                "kind": each.kind,
                "made_at": each.made_at,
                "vouched": each.voucher,
                "opened": each.opened,
                "whole": not each.problems,
                "problems": [problem._asdict() for problem in each.problems],
            }
            for each in done
        ],
    }
    lines = []
    for each in done:
        state = _("not whole") if each.problems else _("whole, opened") if each.opened else _("whole")
        lines.append(f"{each.folder}: {state}; {_(VOUCHERS[each.voucher])}")
        lines += [f"  {problem.code} {problem.subject}: {problem.message}" for problem in each.problems]
    status = max([each.exit_code for each in done], key=(0, 14, 13).index, default=0)
    call.emit(document, *(lines or [_("There is no backup yet.")]), trouble=bool(status))
    return status


VOUCHERS = {
    "signed": N_("signed by the audit signer"),
    "entered": N_("named by a signed entry of the log"),
    "waiting": N_("named by an entry of the log that is not signed yet"),
    "nobody": N_("nobody vouches for it"),
}
