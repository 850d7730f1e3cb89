"""What identities are made of: the comparable form of stored values, and of what people ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _
from crmctl.sheets.formats.codes import read_code, read_id_card, read_uscc
from crmctl.sheets.formats.emails import read_emails
from crmctl.sheets.formats.phones import HOME, Phone, read_mobiles, read_phones
from crmctl.sheets.formats.texts import PARTING, Fault, organisation_key, person_key, unquoted, wording

KINDS: Mapping[str, str] = {
    "mobile": N_("mobile number"),
    "landline": N_("landline number"),
    "email": N_("e-mail address"),
    "uscc": N_("unified social credit code"),
    "id_card": N_("ID card number"),
    "external_code": N_("external code"),
    "external_userid": N_("WeCom ID"),
    "org_name": N_("name of an organisation"),
    "person_name": N_("name of a person"),
}


def identity_values(kind: str, stored: str) -> tuple[str, ...]:
    """Return the comparable forms of a stored, normalised value; none for a number that could not be validated."""
    if kind in ("mobile", "landline"):
        return tuple(part for part in stored.split(PARTING) if part.startswith("+") and part[1:2].isdigit())
    if kind == "email":
        return tuple(stored.split(PARTING))
    if kind == "org_name":
        return (organisation_key(stored),)
    if kind in ("person_name", "contact_name"):
        return (person_key(stored),)
    return (stored,)


def identity_value(kind: str, stored: str) -> str:
    """Return the first of `identity_values`, or "" when there is none."""
    return next(iter(identity_values(kind, stored)), "")


def asked_value(kind: str, text: str, region: str = HOME) -> str:
    """Return the comparable form of what a person asks for. Raises InvalidInput when it is no `kind`."""
    reader = _READERS.get(kind)
    try:
        stored = reader(unquoted(text), region) if reader else wording(unquoted(text))
    except Fault:
        stored = ""
    found = identity_value(kind, stored) if stored else ""
    if not found:
        raise InvalidInput(
            _("the value asked for is not a valid {kind}").format(kind=_(KINDS.get(kind, kind))),
            hint=_("check it for missing or foreign characters"),
            code="VALUE_INVALID",
        )
    return found


def _number(read: Callable[[str, str], list[Phone]]) -> Callable[[str, str], str]:
    return lambda text, region: read(text, region)[0].number


_READERS: Mapping[str, Callable[[str, str], str]] = {
    "mobile": _number(read_mobiles),
    "landline": _number(read_phones),
    "email": lambda text, _region: read_emails(text)[0],
    "uscc": lambda text, _region: read_uscc(text),
    "id_card": lambda text, _region: read_id_card(text),
    "external_code": lambda text, _region: read_code(text),
    "external_userid": lambda text, _region: read_code(text),
}
