"""Downgrades that wait for the policy's months: begun, over, recovered, forced; by the calendar (TIER-03)."""

from __future__ import annotations

import pytest
from company import Company, scoped
from sqlalchemy import select

from crmctl.audit.tables import audit_entry
from crmctl.customers.tables import customer


@pytest.fixture
def waiting(company: Company) -> Company:
    """Downgrades wait two months; K001 (core) declares 400,000 yuan since 31 December."""
    company.edit("tiers.yaml", "  regrade_every: $tier_regrade_months\n", "  downgrade_after: 2\n")
    assert company.regrade("--as-of", "2025-12-30")["changed"] == 12
    company.declare(K001="400000")
    told = company.regrade("--as-of", "2025-12-31")
    assert (told["changed"], told["waiting"], told["unchanged"]) == (0, 1, 12)
    (move,) = told["moves"]
    assert (move["customer"], move["action"], move["from"], move["to"]) == (1, "wait", "core", "important")
    return company


def test_it_waits_and_is_downgraded_when_the_months_are_over(waiting: Company) -> None:
    assert waiting.waits() == {1: ("important", "2025-12-31")}
    for day in ("2025-12-31", "2026-01-31", "2026-02-27"):
        told = waiting.regrade("--as-of", day)
        assert (told["changed"], told["waiting"], told["moves"]) == (0, 0, []), day
    # Two months before 28 February is 28 December, before 1 March 1 January: so the day is over on 1 March.
    assert waiting.regrade("--as-of", "2026-02-28")["changed"] == 0
    told = waiting.regrade("--as-of", "2026-03-01")
    assert told["changed"] == 1
    assert waiting.tiers()[1] == "important"
    assert waiting.waits() == {}
    assert waiting.history()[-1] == (1, "core", "important", "grace")
    told = waiting.json("tier", "history", 1)["changes"][0]
    assert (told["cause"], told["rule"]) == ("grace", "tiers[1]")
    (basis,) = waiting.rows(select(customer.c.tier_basis).where(customer.c.customer_id == 1))
    assert '"cause":"grace"' in basis.tier_basis
    waiting.verify()


def test_a_recovery_ends_the_wait(waiting: Company) -> None:
    waiting.declare(K001="1000000")
    told = waiting.regrade("--as-of", "2026-01-15")
    assert (told["changed"], told["recovered"]) == (0, 1)
    assert waiting.waits() == {}
    waiting.declare(K001="1")
    waiting.regrade("--as-of", "2026-02-15")
    assert waiting.waits() == {1: ("ordinary", "2026-02-15")}
    assert waiting.regrade("--as-of", "2026-03-15")["changed"] == 0, "counted anew"
    assert waiting.regrade("--as-of", "2026-04-15")["changed"] == 1


def test_it_falls_as_far_as_the_figures_say_in_the_end(waiting: Company) -> None:
    waiting.declare(K001="1")
    assert waiting.regrade("--as-of", "2026-01-31")["changed"] == 0
    waiting.regrade("--as-of", "2026-03-01")
    assert waiting.tiers()[1] == "ordinary"


def test_an_upgrade_does_not_wait(waiting: Company) -> None:
    waiting.declare(K005="1000000")
    waiting.regrade("--as-of", "2026-01-15")
    assert waiting.tiers()[5] == "core"
    assert set(waiting.waits()) == {1}


def test_only_a_downgrade_that_waited_is_after_a_wait(waiting: Company) -> None:
    """K004 and K010 wait from important on; one rises, one gets a floor below, so that the override is the cause."""
    waiting.declare(K004="1", K010="0")
    assert waiting.regrade("--as-of", "2026-01-02")["waiting"] == 2
    waiting.declare(K004="1000000")
    waiting.json("tier", "override", 10, "--floor", "ordinary", "--reason", "r")
    waiting.sql("UPDATE tier_override SET created_at = '2026-01-05T00:00:00Z'")
    waiting.regrade("--as-of", "2026-03-05")
    assert sorted(waiting.history()[-3:]) == [
        (1, "core", "important", "grace"), (4, "important", "core", "rule"), (10, "important", "ordinary", "override"),
    ]  # fmt: skip


