"""A complaint that is to be opened: codes as people write them, policy and terms, clocks, what is missing (CMP-02)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

from crmctl import clock as clocks
from crmctl.cases.clockwork import Clock, Happened, replay
from crmctl.cases.policy import PROMISED
from crmctl.cases.terms import Terms
from crmctl.complaints import judging, ruling
from crmctl.complaints.decide import Standing
from crmctl.complaints.policy import ComplaintsSettings
from crmctl.complaints.reasons import FIELD_TEXTS
from crmctl.complaints.ruling import Rulings
from crmctl.errors import InvalidInput
from crmctl.i18n import _, pick
from crmctl.policy.model import CodeItem, folded, spellings
from crmctl.policy.policyset import Policy
from crmctl.policy.problems import suggest
from crmctl.runs import run as runs
from crmctl.runs.run import Run

Item = TypeVar("Item", bound=CodeItem)
FIELDS = ("complainant", "contact", "matter", "demand", "nature")
MOST_TEXT = 20_000  # characters of one field


@dataclass(frozen=True)
class Request:
    """What is told of a new complaint. Codes are as typed; `private` are texts by name of `FIELDS`.

    `noted` are further texts, kept with the acceptance. `migrated` is what moves here from elsewhere: it may have been
    received as long ago as it was.
    """

    channel: str
    category: str
    private: Mapping[str, str] = field(repr=False)
    severity: str = ""
    received_at: datetime | None = None
    late: str = ""
    feedback_by: datetime | None = None
    about: tuple[int, ...] = ()
    first_receiver: int | None = None
    handler: int | None = None
    noted: Mapping[str, str] = field(default_factory=dict, repr=False)
    migrated: bool = False


@dataclass(frozen=True)
class Complainant:
    """What of the customer a complaint's limits may depend on."""

    customer_type: str
    tier: str | None
    org_unit: str | None


@dataclass(frozen=True)
class Draft:
    """A complaint ready to be written, but for its numbers: codes, times, terms, clocks."""

    policy: Policy
    terms: Terms
    category: str
    severity: str
    channel: str
    entered: datetime
    received_at: datetime
    clocks: tuple[Clock, ...]
    data: Mapping[str, Any]
    request: Request

    @property
    def feedback(self) -> Clock:
        """The clock whose limit the complainant is told."""
        return next(clock for clock in self.clocks if clock.told)


def draft(run: Run, request: Request, who: Complainant, entered: datetime, rulings: Rulings | None = None) -> Draft:
    """Return what a complaint would be written as; `rulings` are shared by many of a day.

    Raises InvalidInput for a code there is none of, a text that is missing or too long (CMP-02), a time at which it
    cannot have been received, and where no time limit could be told (CMP-03).
    """
    rulings = rulings or Rulings(run.policies, runs.today(run.policies, run.at))
    channel = _coded(rulings, run.policies.company.channels, request.channel, _("channel"), "CHANNEL_UNKNOWN")
    facts: dict[str, str | None] = {
        "channel": channel, "customer_type": who.customer_type, "org_unit": who.org_unit, "tier": who.tier,
    }  # fmt: skip
    policy = rulings.policy_for(facts)
    settings = ruling.settings_of(policy)
    category = _coded(rulings, settings.categories, request.category, _("category"), "CATEGORY_UNKNOWN")
    severity = _severity(rulings, settings, category, request.severity)
    _require_texts(settings, request.private)
    received = entered if request.received_at is None else _seconds(request.received_at)
    bound = None if request.migrated else settings.back_date
    judging.require_moment(run, Standing(), received, entered, bound, who.org_unit, late=request.late)
    terms = rulings.terms_of(policy, {**facts, "severity": severity})
    calendars = rulings.calendars(who.org_unit)
    promised = request.feedback_by
    happened = (Happened("received", received, promised), Happened("accepted", entered, promised))
    allowed = replay(happened, terms, calendars)
    terms = _with_feedback(terms, promised)
    found = allowed if promised is None else replay(happened, terms, calendars)
    _require_feedback(found, allowed, promised, entered)
    if promised is not None:
        judging.require_promise(run, settings.promise_at_most, promised, who.org_unit, "--feedback-by")
    data: dict[str, Any] = {"received_at": clocks.stamp(received), "category": category, "severity": severity}
    data["channel"] = channel
    if request.migrated:
        data["migrated"] = True
    if request.feedback_by is not None:
        data["feedback_by"] = clocks.stamp(request.feedback_by)
    return Draft(policy, terms, category, severity, channel, entered, received, found, data, request)


