"""Broker mode between real accounts: what a steward's uid gets, and what it does not (A11, A13, A16, A17, A21).

The workspace belongs to a service account; people reach it through the front and a stand-in for sudo.
"""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest
from accounts import APPROVER, SERVICE, STEWARD, STRANGER, Done, Machine

SHEET = "客户名称,客户类型,手机,邮箱\n{name},个人客户,{mobile},\n李四,个人客户,139,\n"
MOBILE = "13912345678"


def sheet(name: str, mobile: str) -> bytes:
    return SHEET.format(name=name, mobile=mobile).encode()


def refused(done: Done, status: int) -> str:
    """Return the code of a refusal, which is all that was said."""
    assert (done.status, done.out) == (status, ""), done
    return str(json.loads(done.err.splitlines()[-1])["code"])


def last(machine: Machine, act: str) -> dict[str, object]:
    return [entry for entry in machine.log() if entry["act"] == act][-1]


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize("uid", [STEWARD, APPROVER, STRANGER])
def test_a_person_opens_nothing_of_the_service_account(machine: Machine, uid: int) -> None:
    keys = Path(f"{machine.workspace}.keys")
    wanted = [
        machine.secret or machine.workspace / "data" / "crmctl.db",
        machine.workspace / "crmctl.yaml",
        machine.workspace / "policies" / "access.yaml",
        keys / "keys.db",
        keys / "master-0001.key",
    ]
    assert all(path.is_file() for path in wanted)
    script = "import sys\nfor name in sys.argv[1:]:\n  try: open(name, 'rb')\n  except PermissionError: print('closed')"

    done = machine.run(uid, [machine.python, "-I", "-c", script, *wanted])

    assert done.out.split() == ["closed"] * len(wanted), done


@pytest.mark.databases("sqlite", "postgresql")
def test_an_import_works_as_ever_and_its_rejects_are_the_callers(machine: Machine) -> None:
    machine.keep(STEWARD, "客户.csv", sheet("张三", MOBILE))

    done = machine.crmctl(STEWARD, "customer", "import", "客户.csv", "--rejects", "错误.csv", "-o", "json")

    assert done.status == 3, done
    document = json.loads(done.out)
    assert (document["created"], document["rejected"]) == (1, 1)
    assert document["rejects_file"] == "错误.csv"
    rejects = machine.home(STEWARD) / "错误.csv"
    found = rejects.stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (STEWARD, 0o600)
    assert "李四" in rejects.read_text("utf-8-sig")
    assert sorted(path.name for path in machine.home(STEWARD).iterdir()) == ["客户.csv", "错误.csv"]
    actor = last(machine, "customer.import")["actor"]
    assert (actor["person"], actor["uid"], actor["via"]) == ("li.na", STEWARD, "sudo")  # type: ignore[index]
    assert list((machine.workspace / "spool").iterdir()) == []
    assert "张三" not in machine.crmctl(STEWARD, "customer", "list").out  # masked, as for everybody


def test_the_command_line_of_the_service_account_says_nothing_about_the_call(machine: Machine) -> None:
    machine.keep(STEWARD, "mobile", MOBILE.encode())
    machine.started.clear()

    done = machine.crmctl(STEWARD, "customer", "find", "--mobile", "@mobile", "-o", "json")
    asked = machine.crmctl(STEWARD, "customer", "find", "--mobile", "-", "-o", "json", stdin=f"{MOBILE}\n".encode())

    assert done.status == asked.status == 0, (done, asked)
    assert json.loads(done.out)["customers"] == json.loads(asked.out)["customers"]
    assert {tuple(call["words"][4:]) for call in machine.started} == {(*machine.program, "--behind-front")}


def test_a_personal_value_on_the_command_line_is_refused(machine: Machine) -> None:
    machine.started.clear()

    done = machine.crmctl(STEWARD, "customer", "find", "--mobile", MOBILE, "-o", "json")

    assert refused(done, 2) == "VALUE_VISIBLE"
    assert MOBILE not in done.err
    assert machine.started == []


