"""Least, median and greatest amount of a column, in one pass and flat memory: a 万元 taken for yuan shows here."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import Column
from crmctl.sheets.readers import Money

_SAMPLE = 8192
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d*)?", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class Figures:
    """What a column of amounts holds, in minor units of `currency`, of which 10 to the power of `decimals` are one.

    The median is of a sample when there are many. A cell in another currency counts as filled only.
    """

    field: str
    header: str
    unit: int
    currency: str
    filled: int
    unreadable: int
    least: int | None
    median: int | None
    greatest: int | None
    decimals: int


class Weigher:
    """Takes the cells of one column one by one."""

    def __init__(self, column: Column, money: Money) -> None:
        self.index = column.index
        self._column = column
        self._money = money
        self._low, self._high = float("inf"), float("-inf")
        self._least: int | None = None
        self._greatest: int | None = None
        self._sample: list[int] = []
        self._step = 1
        self._filled = 0
        self._unreadable = 0

    def take(self, cells: Iterable[str]) -> None:
        """Weigh cells. Exact reading is kept for extremes and for the sample."""
        low, high, filled, step = self._low, self._high, self._filled, self._step
        about: float | None
        for cell in cells:
            try:
                about = float(cell)
            except ValueError:
                about = float(cell.replace(",", "")) if _THOUSANDS(cell) else None
            if about is not None and low <= about <= high and (filled + 1) % step:
                filled += 1
            elif cell:
                self._filled = filled
                self._exactly(cell, about)
                low, high, filled, step = self._low, self._high, self._filled, self._step
        self._filled = filled

    def _exactly(self, cell: str, about: float | None) -> None:
        try:
            amount = self._money.read(cell, None)
        except Fault:
            self._unreadable += 1
            return
        if amount is None:
            return
        self._filled += 1
        if amount.currency != self._money.currency:
            return
        if about is not None:
            self._low, self._high = min(self._low, about), max(self._high, about)
        self._least = amount.minor if self._least is None else min(self._least, amount.minor)
        self._greatest = amount.minor if self._greatest is None else max(self._greatest, amount.minor)
        if self._filled % self._step == 0:
            self._sample.append(amount.minor)
            if len(self._sample) > _SAMPLE:
                self._sample = self._sample[1::2]
                self._step *= 2

    def figures(self) -> Figures:
        """Return what was seen."""
        ordered = sorted(self._sample)
        median = ordered[len(ordered) // 2] if ordered else self._least
        money = self._money
        return Figures(
            self._column.field or "", self._column.header, money.unit.factor, money.currency,
            self._filled, self._unreadable, self._least, median, self._greatest, money.decimals[money.currency],
        )  # fmt: skip
