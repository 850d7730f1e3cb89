"""`hold list`, `hold show`: what holds there are, and whom they keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from crmctl.customers import scope
from crmctl.holds import facts, keeping
from crmctl.holds.model import Hold
from crmctl.runs.run import Run
from crmctl.store import engine


@dataclass(frozen=True)
class Asked:
    """Which holds are wanted: of a kind, of a customer, lifted ones too; at most `limit`, before a number."""

    kind: str = ""
    customer: int | None = None
    all_: bool = False
    limit: int = 50
    before: int | None = None


@dataclass(frozen=True)
class Found:
    """Holds with the number of customers under each; `kept` are the reasons that keep the one customer asked for."""

    holds: list[Hold]
    sizes: Mapping[int, int]
    kept: tuple[str, ...]
    next: int | None


@dataclass(frozen=True)
class One:
    """One hold: how many customers are under it, and the first of them that the person may know of."""

    hold: Hold
    size: int
    first: list[int]


def find(run: Run, asked: Asked) -> Found:
    """Return the holds asked for. Raises Refused for a customer there is not, or not for this person."""
    if asked.customer is not None:
        scope.require(run, (asked.customer,))
    with engine.read(run.engine) as conn:
        holds = facts.newest(
            conn, asked.limit + 1, asked.before, kind=asked.kind, customer=asked.customer, all_=asked.all_
        )
        shown = holds[: asked.limit]
        sizes = facts.sizes(conn, [hold.hold_id for hold in shown])
        kept: tuple[str, ...] = ()
        if asked.customer is not None:
            kept = keeping.kept(conn, (asked.customer,), run.at).get(asked.customer, ())
            every = keeping.everybody(conn)
            if every is not None and every not in kept:
                kept = (every, *kept)
    return Found(shown, sizes, kept, shown[-1].hold_id if len(holds) > asked.limit else None)


def one(run: Run, number: int, first: int) -> One:
    """Return a hold with its first customers. Raises Refused for one there is not."""
    with engine.read(run.engine) as conn:
        hold = facts.find(conn, number)
        size = facts.sizes(conn, (number,)).get(number, 0)
        shown = facts.page(conn, number, 0, first)
        known = scope.known(conn, run, shown) if shown else set()
    return One(hold, size, [customer for customer in shown if customer in known])
