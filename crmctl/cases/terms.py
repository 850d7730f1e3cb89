"""The terms of one case: the stages, limits, extensions and levels that hold for it, whatever the policy says later.

They are kept with the case as canonical JSON, so that its deadlines can be worked out again by anybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any

import orjson

from crmctl.cases.policy import CaseSettings, Fits, StageLimit
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.worktime.limits import WRITTEN, Ends

Facts = Mapping[str, str | None]  # severity, channel, tier, customer_type


@dataclass(frozen=True, slots=True)
class StageTerms:
    """One stage. `within` is empty where no limit is configured; `undecided` names the value that is still missing."""

    code: str
    begins: tuple[str, ...]
    ends: tuple[str, ...]
    within: str = ""
    days_end: Ends = "close"
    calendar: str = ""
    told: bool = False
    pauses: bool = False
    timely: bool = True
    undecided: str = ""
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExtensionTerms:
    """A further limit of a stage, and the act by which it is granted."""

    stage: str
    to: str
    at_most: str = ""
    act: str = "extend"
    source: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LevelTerms:
    """A step of escalation. `moment` is before, at_end or after; `by` how long."""

    code: str
    moment: str
    by: str
    to: tuple[str, ...]
    channels: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """All that holds for a case. `rest` are the subject's own terms, in JSON's types."""

    stages: tuple[StageTerms, ...]
    waits_from: tuple[str, ...] = ()
    waits_until: tuple[str, ...] = ()
    extensions: tuple[ExtensionTerms, ...] = ()
    levels: tuple[LevelTerms, ...] = ()
    rest: str = "{}"

    def stage(self, code: str) -> StageTerms | None:
        """Return a stage; None for one the case has not."""
        return next((stage for stage in self.stages if stage.code == code), None)


def terms_for(policies: PolicySet, policy: Policy, facts: Facts, rest: Mapping[str, object]) -> Terms:
    """Return the terms of a case with these facts under a policy; `rest` are the subject's own."""
    settings = policy.settings
    assert isinstance(settings, CaseSettings)
    stages = tuple(_stage(policies, settings, place, facts) for place in range(len(settings.stages)))
    extensions = tuple(
        ExtensionTerms(each.stage, each.to, each.at_most or "", each.act or "extend", tuple(map(str, each.source)))
        for each in settings.extensions
        if fits(each, facts)
    )
    levels = tuple(
        LevelTerms(
            level.code,
            level.when,
            level.by or "",
            level.to,
            tuple(map(str, level.channels)),
            level.stages,
        )
        for level in settings.escalation
    )
    wait = settings.waiting
    told = orjson.dumps(dict(rest), option=orjson.OPT_SORT_KEYS).decode()
    return Terms(stages, wait.from_, wait.until, extensions, levels, told)


def fits(entry: Fits, facts: Facts) -> bool:
    """Say whether an entry is for a case with these facts."""
    return all(facts.get(name) in codes for name, codes in entry.dimensions.items())


def _stage(policies: PolicySet, settings: CaseSettings, place: int, facts: Facts) -> StageTerms:
    stage = settings.stages[place]
    limit = next((each for each in stage.limits if fits(each, facts)), None)
    within, undecided = ("", "") if limit is None else _written(policies, limit)
    sources = (*(limit.source if limit else ()), *stage.source)
    return StageTerms(
        stage.code,
        stage.begins,
        stage.ends,
        within,
        limit.ends if limit else "close",
        (limit.calendar or "") if limit else "",
        stage.told,
        stage.pauses,
        stage.timely,
        undecided,
        tuple(dict.fromkeys(map(str, sources))),
    )


def _written(policies: PolicySet, limit: StageLimit) -> tuple[str, str]:
    """Return a limit as text, and the name of the value it still waits for."""
    if limit.within is not None:
        return limit.within, ""
    assert limit.number is not None and limit.unit is not None
    figure = policies.figure(limit.number)
    if figure is None:
        return "", limit.number.name
    number = int(figure)
    return f"{number} {WRITTEN[limit.unit][number > 1]}", ""


def dumps(terms: Terms) -> str:
    """Return terms as canonical JSON."""
    return orjson.dumps(asdict(terms), option=orjson.OPT_SORT_KEYS).decode()


@lru_cache(maxsize=512)
def loads(text: str) -> Terms:
    """Return terms from their JSON; cases of one kind share most of them."""
    found = orjson.loads(text)
    return Terms(
        tuple(StageTerms(**_tuples(each)) for each in found["stages"]),
        tuple(found["waits_from"]),
        tuple(found["waits_until"]),
        tuple(ExtensionTerms(**_tuples(each)) for each in found["extensions"]),
        tuple(LevelTerms(**_tuples(each)) for each in found["levels"]),
        found["rest"],
    )


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        for name, value in values.items()
    }
