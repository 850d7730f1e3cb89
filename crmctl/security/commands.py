"""`crmctl keys …`: the key store's state, copies of it, new epochs, the end of old ones, its mirror."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from crmctl.cli.options import Invocation, command
from crmctl.cli.render import Column, Table
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.security.keyturning import Destroyed, Rotated

OWNERS = {
    "customer": N_("customers"),
    "batch": N_("imports"),
    "document": N_("documents"),
    "staff": N_("staff"),
    "run": N_("runs"),
    "do_not_recreate": N_("do-not-recreate lists"),
}
EXITS = (0, 1, 2, 4, 6, 10, 11, 12, 13, 74)


@command(example="crmctl keys status", exits=EXITS, formats=("table", "json"))
def status_command(call: Invocation) -> int | None:
    """Show the key store's state: where it is, whose it is, how many keys it holds, what is due. No secret is shown."""
    from crmctl.clock import local, parse_stamp
    from crmctl.runs import run as runs
    from crmctl.security import keystanding

    with runs.open_run(call, "keys status", "keys.status") as run:
        terms = keystanding.terms_of(run.workspace)
        status, epochs = run.keys.status(), keystanding.epochs(run.keys, terms)
        overdue = list(keystanding.warnings(run.keys, terms, run.at))
        mirror = run.keys.mirror.location if run.keys.mirror else None
        run = runs.record_reading(run, n=sum(status["keys"].values()))
        zone, now = run.zone, run.at
    for dated in (status, *status["indexes"]):
        dated["created_at"] = local(parse_stamp(dated["created_at"]), zone)
    status["masters"] = [
        {
            "epoch": each.epoch,
            "created_at": local(each.created_at, zone),
            "age_days": (now - each.created_at).days,
            "wraps": each.wraps,
            "holds": each.holds,
            "destroy_from": None if each.destroy_from is None else local(each.destroy_from, zone),
        }
        for each in epochs
    ]
    document = {"run_id": run.run_id, **status, "mirror": mirror, "overdue": [message for message, _hint in overdue]}
    call.emit(document, *_lines(status), *(f"{message}: {hint}" for message, hint in overdue))
    return None


@command(example="crmctl keys copy /media/safe/crm-keys", exits=EXITS, changes=True, formats=("table", "json"))
@click.argument("dest", type=click.Path(path_type=Path))
def copy_command(call: Invocation, dest: Path) -> int | None:
    """Copy the key store and its master keys into the new folder DEST, verified, for safe keeping.

    Losing the key store is losing the data. Whoever has this copy and any copy of the database reads everybody: keep it
    as a key is kept, apart from the backups of the data. It is in the register of copies: crmctl use copies.
    """
    from crmctl.runs import run as runs
    from crmctl.security import keycare

    with runs.open_run(call, "keys copy", "keys.copy", lock="keys") as run:
        copied = keycare.copy(run, dest)
    document = {
        "run_id": copied.run_id,
        "folder": str(copied.folder),
        "keys": copied.keys,
        "sha256": copied.sha256,
        "copy": copied.copy,
        "dry_run": call.dry_run,
    }
    number = sum(copied.keys.values())
    if call.dry_run:
        lines = [_("{number} keys would be copied to {folder}; nothing was written.")]
    else:
        lines = [
            _("{number} keys copied to {folder} and verified. Keep it apart from the backups of the data."),
            _("The master keys are in it; lock it away. When it is destroyed: crmctl use destroyed {copy}"),
        ]
    call.emit(document, *(line.format(number=number, folder=copied.folder, copy=copied.copy) for line in lines))
    return None


@command(example="crmctl keys rotate", exits=EXITS, changes=True, formats=("table", "json"))
@click.option("--index", is_flag=True, help=N_("Change the key of the blind index instead."))
def rotate_command(call: Invocation, index: bool) -> int | None:
    """Take a new master key and put every key under it; the old one stays until it is destroyed.

    The data are not touched. Killed at any moment, nothing is lost, and the same command finishes it. With --index the
    key changes under which customers are found by number or name; imports wait meanwhile.
    """
    from crmctl.runs import run as runs
    from crmctl.security import keyturning

    command = keyturning.ROTATE_INDEX if index else keyturning.ROTATE
    with (
        runs.open_run(call, command, "keys.rotate", lock="keys") as run,
        call.progress(_("rotating")) as progress,
    ):
        turn = keyturning.rotate_index if index else keyturning.rotate
        done = turn(run, progress.advance)
    document = {
        "run_id": done.run_id,
        "what": "index" if index else "master",
        "epoch": done.epoch,
        "resumed": done.resumed,
        "done": done.done,
        "lost" if index else "left": done.left,
        "dry_run": call.dry_run,
    }
    call.emit(document, *_rotated(done, index, call.dry_run))
    return None


