"""Where the header is: titles above it, two lines of it, cells merged across or down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crmctl.sheets.formats.money import Unit
from crmctl.sheets.headerindex import HeaderIndex

LOOK_AT = 12  # records from the top
_ENOUGH = 2  # known headers that make a header

Record = tuple[int, list[str]]


@dataclass(frozen=True, slots=True)
class HeaderRow:
    """The header: its cells, the number of its (last) record, whether it took two, the unit declared above it."""

    cells: tuple[str, ...]
    number: int
    double: bool
    unit: Unit | None
    known: int


def find_header(
    records: Sequence[Record], index: HeaderIndex, chosen: frozenset[str] = frozenset()
) -> HeaderRow | None:
    """Return the header among the first `records` (not blank ones); the first record when none looks like one.

    `chosen` are headers that `--mapping` names. None when there is no record at all.
    """
    if not records:
        return None

    def known(cells: Sequence[str]) -> int:
        return sum(bool(cell.strip()) and (index.knows(cell) or cell.strip() in chosen) for cell in cells)

    at = 0
    for i, (_number, cells) in enumerate(records[:LOOK_AT]):
        filled = sum(bool(cell.strip()) for cell in cells)
        count = known(cells)
        if count >= _ENOUGH and (i == 0 or count * 2 >= filled) or i == 0 and count * 2 >= filled:
            at = i
            break
    number, cells = records[at]
    unit = next((found for _n, above in records[:at] if (found := index.said_unit(above))), None)
    double = at + 1 < len(records) and _continues(cells, records[at + 1][1], known)
    if double:
        number, below = records[at + 1]
        cells = _merged(cells, below)
    elif at:
        cells = _filled_from_above(cells, records[at - 1][1], index)
    return HeaderRow(tuple(cells), number, double, unit, known(cells))


def _continues(above: Sequence[str], below: Sequence[str], known: Callable[[Sequence[str]], int]) -> bool:
    """Return whether the next record is the header's second line: nothing but headers, and not under each of them."""
    filled = [cell for cell in below if cell.strip()]
    gaps = any(cell.strip() and not (below[i].strip() if i < len(below) else "") for i, cell in enumerate(above))
    holes = any(cell.strip() and not (above[i].strip() if i < len(above) else "") for i, cell in enumerate(below))
    return bool(filled) and (gaps or holes) and known(filled) == len(filled)


def _merged(above: Sequence[str], below: Sequence[str]) -> list[str]:
    width = max(len(above), len(below))
    upper = [*above, *[""] * (width - len(above))]
    lower = [*below, *[""] * (width - len(below))]
    return [under if under.strip() else over for over, under in zip(upper, lower, strict=True)]


def _filled_from_above(cells: Sequence[str], above: Sequence[str], index: HeaderIndex) -> list[str]:
    """Return the header with gaps filled by headers that are merged down from the line above."""
    return [
        cell if cell.strip() or i >= len(above) or not index.knows(above[i]) else above[i]
        for i, cell in enumerate(cells)
    ]
