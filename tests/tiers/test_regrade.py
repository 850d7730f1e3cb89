"""Re-grades of a real workspace, on both databases: what a run does, says, leaves alone and refuses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from company import Company, imported, scoped
from sqlalchemy import func, select

from crmctl import clock
from crmctl.audit.tables import audit_entry, change
from crmctl.cli.invocation import Invocation
from crmctl.customers.tables import customer
from crmctl.runs import run as runs
from crmctl.runs.tables import run as run_table
from crmctl.store import bulk, engine
from crmctl.tiers import regrade, survey
from crmctl.tiers.regrade import Outcome, Request, basis_of
from crmctl.tiers.tables import tier_change

FIRST = {
    1: "core", 2: "important", 3: "core", 4: "important", 5: "ordinary", 6: "ordinary", 7: "potential",
    8: "potential", 9: "core", 10: "important", 11: "ordinary", 12: "ordinary",
}  # fmt: skip
COUNTS = ("graded", "changed", "unchanged", "undecided", "waiting", "recovered", "exempt", "reported", "missed")


def counts(told: dict[str, Any]) -> tuple[int, ...]:
    return tuple(told[name] for name in COUNTS)


def graded(company: Company, request: Request | None = None, **given: Any) -> Outcome:
    """Grade in this process, so that a test can take hold of what happens in between."""
    call = Invocation(command="tier regrade", workspace=company.folder, **given)
    with runs.open_run(call, "tier regrade", "tier.regrade", lock="tiers") as run:
        return regrade.regrade(run, request or Request(), lambda _done: None)


def person_made(company: Company) -> list[tuple[Any, ...]]:
    """Return what is a person's and no machine may touch."""
    columns = [customer.c[name] for name in ("customer_id", "version", "updated_at", "sealed_hash", "annual_amount")]
    return company.rows(select(*columns).order_by(customer.c.customer_id))


def test_the_first_run_grades_all_and_the_second_changes_nothing(company: Company) -> None:
    before = person_made(company)
    planned = company.regrade("--dry-run", "--limit", 99)
    assert company.tiers() == dict.fromkeys(FIRST)
    assert company.history() == []

    done = company.regrade("--limit", 99)

    assert company.tiers() == FIRST
    assert counts(done) == counts(planned) == (12, 12, 0, 0, 0, 0, 0, 0, 0)
    assert done["matrix"] == planned["matrix"] == {"none": {"core": 3, "important": 3, "ordinary": 4, "potential": 2}}
    assert done["moves"] == planned["moves"]
    assert [(move["customer"], move["to"]) for move in done["moves"]] == list(FIRST.items())
    assert (planned["run_id"], planned["dry_run"], done["dry_run"]) == (None, True, False)
    assert person_made(company) == before

    changes = company.rows(select(func.count()).select_from(change))
    again = company.regrade()
    assert counts(again) == (12, 0, 12, 0, 0, 0, 0, 0, 0)
    assert (again["matrix"], again["moves"]) == ({}, [])
    assert company.rows(select(func.count()).select_from(change)) == changes
    assert sorted(company.history()) == [(number, None, tier, "rule") for number, tier in FIRST.items()]
    company.verify()


def test_a_dry_run_writes_nothing_at_all(company: Company) -> None:
    def everything() -> list[Any]:
        counted = [select(func.count()).select_from(each) for each in (run_table, audit_entry, change, tier_change)]
        return [company.rows(query) for query in counted]

    before = everything()
    company.regrade("--dry-run")
    assert company.say("tier", "regrade", "-n", "-o", "csv").exit_code == 0
    assert everything() == before


def test_history_is_what_the_change_log_committed_to(company: Company) -> None:
    """Every change of tier has the number of the customer's own change, in the run that made it."""
    first = company.regrade()["run_id"]
    company.declare(K002="1000000", K001="300000")
    second = company.regrade()["run_id"]

    joined = select(change.c.run_id, change.c.customer_id, change.c.fields, change.c.operation).join_from(
        change,
        tier_change,
        (change.c.customer_id == tier_change.c.customer_id) & (change.c.change_id == tier_change.c.change_id),
    )
    found = company.rows(joined)
    assert len(found) == 14
    assert {row.run_id for row in found} == {first, second}
    assert {row.fields for row in found} == {'["tier"]'}
    assert company.history()[12:] == [(1, "core", "important", "rule"), (2, "important", "core", "rule")]
    versions = company.rows(
        select(customer.c.customer_id, customer.c.derived_version).where(customer.c.customer_id < 4)
    )
    assert sorted(map(tuple, versions)) == [(1, 2), (2, 2), (3, 1)]
    company.verify()


