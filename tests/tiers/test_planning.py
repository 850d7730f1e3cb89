"""Saved plans of a re-grade: looked at, applied as they stand, once, in time, while nothing has changed (TIER-03)."""

from __future__ import annotations

from typing import Any

import pytest
from company import Company, scoped
from sqlalchemy import select, update

from crmctl.audit.tables import change
from crmctl.cli.invocation import Invocation
from crmctl.runs import run as runs
from crmctl.runs.tables import plan, plan_item
from crmctl.store.engine import write
from crmctl.tiers import planning
from crmctl.tiers.regrade import Request


def states(company: Company) -> list[str]:
    return [row.state for row in company.rows(select(plan.c.state).order_by(plan.c.plan_id))]


def test_a_plan_does_what_it_showed_and_only_once(company: Company) -> None:
    company.regrade()
    company.declare(K001="400000", K005="1000000")
    before = company.tiers()
    saved = company.regrade("--plan")
    assert (saved["plan"], saved["dry_run"], saved["changed"]) == (1, True, 2)
    assert company.tiers() == before
    assert states(company) == ["open"]
    looked = company.regrade("--apply", 1, "--dry-run")
    assert states(company) == ["open"]

    company.declare(K012="5000000")  # not in the plan: left for the next
    done = company.regrade("--apply", 1)
    assert done["matrix"] == saved["matrix"] == looked["matrix"]
    assert (done["plan"], done["changed"], done["missed"]) == (1, 2, 0)
    assert company.tiers() == {**before, 1: "important", 5: "core"}
    assert states(company) == ["applied"]
    assert company.rows(select(plan_item)) == []
    assert company.regrade("--apply", 1, status=8)["code"] == "PLAN_APPLIED"
    assert company.regrade()["matrix"] == {"ordinary": {"core": 1}}
    company.verify()


def test_a_plan_of_first_grades_waits_and_recoveries(company: Company) -> None:
    company.edit("tiers.yaml", "  regrade_every: $tier_regrade_months\n", "  downgrade_after: 2\n")
    assert company.regrade("--plan")["changed"] == 12
    assert company.regrade("--apply", 1)["changed"] == 12
    company.declare(K001="400000", K003="1")
    assert company.regrade("--plan")["waiting"] == 2
    company.regrade("--apply", 2)
    assert set(company.waits()) == {1, 3}
    company.declare(K001="1000000")
    assert company.regrade("--plan")["recovered"] == 1
    company.regrade("--apply", 3)
    assert set(company.waits()) == {3}
    assert company.regrade()["changed"] == 0
    company.verify()


def test_a_plan_for_a_day_is_applied_for_that_day(company: Company) -> None:
    company.regrade("--plan", "--as-of", "2026-01-05")
    company.regrade("--apply", 1)
    told = company.json("tier", "history", 1)["changes"][0]
    assert told["effective_at"] == "2026-01-05T23:59:59+08:00"
    assert told["at"] > told["effective_at"]


def test_a_plan_that_no_longer_fits_is_refused_and_changes_nothing(company: Company) -> None:
    company.regrade()
    company.declare(K001="400000", K005="1000000")
    before = company.tiers()
    for _number in range(4):
        company.regrade("--plan")

    with write(company.engine) as conn:
        conn.execute(
            update(plan_item).where(plan_item.c.plan_id == 1, plan_item.c.customer_id == 5).values(after="ordinary")
        )
        conn.execute(update(plan).where(plan.c.plan_id == 2).values(expires_at=plan.c.created_at))
    assert company.regrade("--apply", 1, status=8)["code"] == "PLAN_CHANGED"
    assert company.regrade("--apply", 2, status=8)["code"] == "PLAN_EXPIRED"
    assert company.tiers() == before

    company.json("tier", "override", 5, "--pin", "important", "--reason", "r")
    for words in ([], ["--dry-run"]):
        assert company.regrade("--apply", 3, *words, status=8)["code"] == "PLAN_STALE"
    assert company.tiers() == {**before, 5: "important"}

    company.edit("tiers.yaml", "version: 1\n", "version: 2\n")
    assert company.regrade("--apply", 4, status=8)["code"] == "PLAN_OTHER_POLICY"
    assert company.tiers() == {**before, 5: "important"}
    company.verify()


