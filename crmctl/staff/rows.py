"""A record of a staff sheet → what it says of one person, or every reason why it is rejected. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.headers import ColumnMapping
from crmctl.sheets.model import Reason, Rejected
from crmctl.sheets.readers import Read
from crmctl.sheets.torncells import TornCells
from crmctl.staff.policy import StaffSettings

_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class StaffRow(NamedTuple):
    """A valid row: field → value, None where its cell is blank; the cells, in case it is rejected later."""

    number: int
    values: dict[str, Any]
    cells: list[str]


Outcome = StaffRow | Rejected


def compile_rows(
    settings: StaffSettings, mapping: ColumnMapping, readers: Mapping[str, Read]
) -> Callable[[int, list[str]], Outcome]:
    """Return the function from record number and cells to their outcome."""
    plain = [
        (column.index, code, readers[code]) for code, column in mapping.fields.items() if not settings.joined(code)
    ]
    parts: dict[str, list[tuple[int, int, str]]] = {}
    for code, column in mapping.fields.items():
        join = settings.joined(code)
        if join:
            parts.setdefault(join.into, []).append((join.position, column.index, code))

    def row(number: int, record: list[str]) -> Outcome:
        cells = fit(record, mapping.width)
        if isinstance(cells, str):
            return Rejected(number, (Reason(cells, ""),), record)
        reasons: list[Reason] = []
        values: dict[str, Any] = {}
        for index, code, read in plain:
            values[code] = _read(read, cells[index], code, reasons)
        for into, found in parts.items():
            names = [_read(readers[code], cells[index], code, reasons) for _place, index, code in sorted(found)]
            values[into] = joined_name([name for name in names if name]) or None
        if values.get("number") is None and not any(reason.field == "number" for reason in reasons):
            reasons.append(Reason("REQUIRED", "number"))  # whatever else is missing, the register may have
        return Rejected(number, tuple(reasons), record) if reasons else StaffRow(number, values, record)

    return row


def _read(read: Read, cell: str, code: str, reasons: list[Reason]) -> Any:  # noqa: ANN401 - whatever the field holds
    try:
        return read(cell)
    except Fault as fault:
        reasons.append(Reason(fault.code, code))
        return None


def joined_name(parts: list[str]) -> str:
    """Return a whole name from its parts in Western order: 小明 + 王 → 王小明, Nancy + Davolio → Nancy Davolio."""
    return "".join(reversed(parts)) if all(map(_HAN.search, parts)) else " ".join(parts)


def fit(cells: list[str], width: int) -> list[str] | str:
    """Return a record with as many cells as the header, or the code of its rejection.

    Spreadsheets leave out empty cells at the end of a line, and write some more; both say nothing.
    """
    if len(cells) > width:
        return "MORE_CELLS" if any(cell.strip() for cell in cells[width:]) else cells[:width]
    if isinstance(cells, TornCells):
        return "FEWER_CELLS"
    return [*cells, *[""] * (width - len(cells))]
