"""One value of a file replaced: nothing else changes, whatever the layout."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.errors import InvalidInput
from crmctl.policy.editing import edited, scalar
from crmctl.policy.nodes import Node, Path
from crmctl.policy.problems import Report
from crmctl.policy.reading import read_tree
from crmctl.policy.scalars import construct


def tree(data: bytes) -> Node:
    report = Report("f")
    found = read_tree(data, report)
    assert found is not None, report.problems
    return found


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: unset  # why\nb: 1\n", ("a",), "a: 5  # why\nb: 1\n"),
        ("a:   unset", ("a",), "a:   5"),
        ("a: {b: unset, c: unset}\n", ("a", "c"), "a: {b: unset, c: 5}\n"),
        ("a: 'un''set' # x\n", ("a",), "a: 5 # x\n"),
        ('a: "un\\"set"\n', ("a",), "a: 5\n"),
        ("- {客户: 甲}\n- 乙\n", (0, "客户"), "- {客户: 5}\n- 乙\n"),
        ("# 注\r\na: 1.50\r\nb: 2\r\n", ("a",), "# 注\r\na: 5\r\nb: 2\r\n"),
        ("\ufeffa: unset\n", ("a",), "\ufeffa: 5\n"),
        ("😀: 😀\nb: 😀 unset\n", ("b",), "😀: 😀\nb: 5\n"),
        ("a:\n  unset\n", ("a",), "a:\n  5\n"),
    ],
)
def test_only_the_value_changes(before: str, path: Path, after: str) -> None:
    data = before.encode()
    assert edited(data, tree(data), {path: 5}).decode() == after


def test_several_at_once() -> None:
    data = b"version: 9\na: {b: unset, c: unset}\nd: unset\n"
    changes: dict[Path, int | Decimal | str] = {
        ("version",): 10,
        ("a", "c"): 1,
        ("a", "b"): "x: y",
        ("d",): Decimal("0.5"),
    }
    assert edited(data, tree(data), changes) == b'version: 10\na: {b: "x: y", c: 1}\nd: 0.5\n'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a: un\n  set\n", ("a",)),
        ("a: |\n  unset\n", ("a",)),
        ("a: 'un\n  set'\n", ("a",)),
        ("a: {b: 1}\n", ("a",)),
        ("a: 1\n", ("b",)),
        ("a: 1\n", ("a", "b")),
    ],
)
def test_what_cannot_be_edited_in_place_is_refused(text: str, path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        edited(text.encode(), tree(text.encode()), {path: 5})
    assert caught.value.code == "VALUE_NOT_EDITABLE"


VALUES = st.one_of(
    st.integers(0, 10**17),
    st.decimals(0, 10**6, allow_nan=False, places=2),
    st.text(st.characters(min_codepoint=0x20, max_codepoint=0x9FFF, exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp"])),
)


@given(VALUES, VALUES)
def test_what_is_written_is_read_again(one: int | Decimal | str, other: int | Decimal | str) -> None:
    data = f"a: unset # a\nb: {{c: unset}}\nd: {scalar(one)}\n".encode()
    changed = edited(data, tree(data), {("a",): one, ("b", "c"): other, ("d",): other})
    report = Report("f")
    assert construct(tree(changed), report) == {"a": one, "b": {"c": other}, "d": other}
    assert report.problems == []
    back = edited(changed, tree(changed), {("a",): 0, ("b", "c"): 0, ("d",): 0})
    assert back == b"a: 0 # a\nb: {c: 0}\nd: 0\n"
