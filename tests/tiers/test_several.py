"""Tiers of a policy for some customers only: known wherever tiers are asked for, listed and counted."""

from __future__ import annotations

import pytest
from company import Company, scoped


@pytest.fixture
def gilded(company: Company) -> Company:
    """Offices (2, 4, … 12) have tiers of their own: gold from 300,000 yuan on, and ordinary."""
    company.sql("UPDATE customer SET type = 'government' WHERE customer_id % 2 = 0")
    scoped(company, "offices", "customer_type: [government]", core="300000")
    own = "{code: gold, rank: 1, labels: {zh: 金牌客户, en: Gold}, synonyms: [金牌],"
    company.edit("tiers.offices.yaml", "{code: core, rank: 1, labels: {zh: 核心},", own)
    company.regrade()
    return company


def test_the_summary_goes_by_rank(gilded: Company) -> None:
    told = gilded.json("tier", "summary")["tiers"]
    assert list(told.items()) == [
        ("core", 3), ("gold", 3), ("important", 0), ("ordinary", 5), ("potential", 1), ("none", 0),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gold", "金牌客户", "金牌", "Gold"])
def test_customers_of_such_a_tier_are_found(gilded: Company, name: str) -> None:
    told = gilded.json("customer", "list", "--tier", name)["customers"]
    assert [row["customer"] for row in told] == [2, 4, 10]


def test_they_are_shown_by_their_label(gilded: Company) -> None:
    assert gilded.say("customer", "list", "--tier", "gold").stdout.count("Gold") == 3
    assert "Gold" in gilded.say("customer", "show", "2").stdout
    assert "金牌客户" in gilded.say("customer", "show", "2", env={"CRMCTL_LANG": "zh"}).stdout


def test_what_no_policy_has_is_refused_with_all_there_are(gilded: Company) -> None:
    told = gilded.json("customer", "list", "--tier", "silver", status=4)
    assert "core, important, ordinary, potential, gold" in told["hint"]
