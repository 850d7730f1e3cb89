"""Policy kind `company`: facts about the company, and the numbers that its written policies leave to it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.model import (
    SCOPES,
    ClauseRef,
    CodeItem,
    Finding,
    Labels,
    Lookup,
    Many,
    Reference,
    ScopeName,
    Settings,
    Sources,
    Text,
    Wrong,
    lint_codes,
)

UNSET = "unset"
MINOR_UNITS: Mapping[str, int] = {"yuan": 100, "wan_yuan": 1_000_000}

Unit = Literal["yuan", "wan_yuan", "percent", "points", "count", "minutes", "hours", "days", "months", "text"]
ValueName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]


class OrgUnitRef(Reference):
    """The code of an organisation unit in company.yaml."""

    what = "org_unit"
    __slots__ = ()


class Variant(Settings):
    """What one written document gives for a value, where they differ."""

    source: ClauseRef = Field(description=N_("the clause"))
    says: Labels = Field(description=N_("what it says, in short"))


class ValueEntry(Settings):
    """A number the company decides; `unset` until it has."""

    value: int | Decimal | Text = Field(description=N_("the number, or unset while it is undecided"))
    unit: Unit | None = Field(None, description=N_("what it counts; wan_yuan is 10,000 yuan"))
    labels: Labels | None = Field(None, description=N_("its name for people"))
    source: Sources = Field((), description=N_("the clauses that leave it to the company"))
    variants: Many[Variant] = Field((), description=N_("what the written documents give, where they differ"))

    @property
    def undecided(self) -> bool:
        """Whether the company has not decided it yet."""
        return self.value == UNSET

    @model_validator(mode="after")
    def _fits_unit(self) -> Self:
        if self.undecided or self.unit in (None, "text"):
            return self
        if isinstance(self.value, str):
            raise Wrong(_("a number or unset is wanted"), at=("value",))
        if self.value < 0 or (self.unit == "percent" and self.value > 100):
            raise Wrong(_("out of range for {unit}").format(unit=self.unit), at=("value",))
        return self


def _short_form(data: object) -> object:
    return data if isinstance(data, dict) else {"value": data}


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # an absolute path, a folder, an unknown name
        raise Wrong(_("no such time zone"), _("for example Asia/Shanghai")) from None
    return name


class OrgUnit(CodeItem):
    """Head office, a branch, a department."""

    parent: OrgUnitRef | None = Field(None, description=N_("the unit it belongs to"))


class Post(CodeItem):
    """A post that answers for something."""

    source: Sources = Field((), description=N_("the clauses that name it"))


class Channel(CodeItem):
    """A way in which customers and the company reach each other."""

    source: Sources = Field((), description=N_("the clauses that name it"))


class CompanySettings(Settings):
    """Facts about the company, and its own numbers."""

    name: Labels = Field(description=N_("the company's name"))
    timezone: Annotated[Text, AfterValidator(_zone)] = Field(
        description=N_("the zone of its calendar and its sheets"), examples=["Asia/Shanghai"]
    )
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")] = Field(
        description=N_("currency of amounts that name none")
    )
    org_units: Annotated[Many[OrgUnit], Field(min_length=1)] = Field(description=N_("head office and branches"))
    default_org_unit: OrgUnitRef = Field(description=N_("where records belong that name no unit"))
    posts: Many[Post] = Field((), description=N_("posts that own policies and answer for steps"))
    channels: Many[Channel] = Field((), description=N_("ways customers and we reach each other (COM-01)"))
    precedence: Many[ScopeName] = Field(
        SCOPES, description=N_("which scope wins when several policies fit, strongest first")
    )
    values: dict[ValueName, Annotated[ValueEntry, BeforeValidator(_short_form)]] = Field(
        {}, description=N_("the company's own numbers; rules refer to them as $name")
    )

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the names other policies refer to."""
        channels = {"channel": {channel.code for channel in self.channels}} if self.channels else {}
        return {
            "value": set(self.values),
            "org_unit": {unit.code for unit in self.org_units},
            "post": {post.code for post in self.posts},
            **channels,
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, an incomplete precedence, and units that belong to themselves."""
        yield from lint_codes(self.org_units, ("org_units",))
        yield from lint_codes(self.posts, ("posts",))
        yield from lint_codes(self.channels, ("channels",))
        if sorted(self.precedence) != sorted(SCOPES):
            every = ", ".join(SCOPES)
            yield Finding(("precedence",), _("name each of these once: {names}").format(names=every))
        parents = {unit.code: unit.parent for unit in self.org_units}
        for position, unit in enumerate(self.org_units):
            above, steps = unit.parent, 0
            while above and steps <= len(parents):
                above, steps = parents.get(above), steps + 1
            if above:
                yield Finding(("org_units", position, "parent"), _("{code} belongs to itself").format(code=unit.code))
