"""How customers look to people: numbers, labels in their language, the columns of a list, the lines of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.cli.render import Column
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _, lang, pick
from crmctl.sheets.formats.money import written

if TYPE_CHECKING:
    from crmctl.customers.policy import Party
    from crmctl.customers.records import Shown
    from crmctl.policy import PolicySet
    from crmctl.runs.run import Run

_NUMBER = re.compile(r"(?:[Cc]-?)?0*([1-9][0-9]{0,17})")


def number_text(number: int) -> str:
    """Return the number people see: C-000123."""
    return f"C-{number:06d}"


def parse_number(text: str) -> int:
    """Return the customer number of `C-000123`, `c123` or `123`. Raises InvalidInput for anything else."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(
            _("{text}: not a customer number").format(text=text[:20]),
            hint=_("write it as C-000123 or 123; other values: crmctl customer find"),
            code="NUMBER_INVALID",
        )
    return int(match.group(1))


def labels(policies: PolicySet) -> Callable[[str, Any], str]:
    """Return the function from a field and a code to its label in the reader's language."""
    settings: Any = policies.settings("customers")
    tables: dict[str, dict[str, str]] = {"type": {item.code: pick(item.labels, item.code) for item in settings.types}}
    for name, items in settings.lists.items():
        tables[name] = {item.code: pick(item.labels, item.code) for item in items}
    tables["tier"] = {}
    for item in tiers(policies):
        tables["tier"].setdefault(item.code, pick(dict(item.labels), item.code))
    company: Any = policies.settings("company")
    tables["org_unit"] = {item.code: pick(dict(item.labels), item.code) for item in company.org_units}
    tables["status"] = {code: _(text) for code, text in STATUS.items()}
    for field in settings.fields:
        if field.choices in tables:
            tables.setdefault(field.code, tables[field.choices])

    def label(field: str, value: Any) -> str:  # noqa: ANN401 - any JSON primitive
        return "" if value is None else tables.get(field, {}).get(str(value), str(value))

    return label


def tiers(policies: PolicySet) -> Iterator[Any]:
    """Yield the tiers of every tiers policy, those for everybody first: what a word or a code means there, it means."""
    for policy in sorted(policies.of_kind("tiers"), key=lambda policy: not policy.scope.everybody):
        settings: Any = policy.settings
        yield from settings.tiers


STATUS = {
    "draft": N_("draft"),
    "submitted": N_("submitted"),
    "returned": N_("returned"),
    "archived": N_("archived"),
    "cancelled": N_("cancelled"),
    "put_away": N_("put away"),
    "provisional": N_("unidentified"),
}


def list_columns(run: Run) -> tuple[Column, ...]:
    """Return the columns of `customer list` and `customer find`."""
    label = labels(run.policies)
    return (
        Column("customer", N_("Customer"), show=number_text),
        Column("type", N_("Type"), show=lambda value: label("type", value)),
        Column("name", N_("Name")),
        Column("contact", N_("Contact")),
        Column("mobile", N_("Mobile")),
        Column("tier", N_("Tier"), show=lambda value: label("tier", value)),
        Column("status", N_("Status"), show=lambda value: label("status", value)),
        Column("region", N_("Region"), show=lambda value: label("region", value)),
        Column("flags", N_("Flags")),
        Column("org_unit", N_("Org unit"), detail=True),
        Column("owner", N_("Owner"), detail=True),
        Column("batch", N_("Batch"), detail=True),
        Column("completeness", N_("Complete %"), detail=True),
    )


def list_row(shown: Shown) -> tuple[Any, ...]:
    """Return one line of the list."""
    clear, personal = shown.clear, shown.personal
    contact: Mapping[str, Any] = shown.contacts[0] if shown.contacts else {}
    return (
        shown.customer_id,
        clear.get("type"),
        clear.get("company_name") or personal.get("name"),
        contact.get("name"),
        contact.get("mobile") or personal.get("mobile"),
        clear.get("tier"),
        clear.get("status"),
        clear.get("region"),
        clear["flags"].split() if clear.get("flags") else [],
        clear.get("org_unit"),
        clear.get("owner_id"),
        clear.get("batch_id"),
        clear.get("completeness"),
    )


