"""Checks between the parts of a policy of fields: names used twice, references to nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from crmctl.i18n import _
from crmctl.policy.model import CodeItem, Finding, lint_codes
from crmctl.policy.nodes import Path
from crmctl.policy.problems import suggest
from crmctl.sheets.policy import SheetSettings


def findings(settings: SheetSettings, outside: Sequence[str] = ()) -> Iterator[Finding]:
    """Yield contradictions that any table's policy may have; `outside` are names of lists that it does not keep."""
    lists: list[tuple[Path, Sequence[CodeItem]]] = [
        (("currencies",), settings.currencies),
        *((("lists", name), items) for name, items in settings.lists.items()),
    ]
    for at, items in lists:
        yield from lint_codes(items, at)
    yield from _currencies(settings)
    known = ["currencies", *settings.lists, *outside]
    first: dict[str, int] = {}
    for position, field in enumerate(settings.fields):
        at = ("fields", position)
        if first.setdefault(field.code, position) != position:
            yield Finding((*at, "code"), _("field {code} is defined twice").format(code=field.code), code="P306")
        for inside, message in field.contradictions():
            yield Finding((*at, *inside), message)
        yield from unknown((*at, "headers_beside"), [*field.headers_beside], settings.by_code)
        yield from unknown((*at, "choices"), [field.choices] if field.choices else [], known)


def _currencies(settings: SheetSettings) -> Iterator[Finding]:
    currencies = [item.code for item in settings.currencies]
    if not currencies:  # shared with the customers policy, which is checked itself
        return
    named: list[tuple[Path, str | None]] = [(("currency",), settings.currency)]
    named += [(("units", position, "currency"), unit.currency) for position, unit in enumerate(settings.units)]
    for at, currency in named:
        yield from unknown(at, [currency] if currency else [], currencies)


def unknown(at: Path, codes: Sequence[str], known: Collection[str] | None) -> Iterator[Finding]:
    """Yield a finding for each of `codes` that is not among the known ones, where those are known."""
    if known is None:
        return
    for code in codes:
        if code not in known:
            yield Finding(at, _("unknown code {code}").format(code=code), suggest(code, known), "P307")
