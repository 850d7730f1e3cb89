"""Lines broken by a line feed outside quotes: pieces that together have a record's cells are no records (A2)."""

from __future__ import annotations

from crmctl.sheets.headerrow import Record

_MOST_PIECES = 12


class TornCells(list[str]):
    """Cells that are a piece of a broken record, not a record whose last cells are empty."""


class Pieces:
    """Holds short records back until it is clear whether they are pieces of one.

    Pieces are a run of short records between whole ones whose cells, joined where they broke, make one record.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._run: list[Record] = []

    @property
    def waiting(self) -> bool:
        """Whether records are held back."""
        return bool(self._run)

    def take(self, record: Record) -> list[Record]:
        """Take a record with fewer cells than the header; return those that need not wait any longer."""
        if len(self._run) < _MOST_PIECES:
            self._run.append(record)
            return []
        free, self._run = self._run, [record]
        return free

    def free(self) -> list[Record]:
        """Return all that wait, the cells of pieces as `TornCells`: a whole record, or the end of the file, follows."""
        run, self._run = self._run, []
        if len(run) > 1 and sum(len(cells) - 1 for _number, cells in run) + 1 == self._width:
            return [(number, TornCells(cells)) for number, cells in run]
        return run


def fit(cells: list[str], width: int) -> list[str] | str:
    """Return a record with as many cells as the header, or the code of its rejection.

    Spreadsheets leave out empty cells at the end of a line, and write some more; both say nothing.
    """
    if len(cells) > width:
        return "MORE_CELLS" if any(cell.strip() for cell in cells[width:]) else cells[:width]
    if isinstance(cells, TornCells):
        return "FEWER_CELLS"
    return [*cells, *[""] * (width - len(cells))]
