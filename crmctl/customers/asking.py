"""What people type to say whom or what they mean → codes, numbers and look-ups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl.customers import records, showing
from crmctl.customers.identities import asked_value
from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import N_, _, lang

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.policy import PolicySet
    from crmctl.runs.run import Run
    from crmctl.sheets.origin import Request

KINDS = {"mobile": "mobile", "email": "email", "uscc": "uscc", "code": "external_code", "name": "person_name"}

FIELDS = {"type": N_("customer type"), "tier": N_("tier"), "org_unit": N_("org unit"), "status": N_("status")}


def code_of(policies: PolicySet, field: str, text: str) -> str:
    """Return the code of what people call it: code, label or synonym. Raises InvalidInput when it is none."""
    from crmctl.policy.model import folded

    if not text:
        return ""
    known = _names(policies, field)
    code = known.get(folded(text))
    if code is None:
        raise InvalidInput(
            _("{text}: no such {field}").format(text=text[:40], field=_(FIELDS[field])),
            hint=_("one of: {codes}").format(codes=", ".join(dict.fromkeys(known.values()))),
            code="CODE_UNKNOWN",
        )
    return code


def _names(policies: PolicySet, field: str) -> dict[str, str]:
    from crmctl.policy.model import folded

    if field == "status":
        return {folded(word): code for code, text in showing.STATUS.items() for word in (code, _(text))}
    if field == "tier":
        items: Any = tuple(showing.tiers(policies))
    else:
        settings: Any = policies.settings({"type": "customers", "org_unit": "company"}[field])
        items = getattr(settings, {"type": "types", "org_unit": "org_units"}[field])
    known: dict[str, str] = {}
    for item in items:
        for word in (item.code, *dict(item.labels or {}).values(), *item.synonyms):
            known.setdefault(folded(word), item.code)
    return known


def owner_of(run: Run, reference: str) -> int | None:
    """Return the staff id of the owner meant by a staff number, id, account or name; None where none was given.

    Raises Refused when it means nobody, or several people: then it names their numbers.
    """
    from crmctl import staff
    from crmctl.store import engine

    if not reference:
        return None
    with engine.read(run.engine) as conn:
        return staff.find(conn, reference).staff_id


def import_request(run: Run, file: str, given: Mapping[str, Any]) -> Request:
    """Return what `customer import` was asked for. Raises InvalidInput for an unknown type or a bad mapping file."""
    from crmctl.sheets.origin import requested

    return requested(file, given, code_of(run.policies, "type", given["type_"]) or None)


def filters(
    run: Run, asked: Mapping[str, str], company: str, number: str, source: str
) -> tuple[records.Filters, list[str]]:
    """Return the filters of `customer find`, and the kinds that were asked for. Raises UsageProblem for nothing."""
    if not asked and not company and not number:
        raise UsageProblem(
            _("customer find: says nothing to look for"),
            hint=_("give --mobile, --email, --uscc, --code, --name, --company or --number"),
        )
    wanted: set[int] | None = {showing.parse_number(number)} if number else None
    for name, text in asked.items():
        kind = KINDS[name]
        value = asked_value(kind, text, records.settings_of(run).phone_region)
        held = set(records.holders(run, kind, value, source))
        wanted = held if wanted is None else wanted & held
    chosen = None if wanted is None else tuple(sorted(wanted))
    kinds = sorted([*asked, *(["company"] if company else []), *(["number"] if number else [])])
    return records.Filters(company=company, numbers=chosen), kinds


def write_template(call: Invocation, type_text: str, out: Path | None) -> None:
    """Write the empty sheet. Raises UsageProblem when a workbook would go to a terminal."""
    from crmctl import policy, workspace
    from crmctl.customers.reading import outside_lists
    from crmctl.customers.template import template
    from crmctl.sheets.asking import deliver

    policies = policy.load(workspace.called(call).policies)
    settings: Any = policies.settings("customers")
    data = template(
        settings, code_of(policies, "type", type_text) or None, lang(), call.output, outside_lists(policies)
    )
    deliver(call, data, out)
