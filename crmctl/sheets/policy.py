"""What every kind of table that people keep shares: fields with their headers and formats, units, limits.

A subject's policy of fields is a subclass of `SheetSettings`; what is special to it goes into the few methods there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints

from crmctl.i18n import N_, _
from crmctl.policy.model import Code, CodeItem, Day, Finding, Labels, Lookup, Many, Settings, Sources, Text
from crmctl.policy.nodes import Path

if TYPE_CHECKING:
    from crmctl.sheets.headers import Column, ColumnMapping

Format = Literal[
    "text", "notes", "name", "organisation_name", "mobile", "phone", "email", "uscc", "id_card", "code", "date",
    "datetime", "money", "integer", "choice", "choices",
]  # fmt: skip
Positive = Annotated[int, Field(ge=1)]
# What a table's policy takes from the customers policy where its own file says nothing.
CONVENTIONS = (
    "header_remarks", "units", "currencies", "currency", "phone_region", "dates", "placeholders", "limits"
)  # fmt: skip


class Item(CodeItem):
    """One code of a list. Codes may be standard ones in capitals (CN, CNY) or Chinese names of places."""

    code: Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=40)] = Field(
        description=N_("what files, JSON and the database say")
    )


class Range(Settings):
    """What is plausible."""

    least: int | None = Field(None, description=N_("smallest number or amount, in whole units"))
    most: int | None = Field(None, description=N_("largest number or amount, in whole units"))
    earliest: Day | None = Field(None, description=N_("first plausible day"))
    future_days: int | None = Field(None, description=N_("how many days ahead of today it may lie"))


class FieldPolicy(Settings):
    """One field: what it is called, what it must look like."""

    code: Code = Field(description=N_("its name in files, JSON and the database"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    headers: Many[Text] = Field((), description=N_("column headers that mean it, besides code and labels"))
    headers_beside: dict[Code, Many[Text]] = Field(
        {}, description=N_("headers that mean it only in files which have that other field")
    )
    format: Format = Field("text", description=N_("what values look like"))
    max_length: Positive = Field(200, description=N_("characters at most"))
    choices: str = Field("", description=N_("list of allowed values"))
    unknown: Literal["reject", "keep"] = Field("reject", description=N_("what becomes of a value not on the list"))
    range: Range = Field(Range(), description=N_("what is plausible"))
    template: bool = Field(True, description=N_("whether the empty sheet has it"))
    example: str = Field("", description=N_("shown in the notes of the empty sheet"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    @property
    def unknown_reason(self) -> str:
        """The reason that a value not on the list is rejected with."""
        return "VALUE_UNKNOWN"

    def names(self) -> Iterator[str]:
        """Yield every header that means it."""
        yield self.code
        yield from self.labels.values()
        yield from self.headers

    def label(self, lang: str) -> str:
        """Return what people call the field in `lang`."""
        return self.labels.get("zh" if lang == "zh" else "en") or next(iter(self.labels.values()), self.code)

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """Yield what contradicts itself inside the field."""
        if (self.format in ("choice", "choices")) != bool(self.choices):
            yield ("format",), _("choices are given exactly when the format is choice or choices")


class Unit(Settings):
    """A unit of money in headers and cells."""

    names: Many[Text] = Field(description=N_("how it is written"))
    factor: Positive = Field(1, description=N_("how many whole currency units it is"))
    currency: str | None = Field(None, description=N_("the currency, if the unit says it"))


class Currency(Item):
    """A currency (ISO 4217); synonyms are signs and words in cells."""

    decimals: Annotated[int, Field(ge=0, le=4)] = Field(2, description=N_("decimals of its minor unit"))


class FileLimits(Settings):
    """How large a file may be."""

    columns: Annotated[int, Field(ge=1, le=2000)] = Field(200, description=N_("columns"))
    field: Annotated[int, Field(ge=100, le=1_000_000)] = Field(16_384, description=N_("characters in a cell"))
    record: Annotated[int, Field(ge=1000)] = Field(1_048_576, description=N_("characters in a row"))
    rows: Positive = Field(50_000_000, description=N_("rows"))
    workbook_bytes: Positive = Field(104_857_600, description=N_("bytes of a workbook"))
    workbook_cells: Positive = Field(5_000_000, description=N_("cells of a workbook"))


class Placeholders(Settings):
    """What people write to say nothing; compared without case and width."""

    everywhere: Many[Text] = Field((), description=N_("in any field"))
    formats: dict[Format, Many[Text]] = Field({}, description=N_("in fields of one format"))


class SheetSettings(Settings):
    """The fields of one kind of table, and what the reading of a file obeys."""

    kind: ClassVar[str] = ""  # of policy, which messages refer to
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = {}  # of rejection, besides `sheets.reasons`

    lists: dict[str, Many[Item]] = Field({}, description=N_("lists of allowed values"))
    fields: Many[FieldPolicy] = Field(min_length=1, description=N_("what is recorded"))
    ignored_headers: Many[Text] = Field((), description=N_("columns that are never read"))
    header_remarks: Many[Text] = Field((), description=N_("words in brackets behind a header that change nothing"))
    units: Many[Unit] = Field((), description=N_("units of money"))
    currencies: Many[Currency] = Field((), description=N_("currencies"))
    currency: str = Field("", description=N_("currency of an amount that names none"))
    phone_region: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] = Field(
        "CN", description=N_("country of phone numbers that name none")
    )
    dates: Literal["ask", "month_first", "day_first"] = Field(
        "ask", description=N_("how 3/5/2026 is read; ask: rejected as ambiguous")
    )
    placeholders: Placeholders = Field(Placeholders(), description=N_("what people write to say nothing"))
    limits: FileLimits = Field(FileLimits(), description=N_("how large a file may be"))

    @cached_property
    def by_code(self) -> Mapping[str, FieldPolicy]:
        """Fields by code, in the policy's order."""
        return {field.code: field for field in self.fields}

    def items(self, name: str, outside: Mapping[str, Iterable[CodeItem]] | None = None) -> Iterable[CodeItem] | None:
        """Return the codes of list `name`: one of this policy's, or one handed in; None if there is none."""
        if name == "currencies":
            return self.currencies
        return self.lists.get(name) or (outside or {}).get(name)

    def sharing(self, other: SheetSettings) -> Self:
        """Return these settings with the conventions that their file does not give taken from another policy."""
        taken = {name: getattr(other, name) for name in CONVENTIONS if name not in self.model_fields_set}
        return self.model_copy(update=taken)

    def settle(self, columns: list[Column]) -> list[Column]:
        """Return how columns are read once it is known which of them a file has."""
        return columns

    def check_type(self, type_code: str | None) -> None:
        """Raise InvalidInput when there is no such type of rows."""

    def lacking(self, mapping: ColumnMapping, type_code: str | None) -> list[FieldPolicy]:
        """Return the fields without which no row of a file with these columns could make a record."""
        del mapping, type_code
        return []

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice and references to nothing."""
        from crmctl.sheets.policy_lint import findings

        yield from findings(self)


class PlainField(FieldPolicy):
    """A field of a table whose rows are all of one type."""

    required: bool = Field(False, description=N_("without it a row makes no record"))


class PlainSettings(SheetSettings):
    """The fields of a table whose rows are all of one type."""

    fields: Many[PlainField] = Field(min_length=1, description=N_("what is recorded"))

    def lacking(self, mapping: ColumnMapping, type_code: str | None) -> list[FieldPolicy]:
        """Return the required fields that have no column."""
        del type_code
        return [field for field in self.fields if field.required and not mapping.has(field.code)]
