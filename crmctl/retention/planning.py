"""`purge plan`: who is to be destroyed and who stays though their time is over, saved as the exact set (DES-02).

Nothing is destroyed here. Somebody else has to agree to exactly this set before `purge run` may begin.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Connection, update

from crmctl import clock
from crmctl.approvals import asking, decide
from crmctl.approvals.beyond import fingerprint
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.errors import InvalidInput, Refused
from crmctl.holds import everybody, kept
from crmctl.i18n import _
from crmctl.retention import clockwise, leaves, rejected, weighing
from crmctl.retention.decide import DUE, MINIMUM
from crmctl.retention.marks import marks
from crmctl.retention.policy import CUSTOMERS, KINDS, Kind
from crmctl.retention.rejected import Import
from crmctl.retention.rules import settings_of
from crmctl.retention.selecting import Basis, Found, basis
from crmctl.retention.together import followers
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.plans import Item
from crmctl.runs.run import Run, access_of
from crmctl.runs.tables import plan
from crmctl.store import engine

ACT = plans.PURGE
DESTROY, KEEP = "destroy", "keep"  # what an item says is to become of its customer
SHARED = "shared_complaint"  # a provisional customer of theirs is somebody else's as well
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Request:
    """What a plan is asked for: all whose time is over, of these kinds of data, or customers who ask themselves."""

    customers: tuple[int, ...] = ()
    accept_clock: bool = False
    kinds: tuple[Kind, ...] = KINDS

    @property
    def of(self) -> tuple[Kind, ...]:
        """The kinds of data it is about: of who asks, the customer."""
        return CUSTOMERS if self.customers else self.kinds


@dataclass
class Tally:
    """What a plan would do: customers destroyed by rule, kept by reason, and how many are in which state."""

    destroy: Counter[str] = field(default_factory=Counter)
    keep: Counter[str] = field(default_factory=Counter)
    states: dict[str, int] = field(default_factory=dict)
    receipts: list[tuple[int, str]] = field(default_factory=list)  # (customer, token), of those who ask themselves
    imports: list[Import] = field(default_factory=list)  # whose rejected rows are over
    import_states: Counter[str] = field(default_factory=Counter)

    @property
    def anything(self) -> bool:
        """Whether there is anything to destroy."""
        return bool(self.destroy) or any(not each.why for each in self.imports)

    def summary(self) -> dict[str, Any]:
        """Return it for the plan and the run."""
        return {
            "destroy": dict(self.destroy),
            "keep": dict(self.keep),
            "states": self.states,
            "rejected_rows": {
                "imports": [
                    {"batch": each.batch_id, "rows": each.rows, "kept": each.why or None} for each in self.imports
                ],
                "states": dict(self.import_states),
            },
        }

    def counts(self) -> dict[str, int]:
        """Return it for the audit entry."""
        going = sum(not each.why for each in self.imports)
        counts = {"destroy": self.destroy.total(), "keep": self.keep.total()}
        return {**counts, "imports": going, "imports_keep": len(self.imports) - going} if self.imports else counts


@dataclass(frozen=True)
class Planned:
    """A plan as it was saved, or in a dry run would be; `approval` waits for somebody else."""

    run_id: int | None
    plan_id: int | None
    approval: int | None
    tally: Tally
    weight: weighing.Weight | None


def make(run: Run, request: Request) -> Planned:
    """Save who is to be destroyed, ask for agreement to exactly that; a dry run says who it would be.

    Raises ValueUndecided while a period is unset, InvalidInput where no policy is in force or access.yaml would let a
    purge go without anybody's agreement, Refused for customers there are not.
    """
    base = basis(run, request.of)
    agreed_by_somebody(run)
    with engine.read(run.engine) as conn:
        clockwise.require_right(conn, run, clock_jump(base), accept=request.accept_clock)
    scope.require(run, request.customers)
    if run.dry_run:
        tally = Tally()
        with engine.read(run.engine) as conn:
            for _item in items(conn, run, base, request, tally):
                pass
        return Planned(None, None, None, tally, None)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        return _saved(run, base, request)


def clock_jump(base: Basis) -> int:
    """Return by how many days the clock may be ahead of the log: the strictest policy's word."""
    return min(settings_of(each).clock_jump_days for each in base.acting.values())


def kinds_of(found: plans.Plan) -> tuple[Kind, ...]:
    """Return the kinds of data a plan is about; of one from before there were others, customers."""
    return tuple(kind for kind in KINDS if kind in found.summary.get("kinds", CUSTOMERS))


