"""Anchors outside the database: what each gets, what happens when one fails, and what doctor says of it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golden import Result, call
from sqlalchemy import Engine, delete, func, select, update

from crmctl import workspace
from crmctl.audit import anchors
from crmctl.audit.policy import Anchor
from crmctl.audit.tables import audit_entry, audit_head, checkpoint
from crmctl.setup.doctor import examine
from crmctl.setup.findings import Finding
from crmctl.store.engine import write

Place = tuple[Path, Engine]
NOTE = "crm.example.cn/audit\n7\nAAAA\n\n— crm.example.cn/audit AAAA\n"
LINE = "checkpoint crm.example.cn/audit 7 AAAA — crm.example.cn/audit AAAA"


def given(folder: Path, size: int = 7, **settings: Any) -> str:
    """Pass a checkpoint on to one anchor; return why it did not take it."""
    anchor = Anchor.model_validate({"name": "it", **settings})
    (outcome,) = anchors.pass_on([anchor], size, NOTE, anchors.Book.read(folder))
    return outcome.reason


def test_a_file_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "worm.txt"
    assert [given(tmp_path, size, file=str(path)) for size in (7, 7, 9)] == ["", "", ""]
    assert path.read_text("utf-8") == f"{NOTE}%%\n{NOTE}%%\n"
    assert list(anchors.notes_in(path)) == [NOTE, NOTE]
    assert path.stat().st_mode & 0o777 == 0o600
    assert anchors.Book.read(tmp_path).size("it") == 9


def test_the_shell_reads_the_newest_checkpoint_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "worm.txt"
    path.write_text(NOTE.replace("7", "5") + anchors.END, "utf-8")
    assert given(tmp_path, file=str(path)) == ""
    script = r"""awk 'BEGIN{RS="%%\n"}{l=$0}END{printf "%s",l}' worm.txt"""
    shown = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout == NOTE


def test_a_file_that_was_cut_replaced_or_removed_is_no_anchor(tmp_path: Path) -> None:
    path = tmp_path / "worm.txt"
    assert given(tmp_path, file=str(path)) == ""
    path.write_bytes(path.read_bytes()[:10])
    assert "shorter than it was" in given(tmp_path, 8, file=str(path))
    path.unlink()
    assert given(tmp_path, 8, file=str(path)) != ""
    assert not path.exists()
    assert anchors.Book.read(tmp_path).size("it") == 7


def test_what_is_no_file_of_its_own_is_no_anchor(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "", "missing/worm.txt"):
        assert given(tmp_path, file=str(tmp_path / name)) != "", name
    assert (tmp_path / "real").read_bytes() == b""


def test_a_program_gets_it_on_standard_input_without_a_shell(tmp_path: Path) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    target = tmp_path / "a $(b) ; c"
    assert given(tmp_path, command=[sys.executable, "-c", script, str(target)]) == ""
    assert target.read_text("utf-8") == NOTE


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        ([sys.executable, "-c", "raise SystemExit(3)"], "ended with 3"),
        ([sys.executable, "-c", "import time; time.sleep(60)"], "took longer than 1 s"),
        (["/nowhere/at/all"], "No such file"),
    ],
)
def test_a_program_that_fails_says_why(tmp_path: Path, argv: list[str], reason: str) -> None:
    assert reason in given(tmp_path, command=argv, seconds=1)
    assert anchors.Book.read(tmp_path).size("it") == 0


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_the_systems_log_gets_one_line(tmp_path: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as log:
        log.bind(str(tmp_path / "log"))
        log.settimeout(10)
        if kind == socket.SOCK_STREAM:
            log.listen()
        assert given(tmp_path, syslog=str(tmp_path / "log")) == ""
        taken = log.accept()[0] if kind == socket.SOCK_STREAM else log
        with taken:
            line = taken.recv(4096).decode()
    assert line.rstrip("\n") == f"<13>crmctl[{os.getpid()}]: {LINE}"


def test_a_log_that_nobody_reads_is_a_failure(tmp_path: Path) -> None:
    assert given(tmp_path, syslog=str(tmp_path / "log")) != ""


def test_a_lost_book_leaves_every_anchor_behind(tmp_path: Path) -> None:
    given(tmp_path, file=str(tmp_path / "worm.txt"))
    for content in ("", "[]", '{"it": 7}', '{"it": {"size": "x", "bytes": 0}}'):
        (tmp_path / anchors.BOOK).write_text(content)
        assert anchors.Book.read(tmp_path).size("it") == 0


# In a workspace --------------------------------------------------------------------------------------------------


def anchored(place: Place, *lines: str) -> None:
    policy = place[0] / "policies" / "audit.yaml"
    wanted = "".join(f"\n    - {line}" for line in lines)
    policy.write_text(policy.read_text().replace("  anchors: []", f"  anchors:{wanted}"))


def sign(place: Place, *more: str) -> Result:
    return call(["-w", str(place[0]), "audit", "checkpoint", *more])


def stored(place: Place) -> int:
    with place[1].connect() as conn:
        return int(conn.execute(select(func.count()).select_from(checkpoint)).scalar_one())


def log_lines(place: Place, later: timedelta = timedelta()) -> list[Finding]:
    at = datetime.now(UTC) + later
    return [found for found in examine(workspace.find(place[0]), at) if found.subject == "audit"]


def levels(place: Place, later: timedelta = timedelta()) -> list[str]:
    return [found.level for found in log_lines(place, later)]


def test_every_anchor_gets_the_checkpoint(place: Place, tmp_path: Path) -> None:
    anchored(place, f"{{name: worm, file: {tmp_path / 'worm.txt'}, required: true}}", "{name: ok, command: [/bin/cat]}")
    made = json.loads(sign(place, "-o", "json").stdout)
    assert made["anchors"] == {"worm": True, "ok": True}
    assert list(anchors.notes_in(tmp_path / "worm.txt")) == [made["note"]]
    assert sign(place).exit_code == 0
    assert len(list(anchors.notes_in(tmp_path / "worm.txt"))) == 1


def test_a_checkpoint_does_not_count_while_a_required_anchor_fails(place: Place, tmp_path: Path) -> None:
    anchored(place, f"{{name: worm, file: {tmp_path / 'mount' / 'worm.txt'}, required: true}}")
    for _ in range(2):
        failed = sign(place, "-o", "json")
        assert (failed.exit_code, json.loads(failed.stderr)["code"]) == (74, "ANCHOR_FAILED")
        assert "worm" in json.loads(failed.stderr)["message"]
    assert stored(place) == 0
    assert call(["-w", str(place[0]), "audit", "verify"]).exit_code == 14
    (tmp_path / "mount").mkdir()
    assert sign(place).exit_code == 0
    assert stored(place) == 1
    assert levels(place, timedelta(days=30)) == ["fine"]


def test_another_anchor_that_fails_is_a_warning_and_tried_again(place: Place, tmp_path: Path) -> None:
    anchored(place, f"{{name: worm, file: {tmp_path / 'mount' / 'worm.txt'}}}")
    warned = sign(place)
    assert (warned.exit_code, "anchor worm did not take it" in warned.stderr, stored(place)) == (0, True, 1)
    assert [found.level for found in log_lines(place)] == ["fine", "warns"]
    late = log_lines(place, timedelta(hours=25))
    assert [(found.level, "worm" in found.message) for found in late] == [("fine", False), ("wrong", True)]
    (tmp_path / "mount").mkdir()
    assert "nothing new" in sign(place).stdout
    assert len(list(anchors.notes_in(tmp_path / "mount" / "worm.txt"))) == 1
    assert levels(place, timedelta(hours=25)) == ["fine"]


def test_what_an_anchor_holds_shows_that_everything_was_put_back(place: Place, tmp_path: Path) -> None:
    """Also where the signer's folder was put back with the database."""
    worm, state = tmp_path / "worm.txt", place[0].with_name(place[0].name + ".keys") / "signer" / "state.json"
    anchored(place, f"{{name: worm, file: {worm}}}")
    assert sign(place).exit_code == 0
    kept = state.read_bytes()
    with place[1].connect() as conn:
        head = conn.execute(select(audit_head)).mappings().one()
    call(["-w", str(place[0]), "audit", "list"])
    assert sign(place).exit_code == 0
    state.write_bytes(kept)
    with write(place[1]) as conn:
        conn.execute(delete(audit_entry).where(audit_entry.c.seq >= head["size"]))
        conn.execute(delete(checkpoint).where(checkpoint.c.size > head["size"]))
        conn.execute(update(audit_head).values(**head))
    found = json.loads(call(["-w", str(place[0]), "audit", "verify", "-o", "json"]).stdout)
    assert [(problem["code"], problem["subject"]) for problem in found["problems"]] == [
        ("CHECKPOINT_BEYOND", "anchor:worm")
    ]
    worm.write_text(worm.read_text("utf-8").replace("\n2\n", "\n9\n"), "utf-8")  # not signed so: nobody's word
    assert call(["-w", str(place[0]), "audit", "verify"]).exit_code == 14


