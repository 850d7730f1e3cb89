"""What one person cannot do through the service account, however often or as whom: the policy holds for a uid."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from accounts import APPROVER, STEWARD, STRANGER, Machine

from crmctl.workspace import find

MOBILE = "13912345678"
SHEET = f"客户名称,客户类型,手机\n张三,个人客户,{MOBILE}\n".encode()
EXPORT = ["--fields", "name,mobile", "--recipient", "sales", "--purpose", "contact"]


@pytest.fixture(scope="module")
def office(machine: Machine) -> Iterator[Machine]:
    """One customer; two reveals a day; every export needs an agreement, which li.na's roles may give."""
    access = machine.workspace / "policies" / "access.yaml"
    text = access.read_text("utf-8")
    for old, new in (
        ("customer.reveal: 100/day", "customer.reveal: 2/day"),
        ("over_rows: 100", "over_rows: 0"),
        ("uids: [61202]\n      roles: [steward]", "uids: [61202]\n      roles: [steward, supervisor]"),
    ):
        assert old in text
        text = text.replace(old, new)
    access.write_text(text, "utf-8")
    machine.keep(STEWARD, "one.csv", SHEET)
    done = machine.crmctl(STEWARD, "customer", "import", "one.csv")
    assert done.status == 0, done
    yield machine


def denied(machine: Machine, act: str) -> list[dict[str, Any]]:
    return [entry for entry in machine.log() if entry["act"] == act and entry["result"] == "denied"]


@pytest.mark.databases("sqlite", "postgresql")
def test_reveals_end_at_the_limit(office: Machine) -> None:
    words = ["customer", "show", "1", "--reveal", "mobile", "--purpose", "contact", "-o", "json"]

    shown = [office.crmctl(STEWARD, *words) for _number in range(3)]

    assert [done.status for done in shown] == [0, 0, 6], shown
    assert [MOBILE in done.out for done in shown] == [True, True, False]
    assert json.loads(shown[2].err)["code"] == "LIMIT_REACHED"
    (entry,) = denied(office, "customer.reveal")
    assert (entry["codes"], entry["actor"]["uid"]) == (["LIMIT_REACHED"], STEWARD)


@pytest.mark.databases("sqlite", "postgresql")
def test_nobody_agrees_to_the_own_request(office: Machine) -> None:
    asked = office.crmctl(
        STEWARD, "use", "request", *EXPORT, "--manner", "phone", "--responsible", "li.na", "--why", "回访", "-o", "json"
    )
    assert asked.status == 0, asked
    document = json.loads(asked.out)
    number, use = str(document["approval"]), str(document["use"])

    own = office.crmctl(STEWARD, "approval", "approve", number, "-o", "json", env={"SUDO_UID": str(APPROVER)})
    early = office.crmctl(STEWARD, "customer", "export", "--use", use, "--out", "out.csv", "-o", "json")

    assert (own.status, early.status) == (6, 6), (own, early)
    assert json.loads(own.err)["code"] == "APPROVAL_OWN_REQUEST"
    assert [entry["codes"] for entry in denied(office, "approval.approve")] == [["APPROVAL_OWN_REQUEST"]]
    assert list(office.home(STEWARD).glob("*out.csv*")) == []

    agreed = office.crmctl(APPROVER, "approval", "approve", number, "-o", "json")
    done = office.crmctl(STEWARD, "customer", "export", "--use", use, "--out", "out.csv", "-o", "json")

    assert (agreed.status, done.status) == (0, 0), (agreed, done)
    made = office.home(STEWARD) / "out.csv"
    assert (made.stat().st_uid, made.stat().st_mode & 0o777) == (STEWARD, 0o600)
    assert "139" in made.read_text("utf-8-sig")


def test_a_third_account_signs_and_a_bundle_comes_back_as_the_callers(office: Machine) -> None:
    access = office.workspace / "policies" / "access.yaml"
    access.write_text(access.read_text("utf-8").replace("roles: [supervisor]", "roles: [auditor]"), "utf-8")
    raw = office.crmctl(APPROVER, "audit", "list", "--raw")
    signer = [
        "audit",
        "checkpoint",
        "--log",
        "-",
        "--state",
        "state",
        "--origin",
        f"crmctl/{find(office.workspace).get('instance')}",
    ]
    signed = office.run(STRANGER, [*office.program, *signer], stdin=raw.out.encode())
    assert (raw.status, signed.status) == (0, 0), (raw.err, signed)
    counts = office.workspace / "policies" / "audit.yaml"
    vkey = (office.home(STRANGER) / "state" / "signer.vkey").read_text("utf-8").strip()
    counts.write_text(counts.read_text("utf-8").replace("signers: []", f'signers: ["{vkey}"]'), "utf-8")
    office.keep(APPROVER, "note", signed.out.encode())
    added = office.crmctl(APPROVER, "audit", "checkpoint", "--add", "note")
    assert added.status == 0, added

    done = office.crmctl(APPROVER, "audit", "export", "--bundle", "log", "-o", "json")
    again = office.crmctl(APPROVER, "audit", "export", "--bundle", "log", "-o", "json")
    verified = office.crmctl(
        APPROVER, "audit", "verify", "--bundle", "log", "--key", vkey, "--pin", "note", "-o", "json"
    )

    assert (done.status, again.status) == (0, 1), (done, again)
    bundle = office.home(APPROVER) / "log"
    found = [path for path in bundle.rglob("*") if path.is_file()]
    assert {(path.stat().st_uid, path.stat().st_mode & 0o777) for path in found} == {(APPROVER, 0o600)}
    assert bundle.stat().st_mode & 0o777 == 0o700 and (bundle / "VERIFY.md").is_file()
    assert "spool" not in done.out and list((office.workspace / "spool").iterdir()) == []
    assert (verified.status, json.loads(verified.out or "{}").get("problems")) == (14, []), verified  # newer entries
    assert not [path for path in office.home(APPROVER).iterdir() if path.name.startswith(".")]


def test_a_personal_value_is_asked_for_on_the_callers_terminal(office: Machine) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*office.program, "-w", office.workspace, "customer", "find", "--mobile", "-o", "json"],
        stdin=theirs,
        stderr=theirs,
        stdout=subprocess.PIPE,
        cwd=office.home(STEWARD),
        env={"LC_ALL": "C.UTF-8"},
        user=STEWARD,
        group=STEWARD,
        extra_groups=[],
    )
    os.close(theirs)
    os.write(ours, f"{MOBILE}\n".encode())
    out, _err = process.communicate(timeout=60)
    os.close(ours)

    assert process.returncode == 0
    assert len(json.loads(out)["customers"]) == 1
