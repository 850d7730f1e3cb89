"""What people type → fields and filters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crmctl.errors import InvalidInput, UsageProblem
from crmctl.i18n import N_, _
from crmctl.staff.columns import FIELDS

if TYPE_CHECKING:
    from crmctl.policy import PolicySet
    from crmctl.staff.listing import Filters

_NAMES = {"post": N_("post"), "level": N_("level"), "org_unit": N_("org unit")}
_LISTS = {"post": "posts", "level": "levels", "org_unit": "org_units"}


def texts(given: Mapping[str, Any], own: Iterable[str]) -> dict[str, str]:
    """Return the fields given as options, and those of `--set FIELD=VALUE`. Raises UsageProblem for what is neither."""
    found = {name: given[name] for name in FIELDS if given.get(name) is not None}
    for setting in own:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise UsageProblem(
                _("--set: write FIELD=VALUE"), hint=_("fields are in policies/staff.yaml"), code="SET_FORM"
            )
        if name in found:
            raise UsageProblem(_("--set: {field} is given twice").format(field=name), hint=_("give it once"))
        found[name] = value
    return found


def filters(policies: PolicySet, given: Mapping[str, Any]) -> Filters:
    """Return the filters of `staff list`. Raises InvalidInput for an unknown post, level or unit."""
    from crmctl.staff.listing import Filters

    codes = {name: _code(policies, name, given[name]) for name in _LISTS}
    return Filters(**codes, state=given["state"] or "", problems=given["problems"])


def _code(policies: PolicySet, field: str, text: str) -> str:
    from crmctl.policy.model import folded
    from crmctl.staff.policy import outside_lists, settings_of

    if not text:
        return ""
    items = list(settings_of(policies).items(_LISTS[field], outside_lists(policies)) or ())
    for item in items:
        if folded(text) in map(folded, item.names()):
            return item.code
    raise InvalidInput(
        _("{text}: no such {field}").format(text=text[:40], field=_(_NAMES[field])),
        hint=_("one of: {codes}").format(codes=", ".join(item.code for item in items)),
        code="CODE_UNKNOWN",
    )
