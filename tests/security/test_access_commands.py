"""`crmctl access show`, `check`, `review`: who may what and why, and who saw whose customers."""

from __future__ import annotations

import json

import pytest
from realm import ADMIN, AGENT, AUDITOR, OTHER, STEWARD, SUPERVISOR, Realm


def test_who_there_is(realm: Realm) -> None:
    realm.edit(
        "access.yaml", "pg: [test_li_na], roles: [steward]", "pg: [test_li_na], roles: [steward], until: 2026-01-31"
    )
    told = {row["person"]: row for row in realm.json(ADMIN, "access", "show")["people"]}
    assert (told["chen.x"]["roles"], told["chen.x"]["uids"], told["chen.x"]["staff"]) == (["agent"], [AGENT], "E5")
    assert told["he.l"]["staff"] == "E6" and told["zhou.m"]["staff"] is None
    assert told["li.na"]["kept_out"] == "ACCESS_ENDED" and told["chen.x"]["kept_out"] is None
    assert "job:nightly-regrade" in told
    assert realm.say(AGENT, "access", "show").exit_code == 6
    said = realm.say(SUPERVISOR, "access", "show")
    assert said.exit_code == 0 and "ACCESS_ENDED" in said.stdout


def test_what_one_may(realm: Realm) -> None:
    role = realm.json(AUDITOR, "access", "show", "chen.x")["roles"][0]
    assert (role["role"], role["scope"], role["view"], role["mask"]) == (
        "agent", "own", ["open", "internal"], ["personal", "sensitive"],
    )  # fmt: skip
    assert "customer.list" in role["can"] and "customer.find: 200/day" in role["limits"]
    path = realm.folder / "policies" / "access.yaml"
    name, line = role["where"].split(":")
    assert name == "access.yaml" and "labels" in path.read_text("utf-8").splitlines()[int(line) - 1]
    assert realm.entries("access.show")[-1]["about"] == "chen.x"
    said = realm.say(AUDITOR, "access", "show", "chen.x").stdout
    assert "followup.*" in said and "Limits" in said
    assert max(map(len, said.splitlines())) < 130, "a long list of acts is told on several lines"
    assert realm.json(AUDITOR, "access", "show", "chen.y", status=4)["code"] == "PERSON_UNKNOWN"
    assert realm.json(AUDITOR, "access", "show", "job:nightly-regrade")["roles"][0]["can"] == ["tier.regrade"]


@pytest.mark.parametrize(
    ("words", "code", "where"),
    [
        (("li.na", "customer.import"), "GRANTED", "can: [customer.import"),
        (("an.q", "customer.reveal"), "DENIED", "deny: [customer.import"),
        (("chen.x", "keys.status"), "NOT_GRANTED", '"chen.x"'),
        (("job:nightly-regrade", "tier.regrade"), "GRANTED", "nightly-regrade"),
        (("job:nightly-regrade", "customer.reveal"), "NOT_FOR_JOBS", "nightly-regrade"),
        (("chen.x", "customer.show", "--customer", "1"), "GRANTED", "can: [customer.list"),
        (("chen.x", "customer.show", "--customer", "3"), "CUSTOMER_NOT_IN_SCOPE", "can: [customer.list"),
        (("li.na", "customer.show", "--customer", "3"), "GRANTED", "can: [customer.import"),
    ],
)
def test_why(realm: Realm, words: tuple[str, ...], code: str, where: str) -> None:
    realm.owned()
    told = realm.json(ADMIN, "access", "check", *words, status=0 if code == "GRANTED" else 1)
    assert (told["code"], told["allowed"]) == (code, code == "GRANTED")
    assert words[0] in told["reason"] and words[1] in told["reason"]
    line = int(told["where"].partition(":")[2])
    assert where in (realm.folder / "policies" / "access.yaml").read_text("utf-8").splitlines()[line - 1]
    assert realm.entries("access.check")[-1]["about"] == words[0]


