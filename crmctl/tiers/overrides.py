"""A person's word above the rules: a tier pinned, a floor or a ceiling, with its reason and its last day (TIER-04).

One override a customer at a time: a new one lifts the one before. The reason is sealed under the customer's key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, or_, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.changes import CHANGE_COLUMNS, After, Before, Changes, clear_hash, clear_json, fields_json
from crmctl.audit.tables import change
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place, Sealer, pad
from crmctl.store import bulk, counters, engine
from crmctl.tiers.decide import Kind
from crmctl.tiers.protected import OVERRIDE, OVERRIDE_CLEAR
from crmctl.tiers.records import override_in_force
from crmctl.tiers.tables import tier_override

SEALED = Place("tier_override", "sealed")
_ROW = (*OVERRIDE_CLEAR, "sealed", "sealed_hash")
_LIFTED = fields_json(frozenset({"lifted_on"}))


@dataclass(frozen=True)
class Override:
    """An override as it stands."""

    customer_id: int
    override_id: int
    kind: Kind
    tier: str
    until_on: str | None
    person: str
    sealed: bytes


@dataclass(frozen=True)
class Wish:
    """What is asked for: an override of this kind, or (`kind` None) that the one in force is lifted."""

    customer_id: int
    kind: Kind | None
    tier: str = ""
    reason: str = ""
    until: date | None = None


def in_force(conn: Connection, number: int, at: datetime) -> Override | None:
    """Return the override of a customer that is in force on the day of `at`, a time in the company's zone."""
    query = select(tier_override).where(tier_override.c.customer_id == number, override_in_force(at))
    row = conn.execute(query).mappings().first()
    return None if row is None else Override(**{name: row[name] for name in Override.__dataclass_fields__})


def reason_of(run: Run, override: Override) -> str:
    """Return the reason of an override, opened."""
    key = run.keys.key("customer", override.customer_id)
    opened = Sealer(run.workspace.instance).open_json(key, SEALED, override.sealed, override.override_id)
    return str(opened["reason"])


def listed(conn: Connection, day: date, limit: int, after: int = 0) -> list[Override]:
    """Return overrides in force on a day, by customer number, from after one on."""
    columns = tier_override.c
    query = (
        select(tier_override)
        .where(
            columns.customer_id > after,
            or_(columns.lifted_on.is_(None), columns.lifted_on > day.isoformat()),
            or_(columns.until_on.is_(None), columns.until_on >= day.isoformat()),
        )
        .order_by(columns.customer_id)
        .limit(limit)
    )
    rows = conn.execute(query).mappings()
    return [Override(**{name: row[name] for name in Override.__dataclass_fields__}) for row in rows]


def put(run: Run, wish: Wish, look: Callable[[Connection], object]) -> None:
    """Set or lift an override in one transaction; what `look` raises once it is set undoes it.

    Raises Refused when there is nothing to lift.
    """
    day = runs.today(run.policies, run.at)
    key = run.keys.key("customer", wish.customer_id)
    with engine.write(run.engine) as conn:
        before = _stored(conn, wish.customer_id, run.at.astimezone(ZoneInfo(run.zone)))
        if before is None and wish.kind is None:
            raise Refused(
                _("C-{number:06d} has no override to lift").format(number=wish.customer_id),
                hint=_("see: crmctl tier overrides"),
                code="NO_OVERRIDE",
            )
        number = (before is not None) + (wish.kind is not None)
        changes = Changes(run.run_id or 0, 0, counters.take(conn, "change", number))
        if before is not None:
            _lift(conn, run, before, day, changes)
        if wish.kind is not None:
            _set(conn, run, wish, key, changes)
        look(conn)
        bulk.insert_rows(conn, change, CHANGE_COLUMNS, changes.take())
        summary = changes.summary()
        body = run.entry(
            "done",
            at=clock.now(),
            chunk=0,
            obj=f"customer:{wish.customer_id}",
            fields=["tier_override"],
            changes=summary.changes,
            changes_root=summary.root,
        )
        entries.append(conn, body)


def _stored(conn: Connection, number: int, at: datetime) -> dict[str, Any] | None:
    found = in_force(conn, number, at)
    if found is None:
        return None
    rows = bulk.fetch_by_keys(conn, tier_override, "customer_id", [number], _ROW)
    row = next(row for row in rows if row[1] == found.override_id)
    return dict(zip(_ROW, row, strict=True))


def _lift(conn: Connection, run: Run, row: dict[str, Any], day: date, changes: Changes) -> None:
    before = {name: row[name] for name in OVERRIDE_CLEAR if row[name] is not None}
    at = clock.stamp(clock.now())
    after = {**before, "lifted_on": day.isoformat(), "updated_at": at, "version": before["version"] + 1}
    told = clear_json(before)
    sealed = row["sealed_hash"]
    of = (row["customer_id"], OVERRIDE.code, row["override_id"])
    changes.update(
        of,
        after["version"],
        _LIFTED,
        Before(told.decode(), None, sha256(told).digest(), sealed),
        After(clear_hash(after), sealed),
    )
    values = (row["customer_id"], row["override_id"], after["lifted_on"], at, after["version"])
    keys = ("customer_id", "override_id")
    bulk.update_rows(conn, tier_override, keys, ("lifted_on", "updated_at", "version"), [values])


def _set(conn: Connection, run: Run, wish: Wish, key: DataKey, changes: Changes) -> None:
    number = counters.take(conn, "override", 1)
    at = clock.stamp(clock.now())
    told = pad(orjson.dumps({"reason": wish.reason}))
    sealed = Sealer(run.workspace.instance).seal(key, SEALED, told, object_id=number)
    until = None if wish.until is None else wish.until.isoformat()
    clear = dict(
        zip(
            OVERRIDE_CLEAR,
            (wish.customer_id, number, wish.kind, wish.tier, until, run.actor.person, None, at, at, 1),
            strict=True,
        )
    )
    digest = sha256(sealed).digest()
    of = (wish.customer_id, OVERRIDE.code, number)
    changes.create(of, fields_json(frozenset()), After(clear_hash(clear), digest))
    bulk.insert_rows(conn, tier_override, _ROW, [(*clear.values(), sealed, digest)])
