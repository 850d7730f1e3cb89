"""Which complaints policy holds for a complaint, the terms it gives, and the calendars its clocks run by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import cast

from crmctl.cases.clockwork import CalendarOf
from crmctl.cases.terms import Facts, Terms, fits, terms_for
from crmctl.complaints.policy import ComplaintsSettings
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.model import CodeItem, spellings
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.scopes import ruling_for
from crmctl.worktime.calendars import Calendar, calendar_for


def policy_for(policies: PolicySet, day: date, facts: Facts) -> Policy:
    """Return the complaints policy in force on a day for these facts. Raises InvalidInput when there is none."""
    found = ruling_for(
        policies,
        "complaints",
        day,
        customer_type=facts.get("customer_type"),
        org_unit=facts.get("org_unit"),
        channel=facts.get("channel"),
    )
    if found is None:
        raise InvalidInput(
            _("no complaints policy in force on {day} fits this complaint").format(day=day),
            hint=_("see: crmctl policy list"),
            code="POLICY_MISSING",
        )
    return found


def settings_of(policy: Policy) -> ComplaintsSettings:
    """Return the settings of a complaints policy."""
    return cast("ComplaintsSettings", policy.settings)


def terms_of(policies: PolicySet, policy: Policy, facts: Facts) -> Terms:
    """Return the terms of a complaint with these facts: it keeps them, whatever the policy says later."""
    settings = settings_of(policy)
    without, superiors = settings.without_agreement, settings.recusal.superiors
    rest: dict[str, object] = {
        "closing": [need.what for need in settings.closing if fits(need, facts)],
        "back_date": settings.back_date,
        "promise_at_most": settings.promise_at_most,
        "reopen_within": settings.reopen_within,
        "scale": settings.satisfaction_scale,
        "superiors": None if superiors is None else {"posts": list(superiors.posts), "within": superiors.within},
        "without_agreement": None if without is None else {"plans": without.plans, "mediation": without.mediation},
        "posts": {act: list(posts) for act, posts in settings.posts.items()},
    }
    return terms_for(policies, policy, facts, rest)


class Rulings:
    """What holds on a day, looked up once for all complaints that are alike: policies, terms, calendars, words."""

    def __init__(self, policies: PolicySet, day: date) -> None:
        self._policies, self._day = policies, day
        self._policy: dict[frozenset[tuple[str, str | None]], Policy] = {}
        self._terms: dict[tuple[str, int, frozenset[tuple[str, str | None]]], Terms] = {}
        self._words: dict[int, tuple[object, Mapping[str, str]]] = {}
        self.calendars = cache(lambda org_unit: calendars(policies, day, org_unit))

    def policy_for(self, facts: Facts) -> Policy:
        """Return what `policy_for` does."""
        key = frozenset(facts.items())
        if key not in self._policy:
            self._policy[key] = policy_for(self._policies, self._day, facts)
        return self._policy[key]

    def terms_of(self, policy: Policy, facts: Facts) -> Terms:
        """Return what `terms_of` does."""
        key = policy.name, policy.version, frozenset(facts.items())
        if key not in self._terms:
            self._terms[key] = terms_of(self._policies, policy, facts)
        return self._terms[key]

    def spelled(self, items: Sequence[CodeItem]) -> Mapping[str, str]:
        """Return what `policy.model.spellings` does of a list that a policy keeps."""
        known = self._words.get(id(items))
        if known is None:
            known = self._words[id(items)] = items, spellings(items)
        return known[1]


def calendars(policies: PolicySet, day: date, org_unit: str | None) -> CalendarOf:
    """Return the function from a calendar's name to the calendar in force on a day; "" is that of the org unit."""

    @cache
    def found(name: str) -> Calendar:
        return calendar_for(policies, day, org_unit=org_unit, name=name)

    return found
