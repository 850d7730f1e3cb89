"""Policy kind `complaints`: what a complaint is, how it is handled, who must not, what closes it (CMP-01 to CMP-23)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, cast

from pydantic import Field

from crmctl.cases.policy import CaseSettings, Fits, PostRef
from crmctl.complaints.decide import DEEDS, NEEDS
from crmctl.i18n import N_, _
from crmctl.policy.model import Code, CodeItem, Finding, Lookup, Many, ScopeName, Settings, Sources, lint_codes
from crmctl.policy.problems import suggest
from crmctl.worktime.limits import Within

if TYPE_CHECKING:
    from crmctl.policy import PolicySet

FieldName = Literal["complainant", "contact", "matter", "demand", "nature"]


class Category(CodeItem):
    """What complaints are about (CMP-01)."""

    severity: Code | None = Field(None, description=N_("severity of such a complaint unless another is given"))
    service: bool = Field(False, description=N_("counts in the service complaint rate: attitude, skill, response"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Cause(CodeItem):
    """Why it came to a complaint; found when it is verified (CMP-05)."""

    source: Sources = Field((), description=N_("clauses it comes from"))


class Need(Fits):
    """Something without which a complaint cannot be closed (CMP-13)."""

    what: Code = Field(description=N_("what has to have happened"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Superiors(Settings):
    """Who counts as the superior of the person complained about."""

    posts: Annotated[Many[PostRef], Field(min_length=1)] = Field(description=N_("people who hold one of these posts"))
    within: Literal["department", "org_unit", "company"] = Field(
        "department", description=N_("in the same department, the same org unit, or anywhere")
    )


class Recusal(Settings):
    """Who neither handles a complaint nor approves anything about it, besides the person it is about."""

    superiors: Superiors | None = Field(None, description=N_("the person's superiors as well"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class WithoutAgreement(Settings):
    """How a complaint is closed when the customer agrees to no plan (A-07)."""

    plans: Annotated[int, Field(ge=1, le=20)] = Field(1, description=N_("at least so many plans were refused"))
    mediation: bool = Field(True, description=N_("mediation was offered (CON-04)"))
    source: Sources = Field((), description=N_("clauses it comes from"))


class Attachments(Settings):
    """Files that are kept with a complaint, sealed."""

    max_megabytes: Annotated[int, Field(ge=1, le=50)] = Field(description=N_("size of one file at most"))
    max_files: Annotated[int, Field(ge=1, le=1000)] = Field(description=N_("files of one complaint at most"))


class ComplaintsSettings(CaseSettings):
    """Complaints: categories, fields, stages, recusal, closing."""

    scopes: ClassVar[tuple[ScopeName, ...]] = ("channel", "customer_type", "org_unit")
    events: ClassVar[tuple[str, ...]] = ("received", *DEEDS, "unsettled")

    categories: Annotated[Many[Category], Field(min_length=1)] = Field(description=N_("what complaints are about"))
    causes: Annotated[Many[Cause], Field(min_length=1)] = Field(description=N_("why it came to them"))
    required: Annotated[Many[FieldName], Field(min_length=1)] = Field(
        description=N_("without these none is registered (CMP-02)")
    )
    back_date: Within = Field(description=N_("how long ago at most something happened that is entered now"))
    closing: Annotated[Many[Need], Field(min_length=1)] = Field(description=N_("what closing needs (CMP-13)"))
    recusal: Recusal = Field(Recusal(), description=N_("who keeps out of it"))
    without_agreement: WithoutAgreement | None = Field(
        None, description=N_("closing where no agreement is reached; left out, there is none")
    )
    promise_at_most: Within | None = Field(
        None, description=N_("how far off a date may be that is promised: a plan's, an answer's; any")
    )
    reopen_within: Within | None = Field(None, description=N_("how long after closing it can be reopened; always"))
    satisfaction_scale: Annotated[int, Field(ge=2, le=100)] = Field(description=N_("the best score at a revisit"))
    posts: Mapping[Code, Many[PostRef]] = Field(
        {}, description=N_("who may do what besides what access.yaml says: posts by act, as in close: [complaint]")
    )
    attachments: Attachments = Field(description=N_("files kept with a complaint"))

    def provides(self) -> Mapping[str, Collection[str]]:
        """Return the codes of categories and severities."""
        return {
            "complaint_category": [item.code for item in self.categories],
            "complaint_severity": [item.code for item in self.severities],
        }

    def lint(self, look: Lookup) -> Iterator[Finding]:
        """Yield names used twice, and needs, severities and acts there are none of."""
        yield from super().lint(look)
        for name in ("categories", "causes"):
            yield from lint_codes(getattr(self, name), (name,))
        severities = [severity.code for severity in self.severities]
        for place, category in enumerate(self.categories):
            if category.severity is not None and category.severity not in severities:
                message = _("{code}: no such severity").format(code=category.severity)
                yield Finding(
                    ("categories", place, "severity"), message, suggest(category.severity, severities), "P307"
                )
        for place, need in enumerate(self.closing):
            if need.what not in NEEDS:
                message = _("{code}: nothing that closing can need").format(code=need.what)
                yield Finding(("closing", place, "what"), message, suggest(need.what, NEEDS), "P307")
            for at, severity in enumerate(need.severity):
                if severity not in severities:
                    message = _("{code}: no such severity").format(code=severity)
                    yield Finding(("closing", place, "severity", at), message, suggest(severity, severities), "P307")
        for act in self.posts:
            if act not in ACTS:
                message = _("{code}: no such act").format(code=act)
                yield Finding(("posts", act), message, suggest(act, ACTS), "P307")
        if sum(stage.told for stage in self.stages) != 1:
            message = _("exactly one stage is the one whose limit the complainant is told (CMP-03)")
            yield Finding(("stages",), message, _("write told: true at it"))


ACTS = (
    "open", "respond", "verify", "propose", "agree", "refuse", "rectify", "progress", "handoff", "answer", "revisit",
    "review", "legal-review", "analyse", "mediate", "close", "reopen", "extend", "mark-duplicate", "link", "attach",
    "classify",
)  # fmt: skip


def settings_named(policies: PolicySet, name: str) -> ComplaintsSettings:
    """Return the settings of the complaints policy of that name. Raises InvalidInput when there is none any more."""
    return cast("ComplaintsSettings", policies.settings("complaints", name))


def numbered(policies: PolicySet) -> frozenset[str]:
    """Return what acceptance numbers begin with, by whichever complaints policy."""
    found = (cast("ComplaintsSettings", policy.settings) for policy in policies.of_kind("complaints"))
    return frozenset(settings.number.prefix for settings in found)
