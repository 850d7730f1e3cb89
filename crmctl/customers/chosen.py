"""Customers as people name them to a command: as arguments, and one a line from a file."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from crmctl.errors import InvalidInput
from crmctl.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST = 64  # bytes of a line: a customer number has twenty at most


def customers(named: Sequence[str], file: str | Path | None) -> Sequence[int]:
    """Return the customers that are named, and those of a file (`-`: standard input): each once, by number.

    Raises InvalidInput for what is no customer number, and for a file without any.
    """
    from crmctl.customers.showing import parse_number

    found = {parse_number(text) for text in named}
    if file is not None:
        listed = set(_listed(file))
        if not listed:
            raise InvalidInput(
                _("{file}: holds no customer number").format(file=_name(file)),
                hint=_("one a line: C-000123 or 123"),
                code="FILE_EMPTY",
            )
        found |= listed
    return array("q", sorted(found))


def _listed(file: str | Path) -> Iterator[int]:
    if str(file) == "-":
        yield from _numbers(sys.stdin.buffer, _name(file))
        return
    from pathlib import Path

    from crmctl.files import open_input

    with open_input(Path(file)) as stream:
        yield from _numbers(stream, _name(file))


def _name(file: str | Path) -> str:
    return _("standard input") if str(file) == "-" else str(file)


def _numbers(stream: BinaryIO, name: str) -> Iterator[int]:
    """Yield the customer number of each line; blank lines are none. What a wrong line says is not repeated."""
    from crmctl.customers.showing import parse_number

    place = 0
    while line := stream.readline(_LONGEST):
        place += 1
        try:
            text = line.decode("utf-8-sig").strip()
            if text:
                yield parse_number(text)
        except (UnicodeDecodeError, InvalidInput):
            raise InvalidInput(
                _("{file}, line {line}: not a customer number").format(file=name, line=place),
                hint=_("one a line: C-000123 or 123"),
                code="NUMBER_INVALID",
            ) from None
