"""Questions: on a terminal only, on standard error only."""

from __future__ import annotations

import golden
import pytest

pytestmark = pytest.mark.usefixtures("samples")


@pytest.mark.parametrize(
    ("answer", "status"), [(b"y\n", 0), (b"YES\n", 0), ("是\n".encode(), 0), (b"n\n", 1), (b"\n", 1), (b"", 1)]
)
def test_yes_is_yes_and_everything_else_no(answer: bytes, status: int) -> None:
    result = golden.call(["probe", "ask"], answer, terminal=True)

    assert (result.exit_code, result.stdout) == (status, "")
    assert result.stderr.startswith("Really? [y/N] ")


def test_the_flag_answers() -> None:
    assert golden.call(["probe", "ask", "--yes"]) == golden.Result(0, "", "")


@pytest.mark.parametrize(("words", "terminal"), [([], False), (["--no-input"], True)])
def test_where_nobody_can_answer_the_flag_is_named(words: list[str], terminal: bool) -> None:
    result = golden.call(["probe", "ask", *words], b"y\n", terminal=terminal)

    assert result.exit_code == 2
    assert "give --yes" in result.stderr
