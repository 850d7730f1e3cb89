"""Deny wins, wildcards reveal nothing, and without an undertaking nobody does anything (ACC-01, ACC-05)."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.errors import PermissionMissing
from crmctl.security import permissions
from crmctl.security.access import AccessSettings
from crmctl.security.actor import Actor
from crmctl.security.permissions import allowed, daily_limit, decide, field_right, grants, matches, may_export, require
from crmctl.security.standing import Record, Standing

PAPERS = {"confidentiality_signed": "2026-01-01", "training_passed": "2026-01-02"}
ACCESS = AccessSettings.model_validate(
    {
        "people": {
            "li.na": {"uids": [1], "roles": ["steward"], **PAPERS},
            "zhao": {"uids": [2], "roles": ["agent", "steward"], **PAPERS},
            "wang": {"uids": [3], "roles": ["steward", "auditor"], **PAPERS},
            "none": {"uids": [4], **PAPERS},
            "unsigned": {"uids": [5], "roles": ["steward"], "training_passed": "2026-01-02"},
            "untrained": {"uids": [6], "roles": ["steward"], "confidentiality_signed": "2026-01-01"},
            "gone": {"uids": [7], "roles": ["steward"], "until": "2026-03-31", **PAPERS},
        },
        "roles": {
            "steward": {
                "can": ["customer.*", "batch.list", "doctor"],
                "scope": "org_unit",
                "fields": {"mask": ["personal"]},
            },
            "agent": {
                "can": ["customer.show", "customer.reveal"],
                "scope": "own",
                "fields": {"view": ["open"], "mask": ["sensitive"], "export": ["open"]},
                "limits": {"customer.reveal": "50/day", "customer.*": "500/day"},
            },
            "auditor": {
                "can": ["audit.*"],
                "deny": ["customer.reveal", "batch.*"],
                "limits": {"customer.show": "9/day"},
            },
            "all": {"can": ["keys.status"], "scope": "all"},
        },
        "jobs": {
            "nightly": {"can": ["tier.*"], "as_role": "steward"},
            "denied": {"can": ["batch.list"], "as_role": "auditor"},
            "bold": {"can": ["customer.reveal", "approval.*"], "as_role": "agent"},
        },
    }
)


def person(name, *, alone=False):
    roles = tuple(ACCESS.roles) if alone else ACCESS.people[name].roles
    return Actor(name, 1, "direct", roles, {}, alone)


@pytest.mark.parametrize(
    ("name", "act", "code", "scope"),
    [
        ("li.na", "customer.update", "GRANTED", "org_unit"),
        ("li.na", "customer.import", "SCOPE_TOO_NARROW", "org_unit"),
        ("li.na", "customer.list.masked", "GRANTED", "org_unit"),
        ("li.na", "batch.list", "GRANTED", "org_unit"),
        ("li.na", "batch.resume", "NOT_GRANTED", ""),
        ("li.na", "customers.import", "NOT_GRANTED", ""),
        ("li.na", "customer", "NOT_GRANTED", ""),
        ("li.na", "doctor", "GRANTED", "org_unit"),
        ("li.na", "customer.reveal", "NOT_GRANTED", ""),
        ("zhao", "customer.reveal", "GRANTED", "own"),
        ("zhao", "customer.show", "GRANTED", "org_unit"),
        ("wang", "customer.update", "GRANTED", "org_unit"),
        ("wang", "batch.list", "DENIED", ""),
        ("wang", "customer.reveal", "DENIED", ""),
        ("none", "doctor", "NOT_GRANTED", ""),
        ("unsigned", "customer.import", "UNDERTAKING_MISSING", ""),
        ("untrained", "customer.import", "TRAINING_MISSING", ""),
    ],
)
def test_the_decision_and_its_reason(name, act, code, scope):
    decision = decide(person(name), ACCESS, act)
    assert (decision.code, decision.scope, decision.allowed) == (code, scope, code == "GRANTED")
    assert allowed(person(name), ACCESS, act) is (code == "GRANTED")
    if code == "GRANTED":
        assert require(person(name), ACCESS, act) == decision
        assert permissions.scope(person(name), ACCESS, act) == scope
        return
    with pytest.raises(PermissionMissing) as failure:
        require(person(name), ACCESS, act)
    assert failure.value.exit_code == 6 and failure.value.code.endswith(code) and name in failure.value.message


def test_who_denies_is_named():
    with pytest.raises(PermissionMissing) as failure:
        require(person("wang"), ACCESS, "batch.list")
    assert "auditor" in failure.value.message and failure.value.code == "ACT_DENIED"


def test_days_count():
    early, late = date(2025, 12, 31), date(2026, 4, 1)
    assert decide(person("li.na"), ACCESS, "doctor", on=early).code == "UNDERTAKING_MISSING"
    assert decide(person("li.na"), ACCESS, "doctor", on=date(2026, 1, 1)).code == "TRAINING_MISSING"
    assert decide(person("li.na"), ACCESS, "doctor", on=late).code == "GRANTED"
    assert decide(person("gone"), ACCESS, "doctor", on=date(2026, 3, 31)).code == "GRANTED"
    assert decide(person("gone"), ACCESS, "doctor", on=late).code == "ACCESS_ENDED"


def test_one_who_is_alone_holds_every_grant_but_must_have_signed():
    """Denials keep people apart; where there is one person there is nobody to keep apart, and nobody to train them."""
    for act in ("customer.reveal", "batch.list", "audit.verify", "keys.status"):
        decision = decide(person("untrained", alone=True), ACCESS, act)
        assert decision.allowed and decision.scope == "all"
    assert not allowed(person("untrained", alone=True), ACCESS, "purge.run")
    assert decide(person("unsigned", alone=True), ACCESS, "doctor").code == "UNDERTAKING_MISSING"


def test_a_company_may_do_without_the_papers():
    access = ACCESS.model_copy(update={"confidentiality_required": False, "training_required": False})
    assert allowed(person("unsigned"), access, "doctor") and allowed(person("untrained"), access, "doctor")


REGISTER = {"staff_id": 7, "number": "1007", "org_unit": "north", "left_on": None}
SIGNED = {"signed_on": date(2026, 1, 1), "trained_on": date(2026, 1, 1)}


@pytest.mark.parametrize(
    ("says", "code"),
    [
        ({}, "GRANTED"),
        ({"signed_on": None}, "STAFF_UNDERTAKING_MISSING"),
        ({"signed_on": date(2026, 5, 1)}, "STAFF_UNDERTAKING_MISSING"),
        ({"trained_on": None}, "STAFF_TRAINING_MISSING"),
        ({"left_on": date(2026, 4, 1)}, "STAFF_LEFT"),
        ({"left_on": date(2026, 4, 2)}, "GRANTED"),
    ],
)
def test_the_register_can_take_away_and_never_give(says, code):
    """Deny wins: papers count when access.yaml and the register have them (ACC-05, TRN-01)."""
    day = date(2026, 4, 1)
    standing = Standing((Record(**REGISTER, **SIGNED)._replace(**says),))
    assert decide(person("li.na"), ACCESS, "doctor", on=day, standing=standing).code == code
    assert decide(person("unsigned"), ACCESS, "doctor", on=day, standing=standing).code == "UNDERTAKING_MISSING"
    assert decide(person("li.na", alone=True), ACCESS, "doctor", on=day, standing=standing).allowed
    if code != "GRANTED":
        with pytest.raises(PermissionMissing) as failure:
            require(person("li.na"), ACCESS, "doctor", on=day, standing=standing)
        assert failure.value.code == code and "li.na" in failure.value.message


def test_one_line_of_several_that_lacks_a_paper_is_enough():
    lines = (Record(**REGISTER, **SIGNED), Record(8, "1008", "south", None, None, None))
    assert decide(person("li.na"), ACCESS, "doctor", standing=Standing(lines)).code == "STAFF_UNDERTAKING_MISSING"
    assert (Standing(lines).staff_ids, Standing(lines).org_unit) == ((7, 8), None)


def test_somebody_removed_from_the_file_may_nothing():
    removed = Actor("ghost", 9, "direct", ("steward",))
    assert decide(removed, ACCESS, "doctor").code == "ACTOR_UNKNOWN"
    with pytest.raises(PermissionMissing):
        require(removed, ACCESS, "doctor")


def test_a_job_does_what_is_written_and_no_more():
    nightly = Actor("job:nightly", 500, "job", ("steward",))
    assert decide(nightly, ACCESS, "tier.explain") == permissions.Decision(True, "GRANTED", "job:nightly", "org_unit")
    assert decide(nightly, ACCESS, "tier.regrade").code == "SCOPE_TOO_NARROW"
    assert decide(Actor("job:bold", 500, "job", ("agent",)), ACCESS, "customer.reveal").code == "NOT_FOR_JOBS"
    for act in ("approval.approve", "paper.destroyed", "purge.supervised", "use.evaluated"):
        assert decide(Actor("job:bold", 500, "job", ("agent",)), ACCESS, act).code == "NOT_FOR_JOBS"
    assert decide(nightly, ACCESS, "customer.import").code == "NOT_GRANTED"
    assert decide(Actor("job:denied", 500, "job", ("auditor",)), ACCESS, "batch.list").code == "DENIED"
    assert decide(Actor("job:unknown", 500, "job", ()), ACCESS, "tier.regrade").code == "NOT_GRANTED"


def test_fields_are_shown_by_the_best_right():
    zhao = person("zhao")
    rights = {word: field_right(zhao, ACCESS, word) for word in ("open", "internal", "personal", "sensitive")}
    assert rights == {"open": "view", "internal": "none", "personal": "mask", "sensitive": "mask"}
    assert may_export(zhao, ACCESS, "open") and not may_export(zhao, ACCESS, "personal")


def test_the_smallest_limit_counts():
    assert daily_limit(person("zhao"), ACCESS, "customer.reveal") == 50
    assert daily_limit(person("zhao"), ACCESS, "customer.show") == 500
    assert daily_limit(person("wang"), ACCESS, "customer.show") == 9
    assert daily_limit(person("li.na"), ACCESS, "customer.show") is None


words = st.from_regex(r"[a-z]{1,6}", fullmatch=True)


@given(words, words, words)
def test_a_noun_covers_its_verbs_alone(noun, verb, other):
    assert matches([f"{noun}.*"], f"{noun}.{verb}")
    assert not matches([f"{noun}.*"], noun)
    assert matches([f"{noun}.*"], f"{other}.{verb}") is (noun == other)
    assert not grants([f"{noun}.*"], f"{noun}.reveal")
    assert grants([f"{noun}.reveal"], f"{noun}.reveal")
