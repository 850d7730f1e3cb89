"""Settings of policy kind `customers`: which types and fields there are, and what the reading of a file obeys.

Requirements INF-01 to INF-04 (collection standard, required fields, key items), INF-06 (formats), INF-10 (sources),
INF-11 (only fields on the list, each with its purpose), INF-14 (types), QUA-01, QUA-02 (completeness).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from crmctl.customers.reasons import REASONS
from crmctl.i18n import N_, _
from crmctl.policy.model import Code, CodeItem, Finding, Labels, Lookup, Many, Settings, Sources, Text
from crmctl.policy.nodes import Path
from crmctl.sheets.policy import Currency, FieldPolicy, SheetSettings

if TYPE_CHECKING:
    from crmctl.policy.policyset import PolicySet
    from crmctl.sheets.headers import Column, ColumnMapping

Party = Literal["organisation", "person"]
Strength = Literal["unique", "supporting", "none"]
Mask = Literal["name", "mobile", "phone", "email", "id", "text", "address", "date", "code", "none"]

# Columns of table `customer` that a field of the same code fills, when the policy calls it open or internal.
CLEAR_COLUMNS = frozenset(
    {
        "annual_amount", "company_name", "currency", "first_added_at", "industry", "last_contact_at", "org_unit",
        "region", "source", "stage", "tier",
    }
)  # fmt: skip
# Fields the reading itself works with; the policy may rename them for people but not leave them out.
ESSENTIAL = ("type", "name", "company_name", "customer_name")
# Lists of codes kept in other policies; the importing command hands them in.
OUTSIDE_LISTS = ("tiers", "tags", "org_units")
PARTIES = ("organisation", "person")


class CustomerType(CodeItem):
    """A customer type (客户类型): INF-14."""

    party: Party = Field(description=N_("organisation: has contact persons; person: is one"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class DefaultType(Settings):
    """The type of a row that names none: an organisation when one of the signs is there, else a person.

    Signs: a filled field of organisations, a customer name beside a different contact name, a customer name that
    holds one of `words`.
    """

    organisation: Code = Field(description=N_("type of an organisation"))
    person: Code = Field(description=N_("type of a person"))
    words: Many[Text] = Field((), description=N_("words that only names of organisations hold"))


class Required(Settings):
    """Where a field must be filled; entries are type codes or parties (organisation, person)."""

    import_: Many[Code] = Field((), alias="import", description=N_("without it a row makes no record"))
    submit: Many[Code] = Field((), description=N_("without it a record cannot be submitted (INF-04)"))
    tiers: dict[Code, Many[Code]] = Field({}, description=N_("needed besides at these tiers (INF-03)"))
    beside: Many[Code] = Field(
        (), description=N_("fields of a contact person that may not stand without this one, where it has a column")
    )


class Identity(Settings):
    """How far a field tells who a customer is: unique, supporting, none (look-up only)."""

    kind: Literal[
        "mobile", "email", "landline", "uscc", "id_card", "external_userid", "org_name", "external_code",
        "person_name", "contact_name",
    ] = Field(description=N_("what it is compared with"))  # fmt: skip
    organisation: Strength | None = Field(None, description=N_("for organisations"))
    person: Strength | None = Field(None, description=N_("for persons"))
    types: dict[Code, Strength] = Field({}, description=N_("for single types, instead of their party's"))


class Join(Settings):
    """This column is a part of another field: first and last name, two address lines."""

    into: Code = Field(description=N_("the field it is a part of"))
    position: int = Field(description=N_("order in writing"))


class CustomerField(FieldPolicy):
    """One field of a customer: what it is called, where it is kept, what it must look like, why it may be collected."""

    party_labels: dict[Party, Labels] = Field({}, description=N_("other words for it, for one party"))
    of: Literal["customer", "organisation", "person"] = Field(
        "customer", description=N_("whom it describes; a person is the customer or the contact of an organisation")
    )
    sensitivity: Literal["open", "internal", "personal", "sensitive"] = Field(
        description=N_("open and internal are kept in the clear, personal and sensitive sealed")
    )
    required: Required = Field(Required(), description=N_("where it must be filled"))
    purpose: Code = Field(description=N_("why it may be collected (INF-11)"))
    identity: Identity | None = Field(None, description=N_("how far it tells who a customer is"))
    mask: Mask = Field("text", description=N_("how it is shown without permission"))
    join: Join | None = Field(None, description=N_("the field this column is a part of"))
    overflow: Code | None = Field(None, description=N_("field that takes further values of one cell"))
    mobile_to: Code | None = Field(None, description=N_("field that takes values which are mobile numbers"))

    @property
    def sealed(self) -> bool:
        """Whether values are kept sealed only."""
        return self.sensitivity in ("personal", "sensitive")

    @property
    def unknown_reason(self) -> str:
        """The reason that a value not on the list is rejected with."""
        return "TYPE_UNKNOWN" if self.code == "type" else "VALUE_UNKNOWN"

    def names(self) -> Iterator[str]:
        """Yield every header that means it."""
        yield from super().names()
        for labels in self.party_labels.values():
            yield from labels.values()

    def label(self, lang: str, party: Party | None = None) -> str:
        """Return what people call the field in `lang`, where it differs for `party` with that party's word."""
        labels = self.party_labels.get(party, self.labels) if party else self.labels
        return labels.get("zh" if lang == "zh" else "en") or next(iter(labels.values()), self.code)

    def contradictions(self) -> Iterator[tuple[Path, str]]:
        """Yield what contradicts itself inside the field."""
        yield from super().contradictions()
        if self.of == "person" and not self.sealed and self.join is None:
            yield ("sensitivity",), _("what describes a person is personal or sensitive")
        if self.code == "company_name" and self.format != "organisation_name":
            yield ("format",), _("company_name has format organisation_name")


