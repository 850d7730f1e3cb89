"""Progress: on a terminal only."""

from __future__ import annotations

import io
import sys

import pytest

from crmctl.cli.invocation import Invocation
from crmctl.cli.progress import Progress, progress


class Screen(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, call: Invocation) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr("crmctl.cli.progress._PERIOD", 0.0)
    with progress(call, "导入\x1b[2J", None) as shown:
        shown.advance(20_000)
        shown.relabel("sealing")
        shown.advance(20_000)
    assert shown.done == 40_000
    return stream.getvalue()


def test_a_terminal_sees_label_count_and_rate_and_a_clean_line_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    text = drawn(monkeypatch, Screen(), Invocation())

    assert "导入\\x1b[2J  20,000  " in text
    assert "sealing  40,000  " in text
    assert "\x1b" not in text
    assert text.endswith("\r")


@pytest.mark.parametrize("call", [Invocation(quiet=True), Invocation()])
def test_nothing_under_cron_and_with_quiet(monkeypatch: pytest.MonkeyPatch, call: Invocation) -> None:
    assert drawn(monkeypatch, Screen() if call.quiet else io.StringIO(), call) == ""


def test_nothing_on_a_dumb_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")

    assert drawn(monkeypatch, Screen(), Invocation()) == ""


def test_a_known_total_gives_a_share_that_never_passes_100() -> None:
    shown = Progress("rows", 1000, visible=False)
    shown.advance(250)
    assert shown.line(2.0) == "rows  250 / 1,000  25%  125/s"
    shown.advance(2000)

    assert "100%" in shown.line(1.0)
    assert Progress("rows", 0, visible=False).line(0.0) == "rows  0  0/s"


def test_a_narrow_terminal_keeps_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crmctl.cli.progress._columns", lambda: 12)

    text = drawn(monkeypatch, Screen(), Invocation())

    assert text.split("\r")[1] == "导入\\x1b[2J "[:8] or len(text.split("\r")[1]) <= 11
