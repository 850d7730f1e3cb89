"""Whose customers somebody knows of: own, of the org unit, all; what is foreign looks like what is not there (A23)."""

from __future__ import annotations

from typing import Any

import pytest
from realm import ADMIN, AGENT, OTHER, STEWARD, Realm


@pytest.fixture(autouse=True)
def _owned(realm: Realm) -> None:
    realm.owned()
    realm.edit(
        "access.yaml",
        "can: [customer.list, customer.show, customer.find, customer.history, followup.*",
        "can: [customer.list, customer.show, customer.find, customer.history, order.list, tier.explain, tier.history,"
        " tier.override, tier.summary, tier.regrade, policy.explain, customer.import, followup.*",
    )


def numbers(document: dict[str, Any]) -> list[int]:
    return [row["customer"] for row in document["customers"]]


@pytest.mark.parametrize(("uid", "own"), [(AGENT, [1, 2]), (OTHER, [3]), (STEWARD, [1, 2, 3, 4])])
def test_lists_finds_and_counts_hold_the_own(realm: Realm, uid: int, own: list[int]) -> None:
    assert numbers(realm.json(uid, "customer", "list")) == own
    assert realm.json(uid, "customer", "list", "--count")["count"] == len(own)
    found = numbers(realm.json(uid, "customer", "find", "--company", "样例"))
    assert found == [number for number in own if number != 4]
    one = numbers(realm.json(uid, "customer", "find", "--mobile", "13800000003"))
    assert one == ([3] if 3 in own else [])


FOREIGN = (
    ["customer", "show"], ["customer", "history"], ["tier", "explain"], ["tier", "history"], ["policy", "explain"],
)  # fmt: skip


@pytest.mark.parametrize("words", FOREIGN, ids=" ".join)
def test_foreign_answers_like_unknown(realm: Realm, words: list[str]) -> None:
    told = [realm.say(AGENT, *words, number) for number in ("C-000003", "C-000888")]
    said = [(each.exit_code, each.stdout, each.stderr.replace("000003", "000888")) for each in told]
    assert said[0] == said[1] and said[0][:2] == (1, "")
    foreign, unknown = realm.entries(".".join(words))[-2:]
    assert foreign.pop("obj") == "customer:3" and "obj" not in unknown  # 888 was never given out
    same = [{key: value for key, value in each.items() if key not in ("seq", "prev", "ts", "run")} for each in
            (foreign, unknown)]  # fmt: skip
    assert same[0] == same[1]
    assert (foreign["codes"], foreign.get("n", 0)) == (["CUSTOMER_UNKNOWN"], 0)


@pytest.mark.parametrize("words", FOREIGN, ids=" ".join)
def test_ones_own_is_shown(realm: Realm, words: list[str]) -> None:
    assert realm.say(AGENT, *words, "C-000001").exit_code == 0
    assert realm.entries(".".join(words))[-1]["obj"] == "customer:1"


def test_a_telephone_number_typed_as_a_number_is_not_logged(realm: Realm) -> None:
    assert realm.say(STEWARD, "customer", "show", "13800000001").exit_code == 1
    assert "13800000001" not in str(realm.entries())


def test_orders_and_overrides_of_foreign_customers(realm: Realm) -> None:
    assert realm.json(AGENT, "order", "list", "--customer", "C-000003")["orders"] == []
    told = realm.json(AGENT, "tier", "override", "3", "--pin", "core", "--reason", "x", status=1)
    assert told["code"] == "CUSTOMER_UNKNOWN"
    assert realm.json(AGENT, "tier", "override", "1", "--pin", "core", "--reason", "x")["changed"] == 1


@pytest.mark.parametrize("words", [["tier", "regrade"], ["tier", "summary"], ["customer", "import", "x.csv"]])
def test_what_concerns_all_customers_needs_the_scope_all(realm: Realm, words: list[str]) -> None:
    assert realm.json(AGENT, *words, status=6)["code"] == "ACT_SCOPE_TOO_NARROW"
    assert realm.entries(".".join(words[:2]))[-1]["codes"] == ["ACT_SCOPE_TOO_NARROW"]


def test_collaborators_know_the_customer_in_every_look(realm: Realm) -> None:
    assert realm.say(ADMIN, "owner", "collaborator", "add", "3", "E5").exit_code == 0
    assert numbers(realm.json(AGENT, "customer", "list")) == [1, 2, 3]
    assert realm.json(AGENT, "customer", "list", "--count")["count"] == 3
    assert numbers(realm.json(AGENT, "customer", "find", "--mobile", "13800000003")) == [3]
    for words in FOREIGN:
        assert realm.say(AGENT, *words, "C-000003").exit_code == 0, words
    assert numbers(realm.json(OTHER, "customer", "list")) == [3]
    assert realm.say(ADMIN, "owner", "collaborator", "end", "3", "E5").exit_code == 0
    assert numbers(realm.json(AGENT, "customer", "list")) == [1, 2]


def test_the_org_unit(realm: Realm) -> None:
    realm.edit("access.yaml", "scope: own", "scope: org_unit")
    assert numbers(realm.json(AGENT, "customer", "list")) == []  # neither file nor register names a unit
    realm.edit("access.yaml", "pg: [test_chen_x]", "pg: [test_chen_x], org_unit: head")
    with realm.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE customer SET org_unit = 'head' WHERE customer_id IN (2, 4)")
    assert numbers(realm.json(AGENT, "customer", "list")) == [2, 4]
    assert realm.say(AGENT, "customer", "show", "1").exit_code == 1


def test_nobody_on_the_register_owns_nothing(realm: Realm) -> None:
    realm.edit("access.yaml", ', staff: "E6"', "")
    assert numbers(realm.json(OTHER, "customer", "list")) == []
    realm.edit("access.yaml", "pg: [test_he_l]", 'pg: [test_he_l], staff: "E999"')
    assert numbers(realm.json(OTHER, "customer", "list")) == []


def test_the_register_keeps_out(realm: Realm) -> None:
    assert realm.say(ADMIN, "staff", "update", "E5", "--signed-on", "").exit_code == 0
    told = realm.json(AGENT, "customer", "list", status=6)
    assert told["code"] == "STAFF_UNDERTAKING_MISSING"
    assert realm.say(OTHER, "customer", "list").exit_code == 0
    assert (
        realm.say(ADMIN, "staff", "update", "E5", "--signed-on", "2026-01-01", "--left-on", "2026-01-31").exit_code == 0
    )
    assert realm.json(AGENT, "customer", "show", "1", status=6)["code"] == "STAFF_LEFT"
    assert realm.entries("customer.show")[-1]["result"] == "denied"
