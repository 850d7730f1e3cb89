"""Lines broken by a line feed outside quotes: pieces that together have a record's cells are no records (A2)."""

from __future__ import annotations

from collections.abc import Iterator

from crmctl.customers.headerrow import Record

_MOST_PIECES = 12


class TornCells(list[str]):
    """Cells that are a piece of a broken record, not a record whose last cells are empty."""


def mark_torn(records: Iterator[Record], width: int) -> Iterator[Record]:
    """Yield the records in order, with the cells of pieces as `TornCells`.

    Pieces are a run of short records between whole ones whose cells, joined where they broke, make one record.
    """
    run: list[Record] = []
    for record in records:
        cells = record[1]
        if not cells:  # a blank line, as a cell of several paragraphs leaves
            yield record
        elif len(cells) >= width:
            if run:
                yield from _judged(run, width)
                run = []
            yield record
        elif len(run) == _MOST_PIECES:
            yield from run
            run = [record]
        else:
            run.append(record)
    yield from _judged(run, width)


def _judged(run: list[Record], width: int) -> list[Record]:
    if len(run) > 1 and sum(len(cells) - 1 for _number, cells in run) + 1 == width:
        return [(number, TornCells(cells)) for number, cells in run]
    return run
