"""kill -9 at every call with which a purge writes, one after the other, in `make full` (DES-06, security.md F2)."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from desks import STEWARD, Desk
from doomed import PLAN, Doomed

CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink")


def test_killed_at_every_write(doom_of: Callable[[str], Doomed], full: bool, tmp_path: Path) -> None:
    tracer = shutil.which("strace")
    if not full or tracer is None:
        pytest.skip("make full, where strace is")
    doomed = doom_of("sqlite")
    number = calls(doomed, tracer, tmp_path)
    assert number["pwrite64"] > 50
    for name in CALLS:
        for at in range(1, number[name] + 1):
            copy = copied(doomed, tmp_path / "copy")
            inject = [tracer, "-f", "-qq", "-o", "/dev/null", "-e", f"trace={name}"]
            inject += ["-e", f"inject={name}:signal=KILL:when={at}"]
            subprocess.run([*inject, *copy.line()], capture_output=True, timeout=120, check=False)
            told = copy.office.desk.say(STEWARD, "purge", "run", PLAN, "-o", "json")
            if told.exit_code == 8:  # it was all but done
                assert copy.left() == {}
            else:
                (outcome,) = json.loads(told.stdout)["purges"]
                copy.finished(outcome)
            copy.office.desk.close()
            shutil.rmtree(tmp_path / "copy")


def calls(doomed: Doomed, tracer: str, tmp_path: Path) -> Counter[str]:
    """Return how often an undisturbed purge calls what."""
    copy, told = copied(doomed, tmp_path / "whole"), tmp_path / "calls.txt"
    command = [tracer, "-f", "-qq", "-o", str(told), "-e", f"trace={','.join(CALLS)}", *copy.line()]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return Counter(re.findall(r"^\d+ +(\w+)\(", told.read_text(), re.M))


def copied(doomed: Doomed, place: Path) -> Doomed:
    """Return a copy of the office on SQLite, to be killed."""
    desk, folder = doomed.office.desk, place / "crm"
    shutil.copytree(desk.folder, folder)
    shutil.copytree(f"{desk.folder}.keys", f"{folder}.keys")
    copy = Desk(folder, f"sqlite:///{folder / 'data' / 'crmctl.db'}")
    return Doomed(type(doomed.office)(copy, doomed.office.hours), doomed.customers)
