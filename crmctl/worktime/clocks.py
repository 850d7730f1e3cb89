"""The clocks of cases: `crmctl sla explain CMP-20261121-0007`, and `crmctl calendar update` for those that run.

A foundation knows no subject, so a subject names here the function that knows its cases, resolved on use:

    def explained(call: Invocation, reference: str) -> Case | None

It is given what stands on the command line. It returns None for a text that is no reference of its kind; else it opens
its own run, asks for the act `sla.explain`, records the reading and returns the case with its clocks. What a case's
clocks are is said in terms of this room, so that the working is shown in one way for all.

When a calendar has changed, a subject's `MOVING` function says which of its deadlines would be another by now, and
moves them where `apply` says so:

    def moving(run: Run, name: str, apply: bool) -> Moving
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from crmctl.errors import InvalidInput
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.runs.run import Run
    from crmctl.worktime.calendars import Calendar
    from crmctl.worktime.limits import Limit
    from crmctl.worktime.pauses import Pause

CASES: Sequence[str] = ("crmctl.complaints.explaining:explained",)  # "module:function", each as `explained` above
MOVING: Sequence[str] = ("crmctl.complaints.recalendar:moving",)  # the same, each as `moving` above


@dataclass(frozen=True)
class Clock:
    """One limit of a case: what it is for, in the reader's language, and what it was counted with.

    `recorded` is the deadline that the case carries, where one is recorded; it may have been extended since. Without
    `limit` there is nothing to count: it is the date that was promised, or there is none. `notes` are lines for people,
    `more` is what programs get of it besides.
    """

    label: str
    start: datetime
    limit: Limit | None
    calendar: Calendar
    pauses: tuple[Pause, ...] = ()
    recorded: datetime | None = None
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """A case and its clocks, in the order in which they run; `run_id` is that of the reading, `more` as of a clock."""

    reference: str
    clocks: tuple[Clock, ...]
    run_id: int | None = None
    notes: tuple[str, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Move:
    """A deadline that the calendars of today make another: of which case and stage, from when to when.

    `told` ones stay: a date that a customer was told never moves. So do those that are `over` and would be due later.
    `label` is the stage in the reader's language.
    """

    reference: str
    stage: str
    label: str
    calendar: str
    before: datetime
    after: datetime | None
    provisional: bool
    told: bool
    over: bool = False

    @property
    def stays(self) -> str:
        """Why it stays where it is: told, over; empty where it moves."""
        return "told" if self.told else "over" if self.over else ""


@dataclass(frozen=True)
class Moving:
    """What becomes of a subject's deadlines: those that move or stay, how many were written, were left, cannot be told.

    `refreshed` stay as they are and are provisional no more (or are from now on); `missed` stopped or changed
    meanwhile; `troubles` are cases and codes.
    """

    moves: tuple[Move, ...] = ()
    examined: int = 0
    moved: int = 0
    refreshed: int = 0
    missed: int = 0
    troubles: tuple[tuple[str, str], ...] = ()
    run_id: int | None = None  # of what was written


def moving(run: Run, name: str, *, apply: bool) -> Moving:
    """Return what becomes of the deadlines of all subjects that run by a calendar (any where `name` is empty)."""
    found = Moving()
    for target in MOVING:
        module, _colon, verb = target.partition(":")
        each: Moving = getattr(import_module(module), verb)(run, name, apply)
        found = Moving(
            (*found.moves, *each.moves),
            found.examined + each.examined,
            found.moved + each.moved,
            found.refreshed + each.refreshed,
            found.missed + each.missed,
            (*found.troubles, *each.troubles),
            each.run_id or found.run_id,
        )
    return found


def case(call: Invocation, reference: str) -> Case:
    """Return the case that a reference means. Raises InvalidInput where no subject knows such references."""
    for target in CASES:
        module, _colon, name = target.partition(":")
        function: Callable[[Invocation, str], Case | None] = getattr(import_module(module), name)
        found = function(call, reference)
        if found is not None:
            return found
    raise InvalidInput(
        _("{reference}: no case has such a number").format(reference=reference[:40]),
        hint=_('or give --from and --within: crmctl sla explain --from 2026-11-20T17:00 --within "2 working days"'),
        code="CASE_UNKNOWN",
    )
