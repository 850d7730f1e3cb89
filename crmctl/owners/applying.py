"""Moves → owners: one chunk, one transaction, with its changes, its history and its audit entry (OWN-03).

`customer.owner_id` follows the open row of role owner: whatever changes owners goes through `apply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from orjson import OPT_SORT_KEYS, dumps
from sqlalchemy import Connection

from crmctl import clock
from crmctl.audit.changes import Changes, fields_json
from crmctl.customers import deriving
from crmctl.customers import ownership as owning
from crmctl.customers.columns import CUSTOMER_CLEAR
from crmctl.customers.ownership import OWNER, OWNERSHIP, ownership
from crmctl.runs import chunks as chunk_log
from crmctl.runs.run import Run
from crmctl.store import bulk

CHUNK = 10_000
FIELDS = fields_json(frozenset({"owner_id"}))
_OWNER_ID = CUSTOMER_CLEAR.index("owner_id")


class Move(NamedTuple):
    """One customer whose owner is to change: from `before` to `after` (staff ids; None is nobody), and why.

    `reason` is a code of `ownership.reason`; for one who loses the owner it is the reason that the row ended.
    `inputs` are figures and staff ids, never personal; `policy` and `version` are empty where a person decided.
    """

    customer_id: int
    before: int | None
    after: int | None
    reason: str
    rule: str = ""
    runner_up: int | None = None
    inputs: Mapping[str, Any] = {}
    policy: str = ""
    version: int = 0


@dataclass
class Applied:
    """What a run has written so far; `missed` are customers whose owner somebody else changed meanwhile."""

    changed: int = 0
    missed: int = 0
    chunks: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts for the audit entry."""
        return {"changed": self.changed, "missed": self.missed}


def apply(run: Run, moves: Sequence[Move], applied: Applied, also: Callable[[Connection], None] | None = None) -> None:
    """Write one chunk of moves, each of another customer, and count it in `applied`; `also` is done with it.

    The former owner's row ends, the new owner's begins at the moment the run decides for; a new owner who was a
    collaborator is one no more. Customers whose owner is no longer `before` are left as they are and counted as missed.
    """
    found, here = sorted(moves), Applied()

    def fill(conn: Connection, changes: Changes) -> Mapping[str, int]:
        _change(conn, run, found, changes, here)
        if also is not None:
            also(conn)
        return here.counts()

    chunk_log.write(run, applied.chunks, len(found), len(found), fill)
    applied.chunks += 1
    applied.changed += here.changed
    applied.missed += here.missed


def _change(conn: Connection, run: Run, found: Sequence[Move], changes: Changes, here: Applied) -> None:
    began: list[tuple[Any, ...]] = []
    ended: dict[int, Move] = {}
    since, run_id, person = clock.stamp(run.as_of), run.run_id, run.actor.person

    def decide(position: int, row: tuple[Any, ...], change_id: int) -> tuple[int | None] | None:
        move = found[position]
        if row[_OWNER_ID] != move.before:
            return None
        if move.before is not None:
            ended[move.customer_id] = move
        if move.after is not None:
            inputs = dumps(move.inputs, option=OPT_SORT_KEYS).decode()
            began.append(
                (move.customer_id, change_id, move.after, OWNER, since, move.reason, move.rule, move.policy,
                 move.version, move.runner_up, inputs, run_id, person)
            )  # fmt: skip
        return (move.after,)

    numbers = [move.customer_id for move in found]
    here.changed = deriving.derive(conn, changes, numbers, ("owner_id",), FIELDS, decide)
    here.missed = len(found) - here.changed
    _end(conn, run, ended)
    owning.supersede(conn, run, {row[0]: (row[2], row[5]) for row in began})
    bulk.insert_rows(conn, ownership, OWNERSHIP, began)


def _end(conn: Connection, run: Run, ended: Mapping[int, Move]) -> None:
    """Close the open owner rows of customers; one whose owner came without a row has none."""
    read = ("customer_id", "ownership_id", "until_at")
    rows = bulk.fetch_by_keys(conn, ownership, "customer_id", [*ended], read, extra={"role": (OWNER,)})
    owning.finish(conn, run, [(number, own, ended[number].reason) for number, own, closed in rows if closed is None])


def chunks(found: Iterable[Move], size: int = CHUNK) -> Iterator[list[Move]]:
    """Yield moves in chunks."""
    moves = iter(found)
    while chunk := list(islice(moves, size)):
        yield chunk
