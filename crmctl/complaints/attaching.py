"""`complaint attach` and `complaint file`: supporting material kept with a complaint, sealed whole (CMP-12, INF-08)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select

from crmctl import clock, files
from crmctl.complaints import acting, columns, tables
from crmctl.complaints.acting import Deed, Outcome
from crmctl.complaints.model import Case
from crmctl.complaints.policy import settings_named
from crmctl.complaints.protected import FILE
from crmctl.complaints.writing import Write
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import counters

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Content:
    """A file as it was read."""

    name: str = field(repr=False)
    content: bytes = field(repr=False)


def read(run: Run, path: Path, name: str = "") -> Content:
    """Return a file to attach. Raises InvalidInput for one that is empty, StorageFailed for one that cannot be read."""
    limit = max((each.settings.attachments.max_megabytes for each in run.policies.of_kind("complaints")), default=1)  # type: ignore[attr-defined]
    with files.open_input(path) as stream:
        content = stream.read(limit * MEGABYTE + 1)
    if not content:
        raise InvalidInput(_("the file is empty"), hint=_("attach another"), code="FILE_EMPTY")
    if len(content) > limit * MEGABYTE:
        raise _too_large(limit)
    return Content(name or Path(str(path)).name, content)


def attach(run: Run, number: str, found: Content, note: str) -> Outcome:
    """Keep a file with a complaint. Raises InvalidInput beyond the policy's size or number of files."""

    def choose(conn: Connection, case: Case) -> Deed:
        rule = settings_named(run.policies, case.row["policy"]).attachments
        if len(found.content) > rule.max_megabytes * MEGABYTE:
            raise _too_large(rule.max_megabytes)
        if _count(conn, case) >= rule.max_files:
            raise InvalidInput(
                _("{number}: has as many files as the policy allows ({limit})").format(
                    number=case.number, limit=rule.max_files
                ),
                hint=_("policies/complaints.yaml: attachments"),
                code="FILES_TOO_MANY",
            )
        own = 0 if run.dry_run else counters.take(conn, "complaint_file", 1)
        private = {"name": found.name, "sha256": sha256(found.content).hexdigest(), "text": note}
        data = {"file": own, "size": len(found.content)}
        return Deed("attached", data, private, writes=lambda _conn, case, run: [_row(run, case, own, found)])

    return acting.carry_out(run, number, choose)


def content_of(run: Run, conn: Connection, case: Case, file_id: int) -> Content:
    """Return a file of a complaint, opened. Raises Refused where there is none of that number."""
    columns_ = tables.complaint_file.c
    query = select(columns_.sealed).where(
        columns_.customer_id == case.customer_id,
        columns_.complaint_id == case.complaint_id,
        columns_.file_id == file_id,
    )
    envelope = conn.execute(query).scalar_one_or_none()
    if envelope is None:
        raise Refused(
            _("{number}: has no file {file}").format(number=case.number, file=file_id),
            hint=_("see: crmctl complaint show {number}").format(number=case.number),
            code="FILE_UNKNOWN",
        )
    key = run.keys.key("customer", case.customer_id)
    told: dict[str, Any] = Sealer(run.workspace.instance).open_json(key, columns.IN_FILE, envelope, file_id)
    return Content(told["name"], base64.b64decode(told["content"]))


def _count(conn: Connection, case: Case) -> int:
    columns_ = tables.complaint_file.c
    query = select(func.count()).where(
        columns_.customer_id == case.customer_id, columns_.complaint_id == case.complaint_id
    )
    return int(conn.execute(query).scalar_one())


def _row(run: Run, case: Case, own: int, found: Content) -> Write:
    row = {
        "customer_id": case.customer_id,
        "file_id": own,
        "complaint_id": case.complaint_id,
        "size": len(found.content),
        "person": run.actor.person,
        "run_id": run.run_id,
        "created_at": clock.stamp(clock.now()),
    }
    private = {
        "name": found.name,
        "sha256": sha256(found.content).hexdigest(),
        "content": base64.b64encode(found.content).decode(),
    }
    return Write(FILE, row, sealed=acting.sealed(run, case.customer_id, columns.IN_FILE, own, private))


def _too_large(limit: int) -> InvalidInput:
    return InvalidInput(
        _("the file is larger than {limit} MB").format(limit=limit),
        hint=_("make it smaller; policies/complaints.yaml: attachments"),
        code="FILE_TOO_LARGE",
    )