def code_of(items: Sequence[Item], text: str, what: str, code: str) -> str:
    """Return the code that a word names: code, label or synonym. Raises InvalidInput for none."""
    return _code(items, spellings(items), text, what, code)


def _coded(rulings: Rulings, items: Sequence[Item], text: str, what: str, code: str) -> str:
    return _code(items, rulings.spelled(items), text, what, code)


def _code(items: Sequence[Item], spelled: Mapping[str, str], text: str, what: str, code: str) -> str:
    found = spelled.get(folded(text))
    if found is None:
        codes = [item.code for item in items]
        raise InvalidInput(
            _("{text}: no such {field}").format(text=text[:40], field=what),
            hint=suggest(text, codes) or _("one of: {codes}").format(codes=", ".join(codes)),
            code=code,
        )
    return found


def label_of(items: Sequence[Item], code: str | None) -> str:
    """Return what people call a code; the code where the policy has it no more."""
    for item in items:
        if item.code == code:
            labels: Mapping[Any, str] = item.labels
            return pick(labels, item.code)
    return code or ""


def _severity(rulings: Rulings, settings: ComplaintsSettings, category: str, text: str) -> str:
    """Return the severity as typed, else that of the category, else the least."""
    if text:
        return _coded(rulings, settings.severities, text, _("severity"), "SEVERITY_UNKNOWN")
    of_category = next(item.severity for item in settings.categories if item.code == category)
    return of_category or settings.severities[0].code


def _named(fields: Iterable[str]) -> str:
    return ", ".join(_(FIELD_TEXTS[name]) for name in fields)


def _require_texts(settings: ComplaintsSettings, private: Mapping[str, str]) -> None:
    missing = [name for name in settings.required if not private.get(name, "").strip()]
    if missing:
        raise InvalidInput(
            _("a complaint is registered with: {fields}; missing: {missing}").format(
                fields=_named(settings.required), missing=_named(missing)
            ),
            hint=_("add {options}").format(options=", ".join(f"--{name}" for name in missing)),
            code="FIELD_MISSING",
            details={"fields": missing},
        )
    for name, text in private.items():
        if len(text) > MOST_TEXT:
            raise InvalidInput(
                _("{field}: longer than {limit} characters").format(field=name, limit=MOST_TEXT),
                hint=_("add what is longer as a file: crmctl complaint attach"),
                code="VALUE_TOO_LONG",
            )


def _with_feedback(terms: Terms, promised: datetime | None) -> Terms:
    """Return the terms with the date that was promised in place of the limit for the answer (CMP-03)."""
    if promised is None:
        return terms
    stages = tuple(
        replace(stage, within=PROMISED, calendar="", undecided="") if stage.told else stage for stage in terms.stages
    )
    return replace(terms, stages=stages)


def _require_feedback(
    found: Sequence[Clock], allowed: Sequence[Clock], promised: datetime | None, entered: datetime
) -> None:
    """Raise InvalidInput where nothing can be told, and for a promise that has passed or is beyond the policy's."""
    told, latest = (next((clock.due_at for clock in each if clock.told), None) for each in (found, allowed))
    if told is None:
        raise _undecided()
    if promised is not None and latest is not None and promised > latest:
        raise InvalidInput(
            _("--feedback-by: is later than the policy allows"),
            hint=_("leave it out: the policy's own limit is then told"),
            code="FEEDBACK_TOO_LATE",
        )
    if promised is not None and promised <= entered:
        raise InvalidInput(_("--feedback-by: has passed"), hint=_("give a time to come"), code="FEEDBACK_PASSED")


def require_limit(run: Run, who: Complainant) -> None:
    """Raise InvalidInput where somebody of whom nothing else is known could be told no time limit (CMP-03)."""
    facts: dict[str, str | None] = {"customer_type": who.customer_type, "org_unit": who.org_unit, "tier": who.tier}
    policy = ruling.policy_for(run.policies, runs.today(run.policies, run.at), facts)
    if not any(stage.told and stage.within for stage in ruling.terms_of(run.policies, policy, facts).stages):
        raise _undecided()


def _undecided() -> InvalidInput:
    return InvalidInput(
        _("there is no time limit to tell the complainant"),
        hint=_("give --feedback-by, or decide the value the policy's stage waits for: crmctl doctor lists it"),
        code="FEEDBACK_UNDECIDED",
    )


def _seconds(moment: datetime) -> datetime:
    return clocks.parse_stamp(clocks.stamp(moment))
