"""Checks between the parts of the customers policy: names used twice, references to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from crmctl.customers.policy import CLEAR_COLUMNS, ESSENTIAL, OUTSIDE_LISTS, PARTIES, CustomerField, CustomersSettings
from crmctl.i18n import _
from crmctl.policy.model import Finding, Lookup, lint_codes
from crmctl.policy.nodes import Path
from crmctl.sheets import policy_lint
from crmctl.sheets.policy_lint import unknown


def findings(settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    """Yield every contradiction of `settings`."""
    for code in ESSENTIAL:
        if code not in settings.by_code:
            yield Finding(("fields",), _("field {code} is missing").format(code=code), code="P105")
    yield from lint_codes(settings.types, ("types",))
    yield from lint_codes(settings.purposes, ("purposes",))
    yield from policy_lint.findings(settings, ("types", *OUTSIDE_LISTS))
    yield from _defaults(settings)
    for position, field in enumerate(settings.fields):
        yield from _field(field, ("fields", position), settings, look)
    yield from _completeness(settings, look)


def _defaults(settings: CustomersSettings) -> Iterator[Finding]:
    default = settings.default_type
    for party, code in (("organisation", default.organisation), ("person", default.person)):
        kind = settings.type_by_code.get(code)
        if kind is None or kind.party != party:
            message = _("{code} is no type of party {party}").format(code=code, party=party)
            yield Finding(("default_type", party), message, code="P307")


def _field(field: CustomerField, at: Path, settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    fields = [*settings.by_code]
    groups = [*settings.type_by_code, *PARTIES]
    required = field.required
    for inside, codes in (
        (("overflow",), [field.overflow] if field.overflow else []),
        (("mobile_to",), [field.mobile_to] if field.mobile_to else []),
        (("join", "into"), [field.join.into] if field.join else []),
        (("required", "beside"), required.beside),
    ):
        yield from unknown((*at, *inside), codes, fields)
    yield from unknown((*at, "required", "import"), required.import_, groups)
    yield from unknown((*at, "required", "submit"), required.submit, groups)
    yield from unknown((*at, "required", "tiers"), [*required.tiers], look.known("tier"))
    for tier, types in required.tiers.items():
        yield from unknown((*at, "required", "tiers", tier), types, groups)
    if field.identity:
        yield from unknown((*at, "identity", "types"), [*field.identity.types], groups)
    yield from unknown((*at, "purpose"), [field.purpose], [item.code for item in settings.purposes])
    if field.format == "money" and field.code not in CLEAR_COLUMNS and field.sealed:
        yield Finding((*at, "sensitivity"), _("an amount is open or internal"))


def _completeness(settings: CustomersSettings, look: Lookup) -> Iterator[Finding]:
    for position, item in enumerate(settings.completeness.items):
        at = ("completeness", "items", position)
        yield from unknown((*at, "any_of"), item.any_of, [*settings.by_code])
        yield from unknown((*at, "types"), item.types, [*settings.type_by_code, *PARTIES])
        yield from unknown((*at, "tiers"), item.tiers, look.known("tier"))
