"""What people write for a time limit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from crmctl import i18n
from crmctl.policy.model import Wrong
from crmctl.worktime.limits import UNITS, WITHIN_PATTERN, WRITTEN, Limit, Within, limit_of


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("15 minutes", 15, "minute"),
        ("24 hours", 24, "hour"),
        ("1 working hour", 1, "working_hour"),
        ("90 working minutes", 90, "working_minute"),
        ("1 working day", 1, "working_day"),
        ("7 working days", 7, "working_day"),
        ("15 days", 15, "day"),
        ("30 calendar days", 30, "day"),
        ("48 小时", 48, "hour"),
        ("48小时", 48, "hour"),
        ("1 个工作日", 1, "working_day"),
        ("7个工作日", 7, "working_day"),
        ("15 个自然日", 15, "day"),
        ("15天", 15, "day"),
        ("2 工作小时", 2, "working_hour"),
        ("３０ 工作分钟", 30, "working_minute"),
        ("７ 个 工作日", 7, "working_day"),
        ("7  Working  Days", 7, "working_day"),
    ],
)
def test_limits_are_understood(text: str, number: int, unit: str) -> None:
    """Requirements 0.5 and T2: hours on the wall, working hours, working days."""
    found = limit_of(text)
    assert (found.number, found.unit, found.ends) == (number, unit, "close")
    assert limit_of(text, "elapsed").ends == "elapsed"


@pytest.mark.parametrize(
    "text",
    ["", "soon", "7", "working days", "0 hours", "-1 hours", "1.5 hours", "07 days", "100000 days", "1 month", "两天",
     "7 working", "1 hour 30 minutes", "²4 hours", "٧ days", "24 hours\n9"],
)  # fmt: skip
def test_what_is_no_limit(text: str) -> None:
    i18n.use("en")
    with pytest.raises(Wrong, match="is no time limit") as wrong:
        limit_of(text)
    assert "7 working days" in wrong.value.hint


@given(number=st.integers(1, 99_999), spelling=st.sampled_from([each for many in WRITTEN.values() for each in many]))
def test_what_the_schema_allows_the_program_understands(number: int, spelling: str) -> None:
    text = f"{number} {spelling}"
    assert re.search(WITHIN_PATTERN, text)
    assert limit_of(text).number == number
    assert TypeAdapter(Within).validate_python(text) == text


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("number", [1, 7])
def test_its_own_words_are_understood_again(unit: str, lang: str, number: int) -> None:
    limit = Limit(number, unit)  # type: ignore[arg-type]
    i18n.use(lang)
    assert limit_of(limit.words) == limit
    i18n.use("en")
    assert limit.words.endswith("s") == (number > 1)


def test_which_clock_a_limit_runs_by() -> None:
    assert [unit for unit in UNITS if Limit(1, unit).working] == ["working_minute", "working_hour", "working_day"]
    assert [unit for unit in UNITS if Limit(1, unit).days] == ["day", "working_day"]