def test_output_files_keep_their_form_and_belong_to_the_caller(machine: Machine) -> None:
    done = machine.crmctl(STEWARD, "customer", "template", "--out", "空表.xlsx")
    with (machine.home(STEWARD) / "list.csv").open("wb") as stream:
        listed = subprocess.run(
            [*machine.program, "-w", machine.workspace, "customer", "list", "-o", "csv"],
            stdout=stream,
            cwd=machine.home(STEWARD),
            env={"LC_ALL": "C.UTF-8"},
            user=STEWARD,
            group=STEWARD,
            extra_groups=[],
        )

    assert (done.status, listed.returncode) == (0, 0), done
    made = machine.home(STEWARD) / "空表.xlsx"
    assert made.read_bytes().startswith(b"PK") and made.stat().st_uid == STEWARD
    assert (machine.home(STEWARD) / "list.csv").read_bytes().startswith(b"\xef\xbb\xbf")


SERVER = """
import psycopg, sys
for user in sys.argv[3:]:
    try: psycopg.connect(host=sys.argv[1], dbname=sys.argv[2], user=user).close()
    except psycopg.OperationalError as error: print(str(error).split(": ", 3)[-1].strip())
"""


@pytest.mark.databases("postgresql")
def test_who_reaches_the_server_opens_no_database(machine: Machine) -> None:
    """A person may reach its socket, and knows the role's name: without the password neither opens it."""
    place = re.fullmatch(r"postgresql://postgres@/(\w+)\?host=(.+)", machine.database)
    assert place is not None and machine.secret is not None
    words = [place[2], place[1], "crm", "postgres"]

    done = machine.run(STEWARD, [machine.python, "-I", "-c", SERVER, *words])
    shown = machine.crmctl(STEWARD, "config", "show", "-o", "json")

    assert ["password" in line or "Peer" in line for line in done.out.splitlines()] == [True, True], done
    assert shown.status == 0 and machine.secret.read_text() not in shown.out, shown


def test_an_output_never_lands_on_what_is_there(machine: Machine) -> None:
    there = machine.keep(STEWARD, "there", b"mine")
    link = machine.home(STEWARD) / "link"
    link.symlink_to(machine.workspace / "crmctl.yaml")
    machine.started.clear()

    for name in ("there", "link"):
        done = machine.crmctl(STEWARD, "customer", "template", "--out", name, "-o", "xlsx", "--log-format", "json")
        assert done.status == 1, done
    elsewhere = machine.crmctl(STEWARD, "customer", "template", "--out", machine.workspace / "policies" / "new.xlsx")

    assert elsewhere.status == 74, elsewhere
    assert there.read_bytes() == b"mine" and link.is_symlink()
    assert machine.started == []


def test_inputs_are_the_callers_to_open(machine: Machine) -> None:
    home = machine.home(STEWARD)
    machine.keep(STEWARD, "map.yaml", "mapping: {全名: name, 手机: mobile}\n".encode())
    machine.keep(STEWARD, "other.csv", sheet("王五", "13912345679").replace("客户名称".encode(), "全名".encode()))
    machine.keep(STEWARD, "real.csv", sheet("王五", "13912345679"))
    (home / "good").symlink_to("real.csv")
    (home / "bad").symlink_to(machine.workspace / "crmctl.yaml")
    os.mkfifo(home / "fifo")
    machine.keep(APPROVER, "theirs.csv", sheet("赵六", "13912345670"))

    good = machine.crmctl(STEWARD, "customer", "import", "good", "--dry-run", "-o", "json")
    assert (good.status, json.loads(good.out)["created"]) == (3, 1), good
    mapped = machine.crmctl(STEWARD, "customer", "import", "other.csv", "--mapping", "map.yaml", "-n", "-o", "json")
    assert (mapped.status, json.loads(mapped.out)["created"]) == (3, 1), mapped
    machine.started.clear()
    for name in ("bad", str(machine.home(APPROVER) / "theirs.csv"), "missing"):
        assert refused(machine.crmctl(STEWARD, "customer", "import", name, "-o", "json"), 4) == "FILE_UNREADABLE"
    for name in ("fifo", ".", "/dev/zero"):
        assert refused(machine.crmctl(STEWARD, "customer", "import", name, "-o", "json"), 4) == "FILE_NOT_REGULAR"
    assert machine.started == []


FORGED = {
    "SUDO_UID": str(APPROVER),
    "SUDO_GID": str(APPROVER),
    "SUDO_USER": "wang.j",
    "USER": "wang.j",
    "LOGNAME": "wang.j",
    "USERNAME": "wang.j",
    "PKEXEC_UID": str(APPROVER),
}


