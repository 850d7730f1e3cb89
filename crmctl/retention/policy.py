"""Policy kind `retention`: how long data are kept, and what becomes of them then (存储期限, DES-01 to DES-03).

A period is counted from the last of some days: the last contact, the last order, the end of the contract, … No written
document names one, so every figure is the company's own: unset, nothing of that kind is ever destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.conditions import Condition
from crmctl.policy.model import Code, Figure, Finding, Labels, Lookup, Many, ScopeName, Settings, Sources, Wrong
from crmctl.policy.nodes import Path

Since = Literal["added", "last_contact", "last_order", "contract_end", "complaint", "cancelled"]
Action = Literal["destroy"]
Method = Literal["key_destruction"]
Kind = Literal["customers", "rejected_rows"]  # kinds of data, each with a period of its own (DES-01)
KINDS: tuple[Kind, ...] = ("customers", "rejected_rows")
CUSTOMERS: tuple[Kind, ...] = ("customers",)

# What each day is in the table of metrics.
METRIC_OF: Mapping[Since, str] = {
    "added": "days_since_added",
    "last_contact": "days_since_last_contact",
    "last_order": "days_since_last_order",
    "contract_end": "days_since_contract_end",
    "complaint": "days_since_complaint",
    "cancelled": "days_since_cancelled",
}


class Span(Settings):
    """A time by the calendar: so many days, or so many months."""

    days: Figure | None = Field(None, description=N_("calendar days"))
    months: Figure | None = Field(None, description=N_("calendar months"))

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.days is None) == (self.months is None):
            raise Wrong(_("give either days or months"), _("for example keep: {months: 36}"))
        return self

    @property
    def figure(self) -> Figure:
        """The figure given."""
        found = self.months if self.days is None else self.days
        assert found is not None
        return found


class Minimum(Settings):
    """A time for which the law wants data kept, whatever the company would like."""

    since: Many[Since] = Field(min_length=1, description=N_("the last of these days"))
    keep: Span = Field(description=N_("how long from then on"))
    basis: Labels = Field(description=N_("the law that says so"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class CustomerRule(Settings):
    """How long customers are kept. The first rule whose condition holds is theirs; whoever none fits stays."""

    code: Code = Field(description=N_("its name in files, JSON and destruction records"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    when: Condition | None = Field(None, description=N_("whom it is for; everybody left unless given"))
    since: Many[Since] = Field(min_length=1, description=N_("the period runs from the last of these days"))
    keep: Span = Field(description=N_("how long they are kept from then on"))
    grace: Span | None = Field(None, description=N_("how long they are listed before they may be destroyed"))
    minimums: Many[Minimum] = Field((), description=N_("periods of the law, which must have ended as well"))
    then: Action = Field("destroy", description=N_("what becomes of them"))
    basis: Labels | None = Field(None, description=N_("why they may be destroyed then"))
    source: Sources = Field(description=N_("clauses it comes from"))


class RejectedRows(Settings):
    """How long rows are kept that an import rejected, with what else is sealed about the import: file name, header.

    They belong to nobody the program knows, so that they go by import: the period runs from the import's end, of one
    that was interrupted and never finished from its beginning.
    """

    keep: Span = Field(description=N_("how long they are kept from the end of the import on"))
    grace: Span | None = Field(None, description=N_("how long they are listed before they may be destroyed"))
    then: Action = Field("destroy", description=N_("what becomes of them"))
    basis: Labels | None = Field(None, description=N_("why they may be destroyed then"))
    source: Sources = Field(description=N_("clauses it comes from"))


class DoNotRecreate(Settings):
    """How long imports do not enter anew whoever was destroyed at the person's own request."""

    keep: Span = Field(description=N_("how long from the plan on"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class RetentionSettings(Settings):
    """How long data are kept, and how plans to destroy them are handled."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ("customer_type", "org_unit")  # what is a fact of customers
    unscoped: ClassVar[tuple[str, ...]] = ("rejected_rows", "do_not_recreate")  # imports are of no type and of no unit

    customers: Annotated[Many[CustomerRule], Field(min_length=1)] = Field(
        description=N_("rules for customers with all that belongs to them, the first that fits")
    )
    rejected_rows: RejectedRows | None = Field(
        None, description=N_("rows that imports rejected, of all kinds; never destroyed unless given")
    )
    do_not_recreate: DoNotRecreate | None = Field(
        None, description=N_("a list of who asked to be forgotten, as digests; none unless given")
    )
    plan_valid_hours: Annotated[int, Field(ge=1, le=720)] = Field(
        description=N_("hours that a plan may be carried out")
    )
    clock_jump_days: Annotated[int, Field(ge=1, le=366)] = Field(
        description=N_("days that the clock may be ahead of the log before somebody has to say that it is right")
    )
    method: Method = Field("key_destruction", description=N_("how it is done, for the record (DES-03)"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    def tested_rules(self) -> list[Path]:
        """Return what cases must reach: every rule for customers."""
        return [("customers", position) for position, _rule in enumerate(self.customers)]

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield rules of the same name, and rules that no customer can reach."""
        del look
        seen: dict[str, int] = {}
        for position, rule in enumerate(self.customers):
            first = seen.setdefault(rule.code, position)
            if first != position:
                yield Finding(
                    ("customers", position, "code"), _("the code is that of another rule"), _("give it another one")
                )
            if rule.when is None and position + 1 < len(self.customers):
                yield Finding(
                    ("customers", position),
                    _("no rule after this one is ever reached: it has no condition"),
                    _("put the rule without a condition last"),
                )
