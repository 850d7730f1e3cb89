"""`calendar update`: deadlines of complaints that another calendar makes another; what a customer was told stays.

A date that was promised has no calendar to follow, so it never moves either. Nor does a limit that is over become due
later: what was late stays late, however the calendar is changed afterwards. A clock that moves keeps the levels of
escalation that its new date has reached, and comes by the others again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from sqlalchemy import Connection

from crmctl import clock as times
from crmctl.audit import entries
from crmctl.audit.changes import Changes
from crmctl.cases.clockwork import CalendarOf, Clock, recomputed
from crmctl.cases.escalating import reached
from crmctl.cases.policy import PROMISED
from crmctl.complaints import notices, openclocks, ruling
from crmctl.complaints.escalating import LOCK
from crmctl.complaints.model import clock_columns
from crmctl.complaints.openclocks import Key, Open
from crmctl.complaints.protected import CLOCK
from crmctl.complaints.writing import Write, write
from crmctl.errors import REJECTED_ROWS, CrmctlError
from crmctl.i18n import pick
from crmctl.process import uncollected
from crmctl.runs import chunks
from crmctl.runs import run as runs
from crmctl.runs.run import Run
from crmctl.security.locks import Held
from crmctl.store import engine
from crmctl.worktime.clocks import Move, Moving


@dataclass(frozen=True)
class Ground:
    """What deadlines are worked out by: the run, the calendars in force today, which of them is asked for."""

    run: Run
    name: str
    calendars: Callable[[str | None], CalendarOf]
    words: Mapping[str, Mapping[str, str]]


@dataclass
class Found:
    """What came of it so far."""

    moves: list[Move] = field(default_factory=list)
    examined: int = 0
    moved: int = 0
    refreshed: int = 0
    missed: int = 0
    troubles: list[tuple[str, str]] = field(default_factory=list)
    chunks: int = 0

    def counts(self) -> dict[str, int]:
        """Return the counts of the entry."""
        stays = [move.stays for move in self.moves]
        return {
            "examined": self.examined, "moved": self.moved, "staying": stays.count("told"),
            "over": stays.count("over"), "refreshed": self.refreshed, "missed": self.missed,
            "troubles": len(self.troubles),
        }  # fmt: skip


def moving(run: Run, name: str, apply: bool) -> Moving:  # noqa: FBT001 - as the registry has it
    """Return which deadlines of complaints are others by the calendars of today; with `apply` move them.

    A dry run moves none. Raises Locked while somebody escalates.
    """
    day = runs.today(run.policies, run.at)
    calendars = cache(lambda unit: ruling.calendars(run.policies, day, unit))
    ground = Ground(run, name, calendars, notices.labels(run.policies))
    if not apply or run.dry_run:
        return _outcome(_through(ground, None, apply=False))
    with runs.hold(run, LOCK) as held:
        run = runs.begin(run)
        with runs.recorded_failure(run):
            found = _through(replace(ground, run=run), held, apply=True)
            codes = sorted({code for _number, code in found.troubles})
            with engine.write(run.engine) as conn:
                runs.finish(conn, run, "done", REJECTED_ROWS if codes else 0, found.counts())
                entries.append(conn, run.entry("done", at=times.now(), counts=found.counts(), codes=codes))
    return _outcome(found, run.run_id)


def _outcome(found: Found, run_id: int | None = None) -> Moving:
    moves = tuple(sorted(found.moves, key=lambda move: (move.reference, move.stage)))
    return Moving(
        moves, found.examined, found.moved, found.refreshed, found.missed, tuple(found.troubles), run_id
    )  # fmt: skip


def _through(ground: Ground, held: Held | None, *, apply: bool) -> Found:
    found = Found()
    for keys in openclocks.pages(ground.run.engine):
        with engine.read(ground.run.engine) as conn, uncollected():
            opened = openclocks.loaded(conn, keys)
        others = [(each, new) for each in opened if (new := _other(ground, each, found)) is not None]
        found.examined += len(opened)
        staying = [(each, new) for each, new in others if _stays(ground, each, new)]
        found.moves += [_move(ground, each, new) for each, new in staying]
        ids = {each.row["clock_id"] for each, _new in others} - {each.row["clock_id"] for each, _new in staying}
        if apply and ids:
            if held is not None:
                held.check()
            _write(ground, [key for key in keys if key.clock_id in ids], found)
        elif ids:
            _note(ground, [(each, new) for each, new in others if each.row["clock_id"] in ids], found)
    return found


def _other(ground: Ground, found: Open, noted: Found | None = None) -> Clock | None:
    """Return a clock as the calendars of today have it; None where it is the same, or nobody can say."""
    clock = found.clock
    if not clock.calendar or clock.within in ("", PROMISED):
        return None
    try:
        calendars = ground.calendars(found.case["org_unit"])
        new = recomputed(clock, found.terms, calendars)
        names = {each.calendar.partition("@")[0] for each in (clock, new)}
        if (ground.name and ground.name not in names) or (new.due_at, new.provisional) == _now(clock):
            return None
        fresh = reached(replace(new, level=0), found.terms.levels, ground.run.at, calendars(found.calendar))
    except CrmctlError as error:
        if noted is not None:
            noted.troubles.append((found.number, error.code))
        return None
    return replace(new, level=min(clock.level, fresh))


def _now(clock: Clock) -> tuple[Any, bool]:
    return clock.due_at, clock.provisional


def _stays(ground: Ground, found: Open, new: Clock) -> bool:
    return (found.clock.told and new.due_at != found.clock.due_at) or _over(ground, found, new)


def _over(ground: Ground, found: Open, new: Clock) -> bool:
    """Say whether a limit is over by now and would be due later."""
    before = found.clock.due_at
    assert before is not None  # what has no end is not among the pages
    return found.clock.late(ground.run.at) and (new.due_at is None or new.due_at > before)


def _write(ground: Ground, keys: Sequence[Key], found: Found) -> None:
    """Write one page of clocks that move or are provisional no more."""
    here = Found()

    def fill(conn: Connection, changes: Changes) -> Mapping[str, int]:
        opened = openclocks.loaded(conn, keys, locked=True)
        others = [(each, new) for each in opened if (new := _other(ground, each)) is not None]
        others = [(each, new) for each, new in others if not _stays(ground, each, new)]
        at = times.stamp(times.now())
        write(conn, changes, [_row(each, new, at) for each, new in others])
        _note(ground, others, here)
        here.missed = len(keys) - len(others)
        return {"moved": here.moved, "refreshed": here.refreshed, "missed": here.missed}

    chunks.write(ground.run, found.chunks, len(keys), len(keys), fill)
    found.chunks += 1
    found.moves += here.moves
    found.moved += here.moved
    found.refreshed += here.refreshed
    found.missed += here.missed


def _row(found: Open, new: Clock, at: str) -> Write:
    after = {**found.row, **clock_columns(new), "updated_at": at, "version": found.row["version"] + 1}
    return Write(CLOCK, after, found.row)


def _note(ground: Ground, others: Sequence[tuple[Open, Clock]], found: Found) -> None:
    moved = [(each, new) for each, new in others if new.due_at != each.clock.due_at]
    found.moves += [_move(ground, each, new) for each, new in moved]
    found.moved += len(moved)
    found.refreshed += len(others) - len(moved)


def _move(ground: Ground, found: Open, new: Clock) -> Move:
    clock = found.clock
    assert clock.due_at is not None  # what has no end is not among the pages
    label = pick(dict(ground.words.get(clock.stage, {})), clock.stage)
    calendar = new.calendar.partition("@")[0]
    return Move(
        found.number, clock.stage, label, calendar, clock.due_at, new.due_at, new.provisional, clock.told,
        _over(ground, found, new),
    )  # fmt: skip
