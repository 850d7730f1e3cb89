"""`purge plan`: who is to be destroyed and who stays though their time is over, saved as the exact set (DES-02).

Nothing is destroyed here. Somebody else has to agree to exactly this set before `purge run` may begin.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from crmctl import clock
from crmctl.approvals import asking, decide
from crmctl.approvals.beyond import fingerprint
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.customers.tables import customer
from crmctl.errors import InvalidInput, Refused
from crmctl.holds import everybody, kept
from crmctl.i18n import _
from crmctl.policy.metrics import Within
from crmctl.retention import barring, clockwise, grouping, leaves, rejected, weighing
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
from crmctl.store import engine

ACT = plans.PURGE
DESTROY, KEEP = "destroy", "keep"  # what an item says is to become of its customer
SHARED = "shared_complaint"  # a provisional customer of theirs is somebody else's as well
_AT_ONCE = 20_000  # customers looked at in one statement


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
    anonymise: list[dict[str, Any]] = field(default_factory=list)  # what rules leave of customers; of who asks, none

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
        for _part in parts(run, base, request, tally):
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
    """Save the plan part by part, so that nobody waits for all of it, then ask for agreement to the whole."""
    tally = Tally()
    valid = timedelta(hours=min(settings_of(each).plan_valid_hours for each in base.acting.values()))
    found = parts(run, base, request, tally)
    first = next(found, [])  # whoever is refused leaves no plan behind
    with engine.write(run.engine) as conn:
        draft = plans.begin(conn, run, ACT, {}, expires_at=run.at + valid)
        draft.add(conn, first)
    for part in found:
        with engine.write(run.engine) as conn:
            draft.add(conn, part)
    number = draft.plan_id
    with engine.read(run.engine) as conn:
        weight = weighing.weigh(conn, number)
        asked = [*_asked(conn, number)] if request.customers else []
    tally.receipts = [(customer, leaves.token(number, customer, salt)) for customer, salt in asked]
    summary = {
        **tally.summary(),
        grouping.SUMMARY: tally.anonymise,
        "asked": len(request.customers),
        "barred_until": barring.until(run, base) if request.customers else None,
        "kinds": list(request.of),
        **weight.document(),
    }
    approval = None
    with engine.write(run.engine) as conn:
        draft.close(conn, summary)
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


def parts(run: Run, base: Basis, request: Request, tally: Tally) -> Iterator[list[Item]]:
    """Yield what is to become of what is of no customer, then of each whose time is over, or who asks; count it.

    By customer number, some at a time; between them nothing is open, so that whoever takes them may write. Each part is
    of its own moment: everybody is looked at once more when the plan is carried out.
    """
    with engine.read(run.engine) as conn:
        tally.imports = rejected.find(conn, base, tally.import_states)
        for (_place, state), number in base.states(conn).items() if not request.customers else ():
            tally.states[state] = tally.states.get(state, 0) + number
    if tally.imports:
        yield [rejected.item(tally.imports)]
    tally.anonymise = [] if request.customers else grouping.told(base)
    for among in ranges(run) if base.readies and not request.customers else ():
        with engine.read(run.engine) as conn:
            found = list(base.due(conn, among))
            decided = list(decided_of(conn, run, base, [(each, "") for each in found], tally)) if found else []
        if decided:
            yield decided
    if request.customers:
        with engine.read(run.engine) as conn:
            yield list(decided_of(conn, run, base, _named(conn, base, request), tally))


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


def _named(conn: Connection, base: Basis, request: Request) -> list[tuple[Found, str]]:
    """Return customers who ask, with why each stays ("" for nothing so far). Raises Refused for one without policy."""
    named = sorted(base.named(conn, request.customers))
    missing = sorted(set(request.customers) - {each.found.customer_id for each in named})
    if missing:
        raise Refused(
            _("C-{customer:06d}: no retention policy that acts is for this customer").format(customer=missing[0]),
            hint=_("excepted by name, under a policy in mode report, or an unidentified complainant who was found out"),
            code="RETENTION_NONE",
        )
    return [(each.found, MINIMUM if each.law else "") for each in named]


def decided_of(
    conn: Connection, run: Run, base: Basis, page: Sequence[tuple[Found, str]], tally: Tally
) -> Iterator[Item]:
    """Yield what is to become of each customer, with why it stays where something keeps it; count it."""
    frozen = everybody(conn)
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
