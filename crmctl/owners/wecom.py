"""The WeCom transfer file of a handover, as its interface takes it: groups of at most 100, and its limit of transfers.

A customer of somebody in post can be transferred twice in 90 days; of somebody who has left there is an interface of
its own, without that limit. Whoever cannot be in the file is listed with the reason.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from crmctl import clock
from crmctl.customers import disclosing, facts
from crmctl.customers.merge import CONTACT_SEALED, CUSTOMER_SEALED
from crmctl.errors import PermissionMissing, Refused
from crmctl.i18n import N_, _
from crmctl.owners.bench import Bench
from crmctl.owners.handovers import Handover, Item
from crmctl.owners.tables import handover_item
from crmctl.runs.run import Run
from crmctl.security.sealing import Sealer
from crmctl.store import bulk, engine
from crmctl.use import purposes

FIELD = "external_userid"
A_CALL = 100  # external_userid in one call
TRANSFERS, DAYS = 2, 90  # of one customer, while its owner is in post
IN_POST, RESIGNED = "externalcontact/transfer_customer", "externalcontact/resigned/transfer_customer"
NO_ACCOUNT, NO_TAKER, NO_ID, LIMIT, ALREADY, RETURNED = (
    "GIVER_WITHOUT_WECOM", "TAKER_WITHOUT_WECOM", "CUSTOMER_WITHOUT_WECOM", "TRANSFER_LIMIT", "IN_A_FILE", "GIVEN_BACK",
)  # fmt: skip
WHY = {
    NO_ACCOUNT: N_("whoever hands over has no WeCom account on the register"),
    NO_TAKER: N_("whoever takes over has no WeCom account on the register"),
    NO_ID: N_("no external_userid is recorded"),
    LIMIT: N_("was transferred twice in 90 days"),
    ALREADY: N_("is in a transfer file already"),
    RETURNED: N_("was given back"),
}
_CHUNK = 2000


@dataclass(frozen=True)
class Call:
    """One call of the interface: who hands over, who takes over, the customers' external_userid, at most 100."""

    handover_userid: str
    takeover_userid: str
    external_userid: tuple[str, ...]


@dataclass(frozen=True)
class Transfer:
    """What goes into the file: the customers and by which interface; the others with the code of WHY."""

    interface: str
    customers: tuple[Item, ...]
    others: tuple[tuple[int, str], ...]


def permit(run: Run, text: str) -> str:
    """Return the code of a purpose for which external_userid may leave in full. Raises PermissionMissing (logged)."""
    with purposes.denials_logged(run, run.act, fields=[FIELD]):
        purpose = purposes.purpose(run.policies, text)
        (asked,) = disclosing.asked(run, (FIELD,), purpose)
        if asked.how != "full":
            raise PermissionMissing(
                _("{person} may not export {field} in full for purpose {purpose}").format(
                    person=run.actor.person, field=FIELD, purpose=purpose.code
                ),
                hint=_("policies/access.yaml says who may export personal fields"),
                code="FIELD_NOT_EXPORTED",
            )
    return purpose.code


def transfer(run: Run, found: Handover, items: Sequence[Item], people: Bench, *, again: bool = False) -> Transfer:
    """Return who goes into the file and who does not. `again`: also those who are in an earlier one."""
    giver = people.directory.by_id.get(found.from_id)
    in_post = giver is not None and giver.active_on(people.day)
    with engine.read(run.engine) as conn:
        before = _transfers(conn, run, found.handover_id, items, people) if in_post else {}
        known = _holders(conn, run, [item.customer_id for item in items])
    there: list[Item] = []
    others: list[tuple[int, str]] = []
    for item in items:
        taker = people.directory.by_id.get(item.to_id)
        why = ""
        if item.state == "returned":
            why = RETURNED
        elif giver is None or not giver.wecom_id:
            why = NO_ACCOUNT
        elif taker is None or not taker.wecom_id:
            why = NO_TAKER
        elif item.wecom_at is not None and not again:
            why = ALREADY
        elif before.get(item.customer_id, 0) >= TRANSFERS:
            why = LIMIT
        elif item.customer_id not in known:
            why = NO_ID
        if why:
            others.append((item.customer_id, why))
        else:
            there.append(item)
    return Transfer(IN_POST if in_post else RESIGNED, tuple(there), tuple(others))


