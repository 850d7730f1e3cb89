"""Settings of policy kind `complaint_sheet`: how a sheet of complaints is read, whatever policy then handles each.

What its words mean (channels, categories, severities) is the company's and the complaints policies' own. Placeholders,
date order and limits of files are those of the customers policy unless given here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import Field

from crmctl.complaints.rowreasons import REASONS
from crmctl.customers.meant import FORMATS, Identity
from crmctl.i18n import N_, _
from crmctl.policy.model import Finding, Lookup, Many, Sources
from crmctl.sheets.policy import Format, PlainField, PlainSettings

OPEN, CLOSED = "open", "closed"
TEXTS = ("complainant", "contact", "matter", "demand", "nature", "remarks")
WORDS = ("channel", "category", "severity")
PEOPLE = ("about", "receiver", "handler")
_TEXT: tuple[Format, ...] = ("text", "notes", "name")
# What a sheet may say of a complaint, and what it must look like.
COLUMNS: Mapping[str, tuple[Format, ...]] = {
    "number": ("code",),
    **dict.fromkeys(TEXTS, _TEXT),
    **dict.fromkeys(WORDS, ("text",)),
    **dict.fromkeys(PEOPLE, ("text",)),
    "received_at": ("datetime",),
    "status": ("choice",),
    "closed_at": ("datetime",),
}


class SheetField(PlainField):
    """One column of a sheet of complaints: something about the complaint, or what says whose it is."""

    identity: Identity | None = Field(None, description=N_("what of the customer it is; number is the customer number"))


class ComplaintSheetSettings(PlainSettings):
    """What is read of a sheet of complaints."""

    kind: ClassVar[str] = "complaint_sheet"
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = REASONS

    fields: Many[SheetField] = Field(min_length=1, description=N_("what is read of a complaint"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    @cached_property
    def by_code(self) -> Mapping[str, SheetField]:
        """Fields by code, in the policy's order."""
        return {field.code: field for field in self.fields}

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, and fields that no complaint has."""
        yield from super().lint(look)
        if "matter" not in self.by_code:
            yield Finding(("fields",), _("field {code} is missing").format(code="matter"), code="P105")
        for position, field in enumerate(self.fields):
            formats = FORMATS[field.identity] if field.identity else COLUMNS.get(field.code)
            at = ("fields", position)
            if formats is None:
                message = _("complaints have no field {code}").format(code=field.code)
                yield Finding((*at, "code"), message, _("one of: {codes}").format(codes=", ".join(COLUMNS)), "P307")
            elif field.format not in formats:
                message = _("{code} has the format {format}").format(code=field.code, format=_(" or ").join(formats))
                yield Finding((*at, "format"), message)
        states = [item.code for item in self.lists.get("states", ())]
        if "status" in self.by_code and not {OPEN, CLOSED} >= set(states):
            message = _("a state is open or closed")
            yield Finding(("lists", "states"), message, _("write what else it is called as synonyms"))