def test_entries_that_wait_too_long_turn_doctor_red(place: Place) -> None:
    assert levels(place) == ["fine", "warns"]
    assert levels(place, timedelta(hours=23)) == ["fine", "warns"]
    late = log_lines(place, timedelta(hours=25))
    assert [found.level for found in late] == ["fine", "wrong"]
    assert "24 hours" in late[1].message
    assert late[1].hint == "crmctl audit checkpoint"
    sign(place)
    assert levels(place, timedelta(days=300)) == ["fine"]  # nothing happened since: nothing waits
    policy = place[0] / "policies" / "audit.yaml"
    policy.write_text(policy.read_text().replace("\n  stale_after: 24 hours", "\n  stale_after: 3 days"))
    call(["-w", str(place[0]), "audit", "list"])
    assert levels(place, timedelta(hours=70)) == ["fine", "warns"]
    assert levels(place, timedelta(hours=73)) == ["fine", "wrong"]


def test_a_checkpoint_nobody_answers_for_leaves_entries_unsigned_to_doctor(place: Place) -> None:
    sign(place)
    (place[0] / "signer.vkey").unlink()
    assert levels(place, timedelta(hours=25)) == ["fine", "wrong"]


@pytest.fixture
def problems(tmp_path: Path) -> Callable[[str], list[str]]:
    """Replace the anchors of the starter policy; return the codes of the problems."""

    def checked(settings: str) -> list[str]:
        from crmctl import locate, policy

        for source in locate.shipped("policies").glob("[a-z]*.yaml"):
            (tmp_path / source.name).write_bytes(source.read_bytes())
        path = tmp_path / "audit.yaml"
        path.write_text(path.read_text().replace("  anchors: []", settings).replace("  signers: []", ""))
        found = policy.check(tmp_path, datetime.now(UTC)).problems
        return [problem.code for problem in found if Path(problem.path).name == "audit.yaml"]

    return checked


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("  anchors: []", []),
        ("  anchors: [{name: a, file: /a, required: true}, {name: b, command: [/bin/mail, x]}]", []),
        ("  anchors: [{name: a}]", ["P301"]),
        ("  anchors: [{name: a, file: /a, syslog: /dev/log}]", ["P301"]),
        ("  anchors: [{name: a, file: a}]", ["P208"]),
        ("  anchors: [{name: a, command: []}]", ["P301"]),
        ("  anchors: [{name: a, command: [mail]}]", ["P301"]),
        ("  anchors: [{name: a, file: /a}, {name: a, file: /b}]", ["P306"]),
        ("  origin: a b", ["P208"]),
        ("  signers: [x]", ["P208"]),
        ("  signers: [PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW]", []),
        ("  signers: [PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW]", ["P208"]),
    ],
)
def test_what_is_wrong_with_the_policy_is_said(
    problems: Callable[[str], list[str]], settings: str, codes: list[str]
) -> None:
    assert problems(settings) == codes
