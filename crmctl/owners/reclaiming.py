"""`owner reclaim`: customers nobody has looked after for too long go back to their pool (公海回收).

A window counts from the last contact, and anew from when the owner began. Of whom no contact is recorded nothing is
known: they stay, and are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, not_, null, or_, select, true

from crmctl import clock
from crmctl.audit import entries
from crmctl.customers import contracts
from crmctl.customers.ownership import OWNER, ownership
from crmctl.customers.tables import customer
from crmctl.errors import LimitExceeded
from crmctl.owners import findings
from crmctl.owners.applying import CHUNK, Applied, Move, apply
from crmctl.owners.bench import NO_CUSTOMER
from crmctl.owners.poolrules import Placed, days, pools, undecided
from crmctl.owners.pools import Window
from crmctl.owners.scoping import fits
from crmctl.policy.header import Limits as StatedLimits
from crmctl.runs import limits
from crmctl.runs import run as runs
from crmctl.runs.limits import Limits
from crmctl.runs.run import Run, today
from crmctl.store import engine

Tell = Callable[[int], None]
_LISTED = 20


@dataclass(frozen=True)
class Rule:
    """A window with its figures: `rule` is where it stands, `no_contact` and `contract_ended` are days."""

    rule: str
    placed: Placed
    window: Window
    no_contact: int | None
    contract_ended: int | None


@dataclass
class Outcome:
    """What went back, or would: counts, how many by rule and by owner, the first of them; `waiting` are unset values.

    `unknown` are customers with an owner of whom no contact is recorded, where a rule asks for one.
    """

    run_id: int | None
    dry_run: bool
    reclaimed: int = 0
    unknown: int = 0
    missed: int = 0
    reported: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    by_owner: Counter[int] = field(default_factory=Counter)
    first: list[tuple[int, int, str]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    refusal: LimitExceeded | None = None
    findings: int | None = None  # number under which what policies in mode report found is written down

    def counts(self) -> dict[str, int]:
        """Return the counts for the run and its entry."""
        return {
            "reclaimed": self.reclaimed,
            "unknown": self.unknown,
            "missed": self.missed,
            "reported": self.reported,
        }


def reclaim(run: Run, max_changes: int | None, tell: Tell) -> Outcome:
    """Take customers from owners who let a window pass, or say whose that would be (`run.dry_run`).

    A window whose figure is undecided is left out and named in `waiting`. Raises LimitExceeded before anything is
    written.
    """
    rules, waiting = rules_of(run)
    outcome = Outcome(None, run.dry_run, waiting=waiting)
    acting = _surveyed(run, rules, outcome)
    refusal = _refusal(run, rules, acting, max_changes)
    if refusal is not None and not run.dry_run:
        raise refusal
    outcome.refusal = refusal
    if run.dry_run:
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        applied = Applied()
        for chunk in _chunks(run, rules):
            if run.held is not None:
                run.held.check()
            apply(run, chunk, applied)
            tell(len(chunk))
        outcome.run_id, outcome.missed, outcome.reclaimed = run.run_id, applied.missed, applied.changed
        with engine.write(run.engine) as conn:
            outcome.findings = _findings(conn, run, rules)
            runs.finish(conn, run, "done", 0, outcome.counts())
            obj = None if outcome.findings is None else f"plan:{outcome.findings}"
            entries.append(conn, run.entry("done", at=clock.now(), obj=obj, counts=outcome.counts()))
    return outcome


def rules_of(run: Run) -> tuple[list[Rule], list[str]]:
    """Return the windows that apply on the run's day, and the names of the values that others wait for."""
    found, waiting = [], []
    for placed in pools(run.policies, today(run.policies, run.as_of)):
        for number, window in enumerate(placed.pool.reclaim):
            rule = f"{placed.rule}.reclaim[{number}]"
            missing = undecided(run.policies, window)
            if missing:
                waiting += missing
                continue
            contact = days(run.policies, window.no_contact_for, rule)
            ended = days(run.policies, window.contract_ended_for, rule)
            found.append(Rule(rule, placed, window, contact, ended))
    return found, list(dict.fromkeys(waiting))


def _surveyed(run: Run, rules: Sequence[Rule], outcome: Outcome) -> Counter[int]:
    """Count into `outcome` what would go back; return how many by the place of the rule, of policies that act."""
    acting: Counter[int] = Counter()
    for page in _pages(run, rules):
        for number, owner, place in page:
            if rules[place].placed.ruling.report:
                outcome.reported += 1
                continue
            acting[place] += 1
            outcome.by_rule[rules[place].rule] += 1
            outcome.by_owner[owner] += 1
            if len(outcome.first) < _LISTED:
                outcome.first.append((number, owner, rules[place].rule))
    outcome.reclaimed = sum(acting.values())
    outcome.unknown = _unknown(run, rules)
    return acting