def _rotated(done: Rotated, index: bool, dry_run: bool) -> Iterator[str]:
    if dry_run and index:
        line = _("Index key {epoch} would be made, and {number} identities made anew; nothing was written.")
    elif dry_run:
        line = _("{number} keys would be put under master key {epoch}; nothing was written.")
    elif index:
        line = _("{number} identities made anew under index key {epoch}; the old index key is destroyed.")
    else:
        line = _("{number} keys put under master key {epoch}. Older master keys stay until they are destroyed.")
    yield line.format(number=done.done, epoch=done.epoch)
    if done.left and index:
        line = _("{number} identities no longer followed from their customers and are gone.")
        yield line.format(number=done.left)
    elif done.left:
        line = _("{number} keys were added meanwhile under an older one; the next rotation takes them along.")
        yield line.format(number=done.left)


@command(example="crmctl keys destroy 1", exits=EXITS, changes=True, formats=("table", "json"))
@click.argument("epoch", type=click.IntRange(1))
def destroy_command(call: Invocation, epoch: int) -> int | None:
    """Destroy the master key EPOCH, and with it every copy of the key store that needs it.

    Only one that wraps nothing any more, and only after key_horizon_days of crmctl.yaml: until then older copies of the
    key store can be restored, and purged customers be read from them.
    """
    from crmctl.runs import run as runs
    from crmctl.security import keyturning

    with runs.open_run(call, "keys destroy", "keys.destroy", lock="keys") as run:
        done = keyturning.destroy(run, epoch)
    document = {
        "run_id": done.run_id,
        "epoch": done.epoch,
        "provider": done.provider,
        "files": [str(path) for path in done.files],
        "copies": list(done.copies),
        "dry_run": call.dry_run,
    }
    call.emit(document, *_destroyed(done, call.dry_run))
    return None


def _destroyed(done: Destroyed, dry_run: bool) -> Iterator[str]:
    if dry_run:
        yield _("Master key {epoch} would be destroyed; nothing was written.").format(epoch=done.epoch)
    else:
        yield _("Master key {epoch} is destroyed here.").format(epoch=done.epoch)
    if not done.files:
        line = _("It came from provider {provider}: destroy it there too, and its paper or hardware copies.")
        yield line.format(provider=done.provider)
    if done.copies:
        line = _("These copies of the key store hold it too, destroy them: {numbers} (crmctl use copies)")
        yield line.format(numbers=", ".join(map(str, done.copies)))


@command(example="crmctl keys mirror", exits=EXITS, changes=True, formats=("table", "json"))
def mirror_command(call: Invocation) -> int | None:
    """Make the mirror that keys_mirror of crmctl.yaml names, or bring it in step with the key store; verified.

    From then on every key is written to both or to neither.
    """
    from crmctl.runs import run as runs
    from crmctl.security import keyturning

    with runs.open_run(call, "keys mirror", "keys.mirror", lock="keys") as run:
        run_id, done = keyturning.mirror(run)
        place = run.keys.mirror.location if run.keys.mirror else ""
    document = {
        "run_id": run_id,
        "mirror": place,
        "made": done.made,
        "written": done.written,
        "removed": done.removed,
        "keys": done.keys,
        "dry_run": call.dry_run,
    }
    if call.dry_run:
        line = _("{location}: {written} keys would be written, {removed} removed; nothing was written.")
    else:
        line = _("{location}: {written} keys written, {removed} removed, {keys} there; equal to the key store.")
    call.emit(document, line.format(location=place, written=done.written, removed=done.removed, keys=done.keys))
    return None


def _lines(status: dict[str, object]) -> tuple[Table | str, ...]:
    masters, indexes, keys = status["masters"], status["indexes"], status["keys"]
    assert isinstance(masters, list) and isinstance(indexes, list) and isinstance(keys, dict)
    rows = [
        (_("master key"), *(entry[name] for name in ("epoch", "created_at", "wraps", "holds", "destroy_from")))
        for entry in masters
    ]
    rows += [(_("index key"), entry["epoch"], entry["created_at"], None, None, None) for entry in indexes]
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
                Column("holds", N_("of them now"), right=True),
                Column("destroy_from", N_("May be destroyed from")),
            ),
            rows,
        ),
    )
