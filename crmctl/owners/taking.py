"""`owner take`: a person takes a customer without owner out of its pool, within the pool's limits (公海领取)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from crmctl import clock, staff
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.customers.ownership import OWNER, ownership
from crmctl.customers.tables import customer
from crmctl.errors import PermissionMissing, Refused
from crmctl.i18n import _
from crmctl.owners.applying import Applied, Move, apply
from crmctl.owners.bench import NO_CUSTOMER, Bench, bench, books, said
from crmctl.owners.poolrules import Placed, days, pool_of
from crmctl.runs import run as runs
from crmctl.runs.run import Run, access_of
from crmctl.security import permissions, serverrights
from crmctl.staff import Staff
from crmctl.store import engine

_READ = ("customer_id", "type", "org_unit", "tier", "owner_id", "status")


@dataclass(frozen=True)
class Taken:
    """What was taken: by whom, out of which pool, how many that person took that day, this one among them."""

    run_id: int | None
    customer_id: int
    taker: Staff
    pool: Placed
    today: int
    allowed: int | None


def take(run: Run, number: int, for_: str = "") -> Taken:
    """Make somebody the owner of a customer in a pool: oneself, or `for_` where one's scope is everybody.

    Raises Refused for a customer in no pool, a former owner who is still locked out, a full book, a day's takes used
    up, or somebody who may own nobody; ValueUndecided while a figure of the pool is unset.
    """
    serverrights.require_every_row(run, customer.name)
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        taker = _taker(run, people, for_)
        stored = _stored(conn, number)
        placed = None if stored is None else pool_of(run.policies, people.day, stored)
        if stored is None or placed is None or stored["status"] in NO_CUSTOMER:
            raise scope.refused(run, number) if _hidden(conn, run, number) else _in_no_pool(number)
        taken = _checked(conn, run, people, taker, placed, stored)
    if run.dry_run:
        return Taken(None, number, taker, placed, taken + 1, _allowed(run, placed))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        _apply(run, number, taker, placed, taken)
    return Taken(run.run_id, number, taker, placed, taken + 1, _allowed(run, placed))


def _apply(run: Run, number: int, taker: Staff, placed: Placed, taken: int) -> None:
    policy = placed.policy
    move = Move(
        number, None, taker.staff_id, "take", placed.rule, None, {"taken_today": taken}, policy.name, policy.version
    )
    applied = Applied()
    apply(run, [move], applied)
    if applied.missed:
        raise Refused(
            _("{customer}: somebody else was quicker").format(customer=f"C-{number:06d}"),
            hint=_("see: crmctl owner history {customer}").format(customer=f"C-{number:06d}"),
            code="TAKEN_MEANWHILE",
        )
    with engine.write(run.engine) as conn:
        runs.finish(conn, run, "done", 0, applied.counts())
        told = {"obj": f"customer:{number}", "counts": applied.counts()}
        entries.append(conn, run.entry("done", at=clock.now(), **told))


def _taker(run: Run, people: Bench, for_: str) -> Staff:
    """Return who takes: the person, or whom they take for. Raises PermissionMissing, or Refused for nobody."""
    if for_:
        if permissions.scope(run.actor, access_of(run.policies), run.act) != "all":
            raise PermissionMissing(
                _("only somebody whose scope is all takes for another"),
                hint=_("leave --for out"),
                code="TAKE_FOR_ANOTHER",
            )
        with engine.read(run.engine) as conn:
            return staff.find(conn, for_)
    own = [people.directory.by_id[each] for each in (run.standing.staff_ids if run.standing else ())]
    if len(own) == 1:
        return own[0]
    raise Refused(
        _("the staff register does not say who you are"),
        hint=_("add your account to the register (crmctl staff update --uids), or give --for STAFF"),
        code="NOT_ON_REGISTER",
    )


def _stored(conn: Connection, number: int) -> Mapping[str, Any] | None:
    query = select(*(customer.c[name] for name in _READ)).where(customer.c.customer_id == number)
    row = conn.execute(query).mappings().first()
    return None if row is None else dict(row)


def _hidden(conn: Connection, run: Run, number: int) -> bool:
    """Say whether the person may not know of a customer, or there is none."""
    return number not in scope.known(conn, run, (number,))


def _in_no_pool(number: int) -> Refused:
    return Refused(
        _("{customer}: lies in no pool").format(customer=f"C-{number:06d}"),
        hint=_("policies/owners.yaml says which customers may be taken"),
        code="NO_POOL",
    )


def _checked(conn: Connection, run: Run, people: Bench, taker: Staff, placed: Placed, stored: Mapping[str, Any]) -> int:
    """Return how many customers the taker has taken that day. Raises Refused for whatever speaks against one more."""
    number = int(stored["customer_id"])
    if stored["owner_id"] is not None:
        if _hidden(conn, run, number):
            raise scope.refused(run, number)
        raise Refused(
            _("{customer}: has an owner").format(customer=f"C-{number:06d}"),
            hint=_("see: crmctl owner history {customer}").format(customer=f"C-{number:06d}"),
            code="HAS_OWNER",
        )
    problems = people.problems(taker.staff_id)
    if problems:
        told = ", ".join(map(said, problems))
        raise Refused(
            _("{number}: may not own customers: {reasons}").format(number=taker.number, reasons=told), code=problems[0]
        )
    if placed.pool.own_unit_only and (stored["org_unit"] is None or taker.org_unit != stored["org_unit"]):
        raise Refused(_("this pool is for staff of the customer's own unit"), code="OTHER_UNIT")
    capacity = people.capacity(taker)
    if capacity is not None and books(conn, customer.c.owner_id == taker.staff_id).get(taker.staff_id, 0) >= capacity:
        raise Refused(
            _("{number}: looks after {capacity} customers already, and more there may not be").format(
                number=taker.number, capacity=capacity
            ),
            hint=_("see: crmctl owner workload"),
            code="CAPACITY_FULL",
        )
    _locked_out(conn, run, people.day, taker, placed, number)
    return _limited(conn, run, people.day, taker, placed)


def _locked_out(conn: Connection, run: Run, day: date, taker: Staff, placed: Placed, number: int) -> None:
    wait = days(run.policies, placed.pool.locked_out_for, f"{placed.rule}.locked_out_for")
    if wait is None:
        return
    columns = ownership.c
    query = select(func.max(columns.until_at)).where(
        columns.customer_id == number, columns.staff_id == taker.staff_id, columns.role == OWNER
    )
    ended: Any = conn.execute(query).scalar_one_or_none()
    if ended is None:
        return
    until = ended if isinstance(ended, datetime) else clock.parse_stamp(ended)
    free = until.astimezone(ZoneInfo(run.zone)).date() + timedelta(days=wait)
    if day < free:
        raise Refused(
            _("{number}: was the owner until lately and may take the customer again from {day} on").format(
                number=taker.number, day=free.isoformat()
            ),
            code="LOCKED_OUT",
        )


def _limited(conn: Connection, run: Run, day: date, taker: Staff, placed: Placed) -> int:
    columns = ownership.c
    begins = datetime.combine(day, time.min, ZoneInfo(run.zone))
    ends = datetime.combine(day + timedelta(days=1), time.min, ZoneInfo(run.zone))
    query = select(func.count()).where(
        columns.staff_id == taker.staff_id,
        columns.reason == "take",
        columns.since_at >= begins,
        columns.since_at < ends,
        columns.policy == placed.policy.name,
        columns.rule == placed.rule,
    )
    taken = int(conn.execute(query).scalar_one())
    allowed = _allowed(run, placed)
    if allowed is not None and taken >= allowed:
        raise Refused(
            _("{number}: has taken {taken} customers today, and {allowed} are allowed").format(
                number=taker.number, taken=taken, allowed=allowed
            ),
            hint=_("again tomorrow"),
            code="TAKE_LIMIT",
        )
    return taken


def _allowed(run: Run, placed: Placed) -> int | None:
    return days(run.policies, placed.pool.take_per_day, f"{placed.rule}.take_per_day")
