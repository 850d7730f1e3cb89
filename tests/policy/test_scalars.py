"""What unquoted values mean."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from crmctl.policy.problems import Report
from crmctl.policy.reading import read_tree
from crmctl.policy.scalars import construct, misread

LOOK_ALIKES = """
    yes no on off Yes NO y N True FALSE 010 0086 007.5 0x1F 0b1 0o17 1_000 +1 +8613800138000 1:30 12:30:45 1e5 1.5E3
    .5 5. .inf -.NaN 1234567890123456789 -12345678901234567.89 2026-01-01T10:00:00
"""


def value(text: str) -> tuple[object, list[str]]:
    report = Report("f.yaml")
    node = read_tree(f"a: {text}\n".encode(), report)
    assert node is not None, report.problems
    plain = construct(node, report)
    assert isinstance(plain, dict)
    return plain.get("a"), [problem.code for problem in report.problems]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("core", "core"),
        ("核心客户", "核心客户"),
        ("true", True),
        ("false", False),
        ("0", 0),
        ("-12", -12),
        ("1000000", 1_000_000),
        ("1.10", Decimal("1.10")),
        ("2026-02-28", date(2026, 2, 28)),
        ("09:00-12:00", "09:00-12:00"),
        ("1 hour", "1 hour"),
        ("$core_annual_amount", "$core_annual_amount"),
        ("004 §9(二)", "004 §9(二)"),
        ("1.2.3", "1.2.3"),
        ("C-000123", "C-000123"),
        ('"010"', "010"),
        ("'no'", "no"),
        ('""', ""),
        ("None", "None"),
    ],
)
def test_plain_meanings(text: str, meant: object) -> None:
    found, problems = value(text)
    assert (found, problems) == (meant, [])
    assert type(found) is type(meant)


@pytest.mark.parametrize(
    "text",
    [*LOOK_ALIKES.split(), "2026-01-01 10:00"],
)
def test_what_is_read_differently_must_be_quoted(text: str) -> None:
    assert value(text) == (text, ["P202"])


@pytest.mark.parametrize("text", ["2026-02-30", "2026-13-01", "2026-1-5", "0000-01-01"])
def test_dates_that_do_not_exist(text: str) -> None:
    assert value(text) == (text, ["P206"])


@pytest.mark.parametrize("text", ["", "~", "null", "NULL"])
def test_no_value(text: str) -> None:
    assert value(text) == (None, ["P112"])


def test_own_keys_are_left_out_at_every_depth() -> None:
    report = Report("f.yaml")
    node = read_tree(b"a: {x-b: 1, c: 2}\nx-d: [3]\n", report)
    assert node is not None
    assert construct(node, report) == {"a": {"c": 2}}


def test_a_policy_may_be_switched_off() -> None:
    report = Report("f.yaml")
    node = read_tree(b"mode: off\nother: off\n", report)
    assert node is not None
    assert construct(node, report) == {"mode": "off", "other": "off"}
    assert [(problem.line, problem.code) for problem in report.problems] == [(2, "P202")]


@given(st.text(st.sampled_from("0123456789+-.:_eExXoOtTzZ ynaif~"), min_size=1, max_size=12).map(str.strip))
def test_whatever_yaml_does_not_read_as_text_is_no_silent_text(text: str) -> None:
    try:
        usual = yaml.safe_load(f"a: {text}")["a"]
    except Exception:
        return
    if text and not isinstance(usual, str | list | dict):
        assert misread(text)
