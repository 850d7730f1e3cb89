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


def findings(*tiers: dict[str, Any], **values: Any) -> list[str]:
    settings = TiersSettings.model_validate({"tiers": list(tiers)})
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
