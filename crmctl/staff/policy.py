"""Policy kind `staff`: what is recorded about staff, levels and languages, who may own customers (OWN-04, OWN-05)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from pydantic import Field

from crmctl.i18n import N_, _
from crmctl.policy.model import Code, CodeItem, Figure, Finding, Lookup, Many, Settings, Sources, ValueRef, lint_codes
from crmctl.sheets.policy import FieldPolicy, PlainField, PlainSettings, SheetSettings
from crmctl.staff.columns import DAYS, FIELDS
from crmctl.staff.decide import OwnerRules
from crmctl.staff.reasons import REASONS

if TYPE_CHECKING:
    from crmctl.policy import PolicySet
    from crmctl.sheets.headers import Column, ColumnMapping

ESSENTIAL = ("number", "name")
# Lists of codes that other policies keep.
OUTSIDE_LISTS = ("posts", "org_units", "regions")


class Join(Settings):
    """This column is a part of another field: first and last name."""

    into: Code = Field(description=N_("the field it is a part of"))
    position: int = Field(description=N_("order in writing"))


class StaffField(PlainField):
    """One field of the staff register."""

    join: Join | None = Field(None, description=N_("the field this column is a part of"))


class Level(CodeItem):
    """A level (职级) of consultants."""

    rank: Annotated[int, Field(ge=1)] = Field(description=N_("1 is the lowest; rules may ask for a level or higher"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Ownership(Settings):
    """What somebody must have before owning customers."""

    trained: bool = Field(True, description=N_("the training before the post is passed (TRN-01)"))
    training_valid_for: Figure | None = Field(
        None, description=N_("months that a training passed holds; left out, it holds for good")
    )
    signed: bool = Field(True, description=N_("the confidentiality undertaking is signed (ACC-05)"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Capacity(Settings):
    """How many customers one person looks after."""

    default: Figure | None = Field(None, description=N_("customers, for whom the register gives no number"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class StaffSettings(PlainSettings):
    """The staff register: its fields, levels, languages, and what owners must have."""

    kind: ClassVar[str] = "staff"
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = REASONS

    fields: Many[StaffField] = Field(min_length=1, description=N_("what is recorded about staff"))
    levels: Many[Level] = Field((), description=N_("levels of consultants (OWN-04)"))
    languages: Many[CodeItem] = Field((), description=N_("languages staff speak"))
    ownership: Ownership = Field(Ownership(), description=N_("who may own customers (OWN-05)"))
    capacity: Capacity = Field(Capacity(), description=N_("how many customers one looks after"))

    @cached_property
    def rank(self) -> Mapping[str, int]:
        """Ranks of levels by code."""
        return {level.code: level.rank for level in self.levels}

    def joined(self, code: str) -> Join | None:
        """Return which field a field is a part of, and where in it."""
        field = self.by_code[code]
        return field.join if isinstance(field, StaffField) else None

    def items(self, name: str, outside: Mapping[str, Iterable[CodeItem]] | None = None) -> Iterable[CodeItem] | None:
        """Return the codes of list `name`: levels, languages, one of this policy's, or one handed in."""
        if name in ("levels", "languages"):
            return self.levels if name == "levels" else self.languages
        return super().items(name, outside)

    def settle(self, columns: list[Column]) -> list[Column]:
        """Return the columns with parts of a name ignored where the whole name has a column of its own."""
        from dataclasses import replace

        whole = {column.field for column in columns}
        parts = {field.code for field in self.fields if field.join and field.join.into in whole}
        return [replace(column, field=None, why="ignored") if column.field in parts else column for column in columns]

    def lacking(self, mapping: ColumnMapping, type_code: str | None) -> list[FieldPolicy]:
        """Return the staff number where it has no column: the register may have all else of a known person."""
        return [field for field in super().lacking(mapping, type_code) if field.code == "number"]

    def missing(self, draft: Mapping[str, Any]) -> list[str]:
        """Return the required fields that a draft (field → value) does not fill."""
        return [field.code for field in self.fields if field.required and draft.get(field.code) is None]

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes other policies may refer to."""
        return {
            "level": [level.code for level in self.levels],
            "language": [language.code for language in self.languages],
            "staff_field": [*self.by_code],
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, references to nothing, and columns of another form than the register's."""
        from crmctl.sheets.policy_lint import findings

        del look
        yield from findings(self, ("levels", "languages", *OUTSIDE_LISTS))
        yield from lint_codes(self.levels, ("levels",))
        yield from lint_codes(self.languages, ("languages",))
        ranks: dict[int, str] = {}
        for position, level in enumerate(self.levels):
            first = ranks.setdefault(level.rank, level.code)
            if first != level.code:
                message = _("{first} and {second} have the same rank").format(first=first, second=level.code)
                yield Finding(("levels", position, "rank"), message, _("each level has its own rank"), "P306")
        for code in ESSENTIAL:
            if code not in self.by_code:
                yield Finding(("fields",), _("field {code} is missing").format(code=code), code="P105")
        for position, field in enumerate(self.fields):
            yield from self._field(field, ("fields", position))

    def _field(self, field: StaffField, at: tuple[str | int, ...]) -> Iterator[Finding]:
        if field.join and field.join.into not in self.by_code:
            message = _("unknown code {code}").format(code=field.join.into)
            yield Finding((*at, "join", "into"), message, code="P307")
        wanted = FORMATS.get(field.code)
        if wanted and field.format not in wanted:
            message = _("{field} has the format {format}").format(field=field.code, format=_(" or ").join(wanted))
            yield Finding((*at, "format"), message)
        if field.format in ("mobile", "phone", "email", "money", "id_card", "datetime"):
            message = _("the staff register holds nothing of this format: it is not sealed")
            yield Finding((*at, "format"), message, _("leave the field out"))


