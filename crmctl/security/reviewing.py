"""`access review`: who was shown customers that somebody else owns, or nobody (ACC-07, USE-03).

Counted are looks, each customer once an entry: entries about one customer, and the customers that lists, finds and
exports committed to in table `look`. Owners are those of today.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from itertools import islice
from typing import Any

from sqlalchemy import Connection, or_, select

from crmctl.audit.tables import audit_entry, look
from crmctl.clock import stamp
from crmctl.runs.allowance import since_then

# A dotted name, resolved on use: foundations import no subject.
OWNERS = "crmctl.customers.scope:owners"
AT_ONCE = 5000
_CUSTOMER = "customer:"


@dataclass
class Seen:
    """What one person was shown: looks at customers of their own, of others, of nobody, gone since; entries by act."""

    own: int = 0
    others: int = 0
    unowned: int = 0
    gone: int = 0
    last: str = ""
    acts: Counter[str] = field(default_factory=Counter)


def review(conn: Connection, since: datetime, until: datetime, own: Mapping[str, Sequence[int]]) -> dict[str, Seen]:
    """Return what each person saw from a moment on until another (exclusive); `own` are people's staff ids."""
    module, _colon, name = OWNERS.partition(":")
    owners_of = getattr(import_module(module), name)
    found: dict[str, Seen] = {}
    looks = _looks(conn, since, stamp(until), found)
    while part := list(islice(looks, AT_ONCE)):
        owners = owners_of(conn, {customer for _person, customer in part})
        for person, customer in part:
            _count(found[person], owners, customer, own.get(person, ()))
    return found


def _count(seen: Seen, owners: Mapping[int, int | None], customer: int, own: Sequence[int]) -> None:
    if customer not in owners:
        seen.gone += 1
    elif owners[customer] is None:
        seen.unowned += 1
    elif owners[customer] in own:
        seen.own += 1
    else:
        seen.others += 1


def _looks(conn: Connection, since: datetime, until: str, found: dict[str, Seen]) -> Iterator[tuple[str, int]]:
    """Yield person and customer of every look, in flat memory; notes entries and times by person on the way."""
    body = audit_entry.c.body
    likely = or_(body.contains(f'"obj":"{_CUSTOMER}', autoescape=True), body.contains('"looks":', autoescape=True))
    for entry in since_then(conn, since, [likely]):
        person = entry.get("actor", {}).get("person")
        if not person or entry["ts"] >= until or entry.get("result") != "done" or not entry.get("n", 1):
            continue
        seen = found.setdefault(person, Seen())
        seen.last = max(seen.last, entry["ts"])
        seen.acts[str(entry.get("act"))] += 1
        for customer in _shown(conn, entry):
            yield person, customer


def _shown(conn: Connection, entry: Mapping[str, Any]) -> Iterator[int]:
    if entry.get("looks"):
        query = select(look.c.customer_id).where(look.c.run_id == entry.get("run"))
        yield from conn.execute(query.order_by(look.c.position)).scalars()
        return
    obj = str(entry.get("obj", ""))
    if obj.startswith(_CUSTOMER):
        yield int(obj[len(_CUSTOMER) :])
