"""The types that settings are made of, and how their faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, model_validator

from crmctl.policy.binding import bind
from crmctl.policy.model import (
    Between,
    Code,
    CodeItem,
    Day,
    Figure,
    Finding,
    Labels,
    Lookup,
    Many,
    Number,
    Settings,
    ValueRef,
    Wrong,
    folded,
    lint_codes,
    spellings,
)
from crmctl.policy.nodes import Fields
from crmctl.policy.problems import Report
from crmctl.policy.reading import read_tree
from crmctl.policy.scalars import construct


class Inner(Settings):
    least: int | None = None
    most: int | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Inner:
        if self.least is not None and self.most is not None and self.most < self.least:
            raise Wrong("most is below least", "swap them", at=("most",))
        return self


class Sample(Settings):
    code: Code = "a"
    many: Many[Inner] = ()
    named: dict[Code, Inner] = {}
    mixed: Inner | Literal["any"] | None = None
    labels: Labels | str | None = None
    figure: Figure | None = None
    number: Number | None = None
    day: Day | None = None
    share: Annotated[int, Field(gt=0, lt=100, multiple_of=5)] | None = None
    flag: bool | None = None
    short: Annotated[str, Field(max_length=3)] | None = None
    few: Annotated[Many[int], Field(min_length=2, max_length=3)] = (1, 2)

    def lint(self, look: Lookup) -> Iterator[Finding]:
        yield from ()


def faults(text: str) -> list[tuple[int, int, str, str]]:
    report = Report("f.yaml")
    node = read_tree(text.encode(), report)
    assert isinstance(node, Fields)
    data = construct(node, report)
    found = bind(Sample, node, data, report)
    assert (found is None) == bool(report.problems)
    return [(problem.line, problem.column, problem.code, problem.message) for problem in report.problems]


def bound(text: str) -> Sample:
    report = Report("f.yaml")
    node = read_tree(text.encode(), report)
    assert node is not None
    found = bind(Sample, node, construct(node, report), report)
    assert report.problems == []
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("code: A b\n", (1, 7, "P205", "code: 'A b' is malformed")),
        ("many: [{least: 1, most: x}]\n", (1, 25, "P201", "many[0].most: a whole number is wanted, not 'x'")),
        ("many: [{least: 3, most: 1}]\n", (1, 25, "P208", "many[0].most: most is below least")),
        ("named:\n  A b: {}\n", (2, 3, "P205", "A b: the key is malformed")),
        ("named: {a: {last: 1}}\n", (1, 13, "P103", "last: unknown key")),
        ("mixed: {least: x}\n", (1, 16, "P201", "mixed.least: a whole number is wanted, not 'x'")),
        ("mixed: [a]\n", (1, 8, "P201", "mixed: a mapping of keys to values is wanted, not a list")),
        ("mixed: some\n", (1, 8, "P203", "mixed: 'some' is not allowed")),
        ("labels: {de: x}\n", (1, 10, "P103", "de: unknown key")),
        ("labels: 5\n", (1, 9, "P201", "labels: a mapping of keys to values is wanted, not '5'")),
        ("figure: many\n", (1, 9, "P208", "figure: a number or $name is wanted")),
        ("figure: $Many\n", (1, 9, "P205", "figure: '$Many' is malformed")),
        ("figure: true\n", (1, 9, "P208", "figure: a number or $name is wanted")),
        ("number: '5'\n", (1, 9, "P201", "number: a number is wanted, not '5'")),
        ("day: soon\n", (1, 6, "P208", "day: a date is wanted")),
        ("day: 5\n", (1, 6, "P201", "day: a date such as 2026-01-05 is wanted, not '5'")),
        ("share: 0\n", (1, 8, "P204", "share: must be more than 0")),
        ("share: 100\n", (1, 8, "P204", "share: must be less than 100")),
        ("share: 7\n", (1, 8, "P204", "share: must be a multiple of 5")),
        ("flag: 'true'\n", (1, 7, "P201", "flag: true or false is wanted, not 'true'")),
        ("short: abcd\n", (1, 8, "P207", "short: at most 3 allowed")),
        ("few: [1]\n", (1, 6, "P207", "few: at least 2 wanted")),
        ("few: [1, 2, 3, 4]\n", (1, 6, "P207", "few: at most 3 allowed")),
    ],
)
def test_a_fault_is_told_once_at_its_place(text: str, expected: tuple[int, int, str, str]) -> None:
    assert faults(text) == [expected]


def test_numbers_dates_and_references() -> None:
    sample = bound("figure: $a_b\nnumber: 5\nday: '2026-01-05'\nlabels: {zh: 甲}\nmany: [{}]\n")
    assert isinstance(sample.figure, ValueRef)
    assert (sample.figure.name, sample.number, sample.day) == ("a_b", Decimal(5), date(2026, 1, 5))
    assert bound("figure: 1.10\n").figure == Decimal("1.10")
    assert bound("figure: 3\n").figure == 3
    assert sample.many == (Inner(),)


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        bound("code: b\n").code = "c"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((None, None), (None, None), True),
        (("2026-01-01", None), (None, "2025-12-31"), False),
        (("2026-01-01", None), (None, "2026-01-01"), True),
        (("2026-01-01", "2026-06-30"), ("2026-07-01", None), False),
        (("2026-01-01", "2026-06-30"), ("2026-03-01", "2026-03-02"), True),
    ],
)
def test_periods_overlap_when_they_share_a_day(first: tuple[str, str], second: tuple[str, str], overlap: bool) -> None:
    one = Between.model_validate({"from": first[0], "until": first[1]})
    other = Between.model_validate({"from": second[0], "until": second[1]})
    assert one.overlaps(other) is other.overlaps(one) is overlap


def test_names_are_compared_without_case_width_and_space() -> None:
    assert folded("ＶＩＰ 客户") == folded("vip客户")
    items = [
        CodeItem.model_validate({"code": "core", "labels": {"zh": "核心客户", "en": "Core"}, "synonyms": ["A级"]}),
        CodeItem.model_validate({"code": "potential", "labels": {"zh": "潜在客户"}, "synonyms": ["ａ级"]}),
    ]
    assert spellings(items)[folded("Ａ级")] == "core"
    assert [(finding.at, finding.code) for finding in lint_codes(items, ("tiers",))] == [(("tiers", 1), "P306")]
