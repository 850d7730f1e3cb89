"""Lists of customers without a fit owner, workload, history, taking, deputies (OWN-01, OWN-03, OWN-05)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from officeworld import ANNA, BEN, STEWARD, Office
from sqlalchemy import insert

from crmctl.customers.ownership import ownership
from crmctl.store.engine import write


def test_customers_without_and_with_unfit_owners(office: Office) -> None:
    office.give("B2", 4)
    for owner, number in (("C3", 5), ("D4", 6), ("F6", 7)):
        office.give(owner, number)
    office.give(99, 8)
    told = office.json("owner", "list", "--limit", 1000)
    assert (told["customers"], told["without"], told["unfit"]) == (15, 12, 4)
    unfit = {row["customer"]: row["problems"] for row in office.json("owner", "list", "--unfit")["list"]}
    assert unfit == {5: ["UNTRAINED"], 6: ["UNSIGNED"], 7: ["INACTIVE"], 8: ["NOT_ON_REGISTER"]}
    without = [row["customer"] for row in office.json("owner", "list", "--without", "--limit", 1000)["list"]]
    assert 4 not in without and 5 not in without and {7, 8, 9}.issubset(without)
    both = office.json("owner", "list", "--without", "--unfit", "--limit", 1000)
    assert both["customers"] == 14
    assert [row["customer"] for row in office.json("owner", "list", "--owner", "B2")["list"]] == [4]


def test_a_check_fails_while_there_are_any_and_passes_when_there_are_none(office: Office) -> None:
    assert office.json("owner", "list", "--check", status=1)["customers"] == 15
    office.give("B2", *range(1, 16))
    assert office.json("owner", "list", "--check")["customers"] == 0
    assert office.say("staff", "update", "B2", "--trained-on", "").exit_code == 0
    assert office.json("owner", "list", "--unfit", "--check", status=1)["customers"] == 15
    assert office.json("owner", "list", "--without", "--check")["customers"] == 0


def test_a_page_goes_on_where_the_last_one_ended(office: Office) -> None:
    seen: list[int] = []
    after: list[object] = []
    while True:
        page = office.json("owner", "list", "--without", "--limit", 4, *after)
        seen += [row["customer"] for row in page["list"]]
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert seen == sorted(set(seen)) == list(range(1, 16))


def test_names_are_masked(office: Office) -> None:
    shown = office.say("owner", "list").stdout
    assert "公司001有限公司" in shown
    assert "张三丰" not in shown and "赵敏敏" not in shown


def test_away_without_a_deputy_is_unfit_and_with_one_is_not(office: Office) -> None:
    office.give("E5", 4)
    assert office.say("staff", "absence", "add", "E5", "--from", office.day(), "--until", office.day(3)).exit_code == 0
    assert [row["problems"] for row in office.json("owner", "list", "--unfit")["list"]] == [["ABSENT"]]
    assert office.say("staff", "absence", "cancel", "E5").exit_code == 0
    words = ("staff", "absence", "add", "E5", "--from", office.day(), "--until", office.day(3), "--deputy", "B2")
    assert office.say(*words).exit_code == 0
    (row,) = office.json("owner", "list", "--owner", "E5")["list"]
    assert (row["problems"], row["deputy_number"]) == ([], "B2")
    staff = {row["number"]: row for row in office.json("owner", "workload")["staff"]}
    assert (staff["E5"]["deputy"], staff["B2"]["stands_in_for"]) == (office.ids["B2"], ["E5"])


def test_a_deputy_sees_the_customers_while_the_absence_holds(office: Office) -> None:
    """Nothing is written for it, so nothing has to be taken back when it ends."""
    office.give("E5", 4, 5)
    office.give("B2", 6)

    def seen() -> list[int]:
        return [row["customer"] for row in office.json("customer", "list", uid=BEN)["customers"]]

    assert seen() == [6]
    words = ("staff", "absence", "add", "E5", "--from", office.day(), "--until", office.day(3), "--deputy", "B2")
    assert office.say(*words).exit_code == 0
    assert seen() == [4, 5, 6]
    assert [row["customer"] for row in office.json("customer", "list", uid=ANNA)["customers"]] == []
    assert office.say("staff", "absence", "cancel", "E5").exit_code == 0
    assert seen() == [6]
    later = ("staff", "absence", "add", "E5", "--from", office.day(2), "--until", office.day(3), "--deputy", "B2")
    assert office.say(*later).exit_code == 0
    assert seen() == [6]
    assert office.say("customer", "show", 4, uid=BEN).exit_code == 1


def test_workload_counts_tiers_value_and_room(office: Office) -> None:
    office.give("A1", 4, 5, 6)
    office.give("F6", 7)
    office.update(3, tier=["core", "core", ""], annual_amount=["1", "1.5", "7"], currency=["CNY", "", "USD"])
    staff = {row["number"]: row for row in office.json("owner", "workload")["staff"]}
    anna = staff["A1"]
    assert (anna["customers"], anna["tiers"], anna["value"]) == (3, {"core": 2, "none": 1}, 250)
    assert (anna["capacity"], anna["free"]) == (8, 5)
    assert staff["F6"]["customers"] == 1  # has left, and still has one
    assert staff["F6"]["problems"] == ["INACTIVE"]


def test_check_says_nothing_to_cron_while_all_is_well(office: Office) -> None:
    office.give("B2", *range(1, 16))
    quiet = office.say("owner", "list", "--check", "-q")
    assert (quiet.exit_code, quiet.stdout) == (0, "")
    office.give("D4", 5)
    loud = office.say("owner", "list", "--check", "-q")
    assert loud.exit_code == 1 and "C-000005" in loud.stdout


def _loads(office: Office, load: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Let load be measured so; return the document of `owner workload`, and everybody's load by staff number."""
    path = office.desk.folder / "policies" / "owners.yaml"
    text = re.sub(r"  load: .*\n", "", path.read_text("utf-8"))
    path.write_text(text.replace("settings:\n", f"settings:\n  load: {load}\n"), "utf-8")
    told = office.json("owner", "workload")
    return told, {row["number"]: row["load"] for row in told["staff"]}


