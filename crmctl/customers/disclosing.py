"""Which fields may be disclosed, and how: in full, masked, not at all (ACC-02, ACC-03, USE-05)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from crmctl.customers.policy import CustomerField, CustomersSettings
from crmctl.customers.records import settings_of
from crmctl.errors import InvalidInput, PermissionMissing, UsageProblem
from crmctl.i18n import N_, _
from crmctl.policy.model import folded
from crmctl.policy.problems import suggest
from crmctl.runs.run import Run, access_of
from crmctl.security import masking, permissions
from crmctl.use.policy import Purpose

How = Literal["full", "masked"]
_SEVERAL = re.compile(r"\s*[,，、;；\n]\s*")
# What every customer has besides the fields of the policy, as files name it. The prefix keeps the import from taking
# our own number for that of another system.
OWN = {
    "customer": N_("Customer"),
    "status": N_("Status"),
    "owner": N_("Owner"),
    "flags": N_("Flags"),
    "completeness": N_("Complete %"),
    "batch": N_("Batch"),
    "created_at": N_("Created at"),
    "updated_at": N_("Updated at"),
}
_KEPT_AS = {"customer": "customer_id", "owner": "owner_id", "batch": "batch_id"}


@dataclass(frozen=True)
class Asked:
    """One field of a disclosure. `field` is None for what is ours (`OWN`), kept as column `column`."""

    code: str
    field: CustomerField | None
    how: How

    @property
    def column(self) -> str:
        """The name it is kept under."""
        return _KEPT_AS.get(self.code, self.code) if self.field is None else self.code

    @property
    def sealed(self) -> bool:
        """Whether values are kept sealed."""
        return self.field is not None and self.field.sealed

    def masked(self, value: Any) -> Any:  # noqa: ANN401 - any JSON primitive
        """Return what may be shown of a value."""
        if self.how == "full" or value is None or self.field is None:
            return value
        text = "" if isinstance(value, list | dict) else str(value)
        return masking.HIDDEN if self.field.mask == "none" else masking.mask(self.field.mask, text) or masking.HIDDEN


def names(run: Run, text: str, option: str, *, own: bool = False) -> tuple[str, ...]:
    """Return the codes of fields given as `mobile,email`, codes or labels, each once and in their order.

    Raises UsageProblem for none, InvalidInput for an unknown one or one that is only a part of another.
    """
    settings = settings_of(run)
    known = _spellings(settings)
    found: list[str] = []
    for word in filter(None, _SEVERAL.split(text.strip())):
        code = word if own and word in OWN else known.get(folded(word), "")
        if not code:
            raise InvalidInput(
                _("{option}: no field {name}").format(option=option, name=word[:40]),
                hint=suggest(word, [*known, *(OWN if own else ())]) or _("the fields: crmctl policy show customers"),
                code="FIELD_UNKNOWN",
            )
        found.append(code)
    if not found:
        raise UsageProblem(_("{option}: names no field").format(option=option), hint=_("as in mobile,email"))
    return tuple(dict.fromkeys(found))


def _spellings(settings: CustomersSettings) -> Mapping[str, str]:
    """Return the words for the fields that are kept, as sheets name them; parts of others and 客户名称 are not.

    Where a word heads two fields, a code comes before a label, and a label before other headers.
    """
    kept = [field for field in settings.fields if field.join is None and field.code != "customer_name"]
    words = [(header, field.code) for field in reversed(kept) for header in field.headers]
    words += [(label, field.code) for field in reversed(kept) for label in field.labels.values()]
    words += [(field.code, field.code) for field in kept]
    return {folded(word): code for word, code in words}


def revealable(run: Run, codes: Sequence[str], purpose: Purpose) -> None:
    """Raise PermissionMissing for a field that the person's roles or the purpose keep back."""
    for code in codes:
        field = settings_of(run).by_code[code]
        _visible(run, field)
        if not purpose.covers(code, field.sensitivity):
            raise PermissionMissing(
                _("{field}: is not needed for purpose {purpose}").format(field=code, purpose=purpose.code),
                hint=_("policies/use.yaml says what each purpose may need"),
                code="FIELD_NOT_FOR_PURPOSE",
            )


def asked(run: Run, codes: Sequence[str], purpose: Purpose) -> tuple[Asked, ...]:
    """Return the fields of an export, each in full where the person's roles and the purpose allow it, else masked.

    Raises PermissionMissing for a field that the person may not even see masked.
    """
    access, by_code = access_of(run.policies), settings_of(run).by_code
    found = []
    for code in codes:
        if code in OWN and code not in by_code:
            found.append(Asked(code, None, "full"))
            continue
        field = by_code[code]
        _visible(run, field)
        full = permissions.may_export(run.actor, access, field.sensitivity) and purpose.covers(code, field.sensitivity)
        found.append(Asked(code, field, "full" if full else "masked"))
    return tuple(found)


def _visible(run: Run, field: CustomerField) -> None:
    if permissions.field_right(run.actor, access_of(run.policies), field.sensitivity) == "none":
        raise PermissionMissing(
            _("{person} may not see {field}: none of the roles {roles} shows {sensitivity} fields").format(
                person=run.actor.person,
                field=field.code,
                roles=", ".join(run.actor.roles) or "-",
                sensitivity=field.sensitivity,
            ),
            hint=_("policies/access.yaml says who may see what"),
            code="FIELD_DENIED",
        )