def _refusal(run: Run, rules: Sequence[Rule], acting: Counter[int], override: int | None) -> LimitExceeded | None:
    """Return the refusal of the first policy whose limit would be exceeded."""
    by_policy: Counter[str] = Counter()
    stated: dict[str, StatedLimits] = {}
    for place, number in acting.items():
        policy = rules[place].placed.policy
        by_policy[policy.name] += number
        stated[policy.name] = policy.limits
    with engine.read(run.engine) as conn:
        query = select(func.count()).select_from(customer).where(customer.c.owner_id.is_not(None))
        owned = int(conn.execute(query).scalar_one())
    for name, number in by_policy.items():
        most, percent = stated[name].max_changes, stated[name].max_percent
        allowed = Limits(most, None if percent is None else float(percent)).allowed(owned, override)
        try:
            limits.check(number, allowed, name)
        except LimitExceeded as refusal:
            return refusal
    return None


def _chunks(run: Run, rules: Sequence[Rule]) -> Iterator[list[Move]]:
    acting = [rule for rule in rules if not rule.placed.ruling.report]
    for page in _pages(run, acting):
        yield [_move(acting[place], number, owner) for number, owner, place in page]


def _findings(conn: Connection, run: Run, rules: Sequence[Rule]) -> int | None:
    """Write down what policies in mode report would have taken; it is read again, so that nothing is kept in memory."""
    reporting = [rule for rule in rules if rule.placed.ruling.report]
    found = (
        _move(reporting[place], number, owner) for page in _pages(run, reporting, conn) for number, owner, place in page
    )
    return findings.save_reclaimed(conn, run, found, reporting=bool(reporting))


def _move(rule: Rule, number: int, owner: int) -> Move:
    inputs = {"no_contact_for": rule.no_contact, "contract_ended_for": rule.contract_ended}
    told = {name: value for name, value in inputs.items() if value is not None}
    policy = rule.placed.policy
    return Move(number, owner, None, "reclaim", rule.rule, None, told, policy.name, policy.version)


def _pages(run: Run, rules: Sequence[Rule], conn: Connection | None = None) -> Iterator[list[tuple[int, int, int]]]:
    """Yield what goes back, a chunk at a time, by customer number: (customer, owner, place of the rule).

    Each chunk is read by itself, unless in the transaction of `conn`.
    """
    if not rules:
        return
    after = 0
    while True:
        with engine.read(run.engine) if conn is None else nullcontext(conn) as reader:
            query = _query(run, rules).where(customer.c.customer_id > after).limit(CHUNK)
            page = [(int(row[0]), int(row[1]), int(row[2])) for row in reader.execute(query)]
        if page:
            yield page
        if len(page) < CHUNK:
            return
        after = page[-1][0]


def _query(run: Run, rules: Sequence[Rule]) -> Select[Any]:
    """Return the question of whom the first window that has passed takes; each customer once."""
    day = today(run.policies, run.as_of)
    whens = [(_passed(run, rule, day), place) for place, rule in enumerate(rules)]
    place = case(*whens, else_=null())
    columns = customer.c
    some = or_(*(condition for condition, _place in whens))
    query = select(columns.customer_id, columns.owner_id, place)
    return query.where(columns.owner_id.is_not(None), columns.status.not_in(NO_CUSTOMER), some).order_by(
        columns.customer_id
    )


def _passed(run: Run, rule: Rule, day: date) -> ColumnElement[bool]:
    columns = customer.c
    parts = [*_whose(run, rule)]
    if rule.no_contact is not None:
        since = _begins(run, day, rule.no_contact)
        own = ownership.c
        lately = exists().where(
            own.customer_id == columns.customer_id, own.role == OWNER, own.until_at.is_(None), own.since_at >= since
        )
        parts += [columns.last_contact_at.is_not(None), columns.last_contact_at < since, not_(lately)]
    if rule.contract_ended is not None:
        ended = contracts.end_on(customer)
        parts += [ended.is_not(None), ended <= (day - timedelta(days=rule.contract_ended)).isoformat()]
    return and_(*parts)


def _whose(run: Run, rule: Rule) -> list[ColumnElement[bool]]:
    """Return whom a rule is about: the policy's customers without its exceptions, of the pool, of these tiers."""
    tiers = [str(tier) for tier in rule.window.tiers]
    own = [customer.c.tier.in_(tiers)] if tiers else []
    return [fits(run, rule.placed.ruling), *rule.placed.where(), *own]


def _begins(run: Run, day: date, wait: int) -> datetime:
    """Return the moment before which a last contact is too long ago: the whole day so many days ago still counts."""
    return datetime.combine(day - timedelta(days=wait - 1), time.min, ZoneInfo(run.zone))


def _unknown(run: Run, rules: Sequence[Rule]) -> int:
    columns = customer.c
    asking = [and_(*_whose(run, rule), true()) for rule in rules if rule.no_contact is not None]
    if not asking:
        return 0
    query = select(func.count()).select_from(customer)
    query = query.where(
        columns.owner_id.is_not(None),
        columns.status.not_in(NO_CUSTOMER),
        columns.last_contact_at.is_(None),
        or_(*asking),
    )
    with engine.read(run.engine) as conn:
        return int(conn.execute(query).scalar_one())
