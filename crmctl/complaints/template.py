"""The empty sheet for complaints: its columns, with the words the company's policies allow; `sheets` writes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl import policy, workspace
from crmctl.i18n import _, lang
from crmctl.policy.model import CodeItem
from crmctl.sheets.asking import deliver
from crmctl.sheets.template import Blank, item_label, sheet

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.complaints.sheetpolicy import ComplaintSheetSettings
    from crmctl.policy import PolicySet

Allowed = Mapping[str, Sequence[CodeItem]]


def write(call: Invocation, out: Path | None) -> None:
    """Write the empty sheet. Raises UsageProblem when a workbook would go to a terminal."""
    from crmctl.complaints.intake import shared

    policies = policy.load(workspace.called(call).policies)
    deliver(call, template(shared(policies), policies, lang(), call.output), out)


def template(settings: ComplaintSheetSettings, policies: PolicySet, language: str, form: str) -> bytes:
    """Return the empty sheet as `form` xlsx or csv; `language` (zh or en) is that of headers and values."""
    remarks = (
        _("* and red: without it a row is rejected."),
        _("One row is one complaint that is open; it is accepted when the sheet is imported."),
        _("Columns may be left out or moved; do not rename them."),
    )
    columns = list(_columns(settings, language, _required(policies), _allowed(policies)))
    return sheet(columns, _("Complaints"), remarks, form)


def _required(policies: PolicySet) -> Collection[str]:
    """Return what every complaints policy in use wants, besides what any complaint has (CMP-02)."""
    wanted = [set(each.settings.required) for each in policies.of_kind("complaints") if each.mode != "off"]  # type: ignore[attr-defined]
    return {"channel", "category", *(set.intersection(*wanted) if wanted else ())}


def _allowed(policies: PolicySet) -> Allowed:
    """Return channels, categories and severities, each once, of all complaints policies in use."""
    found: dict[str, dict[str, CodeItem]] = {"category": {}, "severity": {}}
    for each in policies.of_kind("complaints"):
        if each.mode != "off":
            for word, items in (("category", each.settings.categories), ("severity", each.settings.severities)):  # type: ignore[attr-defined]
                for item in items:
                    found[word].setdefault(item.code, item)
    return {"channel": policies.company.channels, **{word: tuple(items.values()) for word, items in found.items()}}


def _columns(
    settings: ComplaintSheetSettings, language: str, required: Collection[str], allowed: Allowed
) -> Iterator[Blank]:
    for field in settings.fields:
        if not field.template:
            continue
        needed = field.required or field.code in required
        header = field.label(language) + ("*" if needed else "")
        items = allowed.get(field.code) or (settings.items(field.choices) if field.choices else None)
        values = tuple(item_label(item, language) for item in items or ())
        purpose = _("says whose complaint it is; one of these is enough") if field.identity else _("the complaint")
        yield Blank(field, header, needed, _("always") if needed else "", values, purpose)
