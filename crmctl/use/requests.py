"""Requests to use customer information (使用申请): what for, how, who answers for it, which customers, which fields.

A request is bound to exactly its customers: the digest of their numbers is in its hash, and that hash is what somebody
else agrees to (USE-01). It is used once, by whoever asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from crmctl import clock
from crmctl.approvals import asking, using
from crmctl.approvals.decide import rule_for
from crmctl.audit import entries
from crmctl.errors import InvalidInput, PermissionMissing, PlanStale, Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.store import counters, engine
from crmctl.use import purposes, sealed
from crmctl.use.policy import Purpose, Recipient
from crmctl.use.tables import use_request

OPEN, USED = "open", "used"
OUTSIDE = ".outside"  # what an act is called where it goes to a third party: its own line under approvals
_PERSON = re.compile(r"\w[\w.@-]{0,63}")


@dataclass(frozen=True)
class Wish:
    """What is asked for. `selection` are filters in codes, `private` the rest of them, `digest` that of the numbers."""

    act: str
    purpose: Purpose
    manner: str
    responsible: str
    recipient: Recipient
    fields: tuple[str, ...]
    selection: Mapping[str, Any]
    private: Mapping[str, Any]
    rows: int
    digest: str
    necessity: str


@dataclass(frozen=True)
class Request:
    """A request as it stands."""

    use_id: int
    act: str
    person: str
    purpose: str
    manner: str
    responsible: str
    recipient: str
    fields: tuple[str, ...]
    selection: Mapping[str, Any]
    rows: int
    hash: str
    state: str
    approval_id: int | None
    run_id: int
    created_at: datetime
    updated_at: datetime
    sealed: bytes

    @property
    def digest(self) -> str:
        """The digest of the numbers of its customers."""
        return str(self.selection["digest"])


def number_digest(numbers: Iterable[int]) -> str:
    """Return the digest of customer numbers, ascending: exactly these customers."""
    digest = sha256(b"crmctl/v1/selection")
    for number in numbers:
        digest.update(number.to_bytes(8, "big"))
    return digest.hexdigest()


def act_for(act: str, recipient: Recipient) -> str:
    """Return the act that somebody has to agree to: one of its own where it goes to a third party (ACC-06)."""
    return act + OUTSIDE if recipient.outside else act


def needed(run: Run, act: str, recipient: Recipient, rows: int) -> bool:
    """Return whether an act on so many records needs an approved request.

    Raises PermissionMissing (RECIPIENT_OUTSIDE) for a third party when access.yaml names nobody who could agree.
    """
    rule = rule_for(access_of(run.policies), act_for(act, recipient), max(rows, 1))
    if recipient.outside and (rule is None or act_for(act, recipient) not in access_of(run.policies).approvals):
        raise purposes.outside(recipient)
    return rule is not None


def ask(run: Run, wish: Wish) -> Request:
    """Record a request and ask for its approval, in one transaction. `run` is begun."""
    assert run.run_id is not None
    number = counters.take(run.engine, "use", 1)
    key = sealed.key_of(run, run.run_id)
    told = {"why": wish.necessity, "private": dict(wish.private)}
    envelope, digest = sealed.seal(run, key, sealed.REQUEST, told, number)
    values: dict[str, Any] = {
        "act": wish.act,
        "person": run.actor.person,
        "purpose": wish.purpose.code,
        "manner": wish.manner,
        "responsible": wish.responsible,
        "recipient": wish.recipient.code,
        "fields": _dumps(wish.fields),
        "selection": _dumps({**wish.selection, "digest": wish.digest}),
        "rows": wish.rows,
    }
    values["hash"] = sha256(b"crmctl/v1/use\n" + _dumps(values).encode()).hexdigest()
    with engine.write(run.engine) as conn:
        at = clock.now()
        row = {"use_id": number, **values, "state": OPEN, "run_id": run.run_id, "created_at": at, "updated_at": at}
        conn.execute(insert(use_request).values(**row, sealed=envelope, sealed_hash=digest))
        act = act_for(wish.act, wish.recipient)
        approval = asking.ask(
            conn, run, act=act, subject=f"use:{number}", subject_hash=values["hash"], rows=max(wish.rows, 1)
        )
        conn.execute(update(use_request).where(use_request.c.use_id == number).values(approval_id=approval))
        runs.finish(conn, run, "done", 0, {"rows": wish.rows})
        body = run.entry(
            "done", at=at, use=number, approval=approval, n=wish.rows, fields=list(wish.fields),
            purpose=wish.purpose.code, recipient=wish.recipient.code,
        )  # fmt: skip
        entries.append(conn, body)
        return find(conn, number)


def find(conn: Connection, number: int) -> Request:
    """Return a request. Raises Refused when there is none of that number."""
    row = conn.execute(select(use_request).where(use_request.c.use_id == number)).mappings().first()
    if row is None:
        raise Refused(
            _("there is no use request {number}").format(number=number),
            hint=_("see: crmctl use list"),
            code="USE_UNKNOWN",
        )
    return _request(row)


def newest(conn: Connection, limit: int, before: int | None, person: str = "") -> list[Request]:
    """Return requests, newest first, those of one person where named; `before` pages on."""
    columns = use_request.c
    query = select(use_request).order_by(columns.use_id.desc()).limit(limit)
    if before is not None:
        query = query.where(columns.use_id < before)
    if person:
        query = query.where(columns.person == person)
    return [_request(row) for row in conn.execute(query).mappings()]


def _request(row: Mapping[Any, Any]) -> Request:
    values = {name: row[name] for name in Request.__dataclass_fields__}
    fields, selection = tuple(orjson.loads(row["fields"])), orjson.loads(row["selection"])
    return Request(**{**values, "fields": fields, "selection": selection})


def told(run: Run, request: Request) -> dict[str, Any]:
    """Return what is sealed of a request: `why`, and `private`, the filters that may name somebody."""
    key = sealed.key_of(run, request.run_id)
    found: dict[str, Any] = sealed.opened(run, key, sealed.REQUEST, request.sealed, request.use_id)
    return found


def of_own(conn: Connection, run: Run, number: int, act: str) -> Request:
    """Return a request that this person may act under. Raises Refused, PermissionMissing for somebody else's."""
    request = find(conn, number)
    if request.act != act:
        raise Refused(_("use request {number}: is for {act}").format(number=number, act=request.act), code="USE_OTHER")
    if request.person != run.actor.person:
        raise PermissionMissing(
            _("use request {number}: was made by somebody else").format(number=number),
            hint=_("ask for your own: crmctl use request"),
            code="USE_NOT_YOURS",
        )
    if request.state != OPEN:
        raise PlanStale(
            _("use request {number}: is used already").format(number=number),
            hint=_("ask again: crmctl use request"),
            code="USE_SPENT",
        )
    return request


