"""Answers: sheets edited by hand, in any order and language; every mistake at once; the whole set checked with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmctl import i18n
from crmctl.errors import InvalidInput, PolicyInvalid
from crmctl.locate import shipped
from crmctl.policy import PolicySet, load
from crmctl.policy.answers import HEADINGS, Answer, Change, answered, read
from crmctl.policy.questionfiles import cells
from crmctl.policy.questions import questions

Edit = Callable[[str, str, str], None]


def sheet(*rows: Sequence[str]) -> list[tuple[int, Sequence[str]]]:
    return list(enumerate(rows, start=1))


def exported(policies: PolicySet, answers: dict[str, str]) -> list[tuple[int, Sequence[str]]]:
    rows = [list({**cells(each), "answer": answers.get(each.name, "")}.values()) for each in questions(policies)]
    return sheet([i18n.speak(label) for label in HEADINGS.values()], *rows)


def problems(folder: Path, *rows: Sequence[str]) -> list[str]:
    with pytest.raises(PolicyInvalid) as caught:
        read(sheet(*rows), load(folder), "a.csv")
    assert caught.value.code == "ANSWERS_INVALID"
    return [
        f"{each['line']}:{each['column']}: {each['code']} {each['message']}"
        for each in caught.value.details["problems"]
    ]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_exported_is_read(folder: Path, language: str) -> None:
    policies = load(folder)
    i18n.use(language)
    rows = exported(policies, {"core_annual_amount": "100万", "tier_regrade_months": "1"})
    i18n.use("en" if language == "zh" else "zh")
    assert read(rows, policies, "a") == (Answer("core_annual_amount", 1_000_000), Answer("tier_regrade_months", 1))


def test_columns_in_any_order_among_others_under_a_title(folder: Path) -> None:
    rows = sheet(
        ["What we decided on Monday"],
        [],
        ["remarks", "ANSWER ", "单位", "名称"],
        ["no", "100", "万元", "core_annual_amount"],
        ["", "", "", "tier_regrade_months"],
        ["", "待定", "", "nothing of the kind"],
        ["short"],
        ["", "95", "", "$tag_accuracy_target"],
    )
    assert read(rows, load(folder), "a") == (
        Answer("core_annual_amount", 1_000_000),
        Answer("tag_accuracy_target", 95),
    )


def test_by_label_where_the_name_was_cut_off(folder: Path) -> None:
    rows = sheet(
        ["What is asked", "Answer"], ["核心客户年度合作额下限（元）", "5"], ["Grades are looked at again after", "6"]
    )
    assert read(rows, load(folder), "a") == (Answer("core_annual_amount", 5), Answer("tier_regrade_months", 6))


@pytest.mark.parametrize("rows", [[], [["Name", "Remark"]], [["Answer", "Remark"]], [[""]] * 30 + [["Name", "Answer"]]])
def test_a_sheet_without_the_headings(folder: Path, rows: list[list[str]]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(sheet(*rows), load(folder), "a.csv")
    assert caught.value.code == "ANSWERS_NO_HEADER"


def test_every_mistake_is_told_at_once(folder: Path) -> None:
    found = problems(
        folder,
        ["Answer", "Name"],
        ["ten", "core_annual_amount"],
        ["5", "core_anual_amount"],
        ["101", "tag_accuracy_target"],
        ["3", "tier_regrade_months"],
        ["4", "tier_regrade_months"],
        ["3 months", "tier_regrade_months"],
        ["5", ""],
    )
    assert found == [
        "2:1: P201 'ten' is no number",
        "3:2: P302 no value core_anual_amount in company.yaml",
        "4:1: P204 '101' is out of range",
        "6:1: P104 tier_regrade_months is answered otherwise in row 5",
        "8:2: P302 no value - in company.yaml",
    ]


def test_answers_arrive_and_nothing_else_changes(folder: Path) -> None:
    before = load(folder)
    done = answered(before, (Answer("core_annual_amount", 1_000_000), Answer("tag_accuracy_target", Decimal("97.5"))))
    assert done.changes == (
        Change("core_annual_amount", "unset", 1_000_000),
        Change("tag_accuracy_target", "unset", Decimal("97.5")),
    )
    old, new = before.files["company.yaml"].decode().splitlines(), done.data.decode().splitlines()
    changed = [(one, other) for one, other in zip(old, new, strict=True) if one != other]
    assert changed == [
        (f"version: {before.policy('company').version}", f"version: {before.policy('company').version + 1}"),
        ("      value: unset", "      value: 1000000"),
        ("      value: unset", "      value: 97.5"),
    ]
    assert done.policies.files == {**before.files, "company.yaml": done.data}
    assert {each.name for each in done.policies.undecided()} == {each.name for each in before.undecided()} - {
        "core_annual_amount",
        "tag_accuracy_target",
    }


def test_the_same_answers_again_change_nothing(folder: Path) -> None:
    answers = (Answer("core_annual_amount", 1_000_000), Answer("tier_regrade_months", 3))
    once = answered(load(folder), answers)
    again = answered(once.policies, answers)
    assert (again.changes, again.data, again.policies) == ((), once.data, once.policies)
    assert again.unchanged == ("core_annual_amount", "tier_regrade_months")


def test_a_decided_value_is_changed_and_told(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "  values:\n", "  values:\n    bonus_days: 12  # short form\n")
    done = answered(load(folder), (Answer("bonus_days", 14),))
    assert done.changes == (Change("bonus_days", 12, 14),)
    assert b"    bonus_days: 14  # short form\n" in done.data


def test_the_whole_set_is_checked_with_the_answers(folder: Path) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        answered(load(folder), (Answer("core_annual_amount", 5), Answer("important_annual_amount", 10)))
    (problem,) = caught.value.details["problems"]
    assert (problem["path"], problem["code"]) == ("tiers.yaml", "P301")


STARTER = {path.name: path.read_bytes() for path in shipped("policies").glob("[!_]*.yaml")}
MONEY = st.one_of(st.integers(0, 10**12), st.decimals(0, 10**9, places=2))


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from(["tag_confirm_days", "tier_regrade_months"]), st.integers(0, 1000)), MONEY)
def test_what_is_answered_is_in_the_file(numbers: dict[str, int], money: int | Decimal) -> None:
    policies = starter()
    rows = sheet(["Name", "Answer"], *([name, str(number)] for name, number in numbers.items()),
                 ["core_annual_amount", f"{money}"])  # fmt: skip
    done = answered(policies, read(rows, policies, "a"))
    found = {name: entry.value for name, entry in done.policies.values.items() if not entry.undecided}
    assert found == {**numbers, "core_annual_amount": money}
    assert done.policies.policy("company").version == policies.policy("company").version + 1


def starter() -> PolicySet:
    from crmctl.policy.checking import check_files
    from crmctl.policy.problems import Report

    found = check_files(STARTER, {name: Report(name) for name in STARTER}, Report("")).policies
    assert found is not None
    return found
