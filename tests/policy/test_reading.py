"""The strict reader: what it refuses, what it stops at, and that it never raises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmctl.policy import reading
from crmctl.policy.nodes import Fields, Items, Scalar, dotted, follow
from crmctl.policy.problems import MOST_IN_ONE_FILE, Report
from crmctl.policy.scalars import construct

YAML_SIGNS = st.text(st.sampled_from("abn01:-? {}[],&*!|>'\"%@`#\n\t~<.é中："), max_size=80)


def read(data: bytes | str) -> tuple[object, Report]:
    report = Report("f.yaml")
    node = reading.read_tree(data.encode() if isinstance(data, str) else data, report)
    return node, report


def codes(data: bytes | str) -> list[str]:
    return [problem.code for problem in read(data)[1].problems]


BOMBS = {
    "brackets": ("[" * 200_000, "P109"),
    "dashes": ("- " * 100_000, "P109"),
    "braces": ("{a: " * 5_000, "P109"),
    "mixed": ("[a," * 50_000, "P109"),
    "wide": ("[" + "a, " * 80_000 + "]", "P102"),
    "keys": ("{" + ",".join(f"a{n}: 1" for n in range(20_000)) + "}", "P102"),
    "big": ("#" * (reading.MOST_BYTES + 1), "P102"),
    "open quote": ('a: "' + "\n" * 200_000, "P101"),
    "tag": ("!!" * 50_000, "P108"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_problem(name: str) -> None:
    text, code = BOMBS[name]
    node, report = read(text)
    assert [problem.code for problem in report.problems] == [code]
    assert node is None or name == "tag"


def test_twenty_levels_are_read_and_no_more() -> None:
    node, report = read("[" * reading.DEEPEST + "]" * reading.DEEPEST)
    assert node is not None
    assert report.problems == []
    assert codes("[" * (reading.DEEPEST + 1) + "]" * (reading.DEEPEST + 1)) == ["P109"]


def test_a_file_full_of_mistakes_is_given_up_after_the_most() -> None:
    report = Report("f.yaml")
    node = reading.read_tree(b"- no\n" * 1000, report)
    assert node is not None
    construct(node, report)
    assert len(report.problems) == MOST_IN_ONE_FILE + 1
    assert report.problems[-1].code == "P118"


def test_a_byte_order_mark_is_no_problem() -> None:
    node, report = read(b"\xef\xbb\xbfkind: tags\n")
    assert report.problems == []
    assert isinstance(node, Fields)
    assert node.entries["kind"].mark == (1, 1)


def test_the_place_of_bytes_that_are_not_utf8() -> None:
    _node, report = read("kind: tags\n甲: ".encode() + b"\xff\n")
    assert [(p.line, p.column, p.code) for p in report.problems] == [(2, 4, "P110")]


def test_the_tree_knows_where_everything_is() -> None:
    node, _report = read("a:\n  - {b: 中, c: 'x'}\n  - d\n")
    assert isinstance(node, Fields)
    found = follow(node, ("a", 0, "c"))
    assert (found.key, found.node.mark) == ((2, 12), (2, 15))
    assert isinstance(found.node, Scalar)
    assert not found.node.plain
    assert follow(node, ("a", 1)).node.mark == (3, 5)
    beyond = follow(node, ("a", 7, "z"))
    assert isinstance(beyond.node, Items)
    assert beyond.skipped == (1, 2)
    assert dotted(("a", 0, "c")) == "a[0].c"


def test_the_fallback_parser_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import yaml

    text = "kind: tags\na: [1, {b: no}]\na: 2\nc: *x\n"
    quick = read(text)
    monkeypatch.setattr(reading, "LOADER", yaml.SafeLoader)
    slow = read(text)
    assert quick == slow


@settings(max_examples=300)
@given(st.one_of(YAML_SIGNS, st.text(max_size=60)))
def test_any_text_is_read_or_reported(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    report = Report("f.yaml")
    node = reading.read_tree(data, report)
    assert node is not None or report.problems
    if node is not None:
        construct(node, report)
    lines = len(text.splitlines()) + 2
    assert all(1 <= problem.line <= lines and problem.column >= 1 for problem in report.problems)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_reported(data: bytes) -> None:
    node, report = read(data)
    assert node is not None or report.problems
