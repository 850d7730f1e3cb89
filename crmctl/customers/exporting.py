"""`customer export`: chosen fields of chosen customers in an owner-only file (ACC-03, ACC-06, USE-01).

Order of events, so that nothing leaves unlogged: rights, purpose, recipient and approval are checked → an entry that
commits to every customer is committed → plaintext is written to a hidden file → hash, register of copies, the spent
approval and the second entry are committed → the file gets its name. Whatever stops it before leaves no file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection

from crmctl import clock, files
from crmctl.audit import entries, looks
from crmctl.customers import disclosing, facts, records
from crmctl.customers.cells import Cells
from crmctl.customers.columns import CUSTOMER_CLEAR, clear_of
from crmctl.customers.disclosing import Asked
from crmctl.customers.exportfile import Digesting, writer
from crmctl.customers.merge import CONTACT_SEALED, CUSTOMER_SEALED
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import allowance
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import engine
from crmctl.use import copies, purposes, requests, sealed, tickets
from crmctl.use import records as uses
from crmctl.use.policy import Purpose, Recipient

ACT = "customer.export"
NOBODY = "NO_CUSTOMERS"
CHUNK = 2000
Tell = Callable[[int], None]


@dataclass(frozen=True)
class Wish:
    """What is to be exported: field codes, codes of the use policy, filters; how the file looks.

    `source` is the system whose external codes are written, `headers` zh, en or code, `use` an approved request.
    """

    fields: tuple[str, ...]
    purpose: str
    recipient: str
    ticket: str
    filters: records.Filters
    source: str
    form: str
    headers: str
    path: Path
    use: int | None = None


@dataclass(frozen=True)
class Exported:
    """A file in its place: what it holds, its line in the register of copies."""

    run_id: int
    copy_id: int
    record_id: int
    customers: int
    rows: int
    sha256: str
    size: int
    fields: tuple[Asked, ...]
    due_on: str | None


@dataclass(frozen=True)
class Permitted:
    """An export that may be done: what it holds, for what, to whom, under which request and approval."""

    asked: tuple[Asked, ...]
    purpose: Purpose
    recipient: Recipient
    ticket: str | None
    numbers: Sequence[int]
    request: requests.Request | None
    approval: int | None

    @property
    def in_full(self) -> tuple[str, ...]:
        """The fields of the policy that are written in full."""
        return tuple(each.code for each in self.asked if each.field is not None and each.how == "full")

    def told(self) -> dict[str, Any]:
        """Return what the entry says of it."""
        personal = any(each.sealed and each.how == "full" for each in self.asked)
        return {
            "n": len(self.numbers),
            "fields": [each.code for each in self.asked],
            "purpose": self.purpose.code,
            "recipient": self.recipient.code,
            "ticket": self.ticket,
            "use": self.request.use_id if self.request else None,
            "approval": self.approval,
            "codes": ["PERSONAL_IN_FULL"] if personal else ["MASKED"],
        }


def export(run: Run, wish: Wish, tell: Tell) -> Exported:
    """Write the file. Raises PermissionMissing (logged) for what may not leave, PlanStale for an approval gone stale.

    Raises Refused (logged) where the filters find nobody: no file, no line in the register, no approval spent. Memory
    stays flat but for eight bytes a customer. `tell` hears how many customers were written.
    """
    with purposes.denials_logged(run, ACT, fields=list(wish.fields)):
        permitted = permit(run, wish)
    if not permitted.numbers:
        raise nobody(run, wish.fields, permitted.purpose, permitted.recipient)
    with purposes.denials_logged(run, ACT, fields=list(wish.fields)):
        return _carried_out(run, wish, permitted, tell)


def nobody(run: Run, fields: Sequence[str], purpose: Purpose, recipient: Recipient) -> Refused:
    """Return, once it is in the log who looked, the answer to filters that find no customer the person may see."""
    told: dict[str, Any] = {"fields": list(fields), "purpose": purpose.code, "recipient": recipient.code}
    runs.record_reading(run, n=0, codes=[NOBODY], **told)
    return Refused(
        _("these filters find no customer"),
        hint=_("look what they find: crmctl customer list"),
        code=NOBODY,
    )


def _carried_out(run: Run, wish: Wish, permitted: Permitted, tell: Tell) -> Exported:
    copy = 0
    try:
        with files.atomic_output(wish.path) as stream:
            run = runs.begin(run)
            with runs.recorded_failure(run):
                record = _announce(run, permitted)
                to = Digesting(stream)
                rows = _write(run, wish, permitted, to, tell)
                copy = _settle(run, wish, permitted, to, rows)
    except BaseException:
        if copy:
            copies.unregister(run, copy)
        raise
    assert run.run_id is not None
    return Exported(
        run.run_id, copy, record, len(permitted.numbers), rows, to.hexdigest(), to.size, permitted.asked,
        copies.due_on(run),
    )  # fmt: skip


def permit(run: Run, wish: Wish) -> Permitted:
    """Return the export as it may be done. Raises PermissionMissing, PlanStale or InvalidInput where it may not."""
    purpose = purposes.purpose(run.policies, wish.purpose)
    recipient = purposes.recipient(run.policies, wish.recipient)
    ticket = purposes.ticket_of(purpose, wish.ticket)
    asked = disclosing.asked(run, wish.fields, purpose)
    numbers = array("q", records.numbers(run, wish.filters))
    tickets.stands_for(run, ticket, numbers)
    needed = requests.needed(run, ACT, recipient, len(numbers))
    if wish.use is None:
        if needed and numbers:
            raise requests.missing(ACT, len(numbers))
        return Permitted(asked, purpose, recipient, ticket, numbers, None, None)
    with engine.read(run.engine) as conn:
        request = requests.of_own(conn, run, wish.use, ACT)
        _same(request, wish, purpose, recipient)
        digest = requests.number_digest(numbers)
        approval = requests.require(conn, run, request, recipient, digest, len(numbers))
    return Permitted(asked, purpose, recipient, ticket, numbers, request, approval)


def _same(request: requests.Request, wish: Wish, purpose: Purpose, recipient: Recipient) -> None:
    """Raise Refused unless the export is what the request was made for."""
    pairs = (
        ("--fields", set(wish.fields), set(request.fields)),
        ("--purpose", purpose.code, request.purpose),
        ("--recipient", recipient.code, request.recipient),
    )
    for option, given, asked in pairs:
        if given != asked:
            raise Refused(
                _("{option}: use request {number} was made for something else").format(
                    option=option, number=request.use_id
                ),
                hint=_("leave the option out, or ask again: crmctl use request"),
                code="USE_OTHER",
            )


def _announce(run: Run, permitted: Permitted) -> int:
    """Commit who is about to get what, with a leaf for every customer, before any plaintext is written."""
    assert run.run_id is not None
    with engine.write(run.engine) as conn:
        shown, root = looks.commit(conn, run.run_id, permitted.numbers)  # the longest, before others would wait for us
        fields = {"looks": shown, "looks_root": root.hex()} if shown else {}
        record = uses.record(
            conn, run, act=ACT, purpose=permitted.purpose.code, rows=len(permitted.numbers),
            recipient=permitted.recipient.code, use_id=permitted.request.use_id if permitted.request else None,
        )  # fmt: skip
        allowance.within(conn, run, ACT)
        entries.append(conn, run.entry("begun", at=clock.now(), **permitted.told(), **fields))
    return record


def _write(run: Run, wish: Wish, permitted: Permitted, to: Digesting, tell: Tell) -> int:
    cells = Cells(run, permitted.asked, wish.headers, wish.source)
    rows = 0
    with writer(wish.form, to, cells, run.workspace.spool, run.run_id) as put:
        for at in range(0, len(permitted.numbers), CHUNK):
            numbers = permitted.numbers[at : at + CHUNK]
            for clear, personal, contacts in _chunk(run, numbers, cells):
                for person in contacts or ({},):
                    put(clear, personal, person)
                    rows += 1
            tell(len(numbers))
    return rows


Opened = tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]


def _chunk(run: Run, numbers: Sequence[int], cells: Cells) -> Iterator[Opened]:
    """Yield each customer of a chunk: clear values, sealed ones, contact persons; opened only where that is needed."""
    with engine.read(run.engine) as conn:
        rows, contacts = _read(conn, numbers, cells)
    keys = run.keys.fetch("customer", numbers) if cells.opens else {}
    sealer = Sealer(run.workspace.instance)
    for row in rows:
        number = row[0]
        clear = clear_of(CUSTOMER_CLEAR, row)
        if "attributes" in clear:
            clear |= orjson.loads(clear.pop("attributes"))
        personal, people = {}, []
        if cells.opens:
            key = keys.get(number) or run.keys.key("customer", number)
            personal = sealer.open_json(key, CUSTOMER_SEALED, row[-2])
            people = [sealer.open_json(key, CONTACT_SEALED, item[-2], item[1]) for item in contacts.get(number, [])]
        yield clear, personal, people


def _read(
    conn: Connection, numbers: Sequence[int], cells: Cells
) -> tuple[list[tuple[Any, ...]], dict[int, list[tuple[Any, ...]]]]:
    rows = sorted(facts.customers(conn, numbers).values())
    return rows, facts.contacts(conn, numbers) if cells.people else {}


def _settle(run: Run, wish: Wish, permitted: Permitted, to: Digesting, rows: int) -> int:
    """Commit what was written, before it gets its name: hash, copy, the spent request; return the copy's number."""
    assert run.run_id is not None
    key = sealed.key_of(run, run.run_id)
    digest = to.hexdigest()
    use = permitted.request.use_id if permitted.request else None
    with engine.write(run.engine) as conn:
        if permitted.request is not None:
            requests.spend(conn, run, permitted.request, permitted.approval)
        leaving = copies.Leaving(
            act=ACT, sha256=digest, size=to.size, rows=rows, fields=permitted.in_full, use_id=use,
            recipient=permitted.recipient.code, purpose=permitted.purpose.code, place=(key, wish.path),
        )  # fmt: skip
        copy = copies.register(conn, run, leaving)
        runs.finish(conn, run, "done", 0, {"customers": len(permitted.numbers), "rows": rows})
        told = {"recipient": permitted.recipient.code, "use": use, "approval": permitted.approval}
        body = run.entry(
            "done", at=clock.now(), obj=f"copy:{copy}", n=len(permitted.numbers), source=digest,
            purpose=permitted.purpose.code, **told,
        )  # fmt: skip
        entries.append(conn, body)
    return copy
