"""The figures of a period as programs get them: each with its definition, numerator, denominator and moment.

A figure without denominator has no value; `lacks` then says what is not recorded. Nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmctl import clock as times
from crmctl.complaints.statistics import Prevented, Statistics
from crmctl.complaints.tallying import Tally
from crmctl.i18n import N_

COUNTS = ("open_before", "opened", "closed", "duplicates", "reopened", "open")
NAMES: Mapping[str, str] = {
    "K05": N_("Timely handling"),
    "K15": N_("Service complaints"),
    "K16": N_("Complaint rate"),
    "K28": N_("Satisfaction at revisits"),
    "K29": N_("Reviewed"),
    "K30": N_("Fewer like complaints"),
}
_PLACES = 2


def document(found: Statistics, zone: str) -> dict[str, Any]:
    """Return all figures of a period; rates are in per cent."""
    total, as_of = found.total, times.local(times.parse_stamp(found.period.end), zone)
    return {
        "from": found.period.first.isoformat(),
        "until": found.period.last.isoformat(),
        "as_of": as_of,
        "counts": {name: total.counts[name] for name in COUNTS},
        "figures": [{**figure, "as_of": as_of} for figure in figures(found)],
        "categories": _ranked(total.categories, total.counts["opened"], "category"),
        "causes": _ranked(total.causes, sum(total.causes.values()), "cause"),
        "cause_unknown": total.counts["opened"] - sum(total.causes.values()),
        "stages": stages(total),
    }


def figures(found: Statistics) -> list[dict[str, Any]]:
    """Return K05, K28, K29, K30, K15 and K16, in this order."""
    total, counts = found.total, found.total.counts
    return [
        timeliness(total),
        satisfaction(total),
        _rate("K29", counts["reviewed"], counts["handled"]),
        prevention(found.prevented),
        {**_rate("K15", counts["service"], None), "lacks": "service_volume"},
        _rate("K16", counts["opened"], found.customers),
    ]


def timeliness(tally: Tally) -> dict[str, Any]:
    """Return K05, with how many complaints have no limit to judge by, and are timely only by what was entered late."""
    counts = tally.counts
    more = {name: counts[name] for name in ("unlimited", "entered_late")}
    return {**_rate("K05", counts["timely"], counts["judged"]), **more}


def prevention(found: Prevented) -> dict[str, Any]:
    """Return K30; without a value while there are complaints of the period whose cause nobody knows yet."""
    rate = _rate("K30", found.before - found.now, found.before)
    rate["value"] = None if found.unknown else rate["value"]
    told = {"kinds": found.kinds, "before": found.before, "now": found.now}
    return {**rate, **told, "cause_unknown_before": found.unknown_before, "cause_unknown": found.unknown}


def satisfaction(tally: Tally) -> dict[str, Any]:
    """Return K28: `numerator` is the sum of scores in per cent of their scales, `unanswered` revisits without one."""
    answers = sum(tally.answers.values())
    # Exactly, and once: scales are few, scores are whole numbers.
    total = sum(100 * score / scale for scale, score in sorted(tally.scores.items()))
    value = round(total / answers, _PLACES) if answers else None
    told = {"definition": "K28", "numerator": round(total, _PLACES), "denominator": answers, "value": value}
    return {**told, "unanswered": tally.counts["unanswered"]}


def stages(tally: Tally) -> list[dict[str, Any]]:
    """Return for each stage how many of its limits were kept, by code, and how many only by what was entered late."""
    numbers = ("kept", "judged", "entered_late")
    return [
        {"stage": stage, **{name: counts[name] for name in numbers}, "value": per_cent(*_pair(counts))}
        for stage, counts in sorted(tally.stages.items())
    ]


def group_document(by: str, key: Any, tally: Tally) -> dict[str, Any]:  # noqa: ANN401 - code, id or null
    """Return the counts and the timeliness of one key."""
    figure = timeliness(tally)
    rates = {"timely": figure["numerator"], "judged": figure["denominator"], "timeliness": figure["value"]}
    rates["entered_late"] = figure["entered_late"]
    return {by: key, **{name: tally.counts[name] for name in COUNTS}, **rates}


def per_cent(part: int, whole: int | None) -> float | None:
    """Return a share in per cent, two places; None of nothing."""
    return round(100 * part / whole, _PLACES) if whole else None


def _pair(counts: Mapping[str, int]) -> tuple[int, int]:
    return counts["kept"], counts["judged"]


def _rate(definition: str, part: int, whole: int | None) -> dict[str, Any]:
    return {"definition": definition, "numerator": part, "denominator": whole, "value": per_cent(part, whole)}


def _ranked(counts: Mapping[str, int], whole: int, name: str) -> list[dict[str, Any]]:
    """Return the most frequent first, each with its share."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{name: code, "complaints": number, "share": per_cent(number, whole)} for code, number in ordered]