@pytest.mark.databases("sqlite", "postgresql")
def test_nobody_becomes_another_by_saying_so(machine: Machine) -> None:
    done = machine.crmctl(STEWARD, "customer", "list", env=FORGED)

    assert done.status == 0, done
    actor = last(machine, "customer.list")["actor"]
    assert (actor["person"], actor["uid"]) == ("li.na", STEWARD)  # type: ignore[index]


@pytest.mark.databases("sqlite", "postgresql")
def test_a_login_account_that_somebody_writes_decides_nothing(machine: Machine) -> None:
    script = (
        "import os, sys\n"
        "try: open('/proc/self/loginuid', 'w').write(sys.argv[1])\n"
        "except OSError: pass\n"  # where a login set it already, it cannot be changed: as good
        "os.execv(sys.argv[2], sys.argv[2:])\n"
    )
    words = [*machine.program, "-w", machine.workspace, "customer", "list"]

    done = machine.run(STEWARD, [machine.python, "-I", "-c", script, str(APPROVER), *words])

    assert done.status == 0, done
    assert last(machine, "customer.list")["actor"]["person"] == "li.na"  # type: ignore[index]


@pytest.mark.databases("sqlite", "postgresql")
def test_outside_sudo_a_forged_sudo_uid_opens_nothing(machine: Machine) -> None:
    """Without the front, with any environment: the program run by one's own uid reaches nothing."""
    past_the_front = (
        "import crmctl.front as f, sys; f.FOLDER='/none'; from crmctl.cli.app import main; sys.exit(main())"
    )
    words = ["-w", machine.workspace, "customer", "list", "-o", "json"]

    direct = machine.run(STEWARD, [machine.python, "-I", "-c", past_the_front, *words], env=FORGED)
    behind = machine.run(STEWARD, [*machine.program, "--behind-front"], env=FORGED)

    assert direct.status != 0 and direct.out == "", direct
    assert behind.status == 6 and behind.out == "", behind


@pytest.mark.databases("sqlite", "postgresql")
def test_hostile_surroundings_reach_nothing(machine: Machine) -> None:
    trap = machine.keep(STEWARD, "sitecustomize.py", b"open('trapped', 'w')", 0o644)
    hostile = {
        "PYTHONPATH": str(trap.parent),
        "PYTHONSTARTUP": str(trap),
        "LD_PRELOAD": str(trap),
        "PAGER": str(trap),
        "EDITOR": str(trap),
        "CRMCTL_DATABASE": str(trap.parent / "other.db"),
        "CRMCTL_KEYS": str(trap.parent),
        "CRMCTL_DATABASE_PASSWORD_FILE": str(trap),
        "PGHOST": "127.0.0.1",
        "PGSERVICEFILE": str(trap),
        "PGPASSWORD": "wrong",
        "PGOPTIONS": "-c session_replication_role=replica",
        "CRMCTL_LANG": "zh",
    }

    done = machine.crmctl(STEWARD, "config", "show", "-o", "json", env=hostile)

    assert done.status == 0, done
    sources = {row["name"]: row["source"] for row in json.loads(done.out)["settings"]}
    assert sources["database"] == sources["keys"] == "crmctl.yaml"
    assert not (trap.parent / "trapped").exists()


@pytest.mark.databases("sqlite", "postgresql")
def test_somebody_unknown_is_refused_and_noted_by_number(machine: Machine) -> None:
    done = machine.crmctl(STRANGER, "customer", "list", "-o", "json")

    assert refused(done, 6) == "ACTOR_UNKNOWN"
    entry = last(machine, "customer.list")
    assert (entry["result"], entry["codes"]) == ("denied", ["ACTOR_UNKNOWN"])
    assert (entry["actor"]["person"], entry["actor"]["uid"]) == ("unknown", STRANGER)  # type: ignore[index]


def test_whom_sudoers_does_not_name_gets_told(machine: Machine) -> None:
    machine.sudoers.discard(STRANGER)
    try:
        assert refused(machine.crmctl(STRANGER, "customer", "list", "-o", "json"), 6) == "BROKER_CLOSED"
    finally:
        machine.sudoers.add(STRANGER)


def test_a_person_has_the_own_rights_only(machine: Machine) -> None:
    assert refused(machine.crmctl(APPROVER, "customer", "import", "-", "-o", "json"), 6) == "ACT_NOT_GRANTED"
    entry = last(machine, "customer.import")
    assert (entry["result"], entry["actor"]["person"]) == ("denied", "wang.j")  # type: ignore[index]


