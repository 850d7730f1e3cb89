"""Policy kind `retention`: how long data are kept, and what becomes of them then (存储期限, DES-01 to DES-03).

A period is counted from the last of some days: the last contact, the last order, the end of the contract, … No written
document names one, so every figure is the company's own: unset, nothing of that kind is ever destroyed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.conditions import Condition
from crmctl.policy.model import Code, Figure, Finding, Labels, Lookup, Many, ScopeName, Settings, Sources, Wrong
from crmctl.policy.nodes import Path
from crmctl.retention.putaway import can_hold

Since = Literal["added", "last_contact", "last_order", "contract_end", "complaint", "cancelled", "put_away"]
Action = Literal["destroy", "anonymise", "archive"]
Method = Literal["key_destruction"]
Kind = Literal["customers", "rejected_rows", "old_values"]  # kinds of data, each with a period of its own (DES-01)
KINDS: tuple[Kind, ...] = ("customers", "rejected_rows", "old_values")
CUSTOMERS: tuple[Kind, ...] = ("customers",)
UNOWNED: tuple[Kind, ...] = ("rejected_rows", "old_values")  # what goes by import or by run, not by customer

# What may be left of an anonymised customer, and how: what lies clear, and is a fact of many.
Kept = Literal["customer_type", "status", "stage", "tier", "org_unit", "region", "industry", "source"]
Masked = Literal["region", "industry", "source", "company_name"]
Generalised = Literal[
    "first_added_at", "last_contact_at", "created_at", "cancelled_at", "annual_amount", "completeness"
]
PERIODS = ("year", "quarter", "month")
NUMBERS: tuple[Generalised, ...] = ("annual_amount", "completeness")

# What each day is in the table of metrics.
METRIC_OF: Mapping[Since, str] = {
    "added": "days_since_added",
    "last_contact": "days_since_last_contact",
    "last_order": "days_since_last_order",
    "contract_end": "days_since_contract_end",
    "complaint": "days_since_complaint",
    "cancelled": "days_since_cancelled",
    "put_away": "days_since_put_away",
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


def _step(data: object) -> object:
    if data in PERIODS or (isinstance(data, int) and not isinstance(data, bool) and data >= 1):
        return data
    raise Wrong(_("year, quarter, month or a whole number is wanted"), _("{first_added_at: year, completeness: 10}"))


Step = Annotated[
    int | str,
    BeforeValidator(_step),
    WithJsonSchema({"anyOf": [{"enum": list(PERIODS)}, {"type": "integer", "minimum": 1}]}),
]


class Anonymise(Settings):
    """What is left of customers who are anonymised; what is not listed is deleted, and so is all that is sealed."""

    keep: Many[Kept] = Field((), description=N_("fields left as they are"))
    generalise: dict[Generalised, Step] = Field(
        {}, description=N_("times left as year, quarter or month; numbers rounded down to a multiple")
    )
    mask: dict[Masked, Annotated[int, Field(ge=1, le=20)]] = Field(
        {}, description=N_("texts of which so many characters are left")
    )
    at_least: Annotated[int, Field(ge=2, le=10_000)] = Field(
        description=N_("customers who must be alike; of fewer nothing is left but their number")
    )

    @model_validator(mode="after")
    def _meant(self) -> Self:
        named = [*self.keep, *self.mask]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise Wrong(_("{field} is listed twice").format(field=twice), _("keep it or mask it"))
        for name, step in self.generalise.items():
            if isinstance(step, int) != (name in NUMBERS):
                hint = _("a number is rounded to a multiple, a time to year, quarter or month")
                raise Wrong(_("{field}: not so").format(field=name), hint, ("generalise", name))
        return self


class CustomerRule(Settings):
    """How long customers are kept. The first rule whose condition holds is theirs; whoever none fits stays."""

    code: Code = Field(description=N_("its name in files, JSON and destruction records"))
    labels: Labels = Field(description=N_("what people see, in Chinese (zh) and English (en)"))
    when: Condition | None = Field(None, description=N_("whom it is for; everybody left unless given"))
    since: Many[Since] = Field(min_length=1, description=N_("the period runs from the last of these days"))
    keep: Span = Field(description=N_("how long they are kept from then on"))
    grace: Span | None = Field(None, description=N_("how long they are listed before they may be destroyed"))
    minimums: Many[Minimum] = Field((), description=N_("periods of the law, which must have ended as well"))
    then: Action = Field(
        "destroy", description=N_("what becomes of them; archive puts them away, stored and used for nothing")
    )
    anonymise: Anonymise | None = Field(None, description=N_("what is left of them, with then: anonymise"))
    basis: Labels | None = Field(None, description=N_("why they may be destroyed then"))
    source: Sources = Field(description=N_("clauses it comes from"))

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.then == "anonymise") != (self.anonymise is not None):
            raise Wrong(
                _("then: anonymise and the list under anonymise: belong together"),
                _("give both, or neither"),
                ("anonymise",) if self.anonymise is not None else ("then",),
            )
        return self


class RejectedRows(Settings):
    """How long rows are kept that an import rejected, with what else is sealed about the import: file name, header.

    They belong to nobody the program knows, so that they go by import: the period runs from the import's end, of one
    that was interrupted and never finished from its beginning.
    """

    keep: Span = Field(description=N_("how long they are kept from the end of the import on"))
    grace: Span | None = Field(None, description=N_("how long they are listed before they may be destroyed"))
    then: Literal["destroy"] = Field("destroy", description=N_("what becomes of them"))
    basis: Labels | None = Field(None, description=N_("why they may be destroyed then"))
    source: Sources = Field(description=N_("clauses it comes from"))


class OldValues(Settings):
    """How long the change log keeps what records held before they were changed: corrected numbers, old addresses.

    They go by run: the period runs from the end of the run that made the changes, of one that never ended from its
    beginning. Afterwards a change can be neither looked at nor undone; that it was made stays provable.
    """

    keep: Span = Field(description=N_("how long they are kept from the end of the run on"))
    grace: Span | None = Field(None, description=N_("how long they are listed before they may be destroyed"))
    then: Literal["destroy"] = Field("destroy", description=N_("what becomes of them"))
    basis: Labels | None = Field(None, description=N_("why they may be destroyed then"))
    source: Sources = Field(description=N_("clauses it comes from"))


class DoNotRecreate(Settings):
    """How long imports do not enter anew whoever was destroyed at the person's own request."""

    keep: Span = Field(description=N_("how long from the plan on"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Supervision(Settings):
    """How destruction is supervised (DES-05): how often somebody looks, and what is late."""

    every: Span | None = Field(None, description=N_("how long after the last time it is due again"))
    destroy_within: Span | None = Field(
        None, description=N_("how long after data may be destroyed they are to be destroyed; then they are overdue")
    )
    sample: Annotated[int, Field(ge=1, le=10_000)] = Field(
        50, description=N_("how many of the destroyed, chosen at random, are looked for again")
    )
    source: Sources = Field((), description=N_("clauses it comes from"))


class RetentionSettings(Settings):
    """How long data are kept, and how plans to destroy them are handled."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ("customer_type", "org_unit")  # what is a fact of customers
    # Imports and runs are of no type and of no unit.
    unscoped: ClassVar[tuple[str, ...]] = ("rejected_rows", "old_values", "do_not_recreate", "supervision")

    customers: Annotated[Many[CustomerRule], Field(min_length=1)] = Field(
        description=N_("rules for customers with all that belongs to them, the first that fits")
    )
    rejected_rows: RejectedRows | None = Field(
        None, description=N_("rows that imports rejected, of all kinds; never destroyed unless given")
    )
    old_values: OldValues | None = Field(
        None, description=N_("values before a change, in the change log; never destroyed unless given")
    )
    do_not_recreate: DoNotRecreate | None = Field(
        None, description=N_("a list of who asked to be forgotten, as digests; none unless given")
    )
    supervision: Supervision | None = Field(None, description=N_("how destruction is supervised"))
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

    def _spans(self) -> Iterator[tuple[Path, Span]]:
        parts: list[tuple[Path, Settings | None]] = [((name,), getattr(self, name)) for name in self.unscoped]
        for place, rule in enumerate(self.customers):
            parts.append((("customers", place), rule))
            parts += [(("customers", place, "minimums", n), each) for n, each in enumerate(rule.minimums)]
        for at, part in parts:
            for name in ("keep", "grace", "every", "destroy_within"):
                span = getattr(part, name, None)
                if isinstance(span, Span):
                    yield (*at, name), span

    def _destroyed_later(self, position: int) -> bool:
        """Say whether a rule that comes first for those whom this one puts away counts from there and destroys them."""
        others = self.customers[:position] if can_hold(self.customers[position].when) else self.customers
        return any(each.then != "archive" and "put_away" in each.since and can_hold(each.when) for each in others)

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield rules of the same name, rules that no customer can reach, and times below nothing."""
        for at, span in self._spans():
            number = look.figure(span.figure)
            if number is not None and number < 0:
                yield Finding(at, _("a time of 0 or more is wanted"))
        seen: dict[str, int] = {}
        for position, rule in enumerate(self.customers):
            first = seen.setdefault(rule.code, position)
            if first != position:
                yield Finding(
                    ("customers", position, "code"), _("the code is that of another rule"), _("give it another one")
                )
            if rule.then == "archive" and not self._destroyed_later(position):
                yield Finding(
                    ("customers", position, "then"),
                    _("who is put away by it is never destroyed: no rule before it counts from put_away"),
                    _("put one before it, with when: {status: {eq: put_away}} and since: [put_away]"),
                )
            if rule.when is None and position + 1 < len(self.customers):
                yield Finding(
                    ("customers", position),
                    _("no rule after this one is ever reached: it has no condition"),
                    _("put the rule without a condition last"),
                )
