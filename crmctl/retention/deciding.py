"""Who of those whose time is over is destroyed and who stays, some customers at a time; nothing is written here."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from crmctl.customers.model import PROVISIONAL
from crmctl.customers.tables import customer
from crmctl.holds import everybody, kept
from crmctl.policy.metrics import Within
from crmctl.retention import leaves, oldvalues
from crmctl.retention.decide import DUE
from crmctl.retention.marks import marks
from crmctl.retention.rejected import Import
from crmctl.retention.selecting import Basis, Found
from crmctl.retention.together import followers
from crmctl.runs.plans import Item
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

DESTROY, ARCHIVE, KEEP = "destroy", "archive", "keep"  # what an item says is to become of its customer
UNKNOWN = "unidentified"  # an unidentified complainant: put away, nobody could be found out any more
SHARED = "shared_complaint"  # a provisional customer of theirs is somebody else's as well
_AT_ONCE = 20_000  # customers looked at in one statement


@dataclass
class Tally:
    """What a plan would do: customers destroyed or put away by rule, kept by reason, how many are in which state."""

    destroy: Counter[str] = field(default_factory=Counter)
    archive: Counter[str] = field(default_factory=Counter)
    keep: Counter[str] = field(default_factory=Counter)
    states: dict[str, int] = field(default_factory=dict)
    receipts: list[tuple[int, str]] = field(default_factory=list)  # (customer, token), of those who ask themselves
    imports: list[Import] = field(default_factory=list)  # whose rejected rows are over
    import_states: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)  # whom policies in mode report would destroy, by rule
    anonymise: list[dict[str, Any]] = field(default_factory=list)  # what rules leave of customers; of who asks, none
    old: oldvalues.Found = field(default_factory=oldvalues.nothing)  # runs whose values before changes are over

    @property
    def anything(self) -> bool:
        """Whether there is anything to destroy, or to put away."""
        return bool(self.destroy or self.archive) or any(not each.why for each in self.imports) or bool(self.old.going)

    def summary(self) -> dict[str, Any]:
        """Return it for the plan and the run."""
        return {
            "destroy": dict(self.destroy),
            "archive": dict(self.archive),
            "keep": dict(self.keep),
            "states": self.states,
            "reported": dict(self.reported),
            "rejected_rows": {
                "imports": [
                    {"batch": each.batch_id, "rows": each.rows, "kept": each.why or None} for each in self.imports
                ],
                "states": dict(self.import_states),
            },
            "old_values": self.old.summary(),
        }

    def counts(self) -> dict[str, int]:
        """Return it for the audit entry."""
        going = sum(not each.why for each in self.imports)
        counts = {"destroy": self.destroy.total(), "keep": self.keep.total()}
        if self.archive:
            counts["archive"] = self.archive.total()
        if self.imports:
            counts |= {"imports": going, "imports_keep": len(self.imports) - going}
        if self.old.runs:
            old = self.old.summary()
            counts |= {"runs": old["runs"], "old_values": old["changes"], "old_values_keep": self.old.kept.total()}
        return counts


def ranges(run: Run) -> Iterator[Within]:
    """Yield conditions that part the customers by number, so many in each."""
    column, after = customer.c.customer_id, -1
    while True:
        query = select(column).where(column > after).order_by(column).offset(_AT_ONCE - 1).limit(1)
        with engine.read(run.engine) as conn:
            last = conn.execute(query).scalar_one_or_none()
        yield partial(_between, after, last)
        if last is None:
            return
        after = last


def _between(after: int, last: int | None, number: ColumnElement[int]) -> ColumnElement[bool]:
    return number > after if last is None else number.between(after + 1, last)


def decided_of(
    conn: Connection, run: Run, base: Basis, page: Sequence[tuple[Found, str]], tally: Tally, *, asked: bool = False
) -> Iterator[Item]:
    """Yield what is to become of each customer, with why it stays where something keeps it; count it.

    Who `asked` for it is destroyed, whatever the company would do by itself.
    """
    frozen = everybody(conn)
    numbers = [found.customer_id for found, _reason in page]
    with_them, shared = followers(conn, numbers)
    everyone = [*numbers, *(other for others in with_them.values() for other in others)]
    held, stand = kept(conn, everyone, run.as_of), marks(conn, everyone)
    unknown = set() if asked else _unknown(conn, [found.customer_id for found, _reason in page if base.archives(found)])
    for found, reason in page:
        others = with_them.get(found.customer_id, [])
        group = (found.customer_id, *others)
        why = reason or (f"hold:{frozen}" if frozen else "") or _why(group, held)
        why = why or (SHARED if found.customer_id in shared else "")
        why = why or (UNKNOWN if found.customer_id in unknown else "")
        rule = None if found.rule is None else base.readies[found.policy].rules[found.rule]
        action = ARCHIVE if base.archives(found) and not asked else DESTROY
        counted = tally.keep if why else tally.archive if action == ARCHIVE else tally.destroy
        counted[why or (rule.code if rule is not None else DUE)] += 1
        detail = (found.policy, found.rule, os.urandom(leaves.SALT_SIZE).hex(), others)
        mark = "|".join(stand.get(number, "") for number in group)
        yield Item(found.customer_id, KEEP if why else action, mark, why or None, detail)


def _unknown(conn: Connection, customers: Sequence[int]) -> set[int]:
    """Return those of the customers who are unidentified complainants."""
    rows = bulk.fetch_by_keys(conn, customer, "customer_id", customers, ("customer_id", "status"))
    return {number for number, status in rows if status == PROVISIONAL}


def _why(group: Sequence[int], held: dict[int, tuple[str, ...]]) -> str:
    """Return the first reason that keeps one of those who go together; empty where none does."""
    return next((f"hold:{code}" for number in group for code in held.get(number, ())), "")