# What the columns of the register can hold.
FORMATS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(DAYS, ("date",)),
    "capacity": ("integer",),
    "languages": ("choices",),
    **dict.fromkeys(("post", "level", "org_unit"), ("choice",)),
    **dict.fromkeys(("region",), ("choice", "text")),
    **dict.fromkeys(("name", "number", "hr_id", "wecom_id", "dingtalk_id"), ("text", "name", "code")),
    **dict.fromkeys(("department", "uids"), ("text",)),
}
assert FORMATS.keys() == {*FIELDS}


def settings_of(policies: PolicySet) -> StaffSettings:
    """Return the staff policy, with the conventions of files (placeholders, dates …) of the customers policy."""
    found = cast("StaffSettings", policies.settings("staff"))
    if not policies.of_kind("customers"):
        return found
    return found.sharing(cast("SheetSettings", policies.settings("customers")))


def owner_rules(policies: PolicySet) -> OwnerRules:
    """Return what owners of customers must have. An undecided figure is named in `undecided`, not filled in."""
    rules = cast("StaffSettings", policies.settings("staff")).ownership
    figure = rules.training_valid_for
    months = None if figure is None else policies.figure(figure)
    undecided = figure.name if isinstance(figure, ValueRef) and months is None else ""
    return OwnerRules(rules.trained, rules.signed, None if months is None else int(months), undecided)


def default_capacity(policies: PolicySet) -> int | None:
    """Return how many customers somebody looks after for whom the register gives no number; None while undecided."""
    figure = cast("StaffSettings", policies.settings("staff")).capacity.default
    number = None if figure is None else policies.figure(figure)
    return None if number is None else int(number)


def outside_lists(policies: PolicySet) -> dict[str, tuple[CodeItem, ...]]:
    """Return the code lists that other policies keep: posts, organisation units, regions."""
    company: Any = policies.settings("company")
    found = {"posts": tuple(company.posts), "org_units": tuple(company.org_units)}
    if policies.of_kind("customers"):
        customers: Any = policies.settings("customers")
        found["regions"] = tuple(customers.lists.get("regions", ()))
    return found
