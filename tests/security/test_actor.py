"""Who acts is the kernel's word; what anybody can set is never believed (A21)."""

from __future__ import annotations

import os

import pytest

from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.process import Behalf, work_for
from crmctl.security.access import AccessSettings
from crmctl.security.actor import Actor, Process, confirm_session, current, stranger

ACCESS = AccessSettings.model_validate(
    {
        "people": {
            "li.na": {"uids": [1001, 2001], "pg": ["li_na"], "roles": ["steward"]},
            "wang.j": {"uids": [1002], "pg": ["wang_j"], "roles": ["auditor"]},
        },
        "roles": {"steward": {"can": ["customer.*"]}, "auditor": {"can": ["audit.*"]}, "admin": {"can": ["keys.*"]}},
        "jobs": {"nightly": {"can": ["tier.regrade"], "as_role": "steward"}, "plain": {"can": ["sla.check"]}},
    }
)
ALONE = AccessSettings.model_validate({"people": {"li.na": {"uids": [1001]}}, "roles": ACCESS.model_dump()["roles"]})
SERVICE = 500


def process(*uids, sudo="", login=None, terminal=""):
    real, effective, saved = uids * 3 if len(uids) == 1 else uids
    return Process((real, effective, saved), sudo, login, terminal)


def test_direct_mode_takes_the_uid():
    actor = current(ACCESS, process=process(2001, terminal="/dev/pts/3", login=1001))
    assert actor == Actor("li.na", 2001, "direct", ("steward",), {"loginuid": 1001, "tty": "/dev/pts/3"})


def test_one_who_is_alone_holds_all_roles_in_direct_mode_only():
    assert current(ALONE, process=process(1001)).roles == ("steward", "auditor", "admin")
    assert current(ALONE, process=process(1001)).alone
    behind = current(ALONE, "broker", service_uid=SERVICE, process=process(SERVICE, sudo="1001"))
    assert not behind.alone and behind.roles == ()
    assert not current(ALONE, "server", process=process(1001)).alone


@pytest.mark.parametrize("uid", [0, 1003, 65534])
def test_a_stranger_is_refused_by_number(uid):
    with pytest.raises(PermissionMissing) as failure:
        current(ACCESS, process=process(uid))
    assert failure.value.exit_code == 6 and failure.value.code == "ACTOR_UNKNOWN"
    assert f"uid {uid}" in failure.value.message and failure.value.hint


def test_a_stranger_is_noted_by_number():
    assert stranger(process=process(1003, sudo="1002", terminal="/dev/pts/3")) == Actor(
        "unknown", 1003, "direct", (), {"sudo_uid": 1002, "tty": "/dev/pts/3"}
    )
    assert stranger("broker", process(SERVICE, sudo="1003")).uid == 1003
    assert stranger("broker", process(SERVICE, sudo="1003")).via == "sudo"
    assert stranger("broker", process(SERVICE, sudo="x")).uid == SERVICE


def test_nobody_may_be_called_like_a_stranger():
    with pytest.raises(ValueError, match="nobody may be called unknown"):
        AccessSettings.model_validate({"people": {"unknown": {"uids": [1003]}}})


def test_root_acts_only_when_listed():
    access = AccessSettings.model_validate({"people": {"root.person": {"uids": [0]}}})
    assert current(access, process=process(0)).person == "root.person"


@pytest.mark.parametrize("uids", [(1001, 0, 0), (1001, 1001, 0), (1002, 1001, 1001)])
@pytest.mark.parametrize("mode", ["direct", "broker", "server"])
def test_a_set_uid_program_is_refused(uids, mode):
    with pytest.raises(PermissionMissing) as failure:
        current(ACCESS, mode, service_uid=1001, process=process(*uids))
    assert failure.value.code == "UIDS_DIFFER"


FORGED = {
    "SUDO_UID set by hand": (process(1003, sudo="1001"), "direct", None),
    "loginuid written": (process(1003, login=1001), "direct", None),
    "both, as nobody": (process(65534, sudo="1001", login=1001), "direct", None),
    "SUDO_UID outside the service account": (process(1003, sudo="1001"), "broker", SERVICE),
    "a listed person beside the service account": (process(1001), "broker", SERVICE),
    "broker without a service account": (process(1001, sudo="1001"), "broker", None),
    "the service account as itself": (process(SERVICE), "broker", SERVICE),
    "SUDO_UID of a stranger": (process(SERVICE, sudo="1003"), "broker", SERVICE),
    "SUDO_UID of root": (process(SERVICE, sudo="0"), "broker", SERVICE),
    "SUDO_UID that is no number": (process(SERVICE, sudo="1001x"), "broker", SERVICE),
    "SUDO_UID in other digits": (process(SERVICE, sudo="１００１"), "broker", SERVICE),
    "SUDO_UID too large": (process(SERVICE, sudo="4294967295"), "broker", SERVICE),
    "SUDO_UID negative": (process(SERVICE, sudo="-1"), "broker", SERVICE),
    "server behind a service, by hand": (process(1003, sudo="1001"), "server", SERVICE),
}


