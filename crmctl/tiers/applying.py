"""Moves → tiers: one chunk, one transaction, with its changes, its history and its audit entry (TIER-04)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orjson import OPT_SORT_KEYS, dumps
from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import Changes, fields_json
from crmctl.customers import deriving
from crmctl.customers.columns import CUSTOMER_CLEAR
from crmctl.runs import chunks as chunk_log
from crmctl.runs.run import Run, today
from crmctl.store import bulk
from crmctl.tiers.grading import Grading
from crmctl.tiers.moves import CHANGE, CLEAR, WAIT
from crmctl.tiers.survey import Move
from crmctl.tiers.tables import tier_change, tier_grace

CHUNK = 10_000
FIELDS = fields_json(frozenset({"tier"}))
_SORTED = OPT_SORT_KEYS
_TIER = CUSTOMER_CLEAR.index("tier")
_HISTORY = (
    "customer_id", "change_id", "run_id", "from_tier", "to_tier", "cause", "rule", "policy", "policy_version",
    "inputs", "decided_at", "effective_at",
)  # fmt: skip
_GRACE = ("customer_id", "to_tier", "since_on", "run_id")


@dataclass
class Applied:
    """What a run has written so far; `missed` are customers whose tier somebody else changed meanwhile."""

    changed: int = 0
    waiting: int = 0
    recovered: int = 0
    missed: int = 0
    chunks: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts for the audit entry."""
        return {"changed": self.changed, "waiting": self.waiting, "recovered": self.recovered, "missed": self.missed}


def apply(
    run: Run,
    work: Sequence[tuple[Grading, Sequence[Move]]],
    applied: Applied,
    also: Callable[[Connection], None] | None = None,
) -> None:
    """Write one chunk of moves, of one policy or several, and count it in `applied`; `also` is done with it."""
    found = [move for _grading, moves in work for move in moves]
    changing = [move for move in found if move.action == CHANGE]
    starting = [move for move in found if move.action == WAIT]
    ending = [move.customer_id for move in found if move.since_on is not None and move.action in (CHANGE, CLEAR)]
    here = Applied(waiting=len(starting), recovered=sum(move.action == CLEAR for move in found))

    def fill(conn: Connection, changes: Changes) -> Mapping[str, int]:
        for grading, moves in work:
            _change(conn, run, grading, [move for move in moves if move.action == CHANGE], changes, here)
        waits = [(move.customer_id, move.after, run_day(run), run.run_id) for move in starting]
        bulk.replace_rows(conn, tier_grace, _GRACE, waits)
        bulk.delete_rows(conn, tier_grace, ("customer_id",), [(number,) for number in ending])
        if also is not None:
            also(conn)
        return here.counts()

    chunk_log.write(run, applied.chunks, len(found), len(changing), fill)
    applied.chunks += 1
    for name, number in here.counts().items():
        setattr(applied, name, getattr(applied, name) + number)


def run_day(run: Run) -> str:
    """Return the company's day a run decides for."""
    return today(run.policies, run.as_of).isoformat()


def _change(
    conn: Connection, run: Run, grading: Grading, found: Sequence[Move], changes: Changes, here: Applied
) -> None:
    history: list[tuple[Any, ...]] = []
    now, effective, basis = clock.stamp(clock.now()), clock.stamp(run.as_of), _Basis(grading)
    run_id, name, version = run.run_id, grading.policy.name, grading.policy.version

    def decide(position: int, row: tuple[Any, ...], change_id: int) -> tuple[str | None, str] | None:
        move = found[position]
        if row[_TIER] != move.before:
            return None
        cause, rule, inputs, text = basis.of(move)
        history.append(
            (move.customer_id, change_id, run_id, move.before, move.after, cause, rule, name, version, inputs, now,
             effective)
        )  # fmt: skip
        return move.after, text

    numbers = [move.customer_id for move in found]
    changed = deriving.derive(conn, changes, numbers, ("tier", "tier_basis"), FIELDS, decide)
    here.changed += changed
    here.missed += len(found) - changed
    bulk.insert_rows(conn, tier_change, _HISTORY, history)


class _Basis:
    """Puts into JSON what a change of tier rests on; all but the figures is the same for many and written once."""

    def __init__(self, grading: Grading) -> None:
        self.grading = grading
        self.names = tuple(left.text for left in grading.compared())
        self.rules = {rule.rank: f"tiers[{rule.position}]" for rule in grading.rules}
        self.ranks = grading.ranks()
        self.wholes: dict[tuple[int | None, str | None, str], str] = {}

    def of(self, move: Move) -> tuple[str, str, str, str]:
        """Return cause, rule, inputs as JSON, and the whole as JSON."""
        figures = {name: value for name, value in zip(self.names, move.values, strict=True) if value is not None}
        inputs = dumps(figures, option=_SORTED).decode()
        cause = cause_of(move, self.grading.months, self.ranks)
        whole = self.wholes.get((move.rank, move.held, cause))
        if whole is None:
            whole = self.wholes[move.rank, move.held, cause] = self._whole(move, cause)
        return cause, self.rules.get(move.rank or 0, ""), inputs, whole.replace('"figures"', inputs, 1)

    def _whole(self, move: Move, cause: str) -> str:
        policy = self.grading.policy
        rest: dict[str, Any] = {"policy": policy.name, "rule": self.rules.get(move.rank or 0, "")}
        if move.held:
            rest["override"] = move.held
        whole = {"cause": cause, "inputs": "figures", "version": policy.version, **rest}
        return dumps(whole, option=_SORTED).decode()


def cause_of(move: Move, months: int, ranks: Mapping[str, int]) -> str:
    """Return why a tier changes: an override, the rules, or (`grace`) the rules after a wait; `decide` says the same.

    `months` are those a downgrade waits, `ranks` the policy's tiers.
    """
    if move.held:
        return "override"
    if move.since_on is None or not months:
        return "rule"
    here = ranks.get(move.before or "")
    return "grace" if here is not None and ranks[move.after or ""] > here else "rule"


def chunks(found: Iterator[Move], size: int = CHUNK) -> Iterator[list[Move]]:
    """Yield moves in chunks."""
    waiting: list[Move] = []
    for move in found:
        waiting.append(move)
        if len(waiting) == size:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
