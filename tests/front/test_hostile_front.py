"""Whoever calls may write a front of their own: what it sends through sudo is checked, refused, and in the log."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from accounts import SERVICE, STEWARD, Done, Machine

FRONT = """
import json, os, socket, subprocess, sys
from crmctl.front import wire
command, raw, message, opened = json.loads(sys.argv[1])
ours, theirs = socket.socketpair()
child = subprocess.Popen(command, stdin=theirs.fileno())
theirs.close()
descriptors = [0] + [os.open(name, getattr(os, way)) for name, way in opened]
try:
    if raw:
        socket.send_fds(ours, [raw.encode()], descriptors)
        ours.shutdown(socket.SHUT_WR)
    else:
        wire.send(ours, message, descriptors)
except OSError:
    pass
sys.exit(child.wait())
"""
LENT = {"parameter": "mapping", "position": 0, "name": "m.yaml", "use": "read"}


def sent(machine: Machine, arguments: Any, opened: Any = (), raw: str = "", **other: Any) -> Done:
    """Send a message through the stand-in for sudo as a steward; `other` replaces its parts."""
    message = {
        "workspace": str(machine.workspace),
        "arguments": arguments,
        "environment": {"LC_ALL": "C.UTF-8"},
        "files": [],
        **other,
    }
    words = ["-n", "-u", f"#{SERVICE}", "--", *machine.program, "--behind-front"]
    call = json.dumps([[str(machine.folder / "sudo"), *words], raw, message, opened])
    return machine.run(STEWARD, [machine.python, "-I", "-c", FRONT, call])


def noted(machine: Machine) -> tuple[int, list[str]]:
    """Return whose call the newest entry says was refused, and why."""
    entry = machine.log()[-1]
    assert (entry["act"], entry["result"]) == ("front.enter", "denied")
    return entry["actor"]["uid"], entry["codes"]


def test_an_honest_message_is_answered(machine: Machine) -> None:
    done = sent(machine, ["customer", "list", "-o", "json"])

    assert done.status == 0 and json.loads(done.out)["customers"] == [], done


GARBLED: dict[str, dict[str, Any]] = {
    "no message": {"raw": "x"},
    "a length beyond sense": {"raw": "\x7f\x7f\x7f\x7f"},
    "no JSON": {"raw": "\0\0\0\5{{{{{"},
    "another version": {"version": 2},
    "arguments that are no list": {"arguments": "customer list"},
    "arguments that are no text": {"arguments": ["customer", 1]},
    "a front behind the front": {"arguments": ["--behind-front"]},
    "a variable for the loader": {"environment": {"LD_PRELOAD": "/tmp/x.so"}},
    "a variable for Python": {"environment": {"PYTHONPATH": "/tmp"}},
    "a variable for the configuration": {"environment": {"CRMCTL_DATABASE": "/tmp/x.db"}},
    "a claim of whom it is for": {"environment": {"SUDO_UID": "0"}},
    "fewer files than named": {"files": [LENT]},
    "more files than named": {"opened": [["/etc/hostname", "O_RDONLY"]]},
    "a file of unknown use": {"files": [{**LENT, "use": "run"}], "opened": [["/etc/hostname", "O_RDONLY"]]},
    "a folder": {"files": [LENT], "opened": [["/etc", "O_RDONLY"]]},
    "a device": {"files": [LENT], "opened": [["/dev/zero", "O_RDONLY"]]},
    "a file to write that is not open for it": {
        "files": [{**LENT, "use": "write"}],
        "opened": [["/etc/passwd", "O_RDONLY"]],
    },
}


@pytest.mark.parametrize("case", GARBLED)
def test_what_is_no_message_is_refused(machine: Machine, case: str) -> None:
    parts = {"arguments": ["customer", "list"], **GARBLED[case]}

    done = sent(machine, **parts)

    assert (done.status, done.out) == (4, ""), done
    assert "Traceback" not in done.err and "bug" not in done.err


def test_a_workspace_of_its_own_is_refused(machine: Machine) -> None:
    done = sent(machine, ["keys", "status"], workspace=str(machine.home(STEWARD)))

    assert (done.status, done.out) == (6, ""), done
    assert noted(machine) == (STEWARD, ["WORKSPACE_NOT_REGISTERED"])


def test_a_workspace_in_the_arguments_changes_nothing(machine: Machine) -> None:
    done = sent(machine, ["-w", str(machine.home(STEWARD)), "config", "show", "-o", "json"])

    assert done.status == 0, done
    assert json.loads(done.out)["workspace"] == str(machine.workspace)


@pytest.mark.parametrize(
    ("arguments", "files"),
    [
        (["customer", "import", "/etc/hostname"], []),
        (["customer", "import", "-", "--mapping", "/etc/hostname"], []),
        (["customer", "import", "-", "--rejects", "/tmp/crmctl-hostile"], [LENT]),
        (["customer", "find", "--mobile", "@/etc/hostname"], [LENT]),
        (["keys", "copy", "/tmp/crmctl-hostile"], [{**LENT, "parameter": "dest"}]),
        (["init", "/tmp/crmctl-hostile"], [{**LENT, "parameter": "folder"}]),
        (["policy", "validate", "/etc/hostname"], [{**LENT, "parameter": "paths"}]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_a_path_that_was_not_opened_for_us_is_refused_and_noted(
    machine: Machine, arguments: list[str], files: list[Any]
) -> None:
    opened = [["/etc/hostname", "O_RDONLY"]] * len(files)

    done = sent(machine, [*arguments, "-o", "json"] if "init" not in arguments else arguments, opened, files=files)

    assert (done.status, done.out) == (6, ""), done
    entry = machine.log()[-1]
    assert (entry["result"], entry["codes"]) == ("denied", ["PATH_NOT_LENT"])
    assert entry["actor"]["uid"] == STEWARD
    assert not Path("/tmp/crmctl-hostile").exists()


def test_a_personal_value_among_the_arguments_is_refused(machine: Machine) -> None:
    done = sent(machine, ["customer", "find", "--mobile", "13912345678", "-o", "json"])

    assert (done.status, json.loads(done.err)["code"]) == (2, "VALUE_VISIBLE")
    assert "13912345678" not in done.err


def test_the_maker_of_the_socket_must_be_whom_sudo_names(machine: Machine) -> None:
    """The kernel notes who made it: here root, while SUDO_UID says it was the steward."""
    ours, theirs = socket.socketpair()
    message = {"version": 1, "workspace": str(machine.workspace), "arguments": ["customer", "list"]}
    body = json.dumps({**message, "environment": {}, "files": []}).encode()
    with ours, theirs:
        socket.send_fds(ours, [len(body).to_bytes(4, "big") + body], [0])
        done = subprocess.run(
            [*machine.program, "--behind-front"],
            stdin=theirs.fileno(),
            capture_output=True,
            cwd="/",
            env={"SUDO_UID": str(STEWARD), "LC_ALL": "C.UTF-8"},
            user=SERVICE,
            group=SERVICE,
            extra_groups=[],
        )

    assert (done.returncode, done.stdout) == (6, b""), done
    assert b"SUDO_UID" in done.stderr
    assert noted(machine) == (STEWARD, ["SUDO_UID_FORGED"])


def test_without_sudo_there_is_nobody_to_act_for(machine: Machine) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(ours, [b"\0\0\0\2{}"], [os.open("/dev/null", os.O_RDONLY)])
        done = subprocess.run(
            [*machine.program, "--behind-front"],
            stdin=theirs.fileno(),
            capture_output=True,
            cwd="/",
            env={},
            user=SERVICE,
            group=SERVICE,
            extra_groups=[],
        )

    assert done.returncode in (4, 6) and done.stdout == b"", done
