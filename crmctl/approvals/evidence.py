"""What a decision rests on besides the word of the program: reason and scan, sealed; and one hash over all of it."""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from crmctl.approvals.records import Decision
from crmctl.errors import InvalidInput
from crmctl.files import open_input
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.security.sealing import KEY_BYTES, DataKey, Place, Sealer
from crmctl.store import counters

SEALED = Place("approval_decision", "sealed")
MOST_BYTES = 8 * 1024 * 1024
_DOCUMENT = re.compile(r"[A-Z]{2,10}(-[0-9]{1,10}){1,3}", re.ASCII)
_TICKET = re.compile(r"[A-Z]{2,10}-[0-9]{1,10}", re.ASCII)


@dataclass(frozen=True)
class Evidence:
    """Why, and the paper it was decided on: its number, its scan."""

    reason: str = ""
    document: str | None = None
    scan: bytes | None = None

    @property
    def ticket(self) -> str | None:
        """The number of the paper in the form that the log takes; None for any other."""
        return self.document if self.document and _TICKET.fullmatch(self.document) else None


def read_scan(path: Path) -> bytes:
    """Return the bytes of a scan. Raises InvalidInput when there are none or too many."""
    with open_input(path) as stream:
        data = stream.read(MOST_BYTES + 1)
    if not data or len(data) > MOST_BYTES:
        raise InvalidInput(
            _("{path}: a scan has 1 byte to {most} MiB").format(path=path, most=MOST_BYTES // 1024**2),
            hint=_("scan it in fewer dots, or give the number of the paper with --document"),
            code="SCAN_SIZE",
        )
    return data


def document_number(text: str) -> str:
    """Return the number of a paper or OA flow. Raises InvalidInput for anything else: it is stored in clear."""
    if not _DOCUMENT.fullmatch(text):
        raise InvalidInput(
            _("--document: not a number of a paper or OA flow"), hint="OA-20261121, OA-2026-0042", code="DOCUMENT_FORM"
        )
    return text


def seal(run: Run, given: Evidence) -> tuple[int | None, bytes | None]:
    """Return the owner of a new key, stored by now, and the sealed evidence; nothing where there is nothing to seal."""
    if not given.reason and given.scan is None:
        return None, None
    number = counters.take(run.engine, "document", 1)
    key = DataKey("document", number, 1, os.urandom(KEY_BYTES))
    run.keys.add(run.keys.wrapper.wrap([key]))
    told: dict[str, Any] = {"reason": given.reason}
    if given.scan is not None:
        told["scan"] = base64.b64encode(given.scan).decode()
    return number, Sealer(run.workspace.instance).seal_json(key, SEALED, told)


def opened(run: Run, made: Decision) -> Evidence:
    """Return what is sealed with a decision. Raises KeyMissing, IntegrityFailed."""
    if made.sealed is None or made.document_id is None:
        return Evidence(document=made.document)
    key = run.keys.key("document", made.document_id)
    told = Sealer(run.workspace.instance).open_json(key, SEALED, made.sealed)
    scan = base64.b64decode(told["scan"]) if "scan" in told else None
    return Evidence(told["reason"], made.document, scan)


def digest(statement: str, given: Evidence, signature: str | None, signers_hash: str | None) -> str:
    """Return the SHA-256 that the entry names as `source`, over canonical JSON of what is there of these."""
    told = {
        "document": given.document,
        "scan": sha256(given.scan).hexdigest() if given.scan is not None else None,
        "signature": signature,
        "signers_hash": signers_hash,
        "statement": statement,
    }
    kept = {name: value for name, value in told.items() if value is not None}
    return sha256(json.dumps(kept, sort_keys=True, separators=(",", ":")).encode("ascii")).hexdigest()
