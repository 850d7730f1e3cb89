"""Logging: to standard error, redacted."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from crmctl import log


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    yield
    log.release()


@pytest.mark.parametrize(
    "value",
    [
        "13812345678",
        "138 1234 5678",
        "+86-138-1234-5678",
        "010-62345678",
        "zhang.san@example.com",
        "张三@公司.中国",
        "11010519491231002X",
        "91310000MA1FL0XX0X",
        "6222021234567890123",
        "１３８１２３４５６７８",
    ],
)
def test_what_could_be_a_person_is_redacted(value: str) -> None:
    assert value not in log.redact(f"row 7: {value}, next")
    assert log.redact(f"row 7: {value}, next").startswith("row 7: ")


@pytest.mark.parametrize(
    "text", ["2026-11-21T12:31:07Z", "read 123456 rows in 12.5 s", "crmctl.db", "C-000123", "1,234,567 rows"]
)
def test_what_logs_need_stays(text: str) -> None:
    assert log.redact(text) == text


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("invalid literal for int(): '张三'", "invalid literal for int(): '...'"),
        ("(X) NOT NULL\n[SQL: INSERT]\n[parameters: ('a',)]", "(X) NOT NULL"),
        ("[SQL: INSERT 张]", ""),
        ("bad 张三 here", "bad ? here"),
        ('key \'a"b\' and "c"', "key '...' and '...'"),
    ],
)
def test_messages_of_exceptions_lose_what_they_quote(message: str, expected: str) -> None:
    assert log.scrub(message) == expected


@pytest.mark.parametrize(
    ("verbose", "quiet", "levels"),
    [(0, False, "WE"), (1, False, "IWE"), (2, False, "DIWE"), (5, False, "DIWE"), (0, True, "E")],
)
def test_levels(capsys: pytest.CaptureFixture[str], verbose: int, quiet: bool, levels: str) -> None:
    log.configure(verbose, "text", quiet=quiet)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        logging.getLogger("crmctl.x").log(level, "line")

    err = capsys.readouterr().err
    assert "".join(line[0].upper() for line in err.splitlines()) == levels


def test_libraries_stay_at_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(2, "text")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")

    err = capsys.readouterr().err
    assert err == ""


def test_a_text_line_is_one_harmless_redacted_line_with_its_run(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(1, "text")
    log.bind(42)
    logging.getLogger("crmctl.runs").info("phone %s\x1b[2J\nnext", "13812345678")

    err = capsys.readouterr().err
    assert err == "info crmctl.runs run=42: phone ‹redacted›\\x1b[2J\\nnext\n"


def test_a_json_line_has_time_level_logger_run_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(1, "json")
    log.bind(42)
    logging.getLogger("crmctl.runs").warning("客户 %s", "a@b.cn")

    err = capsys.readouterr().err
    line = json.loads(err)
    assert line.pop("time").endswith("Z")
    assert line == {"level": "warning", "logger": "crmctl.runs", "run_id": 42, "message": "客户 ‹redacted›"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_exceptions_are_named_without_their_values(capsys: pytest.CaptureFixture[str], form: str) -> None:
    log.configure(0, form)
    try:
        int("张三")
    except ValueError:
        logging.getLogger("crmctl").exception("failed")

    err = capsys.readouterr().err
    assert "张三" not in err
    assert "\\u5f20" not in err
    assert "ValueError" in err
    assert len(err.splitlines()) == 1


def test_warnings_and_libraries_lose_what_they_quote(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(0, "text")
    warnings.warn("odd value '张三'", stacklevel=1)
    logging.getLogger("library").error("value '李四'")

    err = capsys.readouterr().err
    assert "张三" not in err
    assert "李四" not in err
    assert len(err.splitlines()) == 2


def test_configuring_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(0, "text")
    log.configure(0, "text")
    logging.getLogger("crmctl").error("once")

    err = capsys.readouterr().err
    assert err.count("once") == 1


def test_a_closed_standard_error_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure(0, "text")
    stream.close()

    logging.getLogger("crmctl").error("into the void")
    assert stream.closed