def require(conn: Connection, run: Run, request: Request, recipient: Recipient, digest: str, rows: int) -> int | None:
    """Return the approval of a request whose customers are still exactly those it was made for.

    Raises PlanStale (USE_DRIFTED) where they are others now, and as `approvals.using.require` does.
    """
    if digest != request.digest:
        raise PlanStale(
            _("use request {number}: was for {then} customers, and the same filters now find others ({now})").format(
                number=request.use_id, then=request.rows, now=rows
            ),
            hint=_("ask again: crmctl use request"),
            code="USE_DRIFTED",
        )
    act = act_for(request.act, recipient)
    return using.require(
        conn, run, act=act, subject=f"use:{request.use_id}", subject_hash=request.hash, rows=max(request.rows, 1)
    )


def spend(conn: Connection, run: Run, request: Request, approval: int | None) -> None:
    """Mark a request and its approval used, in the caller's transaction. Raises PlanStale for the second of two."""
    if approval is not None:
        using.spend(conn, run, approval)
    same = (use_request.c.use_id == request.use_id, use_request.c.state == OPEN)
    if conn.execute(update(use_request).where(*same).values(state=USED, updated_at=clock.now())).rowcount != 1:
        raise PlanStale(
            _("use request {number}: is used already").format(number=request.use_id),
            hint=_("ask again: crmctl use request"),
            code="USE_SPENT",
        )


def person_or_number(text: str, flag: str = "--responsible") -> str:
    """Return who answers for a use, as given: a staff number or a name of access.yaml. Raises InvalidInput."""
    if not _PERSON.fullmatch(text):
        raise InvalidInput(
            _("{flag}: a staff number or a name of access.yaml is wanted").format(flag=flag),
            code=f"{flag.lstrip('-').upper()}_INVALID",
        )
    return text


def missing(act: str, rows: int) -> PermissionMissing:
    """Return the refusal of what needs an approved request and has none."""
    return PermissionMissing(
        _("{act} of {rows} records needs an approved use request").format(act=act, rows=rows),
        hint=_("ask first: crmctl use request …, then crmctl customer export --use N"),
        code="APPROVAL_MISSING",
    )


def _dumps(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