def agreed_by_somebody(run: Run) -> None:
    """Raise InvalidInput when access.yaml does not have every purge agreed to by somebody else (DES-02)."""
    rule = decide.rule_for(access_of(run.policies), ACT, 1)
    if rule is None:
        raise InvalidInput(
            _("access.yaml: approvals must have {act}, for any number of records").format(act=ACT),
            hint=_("nothing is destroyed unless somebody else agreed to it (003 §3.六 6.2)"),
            code="PURGE_UNAPPROVED",
        )


def _saved(run: Run, base: Basis, request: Request) -> Planned:
    tally = Tally()
    valid = timedelta(hours=min(settings_of(each).plan_valid_hours for each in base.acting.values()))
    with engine.write(run.engine) as conn:
        found = items(conn, run, base, request, tally)
        number = plans.put(conn, run, ACT, found, {}, expires_at=run.at + valid)
        if request.customers:
            asked = _asked(conn, number)
            tally.receipts = [(customer, leaves.token(number, customer, salt)) for customer, salt in asked]
    with engine.read(run.engine) as conn:
        weight = weighing.weigh(conn, number)
    summary = {**tally.summary(), "asked": len(request.customers), "kinds": list(request.of), **weight.document()}
    approval = None
    with engine.write(run.engine) as conn:
        told = orjson.dumps(summary, option=orjson.OPT_SORT_KEYS).decode()
        conn.execute(update(plan).where(plan.c.plan_id == number).values(summary=told))
        if tally.anything:
            saved = plans.find(conn, number, ACT)
            approval = asking.ask(
                conn, run, act=ACT, subject=f"plan:{number}", subject_hash=fingerprint(saved), rows=saved.items
            )
        runs.finish(conn, run, "done", 0, tally.counts())
        body = run.entry("done", at=clock.now(), obj=f"plan:{number}", counts=tally.counts(), approval=approval)
        entries.append(conn, body)
    return Planned(run.run_id, number, approval, tally, weight)


def _asked(conn: Connection, number: int) -> Iterator[tuple[int, bytes]]:
    """Yield customer and salt of those whom a plan is to destroy."""
    for item in plans.items(conn, number):
        if item.action == DESTROY:
            yield item.customer_id, bytes.fromhex(item.detail[2])


def items(conn: Connection, run: Run, base: Basis, request: Request, tally: Tally) -> Iterator[Item]:
    """Yield what is to become of what is of no customer, then of each whose time is over, or who asks; count it."""
    tally.imports = rejected.find(conn, base, tally.import_states)
    if tally.imports:
        yield rejected.item(tally.imports)
    for (_place, state), number in base.states(conn).items() if not request.customers else ():
        tally.states[state] = tally.states.get(state, 0) + number
    frozen = everybody(conn)
    for page in _pages(conn, base, request):
        yield from _decided(conn, run, base, page, frozen, tally)


def _pages(conn: Connection, base: Basis, request: Request) -> Iterator[list[tuple[Found, str]]]:
    """Yield customers with why each stays ("" for nothing so far), by customer number over all policies."""
    if not request.customers:
        due = base.due(conn)
        while page := list(islice(due, _AT_ONCE)):
            yield [(found, "") for found in page]
        return
    named = sorted(base.named(conn, request.customers))
    missing = sorted(set(request.customers) - {each.found.customer_id for each in named})
    if missing:
        raise Refused(
            _("C-{customer:06d}: no retention policy that acts is for this customer").format(customer=missing[0]),
            hint=_("excepted by name, under a policy in mode report, or an unidentified complainant who was found out"),
            code="RETENTION_NONE",
        )
    yield [(each.found, MINIMUM if each.law else "") for each in named]


def _decided(
    conn: Connection, run: Run, base: Basis, page: Sequence[tuple[Found, str]], frozen: str | None, tally: Tally
) -> Iterator[Item]:
    numbers = [found.customer_id for found, _reason in page]
    with_them, shared = followers(conn, numbers)
    everyone = [*numbers, *(other for others in with_them.values() for other in others)]
    held, stand = kept(conn, everyone, run.as_of), marks(conn, everyone)
    for found, reason in page:
        others = with_them.get(found.customer_id, [])
        group = (found.customer_id, *others)
        why = reason or (f"hold:{frozen}" if frozen else "") or _why(group, held)
        why = why or (SHARED if found.customer_id in shared else "")
        code = base.readies[found.policy].rules[found.rule].code if found.rule is not None else ""
        (tally.keep if why else tally.destroy)[why or code or DUE] += 1
        detail = (found.policy, found.rule, os.urandom(leaves.SALT_SIZE).hex(), others)
        mark = "|".join(stand.get(number, "") for number in group)
        yield Item(found.customer_id, KEEP if why else DESTROY, mark, why or None, detail)


def _why(group: Sequence[int], held: dict[int, tuple[str, ...]]) -> str:
    """Return the first reason that keeps one of those who go together; empty where none does."""
    return next((f"hold:{code}" for number in group for code in held.get(number, ())), "")
