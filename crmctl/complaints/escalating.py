"""`complaint escalate`: limits that come near or are over go up level by level, each once (CMP-16, REQ-05).

Page by page: what a page raises, its changes, its notices and its entry are one transaction. A run that is killed needs
no repair: what is committed is raised and its notices wait, the next run finds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection

from crmctl import clock as clocks
from crmctl import staff
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.cases.clockwork import CalendarOf
from crmctl.cases.escalating import reached
from crmctl.complaints import openclocks, ruling
from crmctl.complaints.notices import People, channels_gone, told
from crmctl.complaints.openclocks import Key, Open
from crmctl.complaints.protected import CLOCK
from crmctl.complaints.writing import Write, write
from crmctl.customers.tables import customer
from crmctl.errors import REJECTED_ROWS, CrmctlError
from crmctl.notify.deliver import Delivery, deliver
from crmctl.notify.policy import NotifySettings, settings_of
from crmctl.notify.queue import Notice, queue
from crmctl.process import uncollected
from crmctl.runs import chunks
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.store import bulk, engine

LOCK = "complaints-escalate"  # whoever works through the clocks of all complaints holds it
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Raised:
    """A clock that went up: to which level (its code, its place in the policy), and how many notices say so."""

    number: str
    stage: str
    level: str
    place: int
    due_at: datetime
    handler_id: int | None
    notices: int


class Trouble(NamedTuple):
    """A clock that stays where it is as nobody can judge it, or tell of it: channels that notify.yaml has no more."""

    number: str  # acceptance number
    code: str
    channels: tuple[str, ...] = ()


@dataclass
class Found:
    """What a run has come to so far.

    `missed` are clocks that stopped or changed meanwhile, `withheld` counts the people who would have been told but
    keep out, `troubles` the clocks nobody can judge or tell of.
    """

    examined: int = 0
    raised: list[Raised] = field(default_factory=list)
    missed: int = 0
    withheld: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    chunks: int = 0

    @property
    def unknown(self) -> frozenset[str]:
        """Channels that notify.yaml does not name any more."""
        return frozenset(channel for trouble in self.troubles for channel in trouble.channels)

    @property
    def notices(self) -> int:
        """How many notices there are."""
        return sum(each.notices for each in self.raised)

    def counts(self) -> dict[str, int]:
        """Return the counts of the entry."""
        return {
            "examined": self.examined,
            "raised": len(self.raised),
            "notices": self.notices,
            "missed": self.missed,
            "withheld": self.withheld,
            "troubles": len(self.troubles),
        }

    def by_level(self) -> Mapping[tuple[int, str, str], int]:
        """Return how many clocks went up, by place of the level, its code and the stage; in that order."""
        counted = Counter((each.place, each.level, each.stage) for each in self.raised)
        return dict(sorted(counted.items()))


@dataclass(frozen=True)
class Outcome:
    """What a run did, or would do (`run_id` None); `delivery` is what became of the notices that waited."""

    run_id: int | None
    found: Found
    delivery: Delivery = Delivery()


@dataclass(frozen=True)
class Ground:
    """What clocks are judged by: the run, the calendars in force, people, channels."""

    run: Run
    calendars: Callable[[str | None], CalendarOf]
    people: People
    channels: NotifySettings


def escalate(run: Run, tell: Tell) -> Outcome:
    """Raise what has reached a level by `run.as_of` and queue who is to be told, or say what that would be.

    Notices are sent once all is committed; a channel that fails is no reason for the run to. A clock that cannot be
    judged, as where its calendar is gone, or whose level names a channel there is no more, is told and left; the others
    go on.
    """
    ground = _ground(run)
    if run.dry_run:
        return Outcome(None, _through(ground, tell))
    run = runs.begin(run)
    ground = replace(ground, run=run)
    with runs.recorded_failure(run):
        found = _through(ground, tell)
        status = REJECTED_ROWS if found.troubles else 0
        codes = sorted({trouble.code for trouble in found.troubles})
        with engine.write(run.engine) as conn:
            runs.finish(conn, run, "done", status, found.counts())
            entries.append(conn, run.entry("done", at=clocks.now(), counts=found.counts(), codes=codes))
    return Outcome(run.run_id, found, deliver(run))


def _ground(run: Run) -> Ground:
    day, today = runs.today(run.policies, run.as_of), runs.today(run.policies, run.at)
    with engine.read(run.engine) as conn:
        everybody = staff.directory(conn).people
    in_post = frozenset(person.staff_id for person in everybody if person.active_on(today))
    calendars = cache(lambda unit: ruling.calendars(run.policies, day, unit))
    return Ground(run, calendars, People(everybody, in_post), settings_of(run.policies))


def _through(ground: Ground, tell: Tell) -> Found:
    found, run = Found(), ground.run
    for keys in openclocks.pages(run.engine):
        with engine.read(run.engine) as conn, uncollected():
            opened = openclocks.loaded(conn, keys)
            due = {each.row["clock_id"]: to for each in opened if (to := _reached(ground, each, found)) is not None}
            if run.dry_run and due:
                _raise(conn, ground, [each for each in opened if each.row["clock_id"] in due], found)
        found.examined += len(opened)
        if due and not run.dry_run:
            _write(ground, [key for key in keys if key.clock_id in due], found)
        tell(len(keys))
    return found


def _reached(ground: Ground, found: Open, noted: Found | None = None) -> int | None:
    """Return the level that a clock has newly reached; None for none, and where nobody can say, which is noted."""
    at = ground.run.as_of
    if found.clock.started_at > at or found.clock.level >= len(found.terms.levels):
        return None
    try:
        calendar = ground.calendars(found.case["org_unit"])(found.calendar)
        to = reached(found.clock, found.terms.levels, at, calendar)
    except CrmctlError as error:
        if noted is not None:
            noted.troubles.append(Trouble(found.number, error.code))
        return None
    gone = channels_gone(found, to, ground.channels)
    if gone and noted is not None:  # raised in silence, nobody would ever be told
        noted.troubles.append(Trouble(found.number, "CHANNEL_UNKNOWN", tuple(gone)))
    return to if to > found.clock.level and not gone else None


def _write(ground: Ground, keys: Sequence[Key], found: Found) -> None:
    """Write one page of clocks that go up."""
    run, here = ground.run, Found()
    if run.held is not None:
        run.held.check()  # another run may be at work once the lock is lost

    def fill(conn: Connection, changes: Changes) -> Mapping[str, int]:
        opened = openclocks.loaded(conn, keys, locked=True)
        writes, notices = _raise(conn, ground, opened, here)
        write(conn, changes, writes)
        queue(conn, run, notices)
        here.missed = len(keys) - len(writes)
        return {"raised": len(writes), "notices": len(notices), "missed": here.missed, "withheld": here.withheld}

    chunks.write(run, found.chunks, len(keys), len(keys), fill)
    found.chunks += 1
    found.raised += here.raised
    found.missed += here.missed
    found.withheld += here.withheld


def _raise(
    conn: Connection, ground: Ground, opened: Sequence[Open], found: Found
) -> tuple[list[Write], list[Notice]]:  # fmt: skip
    """Return the rows of the clocks that go up and the notices that say so; note both in `found`."""
    up = [(each, to) for each in opened if (to := _reached(ground, each)) is not None]
    people = replace(ground.people, owners=_owners(conn, [each for each, _to in up]))
    at = clocks.stamp(clocks.now())
    writes: list[Write] = []
    notices: list[Notice] = []
    for each, to in up:
        said = told(each, to, people, ground.channels)
        after: dict[str, Any] = {**each.row, "level": to, "updated_at": at, "version": each.row["version"] + 1}
        writes.append(Write(CLOCK, after, each.row))
        notices += said.notices
        found.withheld += len(said.withheld)
        found.raised.append(_raised(each, to, len(said.notices)))
    return writes, notices


def _raised(each: Open, to: int, notices: int) -> Raised:
    due_at = each.clock.due_at
    assert due_at is not None  # what has no end is not among the pages
    code = each.terms.levels[to - 1].code
    return Raised(each.number, each.clock.stage, code, to, due_at, each.case["handler_id"], notices)


def _owners(conn: Connection, opened: Sequence[Open]) -> dict[int, int | None]:
    """Return the owners of the customers, where a level may ask for them."""
    wanted = {
        each.case["linked_customer_id"] or each.case["customer_id"]
        for each in opened
        if any("owner" in level.to for level in each.terms.levels)
    }
    return dict(bulk.fetch_by_keys(conn, customer, "customer_id", wanted, ("customer_id", "owner_id")))
