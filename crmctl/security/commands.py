"""`crmctl keys …`: the key store's state, and copies of it."""

from __future__ import annotations

from pathlib import Path

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

OWNERS = {
    "customer": N_("customers"),
    "batch": N_("imports"),
    "document": N_("documents"),
    "staff": N_("staff"),
    "run": N_("runs"),
}
EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)


@command(example="crmctl keys status", exits=EXITS, formats=("table", "json"))
def status_command(call: Invocation) -> int | None:
    """Show the key store's state: where it is, whose it is, how many keys it holds. No secret is shown."""
    from crmctl.clock import local, parse_stamp
    from crmctl.runs import run as runs

    with runs.open_run(call, "keys status", "keys.status") as run:
        status = run.keys.status()
        run = runs.record_reading(run, n=sum(status["keys"].values()))
        zone = run.zone
    for dated in (status, *status["masters"], *status["indexes"]):
        dated["created_at"] = local(parse_stamp(dated["created_at"]), zone)
    call.emit({"run_id": run.run_id, **status}, *_lines(status))
    return None


@command(example="crmctl keys copy /media/safe/crm-keys", exits=EXITS, changes=True, formats=("table", "json"))
@click.argument("dest", type=click.Path(path_type=Path))
def copy_command(call: Invocation, dest: Path) -> int | None:
    """Copy the key store and its master keys into the new folder DEST, verified, for safe keeping.

    Losing the key store is losing the data. Whoever has a copy can read every database copy: keep it as a key is kept,
    apart from the backups of the data.
    """
    from crmctl.runs import run as runs
    from crmctl.security import keycare

    with runs.open_run(call, "keys copy", "keys.copy", lock="keys-copy") as run:
        copied = keycare.copy(run, dest)
    document = {
        "run_id": copied.run_id,
        "folder": str(copied.folder),
        "keys": copied.keys,
        "sha256": copied.sha256,
        "dry_run": call.dry_run,
    }
    number = sum(copied.keys.values())
    if call.dry_run:
        line = _("{number} keys would be copied to {folder}; nothing was written.")
    else:
        line = _("{number} keys copied to {folder} and verified. Keep it apart from the backups of the data.")
    call.emit(document, line.format(number=number, folder=copied.folder))
    return None


def _lines(status: dict[str, object]) -> tuple[Table | str, ...]:
    masters, indexes, keys = status["masters"], status["indexes"], status["keys"]
    assert isinstance(masters, list) and isinstance(indexes, list) and isinstance(keys, dict)
    rows = [(_("master key"), entry["epoch"], entry["created_at"], entry["wraps"]) for entry in masters]
    rows += [(_("index key"), entry["epoch"], entry["created_at"], None) for entry in indexes]
    return (
        _("Key store {location} of workspace {instance}, made {created_at}.").format_map(status),
        Table(
            (
                Column("owner", N_("Keys of"), show=lambda owner: _(OWNERS.get(owner, owner))),
                Column("keys", N_("Number"), right=True),
            ),
            [(owner, keys.get(owner, 0)) for owner in OWNERS if owner in keys or owner == "customer"],
        ),
        Table(
            (
                Column("key", N_("Key")),
                Column("epoch", N_("Epoch"), right=True),
                Column("created_at", N_("Made")),
                Column("wraps", N_("Keys wrapped"), right=True),
            ),
            rows,
        ),
    )