class KeyItem(Settings):
    """One key item of completeness (QUA-02, INF-04)."""

    code: Code = Field(description=N_("its name in JSON"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    any_of: Many[Code] = Field(min_length=1, description=N_("fields of which one must be filled"))
    types: Many[Code] = Field((), description=N_("types or parties it counts for; none: all"))
    tiers: Many[Code] = Field((), description=N_("tiers it counts for; none: all"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Completeness(Settings):
    """Which items count towards completeness, and what share of them is aimed at."""

    target: Annotated[int, Field(ge=0, le=100)] | None = Field(None, description=N_("aimed at, in per cent"))
    items: Many[KeyItem] = Field(description=N_("what counts"))


class CustomersSettings(SheetSettings):
    """The whole field policy of customers."""

    kind: ClassVar[str] = "customers"
    reasons: ClassVar[Mapping[str, tuple[str, str]]] = REASONS

    types: Many[CustomerType] = Field(min_length=1, description=N_("customer types (INF-14)"))
    default_type: DefaultType = Field(description=N_("type of a row that names none"))
    purposes: Many[CodeItem] = Field(min_length=1, description=N_("what fields are collected for (INF-11)"))
    fields: Many[CustomerField] = Field(min_length=1, description=N_("what is recorded about a customer"))
    currencies: Many[Currency] = Field(min_length=1, description=N_("currencies"))
    currency: str = Field(description=N_("currency of an amount that names none"))
    completeness: Completeness = Field(description=N_("what makes a record complete"))

    @cached_property
    def by_code(self) -> Mapping[str, CustomerField]:
        """Fields by code, in the policy's order."""
        return {field.code: field for field in self.fields}

    @cached_property
    def type_by_code(self) -> Mapping[str, CustomerType]:
        """Types by code."""
        return {kind.code: kind for kind in self.types}

    def items(self, name: str, outside: Mapping[str, Iterable[CodeItem]] | None = None) -> Iterable[CodeItem] | None:
        """Return the codes of list `name`: the types, one of this policy's, or one handed in; None if there is none."""
        return self.types if name == "types" else super().items(name, outside)

    def applies(self, to: Collection[str], type_code: str) -> bool:
        """Return whether a list of type codes and parties takes in `type_code`."""
        return type_code in to or self.type_by_code[type_code].party in to

    def settle(self, columns: list[Column]) -> list[Column]:
        """Return the columns with each name given to whom it names (`naming`)."""
        from crmctl.customers.naming import settled

        return settled(columns, self)

    def check_type(self, type_code: str | None) -> None:
        """Raise InvalidInput when there is no such customer type."""
        from crmctl.customers.naming import check_type

        check_type(type_code, self)

    def lacking(self, mapping: ColumnMapping, type_code: str | None) -> list[FieldPolicy]:
        """Return the fields without which no row could make a record of any type (or of `type_code`)."""
        from crmctl.customers.naming import lacking

        return lacking(mapping, self, type_code)

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes other policies may refer to."""
        kinds = {name: [item.code for item in items] for name, items in self.lists.items()}
        return {**kinds, "customer_type": [*self.type_by_code], "customer_field": [*self.by_code]}

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice and references to nothing."""
        from crmctl.customers.policy_lint import findings

        yield from findings(self, look)


def decimals_of(policies: PolicySet) -> int:
    """Return the decimals of the home currency."""
    settings = policies.settings("customers")
    assert isinstance(settings, CustomersSettings)
    found = {item.code: item.decimals for item in settings.currencies}
    return int(found.get(policies.company.currency, 2))
