"""Tier settings: the starter tiers, and what their lint finds."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.policy.company import ValueEntry
from crmctl.policy.policyset import Known
from crmctl.tiers.policy import TiersSettings

STANDARD = {"contact": {"as_needed": True}, "source": ["004 §5②"]}


def tier(code: str, rank: int, gte: Any = None) -> dict[str, Any]:
    when = {} if gte is None else {"when": {"annual_amount": {"gte": gte}}}
    return {"code": code, "rank": rank, "labels": {"zh": code}, "standard": STANDARD, "source": [], **when}


def findings(*tiers: dict[str, Any], more: dict[str, Any] | None = None, **values: Any) -> list[str]:
    settings = TiersSettings.model_validate({"tiers": list(tiers), **(more or {})})
    entries = {name: ValueEntry.model_validate(entry) for name, entry in values.items()}
    return [finding.message for finding in settings.lint(Known({}, entries))]


def test_the_starter_tiers() -> None:
    tiers = load(shipped("policies")).settings("tiers")
    assert isinstance(tiers, TiersSettings)
    assert [(tier.code, tier.rank) for tier in tiers.tiers] == [
        ("core", 1),
        ("important", 2),
        ("ordinary", 3),
        ("potential", 4),
    ]
    core, important, ordinary, potential = (tier.standard.contact for tier in tiers.tiers)
    assert (core.times, core.every, core.ways) == (2, "month", ("face_to_face",))
    assert (important.times, important.every, important.ways) == (1, "month", ("phone", "online"))
    assert (ordinary.times, ordinary.every) == (1, "quarter")
    assert potential.as_needed
    assert tiers.provides()["tier"] == ["core", "important", "ordinary", "potential"]


def test_thresholds_descend() -> None:
    assert findings(tier("a", 1, 100), tier("b", 2, 50), tier("c", 3)) == []
    assert len(findings(tier("a", 1, 100), tier("b", 2, 100), tier("c", 3))) == 1


def test_thresholds_descend_in_the_companys_numbers() -> None:
    tiers = (tier("a", 1, "$high"), tier("b", 2, "$low"), tier("c", 3))
    assert findings(*tiers, high={"value": 10, "unit": "wan_yuan"}, low={"value": 50_000, "unit": "yuan"}) == []
    assert len(findings(*tiers, high={"value": 1, "unit": "wan_yuan"}, low={"value": 50_000, "unit": "yuan"})) == 1
    assert findings(*tiers, high={"value": "unset"}, low={"value": Decimal("50000.5")}) == []


@pytest.mark.parametrize(
    "tiers",
    [
        (tier("a", 1, 100), tier("b", 2, 50)),
        (tier("a", 1), tier("b", 2, 50), tier("c", 3)),
        (tier("a", 2, 100), tier("b", 1)),
    ],
)
def test_a_gap_an_unreachable_tier_a_rank_out_of_order(tiers: tuple[dict[str, Any], ...]) -> None:
    assert len(findings(*tiers)) == 1


def test_no_tier_without_a_standard() -> None:
    without = tier("a", 1)
    del without["standard"]
    with pytest.raises(ValueError, match="standard"):
        TiersSettings.model_validate({"tiers": [without]})


def scored(code: str, rank: int, least: Any = None) -> dict[str, Any]:
    return {**tier(code, rank), **({} if least is None else {"min_score": least})}


def measure(weight: Any, *bands: tuple[Any, int]) -> dict[str, Any]:
    told = [{"points": points, **({} if when is None else {"when": when})} for when, points in bands]
    return {"code": "m", "labels": {"zh": "m"}, "weight": weight, "bands": told}


RICH = {"annual_amount": {"gte": 100}}
MEASURE = measure(1, (RICH, 100), (None, 0))
SOUND = (scored("a", 1, 60), scored("b", 2))


@pytest.mark.parametrize(
    ("tiers", "measures", "said"),
    [
        (SOUND, [MEASURE], []),
        (SOUND, [measure("$weight", (RICH, 100))], []),
        (SOUND, [measure("$nothing", (RICH, 100))], []),
        (SOUND, [], ["a score without measures"]),
        (SOUND, [measure(0, (RICH, 1)), measure(0, (None, 1))], ["the weights add up to nothing"]),
        (SOUND, [MEASURE, measure(-1, (RICH, 1))], ["a weight is not negative", "the weights add up to nothing"]),
        (SOUND, [measure(1, (RICH, 1), (RICH, 2))], ["2 points are never given: earlier bands take all"]),
        (SOUND, [measure(1, (None, 1), (RICH, 2))], ["2 points are never given: earlier bands take all"]),
        ((scored("a", 1, 60), scored("b", 2, 60), scored("c", 3)), [MEASURE], ["b begins at 60, not below a at 60"]),
        ((scored("a", 1, 60), scored("b", 2, 10)), [MEASURE], ["no tier takes the customers with fewer points"]),
        ((scored("a", 1), scored("b", 2)), [MEASURE], ["a lacks min_score"]),
        (
            (scored("a", 1, 0), scored("b", 2)),
            [MEASURE],
            ["0 points are no bound: every score is from 0 to 100"],
        ),
        (
            (scored("a", 1, Decimal("100.1")), scored("b", 2)),
            [MEASURE],
            ["100.1 points are no bound: every score is from 0 to 100"],
        ),
        (
            ({**tier("a", 1, 100), "min_score": 1}, scored("b", 2)),
            [MEASURE],
            ["the score model grades by points, not by a condition"],
        ),
        (
            SOUND,
            [measure(Decimal("0.1234567890123456789"), (RICH, 1))],
            ["the weights and points have too many digits"],
        ),
    ],
)
def test_what_a_score_needs(tiers: tuple[dict[str, Any], ...], measures: list[Any], said: list[str]) -> None:
    more = {"model": "score", "score": measures}
    assert findings(*tiers, more=more, weight={"value": 3}, nothing={"value": "unset"}) == said


@pytest.mark.parametrize(
    ("months", "said"),
    [
        (0, []),
        (3, []),
        (1200, []),
        (Decimal("3.0"), []),
        ("$months", []),
        ("$undecided", []),
        (1201, ["1201 is no number of months"]),
        (-1, ["-1 is no number of months"]),
        (Decimal("1.5"), ["1.5 is no number of months"]),
        ("$half", ["0.5 is no number of months"]),
    ],
)
def test_a_grace_is_whole_months(months: Any, said: list[str]) -> None:
    values = {"months": {"value": 6}, "undecided": {"value": "unset"}, "half": {"value": Decimal("0.5")}}
    assert findings(tier("a", 1, 100), tier("b", 2), more={"downgrade_after": months}, **values) == said


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([{"from": "orders", "over": "1 year"}], 0),
        ([{"types": ["a"], "from": "declared"}, {"from": "orders", "over": "1 year"}], 0),
        ([{"types": ["a"], "from": "declared"}, {"types": ["a", "b"], "from": "orders", "over": "1 year"}], 0),
        ([{"from": "declared"}, {"types": ["a"], "from": "declared"}], 1),
        ([{"types": ["a", "b"], "from": "declared"}, {"types": ["b"], "from": "declared"}], 1),
        ([{"from": "declared"}, {"from": "declared"}, {"from": "declared"}], 2),
    ],
)
def test_lines_that_take_nobody(lines: list[dict[str, Any]], said: int) -> None:
    found = findings(tier("a", 1, 100), tier("b", 2), more={"annual_amount": lines})
    assert found == ["it is never reached: earlier lines take all its customers"] * said


def test_the_threshold_model_has_no_score() -> None:
    found = findings(tier("a", 1, 100), scored("b", 2, 5), more={"score": [MEASURE]})
    assert found == ["the threshold model has no score"] * 2


@pytest.mark.parametrize(
    ("whens", "said"),
    [
        ([RICH, {"annual_amount": {"lt": 100}}, None], []),  # who declared nothing is left for the last
        ([RICH, {"annual_amount": {"lt": 100}}], ["no tier takes some customers"]),
        ([RICH, {"not": RICH}], []),
        ([RICH, {"not": RICH}, None], ["c is never reached: a, b takes all its customers"]),
        ([RICH, {"annual_amount": {"gt": 200}}, None], ["b is never reached: a takes all its customers"]),
        ([{"all": [RICH, {"not": RICH}]}, None], ["a is never reached: its condition cannot hold"]),
        ([{"completeness": {"gt": 100}}, None], ["a is never reached: its condition cannot hold"]),
    ],
)
def test_gaps_and_tiers_that_are_never_reached(whens: list[Any], said: list[str]) -> None:
    tiers = [
        {**tier(code, rank), **({} if when is None else {"when": when})}
        for rank, (code, when) in enumerate(zip("abc", whens, strict=False), 1)
    ]
    found = findings(*tiers)
    assert len(found) == len(said)
    assert all(message.startswith(begin) for message, begin in zip(found, said, strict=True)), found


@pytest.mark.parametrize(
    "tiers",
    [
        [{**tier("a", 1), "when": {"tier": {"in": ["a", "b"]}}}, tier("b", 2)],
        [{**tier("a", 1), "when": {"all": [RICH, {"not": {"tier": {"eq": "b"}}}]}}, tier("b", 2)],
    ],
)
def test_a_tier_that_depends_on_the_tier_is_doubtful(tiers: list[dict[str, Any]]) -> None:
    (found,) = TiersSettings.model_validate({"tiers": tiers}).lint(Known({}, {}))
    assert (found.code, found.at) == ("P403", ("tiers", 0, "when"))


def test_points_for_the_tier_are_doubtful() -> None:
    score = [MEASURE, {**measure(1, (RICH, 5), ({"tier": {"eq": "a"}}, 10)), "code": "n"}]
    settings = TiersSettings.model_validate({"model": "score", "score": score, "tiers": list(SOUND)})
    (found,) = settings.lint(Known({}, {}))
    assert (found.code, found.at) == ("P403", ("score", 1, "bands", 1, "when"))
