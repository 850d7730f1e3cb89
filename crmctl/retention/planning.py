"""`purge plan`: who is to be destroyed and who stays though their time is over, saved as the exact set (DES-02).

Nothing is destroyed here. Somebody else has to agree to exactly this set before `purge run` may begin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from crmctl import clock
from crmctl.approvals import asking, decide
from crmctl.approvals.beyond import fingerprint
from crmctl.audit import entries
from crmctl.customers import scope
from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.retention import barring, clockwise, findings, grouping, leaves, oldvalues, rejected, weighing
from crmctl.retention.decide import MINIMUM
from crmctl.retention.deciding import DESTROY, Tally, decided_of, ranges
from crmctl.retention.policy import CUSTOMERS, KINDS, Kind
from crmctl.retention.selecting import Basis, Found, basis, reporting
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.plans import Item
from crmctl.runs.run import Run, access_of
from crmctl.store import engine

ACT = plans.PURGE


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
    watched = reporting(run) if "customers" in request.of and not request.customers else None
    if run.dry_run:
        tally = Tally()
        for _part in parts(run, base, request, tally):
            pass
        tally.reported = findings.count(run, watched) if watched else Counter()
        return Planned(None, None, None, tally, None)
    run = runs.begin(run)
    with runs.recorded_failure(run):
        return _saved(run, base, request, watched)


def clock_jump(base: Basis) -> int:
    """Return by how many days the clock may be ahead of the log: the strictest policy's word."""
    return min(each.clock_jump_days for each in base.settings)


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


def _saved(run: Run, base: Basis, request: Request, watched: Basis | None) -> Planned:
    """Save the plan part by part, so that nobody waits for all of it, then ask for agreement to the whole."""
    tally = Tally()
    valid = timedelta(hours=min(each.plan_valid_hours for each in base.settings))
    found = parts(run, base, request, tally)
    first = next(found, [])  # whoever is refused leaves no plan behind
    with engine.write(run.engine) as conn:
        draft = plans.begin(conn, run, ACT, {}, expires_at=run.at + valid)
        draft.add(conn, first)
    for part in found:
        with engine.write(run.engine) as conn:
            draft.add(conn, part)
    number = draft.plan_id
    tally.reported = findings.save(run, watched) if watched else Counter()
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
        tally.old = oldvalues.find(conn, base)
        for (_place, state), number in base.states(conn).items() if not request.customers else ():
            tally.states[state] = tally.states.get(state, 0) + number
    unowned = [oldvalues.item(tally.old.runs)] if tally.old.runs else []
    unowned += [rejected.item(tally.imports)] if tally.imports else []
    if unowned:
        yield unowned  # in the order of their places
    tally.anonymise = [] if request.customers else grouping.told(base)
    for among in ranges(run) if base.readies and not request.customers else ():
        with engine.read(run.engine) as conn:
            found = list(base.due(conn, among))
            decided = list(decided_of(conn, run, base, [(each, "") for each in found], tally)) if found else []
        if decided:
            yield decided
    if request.customers:
        with engine.read(run.engine) as conn:
            yield list(decided_of(conn, run, base, _named(conn, base, request), tally, asked=True))


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
