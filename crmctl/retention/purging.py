"""`purge run`: carry out a plan that somebody else agreed to (DES-02, DES-06, DES-07).

    begin     approval spent, plan begun, the point of no return in the log: one transaction
    judge     each customer of the plan is looked at again: whoever was held or edited since is spared and listed
    fix       those who go are whom somebody agreed to; their digests are written, and nobody goes without one
    paper     what is about them on paper is due, to be destroyed by hand
    bar       who asked for it is listed, where the policy says so, so that no import enters them anew
    forget    identities go, so that nobody is found any more, and no import meets them
    shred     chunk by chunk: keys in key store and mirror, then all rows with their changes; who is anonymised is
              counted before (`grouping`)
    empty     import by import: rejected rows whose time is over, with whatever is sealed under the import's key
    clear     run by run: values before changes whose time is over, but for those of customers who are held
    archive   who is to be put away is, looked at again like those who go
    end       what came in between, look-ups of case numbers, the record of the destruction

Each step is committed and done again without harm; killed anywhere, the same command goes on. Nothing goes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import Connection, func, select

from crmctl.approvals import using
from crmctl.approvals.beyond import fingerprint
from crmctl.audit.changes import Changes
from crmctl.errors import PlanStale
from crmctl.paper import marking
from crmctl.process import uncollected
from crmctl.retention import (
    archiving,
    barring,
    clearing,
    clockwise,
    emptying,
    ending,
    forgetting,
    grouping,
    judging,
    oldvalues,
    paging,
    records,
    rejected,
    rightly,
    settled,
    unowned,
    waiting,
)
from crmctl.retention.destroying import destroy, probes_of, protected_rows
from crmctl.retention.grouping import Leaving
from crmctl.retention.judging import ARCHIVED, SPARED, STAYED
from crmctl.retention.paging import Task, Tell
from crmctl.retention.planning import ACT, agreed_by_somebody, clock_jump, kinds_of
from crmctl.retention.selecting import Basis, basis
from crmctl.runs import chunks, plans
from crmctl.runs import run as runs
from crmctl.runs.plans import PURGING, Item, Plan
from crmctl.runs.run import Run
from crmctl.runs.tables import plan_item
from crmctl.store import engine

SHREDDED = 3_000  # customers in one transaction: some tenths of a second
JUDGED = 10_000
_SLACK = 50  # rows that others may add to a chunk while it is counted


@dataclass
class Outcome:
    """What a purge did: customers destroyed, and spared by reason; rows by table; `resumed` one that was killed.

    `archived` customers were put away. `anonymised` are those of the destroyed who left a number behind, by rule.
    `imports` are those whose rejected rows were destroyed, `imports_spared` those that stay, and why. `old_values` are
    the changes of each run that lost the values before them, `old_values_spared` how many kept them, by reason.
    """

    run_id: int | None
    plan_id: int
    dry_run: bool
    resumed: bool = False
    destroyed: int = 0
    archived: int = 0
    spared: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    anonymised: Counter[str] = field(default_factory=Counter)
    imports: list[int] = field(default_factory=list)
    imports_spared: dict[int, str] = field(default_factory=dict)
    old_values: dict[int, int] = field(default_factory=dict)
    old_values_spared: Counter[str] = field(default_factory=Counter)

    @property
    def whole(self) -> bool:
        """Whether nobody and nothing of the plan was spared."""
        return not (self.spared or self.imports_spared or self.old_values_spared)

    def counts(self) -> dict[str, int]:
        """Return the counts for the run and its entry."""
        counts = {"destroyed": self.destroyed, "spared": self.spared.total()}
        counts |= {"archived": self.archived} if self.archived else {}
        of_imports = {"imports": len(self.imports), "imports_spared": len(self.imports_spared)}
        counts |= of_imports if any(of_imports.values()) else {}
        of_runs = {"runs": len(self.old_values), "old_values": sum(self.old_values.values())}
        of_runs["old_values_spared"] = self.old_values_spared.total()
        return {**counts, **of_runs} if any(of_runs.values()) else counts


def purge(run: Run, number: int, tell: Tell, *, accept_clock: bool = False) -> Outcome:
    """Carry out a plan, or go on with one that was begun; a dry run says who would be destroyed and who spared.

    Raises PlanStale for a plan that is done, expired, or not what was saved, PermissionMissing while nobody else agreed
    to it, Refused for a clock that cannot be right, and for a plan without anybody to destroy.
    """
    with engine.read(run.engine) as conn:
        found = plans.find(conn, number, ACT)
        begun = found.state == plans.APPLYING
        base = None if begun else _base(conn, run, found, accept_clock)
        approval = rightly.require(conn, found) if begun else _agreed(conn, run, found)
    if run.dry_run:
        return _rehearsed(run, found, _still(run, found) if begun else base, resumed=begun)
    leaving = grouping.leaving(run, found)  # read before there is no way back
    run = runs.begin(run)
    with runs.recorded_failure(run):
        if not begun:
            records.begin(run, found, approval)
        else:
            base = _still(run, found)
        outcome = Outcome(run.run_id, number, False, resumed=begun)
        ordinal = _judge(run, found, base, tell)
        unowned.settle(run, found, base)
        going = settled.fix(run, found)
        marking.mark(run, going, number)
        barring.bar(run, found, going)
        forgetting.forget(run, going)
        ordinal = _shred(run, leaving, ordinal, tell)
        emptying.empty(run, number, settled.require)
        clearing.clear(run, number, settled.require)
        _archive(run, found, base, ordinal, tell)
        return ending.end(run, found, outcome, approval, leaving)


def _base(conn: Connection, run: Run, found: Plan, accept_clock: bool) -> Basis:
    """Return what to judge by, once clock and plan are as they must be."""
    if not waiting.anything(found):
        raise waiting.nobody(found)
    base = basis(run, kinds_of(found))
    clockwise.require_right(conn, run, clock_jump(base), accept=accept_clock)
    plans.usable(conn, found, run.policies.hash, run.at)
    return base


def _agreed(conn: Connection, run: Run, found: Plan) -> int:
    """Return the approval of a plan. Raises as `using.require` does; there is no purge that nobody agreed to."""
    subject, digest = f"plan:{found.plan_id}", fingerprint(found)
    agreed_by_somebody(run)
    number = using.require(conn, run, act=ACT, subject=subject, subject_hash=digest, rows=max(1, found.items))
    assert number is not None
    return number


def _still(run: Run, found: Plan) -> Basis | None:
    """Return what to judge the rest of a begun plan by; None when it no longer may begin with anybody."""
    with engine.read(run.engine) as conn:
        try:
            plans.usable(conn, found, run.policies.hash, run.at, as_saved=judging.as_saved)
        except PlanStale:
            return None
    return basis(run, kinds_of(found))


def _judge(run: Run, found: Plan, base: Basis | None, tell: Tell) -> int:
    """Settle for every customer of the plan whether it goes or is spared; return the ordinal of the next chunk."""

    def judged(ordinal: int, page: Sequence[Item]) -> Task:
        return partial(chunks.write, run, ordinal, len(page), 0, partial(_settle, run, found, base, page))

    return paging.each(run, found.plan_id, (judging.undecided, JUDGED), judged, tell)


def _settle(
    run: Run, found: Plan, base: Basis | None, page: Sequence[Item], conn: Connection, _log: Changes
) -> Mapping[str, int]:
    spared = judging.settle(conn, run, found, base, page)
    return {PURGING: len(page) - len(spared), SPARED: len(spared)}


def _shred(run: Run, leaving: Leaving, ordinal: int, tell: Tell) -> int:
    """Destroy keys, then rows, of all who go, chunk by chunk; return the ordinal of the next chunk.

    Groups of the anonymised are common to all chunks, and counted one after the other.
    """
    task, alone = partial(_shredded, run, leaving), bool(leaving.specs)
    return paging.each(run, leaving.plan_id, (judging.doomed, SHREDDED), task, tell, ordinal=ordinal, alone=alone)


def _shredded(run: Run, leaving: Leaving, ordinal: int, page: Sequence[Item]) -> Task:
    """Destroy the keys of those of a page; return what removes their rows."""
    plan = leaving.plan_id
    numbers = sorted({number for item in page for number in judging.group(item)})
    with engine.read(run.engine) as conn, uncollected():
        settled.require(conn, plan, page)
    run.keys.remove("customer", numbers, reference=records.reference(plan))

    def remove() -> Mapping[str, int]:
        with engine.read(run.engine) as conn:
            expected = protected_rows(conn, numbers)
        fill = partial(_remove, run, leaving, page, numbers)
        return chunks.write(run, ordinal, len(numbers), expected + _SLACK, fill)

    return remove


def _archive(run: Run, found: Plan, base: Basis | None, ordinal: int, tell: Tell) -> None:
    """Put away all who are to be, chunk by chunk."""

    def away(ordinal: int, page: Sequence[Item]) -> Task:
        fill = partial(archiving.put_away, run, found, base, page)
        return partial(chunks.write, run, ordinal, len(page), len(page), fill)

    paging.each(run, found.plan_id, (judging.unarchived, archiving.AT_ONCE), away, tell, ordinal=ordinal)


def _remove(
    run: Run, leaving: Leaving, page: Sequence[Item], customers: Sequence[int], conn: Connection, log: Changes
) -> Mapping[str, int]:
    probes = probes_of(conn, customers)
    anonymised = grouping.leave(conn, leaving, page)
    removed = destroy(conn, log, customers)
    records.add(conn, run, leaving.plan_id, removed, probes, anonymised=anonymised)
    return dict(removed)


def _rehearsed(run: Run, found: Plan, base: Basis | None, *, resumed: bool) -> Outcome:
    """Return what carrying out a plan now would do, from the same judgement; nothing is written."""
    outcome = Outcome(None, found.plan_id, True, resumed=resumed)
    with engine.read(run.engine) as conn:
        done = plan_item.c
        query = select(done.action, done.after, func.count()).where(done.plan_id == found.plan_id, done.detail != "[]")
        for action, reason, number in conn.execute(query.group_by(done.action, done.after)):
            if action == PURGING:
                outcome.destroyed += number
            elif action == ARCHIVED:
                outcome.archived += number
            elif action in (SPARED, STAYED):
                outcome.spared[reason] += number
        for left in (judging.undecided, judging.unarchived):
            after, going = 0, 0
            while page := left(conn, found.plan_id, JUDGED, after):
                spared = judging.judge(conn, run, found, base, page)
                outcome.spared.update(spared.values())
                going += len(page) - len(spared)
                after = page[-1].customer_id
            if left is judging.undecided:
                outcome.destroyed += going
            else:
                outcome.archived += going
        _rehearsed_imports(conn, found, base, outcome)
        _rehearsed_old(conn, run, found, base, outcome)
    return outcome


def _rehearsed_imports(conn: Connection, found: Plan, base: Basis | None, outcome: Outcome) -> None:
    item = unowned.of(conn, found.plan_id, rejected.IMPORTS)
    if item is None:
        return
    planned = [each for each in rejected.read(item) if not each.why]
    spared = rejected.judge(conn, base, planned) if item.after is None else unowned.going(item, planned)[1]
    outcome.imports_spared = spared
    outcome.imports = [each.batch_id for each in planned if each.batch_id not in spared]


def _rehearsed_old(conn: Connection, run: Run, found: Plan, base: Basis | None, outcome: Outcome) -> None:
    item = unowned.of(conn, found.plan_id, oldvalues.RUNS)
    if item is None:
        return
    planned = [each for each in oldvalues.read(item) if not each.why]
    spared = oldvalues.judge(conn, base, planned) if item.after is None else unowned.going(item, planned)[1]
    going = [each.run_id for each in planned if each.run_id not in spared]
    held = oldvalues.of_held(conn, going, run.at)
    left = oldvalues.left(conn, going)
    outcome.old_values = {number: left.get(number, 0) - held.get(number, 0) for number in going}
    outcome.old_values_spared = oldvalues.staying(conn, held, run.at)
    for each in planned:
        outcome.old_values_spared.update({spared[each.run_id]: each.changes} if each.run_id in spared else {})
