"""A person's word above the rules: set, replaced, lifted, run out; graded at once (TIER-04)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from company import Company, scoped
from sqlalchemy import func, select

from crmctl.audit.tables import audit_entry, change
from crmctl.runs.tables import run as run_table
from crmctl.tiers.tables import tier_override

LONG = ("--until", "2999-12-31")


def moved(told: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(move["customer"], move["from"], move["to"], move["override"]) for move in told["moves"]]


def held(company: Company) -> list[tuple[Any, ...]]:
    columns = [tier_override.c[name] for name in ("customer_id", "kind", "tier", "until_on", "lifted_on", "version")]
    return [tuple(row) for row in company.rows(select(*columns).order_by(tier_override.c.override_id))]


def today(company: Company) -> str:
    """Return the company's day, as the program tells it."""
    return str(company.json("tier", "history", 1)["changes"][0]["at"])[:10]


@pytest.mark.parametrize(
    ("kind", "tier", "becomes"),
    [
        ("--pin", "core", "core"),
        ("--pin", "potential", "potential"),
        ("--floor", "core", "core"),
        ("--floor", "important", None),
        ("--floor", "ordinary", None),
        ("--ceiling", "ordinary", "ordinary"),
        ("--ceiling", "important", None),
        ("--ceiling", "core", None),
    ],
)
def test_what_each_kind_means(company: Company, kind: str, tier: str, becomes: str | None) -> None:
    """C-2 is important by the rules."""
    company.regrade()
    told = company.json("tier", "override", 2, kind, tier, "--reason", "r", *LONG)
    assert moved(told) == ([(2, "important", becomes, kind[2:])] if becomes else [])
    assert company.tiers()[2] == (becomes or "important")
    assert company.regrade()["changed"] == 0
    cause = company.json("tier", "explain", 2)["cause"]
    assert cause == ("override" if becomes or kind == "--pin" else "rule")
    company.verify()


def test_input_understands_labels_and_synonyms(company: Company) -> None:
    for name in ("core", "核心客户", "A级", "CORE"):
        company.json("tier", "override", 2, "--pin", name, "--reason", "r")
    assert {row[2] for row in held(company)} == {"core"}


def test_a_customer_never_graded_is_graded(company: Company) -> None:
    assert moved(company.json("tier", "override", 8, "--floor", "ordinary", "--reason", "r")) == [
        (8, None, "ordinary", "floor")
    ]
    assert company.history() == [(8, None, "ordinary", "override")]


def test_a_second_override_lifts_the_first(company: Company) -> None:
    company.regrade()
    day = today(company)
    company.json("tier", "override", 2, "--pin", "core", "--reason", "first", *LONG)
    company.json("tier", "override", 2, "--ceiling", "ordinary", "--reason", "second")
    assert held(company) == [(2, "pin", "core", "2999-12-31", day, 2), (2, "ceiling", "ordinary", None, None, 1)]
    assert company.tiers()[2] == "ordinary"
    (listed,) = company.json("tier", "overrides")["overrides"]
    assert [listed[name] for name in ("kind", "tier", "until", "reason")] == ["ceiling", "ordinary", None, "second"]

    assert moved(company.json("tier", "override", 2, "--lift")) == [(2, "ordinary", "important", None)]
    assert held(company)[1] == (2, "ceiling", "ordinary", None, day, 2)
    assert company.json("tier", "overrides")["overrides"] == []
    assert company.json("tier", "override", 2, "--lift", status=1)["code"] == "NO_OVERRIDE"
    assert [cause for *_move, cause in company.history()[12:]] == ["override", "override", "rule"]
    company.verify()


def test_neither_counts_on_a_day_before_it_was_set(company: Company) -> None:
    """Of two set today, the first is lifted as of today: on a day gone by there was none."""
    company.regrade("--as-of", "2026-01-05")
    company.json("tier", "override", 2, "--pin", "core", "--reason", "first")
    company.json("tier", "override", 2, "--pin", "potential", "--reason", "second")
    told = company.regrade("--as-of", "2026-01-05", "--dry-run")
    assert told["graded"] == 12
    assert moved(told) == [(2, "potential", "important", None)]
    assert company.json("tier", "explain", 2, "--as-of", "2026-01-05")["override"] is None


def test_an_override_holds_to_the_end_of_its_last_day(company: Company) -> None:
    company.regrade()
    company.json("tier", "override", 2, "--pin", "core", "--reason", "r", *LONG)
    company.sql("UPDATE tier_override SET until_on = '2026-06-30', created_at = '2026-01-05T00:00:00Z'")
    assert company.regrade("--as-of", "2026-06-30", "--dry-run")["changed"] == 0
    assert moved(company.regrade("--as-of", "2026-07-01", "--dry-run")) == [(2, "core", "important", None)]
    assert moved(company.regrade("--as-of", "2026-01-04", "--dry-run")) == [(2, "core", "important", None)]
    assert company.regrade("--as-of", "2026-01-05", "--dry-run")["changed"] == 0


