"""`paper add` and `paper move`: an item enters the register, or lies elsewhere from now on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, update

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.paper import records, texts
from crmctl.paper.records import Item
from crmctl.paper.tables import paper_customer, paper_item
from crmctl.paper.texts import Texts
from crmctl.runs import run as runs
from crmctl.runs import staying
from crmctl.runs.run import Run
from crmctl.store import bulk, counters, engine


@dataclass(frozen=True)
class Wish:
    """What is to be registered: a kind of the use policy, whom it is about (each once), who keeps it and where."""

    customers: Sequence[int]
    kind: str
    keeper: str
    texts: Texts


def add(run: Run, wish: Wish) -> tuple[Run, Item]:
    """Register an item, within a run of its own; return both.

    Raises Refused for a customer there is not, or whose destruction has begun: destroy the paper instead.
    """
    scope.require(run, wish.customers)
    run = runs.begin(run)
    assert run.run_id is not None
    with runs.recorded_failure(run):
        number = counters.take(run.engine, "paper", 1)
        envelope, digest = texts.seal(run, texts.key_of(run, run.run_id), wish.texts, number)
        with engine.write(run.engine) as conn:
            staying.keep_destruction_out(conn)
            staying.require_staying(conn, wish.customers)
            scope.require_there(conn, wish.customers)
            at = clock.now()
            values = {"item_id": number, "kind": wish.kind, "keeper": wish.keeper, "person": run.actor.person}
            values |= {"registered_at": at, "run_id": run.run_id, "sealed": envelope, "sealed_hash": digest}
            conn.execute(insert(paper_item).values(**values))
            bulk.insert_rows(
                conn, paper_customer, ("customer_id", "item_id"), [(each, number) for each in wish.customers]
            )
            runs.finish(conn, run, "done", 0, {"paper": 1})
            body = run.entry("done", at=at, obj=f"paper:{number}", about=wish.keeper, n=len(wish.customers))
            entries.append(conn, body)
            return run, records.find(conn, number)


def move(run: Run, number: int, keeper: str, place: str) -> tuple[Run, Item]:
    """Note that an item has another keeper, or lies elsewhere; what is empty stays. Raises Refused for one gone."""
    with engine.read(run.engine) as conn:
        _require_kept(records.find(conn, number))
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        found = records.find(conn, number, locked=True)
        told = texts.opened(run, found.run_id, found.sealed, number)
        _require_kept(found)
        values = {"keeper": keeper or found.keeper, "moved_at": clock.now()}
        if place:
            key = texts.key_of(run, found.run_id)
            there = Texts(place, told.note if told else "")
            values["sealed"], values["sealed_hash"] = texts.seal(run, key, there, number)
        conn.execute(update(paper_item).where(paper_item.c.item_id == number).values(**values))
        runs.finish(conn, run, "done", 0, {"paper": 1})
        fields = [name for name, given in (("keeper", keeper), ("place", place)) if given]
        body = run.entry("done", at=clock.now(), obj=f"paper:{number}", about=values["keeper"], fields=fields)
        entries.append(conn, body)
        return run, records.find(conn, number)


def _require_kept(item: Item) -> None:
    """Raise Refused for an item that is destroyed."""
    if item.gone_at is not None:
        raise gone(item.item_id)


def gone(number: int) -> Refused:
    """Return the refusal of what is done to an item that is destroyed."""
    return Refused(
        _("paper item {item}: is destroyed already").format(item=number),
        hint=_("see: crmctl paper show {item}").format(item=number),
        code="PAPER_DESTROYED",
    )