def test_a_plan_of_several_policies(company: Company) -> None:
    company.sql("UPDATE customer SET type = 'government' WHERE customer_id % 2 = 0")
    scoped(company, "firms", "customer_type: [enterprise]", core="20000")
    scoped(company, "people", "customer_type: [individual]", "mode: report\n")
    planned = company.regrade("--plan")
    done = company.regrade("--apply", 1)
    assert (planned["changed"], done["changed"]) == (12, 12)
    assert company.regrade()["changed"] == 0
    assert sorted(row[0] for row in company.history()) == list(range(1, 13))
    chunks = {row[0] for row in company.rows(select(change.c.chunk).where(change.c.run_id == done["run_id"]))}
    assert chunks == {0}, "policies whose customers interleave share a transaction"


def test_a_plan_goes_no_further_than_the_limits(company: Company) -> None:
    company.edit("tiers.yaml", "limits: {max_percent: 20}", "limits: {max_changes: 2}")
    company.regrade()
    company.declare(K001="1", K002="1", K003="1")
    assert company.regrade("--plan")["changed"] == 3
    before = company.tiers()
    for words in ([], ["--dry-run"], ["--max-changes", 2]):
        company.regrade("--apply", 1, *words, status=7)
    assert company.tiers() == before
    assert company.regrade("--apply", 1, "--max-changes", 3)["changed"] == 3


FLOOR = ("tier", "override", 1, "--reason", "r", "--floor")


@pytest.fixture
def floored(company: Company) -> Company:
    """C-1 is core and held to be important at least, though it declares next to nothing since."""
    company.regrade()
    company.json(*FLOOR, "important")
    company.declare(K001="1", K009="400000")
    return company


def test_a_plan_knows_the_overrides_set_before_it(floored: Company) -> None:
    floored.regrade("--plan")
    floored.json("tier", "override", 2, "--floor", "important", "--reason", "not in the plan")
    assert floored.regrade("--apply", 1)["matrix"] == {"core": {"important": 2}}


@pytest.mark.parametrize("after", ["replaced", "lifted"])
def test_a_plan_is_stale_once_an_override_changed(floored: Company, after: str) -> None:
    """Even where the tier is still the same: the plan does what an override asked for that is no more."""
    floored.regrade("--plan")
    if after == "lifted":
        floored.declare(K001="1000000")
        floored.json(*FLOOR[:3], "--lift")
    else:
        floored.json(*FLOOR, "core")
    for words in ([], ["--dry-run"]):
        assert floored.regrade("--apply", 1, *words, status=8)["code"] == "PLAN_STALE"
    assert (floored.tiers()[1], floored.tiers()[9]) == ("core", "core")


def test_a_plan_is_stale_once_an_override_is_set(company: Company) -> None:
    company.regrade()
    company.declare(K001="1", K009="400000")
    company.regrade("--plan")
    company.json(*FLOOR, "core")
    assert company.regrade("--apply", 1, status=8)["code"] == "PLAN_STALE"
    assert company.tiers()[1] == "core"
    company.regrade("--plan")
    assert company.regrade("--apply", 2)["matrix"] == {"core": {"important": 1}}
    company.verify()


def test_what_was_missed_is_not_told_as_changed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who keeps to no lock grades C-5 while the plan is applied."""
    company.regrade()
    company.declare(K001="400000", K005="1000000")
    company.regrade("--plan")
    original = planning.apply

    def raced(*given: Any, **more: Any) -> None:
        company.sql("UPDATE customer SET tier = 'important' WHERE customer_id = 5")
        original(*given, **more)

    monkeypatch.setattr(planning, "apply", raced)
    told = company.regrade("--apply", 1)
    assert (told["changed"], told["missed"], told["unchanged"], told["graded"]) == (1, 1, 11, 12)
    assert told["matrix"] == {"core": {"important": 1}}


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_plan_half_applied_is_finished(company: Company, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    company.regrade("--plan")
    original, calls = planning.apply, 0

    def struck(*given: Any, **more: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Killed
        original(*given, **more)

    call = Invocation(command="tier regrade", workspace=company.folder)
    monkeypatch.setattr(planning, "CHUNK", 3)
    monkeypatch.setattr(planning, "apply", struck)
    with (
        pytest.raises(Killed),
        runs.open_run(call, "tier regrade", "tier.regrade", lock="tiers") as run,
    ):
        planning.apply_plan(run, 1, Request(), lambda _done: None)
    monkeypatch.undo()
    assert states(company) == ["applying"]
    assert len([tier for tier in company.tiers().values() if tier]) == 3 * after

    left = 12 - 3 * after
    for words in (["--dry-run"], []):
        told = company.regrade("--apply", 1, *words)
        assert (told["changed"], told["unchanged"], told["missed"]) == (left, 12 - left, 0)
        assert sum(number for row in told["matrix"].values() for number in row.values()) == left
    assert len(company.history()) == 12
    assert states(company) == ["applied"]
    assert company.regrade()["changed"] == 0
    company.verify()
