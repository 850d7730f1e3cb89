"""Grants and revocations are in the log from the first run on that has them (ACC-08)."""

from __future__ import annotations

from typing import Any

import pytest
from realm import ADMIN, AUDITOR, STEWARD, Realm

from crmctl.security import granting
from crmctl.security.access import AccessSettings

KEPT = ("about", "obj", "granted", "revoked", "fields", "codes")


def changed(realm: Realm) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in KEPT if key in entry} for entry in realm.entries("access.changed")]


def test_an_edit_of_access_yaml_is_in_the_log(realm: Realm) -> None:
    realm.say(STEWARD, "customer", "list")  # the people were written by hand: news as well
    first = changed(realm)
    assert {"about": "li.na", "granted": ["steward"], "fields": [
        "uids", "pg", "confidentiality_signed", "training_passed", "person"]} in first  # fmt: skip
    realm.say(STEWARD, "customer", "list")
    assert changed(realm) == first  # said once

    realm.edit("access.yaml", "pg: [test_li_na], roles: [steward]", "pg: [test_li_na], roles: [steward, supervisor]")
    realm.edit("access.yaml", "customer.find: 200/day", "customer.find: 300/day")
    realm.say(ADMIN, "customer", "list")
    entry = realm.entries("access.changed")[-1]
    assert (entry["actor"]["person"], entry["result"]) == ("zhou.m", "done")
    assert changed(realm)[len(first) :] == [
        {"about": "li.na", "granted": ["supervisor"]},
        {"obj": "role:agent", "fields": ["limits"]},
    ]
    shown = realm.say(AUDITOR, "audit", "list", "--act", "access.changed", "--limit", "2").stdout
    assert "li.na" in shown and "supervisor" in shown, "people who read the log see whom it concerns, and what they got"


def test_back_to_a_set_that_was_in_force_before_is_news_again(realm: Realm) -> None:
    realm.say(STEWARD, "customer", "list")
    before = len(changed(realm))
    new = "pg: [test_li_na], roles: [steward, supervisor]"
    for old, now in ((new, "x"), ("x", new), (new, "x")):
        if now == new:
            realm.edit("access.yaml", "pg: [test_li_na], roles: [steward]", new)
        else:
            path = realm.folder / "policies" / "access.yaml"
            path.write_text(path.read_text("utf-8").replace(old, "pg: [test_li_na], roles: [steward]"), "utf-8")
        realm.say(STEWARD, "customer", "list")
    assert changed(realm)[before:] == [
        {"about": "li.na", "granted": ["supervisor"]},
        {"about": "li.na", "revoked": ["supervisor"]},
    ]


def test_another_policy_file_says_nothing_of_access(realm: Realm) -> None:
    realm.say(STEWARD, "customer", "list")
    before = len(changed(realm))
    path = realm.folder / "policies" / "company.yaml"
    path.write_text(path.read_text("utf-8") + "\n# another set\n", "utf-8")
    realm.say(STEWARD, "customer", "list")
    assert len(changed(realm)) == before


def settings(**given: Any) -> AccessSettings:
    return AccessSettings.model_validate(given)


ROLE = {"can": ["customer.list", "batch.*"]}


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ({}, {"people": {"a": {"roles": ["r"]}}}, {"person": "a", "granted": ("r",), "fields": ("alone", "person")}),
        ({"people": {"a": {"roles": ["r"]}}}, {}, {"person": "a", "revoked": ("r",), "fields": ("alone", "person")}),
        ({"roles": {"r": ROLE}}, {}, {"object": "role:r", "revoked": ("batch.all", "customer.list")}),
        (
            {"roles": {"r": ROLE}},
            {"roles": {"r": {"can": ["customer.list"], "deny": ["audit.*"], "scope": "own"}}},
            {"object": "role:r", "granted": ("deny.audit.all",), "revoked": ("batch.all",), "fields": ("scope",)},
        ),
        ({}, {"jobs": {"j": {"can": ["tier.regrade"]}}}, {"object": "job:j", "granted": ("tier.regrade",)}),
        ({"training_required": False}, {}, {"object": "access:settings", "fields": ("training_required",)}),
        ({}, {"approvals": {"purge.run": {"by": ["r"]}}},
         {"object": "approvals:purge.run", "fields": ("by", "approval")}),
    ],
)  # fmt: skip
def test_each_thing_that_changes(before: Any, after: Any, change: Any) -> None:
    assert list(granting.changes(settings(**before), settings(**after))) == [granting.Change(**change)]
    assert list(granting.changes(settings(**after), settings(**after))) == []


def test_what_cannot_be_read_any_more_makes_everything_new() -> None:
    assert granting.settings_in({"access.yaml": "kind: access\nsettings: {people: 7}\n"}) is None
    assert granting.settings_in({"access.yaml": "kind: [", "tiers.yaml": "kind: tiers\n"}) is None
    found = list(granting.changes(None, settings(people={"a": {"roles": ["r"]}})))
    assert [change.person for change in found] == ["a"]
