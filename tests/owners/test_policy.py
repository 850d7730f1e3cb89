"""Policy kind `owners`: what ships, and what contradicts itself."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from crmctl.locate import shipped
from crmctl.owners.policy import OwnersSettings
from crmctl.policy import load
from crmctl.policy.model import ValueRef

RULE: dict[str, Any] = {"code": "all", "labels": {"en": "All"}}
WHEN = {"tier": {"eq": "core"}}


class Look:
    """Other files that define nothing but numbers."""

    def figure(self, figure: Decimal | int | ValueRef) -> Decimal | None:
        return None if isinstance(figure, ValueRef) else Decimal(figure)

    def known(self, what: str) -> tuple[str, ...] | None:
        return ("core", "important") if what == "tier" else None


def settings(**more: Any) -> OwnersSettings:
    return OwnersSettings.model_validate({"rules": [RULE], **more})


def test_what_ships_leaves_open_what_the_company_decides() -> None:
    policies = load(shipped("policies"))
    found = policies.settings("owners")
    assert isinstance(found, OwnersSettings)
    assert [rule.code for rule in found.rules] == ["core", "important", "others"]
    open_ones = {each.name for each in policies.undecided()}
    assert {"owner_weight_core", "owner_return_months", "owner_lockout_days"} <= open_ones


@pytest.mark.parametrize(
    ("more", "at"),
    [
        ({"load": {"by": "count", "weights": [{"tier": "core", "weight": 2}]}}, ("load", "weights")),
        ({"load": {"by": "value", "over": "a while"}}, ("load", "over")),
        ({"load": {"by": "count", "over": "12 months"}}, ("load", "over")),
        ({"conflicts": [{"staff": ["E1"], "reason": "r"}]}, ("conflicts", 0)),
        ({"conflicts": [{"staff": ["E1"], "customers": ["7"], "reason": "r"}]}, ("conflicts", 0, "customers", 0)),
        ({"locked_out": {"after": [], "within": 3}}, ("locked_out", "after")),
        ({"rules": []}, ("rules",)),
        ({"period": "day"}, ("period",)),
    ],
)
def test_what_is_malformed(more: dict[str, Any], at: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**more)
    told = caught.value.errors()[0]
    wrong = told.get("ctx", {}).get("error")
    assert (*told["loc"], *getattr(wrong, "at", ())) == at


@pytest.mark.parametrize(
    ("more", "at", "code"),
    [
        ({"rules": [RULE, {**RULE, "code": "next", "labels": {"en": "Next"}}]}, ("rules", 1), "P301"),
        ({"rules": [{**RULE, "when": WHEN}, {**RULE, "when": WHEN}]}, ("rules", 1), "P306"),
        ({"rules": [{**RULE, "else_next": True}]}, ("rules", 0, "else_next"), "P403"),
        ({"former_owner": {"within": 0}}, ("former_owner", "within"), "P301"),
        ({"former_owner": {"within": Decimal("1.5")}}, ("former_owner", "within"), "P301"),
        ({"locked_out": {"within": -3}}, ("locked_out", "within"), "P301"),
        (
            {"load": {"by": "tier", "weights": [{"tier": "core", "weight": Decimal("0.0001")}]}},
            ("load", "weights", 0, "weight"),
            "P301",
        ),
        (
            {"load": {"by": "tier", "weights": [{"tier": "core", "weight": 2}, {"tier": "core", "weight": 3}]}},
            ("load", "weights", 1, "tier"),
            "P306",
        ),
    ],
)
def test_what_contradicts_itself(more: dict[str, Any], at: tuple[str | int, ...], code: str) -> None:
    found = [(each.at, each.code) for each in settings(**more).lint(Look())]
    assert (at, code) in found


def test_an_earlier_rule_that_passes_on_hides_none() -> None:
    rules = [{**RULE, "else_next": True}, {**RULE, "code": "next", "labels": {"en": "Next"}}]
    assert list(settings(rules=rules).lint(Look())) == []