@pytest.mark.parametrize("kept", [0, 1, 3, 11])
def test_more_moves_than_are_kept_give_the_same(company: Company, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Read again range by range, with ranges that end between customers."""
    monkeypatch.setattr(survey, "KEPT", kept)
    monkeypatch.setattr(regrade, "RANGE", 5)
    planned = graded(company, dry_run=True)
    outcome = graded(company)
    assert (planned.counts, planned.matrix) == (outcome.counts, outcome.matrix)
    assert not outcome.complete
    assert company.tiers() == FIRST
    assert len(company.history()) == 12
    assert graded(company).counts["changed"] == 0
    company.verify()


def test_some_customers_only_however_many_moves_are_kept(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "KEPT", 1)
    outcome = graded(company, Request(customers=(2, 4, 9)))
    assert outcome.counts["changed"] == 3
    assert {number for number, tier in company.tiers().items() if tier} == {2, 4, 9}


def test_chunks_smaller_than_the_work(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regrade, "chunks", lambda found: _in_pairs(found))
    graded(company)
    assert company.tiers() == FIRST
    company.verify()


def _in_pairs(found: Iterator[Any]) -> Iterator[list[Any]]:
    from crmctl.tiers.applying import chunks

    return chunks(found, 2)


def test_a_customer_changed_between_survey_and_apply_is_missed_and_the_next_run_has_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = regrade.apply

    def meanwhile(*given: Any) -> None:
        with engine.write(company.engine) as conn:
            bulk.update_rows(conn, customer, ("customer_id",), ("tier",), [(2, "potential")])
            conn.execute(customer.delete().where(customer.c.customer_id == 12))
        original(*given)

    monkeypatch.setattr(regrade, "apply", meanwhile)
    outcome = graded(company)
    assert outcome.missed == 2
    assert (outcome.counts["graded"], outcome.counts["changed"], outcome.counts["unchanged"]) == (12, 10, 2)
    assert company.tiers()[2] == "potential"
    assert 2 not in {row[0] for row in company.history()}

    monkeypatch.undo()
    assert graded(company).counts["changed"] == 1
    assert company.history()[-1] == (2, "potential", "important", "rule")


def test_a_declared_amount_in_another_currency_is_unknown(company: Company) -> None:
    """So many smallest units of one currency are not as much of another: rates are for orders."""
    with engine.write(company.engine) as conn:
        bulk.update_rows(conn, customer, ("customer_id",), ("currency",), [(1, "JPY"), (2, "CNY")])
    company.regrade()
    assert (company.tiers()[1], company.tiers()[2]) == ("potential", FIRST[2])
    told = company.json("tier", "explain", 1)
    assert (told["decision"], told["inputs"]) == ("potential", {"annual_amount": None})


# Undecided numbers, limits, modes, exceptions, dates.


def test_undecided_numbers_are_all_named_and_nothing_is_written(company: Company) -> None:
    company.edit("company.yaml", "value: 1000000\n      unit: yuan", "value: unset\n      unit: yuan")
    company.edit("company.yaml", "value: 300000\n      unit: yuan", "value: unset\n      unit: yuan")
    before = company.rows(select(func.count()).select_from(run_table))
    for words in (["--dry-run"], [], ["--plan"]):
        refused = company.regrade(*words, status=4)
        assert refused["code"] == "VALUE_UNDECIDED"
        for name in ("core_annual_amount", "important_annual_amount", "tiers.yaml:", "004 §5①"):
            assert name in refused["message"] + str(refused.get("details"))
    assert company.rows(select(func.count()).select_from(run_table)) == before


def test_undecided_numbers_of_several_policies_are_named_together(company: Company) -> None:
    scoped(company, "enterprise", "customer_type: [enterprise]", core="$core_annual_amount")
    company.edit("tiers.yaml", "{gte: $core_annual_amount}", "{gte: 7000000}")
    company.edit("company.yaml", "value: 1000000\n      unit: yuan", "value: unset\n      unit: yuan")
    company.edit("company.yaml", "value: 300000\n      unit: yuan", "value: unset\n      unit: yuan")
    told = company.regrade(status=4)["message"]
    assert "core_annual_amount" in told
    assert "important_annual_amount" in told


def test_the_most_specific_policy_grades(company: Company) -> None:
    imported(company.folder, ["5"], first=13)
    company.sql("UPDATE customer SET type = 'government' WHERE customer_id = 13")
    scoped(company, "firms", "customer_type: [enterprise]", core="20000")
    done = company.regrade("--limit", 99)
    assert company.tiers() == {
        **{
            number: "core" if tier in ("core", "important") or number in (5, 11) else "ordinary"
            for number, tier in FIRST.items()
        },
        13: "ordinary",
    }
    rules = {move["customer"]: move["rule"].partition(":")[0] for move in done["moves"]}
    assert set(rules.values()) == {"tiers.yaml", "tiers.firms.yaml"}
    assert rules[13] == "tiers.yaml"
    assert company.regrade()["changed"] == 0


def test_report_mode_writes_nothing_and_counts_what_would_be(company: Company) -> None:
    scoped(company, "firms", "customer_type: [enterprise]", "mode: report\n")
    done = company.regrade()
    assert counts(done) == (0, 0, 0, 0, 0, 0, 0, 12, 0)
    assert done["matrix"] == {}
    assert done["matrix_reported"] == {"none": {"core": 9, "ordinary": 3}}
    assert set(company.tiers().values()) == {None}
    assert company.history() == []
    told = company.say("tier", "regrade").stdout
    assert "would" in told.lower()


def test_a_policy_that_is_off_grades_nobody(company: Company) -> None:
    scoped(company, "firms", "customer_type: [enterprise]", "mode: off\n".replace("off", '"off"'))
    company.regrade()
    assert company.tiers() == FIRST


def test_exceptions_are_left_alone_and_counted(company: Company) -> None:
    company.edit(
        "tiers.yaml", "settings:\n  source",
        "exceptions:\n"
        "  - {match: {customer: [C-1, 2]}, reason: by contract, approved_by: legal, expires: 2999-12-31}\n"
        "  - {match: {annual_amount: 20000}, reason: round, approved_by: legal, expires: 2999-12-31}\n"
        "  - {match: {customer: 3}, reason: over, approved_by: legal, expires: 2026-01-01}\n"
        "settings:\n  source",
    )  # fmt: skip
    done = company.regrade()
    assert counts(done) == (9, 9, 0, 0, 0, 0, 3, 0, 0)
    assert {number for number, tier in company.tiers().items() if tier is None} == {1, 2, 11}
    told = {number: company.json("tier", "explain", number)["exception"] for number in (1, 2, 3, 11)}
    assert told == {1: "by contract", 2: "by contract", 3: None, 11: "round"}


def test_no_policy_in_force_is_told(company: Company) -> None:
    company.edit("tiers.yaml", "version: 1\n", "version: 1\neffective: {from: 2026-01-05}\n")
    assert company.regrade("--as-of", "2026-01-04", "--dry-run", status=4)["code"] == "POLICY_MISSING"
    assert company.regrade("--as-of", "2026-01-05", "--dry-run")["changed"] == 12


def test_the_version_in_force_on_the_day_decides(company: Company) -> None:
    """Two versions of one policy follow each other; a run for a day takes that day's."""
    company.edit("tiers.yaml", "version: 1\n", "version: 1\neffective: {until: 2026-03-31}\n")
    old = company.folder / "policies" / "tiers.yaml"
    new = old.read_text("utf-8").replace(
        "version: 1\neffective: {until: 2026-03-31}", "name: later\nversion: 2\neffective: {from: 2026-04-01}"
    )
    old.with_name("tiers.later.yaml").write_text(new.replace("$core_annual_amount", "5000000"), "utf-8")
    company.regrade("--as-of", "2026-03-31")
    assert company.tiers() == FIRST
    company.regrade("--as-of", "2026-04-01")
    assert company.tiers() == {**FIRST, 1: "important", 3: "important"}
    newest = company.rows(select(tier_change).order_by(tier_change.c.change_id.desc()).limit(1))[0]
    assert (newest.policy, newest.policy_version) == ("later", 2)
    assert clock.local(newest.effective_at, "Asia/Shanghai") == "2026-04-01T23:59:59+08:00"


def test_limits_hold_a_run_back_before_it_writes(company: Company) -> None:
    company.edit("tiers.yaml", "limits: {max_percent: 20}", "limits: {max_changes: 2}")
    assert company.regrade()["changed"] == 12, "first decisions do not count"
    company.declare(K001="1", K002="1", K003="1")
    before = company.tiers(), company.history()
    refused = company.regrade(status=7)
    assert "3" in refused["message"]
    assert (company.tiers(), company.history()) == before
    states = company.rows(select(run_table.c.state, run_table.c.exit_code).order_by(run_table.c.run_id.desc()).limit(1))
    assert [tuple(row) for row in states] == [("refused", 7)]

    dry = company.say("tier", "regrade", "--dry-run", "-o", "json")
    assert dry.exit_code == 7
    assert company.regrade("--max-changes", 2, status=7)["code"] == refused["code"]
    done = company.regrade("--max-changes", 3)
    assert done["changed"] == 3
    assert company.regrade()["changed"] == 0
    company.verify()


def test_of_customers_named_only_these_are_graded(company: Company) -> None:
    done = company.regrade("--customer", "C-000002", "--customer", "9")
    assert counts(done) == (2, 2, 0, 0, 0, 0, 0, 0, 0)
    assert {number for number, tier in company.tiers().items() if tier} == {2, 9}
    assert company.regrade("--customer", "C-77", status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert company.regrade("--customer", "x", status=4)["code"] == "NUMBER_INVALID"


def test_nobody_takes_whom_no_rule_takes(company: Company) -> None:
    """A gap that lint warns of: who falls into it keeps the tier there was, and is counted every time."""
    company.regrade()
    basis = _gap(company)
    assert basis["undecided"] == 2
    assert company.tiers() == FIRST
    entries = company.rows(select(func.count()).select_from(audit_entry))[0][0]
    assert _gap(company)["undecided"] == 2
    assert company.rows(select(func.count()).select_from(audit_entry))[0][0] == entries + 1, (
        "nothing to write but its end"
    )


def _gap(company: Company) -> dict[str, int]:
    from dataclasses import replace

    call = Invocation(command="tier regrade", workspace=company.folder)
    with runs.open_run(call, "tier regrade", "tier.regrade", lock="tiers") as run:
        policy = run.policies.policy("tiers")
        tiers = policy.settings.tiers[:3]  # type: ignore[attr-defined]
        settings = policy.settings.model_copy(update={"tiers": tiers})
        others = tuple(each for each in run.policies.policies if each.kind != "tiers")
        policies = replace(run.policies, policies=(*others, replace(policy, settings=settings)))
        return regrade.regrade(replace(run, policies=policies), Request(), lambda _done: None).counts


# What was written cannot be changed behind the program's back.


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE customer SET tier = 'core' WHERE customer_id = 5",
        "UPDATE customer SET tier_basis = replace(tier_basis, '29999999', '29999998') WHERE customer_id = 5",
        "UPDATE customer SET derived_version = 9 WHERE customer_id = 5",
        "UPDATE tier_override SET tier = 'important' WHERE customer_id = 5",
        "UPDATE tier_override SET until_on = '2998-01-01' WHERE customer_id = 5",
        "UPDATE tier_override SET person = 'nobody' WHERE customer_id = 5",
        "DELETE FROM tier_override WHERE customer_id = 5",
    ],
)
def test_tampering_is_found(company: Company, statement: str) -> None:
    company.regrade()
    company.json("tier", "override", 5, "--ceiling", "core", "--reason", "r", "--until", "2999-01-01")
    company.verify()
    company.sql(statement)
    told = company.verify(status=13)
    assert told["problem_count"] >= 1


def test_policies_are_known_to_the_run_that_used_them(company: Company) -> None:
    number = company.regrade()["run_id"]
    call = Invocation(command="tier regrade", workspace=company.folder)
    with runs.open_run(call, "tier regrade", "tier.regrade") as run:
        assert [scoped.grading.policy.name for scoped in basis_of(run, Request()).scoped] == ["tiers"]
        wanted = run.policies.hash
    (row,) = company.rows(select(run_table).where(run_table.c.run_id == number))
    assert (row.state, row.exit_code, row.policy_hash) == ("done", 0, wanted)
