"""Values from a list of codes: code, label or synonym in, code out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from crmctl.policy.model import CodeItem
from crmctl.sheets.formats.texts import Fault, folded, wording

_SEVERAL = re.compile(r"[;；,，、|\n]")
_MEMORY = 10_000


def choice_reader(items: Iterable[CodeItem] | None, keep: bool, code: str = "VALUE_UNKNOWN") -> Callable[[str], str]:
    """Return a function from cell to code. A value not on the list is kept as written or raises Fault `code`.

    Without a list (`items` is None) every value is kept.
    """
    known = spellings(items or ())
    keep = keep or items is None
    seen: dict[str, str] = {}

    def read(cell: str) -> str:
        found = seen.get(cell)
        if found is not None:
            return found
        text = wording(cell)
        found = known.get(folded(text) or text)
        if found is None:
            if not keep:
                raise Fault(code)
            found = text
        if len(seen) < _MEMORY:
            seen[cell] = found
        return found

    return read


def choices_reader(items: Iterable[CodeItem] | None, keep: bool) -> Callable[[str], tuple[str, ...]]:
    """Return a function from a cell with several values, parted by ; , 、 or |, to their codes in order of writing."""
    one = choice_reader(items, keep)

    def read(cell: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one(part) for part in _SEVERAL.split(cell) if part.strip()))

    return read


def spellings(items: Iterable[CodeItem]) -> dict[str, str]:
    """Return every spelling of every code, folded; the first item wins."""
    known: dict[str, str] = {}
    for item in items:
        for name in item.names():
            known.setdefault(folded(name) or name, item.code)
    return known
