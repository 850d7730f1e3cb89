"""What people type about holds → what is to be set; customers as arguments, and one a line from a file."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, BinaryIO

from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from pathlib import Path

    from crmctl.holds.setting import Wish

_LONGEST = 64  # bytes of a line: a customer number has twenty at most


def wish(given: Mapping[str, Any]) -> Wish:
    """Return what the options of `hold set` ask for. Raises UsageProblem for what does not go together."""
    from crmctl.holds.setting import Wish

    new = given["kind"] or given["authority"] or given["review_on"] or given["everybody"]
    if given["hold"] and new:
        raise UsageProblem(
            _("--hold adds customers to a hold as it is: --kind, --authority, --review-on, --everybody do not apply"),
            hint=_("leave them out, or set a new hold"),
        )
    if not given["hold"] and not given["kind"]:
        raise UsageProblem(_("--kind is missing"), hint=_("or --hold NUMBER, to add to one that there is"))
    return Wish(
        reason=reason(given),
        kind=given["kind"] or "",
        authority=given["authority"] or "",
        review_on=day(given["review_on"], "--review-on") if given["review_on"] else None,
        everybody=given["everybody"],
        to=given["hold"],
    )


def reason(given: Mapping[str, Any]) -> str:
    """Return the reason given. Raises UsageProblem where there is none."""
    text: str | None = given["reason"]
    if not text:
        raise UsageProblem(
            _("--reason is missing"), hint=_("a hold says why it was set, and why it was lifted (DES-07)")
        )
    return text


def day(text: str, flag: str) -> date:
    """Return the day an option names. Raises InvalidInput for anything but 2026-11-21."""
    try:
        if len(text) == 10 and text[4] == "-" == text[7]:
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidInput(
        _("{flag} {text}: not a date").format(flag=flag, text=text[:20]),
        hint=_("write 2026-11-21"),
        code="DATE_INVALID",
    )


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