def test_a_pin_or_a_ceiling_is_obeyed_at_once(waiting: Company) -> None:
    waiting.json("tier", "override", 1, "--ceiling", "ordinary", "--reason", "r")
    assert waiting.tiers()[1] == "ordinary"
    assert waiting.waits() == {}
    waiting.json("tier", "override", 9, "--pin", "potential", "--reason", "r")
    assert waiting.tiers()[9] == "potential"


def test_a_floor_keeps_what_the_wait_would_have_taken(waiting: Company) -> None:
    """With a floor in the middle the wait is for that, not for what the rules alone say."""
    waiting.declare(K009="1")
    told = waiting.json("tier", "override", 9, "--floor", "important", "--reason", "r")
    assert (told["changed"], told["waiting"]) == (0, 1)
    assert waiting.tiers()[9] == "core"
    assert waiting.waits()[9][0] == "important"
    told = waiting.json("tier", "override", 1, "--floor", "core", "--reason", "r")
    assert told["recovered"] == 1
    assert set(waiting.waits()) == {9}


EXCEPTED = """version: 1
exceptions:
  - {match: {customer: [C-000001]}, reason: r, approved_by: p, expires: 2026-01-31}
"""


@pytest.mark.parametrize("away", [EXCEPTED, "version: 1\nmode: report\n", "version: 1\nmode: off\n"])
def test_who_does_not_count_for_a_while_waits_anew(waiting: Company, away: str) -> None:
    scoped(waiting, "offices", "customer_type: [government]")  # with the other off, one is in force
    waiting.edit("tiers.yaml", "version: 1\n", away)
    waiting.regrade("--as-of", "2026-01-15", "--dry-run")
    waiting.regrade("--as-of", "2026-01-15", "--customer", 2)
    assert waiting.waits() == {1: ("important", "2025-12-31")}, "not looked at"
    told = waiting.regrade("--as-of", "2026-01-15")
    assert (told["changed"], waiting.waits()) == (0, {})
    (ended,) = waiting.rows(select(audit_entry.c.body).where(audit_entry.c.body.contains('"waits_ended":1')))
    assert f'"run":{told["run_id"]}' in ended.body

    waiting.edit("tiers.yaml", away, "version: 1\n")
    told = waiting.regrade("--as-of", "2026-03-05")
    assert (told["changed"], told["waiting"]) == (0, 1)
    assert waiting.waits() == {1: ("important", "2026-03-05")}
    assert waiting.regrade("--as-of", "2026-05-05")["changed"] == 1
    waiting.verify()


def test_a_plan_ends_them_too(waiting: Company) -> None:
    waiting.edit("tiers.yaml", "version: 1\n", EXCEPTED)
    waiting.regrade("--plan", "--as-of", "2026-01-15")
    assert set(waiting.waits()) == {1}
    waiting.regrade("--apply", 1)
    assert waiting.waits() == {}


def test_it_is_explained(waiting: Company) -> None:
    told = waiting.json("tier", "explain", 1)
    assert (told["tier"], told["waiting_since"]) == ("core", "2025-12-31")
    assert told["near_misses"][0]["tier"] == "core"
    told = waiting.json("tier", "explain", 1, "--as-of", "2026-01-31")
    assert (told["decision"], told["cause"]) == ("core", "waiting")
    told = waiting.json("tier", "explain", 1, "--as-of", "2026-03-01")
    assert (told["decision"], told["cause"]) == ("important", "grace")


def test_a_policy_without_months_downgrades_at_once(company: Company) -> None:
    company.regrade("--as-of", "2025-12-30")
    company.declare(K001="400000")
    assert company.regrade("--as-of", "2025-12-31")["changed"] == 1


def test_a_policy_that_drops_its_months_downgrades_who_waits(waiting: Company) -> None:
    waiting.edit("tiers.yaml", "  downgrade_after: 2\n", "")
    assert waiting.regrade("--as-of", "2026-01-02")["changed"] == 1
    assert waiting.history()[-1][3] == "rule"
    assert waiting.waits() == {}
