"""An export of the log as something that leaves: to whom, for what, who agreed, its line in the register of copies.

The log has no personal data, but it tells who did what about whom. To a third party it goes only when somebody else
has agreed to exactly this export (ACC-06), asked for as every use is: `audit export --ask WHY`, then `--use N`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from sqlalchemy import Connection

from crmctl import clock, files
from crmctl.approvals.decide import rule_for
from crmctl.audit import entries
from crmctl.audit.export import Selection, Wanted
from crmctl.audit.listing import parse_customer, parse_moment
from crmctl.errors import KeyMissing, PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.store import engine
from crmctl.use import copies, purposes, requests, sealed
from crmctl.use import records as uses
from crmctl.use.policy import Purpose, Recipient
from crmctl.use.requests import Request

ACT = "audit.export"
NOTHING = "NOTHING_TO_EXPORT"


@dataclass(frozen=True)
class Permitted:
    """An export that may be made: what of the log, for what, for whom, under which request and approval."""

    wanted: Wanted
    purpose: Purpose | None
    recipient: Recipient | None
    request: Request | None = None
    approval: int | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What entries say of it."""
        return {
            "obj": f"customer:{self.wanted.customer}" if self.wanted.customer else None,
            "purpose": self.purpose.code if self.purpose else None,
            "recipient": self.recipient.code if self.recipient else None,
            "use": self.request.use_id if self.request else None,
            "approval": self.approval,
        }


@dataclass(frozen=True)
class Left:
    """What an export left: its line in the register of copies and its record of use, where it has them."""

    run: Run
    copy_id: int | None = None
    record_id: int | None = None

    @property
    def told(self) -> dict[str, Any]:
        """What JSON says of it."""
        return {"run_id": self.run.run_id, "copy": self.copy_id, "use_record": self.record_id}


class Digesting(io.RawIOBase):
    """A stream that only goes forward, and the hash and size of what went through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest, self.size = stream, sha256(), 0

    def writable(self) -> bool:
        """Say that it takes bytes."""
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - any buffer, as its base class has it
        """Write bytes."""
        self._digest.update(data)
        size = self._stream.write(data)
        self.size += size
        return size

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything written so far."""
        return self._digest.hexdigest()


def permit(run: Run, wanted: Wanted, given: Mapping[str, str], use: int | None) -> Permitted:
    """Return the export as it may be made; `given` has recipient and purpose as typed, `use` an approved request.

    Under a request its part of the log, recipient and purpose hold for all that is left out. Raises PermissionMissing
    (logged) for what may not leave, Refused where the request was made for something else, PlanStale for one used.
    """
    with purposes.denials_logged(run, ACT):
        if use is None:
            recipient = purposes.recipient(run.policies, given["recipient"]) if given["recipient"] else None
            purpose = purposes.purpose(run.policies, given["purpose"]) if given["purpose"] else None
            if _agreed_first(run, recipient):
                raise _missing(recipient)
            return Permitted(wanted, purpose, recipient)
        with engine.read(run.engine) as conn:
            request = requests.of_own(conn, run, use, ACT)
            recipient = purposes.recipient(run.policies, given["recipient"] or request.recipient)
            purpose = purposes.purpose(run.policies, given["purpose"] or request.purpose)
            wanted = wanted if wanted != Wanted() else _wanted_by(request)
            same = (_digest(wanted), recipient.code, purpose.code)
            if same != (request.digest, request.recipient, request.purpose):
                raise Refused(
                    _("use request {number}: was made for another export").format(number=use),
                    hint=_("leave the other options out, or ask again with --ask"),
                    code="USE_OTHER",
                )
            approval = requests.require(conn, run, request, recipient, request.digest, request.rows)
        return Permitted(wanted, purpose, recipient, request, approval)


def ask(run: Run, wanted: Wanted, given: Mapping[str, str], why: str) -> Request:
    """Record a request to export this part of the log and ask for its approval.

    `given` has recipient, purpose, manner and responsible as typed. Raises PermissionMissing (logged) for a forbidden
    purpose or a recipient who gets nothing.
    """
    with purposes.denials_logged(run, run.act):
        recipient = purposes.recipient(run.policies, given["recipient"])
        wish = requests.Wish(
            act=ACT,
            purpose=purposes.purpose(run.policies, given["purpose"]),
            manner=purposes.manner(run.policies, given["manner"]).code,
            responsible=requests.person_or_number(given["responsible"] or run.actor.person),
            recipient=recipient,
            fields=(),
            selection=_selection(wanted),
            private={},
            rows=1 if wanted.customer else 0,
            digest=_digest(wanted),
            necessity=why,
        )
        requests.needed(run, ACT, recipient, 1)  # refuses whom nobody could agree to
    run = runs.begin(run)
    with runs.recorded_failure(run):
        return requests.ask(run, wish)