def field_lines(run: Run, shown: Shown) -> list[tuple[str, str, str]]:
    """Return (whose, field, value) lines of one customer for people: the customer first, then each contact."""
    label = labels(run.policies)
    settings: Any = run.policies.settings("customers")
    kind = settings.type_by_code.get(shown.clear.get("type"))
    lines = [("", _("Customer"), number_text(shown.customer_id))]
    for values in (_with_amounts(run, shown.clear), shown.personal):
        lines += [
            (
                "",
                heading(run, name, kind and kind.party),
                _owner_text(run, value) if name == "owner_id" else label(name, _text(name, value, run.zone)),
            )
            for name, value in values.items()
            if name not in ("customer_id", "tier_basis")  # `tier explain` tells it in words
        ]
    for contact in shown.contacts:
        whose = _("contact {number}").format(number=contact["contact_id"])
        lines += [
            (whose, heading(run, name, "person"), str(value)) for name, value in contact.items() if name != "contact_id"
        ]
    return lines


def _owner_text(run: Run, owner: int | None) -> str:
    """Return an owner as colleagues know one, name and staff number; the bare id of whom the register does not have."""
    from crmctl import staff
    from crmctl.store import engine

    if owner is None:
        return ""
    with engine.read(run.engine) as conn:
        person = staff.directory(conn).by_id.get(owner)
    return f"{person.name} ({person.number})" if person else str(owner)


def _with_amounts(run: Run, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return clear columns with amounts in whole units of their currency.

    The annual amount's currency is a column of its own; another amount is followed by its currency where that is not
    the company's.
    """
    settings: Any = run.policies.settings("customers")
    decimals = {item.code: item.decimals for item in settings.currencies}
    found = dict(values)
    for name, value in values.items():
        field = settings.by_code.get(name)
        if field is None or field.format != "money" or not isinstance(value, int):
            continue
        foreign = found.pop(f"{name}_currency", None)
        currency = (values.get("currency") if name == "annual_amount" else foreign) or settings.currency
        found[name] = " ".join(filter(None, (written(value, decimals.get(currency, 2)), foreign)))
    return found


def heading(run: Run, name: str, party: Party | None = None) -> str:
    """Return what people call a field of such a party: the policy's label, else a word of ours."""
    settings: Any = run.policies.settings("customers")
    field = settings.by_code.get(name)
    return field.label(lang(), party) if field is not None else _(OWN_HEADINGS.get(name, name))


def with_local_times(values: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """Return clear columns with times in the company's zone, as JSON and people get them."""
    return {name: _local(name, value, zone) for name, value in values.items()}


def _local(name: str, value: Any, zone: str) -> Any:  # noqa: ANN401 - any JSON primitive
    return clock.local(clock.parse_stamp(value), zone) if name.endswith("_at") and isinstance(value, str) else value


def _text(name: str, value: Any, zone: str) -> Any:  # noqa: ANN401 - any JSON primitive
    value = _local(name, value, zone)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else value


OWN_HEADINGS = {
    "status": N_("Status"),
    "completeness": N_("Complete %"),
    "flags": N_("Flags"),
    "batch_id": N_("Batch"),
    "created_at": N_("Created at"),
    "updated_at": N_("Updated at"),
    "version": N_("Version"),
    "derived_version": N_("Derived version"),
    "external_codes": N_("External codes"),
    "owner_id": N_("Owner"),
    "retention_class": N_("Retention class"),
    "cancelled_at": N_("Cancelled at"),
    "put_away_at": N_("Put away at"),
    "put_away_from": N_("Put away from"),
}
