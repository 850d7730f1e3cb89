"""Put what backups did into words and documents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.backups.keysback import KeysRestored
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from crmctl.backups.creating import Created
    from crmctl.backups.drilling import Drilled
    from crmctl.backups.restored import Restored
    from crmctl.backups.verifying import Verified

VOUCHERS = {
    "signed": N_("signed by the audit signer"),
    "entered": N_("named by a signed entry of the log"),
    "waiting": N_("named by an entry of the log that is not signed yet"),
    "nobody": N_("nobody vouches for it"),
}
_SHOWN = 20  # numbers of customers on the screen; all of them are in the JSON and in the change log


def created(done: Created, dry_run: bool) -> dict[str, object]:
    """Return the document of `backup create`."""
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


def created_lines(done: Created, dry_run: bool) -> list[str]:
    """Return what people read of it."""
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


def verified(done: Verified) -> dict[str, Any]:
    """Return what `backup verify` says of one set."""
    return {
        "backup": done.number,
        "folder": str(done.folder),
        "kind": done.kind,
        "made_at": done.made_at,
        "vouched": done.voucher,
        "opened": done.opened,
        "whole": not done.problems,
        "problems": [problem._asdict() for problem in done.problems],
    }


def verified_lines(done: Verified) -> list[str]:
    """Return what people read of it."""
    state = _("not whole") if done.problems else _("whole, opened") if done.opened else _("whole")
    lines = [f"{done.folder}: {state}; {_(VOUCHERS[done.voucher])}"]
    return lines + [f"  {problem.code} {problem.subject}: {problem.message}" for problem in done.problems]


def restored(done: Restored | KeysRestored, into: Path) -> dict[str, Any]:
    """Return the document of `backup restore`."""
    if isinstance(done, KeysRestored):
        return {
            "run_id": done.run_id,
            "keys": str(done.folder),
            "backup": str(done.found.folder),
            "made_at": done.found.manifest.made_at,
            "vouched": done.voucher,
            "number": done.keys,
            "keys_destroyed_again": done.again,
            "without_key": done.keyless,
        }
    return {
        "run_id": done.run_id,
        "workspace": str(into.resolve()),
        "backup": str(done.found.folder),
        "made_at": done.found.manifest.made_at,
        "vouched": done.voucher,
        "log_size": done.found.manifest.log.size,
        "customers_removed": len(done.standing.keyless),
        "removed": list(done.standing.keyless),
        "rows_removed": dict(done.removed),
        "keys_destroyed_again": done.again,
        "identities": done.identities,
        "identities_shared": done.shared,
    }


def restored_lines(done: Restored | KeysRestored, into: Path) -> list[str]:
    """Return what people read of it."""
    if isinstance(done, KeysRestored):
        return _keys_lines(done)
    said, place, gone = done.found.manifest, into.resolve(), done.standing.keyless
    lines = [
        _("Workspace {folder} is as it was at {moment}; its log has {size} entries from then.").format(
            folder=place, moment=said.made_at, size=said.log.size
        ),
        _("Customers destroyed since, removed again: {number}").format(number=len(gone)),
    ]
    if gone:
        shown = ", ".join(f"C-{number:06d}" for number in gone[:_SHOWN])
        lines.append(f"  {shown}" + (" …" if len(gone) > _SHOWN else ""))
    lines.append(
        _("Keys destroyed again: {number}. Identities made anew: {identities}, claimed by several: {shared}.").format(
            number=done.again, identities=done.identities, shared=done.shared
        )
    )
    line = _("Next: audit checkpoint, then doctor, in {folder}. Take the old workspace out of use.")
    return [*lines, line.format(folder=place)]


def _keys_lines(done: KeysRestored) -> list[str]:
    lines = [
        _("Key store {folder} is as it was at {moment}: {number} keys; destroyed again: {again}.").format(
            folder=done.folder, moment=done.found.manifest.made_at, number=done.keys, again=done.again
        )
    ]
    if done.keyless:
        line = _("{number} customers have no key in it: made since, they cannot be read, unless newer keys are found.")
        lines.append(line.format(number=done.keyless))
    return [*lines, _("Next: let `keys` in crmctl.yaml point to it, then crmctl doctor.")]


_FIGURES = ("seconds", "age_days", "entries", "rows", "living", "decrypted", "destroyed", "resurrected")


def drilled(done: Drilled) -> dict[str, Any]:
    """Return the document of `backup drill`."""
    return {
        "run_id": done.run_id,
        "backup": done.number,
        "folder": str(done.folder),
        **{name: getattr(done, name) for name in _FIGURES},
        "keys_set": done.keys_set,
        "problems": [problem._asdict() for problem in done.problems],
    }


def drilled_lines(done: Drilled) -> list[str]:
    """Return what people read of it."""
    figures = {name: getattr(done, name) for name in _FIGURES}
    told = (
        _("{folder}: {age_days} days old, restored in {seconds} s"),
        _("Log of {entries} entries and {rows} rows verified."),
        _("Living customers opened: {decrypted} of {living}. Destroyed ones opened: {resurrected} of {destroyed}."),
    )
    lines = [line.format(folder=done.folder, **figures) for line in told]
    if done.keys_set is not None:
        lines.append(_("Tried besides: backup {number}, of the keys.").format(number=done.keys_set))
    return lines + [f"{problem.code} {problem.subject}: {problem.message}" for problem in done.problems]