def require_some(found: Handover, chosen: Transfer) -> None:
    """Raise Refused where nobody can be in the file: an empty one would be a copy to destroy, and no use."""
    if chosen.customers:
        return
    why = Counter(code for _number, code in chosen.others)
    told = "; ".join(f"{_(WHY[code])} ({number})" for code, number in why.most_common())
    account = _("WeCom accounts of staff: crmctl staff update STAFF --wecom-id ACCOUNT")
    looked = _("see: crmctl owner handover show {number}").format(number=found.handover_id)
    raise Refused(
        _("handover {number}: nobody can be transferred: {reasons}").format(number=found.handover_id, reasons=told),
        hint=account if why.keys() & {NO_ACCOUNT, NO_TAKER} else looked,
        code="NOTHING_TO_TRANSFER",
        details={"others": [{"customer": number, "code": code} for number, code in chosen.others]},
    )


def _transfers(conn: Connection, run: Run, own: int, items: Sequence[Item], people: Bench) -> Mapping[int, int]:
    """Return how often each customer was in a file of another handover in 90 days, of who was in post then."""
    wanted = [item.customer_id for item in items]
    since = run.as_of - timedelta(days=DAYS)
    found: dict[int, int] = {}
    read = ("customer_id", "handover_id", "from_id", "wecom_at")
    for number, handed, giver, moment in bulk.fetch_by_keys(conn, handover_item, "customer_id", wanted, read):
        if moment is None or handed == own:
            continue
        at = moment if isinstance(moment, datetime) else clock.parse_stamp(moment)
        person = people.directory.by_id.get(giver)
        day = at.astimezone(ZoneInfo(run.zone)).date()
        if at > since and person is not None and person.active_on(day):
            found[number] = found.get(number, 0) + 1
    return found


def _holders(conn: Connection, run: Run, numbers: Sequence[int]) -> set[int]:
    return {number for number, _ids in _ids(conn, run, numbers)}


def _ids(conn: Connection, run: Run, numbers: Sequence[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the external_userid of each customer that has any: its own, then those of its contact persons."""
    sealer = Sealer(run.workspace.instance)
    for at in range(0, len(numbers), _CHUNK):
        chunk = numbers[at : at + _CHUNK]
        keys = run.keys.fetch("customer", chunk)
        contacts = facts.contacts(conn, chunk)
        for number, row in sorted(facts.customers(conn, chunk).items()):
            key = keys.get(number) or run.keys.key("customer", number)
            opened: list[dict[str, Any]] = [sealer.open_json(key, CUSTOMER_SEALED, row[-2])]  # type: ignore[arg-type]
            opened += [sealer.open_json(key, CONTACT_SEALED, each[-2], each[1]) for each in contacts.get(number, [])]  # type: ignore[arg-type]
            ids = tuple(dict.fromkeys(str(each[FIELD]) for each in opened if each.get(FIELD)))
            if ids:
                yield number, ids


def calls(run: Run, found: Transfer, people: Bench, giver: int) -> list[Call]:
    """Return the calls to make, by who takes over: opens what is sealed, so only once that is in the log."""
    takers = {item.customer_id: item.to_id for item in found.customers}
    with engine.read(run.engine) as conn:
        ids = dict(_ids(conn, run, sorted(takers)))
    by_taker: dict[int, list[str]] = {}
    for number, taker in sorted(takers.items()):
        by_taker.setdefault(taker, []).extend(ids.get(number, ()))
    gives = people.directory.by_id[giver].wecom_id or ""
    return [
        Call(gives, people.directory.by_id[taker].wecom_id or "", tuple(group[at : at + A_CALL]))
        for taker, group in sorted(by_taker.items())
        for at in range(0, len(group), A_CALL)
    ]


def json_bytes(interface: str, made: Sequence[Call]) -> bytes:
    """Return the file for a program: the interface, and the body of each call."""
    bodies = [
        {
            "handover_userid": call.handover_userid,
            "takeover_userid": call.takeover_userid,
            "external_userid": list(call.external_userid),
        }
        for call in made
    ]
    return (json.dumps({"interface": interface, "calls": bodies}, indent=1) + "\n").encode("ascii")


def csv_bytes(interface: str, made: Sequence[Call]) -> bytes:
    """Return the file as rows: number of the call, interface, and one external_userid each."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\r\n")
    lines.writerow(["call", "interface", "handover_userid", "takeover_userid", FIELD])
    for place, call in enumerate(made, start=1):
        for each in call.external_userid:
            lines.writerow([place, interface, call.handover_userid, call.takeover_userid, each])
    return text.getvalue().encode("utf-8")


def mark(conn: Connection, found: Handover, items: Sequence[Item]) -> None:
    """Note in the caller's transaction that these customers are in a file now."""
    at = clock.stamp(clock.now())
    rows = [(item.customer_id, found.handover_id, at) for item in items]
    bulk.update_rows(conn, handover_item, ("customer_id", "handover_id"), ("wecom_at",), rows)