def test_cron_runs_the_jobs_of_the_policy_with_their_own_rights(machine: Machine) -> None:
    done = machine.as_job("nightly-regrade", "tier", "regrade", "--dry-run", "-o", "json")
    assert done.status == 0, done

    beyond = machine.as_job("nightly-regrade", "customer", "list", "-o", "json")
    assert refused(beyond, 6) == "ACT_NOT_GRANTED"
    entry = last(machine, "customer.list")
    assert (entry["result"], entry["actor"]["person"]) == ("denied", "job:nightly-regrade")  # type: ignore[index]
    for words in (["--job", "invented"], []):
        alone = machine.run(SERVICE, [*machine.program, *words, "customer", "list", "-o", "json"])
        assert refused(alone, 6) == "ACTOR_UNKNOWN"
        assert last(machine, "customer.list")["codes"] == ["ACTOR_UNKNOWN"]


def test_a_person_is_no_job(machine: Machine) -> None:
    done = machine.crmctl(STEWARD, "--job", "nightly-regrade", "tier", "regrade", "--dry-run", "-o", "json")

    assert refused(done, 6) == "JOB_BY_PERSON"
    entry = last(machine, "tier.regrade")
    assert (entry["result"], entry["codes"]) == ("denied", ["JOB_BY_PERSON"])


def test_through_sudo_without_the_front_no_path_is_opened(machine: Machine) -> None:
    """As a sudoers line without arguments would allow: the program itself still opens nothing a caller names."""
    env = {"SUDO_UID": str(STEWARD)}
    words = [*machine.program, "-w", machine.workspace]

    for command in (["customer", "import", "/etc/passwd"], ["customer", "template", "--out", "/tmp/crmctl-made"]):
        done = machine.run(SERVICE, [*words, *command, "-o", "json" if "import" in command else "xlsx"], env=env)
        assert done.status == 6 and done.out == "", done
        entry = last(machine, ".".join(command[:2]))
        assert (entry["result"], entry["codes"]) == ("denied", ["PATH_NOT_LENT"])
        assert entry["actor"]["person"] == "li.na"  # type: ignore[index]
    assert not Path("/tmp/crmctl-made").exists()
    assert machine.run(SERVICE, [*words, "customer", "list"], env=env).status == 0


def test_a_workspace_of_the_callers_is_not_opened_by_the_service_account(machine: Machine) -> None:
    """Its crmctl.yaml could name a command that gives the master key, and so run as the account."""
    ran = machine.home(STEWARD) / "ran"
    trap = f'schema: 1\ninstance: "{"0" * 32}"\nkeys: "{ran}"\nmaster_key: {{provider: command, command: [/bin/sh]}}\n'
    machine.home(STEWARD).chmod(0o755)
    machine.keep(STEWARD, "crmctl.yaml", trap.encode(), 0o644)
    try:
        for words, env in (([], {}), (["-w", str(machine.home(STEWARD))], {"SUDO_UID": str(STEWARD)})):
            line = [*machine.program, *(words or ["-w", str(machine.home(STEWARD))]), "keys", "status", "-o", "json"]
            assert refused(machine.run(SERVICE, line, env=env), 6) == "WORKSPACE_NOT_REGISTERED"
            assert last(machine, "front.enter")["result"] == "denied"
    finally:
        (machine.home(STEWARD) / "crmctl.yaml").unlink()
        machine.home(STEWARD).chmod(0o700)


def test_a_stopped_front_stops_the_work(machine: Machine) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as feed:
        front = subprocess.Popen(
            [*machine.program, "-w", machine.workspace, "customer", "import", "-"],
            stdin=reading,
            stderr=subprocess.PIPE,
            cwd=machine.home(STEWARD),
            env={"LC_ALL": "C.UTF-8"},
            user=STEWARD,
            group=STEWARD,
            extra_groups=[],
        )
        os.close(reading)
        feed.write(sheet("孙七", "13912345671"))
        feed.flush()
        deadline = time.monotonic() + 30
        while not any((machine.workspace / "spool").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.02)  # until the service account reads
        front.send_signal(signal.SIGTERM)
        _out, said = front.communicate(timeout=30)

    assert front.returncode == 143, said
    assert list((machine.workspace / "spool").iterdir()) == []
    assert "孙七" not in said.decode()
