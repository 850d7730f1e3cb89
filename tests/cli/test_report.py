"""What a bug leaves behind."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType

import golden
import pytest

from crmctl.cli.report import redacted, report_text, write_report

ARGUMENTS = ["probe", "fail", "bug", "--mobile=13812345678", "--name", "张三丰", "-w", "/home/zhang", "-v"]


def canary(samples: ModuleType) -> tuple[str, ...]:
    values: tuple[str, ...] = samples.CANARY
    return values


@pytest.mark.parametrize("how", ["bug", "chain", "deep"])
def test_a_bug_is_70_with_the_report_s_path_and_no_traceback(
    samples: ModuleType, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    result = golden.call(["probe", "fail", how])

    (path,) = tmp_path.iterdir()
    assert result.exit_code == 70
    assert str(path) in result.stderr
    assert "Traceback" not in result.stderr
    assert path.stat().st_mode & 0o777 == 0o600
    for value in canary(samples):
        assert value not in result.stderr + path.read_text()


def test_under_json_the_path_is_a_detail(samples: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))

    document = json.loads(golden.call(["-o", "json", "probe", "fail", "bug"]).stderr)

    assert (document["code"], document["exit_code"]) == ("BUG", 70)
    assert Path(document["details"]["report"]).is_file()


def test_the_report_names_frames_causes_and_classes(samples: ModuleType) -> None:
    try:
        samples.fail_command.callback(None, "chain")
    except RuntimeError as error:
        text = report_text(error, ARGUMENTS)

    assert "builtins.RuntimeError" in text
    assert "Caused by:" in text
    assert "builtins.ValueError: cannot use" in text
    assert "in _use" in text
    for value in canary(samples):
        assert value not in text


def test_the_report_survives_groups_loops_and_messages_that_fail() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    loop = ValueError("a")
    loop.__cause__ = KeyError("b")
    loop.__cause__.__cause__ = loop

    text = report_text(ExceptionGroup("several", [Mute(), loop]), [])

    assert "Mute" in text
    assert "One of:" in text


def test_the_command_line_is_kept_without_values() -> None:
    words = [
        *ARGUMENTS,
        "customer",
        "import",
        "客户.csv",
        "-wsecret",
        "--chunk",
        "7",
        "-o",
        "json",
        "--unknown",
        "-x5",
        "9" * 11,
    ]

    assert list(redacted(words)) == (
        ["…", "…", "…", "--mobile=…", "--name", "…", "-w", "…", "-v"]
        + ["customer", "import", "…", "-w", "--chunk", "7", "-o", "json", "--unknown", "…", "…"]
    )


def test_the_report_goes_into_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "crmctl.yaml").touch()

    path = write_report(ValueError(), [], str(tmp_path))

    assert path is not None
    assert path.parent == tmp_path / "reports"


def test_a_folder_that_is_no_workspace_gets_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(temporary))

    path = write_report(ValueError(), [], str(tmp_path))

    assert path is not None
    assert path.parent == temporary
    assert not (tmp_path / "reports").exists()


def test_where_no_report_can_be_written_the_failure_is_told_all_the_same(
    samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/dev/null/nowhere")

    result = golden.call(["probe", "fail", "bug"])

    assert result.exit_code == 70
    assert "no report could be written" in result.stderr


def test_a_failing_thread_shows_its_class_and_no_value(samples: ModuleType, sample_program: tuple[str, ...]) -> None:
    result = golden.spawn(["probe", "thread"], command=sample_program)

    assert "ValueError" in result.stderr
    for value in canary(samples):
        assert value not in result.stderr


def test_a_report_is_never_written_through_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    victim = tmp_path / "victim"
    victim.write_text("whole")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(temporary))
    first = write_report(ValueError(), [], "")
    assert first is not None
    first.unlink()
    monkeypatch.setattr("crmctl.clock.now", lambda: __import__("datetime").datetime(2026, 1, 1))
    name = f"crmctl-report-20260101T000000-{os.getpid()}.txt"
    (temporary / name).symlink_to(victim)

    assert write_report(ValueError(), [], "") is None
    assert victim.read_text() == "whole"


def test_modules_are_listed_without_importing_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sqlalchemy", raising=False)

    assert "sqlalchemy" not in report_text(ValueError(), []).splitlines()[2]
