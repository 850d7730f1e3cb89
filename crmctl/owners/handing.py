"""`owner handover`: one person's customers go to another, or to whom the policy chooses (OWN-03).

Owners change; collaborators and first receivers stay as they are: a hand-over does not end their duty (OWN-02). With a
last day the former owner stays as a collaborator until then, written with the change of each customer's owner. Every
chunk is a transaction of its own with its items, the first of which writes the handover; a killed run has handed over
what it wrote, and the same command typed again goes on with the same handover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select, update

from crmctl import clock, staff
from crmctl.audit import entries
from crmctl.customers import ownership as owning
from crmctl.customers.ownership import OWNER, ownership
from crmctl.customers.tables import customer
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.owners.applying import Applied, Move, apply, chunks
from crmctl.owners.bench import NO_CUSTOMER, Bench, bench, books, said
from crmctl.owners.collaborating import require_to_come
from crmctl.owners.tables import handover, handover_item
from crmctl.owners.unfinished import Begun, asked, begun
from crmctl.owners.weighing import basis, weigh
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.staff import Directory, Staff
from crmctl.store import bulk, counters, engine

Tell = Callable[[int], None]
REASONS = ("leave", "move", "absence", "load", "other")
ITEM = ("customer_id", "handover_id", "from_id", "to_id", "state", "rule")
MOST_BY_POLICY = 20_000  # customers named in one question
NO_POLICY = "NO_POLICY"  # no policy that acts is for the customer, or an exception is
_LISTED = 20


@dataclass(frozen=True)
class Wish:
    """What is to be handed over: whose, to whom (empty: as the policy chooses), all, these customers, or per cent.

    Until `stay_until` the former owner stays as a collaborator.
    """

    from_: str
    to: str = ""
    customers: tuple[int, ...] = ()
    share: int | None = None
    reason: str = ""
    stay_until: date | None = None


@dataclass
class Outcome:
    """What was handed over, or would be: to whom how many; `stays` those whom nobody could take, with the rule."""

    run_id: int | None
    handover_id: int | None
    giver: Staff
    bench: Bench
    reason: str
    asked: str
    stay_until: date | None = None
    customers: int = 0
    resumed: int = 0  # of these: handed over by a run that was killed
    missed: int = 0
    by_receiver: Counter[int] = field(default_factory=Counter)
    stays: Counter[str] = field(default_factory=Counter)
    first: list[Move] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """The moves of a handover, and by rule how many customers nobody could take."""

    moves: Sequence[Move]
    stays: Counter[str]


def hand_over(run: Run, wish: Wish, tell: Tell) -> Outcome:
    """Hand customers over, or say who would get whom (`run.dry_run`).

    Raises Refused for a receiver who may not own customers or has no room, for customers who are somebody else's, for
    somebody no longer in post who is to stay, and when there is nothing to hand over; InvalidInput for a day to stay
    until that has passed.
    """
    require_to_come(run, wish.stay_until, "--stay-until")
    with engine.read(run.engine) as conn:
        people = bench(conn, run)
        giver = staff.find(conn, wish.from_)
        receiver = staff.find(conn, wish.to) if wish.to else None
        reason = wish.reason or ("other" if people.active(giver.staff_id) else "leave")
        _require_there(people, giver, wish.stay_until)
        wanted = asked(wish.customers, wish.share, wish.stay_until)
        outcome = Outcome(None, None, giver, people, reason, wanted, wish.stay_until)
        earlier = begun(conn, giver, receiver, outcome.asked, reason)
        book = _chosen(giver, _book(conn, giver), wish, earlier)
        if receiver is not None:
            _require_room(conn, people, giver, receiver, len(book))
    if receiver is not None:
        plan = Plan([Move(number, giver.staff_id, receiver.staff_id, "handover") for number in book], Counter())
    else:
        plan = _by_policy(run, giver, book) if book else Plan((), Counter())  # none named would be everybody
    outcome.stays, outcome.first = plan.stays, list(plan.moves[:_LISTED])
    if earlier is not None:
        outcome.handover_id, outcome.customers = earlier.handover_id, len(earlier.items)
        outcome.resumed = outcome.customers
        outcome.by_receiver.update(taker for taker, _tier in earlier.items.values())
    if run.dry_run:
        outcome.customers += len(plan.moves)
        outcome.by_receiver.update(move.after for move in plan.moves if move.after is not None)
        return outcome
    run = runs.begin(run)
    with runs.recorded_failure(run):
        return _carry_out(run, plan, receiver, outcome, tell)


def _carry_out(run: Run, plan: Plan, receiver: Staff | None, outcome: Outcome, tell: Tell) -> Outcome:
    if outcome.handover_id is None and plan.moves:
        number = counters.take(run.engine, "handover", 1)
    else:
        number = outcome.handover_id or 0
    applied = Applied()
    for chunk in chunks(iter(plan.moves)):
        if run.held is not None:
            run.held.check()
        stays = 0 if outcome.stay_until is None else counters.take(run.engine, "change", len(chunk))

        def note(conn: Connection, chunk: Sequence[Move] = chunk, stays: int = stays) -> None:
            done = _done(conn, run, chunk)
            if done and outcome.handover_id is None:
                _open(conn, run, number, receiver, outcome)
                outcome.handover_id = number
            _items(conn, number, outcome.giver, done)
            if outcome.stay_until is not None:
                joined = [(stays + at, each[0], outcome.giver.staff_id) for at, each in enumerate(done)]
                owning.join(conn, run, "handover", joined, outcome.stay_until)
            outcome.by_receiver.update(to for _customer, to, _rule in done)

        apply(run, chunk, applied, note)
        tell(len(chunk))
    outcome.run_id = run.run_id
    outcome.customers, outcome.missed = outcome.customers + applied.changed, applied.missed
    counts = {"handed_over": applied.changed, "missed": applied.missed, "stays": outcome.stays.total()}
    told = {"obj": f"handover:{outcome.handover_id}"} if outcome.handover_id is not None else {}
    with engine.write(run.engine) as conn:
        if outcome.resumed:
            conn.execute(update(handover).where(handover.c.handover_id == number).values(run_id=run.run_id))
        runs.finish(conn, run, "done", 0, counts)
        entries.append(conn, run.entry("done", at=clock.now(), counts=counts, **told))
    return outcome


def _book(conn: Connection, giver: Staff) -> list[tuple[int, str]]:
    """Return the customers of a person with their tiers, by number."""
    columns = customer.c
    query = select(columns.customer_id, columns.tier).where(
        columns.owner_id == giver.staff_id, columns.status.not_in(NO_CUSTOMER)
    )
    return [(int(row[0]), row[1] or "") for row in conn.execute(query.order_by(columns.customer_id))]


def _chosen(giver: Staff, book: Sequence[tuple[int, str]], wish: Wish, earlier: Begun | None) -> list[int]:
    """Return whom of the book the wish is about, without those whom an `earlier` run that was killed handed over.

    Raises Refused for somebody else's customers, or for none at all.
    """
    done = {} if earlier is None else earlier.items
    tiers = dict(book) | {number: tier for number, (_taker, tier) in done.items()}
    numbers = sorted(tiers)
    if wish.customers:
        strangers = sorted(set(wish.customers) - set(numbers))
        if strangers:
            told = ", ".join(f"C-{number:06d}" for number in strangers[:5])
            raise Refused(
                _("not a customer of {number}: {customers}").format(number=giver.number, customers=told),
                hint=_("see: crmctl owner list --owner {number}").format(number=giver.number),
                code="OTHER_OWNER",
            )
        numbers = sorted(set(wish.customers))
    elif wish.share is not None:
        numbers = shared(giver.staff_id, list(tiers.items()), wish.share)
    if not numbers and book:
        raise Refused(
            _("{number}: {share} per cent of {book} customers is none").format(
                number=giver.number, share=wish.share, book=len(book)
            ),
            hint=_("name them: --partial C-000012,C-000123"),
            code="NO_CUSTOMERS",
        )
    if not numbers:
        raise Refused(
            _("{number}: has no customers to hand over").format(number=giver.number),
            hint=_("see: crmctl owner workload"),
            code="NO_CUSTOMERS",
        )
    return [number for number in numbers if number not in done]


def shared(giver: int, book: Sequence[tuple[int, str]], share: int) -> list[int]:
    """Return `share` per cent of a book, spread over the tiers, the same on every machine and every repeat."""
    ordered = sorted(book, key=lambda each: (each[1], sha256(f"{giver}:{each[0]}".encode()).digest()))
    taken = [
        number for place, (number, _tier) in enumerate(ordered, 1) if place * share // 100 > (place - 1) * share // 100
    ]
    return sorted(taken)


def _require_room(conn: Connection, people: Bench, giver: Staff, receiver: Staff, number: int) -> None:
    """Raise Refused for a receiver who is the giver, may not own customers (OWN-05), or has no room for so many."""
    if receiver.staff_id == giver.staff_id:
        raise Refused(
            _("{number}: gives and takes at once").format(number=giver.number),
            hint=_("name somebody else with --to, or say --by-policy"),
            code="SAME_PERSON",
        )
    problems = people.problems(receiver.staff_id)
    if problems:
        raise Refused(
            _("{number}: may not own customers: {reasons}").format(
                number=receiver.number, reasons=", ".join(map(said, problems))
            ),
            hint=_("see: crmctl staff list --problems"),
            code=problems[0],
        )
    held = books(conn, customer.c.owner_id == receiver.staff_id).get(receiver.staff_id, 0)
    capacity = people.capacity(receiver)
    if capacity is not None and held + number > capacity:
        raise Refused(
            _("{number}: has room for {free} customers, not for {wanted}").format(
                number=receiver.number, free=max(0, capacity - held), wanted=number
            ),
            hint=_("hand over a part (--partial, --share), or --by-policy"),
            code="CAPACITY_FULL",
        )


def _require_there(people: Bench, giver: Staff, stay_until: date | None) -> None:
    """Raise Refused for somebody no longer in post who is to stay as a collaborator."""
    if stay_until is not None and not people.active(giver.staff_id):
        raise Refused(
            _("{number}: no longer in post, and stays with no customer").format(number=giver.number),
            hint=_("leave --stay-until out"),
            code="INACTIVE",
        )


def _by_policy(run: Run, giver: Staff, numbers: Sequence[int]) -> Plan:
    """Return to whom the owners policies give each customer, the giver counted as nobody who is there.

    Raises ValueUndecided while a figure is unset, Refused for more customers than can be weighed at once.
    """
    if len(numbers) > MOST_BY_POLICY:
        raise Refused(
            _("{number} customers are too many for the policy to give out at once").format(number=f"{len(numbers):,}"),
            hint=_("hand over a part first, as in --share 20"),
            code="TOO_MANY",
        )
    with engine.read(run.engine) as conn:
        base = basis(conn, run, tuple(numbers))
        others = tuple(each for each in base.bench.directory.people if each.staff_id != giver.staff_id)
        weighed = weigh(conn, replace(base, bench=replace(base.bench, directory=Directory(others))))
    moves = [move._replace(reason="handover") for each in weighed.acting() for move in each.moves()]
    stays = Counter(code for each in weighed.acting() for _number, _rule, code in each.nobody())
    untouched = len(numbers) - len(moves) - stays.total()
    if untouched:
        stays[NO_POLICY] = untouched
    return Plan(sorted(moves), stays)


def _open(conn: Connection, run: Run, number: int, receiver: Staff | None, outcome: Outcome) -> None:
    conn.execute(
        insert(handover).values(
            handover_id=number,
            from_id=outcome.giver.staff_id,
            to_id=receiver.staff_id if receiver else None,
            state="open",
            reason=outcome.reason,
            asked=outcome.asked,
            ordered_by=run.actor.person,
            run_id=run.run_id,
            customers=0,
            accepted=0,
            returned=0,
            created_at=run.at,
        )
    )
    entries.append(conn, run.entry("begun", at=clock.now(), obj=f"handover:{number}"))


def _done(conn: Connection, run: Run, chunk: Sequence[Move]) -> list[tuple[int, int, str]]:
    """Return those of a chunk who did change hands: the customer, who has it now, the rule."""
    wanted, read = [move.customer_id for move in chunk], ("customer_id", "staff_id", "rule")
    extra = {"run_id": (run.run_id,), "role": (OWNER,)}
    found = bulk.fetch_by_keys(conn, ownership, "customer_id", wanted, read, extra=extra)
    return sorted((int(number), int(to), str(rule)) for number, to, rule in found)


def _items(conn: Connection, number: int, giver: Staff, done: Sequence[tuple[int, int, str]]) -> None:
    rows: list[tuple[Any, ...]] = [(each, number, giver.staff_id, to, "open", rule) for each, to, rule in done]
    bulk.insert_rows(conn, handover_item, ITEM, rows)
    values = {"customers": handover.c.customers + len(rows)}
    conn.execute(update(handover).where(handover.c.handover_id == number).values(values))


def receivers(outcome: Outcome) -> Iterator[tuple[Staff, int]]:
    """Yield who got customers, with how many, most first."""
    for staff_id, number in sorted(outcome.by_receiver.items(), key=lambda item: (-item[1], item[0])):
        yield outcome.bench.directory.by_id[staff_id], number
