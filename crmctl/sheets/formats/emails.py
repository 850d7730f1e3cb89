"""E-mail addresses: an ASCII fast path, email-validator (no DNS) behind it. Lower-case; no tricks with dots or plus."""

from __future__ import annotations

import re

from crmctl.sheets.formats.texts import Fault, plain

# A subset of what email-validator accepts: no quoted local parts, no "--" (punycode), no special-use top level.
_QUICK = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[a-z]{2,24}"
)
_LONGEST_QUICK = 64
_NAMED = re.compile(r".*<([^<>]+)>")
_SEVERAL = re.compile(r"[;；,，、|/\s]+")


def quick_email(cell: str) -> str | None:
    """Return the normal form of a usual ASCII address; None says nothing."""
    text = cell.lower().strip()
    return text if len(text) <= _LONGEST_QUICK and _QUICK.fullmatch(text) else None


def read_emails(cell: str) -> list[str]:
    """Return the addresses of a cell, normalised. Raises Fault EMAIL_INVALID."""
    text = plain(cell).lower().strip(" \"'[]")
    try:
        return [_one(text)]
    except Fault:
        parts = [part for part in _SEVERAL.split(text) if part]
        if not 2 <= len(parts) <= 10:
            raise
    return [_one(part.strip("\"'")) for part in parts]


def _one(text: str) -> str:
    text = text.removeprefix("mailto:")
    named = _NAMED.fullmatch(text)
    if named:
        text = named.group(1).strip()
    if quick_email(text):
        return text
    if text.count("@") != 1 or ".." in text or " " in text:  # the library takes 0.1 ms to say so
        raise Fault("EMAIL_INVALID")
    from email_validator import EmailNotValidError, validate_email

    try:
        return validate_email(text, check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        raise Fault("EMAIL_INVALID") from None