def test_load_is_in_the_measure_of_the_policy(office: Office) -> None:
    office.give("A1", 4, 5, 6)
    office.give("B2", 7)
    office.update(
        4, tier=["core", "", "ordinary", "core"], annual_amount=["1", "1.5", "7", "2.5"], currency=["CNY"] * 4
    )
    told, loads = _loads(office, "{by: count}")
    assert (loads["A1"], loads["B2"], told["load_by"]["by"]) == (3, 1, "count")
    told, loads = _loads(office, "{by: tier, weights: [{tier: core, weight: 5}, {tier: ordinary, weight: 0.5}]}")
    assert (loads["A1"], loads["B2"], loads["E5"]) == (6.5, 5, 0)
    assert told["load_by"] == {"policy": "owners", "version": 7, "by": "tier", "undecided": []}
    told, loads = _loads(office, "{by: value}")
    assert (loads["A1"], loads["B2"]) == (950, 250)
    assert "9.50" in office.say("owner", "workload").stdout
    told, loads = _loads(office, "{by: value, over: 12 months}")
    assert (loads["A1"], loads["B2"]) == (0, 0), "nobody ordered anything"
    office.desk.edit(
        "company.yaml", "    owner_weight_core:\n      value: 5", "    owner_weight_core:\n      value: unset"
    )
    told, loads = _loads(office, "{by: tier, weights: [{tier: core, weight: $owner_weight_core}]}")
    assert (loads["A1"], told["load_by"]["undecided"]) == (None, ["owner_weight_core"])
    assert "owner_weight_core" in office.say("owner", "workload").stderr


def test_how_evenly_books_are_spread(office: Office) -> None:
    """Those who may own customers count, in proportion to capacity; an even share is 100 per cent."""
    office.give("A1", 4, 5, 6)
    office.give("F6", 7)  # has left
    figures = office.json("owner", "workload")["fairness"]
    room = {row["number"]: row["capacity"] for row in office.json("owner", "workload")["staff"] if not row["problems"]}
    assert set(room) >= {"A1", "B2"}
    assert (figures["least_percent"], figures["most_percent"]) == (0, 37.5)
    assert figures["customers"]["most_percent"] == round(100 * sum(room.values()) / room["A1"], 2)
    assert figures["tiers"]["none"] == figures["load"] == figures["customers"]
    assert figures["value"] == {"least_percent": None, "most_percent": None}
    assert "0–38 %" in office.say("owner", "workload").stdout


