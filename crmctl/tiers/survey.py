"""What a re-grade would do: every move counted in one pass, the first ones kept (TIER-03).

The pass is the plan of the run: its counts are what limits are checked against, what a dry run shows and what the
summary of the run says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import Ruling, in_force
from crmctl.tiers import moves
from crmctl.tiers.grading import grading, unset
from crmctl.tiers.moves import CHANGE, CLEAR, UNDECIDED, WAIT, Part, Scoped
from crmctl.tiers.policy import TiersSettings

KEPT = 50_000  # moves held in memory; a run with more reads them again, range by range
_AT_ONCE = 5_000
Row = tuple[Any, ...]
_action, _from_to = itemgetter(1), itemgetter(2, 3)


class Move(NamedTuple):
    """One customer for whom something is to be done; `values` are the figures compared, in smallest units."""

    customer_id: int
    action: str
    before: str | None
    after: str | None
    rank: int | None  # of the rule that holds
    held: str | None  # kind of the override that made it
    since_on: str | None  # first day of a wait that there is
    values: tuple[Any, ...]


@dataclass
class Tally:
    """What one policy does: moves by action, tier changes by from and to, and the first moves themselves.

    `kept` is None when there were more than fit.
    """

    scoped: Scoped
    graded: int = 0
    exempt: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    matrix: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    kept: list[Move] | None = field(default_factory=list)
    counted: bool = True  # False: its moves are counted only as they are read to be applied

    def take(self, rows: Sequence[Row]) -> None:
        """Count moves, given as rows, and keep them while there is room."""
        self.actions.update(map(_action, rows))
        self.matrix.update([_from_to(row) for row in rows if row[1] == CHANGE])
        if self.kept is not None:
            self.kept += map(move_of, rows)
            if len(self.kept) > KEPT:
                self.kept = None

    @property
    def existing(self) -> int:
        """Changes of customers that had a tier already: first decisions are no accident (design §4)."""
        return sum(number for (before, _after), number in self.matrix.items() if before is not None)


@dataclass(frozen=True)
class Basis:
    """What a run grades by: policies in force on the day, most specific first, ready to use."""

    policies: PolicySet
    scoped: tuple[Scoped, ...]
    at: datetime  # in the company's zone
    part: Part

    @cached_property
    def conditions(self) -> list[Any]:
        """For each policy the SQL conditions of whom it grades and whom it excepts."""
        return moves.scope_conditions(self.policies, self.scoped, self.at)

    def moves(self, conn: Connection, position: int, part: Part, *, ordered: bool = False) -> Iterator[Move]:
        """Yield the moves of one policy for a part of the customers in flat memory; `ordered`: by customer number."""
        for rows in self.pages(conn, position, part, ordered=ordered):
            yield from map(move_of, rows)

    def pages(self, conn: Connection, position: int, part: Part, *, ordered: bool = False) -> Iterator[list[Row]]:
        """Yield the same as rows, some thousands at a time."""
        query = moves.moves(self.scoped[position], self.conditions[position][0], self.at, part)
        if ordered:
            query = query.order_by(query.selected_columns.customer_id)
        # Of the statement: an option of the connection would last, and turn every later statement into a cursor.
        for rows in conn.execute(query, execution_options={"yield_per": _AT_ONCE}).partitions():
            yield [*map(tuple, rows)]  # a Row takes ten times as long to take apart


def move_of(row: Row) -> Move:
    """Return a row of `moves.moves` as a move."""
    return Move._make((*row[:7], row[7:]))


def basis(policies: PolicySet, at: datetime, decimals: int, part: Part) -> Basis:
    """Return what to grade by. Raises ValueUndecided naming all that is unset, InvalidInput with nothing in force."""
    rulings = in_force(policies, "tiers", at.date())
    if not rulings:
        raise InvalidInput(
            _("no tiers policy is in force on {day}").format(day=at.date().isoformat()),
            hint=_("see: crmctl policy list"),
            code="POLICY_MISSING",
        )
    names = [name for ruling in rulings for name in unset(policies, _settings(ruling))]
    if names:
        raise policies.waiting(tuple(dict.fromkeys(names)))
    scoped = tuple(Scoped(ruling, grading(policies, ruling.policy, decimals)) for ruling in rulings)
    return Basis(policies, scoped, at, part)


def _settings(ruling: Ruling) -> TiersSettings:
    settings = ruling.policy.settings
    assert isinstance(settings, TiersSettings)
    return settings


def survey(conn: Connection, base: Basis, *, count: bool = True) -> list[Tally]:
    """Return what every policy would do, from one look at all its customers.

    Where nothing limits the run, its moves need not be counted before they are applied (`count` False).
    """
    tallies = []
    for position, scoped in enumerate(base.scoped):
        tally = Tally(scoped, counted=count or scoped.ruling.report)
        fits, excepted = base.conditions[position]
        here = base.part.holds(customer.c.customer_id)
        tally.graded = _count(conn, fits, here)
        tally.exempt = _count(conn, excepted, here) if scoped.ruling.exempt else 0
        for rows in base.pages(conn, position, base.part) if tally.counted else ():
            tally.take(rows)
        tallies.append(tally)
    return tallies


def _count(conn: Connection, *conditions: Any) -> int:
    return int(conn.execute(select(func.count()).select_from(customer).where(*conditions)).scalar_one())


def totals(tallies: Sequence[Tally]) -> dict[str, int]:
    """Return the counts of a summary; what policies in report mode would do is counted apart."""
    acting = [tally for tally in tallies if not tally.scoped.ruling.report]
    changed = sum(tally.actions[CHANGE] for tally in acting)
    undecided = sum(tally.actions[UNDECIDED] for tally in acting)
    graded = sum(tally.graded for tally in acting)
    return {
        "graded": graded,
        "changed": changed,
        "unchanged": graded - changed - undecided,
        "undecided": undecided,
        "waiting": sum(tally.actions[WAIT] for tally in acting),
        "recovered": sum(tally.actions[CLEAR] for tally in acting),
        "exempt": sum(tally.exempt for tally in tallies),
        "reported": sum(tally.actions[CHANGE] for tally in tallies if tally.scoped.ruling.report),
    }


def matrix(tallies: Sequence[Tally], *, report: bool = False) -> dict[str, dict[str, int]]:
    """Return how many customers move from which tier to which; "none" is no tier."""
    found: dict[str, dict[str, int]] = {}
    for tally in tallies:
        if tally.scoped.ruling.report is report:
            for (before, after), number in tally.matrix.items():
                row = found.setdefault(before or "none", {})
                row[after or "none"] = row.get(after or "none", 0) + number
    return {before: dict(sorted(row.items())) for before, row in sorted(found.items())}
