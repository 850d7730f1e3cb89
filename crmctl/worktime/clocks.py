"""The clocks of cases that are open somewhere: `crmctl sla explain CMP-20261121-0007`.

A foundation knows no subject, so a subject names here the function that knows its cases, resolved on use:

    def explained(call: Invocation, reference: str) -> Case | None

It is given what stands on the command line. It returns None for a text that is no reference of its kind; else it opens
its own run, asks for the act `sla.explain`, records the reading and returns the case with its clocks. What a case's
clocks are is said in terms of this room, so that the working is shown in one way for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING

from crmctl.errors import InvalidInput
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.worktime.calendars import Calendar
    from crmctl.worktime.limits import Limit
    from crmctl.worktime.pauses import Pause

CASES: Sequence[str] = ()  # "module:function", each as `explained` above


@dataclass(frozen=True)
class Clock:
    """One limit of a case: what it is for, in the reader's language, and what it was counted with.

    `recorded` is the deadline that the case carries, where one is recorded; it may have been extended since.
    """

    label: str
    start: datetime
    limit: Limit
    calendar: Calendar
    pauses: tuple[Pause, ...] = ()
    recorded: datetime | None = None


@dataclass(frozen=True)
class Case:
    """A case and its clocks, in the order in which they run; `run_id` is that of the reading."""

    reference: str
    clocks: tuple[Clock, ...]
    run_id: int | None = None


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
