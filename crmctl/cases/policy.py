"""What policies of cases share: stages with their limits, waiting, extensions, escalation, numbers (T2, REQ-09).

A stage's clock begins with an event and ends with another; which events there are is the subject's own. Limits are
looked up once, when a case is opened: it keeps them whatever the policy says later.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from crmctl.i18n import N_, _
from crmctl.policy.model import (
    CODE_PATTERN,
    Code,
    CodeItem,
    Finding,
    Lookup,
    Many,
    Reference,
    Settings,
    Sources,
    ValueRef,
    Wrong,
    lint_codes,
)
from crmctl.policy.nodes import Path
from crmctl.policy.problems import suggest
from crmctl.worktime.limits import WITHIN_PATTERN, Ends, Unit, Within, limit_of

PROMISED = "promised"
UNITS: tuple[str, ...] = get_args(Unit)


class PostRef(Reference):
    """The code of a post in company.yaml."""

    what = "post"
    pattern = CODE_PATTERN
    __slots__ = ()


class TierRef(Reference):
    """The code of a tier."""

    what = "tier"
    pattern = CODE_PATTERN
    __slots__ = ()


class TypeRef(Reference):
    """The code of a customer type in customers.yaml."""

    what = "customer_type"
    pattern = CODE_PATTERN
    __slots__ = ()


class ChannelRef(Reference):
    """The code of a channel in company.yaml."""

    what = "channel"
    pattern = CODE_PATTERN
    __slots__ = ()


class NoticeChannelRef(Reference):
    """The code of a channel in notify.yaml."""

    what = "notify_channel"
    pattern = CODE_PATTERN
    __slots__ = ()


def _limit_or_promised(text: str) -> str:
    if text != PROMISED:
        limit_of(text)
    return text


LimitText = Annotated[
    str,
    AfterValidator(_limit_or_promised),
    WithJsonSchema({"type": "string", "pattern": f"{WITHIN_PATTERN}|^promised$"}),
]


class Fits(Settings):
    """Which cases an entry is for; what is not named is not asked."""

    severity: Many[Code] = Field((), description=N_("only cases of these severities"))
    channel: Many[ChannelRef] = Field((), description=N_("only cases that came this way"))
    tier: Many[TierRef] = Field((), description=N_("only customers of these tiers"))
    customer_type: Many[TypeRef] = Field((), description=N_("only customers of these types"))

    @property
    def dimensions(self) -> dict[str, Collection[str]]:
        """What it asks, by name of the fact."""
        names = ("severity", "channel", "tier", "customer_type")
        return {name: getattr(self, name) for name in names if getattr(self, name)}


class _Time(Settings):
    within: LimitText | None = Field(
        None, description=N_('as "24 hours", "1 working day"; promised: the date given in the event that begins it')
    )
    number: ValueRef | None = Field(None, description=N_("instead of within: a value of company.yaml, in `unit`"))
    unit: Unit | None = Field(None, description=N_("unit of `number`"))
    ends: Ends = Field("close", description=N_("days end at their close, or at the time of day they began"))
    calendar: Code | None = Field(None, description=N_("name of a calendar; that of the org unit unless given"))


class StageLimit(Fits, _Time):  # fields stand in the order of the bases from the last
    """How long a stage may take; of several, the first that fits the case counts."""

    source: Sources = Field((), description=N_("clauses it comes from"))

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.within is None) == (self.number is None) or (self.number is None) != (self.unit is None):
            raise Wrong(_("give within, or number and unit"), _('as in "within: 24 hours"'))
        return self


class Stage(CodeItem):
    """A part of a case's life with a clock of its own."""

    begins: Annotated[Many[Code], Field(min_length=1)] = Field(description=N_("events that start its clock"))
    ends: Annotated[Many[Code], Field(min_length=1)] = Field(description=N_("events that stop its clock"))
    limits: Many[StageLimit] = Field((), description=N_("how long it may take; none: measured, not limited"))
    told: bool = Field(False, description=N_("the customer is told its date, which then never moves by itself"))
    pauses: bool = Field(False, description=N_("its clock stands still while the customer is waited for"))
    timely: bool = Field(True, description=N_("counts when it is asked whether the case was handled in time"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Waiting(Settings):
    """When it is the customer's turn."""

    from_: Many[Code] = Field((), alias="from", description=N_("events after which the customer is waited for"))
    until: Many[Code] = Field((), description=N_("events that end it"))


class Extension(Fits):
    """A further limit somebody else can grant while the former still runs; those of a stage in their order."""

    stage: Code = Field(description=N_("the stage that gets longer"))
    to: LimitText = Field(description=N_("the new limit, from the stage's beginning; promised: a date given"))
    at_most: Within | None = Field(None, description=N_("with to: promised, the latest such date"))
    act: Code | None = Field(None, description=N_("second half of the act that access.yaml has approved; extend"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Level(CodeItem):
    """A step of escalation: who is told when a limit comes near or is over."""

    when: Literal["at_end", "before", "after"] = Field(description=N_("when the limit ends, or before or after that"))
    by: Within | None = Field(None, description=N_("how long before (hours or minutes) or after"))
    to: Annotated[Many[Annotated[str, StringConstraints(max_length=60)]], Field(min_length=1)] = Field(
        description=N_("handler, first_receiver, owner, superior, or post:CODE")
    )
    channels: Many[NoticeChannelRef] = Field(
        (), description=N_("codes of notify.yaml; none: it is only noted and listed")
    )
    stages: Many[Code] = Field((), description=N_("only these stages; all unless given"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    @model_validator(mode="after")
    def _how_long(self) -> Self:
        if (self.by is None) != (self.when == "at_end"):
            raise Wrong(_("by belongs to before and after, and they need it"), at=("when",))
        if self.when == "before" and self.by is not None and limit_of(self.by).days:
            raise Wrong(_("'{text}': hours or minutes are wanted").format(text=self.by), at=("by",))
        return self


WHO = ("handler", "first_receiver", "owner", "superior")


class Numbering(Settings):
    """How cases are numbered: PREFIX-YYYYMMDD-NNNN, each day from 1, without gaps."""

    prefix: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2,6}$")] = Field(description=N_("capital letters"))
    digits: Annotated[int, Field(ge=3, le=6)] = Field(4, description=N_("digits of the day's number, at least"))


class CaseSettings(Settings):
    """Stages and what belongs to them; a subject adds its own."""

    events: ClassVar[Sequence[str]] = ()  # that a stage may begin or end with

    number: Numbering = Field(description=N_("how cases are numbered"))
    severities: Annotated[Many[CodeItem], Field(min_length=1)] = Field(description=N_("how severe, least first"))
    stages: Annotated[Many[Stage], Field(min_length=1)] = Field(description=N_("parts of a case's life, in order"))
    waiting: Waiting = Field(Waiting(), description=N_("when it is the customer's turn"))
    extensions: Many[Extension] = Field((), description=N_("which limits can be extended, in order"))
    escalation: Many[Level] = Field((), description=N_("who is told when, in order of time"))
    source: Sources = Field((), description=N_("clauses it comes from"))

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, and stages, events, severities and posts there are none of."""
        for name in ("severities", "stages", "escalation"):
            yield from lint_codes(getattr(self, name), (name,))
        yield from self._unknown_events()
        yield from self._unknown_severities()
        yield from self._no_numbers(look)
        stages = [stage.code for stage in self.stages]
        for place, extension in enumerate(self.extensions):
            yield from _unknown((extension.stage,), stages, ("extensions", place, "stage"), _("{code}: no such stage"))
        for place, level in enumerate(self.escalation):
            yield from _unknown(level.stages, stages, ("escalation", place, "stages"), _("{code}: no such stage"))
            known = look.known("post")
            if known is None:  # company.yaml cannot be read: nothing can be said of posts
                continue
            who = [*WHO, *(f"post:{post}" for post in known)]
            yield from _unknown(level.to, who, ("escalation", place, "to"), _("{code}: nobody is meant"))

    def _no_numbers(self, look: Lookup) -> Iterator[Finding]:
        for place, stage in enumerate(self.stages):
            for at, limit in enumerate(stage.limits):
                figure = None if limit.number is None else look.figure(limit.number)
                if figure is not None and (figure < 1 or figure != int(figure)):
                    message = _("{name} is {figure}: a limit is a whole number above 0").format(
                        name=limit.number, figure=figure
                    )
                    yield Finding(
                        ("stages", place, "limits", at, "number"), message, _("decide another in company.yaml")
                    )

    def _unknown_events(self) -> Iterator[Finding]:
        named: list[tuple[Path, Sequence[str]]] = [(("waiting", "from"), self.waiting.from_)]
        named.append((("waiting", "until"), self.waiting.until))
        for place, stage in enumerate(self.stages):
            named += [(("stages", place, "begins"), stage.begins), (("stages", place, "ends"), stage.ends)]
        for at, codes in named:
            yield from _unknown(codes, self.events, at, _("{code}: no such event"))

    def _unknown_severities(self) -> Iterator[Finding]:
        known = [severity.code for severity in self.severities]
        fits: list[tuple[Path, Fits]] = [(("extensions", place), each) for place, each in enumerate(self.extensions)]
        for place, stage in enumerate(self.stages):
            fits += [(("stages", place, "limits", at), limit) for at, limit in enumerate(stage.limits)]
        for at, each in fits:
            yield from _unknown(each.severity, known, (*at, "severity"), _("{code}: no such severity"))


def _unknown(codes: Sequence[str], known: Collection[str], at: Path, message: str) -> Iterator[Finding]:
    for place, code in enumerate(codes):
        if code not in known:
            yield Finding((*at, place), message.format(code=code), suggest(code, known), "P307")
