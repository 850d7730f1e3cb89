"""What `audit verify --bundle` says; needs no workspace, asks nobody but the files named."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.cli.render import Column, Part, Table
from crmctl.errors import DONE, InvalidInput, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crmctl.audit.bundle_verify import Verdict
    from crmctl.audit.note import VerifierKey
    from crmctl.cli.options import Invocation

_PROBLEM = (Column("code", N_("Code")), Column("subject", N_("What")), Column("message", N_("Problem")))
_KINDS = {"all": N_("the whole log"), "period": N_("a period"), "customer": N_("one customer")}
_LARGEST = 1 << 20


def verify_export(call: Invocation, bundle: Path | None, key: Sequence[str], pin: Path | None, whole: bool) -> int:
    """Verify an exported bundle and say what came of it; return the exit status. Raises UsageProblem, InvalidInput."""
    from dataclasses import replace

    from crmctl.audit.bundle_verify import verify_bundle

    if bundle is None or not key or pin is None:
        raise UsageProblem(
            _("--bundle, --key and --pin go together"),
            hint=_("the key and the checkpoint are your own: nothing in a bundle can vouch for itself"),
        )
    keys = [_key(text) for text in key]
    if not bundle.is_dir():
        raise InvalidInput(_("{path}: is no folder").format(path=bundle), code="BUNDLE_MISSING")
    with call.progress(_("verifying")) as shown:
        verdict = verify_bundle(bundle, keys, _newest(_read(pin)), whole=whole, progress=shown.advance)
    loud = call if verdict.exit_code == DONE else replace(call, silent=False)
    loud.emit(_document(verdict), *_told(verdict))
    return verdict.exit_code


def _key(text: str) -> VerifierKey:
    from crmctl.audit.note import parse_vkey

    try:
        return parse_vkey((_read(Path(text)) if os.path.lexists(text) else text).strip())
    except ValueError:
        raise InvalidInput(
            _("--key: not a verifier key, and no file that holds one"),
            hint=_("name+id+base64, as the signer of the log published it"),
            code="KEY_FORM",
        ) from None


def _newest(text: str) -> str:
    """Return the last note of a file that may hold several, as anchors do."""
    from crmctl.audit.bundle_parts import notes

    found = [note for note in notes(text) if note]
    return found[-1] if found else ""


def _read(path: Path) -> str:
    from crmctl.files import open_input

    with open_input(path) as stream:
        data = stream.read(_LARGEST)
    return data.decode(errors="replace")


def _document(verdict: Verdict) -> dict[str, Any]:
    return {
        "ok": not verdict.problem_count,
        "kind": verdict.kind or None,
        "log_size": verdict.size,
        "entries": verdict.entries,
        "signed": verdict.signed,
        "pruned": verdict.pruned,
        "manifest_sha256": verdict.manifest_sha256,
        "problem_count": verdict.problem_count,
        "problems": [problem._asdict() for problem in verdict.problems],
    }


def pruned_line(pruned: int, signed: int) -> str:
    """Say which entries are pruned, and how far the checkpoint goes that covers them."""
    what = _("entries 0 to {last}: pruned, covered by the checkpoint of {signed} entries")
    return what.format(last=pruned - 1, signed=signed)


def _told(verdict: Verdict) -> list[Part]:
    lines: list[Part] = []
    if verdict.kind:
        what = _("export of {kind}: {number} of {size} entries; signed: {signed}")
        lines.append(
            what.format(kind=_(_KINDS[verdict.kind]), number=verdict.entries, size=verdict.size, signed=verdict.signed)
        )
    if verdict.pruned and not verdict.problem_count:
        lines.append(pruned_line(verdict.pruned, verdict.signed))
    lines.append(_("manifest: sha256 {digest}").format(digest=verdict.manifest_sha256))
    if verdict.problems:
        lines.append(Table(_PROBLEM, verdict.problems))
    if verdict.problem_count > len(verdict.problems):
        lines.append(_("… and {number} more").format(number=verdict.problem_count - len(verdict.problems)))
    if verdict.problem_count:
        lines.append(_("NOT VALID: {number} problems").format(number=verdict.problem_count))
    elif verdict.exit_code == DONE:
        lines.append(_("valid, and signed to the end"))
    else:
        lines.append(_("valid; the newest entries are not signed yet"))
    return lines
