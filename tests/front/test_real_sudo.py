"""The same through the real sudo, where it is installed: with the line of docs/broker.md, in a mount namespace of its
own, so that this machine's sudoers and accounts stay as they are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import accounts
import pytest
from accounts import APPROVER, SERVICE, STEWARD, STRANGER, Machine

DOCS = Path(__file__).parents[2] / "docs" / "broker.md"
INSIDE = """set -e
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
mount --bind "$1/sudoers" /etc/sudoers
uid=$2
shift 2
exec setpriv --reuid="$uid" --regid="$uid" --init-groups "$@"
"""


@pytest.fixture(scope="module")
def office(machine: Machine) -> Iterator[Machine]:
    """The machine with the real sudo, sudoers as documented; people are of the group it names, a stranger is not."""
    if not shutil.which("sudo") or not shutil.which("unshare") or not shutil.which("setpriv"):
        pytest.skip("sudo, unshare and setpriv are not all installed; the stand-in for sudo is tested")
    names = {SERVICE: "crmdata", STEWARD: "li.na", APPROVER: "wang.j", STRANGER: "stranger"}
    passwd = Path("/etc/passwd").read_text("utf-8")
    group = Path("/etc/group").read_text("utf-8")
    for uid, name in names.items():
        passwd += f"{name}:*:{uid}:{uid}::{machine.home(uid)}:/bin/sh\n"
        group += f"{name}:x:{uid}:\n"
    (machine.folder / "passwd").write_text(passwd)
    (machine.folder / "group").write_text(f"{group}crm:x:61299:li.na,wang.j\n")
    written = "".join(re.findall(r"```sudoers\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL))
    assert "/opt/crmctl/bin/python" in written
    (machine.folder / "sudoers").write_text(written.replace("/opt/crmctl/bin/python", str(machine.python)))
    (machine.folder / "sudoers").chmod(0o440)
    entry = machine.folder / "etc" / "crm.yaml"
    text = entry.read_text("utf-8").replace(f'"{SERVICE}"', "crmdata")
    entry.write_text("".join(line for line in text.splitlines(True) if not line.startswith("sudo:")))
    inside = Accounted(**vars(machine))
    if inside.run(STEWARD, ["true"]).status:
        pytest.skip("no mount namespace of its own can be had here")
    yield inside


class Accounted(Machine):
    """Runs programs in a mount namespace whose accounts and sudoers are the test's."""

    def run(self, uid: int, words: accounts.Words, *, stdin: bytes = b"", env: accounts.Env = None) -> accounts.Done:
        """Run a program as an account, in its home, among the test's accounts."""
        within = ["unshare", "-m", "--propagation", "private", "sh", "-c", INSIDE, "sh", self.folder, str(uid)]
        done = subprocess.run(
            [str(word) for word in (*within, *words)],
            input=stdin,
            capture_output=True,
            cwd=self.home(uid),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", **(env or {})},
            timeout=120,
        )
        return accounts.Done(done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "replace"))


def test_an_import_goes_through(office: Machine) -> None:
    office.keep(STEWARD, "客户.csv", "客户名称,客户类型,手机\n张三,个人客户,13912345678\n李四,个人客户,139\n".encode())
    forged = {"SUDO_UID": str(APPROVER), "SUDO_USER": "wang.j", "USER": "wang.j", "PYTHONPATH": "/tmp"}

    done = office.crmctl(STEWARD, "customer", "import", "客户.csv", "--rejects", "错误.csv", "-o", "json", env=forged)

    assert done.status == 3, done
    assert json.loads(done.out)["created"] == 1
    rejects = (office.home(STEWARD) / "错误.csv").stat()
    assert (rejects.st_uid, rejects.st_mode & 0o777) == (STEWARD, 0o600)
    entry = [entry for entry in office.log() if entry["act"] == "customer.import"][-1]
    assert (entry["actor"]["person"], entry["actor"]["uid"], entry["actor"]["via"]) == ("li.na", STEWARD, "sudo")


def test_standard_input_goes_through(office: Machine) -> None:
    done = office.crmctl(STEWARD, "customer", "find", "--mobile", "-", "-o", "json", stdin=b"13912345678\n")

    assert (done.status, len(json.loads(done.out)["customers"])) == (0, 1), done


def test_whom_sudoers_does_not_name_stays_outside(office: Machine) -> None:
    done = office.crmctl(STRANGER, "customer", "list", "-o", "json")

    assert (done.status, done.out) == (6, "")
    assert json.loads(done.err.splitlines()[-1])["code"] == "BROKER_CLOSED"


@pytest.mark.parametrize(
    "words",
    [
        ["-I", "-m", "crmctl", "customer", "list"],
        ["-I", "-m", "crmctl", "--job", "nightly-regrade", "tier", "regrade"],
        ["-c", "print('mine')"],
        [],
    ],
    ids=["a command", "a job", "any Python", "a prompt"],
)
def test_sudoers_allows_the_one_command_line_only(office: Machine, words: list[str]) -> None:
    done = office.run(STEWARD, ["sudo", "-n", "-u", "crmdata", office.python, *words])

    assert (done.status, done.out) == (1, ""), done


def test_nobody_hands_variables_through(office: Machine) -> None:
    line = [office.python, "-I", "-m", "crmctl", "--behind-front"]

    done = office.run(STEWARD, ["sudo", "-n", "-u", "crmdata", f"SUDO_UID={APPROVER}", *line])

    assert done.status == 1 and "not allowed" in done.err, done
