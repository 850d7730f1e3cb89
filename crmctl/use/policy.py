"""Settings of policy kind `use`: what customer information may be used for, how, by whom (USE-01 to USE-05, ACC-06)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from crmctl.i18n import N_, _
from crmctl.policy.model import CodeItem, Figure, Finding, Lookup, Many, Reference, Settings, Sources, lint_codes

LONGEST = 36_500  # days for which paper may wait: a century, and no day beyond the calendar
Class = Literal["open", "internal", "personal", "sensitive"]


class FieldRef(Reference):
    """The code of a field in customers.yaml."""

    what = "customer_field"
    __slots__ = ()


class Purpose(CodeItem):
    """What information is used for."""

    use: Literal["allowed", "forbidden"] = Field(description=N_("forbidden: refused whoever asks, and logged (USE-05)"))
    ticket: bool = Field(False, description=N_("a ticket number must be given"))
    classes: Many[Class] = Field(
        ("open", "internal", "personal"), description=N_("sensitivity of the fields that it may need in full")
    )
    fields: Many[FieldRef] = Field((), description=N_("fields it may need in full; any of these classes unless given"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    @property
    def allowed(self) -> bool:
        """Whether anything may be used for it."""
        return self.use == "allowed"

    def covers(self, field: str, sensitivity: str) -> bool:
        """Return whether a field may be shown in full for it."""
        return self.allowed and sensitivity in self.classes and (not self.fields or field in self.fields)


class Recipient(CodeItem):
    """To whom information goes."""

    where: Literal["inside", "outside"] = Field(description=N_("inside the company, or outside: a third party"))
    with_approval: bool = Field(
        False, description=N_("outside: may be given information when somebody else has agreed; else it is refused")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))

    @property
    def outside(self) -> bool:
        """Whether it is a third party."""
        return self.where == "outside"


class PaperMethod(CodeItem):
    """How paper and media are destroyed (DES-03)."""

    in_part: bool = Field(
        False, description=N_("only what is about the destroyed is made unreadable; the item stays for the others")
    )


class UseSettings(Settings):
    """Purposes, manners, recipients and results of use, how long copies may be kept; kinds of paper, how it goes."""

    purposes: Annotated[Many[Purpose], Field(min_length=1)] = Field(description=N_("what for, allowed and forbidden"))
    manners: Annotated[Many[CodeItem], Field(min_length=1)] = Field(description=N_("how: by telephone, in a report …"))
    recipients: Annotated[Many[Recipient], Field(min_length=1)] = Field(description=N_("to whom"))
    results: Annotated[Many[CodeItem], Field(min_length=1)] = Field(description=N_("what came of it (USE-02)"))
    copies_for: Figure | None = Field(None, description=N_("days after which a copy has to be destroyed"))
    evaluated_every: Figure | None = Field(None, description=N_("months after which use is evaluated (USE-03)"))
    paper_kinds: Many[CodeItem] = Field((), description=N_("kinds of paper and media in the register (SEC-06)"))
    paper_methods: Many[PaperMethod] = Field((), description=N_("how paper and media are destroyed (DES-03)"))
    paper_for: Figure | None = Field(
        None, description=N_("days after a purge by which its paper has to be destroyed; at once unless given")
    )
    source: Sources = Field((), description=N_("clauses the rules come from"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of purposes of use and recipients."""
        return {
            "use_purpose": [item.code for item in self.purposes],
            "recipient": [item.code for item in self.recipients],
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, and what cannot have an effect."""
        for name in ("purposes", "manners", "recipients", "results", "paper_kinds", "paper_methods"):
            yield from lint_codes(getattr(self, name), (name,))
        for place, purpose in enumerate(self.purposes):
            if not purpose.allowed and (purpose.ticket or purpose.fields):
                message = _("a forbidden purpose needs neither ticket nor fields")
                yield Finding(("purposes", place), message, _("leave them out"))
        for place, recipient in enumerate(self.recipients):
            if recipient.with_approval and not recipient.outside:
                message = _("with_approval belongs to recipients outside")
                yield Finding(("recipients", place, "with_approval"), message, _("leave it out"))
        days = None if self.copies_for is None else look.figure(self.copies_for)
        if days is not None and (days < 1 or days != int(days)):
            yield Finding(("copies_for",), _("whole days above 0 are wanted"))
        days = None if self.paper_for is None else look.figure(self.paper_for)
        if days is not None and (not 0 <= days <= LONGEST or days != int(days)):
            yield Finding(("paper_for",), _("whole days are wanted, from 0 to {most}").format(most=LONGEST))