def test_taking_from_the_pool(office: Office) -> None:
    done = office.json("owner", "take", 4, uid=ANNA)
    assert (done["owner_number"], done["pool"], done["taken_today"], done["per_day"]) == ("A1", "public", 1, 2)
    assert office.open() == {4: office.ids["A1"]} and office.owners()[4] == office.ids["A1"]
    (row,) = office.json("owner", "history", 4)["history"]
    assert [row[name] for name in ("reason", "rule", "policy", "policy_version", "ordered_by", "role")] == [
        "take", "pools[0]", "owners", 7, "anna", "owner",
    ]  # fmt: skip
    assert office.json("owner", "take", 5, "--dry-run", uid=ANNA)["run_id"] is None
    assert office.owners()[5] is None
    office.json("owner", "take", 5, uid=ANNA)
    assert office.json("owner", "take", 6, uid=ANNA, status=1)["code"] == "TAKE_LIMIT"
    assert office.json("owner", "take", 6, uid=BEN)["taken_today"] == 1  # a limit of each person's own


@pytest.mark.parametrize(
    ("number", "words", "code"),
    [
        (5, ("--for", "C3"), "UNTRAINED"),
        (5, ("--for", "D4"), "UNSIGNED"),
        (5, ("--for", "F6"), "INACTIVE"),
        (5, ("--for", "A1"), "CAPACITY_FULL"),
        (4, ("--for", "B2"), "HAS_OWNER"),
        (2, ("--for", "B2"), "NO_POOL"),
        (999, ("--for", "B2"), "CUSTOMER_UNKNOWN"),
        (5, (), "NOT_ON_REGISTER"),
    ],
)
def test_what_cannot_be_taken(office: Office, number: int, words: Any, code: str) -> None:
    office.give("A1", 4)
    assert office.say("staff", "update", "A1", "--capacity", "1").exit_code == 0
    before = office.owners()
    assert office.json("owner", "take", number, *words, status=1)["code"] == code
    assert office.owners() == before


def test_whose_scope_is_their_own_learns_nothing_and_takes_for_nobody_else(office: Office) -> None:
    office.give("B2", 4)
    assert office.json("owner", "take", 4, uid=ANNA, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert office.json("owner", "take", 999, uid=ANNA, status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert office.json("owner", "take", 5, "--for", "B2", uid=ANNA, status=6)["code"] == "TAKE_FOR_ANOTHER"
    assert office.json("owner", "history", 4, uid=ANNA, status=1)["code"] == "CUSTOMER_UNKNOWN"


def test_a_former_owner_waits(office: Office) -> None:
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(days=29)
    values = {
        "customer_id": 4, "ownership_id": 1, "staff_id": office.ids["A1"], "role": "owner", "reason": "take",
        "rule": "", "policy": "", "policy_version": 0, "inputs": "{}", "run_id": 1, "ordered_by": "anna",
    }  # fmt: skip
    with write(office.desk.engine) as conn:
        conn.execute(insert(ownership).values(**values, since_at=ended - timedelta(days=50), until_at=ended))
    assert office.json("owner", "take", 4, uid=ANNA, status=1)["code"] == "LOCKED_OUT"
    with write(office.desk.engine) as conn:
        conn.execute(ownership.update().values(until_at=ended - timedelta(days=2)))
    assert office.json("owner", "take", 4, uid=ANNA)["owner_number"] == "A1"


def test_an_unset_figure_is_no_limit_of_zero(office: Office) -> None:
    office.desk.edit("owners.yaml", "take_per_day: 2", "take_per_day: $pool_takes_per_day")
    path = office.desk.folder / "policies" / "company.yaml"
    company = path.read_text("utf-8")
    at = company.index("pool_takes_per_day:")
    path.write_text(company[:at] + company[at:].replace("value: 5", "value: unset", 1), "utf-8")
    assert office.json("owner", "take", 4, uid=ANNA, status=4)["hint"].count("pool_takes_per_day") == 1
    assert office.owners()[4] is None


def test_a_steward_reads_and_does_not_take(office: Office) -> None:
    assert office.json("owner", "list", "--limit", 1, uid=STEWARD)["customers"] == 15
    assert office.json("owner", "take", 4, uid=STEWARD, status=6)["code"] == "ACT_NOT_GRANTED"
