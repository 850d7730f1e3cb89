"""`paper destroyed`: somebody says that an item, or what in it is about the destroyed, was destroyed, and how (DES-03).

Said once. An item that is about others too is destroyed whole, or made unreadable where it is about the destroyed: then
it stays in the register until nobody is left whom it is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, update

from crmctl import clock, holds
from crmctl.audit import entries
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.paper import records, texts
from crmctl.paper.records import Item, Link
from crmctl.paper.registering import gone
from crmctl.paper.tables import paper_customer, paper_item
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, engine
from crmctl.use.policy import PaperMethod


@dataclass(frozen=True)
class Said:
    """How an item was destroyed, who saw it ("" for nobody else), on which day; None is today.

    `held`: also where a hold keeps it.
    """

    method: PaperMethod
    witness: str = ""
    day: date | None = None
    held: bool = False


@dataclass(frozen=True)
class Confirmed:
    """An item after somebody said so; `living` are customers it was about who were not to be destroyed."""

    run_id: int | None
    item: Item
    living: Sequence[int]


def confirm(run: Run, number: int, said: Said) -> Confirmed:
    """Note that an item was destroyed, within a run of its own.

    Raises Refused for one that was already, and for one to be made unreadable in part of which nothing is due;
    InvalidInput for a day to come, or before it was registered; Refused for one that is about customers under a hold.
    """
    with engine.read(run.engine) as conn:
        found = records.find(conn, number)
    day = _day(run, found, said)
    _settled(found, said)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        holds.keep_others_out(conn)
        found = records.find(conn, number, locked=True)
        links = _settled(found, said)
        living = [link.customer_id for link in links if link.due_on is None]
        held = _held(conn, living, said)
        whole = len(links) == sum(link.disposed_at is None for link in found.links)
        _write(conn, run, found, links, {"disposed_on": day.isoformat(), "method": said.method.code,
                                         "witness": said.witness or None})  # fmt: skip
        at = clock.now()
        if whole:
            values = {"gone_at": at, "sealed": None, "sealed_hash": None}
            conn.execute(update(paper_item).where(paper_item.c.item_id == number).values(**values))
        runs.finish(conn, run, "done", 0, {"paper": 1})
        plans = Counter(f"plan.{link.plan_id}" for link in links if link.plan_id is not None)
        body = run.entry(
            "done", at=at, obj=f"paper:{number}", about=said.witness, n=len(links), counts=dict(plans),
            codes=[said.method.code.upper(), *([] if whole else ["IN_PART"]), *(["HELD"] if held else [])],
        )  # fmt: skip
        entries.append(conn, body)
        if whole:
            texts.forget(run, found.run_id, number)
        return Confirmed(run.run_id, records.find(conn, number), living)


def _settled(item: Item, said: Said) -> list[Link]:
    """Return what of an item is destroyed now. Raises Refused where that is nothing."""
    if item.gone_at is not None:
        raise gone(item.item_id)
    if not said.method.in_part:
        return [link for link in item.links if link.disposed_at is None]
    due = [link for link in item.links if link.due]
    if not due:
        raise Refused(
            _("paper item {item}: nobody whom it is about was destroyed, so nothing of it is due").format(
                item=item.item_id
            ),
            hint=_("destroyed whole, it is said with another --method"),
            code="PAPER_NOT_DUE",
        )
    return due


def _day(run: Run, item: Item, said: Said) -> date:
    """Return the day on which an item was destroyed. Raises InvalidInput for a day that cannot be."""
    today = runs.today(run.policies, run.at)
    day = said.day or today
    if not runs.today(run.policies, item.registered_at) <= day <= today:
        raise InvalidInput(
            _("--on {day}: is to come, or before the item was registered").format(day=day),
            hint=_("name the day on which it was destroyed"),
            code="DAY_INVALID",
        )
    return day


def _held(conn: Connection, customers: Sequence[int], said: Said) -> bool:
    """Return whether a hold, or an open case, keeps one of these customers (DES-07).

    Raises Refused where one does and the person does not say that it happened all the same.
    """
    everybody = holds.everybody(conn) if customers else None
    reasons = [everybody] if everybody else []
    for codes in holds.kept(conn, customers, clock.now()).values():
        reasons += codes
    if reasons and not said.held:
        raise Refused(
            _("customers whom it is about must not be destroyed for now: {reasons}").format(
                reasons=", ".join(map(holds.label, dict.fromkeys(reasons)))
            ),
            hint=_("see: crmctl hold list --customer NUMBER; if it happened all the same, say so with --held"),
            code="PAPER_HELD",
        )
    return bool(reasons)


def _write(conn: Connection, run: Run, item: Item, links: Sequence[Link], values: dict[str, str | None]) -> None:
    of = paper_customer.c
    these = bulk.among(conn, of.customer_id, [link.customer_id for link in links])
    said = {"disposed_at": clock.now(), "disposed_by": run.actor.person, **values}
    conn.execute(update(paper_customer).where(of.item_id == item.item_id, these).values(**said))