def test_papers_limits_and_mistakes(realm: Realm) -> None:
    realm.edit("access.yaml", "customer.find: 200/day", "customer.find: 1/day")
    told = realm.json(ADMIN, "access", "check", "chen.x", "customer.find")
    assert (told["limit"], told["used"]) == (1, 0)
    assert realm.say(AGENT, "customer", "find", "--company", "x").exit_code == 0
    told = realm.json(ADMIN, "access", "check", "chen.x", "customer.find", status=1)
    assert (told["code"], told["used"]) == ("LIMIT_REACHED", 1)
    assert realm.say(ADMIN, "staff", "update", "E5", "--trained-on", "").exit_code == 0
    told = realm.json(ADMIN, "access", "check", "chen.x", "customer.list", status=1)
    assert (told["code"], told["where"]) == ("STAFF_TRAINING_MISSING", "staff register")
    assert realm.say(ADMIN, "access", "check", "chen.x", "customer.*").exit_code == 4
    said = realm.say(ADMIN, "access", "check", "wang.j", "approval.approve").stdout.splitlines()
    assert said[0] == "yes" and "supervisor" in said[1]


def test_who_saw_customers_they_do_not_own(realm: Realm) -> None:
    realm.owned()
    realm.say(AGENT, "customer", "list")  # own: 2
    realm.say(AGENT, "customer", "show", "3")  # refused: shows nothing
    realm.say(OTHER, "customer", "show", "3")  # own: 1
    realm.say(STEWARD, "customer", "list")  # others': 3, nobody's: 1
    realm.say(STEWARD, "customer", "history", "1")  # others': 1
    told = realm.json(AUDITOR, "access", "review")["people"]
    seen = {row["person"]: (row["others"], row["unowned"], row["own"]) for row in told}
    assert seen["li.na"] == (4, 1, 0) and seen["chen.x"] == (0, 0, 2) and seen["he.l"] == (0, 0, 1)
    assert told[0]["person"] == "li.na"
    assert told[0]["acts"] == {"customer.history": 1, "customer.list": 1}
    assert "an.q" not in seen
    assert realm.json(AUDITOR, "access", "review", "--to", "2020-01-01", "--from", "2019-01-01")["people"] == []
    for words in (("--from", "2021-01-01", "--to", "2020-01-01"), ("--to", "2020-01-01"), ("--from", "2999-01-01")):
        assert realm.json(AUDITOR, "access", "review", *words, status=4)["code"] == "PERIOD_INVALID"
    with realm.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE customer SET owner_id = NULL WHERE customer_id = 1")
    assert json.loads(realm.say(AUDITOR, "access", "review", "-o", "json").stdout)["people"][0]["unowned"] == 3


@pytest.mark.parametrize("uid", [STEWARD, AUDITOR, ADMIN, SUPERVISOR])
def test_each_role_sees_its_classes(realm: Realm, uid: int) -> None:
    """What is open is shown, what is personal always masked: in show, list and find alike (ACC-02)."""
    shown = realm.say(uid, "customer", "show", "1", "-o", "json").stdout
    document = json.loads(shown)
    assert document["customer"]["company_name"] == "甲一样例有限公司"
    for value in ("王小明", "13800000001", "a@example.com"):
        assert value not in json.dumps(document, ensure_ascii=False)
    for words in (("customer", "list"), ("customer", "find", "--company", "甲一")):
        if uid == AUDITOR and "find" in words:
            continue  # may not
        row = realm.json(uid, *words)["customers"][0]
        assert (row["name"], row["contact"], row["mobile"]) == ("甲一样例有限公司", "王*", "+86138******01")


def test_a_class_that_no_role_lists_is_not_shown(realm: Realm) -> None:
    old = "fields: {view: [open], mask: [internal, personal, sensitive]}"
    realm.edit("access.yaml", old, "fields: {view: [internal], mask: [personal]}")
    document = realm.json(AUDITOR, "customer", "show", "1")
    assert "company_name" not in document["customer"] and "type" not in document["customer"]  # open
    assert document["contacts"][0]["name"] == "王*"
    row = realm.json(AUDITOR, "customer", "list")["customers"][0]
    assert (row["type"], row["name"], row["contact"]) == (None, None, "王*")
    realm.edit("access.yaml", "fields: {view: [internal], mask: [personal]}", "fields: {view: [open]}")
    document = realm.json(AUDITOR, "customer", "show", "1")
    assert document["personal"] == {} and [set(each) for each in document["contacts"]] == [{"contact_id"}]


def test_an_attribute_whose_field_left_the_policy_is_not_shown(realm: Realm) -> None:
    with realm.engine.begin() as conn:
        conn.exec_driver_sql('UPDATE customer SET attributes = \'{"forgotten": "secret"}\' WHERE customer_id = 1')
    assert "secret" not in realm.say(STEWARD, "customer", "show", "1", "-o", "json").stdout
