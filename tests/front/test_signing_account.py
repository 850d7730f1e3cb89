"""The log signed by an account that opens neither workspace nor database, fed by cron of the service account."""

from __future__ import annotations

import json
import re
from pathlib import Path

from accounts import SERVICE, Done, Machine

SIGNER = 61205
JOB = "hourly-checkpoint"


def sign(machine: Machine, log: str, *more: str) -> Done:
    words = ["audit", "checkpoint", "--log", "-", *more]
    return machine.run(SIGNER, [*machine.program, *words], stdin=log.encode())


def test_an_account_of_its_own_signs_and_refuses_an_older_copy(machine: Machine) -> None:
    instance = re.findall(r'instance: "(.*)"', (machine.workspace / "crmctl.yaml").read_text())[0]
    closed = machine.run(SIGNER, ["/bin/cat", machine.workspace / "data" / "crmctl.db"])
    assert (closed.status, closed.out) == (1, "")

    raw = machine.as_job(JOB, "audit", "list", "--raw")
    assert raw.status == 0, raw
    first = sign(machine, raw.out, "--origin", f"crmctl/{instance}")
    assert first.status == 0, first
    folder = machine.home(SIGNER) / ".local" / "state" / "crmctl" / "signer"
    assert machine.run(SERVICE, ["/bin/cat", folder / "signer.key"]).out == ""

    policy = machine.workspace / "policies" / "audit.yaml"
    vkey = (folder / "signer.vkey").read_text().strip()
    policy.write_text(policy.read_text().replace("signers: []", f'signers: ["{vkey}"]'))
    note = machine.keep(SERVICE, "note", first.out.encode())
    added = machine.as_job(JOB, "audit", "checkpoint", "--add", str(note), "-o", "json")
    assert added.status == 0, added
    assert json.loads(added.out)["size"] == len(raw.out.splitlines())

    older = "".join(raw.out.splitlines(keepends=True)[:-1])
    refused = sign(machine, older)
    assert (refused.status, refused.out) == (13, "")
    position = machine.run(SIGNER, [*machine.program, "audit", "checkpoint", "--position"])
    assert int(position.out) == len(raw.out.splitlines()) - 1
    assert Path(machine.workspace / "signer.vkey").exists() is False
