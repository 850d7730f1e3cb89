"""Settings of kind `access`: what is accepted, what contradicts itself, with the place of each mistake."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from crmctl.security.access import AccessSettings

ROLES = {
    "steward": {"can": ["customer.*", "batch.*", "customer.reveal"], "limits": {"customer.reveal": "50/day"}},
    "auditor": {"can": ["audit.*"], "deny": ["customer.reveal"], "fields": {"mask": ["personal"]}},
    "agent": {"can": ["customer.show"], "scope": "own"},
}


class Nothing:
    """No other policy files."""

    def figure(self, figure):
        return None

    def known(self, what):
        return None


def findings(**settings):
    access = AccessSettings.model_validate({"roles": ROLES, **settings})
    return {(finding.at, finding.code) for finding in access.lint(Nothing())}


def test_a_whole_file_is_read():
    access = AccessSettings.model_validate(
        {
            "people": {
                "li.na": {
                    "uids": [1001, 2001],
                    "pg": ["li_na"],
                    "roles": ["steward"],
                    "org_unit": "north",
                    "confidentiality_signed": "2026-01-01",
                    "training_passed": date(2026, 1, 5),
                },
                "王静": {"uids": [1002], "roles": ["auditor"]},
            },
            "roles": ROLES,
            "conflicts": [["auditor", "steward"]],
            "jobs": {"weekly-purge": {"can": ["purge.run"], "as_role": "steward", "needs_plan": True}},
            "approvals": {"purge.run": {"by": ["auditor"], "people": 1, "assurance": "signed", "expires": "72 hours"}},
            "allowed_signers": "policies/allowed_signers",
            "deputies": [{"for": "li.na", "deputy": "王静", "from": "2026-01-01", "acts": ["purge.*"]}],
        }
    )
    assert list(access.lint(Nothing())) == []
    assert access.person_of(2001) == "li.na" and access.person_of(3) is None
    assert access.person_of_role("li_na") == "li.na" and access.person_of_role("postgres") is None
    assert access.people["li.na"].confidentiality_signed == date(2026, 1, 1)
    assert access.alone is None and access.provides() == {"role": ("steward", "auditor", "agent")}


def test_nobody_yet_and_one_alone():
    assert AccessSettings.model_validate({}).alone is None
    assert AccessSettings.model_validate({"people": {"li.na": {"uids": [1]}}}).alone == "li.na"


@pytest.mark.parametrize(
    "settings",
    [
        {"people": {"li.na": {"uid": 1001}}},
        {"people": {"li.na": {"uids": ["1001"]}}},
        {"people": {"li.na": {"uids": [-1]}}},
        {"people": {"li na": {"uids": [1]}}},
        {"people": {"li.na": {"uids": [1], "confidentiality_signed": "yes"}}},
        {"roles": {"r": {"can": ["*"]}}},
        {"roles": {"r": {"can": ["customer.reveal.*"]}}},
        {"roles": {"r": {"can": ["Customer.Import"]}}},
        {"roles": {"r": {"can": ["customer.*.x"]}}},
        {"roles": {"r": {"scope": "everything"}}},
        {"roles": {"r": {"fields": {"view": ["secret"]}}}},
        {"roles": {"r": {"limits": {"customer.reveal": 50}}}},
        {"roles": {"r": {"limits": {"customer.reveal": "50/week"}}}},
        {"jobs": {"j": {"can": ["customer.reveal.*"]}}},
        {"approvals": {"purge.run": {"by": ["r"], "people": 0}}},
        {"approvals": {"purge.run": {"by": ["r"], "expires": "soon"}}},
        {"surprise": True},
    ],
)
def test_what_makes_no_sense_is_refused(settings):
    with pytest.raises(ValidationError):
        AccessSettings.model_validate(settings)


def test_one_account_is_one_persons():
    people = {"a": {"uids": [7, 8], "pg": ["x"]}, "b": {"uids": [9, 7], "pg": ["x"]}}
    assert findings(people=people) == {(("people", "b", "uids", 1), "P306"), (("people", "b", "pg", 0), "P306")}


def test_what_is_ones_own_is_nobody_elses():
    people = {"a": {"uids": [7], "staff": "1001", "pg": ["x"]}, "b": {"uids": [9], "staff": "1001"}}
    jobs = {"nightly": {"can": ["tier.regrade"], "pg": ["x"]}, "weekly": {"can": ["tier.regrade"], "pg": ["y"]}}
    assert findings(people=people, jobs=jobs) == {
        (("people", "b", "staff"), "P306"),
        (("jobs", "nightly", "pg", 0), "P306"),
    }
    access = AccessSettings.model_validate({"people": people, "jobs": jobs})
    assert (access.person_of_role("x"), access.person_of_role("y")) == ("a", "job:weekly")


def test_what_a_person_answers_for_is_no_jobs():
    jobs = {"night": {"can": ["customer.list", "customer.reveal"]}, "day": {"can": ["approval.approve"]}}
    assert findings(jobs=jobs) == {(("jobs", "night", "can", 1), "P301"), (("jobs", "day", "can", 0), "P301")}


def test_roles_that_nobody_defined_are_found():
    found = findings(
        people={"a": {"uids": [1], "roles": ["steward", "stewart"]}},
        conflicts=[["auditor", "agnet"]],
        jobs={"j": {"can": ["x.y"], "as_role": "nobody"}},
        approvals={"purge.run": {"by": ["boss"]}},
    )
    assert found == {
        (("people", "a", "roles", 1), "P307"),
        (("conflicts", 0, 1), "P307"),
        (("jobs", "j", "as_role"), "P307"),
        (("approvals", "purge.run", "by", 0), "P307"),
    }


def test_conflicting_roles_are_a_problem_except_for_one_who_is_alone():
    both = {"uids": [1], "roles": ["auditor", "steward"]}
    assert findings(people={"a": both}, conflicts=[["auditor", "steward"]]) == set()
    assert findings(people={"a": both, "b": {"uids": [2]}}, conflicts=[["auditor", "steward"]]) == {
        (("people", "a", "roles"), "P301")
    }
    assert findings(people={}, conflicts=[["auditor", "auditor"]]) == {(("conflicts", 0), "P301")}


def test_deputies_pass_nothing_on():
    people = {name: {"uids": [number]} for number, name in enumerate("abc", 1)}
    chain = [
        {"for": "a", "deputy": "b", "from": "2026-01-01", "until": "2026-01-31", "acts": ["purge.*"]},
        {"for": "b", "deputy": "c", "from": "2026-01-31", "until": "2026-02-28", "acts": ["purge.*"]},
    ]
    assert findings(people=people, deputies=chain) == {(("deputies", 0, "deputy"), "P301")}
    later = [chain[0], {**chain[1], "from": "2026-02-01"}]
    assert findings(people=people, deputies=later) == set()
    strangers = [{"for": "a", "deputy": "a", "acts": ["x"]}, {"for": "z", "deputy": "a", "acts": ["x"]}]
    assert findings(people=people, deputies=strangers) == {
        (("deputies", 0, "deputy"), "P301"),
        (("deputies", 1, "deputy"), "P301"),
        (("deputies", 1, "for"), "P307"),
    }


VERBS = {
    "customer": ("import", "list", "show", "find", "history"),
    "batch": ("list", "rejects", "resume"),
    "audit": ("list", "verify"),
    "keys": ("status", "copy"),
    "db": ("upgrade",),
    "config": ("show",),
}
ACTS = {f"{noun}.{verb}" for noun, verbs in VERBS.items() for verb in verbs} | {"doctor"}


def test_the_shipped_roles_allow_what_their_posts_do():
    """Three people run the tool: admin, steward, auditor (requirements T3); one alone does everything."""
    from crmctl.locate import shipped
    from crmctl.policy import load
    from crmctl.security.actor import Actor
    from crmctl.security.permissions import allowed

    settings = load(shipped("policies")).settings("access")
    signed = {"uids": [1], "confidentiality_signed": "2026-01-01", "training_passed": "2026-01-01"}
    access = AccessSettings.model_validate(settings.model_dump(by_alias=True) | {"people": {"li.na": signed}})

    def may(*roles, alone=False):
        actor = Actor("li.na", 1, "direct", roles, {}, alone)
        return {act for act in ACTS if allowed(actor, access, act)}

    assert may(*access.roles, alone=True) == ACTS
    assert {"customer.import", "batch.resume", "batch.rejects"} <= may("steward")
    assert {"keys.copy", "db.upgrade"} <= may("admin")
    assert {"audit.list", "audit.verify"} <= may("auditor")
    assert not may("auditor") & {"customer.import", "keys.copy", "db.upgrade", "batch.resume"}
    assert not may("agent") & {"customer.import", "keys.status", "audit.list"}
    assert {"auditor", "steward"} in [set(pair) for pair in access.conflicts]


def test_approvals_that_could_not_be_given():
    """Posts decide on paper only, and signatures need a file of signers."""

    class Posts(Nothing):
        def known(self, what):
            return ("manager",) if what == "post" else None

    rule = {"by": [], "posts": ["manager", "chief"]}
    access = AccessSettings.model_validate(
        {"roles": ROLES, "approvals": {"purge.run": {**rule, "assurance": "signed"}, "owner.assign": rule}}
    )
    found = [finding.at for finding in access.lint(Posts())]
    assert found == [
        ("approvals", "purge.run", "posts", 1),
        ("approvals", "purge.run", "posts"),
        ("approvals", "purge.run", "assurance"),
        ("approvals", "owner.assign", "posts", 1),
        ("approvals", "owner.assign", "posts"),
    ]
    paper = AccessSettings.model_validate(
        {"roles": ROLES, "approvals": {"purge.run": {**rule, "posts": ["manager"], "assurance": "recorded"}}}
    )
    assert list(paper.lint(Posts())) == []
