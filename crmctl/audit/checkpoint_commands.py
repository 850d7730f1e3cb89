"""`crmctl audit checkpoint`: sign the log as it is, here or as an account that never opens the database."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from crmctl.cli.options import Invocation, command
from crmctl.errors import UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.audit.checkpoints import Done

FILE = click.Path(path_type=Path, allow_dash=True)
_LONGEST = 1 << 20


@command(
    example=(
        "crmctl audit checkpoint",
        "crmctl audit list --raw | sudo -u crmaudit crmctl audit checkpoint --log - > NOTE",
        "crmctl audit checkpoint --add NOTE",
    ),
    exits=(0, 2, 4, 6, 10, 11, 12, 13, 74),
    changes=True,
)
@click.option(
    "--log", metavar="FILE", type=FILE, help=N_("Sign these raw entries (- is standard input); no workspace.")
)
@click.option(
    "--state", metavar="DIR", type=click.Path(path_type=Path), help=N_("With --log: the signer's own folder.")
)
@click.option("--origin", metavar="NAME", help=N_("With --log: the log's name; needed the first time."))
@click.option("--position", is_flag=True, help=N_("Print the number of the newest entry that the signer signed."))
@click.option("--add", metavar="NOTE", type=FILE, help=N_("Store a checkpoint that another account signed."))
def checkpoint_command(
    call: Invocation, log: Path | None, state: Path | None, origin: str | None, position: bool, add: Path | None
) -> None:
    """Sign the audit log as it is, so that what is in it can no longer be changed unseen.

    The signer keeps its key and what it signed last in a folder of its own, and refuses a log that does not extend
    that: an older copy put back, an entry changed or removed. Nothing is signed then; exit 13. Nothing new is no
    failure. The checkpoint goes to the anchors of audit.yaml and is no entry of the log itself.
    """
    _refuse_misfits(call, log, state, origin, position, add)
    if position:
        _tell_position(state)
    elif log is not None:
        _sign(call, log, state, origin or "")
    else:
        _in_workspace(call, add)


def _refuse_misfits(
    call: Invocation, log: Path | None, state: Path | None, origin: str | None, position: bool, add: Path | None
) -> None:
    if sum((log is not None, position, add is not None)) > 1:
        raise UsageProblem(_("--log, --position and --add are three different things: give one of them"))
    if log is None and ((state is not None and not position) or origin is not None):
        raise UsageProblem(_("--state and --origin go with --log"))
    if position and call.dry_run:
        raise UsageProblem(_("--position signs nothing, so --dry-run does not apply"))


def _tell_position(state: Path | None) -> None:
    from crmctl.audit import remote

    sys.stdout.write(f"{remote.position(state or remote.default_folder()).size - 1}\n")


def _sign(call: Invocation, log: Path, state: Path | None, origin: str) -> None:
    """Sign the entries in a file or on standard input; the note goes to standard output, also when nothing is new."""
    from crmctl.audit import remote
    from crmctl.files import open_input

    folder = state or remote.default_folder()
    if str(log) == "-":
        done = remote.sign(folder, origin, sys.stdin.buffer, timeout=call.timeout, dry_run=call.dry_run)
    else:
        with open_input(log) as stream:
            done = remote.sign(folder, origin, stream, timeout=call.timeout, dry_run=call.dry_run)
    signer = done.signer
    size = signer.signed.size + (done.added if call.dry_run else 0)
    call.say(_outcome(done.added, size, call.dry_run))
    call.say(_("verifier key: {vkey}").format(vkey=signer.vkey))
    if call.output == "json":
        document = {"origin": signer.origin, "size": size, "added": done.added, "vkey": signer.vkey}
        root = None if call.dry_run else signer.signed.root.hex()
        call.emit({**document, "root": root, "note": None if call.dry_run else signer.note})
    elif not call.dry_run:
        sys.stdout.write(signer.note)


def _in_workspace(call: Invocation, add: Path | None) -> None:
    from crmctl.audit import checkpoints
    from crmctl.runs import run as runs

    text = _read(add) if add is not None else ""
    with runs.open_run(call, "audit checkpoint", "audit.checkpoint", lock="checkpoint") as run:
        done = checkpoints.make(run) if add is None else checkpoints.add(run, text)
    for outcome in done.anchors:
        if outcome.reason:
            call.warn(_("anchor {name} did not take it: {reason}").format(name=outcome.name, reason=outcome.reason))
    _tell(call, done)


def _tell(call: Invocation, done: Done) -> None:
    lines = [_outcome(done.added if done.new or call.dry_run else 0, done.size, call.dry_run)]
    if done.note:
        lines += [_("root: {root}").format(root=done.root.hex())]
    if done.vkey:
        lines.append(_("verifier key: {vkey}").format(vkey=done.vkey))
    taken = {outcome.name: not outcome.reason for outcome in done.anchors}
    document = {"new": done.new, "added": done.added, "size": done.size, "root": done.root.hex(), "origin": done.origin}
    call.emit({**document, "vkey": done.vkey or None, "note": done.note or None, "anchors": taken}, *lines)


def _outcome(added: int, size: int, dry_run: bool) -> str:
    if not added:
        return _("nothing new to sign; {size} entries are signed").format(size=size)
    if dry_run:
        return _("would sign {added} more entries, {size} in all").format(added=added, size=size)
    return _("{added} more entries signed, {size} in all").format(added=added, size=size)


def _read(path: Path) -> str:
    """Return the text of a note, or as much as shows that it is none."""
    from crmctl.files import open_input

    def taken(stream: BinaryIO) -> str:
        return stream.read(_LONGEST + 1).decode("utf-8", "replace")

    if str(path) == "-":
        return taken(sys.stdin.buffer)
    with open_input(path) as stream:
        return taken(stream)
