"""What settings are made of: the pydantic base of every policy kind and the types they share.

A room writes its kind as classes below `Settings`. Texts that point elsewhere are subclasses of `Reference`: whatever
they name is checked when the files are loaded, with the place in the file. Checks between fields go into `lint`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    Strict,
    StringConstraints,
    WithJsonSchema,
)
from pydantic import GetJsonSchemaHandler as JsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from crmctl.i18n import N_, _
from crmctl.policy.nodes import Path

T = TypeVar("T")

ScopeName = Literal["channel", "post", "customer_type", "org_unit"]
SCOPES: tuple[ScopeName, ...] = ("channel", "post", "customer_type", "org_unit")

CODE_PATTERN = r"^[a-z][a-z0-9_-]*$"
NAME_PATTERN = r"^\S(.*\S)?$"
PATTERN_HINTS: Mapping[str, str] = {
    CODE_PATTERN: N_("small letters, digits, _ and -, beginning with a letter"),
    NAME_PATTERN: N_("a text without space before or after it"),
    r"^\$[a-z][a-z0-9_]*$": N_("write $ and the name of a value in company.yaml"),
    r"^\S+ §\S.*$": N_('write document and clause: "004 §9(二)"'),
}


class Wrong(ValueError):
    """Raised in a validator of a settings model: a message in the reader's language, a hint, and where inside it.

    `code` is the problem's; `on_key` puts the mark on the key instead of its value.
    """

    def __init__(
        self, message: str, hint: str = "", at: Path = (), *, code: str = "P208", on_key: bool = False
    ) -> None:
        super().__init__(message)
        self.message, self.hint, self.at, self.code, self.on_key = message, hint, at, code, on_key


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that `lint` found: where inside the settings, what, what to do. Code P3xx, or P4xx for a warning."""

    at: Path
    message: str
    hint: str = ""
    code: str = "P301"


class Lookup(Protocol):
    """What `lint` may ask about the other files."""

    def figure(self, figure: Decimal | int | ValueRef) -> Decimal | None:
        """Return the number, looking up `$name`; None while it is undecided or unknown."""

    def known(self, what: str) -> Collection[str] | None:
        """Return the codes of `what` ("tier", "customer_type", …) that the files define; None when none does."""


class Settings(BaseModel):
    """Base of every policy model: unknown keys are errors, nothing is converted, nothing changes after loading."""

    # Deferred: only the model of a whole file is ever built, not each class inside it on import.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True, defer_build=True)

    # What the scope of a policy of this kind may name. What decides about customers knows no channel and no post.
    scopes: ClassVar[tuple[ScopeName, ...]] = SCOPES
    # Settings that decide about no customer: only the policy for everybody may give them.
    unscoped: ClassVar[tuple[str, ...]] = ()

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes this policy defines, by what they are codes of; other policies may refer to them."""
        return {}

    def tested_rules(self) -> Sequence[Path]:
        """Return the places of the rules that decide; `policy test` wants a case to reach each of them."""
        return ()

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield what contradicts itself. Called on the settings of a kind once they are well-formed."""
        yield from ()


class Reference(str):
    """A text that names something defined elsewhere; `what` it names decides who is asked when loading."""

    what: ClassVar[str] = ""
    pattern: ClassVar[str] = CODE_PATTERN
    __slots__ = ()

    @property
    def name(self) -> str:
        """The name without any sign that marks it as a reference."""
        return str(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True, pattern=cls.pattern, max_length=100)
        return core_schema.no_info_after_validator_function(
            cls, text, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: JsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": cls.pattern}


class ValueRef(Reference):
    """`$name`: a number the company decides in company.yaml."""

    what = "value"
    pattern = r"^\$[a-z][a-z0-9_]*$"
    __slots__ = ()

    @property
    def name(self) -> str:
        """The value's name without the `$`."""
        return self[1:]


class ClauseRef(Reference):
    """`004 §9(二)`: document and clause, listed in sources.yaml."""

    what = "clause"
    pattern = r"^\S+ §\S.*$"
    __slots__ = ()


def _figure(data: object) -> object:
    if isinstance(data, str) and data.startswith("$"):
        return data
    if isinstance(data, bool) or not isinstance(data, int | Decimal):
        raise Wrong(_("a number or $name is wanted"), _("the names are in company.yaml"))
    return Decimal(data) if isinstance(data, Decimal) else data


def _day(data: object) -> object:
    if isinstance(data, str):
        try:
            return date.fromisoformat(data)
        except ValueError:
            raise Wrong(_("a date is wanted"), _("dates are written 2026-01-05")) from None
    return data


def _number(data: object) -> object:
    return Decimal(data) if isinstance(data, int) and not isinstance(data, bool) else data


Many = Annotated[tuple[T, ...], Strict(False)]
"""A list in the file, a tuple in the program."""
Code = Annotated[str, StringConstraints(pattern=CODE_PATTERN, max_length=40)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema({"type": "number"})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Figure = Annotated[
    int | Decimal | ValueRef,
    BeforeValidator(_figure),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": ValueRef.pattern}]}),
]
Labels = Annotated[dict[Literal["zh", "en"], Text], Field(min_length=1)]
Sources = Many[ClauseRef]


class CodeItem(Settings):
    """One entry of a list of names people use: input accepts code, label or synonym; output shows the label."""

    code: Code = Field(description=N_("what files, JSON and the database say"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    synonyms: Many[Text] = Field((), description=N_("other spellings that input accepts"))

    def names(self) -> tuple[str, ...]:
        """Return every spelling input accepts."""
        return (self.code, *self.labels.values(), *self.synonyms)


def folded(text: str) -> str:
    """Return the form in which names are compared: case, width and spaces do not matter."""
    import unicodedata

    return "".join(unicodedata.normalize("NFKC", text).casefold().split())


def spellings(items: Sequence[CodeItem]) -> dict[str, str]:
    """Return every spelling, `folded`, with its code."""
    return {folded(name): item.code for item in reversed(items) for name in item.names()}


def lint_codes(items: Sequence[CodeItem], at: Path) -> Iterator[Finding]:
    """Yield a finding for every code, label or synonym that two items of one list share."""
    owners: dict[str, int] = {}
    for position, item in enumerate(items):
        for name in item.names():
            first = owners.setdefault(folded(name), position)
            if first != position:
                yield Finding(
                    (*at, position),
                    _("'{name}' names both {first} and {second}").format(
                        name=name, first=items[first].code, second=item.code
                    ),
                    _("each name belongs to one code"),
                    "P306",
                )


class Between(Settings):
    """A period of days; `until` is its last day."""

    from_: Day | None = Field(None, alias="from", description=N_("first day"))
    until: Day | None = Field(None, description=N_("last day"))

    def overlaps(self, other: Self) -> bool:
        """Whether the two share a day."""
        starts_in_time = self.from_ is None or other.until is None or self.from_ <= other.until
        return starts_in_time and (other.from_ is None or self.until is None or other.from_ <= self.until)

    def holds(self, day: date) -> bool:
        """Whether `day` lies in the period."""
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day <= self.until)