def test_the_company_day_begins_at_its_midnight(company: Company) -> None:
    """Set at 16:00 UTC is set on the next day in Shanghai."""
    company.regrade()
    company.json("tier", "override", 2, "--pin", "core", "--reason", "r")
    for moment, day, changed in (
        ("2026-01-04T15:59:59Z", "2026-01-04", 0),
        ("2026-01-04T16:00:00Z", "2026-01-04", 1),
        ("2026-01-04T16:00:00Z", "2026-01-05", 0),
    ):
        company.sql(f"UPDATE tier_override SET created_at = '{moment}'")
        assert company.regrade("--as-of", day, "--dry-run")["changed"] == changed, (moment, day)


def test_a_dry_run_says_what_the_override_would_do(company: Company) -> None:
    def everything() -> list[Any]:
        counted = [select(func.count()).select_from(each) for each in (run_table, audit_entry, change, tier_override)]
        return [company.rows(query) for query in counted]

    company.regrade()
    before = everything()
    words = ("tier", "override", 2, "--pin", "core", "--reason", "r")
    planned = company.json(*words, "--dry-run")
    assert everything() == before
    assert planned["run_id"] is None
    assert planned["dry_run"] is True
    done = company.json(*words)
    assert planned["moves"] == done["moves"] != []
    assert planned["matrix"] == done["matrix"]

    planned = company.json("tier", "override", 2, "--lift", "--dry-run")
    assert planned["moves"] == company.json("tier", "override", 2, "--lift")["moves"] != []
    assert company.json("tier", "override", 2, "--lift", "--dry-run", status=1)["code"] == "NO_OVERRIDE"


def test_what_is_refused_leaves_no_override(company: Company) -> None:
    company.regrade()
    words = ("tier", "override", 2, "--pin", "core", "--reason", "r")
    assert company.json(*words, "--max-changes", 0, status=7)["exit_code"] == 7
    assert company.json(*words, "--max-changes", 0, "--dry-run", status=7)["exit_code"] == 7
    company.edit("company.yaml", "value: 1000000\n      unit: yuan", "value: unset\n      unit: yuan")
    assert company.json(*words, status=4)["code"] == "VALUE_UNDECIDED"
    assert company.json(*words, "--dry-run", status=4)["code"] == "VALUE_UNDECIDED"
    assert held(company) == []
    assert company.tiers()[2] == "important"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["2"], 2),
        (["2", "--pin", "core"], 2),
        (["2", "--pin", "core", "--reason", "  "], 2),
        (["2", "--pin", "core", "--floor", "core", "--reason", "r"], 2),
        (["2", "--pin", "core", "--lift", "--reason", "r"], 2),
        (["2", "--pin", "gold", "--reason", "r"], 4),
        (["2", "--pin", "core", "--reason", "r", "--until", "tomorrow"], 4),
        (["2", "--pin", "core", "--reason", "r", "--until", "2026-01-05"], 4),
        (["99", "--pin", "core", "--reason", "r"], 1),
        (["99", "--lift"], 1),
        (["2", "--lift"], 1),
        (["no", "--lift"], 4),
    ],
)
def test_what_makes_no_sense_is_refused(company: Company, words: list[str], status: int) -> None:
    refused = company.json("tier", "override", *words, status=status)
    assert refused["message"]
    assert held(company) == []
    assert set(company.tiers().values()) == {None}


def test_the_reason_is_sealed(company: Company) -> None:
    company.json("tier", "override", 2, "--pin", "core", "--reason", "王总的同学", *LONG)
    (row,) = company.rows(select(tier_override))
    assert "王总".encode() not in bytes(row.sealed)
    bodies = company.rows(select(audit_entry.c.body))
    assert not any("王总" in str(body) or "\\u738b" in str(body) for body in bodies)
    assert company.json("tier", "overrides")["overrides"][0]["reason"] == "王总的同学"
    assert "王总的同学" in company.say("tier", "explain", 2).stdout
    assert isinstance(row.created_at, datetime)
    assert row.created_at.tzinfo == UTC


def test_tiers_are_those_of_the_customers_own_policy(company: Company) -> None:
    """Another policy's tier would mean nothing for the customer, and say nothing of it."""
    scoped(company, "firms", "customer_type: [enterprise]")
    path = company.folder / "policies" / "tiers.firms.yaml"
    text = path.read_text("utf-8").replace("code: core,", "code: vip,")
    path.write_text(text.replace("zh: 核心", "zh: 贵宾, en: Very important"), "utf-8")
    refused = company.json("tier", "override", 2, "--pin", "potential", "--reason", "r", status=4)
    assert (refused["code"], refused["hint"]) == ("CODE_UNKNOWN", "one of: vip, ordinary")
    assert held(company) == []
    company.json("tier", "override", 8, "--floor", "贵宾", "--reason", "r")
    assert company.tiers()[8] == "vip"
    for words in (("tier", "overrides"), ("tier", "explain", 8), ("tier", "history", 8), ("tier", "regrade")):
        assert "Very important" in company.say(*words).stdout, words
    listed = company.json("tier", "list")["tiers"]
    assert [(row["policy"], row["tier"]) for row in listed][:3] == [
        ("firms", "vip"), ("firms", "ordinary"), ("tiers", "core"),
    ]  # fmt: skip
