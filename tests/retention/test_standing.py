"""What `crmctl doctor` says of purges that wait for somebody."""

from __future__ import annotations

import json

from desks import ADMIN, STEWARD, SUPERVISOR
from doomed import PLAN, Doomed


def said(doomed: Doomed) -> list[tuple[str, str, str]]:
    """Return level, message and hint of what is found of purges."""
    findings = doomed.office.desk.say(ADMIN, "doctor", "-o", "json")

    found = json.loads(findings.stdout)["findings"]
    return [(each["level"], each["message"], each["hint"]) for each in found if each["subject"] == "purges"]


def test_doctor_tells_of_purges_that_wait(doomed: Doomed) -> None:
    """Agreed to and not carried out; begun and not finished, which is wrong; done and not proved."""
    ((level, message, hint),) = said(doomed)
    assert (level, hint) == ("warns", f"crmctl purge run {PLAN}")
    expires = doomed.office.json(STEWARD, "purge", "show", PLAN)["expires_at"]
    assert f"it can be until {expires}" in message
    doomed.purge("SIGKILL:before:1:crmctl.retention.forgetting:forget")
    ((level, message, hint),) = said(doomed)
    assert (level, hint) == ("wrong", f"crmctl purge run {PLAN}") and "not finished" in message
    assert doomed.purge().returncode == 0
    ((level, message, hint),) = said(doomed)
    assert (level, hint) == ("warns", f"crmctl purge verify {PLAN}") and "not verified" in message
    doomed.office.json(STEWARD, "purge", "verify", PLAN)
    assert said(doomed) == []


def test_what_waits_for_nobody_is_not_told(doomed: Doomed) -> None:
    """A plan that nobody agreed to yet is for its approver; one whose time is over is only a plan."""
    office = doomed.office
    office.hours.forward(hours=73)
    assert said(doomed) == []
    office.json(ADMIN, "keys", "rotate")
    number = office.json(STEWARD, "purge", "plan")["plan"]
    assert said(doomed) == []
    office.json(SUPERVISOR, "purge", "reject", number, "--reason", office.text("名单太宽"))
    assert said(doomed) == []
