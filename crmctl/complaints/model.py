"""A complaint as it is read: its row, what happened to it, its clocks, the terms it was accepted under."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import orjson

from crmctl.cases import terms as case_terms
from crmctl.cases.clockwork import Clock, Happened
from crmctl.cases.terms import Terms
from crmctl.clock import parse_stamp, stamp
from crmctl.complaints import decide
from crmctl.complaints.decide import Event, Standing
from crmctl.worktime.pauses import Pause

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """One complaint. Rows hold canonical primitives; `events` and `clocks` stand in the order of their numbers."""

    row: Row
    sealed: bytes
    sealed_hash: bytes
    events: tuple[Row, ...]
    clock_rows: tuple[Row, ...]

    @property
    def customer_id(self) -> int:
        """The customer it lies with."""
        return int(self.row["customer_id"])

    @property
    def concerned(self) -> frozenset[int]:
        """The customers it is of: the one it lies with, and who an unidentified complainant turned out to be."""
        linked = self.row["linked_customer_id"]
        return frozenset({self.customer_id} if linked is None else {self.customer_id, int(linked)})

    @property
    def complaint_id(self) -> int:
        """Its own number, in the log."""
        return int(self.row["complaint_id"])

    @property
    def number(self) -> str:
        """Its acceptance number."""
        return str(self.row["number"])

    @property
    def about(self) -> tuple[int, ...]:
        """Staff it is about."""
        return tuple(map(int, (self.row["about"] or "").split()))

    @property
    def handlers(self) -> frozenset[int]:
        """Staff who handle it or ever did."""
        told = [orjson.loads(row["data"]) for row in self.events if row["kind"] in ("accepted", "handed")]
        found = {data.get("handler") or data.get("to") for data in told} | {self.row["handler_id"]}
        return frozenset(each for each in found if each is not None)

    @cached_property
    def terms(self) -> Terms:
        """The terms it was accepted under."""
        return case_terms.loads(self.row["terms"])

    @cached_property
    def rest(self) -> Mapping[str, Any]:
        """The terms that are of complaints alone: what closing needs, who keeps out, and so on."""
        found: Mapping[str, Any] = orjson.loads(self.terms.rest)
        return found

    @cached_property
    def standing(self) -> Standing:
        """How it stands after all that happened to it."""
        return decide.standing(map(event_of, self.events))

    @property
    def promised(self) -> str | None:
        """The completion deadline of the newest plan, as a stamp."""
        plans = [orjson.loads(row["data"]) for row in self.events if row["kind"] == "proposed"]
        return str(plans[-1]["plan_due_at"]) if plans else None

    @property
    def waiting_departments(self) -> tuple[str, ...]:
        """Departments that were asked and have not answered."""
        found: list[str] = []
        for row in self.events:
            department = orjson.loads(row["data"]).get("department")
            if row["kind"] == "handed" and department and department not in found:
                found.append(department)
            elif row["kind"] == "answered" and department in found:
                found.remove(department)
        return tuple(found)

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """Its clocks."""
        return tuple(map(clock_of, self.clock_rows))


def event_of(row: Row) -> Event:
    """Return what a row of events says, as deciding needs it."""
    return Event(row["kind"], parse_stamp(row["at"]), orjson.loads(row["data"]))


def clock_of(row: Row) -> Clock:
    """Return the clock of a row."""
    pauses = tuple(Pause(parse_stamp(begin), _moment(end)) for begin, end in orjson.loads(row["pauses"]))
    return Clock(
        row["stage"],
        parse_stamp(row["started_at"]),
        row["within"],
        row["calendar"],
        _moment(row["due_at"]),
        bool(row["provisional"]),
        bool(row["told"]),
        pauses,
        row["extended"],
        row["level"],
        _moment(row["stopped_at"]),
        row["clock_id"],
    )


def clock_columns(clock: Clock) -> dict[str, Any]:
    """Return what a clock's row says of it, as `clock_of` reads it."""
    pauses = [[stamp(pause.from_), stamp(pause.until) if pause.until else None] for pause in clock.pauses]
    return {
        "stage": clock.stage,
        "started_at": stamp(clock.started_at),
        "within": clock.within,
        "calendar": clock.calendar,
        "due_at": stamp(clock.due_at) if clock.due_at else None,
        "provisional": int(clock.provisional),
        "told": int(clock.told),
        "pauses": orjson.dumps(pauses).decode(),
        "extended": clock.extended,
        "level": clock.level,
        "stopped_at": stamp(clock.stopped_at) if clock.stopped_at else None,
    }


def happened(events: tuple[Row, ...]) -> tuple[Happened, ...]:
    """Return what happened, as clocks need it.

    The receipt of a complaint is one thing, its acceptance the next; a revisit or a review that finds it not settled
    is that besides: another plan is owed.
    """
    found: list[Happened] = []
    for row in events:
        data = orjson.loads(row["data"])
        if row["kind"] == "accepted":
            found.append(Happened("received", parse_stamp(data["received_at"]), _moment(data.get("feedback_by"))))
        found.append(
            Happened(row["kind"], parse_stamp(row["at"]), _moment(data.get("due_at") or data.get("feedback_by")))
        )
        if _unsettled(row["kind"], data):
            found.append(Happened("unsettled", parse_stamp(row["at"])))
    return tuple(found)


def _unsettled(kind: str, data: Mapping[str, Any]) -> bool:
    return (kind == "revisited" and not data.get("settled")) or (kind == "reviewed" and data.get("result") != "passed")


def _moment(text: str | None) -> datetime | None:
    return parse_stamp(text) if text else None