def nothing(run: Run, permitted: Permitted) -> Refused:
    """Return, once it is in the log who looked, the answer to an export that would hold no entry: no file is made."""
    told = {name: value for name, value in permitted.told.items() if name in ("obj", "recipient", "purpose")}
    runs.record_reading(run, n=0, codes=[NOTHING], **told)
    return Refused(_("there are no such entries"), hint=_("see: crmctl audit list"), code=NOTHING)


def announce(run: Run, permitted: Permitted, selection: Selection) -> None:
    """Commit who is about to get what, before it is written to a file."""
    with engine.write(run.engine) as conn:
        entries.append(conn, run.entry("begun", at=clock.now(), n=selection.count, **permitted.told))


def settle(run: Run, permitted: Permitted, selection: Selection, file: tuple[Path, str, int] | None = None) -> Left:
    """Commit what leaves, in one transaction: request spent, use, copy and entry. `file`: its place, SHA-256, bytes."""
    place = None if file is None else _place(run, file[0])
    with engine.write(run.engine) as conn:
        if permitted.request is not None:
            requests.spend(conn, run, permitted.request, permitted.approval)
        record = _record(conn, run, permitted, selection)
        told, copy = permitted.told, None
        if file is not None:
            leaving = copies.Leaving(
                act=ACT, sha256=file[1], size=file[2], rows=selection.count, recipient=told["recipient"],
                purpose=told["purpose"], use_id=told["use"], place=place,
            )  # fmt: skip
            copy = copies.register(conn, run, leaving)
            told |= {"obj": told["obj"] or f"copy:{copy}", "source": file[1]}
        runs.finish(conn, run, "done", 0, {"entries": selection.count})
        entries.append(conn, run.entry("done", at=clock.now(), n=selection.count, **told))
    return Left(run, copy, record)


@contextlib.contextmanager
def taken_back(left: list[Left]) -> Iterator[None]:
    """Take the line of a file that did not get its name out of the register; the error goes on."""
    try:
        yield
    except BaseException:
        for each in left:
            if each.copy_id is not None:
                copies.unregister(each.run, each.copy_id)
        raise


def _record(conn: Connection, run: Run, permitted: Permitted, selection: Selection) -> int | None:
    if permitted.purpose is None:
        return None
    return uses.record(
        conn, run, act=ACT, purpose=permitted.purpose.code, rows=selection.count,
        recipient=permitted.told["recipient"], use_id=permitted.told["use"],
    )  # fmt: skip


def _place(run: Run, path: Path) -> tuple[Any, Path] | None:
    """Return where a file will lie, with the key to seal that; None without the key store, which no log needs."""
    assert run.run_id is not None
    with contextlib.suppress(KeyMissing):
        return sealed.key_of(run, run.run_id), path
    return None


def manifest_of(bundle: Path) -> Path:
    """Return the manifest of a bundle, whose hash stands for all of it."""
    inside = bundle / "manifest.json"
    return files.shown_as(inside, f"{bundle}/manifest.json") if isinstance(bundle, files.Lent) else inside


def _agreed_first(run: Run, recipient: Recipient | None) -> bool:
    """Return whether somebody else has to agree; leaving the recipient out is no way round it."""
    if recipient is None:
        return rule_for(access_of(run.policies), ACT, 1) is not None
    return requests.needed(run, ACT, recipient, 1)


def _missing(recipient: Recipient | None) -> PermissionMissing:
    return PermissionMissing(
        _("an export of the log for {recipient} needs somebody else's approval").format(
            recipient=purposes.named(recipient) if recipient else "-"
        ),
        hint=_("ask first: the same with --ask WHY; then: crmctl audit export --use N"),
        code="APPROVAL_MISSING",
    )


def _selection(wanted: Wanted) -> dict[str, Any]:
    found = {
        "customer": wanted.customer or None,
        "from": clock.stamp(wanted.since) if wanted.since else None,
        "to": clock.stamp(wanted.until) if wanted.until else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _digest(wanted: Wanted) -> str:
    return sha256(b"crmctl/v1/log\n" + orjson.dumps(_selection(wanted), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _wanted_by(request: Request) -> Wanted:
    def moment(name: str) -> datetime | None:
        text = request.selection.get(name)
        return clock.parse_stamp(text) if text else None

    return Wanted(int(request.selection.get("customer", 0)), moment("from"), moment("to"))


def wanted_of(given: Mapping[str, str], zone: str) -> Wanted:
    """Return the part of the log that options name. Raises InvalidInput for what is no number or no time."""
    return Wanted(
        customer=parse_customer(given["customer"]) if given["customer"] else 0,
        since=parse_moment(given["since"], zone) if given["since"] else None,
        until=parse_moment(given["until"], zone, end=True) if given["until"] else None,
    )
