"""What an unquoted value means: text, whole number, decimal, date, true or false, and nothing else.

YAML 1.1 reads `no` as false, `010` as 8, `1:30` as 90 and `+8613800138000` as a number. Whatever YAML programs read
differently from what a person sees has to be quoted here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import TypeAlias

from crmctl.i18n import _
from crmctl.policy.nodes import Fields, Items, Node, Scalar
from crmctl.policy.problems import Report, shown

MOST_DIGITS = 18  # fits 64 bits, as every number in the database does

Plain: TypeAlias = "str | int | bool | Decimal | date | None | list[Plain] | dict[str, Plain]"

_BOOLISH = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false"})
_NULLISH = frozenset({"", "~", "null", "Null", "NULL"})
_NUMBERISH = frozenset("0123456789+-.")
_WHOLE = re.compile(r"-?(?:0|[1-9][0-9]*)\Z", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+\Z", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}\Z")
_MISREAD = re.compile(
    r"""(?: [-+]?0[0-9_]+                                  # octal: 010, 0086
          | [-+]?0[xXbBoO][0-9a-fA-F_]+
          | [-+]?[0-9][0-9_]*_[0-9_]*                      # 1_000
          | [-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)? # 1., 0._5
          | \+[0-9][0-9_.]*                                # +8613800138000
          | [-+]?[0-9]+(?::[0-9]+)+(?:\.[0-9]*)?           # 1:30, base 60
          | [-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][-+]?[0-9]+
          | [-+]?\.[0-9][0-9_]*
          | [-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)
          | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9].*
        )\Z""",
    re.VERBOSE,
)


def misread(text: str) -> bool:
    """Return whether unquoted `text` means something else than these characters to a YAML reader."""
    if text in _NULLISH or text.lower() in _BOOLISH:
        return True
    return text[:1] in _NUMBERISH and bool(
        _WHOLE.match(text) or _DECIMAL.match(text) or _DATE.match(text) or _MISREAD.match(text)
    )


def construct(node: Node, report: Report) -> Plain:
    """Return the plain Python form of a tree, noting every value that could be misread. Keys `x-…` are left out."""
    if isinstance(node, Fields):
        return {name: value for name, value in _entries(node, report) if not name.startswith("x-")}  # the user's own
    if isinstance(node, Items):
        return [construct(value, report) for value in node.values]
    if not node.plain or node.mark in report.broken:
        return node.text
    return _plain(node, report)


def _entries(node: Fields, report: Report) -> Iterator[tuple[str, Plain]]:
    for name, entry in node.entries.items():
        value = entry.value
        if not isinstance(value, Scalar) or not value.plain:
            yield name, construct(value, report)
        elif node.flow and not value.text:  # {en: People, roles and rights} makes a key of the second half
            hint = _("inside { } a text with a comma is quoted, and every key has a value")
            report.spoil(entry.mark, "P112", _("{name}: no value").format(name=shown(name)), hint)
            report.broken.add(value.mark)
            yield name, None
        elif name == "mode" and value.text == "off":  # the one such word that files need: a policy switched off
            yield name, value.text
        else:
            yield name, construct(value, report)


def _plain(node: Scalar, report: Report) -> Plain:
    text = node.text
    if text in _NULLISH:
        report.spoil(node.mark, "P112", _("no value"), _("write one, or remove the key"))
        return None
    if text[0] not in _NUMBERISH:
        if text == "true":
            return True
        if text == "false":
            return False
        if text.lower() in _BOOLISH:
            hint = _('write true or false; a text is quoted: "{text}"').format(text=text)
            report.spoil(node.mark, "P202", _("{text}: could be read as true or false").format(text=text), hint)
        return text
    return _number(node, report)


def _number(node: Scalar, report: Report) -> Plain:
    text = node.text
    if _WHOLE.match(text) or _DECIMAL.match(text):
        if sum(map(str.isdigit, text)) > MOST_DIGITS:
            _ambiguous(node, report)
            return text
        return int(text) if _WHOLE.match(text) else Decimal(text)
    if _DATE.match(text):
        try:
            return date.fromisoformat(text)
        except ValueError:
            hint = _("dates are written 2026-01-05; a text is quoted")
            report.spoil(node.mark, "P206", _("{text}: no such date").format(text=text), hint)
            return text
    if _MISREAD.match(text):
        _ambiguous(node, report)
    return text


def _ambiguous(node: Scalar, report: Report) -> None:
    text = shown(node.text)
    hint = _('quote it: "{text}"').format(text=text)
    report.spoil(node.mark, "P202", _("{text}: YAML programs read this differently").format(text=text), hint)
