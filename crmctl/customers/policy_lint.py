"""Checks between the parts of the customers policy: names used twice, references to nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from crmctl.customers.policy import (
    CLEAR_COLUMNS,
    ESSENTIAL,
    OUTSIDE_LISTS,
    PARTIES,
    CustomersSettings,
    FieldPolicy,
)
from crmctl.i18n import _
from crmctl.policy.model import CodeItem, Finding, Lookup, lint_codes
from crmctl.policy.nodes import Path
from crmctl.policy.problems import suggest


def findings(settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield every contradiction of `settings`."""
    for code in ESSENTIAL:
        if code not in settings.by_code:
            yield Finding(("fields",), _("field {code} is missing").format(code=code), code="P105")
    lists: list[tuple[Path, Sequence[CodeItem]]] = [
        (("types",), settings.types),
        (("purposes",), settings.purposes),
        (("currencies",), settings.currencies),
        *((("lists", name), items) for name, items in settings.lists.items()),
    ]
    for at, items in lists:
        yield from lint_codes(items, at)
    yield from _defaults(settings)
    first: dict[str, int] = {}
    for position, field in enumerate(settings.fields):
        at = ("fields", position)
        if first.setdefault(field.code, position) != position:
            yield Finding((*at, "code"), _("field {code} is defined twice").format(code=field.code), code="P306")
        yield from _field(field, at, settings, look)
    yield from _completeness(settings, look)


def _defaults(settings: CustomersSettings) -> Iterator[Finding]:
    default = settings.default_type
    for party, code in (("organisation", default.organisation), ("person", default.person)):
        kind = settings.type_by_code.get(code)
        if kind is None or kind.party != party:
            message = _("{code} is no type of party {party}").format(code=code, party=party)
            yield Finding(("default_type", party), message, code="P307")
    currencies = [item.code for item in settings.currencies]
    named: list[tuple[Path, str | None]] = [(("currency",), settings.currency)]
    named += [(("units", position, "currency"), unit.currency) for position, unit in enumerate(settings.units)]
    for at, currency in named:
        yield from _unknown(at, [currency] if currency else [], currencies)


def _field(field: FieldPolicy, at: Path, settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    for inside, message in field.contradictions():
        yield Finding((*at, *inside), message)
    fields = [*settings.by_code]
    groups = [*settings.type_by_code, *PARTIES]
    required = field.required
    for inside, codes in (
        (("overflow",), [field.overflow] if field.overflow else []),
        (("mobile_to",), [field.mobile_to] if field.mobile_to else []),
        (("join", "into"), [field.join.into] if field.join else []),
        (("required", "beside"), required.beside),
        (("headers_beside",), [*field.headers_beside]),
    ):
        yield from _unknown((*at, *inside), codes, fields)
    yield from _unknown((*at, "required", "import"), required.import_, groups)
    yield from _unknown((*at, "required", "submit"), required.submit, groups)
    yield from _unknown((*at, "required", "tiers"), [*required.tiers], look.known("tier"))
    for tier, types in required.tiers.items():
        yield from _unknown((*at, "required", "tiers", tier), types, groups)
    if field.identity:
        yield from _unknown((*at, "identity", "types"), [*field.identity.types], groups)
    yield from _unknown((*at, "purpose"), [field.purpose], [item.code for item in settings.purposes])
    lists = ["types", "currencies", *settings.lists, *OUTSIDE_LISTS]
    yield from _unknown((*at, "choices"), [field.choices] if field.choices else [], lists)
    if field.format == "money" and field.code not in CLEAR_COLUMNS and field.sealed:
        yield Finding((*at, "sensitivity"), _("an amount is open or internal"))


def _completeness(settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    for position, item in enumerate(settings.completeness.items):
        at = ("completeness", "items", position)
        yield from _unknown((*at, "any_of"), item.any_of, [*settings.by_code])
        yield from _unknown((*at, "types"), item.types, [*settings.type_by_code, *PARTIES])
        yield from _unknown((*at, "tiers"), item.tiers, look.known("tier"))


def _unknown(at: Path, codes: Sequence[str], known: Collection[str] | None) -> Iterator[Finding]:
    if known is None:
        return
    for code in codes:
        if code not in known:
            yield Finding(at, _("unknown code {code}").format(code=code), suggest(code, known), "P307")