@pytest.mark.parametrize("case", FORGED)
def test_forged_identities_are_not_believed(case):
    forged, mode, service = FORGED[case]
    with pytest.raises(PermissionMissing):
        current(ACCESS, mode, service_uid=service, process=forged)


def test_the_environment_decides_nothing(monkeypatch):
    for name in ("USER", "LOGNAME", "USERNAME", "SUDO_USER", "HOME"):
        monkeypatch.setenv(name, "li.na")
    monkeypatch.setenv("SUDO_UID", "1001")
    access = AccessSettings.model_validate({"people": {"me": {"uids": [os.getuid()]}, "li.na": {"uids": [54321]}}})
    actor = current(access)
    assert (actor.person, actor.uid, actor.via) == ("me", os.getuid(), "direct")
    assert actor.evidence["sudo_uid"] == 1001


def test_behind_the_service_account_sudo_names_the_actor():
    actor = current(ACCESS, "broker", service_uid=SERVICE, process=process(SERVICE, sudo="1002"))
    assert (actor.person, actor.uid, actor.via, actor.roles) == ("wang.j", 1002, "sudo", ("auditor",))
    assert actor.evidence == {"sudo_uid": 1002}


def test_behind_the_service_account_cron_runs_named_jobs():
    actor = current(ACCESS, "broker", service_uid=SERVICE, job="nightly", process=process(SERVICE))
    assert (actor.person, actor.via, actor.roles) == ("job:nightly", "job", ("steward",))
    assert current(ACCESS, "broker", service_uid=SERVICE, job="plain", process=process(SERVICE)).roles == ()
    with pytest.raises(PermissionMissing) as failure:
        current(ACCESS, "broker", service_uid=SERVICE, job="other", process=process(SERVICE))
    assert "nightly" in failure.value.hint
    with pytest.raises(PermissionMissing):
        current(ACCESS, "direct", job="nightly", process=process(1001))


@pytest.fixture
def on_behalf():
    """Say what the command line says of for whom this process works."""
    yield work_for
    work_for(Behalf())


def test_the_job_of_the_command_line_is_believed_behind_the_service_account_only(on_behalf):
    on_behalf(Behalf("nightly", service=True))
    assert current(ACCESS, "broker", service_uid=SERVICE, process=process(SERVICE)).person == "job:nightly"
    with pytest.raises(PermissionMissing) as failure:
        current(ACCESS, "broker", service_uid=SERVICE, process=process(SERVICE, sudo="1001"))
    assert failure.value.code == "JOB_BY_PERSON"
    on_behalf(Behalf("nightly"))
    with pytest.raises(PermissionMissing) as failure:
        current(ACCESS, process=process(1001))
    assert failure.value.code == "JOB_NEEDS_SERVICE"


def test_a_service_account_works_in_broker_mode_only(on_behalf):
    """Else everybody behind sudo would be the person to whom access.yaml gives the account's uid."""
    on_behalf(Behalf(service=True))
    for mode in ("direct", "server"):
        with pytest.raises(PermissionMissing) as failure:
            current(ACCESS, mode, process=process(1001, sudo="1002"))
        assert failure.value.code == "MODE_NOT_BROKER"


def test_the_server_must_know_the_same_person():
    actor = current(ACCESS, "server", process=process(1001))
    assert confirm_session(ACCESS, actor, "li_na") is actor
    for role, strong in (("wang_j", False), ("postgres", False), ("li_na", True)):
        with pytest.raises(PermissionMissing):
            confirm_session(ACCESS, actor, role, bypasses_policies=strong)


def test_a_policy_may_want_the_login_account_to_match():
    access = ACCESS.model_copy(update={"require_auid_match": True})
    assert current(access, process=process(1001, login=2001)).person == "li.na"
    assert current(access, process=process(1001)).person == "li.na"
    with pytest.raises(PermissionMissing) as failure:
        current(access, process=process(1001, login=1002))
    assert failure.value.code == "LOGIN_DIFFERS"


def test_an_unknown_mode_is_a_configuration_mistake():
    with pytest.raises(InvalidInput):
        current(ACCESS, "borker", process=process(1001))


def test_this_process_is_seen_as_it_is():
    here = Process.here()
    assert here.uids == (os.getuid(),) * 3
    assert here.login_uid is None or here.login_uid < 2**32 - 1
