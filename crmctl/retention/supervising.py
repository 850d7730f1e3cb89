"""Supervision of destruction (销毁监督, DES-05): what is late, what nobody agreed to, whether the gone are gone.

The figures are counted; the judgement is a person's who destroyed nothing in the time it is about, recorded with them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from secrets import SystemRandom
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from crmctl import clock
from crmctl.audit import entries
from crmctl.audit.said import said
from crmctl.audit.tables import change
from crmctl.errors import IntegrityFailed, Refused, ValueUndecided
from crmctl.i18n import _
from crmctl.paper import records as paper
from crmctl.policy.policyset import PolicySet
from crmctl.policy.scopes import in_force
from crmctl.retention import oldvalues, records, rejected, rightly, verifying
from crmctl.retention.deciding import ARCHIVE, DESTROY, Tally, decided_of, ranges
from crmctl.retention.policy import Span, Supervision
from crmctl.retention.rules import after, settings_of
from crmctl.retention.selecting import Basis, basis
from crmctl.retention.tables import destruction
from crmctl.runs import plans
from crmctl.runs import run as runs
from crmctl.runs.run import Run, company_zone
from crmctl.runs.tables import plan
from crmctl.runs.tables import run as run_table
from crmctl.store import engine
from crmctl.use import evaluating

ACT, SUBJECT = "purge.supervised", "purge:supervision"  # of the entry that records it
_LONGEST = 36_500  # days: whatever waits so long, nobody was in a hurry
OUTCOMES = ("compliant", "deficient")


@dataclass(frozen=True)
class Standing:
    """When destruction was supervised last, the day it is due again (None: undecided, or nothing destroyed yet)."""

    last: datetime | None
    due_on: date | None
    overdue: bool


@dataclass
class Figures:
    """What there is to judge; plans by number, customers by rule.

    `due` may be destroyed today and nothing keeps them; `overdue` should be gone by now (None: no time is decided); the
    one that waits longest does so since `longest` days. `undecided` says which period is, so that nothing is due. Of
    the purges since, by plan with how many they destroyed, `unapproved` were not agreed to, or not as the log says. Of
    so many `sampled` who were destroyed something was `found`.
    """

    since: datetime | None
    undecided: str = ""
    due: Counter[str] = field(default_factory=Counter)
    overdue: Counter[str] | None = None
    longest: int = 0
    destroyed: Mapping[int, int] = field(default_factory=dict)
    unfinished: Sequence[int] = ()
    unverified: Sequence[int] = ()
    unapproved: Sequence[int] = ()
    sampled: int = 0
    found: int = 0
    copies_overdue: int = 0
    paper_overdue: int = 0

    def counts(self) -> dict[str, int]:
        """Return the sums, for the entry."""
        return {
            "due": self.due.total(),
            "overdue": self.overdue.total() if self.overdue is not None else 0,
            "longest_days": self.longest,
            "purges": len(self.destroyed),
            "destroyed": sum(self.destroyed.values()),
            "unfinished": len(self.unfinished),
            "unverified": len(self.unverified),
            "unapproved": len(self.unapproved),
            "sampled": self.sampled,
            "found": self.found,
            "copies_overdue": self.copies_overdue,
            "paper_overdue": self.paper_overdue,
        }

    @property
    def wrong(self) -> bool:
        """Whether anything is not as it should be."""
        late = (self.undecided, self.overdue, self.copies_overdue, self.paper_overdue)
        return any((*late, self.unfinished, self.unverified, self.unapproved, self.found))


def terms(policies: PolicySet, day: date) -> Supervision:
    """Return how destruction is supervised: as the policy for everybody says that is in force on a day."""
    rulings = in_force(policies, "retention", day)
    found = (settings_of(each.policy).supervision for each in rulings if each.policy.scope.everybody)
    return next((each for each in found if each is not None), Supervision())


def standing(conn: Connection, policies: PolicySet, at: datetime) -> Standing:
    """Return whether destruction has to be supervised by a moment: after the last time, or the first destruction."""
    zone = ZoneInfo(company_zone(policies))
    last, every = newest(conn), _settled(policies, terms(policies, at.astimezone(zone).date()).every)
    begun = last or conn.execute(select(func.min(destruction.c.begun_at))).scalar_one()
    if every is None or begun is None:
        return Standing(last, None, False)
    due = after(policies, begun.astimezone(zone).date(), every)
    return Standing(last, due, at.astimezone(zone).date() > due)


def newest(conn: Connection) -> datetime | None:
    """Return when the figures that were judged last were counted, as the log has it."""
    last = max((body["ts"] for body in said(conn, ACT, SUBJECT) if body["result"] == "done"), default=None)
    return None if last is None else clock.parse_stamp(last)


def figures(run: Run) -> Figures:
    """Count what there is to judge of the time since the last supervision."""
    with engine.read(run.engine) as conn:
        found = Figures(newest(conn))
        _about_purges(conn, run, found)
        day = runs.today(run.policies, run.at).isoformat()
        found.copies_overdue, found.paper_overdue = evaluating.overdue_copies(conn, day), paper.overdue(conn, day)
    try:
        base = basis(run)
    except ValueUndecided as waiting:
        found.undecided = waiting.message
        return found
    _about_customers(run, base, found)
    _about_imports(run, base, found)
    return found


def record(run: Run, outcome: str) -> tuple[Run, Figures]:
    """Record that somebody supervised destruction, how it was judged, with the figures of that moment.

    Raises Refused for who planned or carried out a purge of that time: nobody supervises themselves.
    """
    with engine.read(run.engine) as conn:
        if run.actor.person in _hands(conn, newest(conn)):
            raise Refused(
                _("you planned or carried out a purge since destruction was supervised last"),
                hint=_("somebody else supervises it (DES-05)"),
                code="SUPERVISES_OWN",
            )
    found = figures(run)
    run = runs.begin(run)
    with runs.recorded_failure(run), engine.write(run.engine) as conn:
        counts = found.counts()
        runs.finish(conn, run, "done", 0, counts)
        # Of the moment the figures are of: what ends later is for the next supervision.
        body = run.entry("done", obj=SUBJECT, n=counts["purges"], codes=[outcome.upper()], counts=counts)
        entries.append(conn, body)
    return run, found


def _settled(policies: PolicySet, span: Span | None) -> Span | None:
    return span if span is not None and policies.figure(span.figure) is not None else None


def _about_purges(conn: Connection, run: Run, found: Figures) -> None:
    """Say what became of the purges since, and of those before that are not settled."""
    columns = destruction.c
    rows = conn.execute(select(columns.plan_id, columns.state, columns.shredded_at).order_by(columns.plan_id)).all()
    found.unfinished = [row[0] for row in rows if row[1] == records.BEGUN]
    found.unverified = [row[0] for row in rows if row[1] == records.DONE]
    done = [records.begun(conn, row[0]) for row in rows if _lately(row[2], found.since)]
    found.destroyed = {each.plan_id: int(each.counts.get("destroyed", 0)) for each in done}
    found.unapproved = [each.plan_id for each in done if not _rightly(conn, each.plan_id)]
    most = terms(run.policies, runs.today(run.policies, run.at)).sample
    chosen = _sample(conn, sorted({run_id for each in done for run_id in each.counts.get("runs", ())}), most)
    found.sampled = len(chosen)
    if chosen:
        left = (verifying.rows_left, verifying.ways_left, verifying.images_left)
        found.found = sum(look(conn, chosen) for look in left) + verifying.keys_left(run, {"customer": chosen})[1]


def _lately(shredded: datetime | None, since: datetime | None) -> bool:
    """Say whether a destruction ended after the last supervision, or has not: whenever it began."""
    return shredded is None or since is None or shredded >= since


def _rightly(conn: Connection, number: int) -> bool:
    try:
        rightly.require(conn, plans.find(conn, number, plans.PURGE))
    except IntegrityFailed:
        return False
    return True


def _sample(conn: Connection, numbers: Sequence[int], most: int) -> list[int]:
    """Return some of the customers that these runs destroyed, chosen at random, as the change log has them."""
    columns = change.c
    destroyed = (columns.run_id.in_(numbers), columns.object == "customer", columns.operation == "destroy")
    size = int(conn.execute(select(func.count()).where(*destroyed)).scalar_one())
    wanted = set(SystemRandom().sample(range(size), min(most, size)))
    rows = conn.execute(select(columns.customer_id).where(*destroyed), execution_options={"yield_per": 10_000})
    return sorted(number for place, number in enumerate(rows.scalars()) if place in wanted)


def _about_customers(run: Run, base: Basis, found: Figures) -> None:
    """Count who may be destroyed and is kept by nothing, and who should be gone."""
    limit = _limit(base)
    found.overdue = None if limit is None else Counter()
    for among in ranges(run):
        with engine.read(run.engine) as conn:
            page = list(base.due(conn, among))
            items = list(decided_of(conn, run, base, [(each, "") for each in page], Tally())) if page else []
        for each, item in zip(page, items, strict=True):
            if item.action not in (DESTROY, ARCHIVE) or each.rule is None:
                continue
            rule = base.readies[each.policy].rules[each.rule]
            found.due[rule.code] += 1
            found.longest = max(found.longest, each.days - rule.days)
            if found.overdue is not None and limit is not None and each.days - rule.days > limit:
                found.overdue[rule.code] += 1


def _about_imports(run: Run, base: Basis, found: Figures) -> None:
    """Count the imports whose rejected rows may be destroyed, those whose should be gone; so the runs of old values."""
    limit = _limit(base)
    with engine.read(run.engine) as conn:
        for counts, by in ((found.due, 0), (found.overdue, limit)):
            if counts is not None and by is not None:
                imports = rejected.find(conn, base.earlier(timedelta(days=by)), Counter())
                counts.update({"rejected_rows": going} if (going := sum(not each.why for each in imports)) else {})
                old = oldvalues.find(conn, base.earlier(timedelta(days=by))).going
                counts.update({"old_values": len(old)} if old else {})


def _limit(base: Basis) -> int | None:
    """Return the days within which what may be destroyed is destroyed; None while that is undecided."""
    day = base.at.date()
    within = _settled(base.policies, terms(base.policies, day).destroy_within)
    return None if within is None else min((after(base.policies, day, within) - day).days, _LONGEST)


def _hands(conn: Connection, since: datetime | None) -> set[str]:
    """Return who planned or carried out a purge since a moment."""
    columns = destruction.c
    rows = conn.execute(select(columns.plan_id, columns.shredded_at)).all()
    numbers = [number for number, shredded in rows if _lately(shredded, since)]
    ran = {run_id for each in (records.begun(conn, number) for number in numbers) for run_id in
           (each.run_id, *each.counts.get("runs", ()))}  # fmt: skip
    planned = select(plan.c.person).where(plan.c.plan_id.in_(numbers))
    carried_out = select(run_table.c.person).where(run_table.c.run_id.in_(sorted(ran)))
    return {*conn.execute(planned).scalars(), *conn.execute(carried_out).scalars()}
