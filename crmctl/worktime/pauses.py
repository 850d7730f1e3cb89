"""Pauses: times in which a clock stands still, as while one waits for the customer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pause:
    """From the first moment up to, not including, the second; without the second it is still open.

    Raises ValueError for a time without zone, or an end before the beginning.
    """

    from_: datetime
    until: datetime | None = None

    def __post_init__(self) -> None:
        if self.from_.tzinfo is None or (self.until is not None and self.until.tzinfo is None):
            raise ValueError("a pause needs aware times")
        if self.until is not None and self.until < self.from_:
            raise ValueError("a pause ends before it begins")

    @property
    def end(self) -> datetime:
        """Its end; the end of time while it is open."""
        return self.until or END_OF_TIME


def merged(pauses: Sequence[Pause], idle: Callable[[datetime, datetime], bool] | None = None) -> tuple[Pause, ...]:
    """Return pauses in the order of time that neither touch nor overlap; empty ones are left out.

    `idle` says of the time between two pauses whether nothing would count in it anyway; then they become one.
    """
    found: list[Pause] = []
    for pause in sorted((each for each in pauses if each.end > each.from_), key=lambda each: each.from_):
        last = found[-1] if found else None
        if last is not None and (pause.from_ <= last.end or (idle is not None and idle(last.end, pause.from_))):
            found[-1] = Pause(last.from_, None if END_OF_TIME in (last.end, pause.end) else max(last.end, pause.end))
        else:
            found.append(pause)
    return tuple(found)


def running(start: datetime, pauses: Sequence[Pause]) -> Iterator[tuple[datetime, datetime]]:
    """Yield from `start` on the times in which the clock runs; the last one has no end unless a pause is open."""
    begin = start
    for pause in merged(pauses):
        if pause.from_ > begin:
            yield begin, pause.from_
        begin = max(begin, pause.end)
    if begin < END_OF_TIME:
        yield begin, END_OF_TIME


def paused(start: datetime, end: datetime, pauses: Sequence[Pause]) -> Iterator[tuple[datetime, datetime]]:
    """Yield the times between two moments in which the clock stands still."""
    for pause in merged(pauses):
        begin, until = max(start, pause.from_), min(end, pause.end)
        if begin < until:
            yield begin, until
