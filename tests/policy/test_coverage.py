"""What rules leave out, never reach or share: found exactly, against trying everything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import left, trees

from crmctl.policy.conditions import All, Any_, Bound, Compare, Condition, Not
from crmctl.policy.conditionwords import Words
from crmctl.policy.coverage import OTHER, Coverage, analyse
from crmctl.policy.evaluate import holds
from crmctl.policy.metrics import BY_NAME, Left

AMOUNT, TYPE, TIER = (Left(BY_NAME[name]) for name in ("annual_amount", "customer_type", "tier"))
COUNT = left("visits", "count", "1 year", always=True)
SMALL = (left("amount", "money"), left("filled", "percent"), left("kind", "code", what="kind"), left("on", "flag"))
KINDS = ("a", "b", "B", "ä", "客户", "a ", "", "never used")


def codes(what: str) -> Sequence[str] | None:
    return {"kind": KINDS, "customer_type": ("enterprise", "individual")}.get(what)


def look(*rules: Condition | None, most: int = 200_000) -> Coverage:
    return analyse([Bound(rule, 2) if rule else None for rule in rules], codes, most)


def at_least(number: int) -> Compare:
    return Compare(AMOUNT, "gte", (number,))


def test_thresholds_that_descend_leave_only_the_missing() -> None:
    found = look(at_least(100), at_least(50), Compare(AMOUNT, "lt", (50,)))
    assert (found.unreachable, found.gap) == ((), {AMOUNT: None})
    assert look(at_least(100), at_least(50), None).gap is None


def test_thresholds_in_the_wrong_order_are_never_reached() -> None:
    (hidden,) = look(at_least(50), Compare(TYPE, "eq", ("individual",)), at_least(100)).unreachable
    assert (hidden.rule, hidden.behind) == (2, (0, 1))
    (hidden,) = look(None, at_least(5)).unreachable
    assert (hidden.rule, hidden.behind) == (1, (0,))


def test_a_rule_that_contradicts_itself_never_holds() -> None:
    (never,) = look(All((at_least(5), Compare(AMOUNT, "lt", (5,))))).unreachable
    assert (never.rule, never.behind) == (0, ())
    assert look(All((Compare(AMOUNT, "gt", (4,)), Compare(AMOUNT, "lt", (6,))))).unreachable == ()
    assert len(look(All((Compare(AMOUNT, "gt", (4,)), Compare(AMOUNT, "lt", (5,))))).unreachable) == 1


def test_one_unit_between_two_bounds_is_a_gap() -> None:
    present = Compare(AMOUNT, "exists", (False,))
    found = look(Compare(AMOUNT, "gt", (500,)), Compare(AMOUNT, "lt", (500,)), present)
    assert found.gap == {AMOUNT: 500}
    (overlap,) = look(Compare(AMOUNT, "gte", (500,)), Compare(AMOUNT, "lte", (500,))).overlaps
    assert (overlap.first, overlap.second, overlap.example) == (0, 1, {AMOUNT: 500})


def test_codes_that_no_rule_names_count() -> None:
    found = look(Compare(TYPE, "eq", ("enterprise",)))
    assert found.gap == {TYPE: "individual"}
    assert look(Compare(TYPE, "eq", ("enterprise",)), Compare(TYPE, "eq", ("individual",))).gap is None
    assert look(Compare(TIER, "exists", (False,))).gap == {TIER: OTHER}


def test_points_in_words() -> None:
    words = Words(2, "CNY")
    region = Left(BY_NAME["region"])  # may hold texts that no list has
    found = look(All((Compare(region, "exists", (True,)), Compare(region, "ne", ("cn-sh",)))), at_least(50_000))
    assert found.gap is not None
    assert words.facts(found.gap) == "region: cn-sh; annual cooperation amount: 499.99 yuan"
    (overlap,) = found.overlaps
    assert words.facts(overlap.example) == "region: any other; annual cooperation amount: 500.00 yuan"
    assert words.facts(look().gap or {}) == "everything"


def test_what_cannot_be_is_no_gap() -> None:
    assert look(Compare(COUNT, "gte", (0,))).gap is None
    share = Left(BY_NAME["completeness"])
    assert look(Compare(share, "lte", (100,)), Compare(share, "exists", (False,))).gap is None


def test_too_many_combinations_are_said_to_be_too_many() -> None:
    rules = [Compare(left(f"m{number}", "money"), "gte", (1,)) for number in range(11)]
    found = look(*rules)
    assert (found.points, found.complete, found.gap) == (4**11, False, None)
    assert look(*rules, most=4**11).complete


def test_no_rules_cover_nothing() -> None:
    assert look().gap == {}
    assert look(None).gap is None


EVERYTHING = [
    dict(zip(SMALL, point, strict=True))
    for point in product((*range(-6, 7), None), (*range(0, 6), 100, None), (*KINDS, None), (False, True, None))
]


def small(tree: Condition) -> bool:
    """Whether all numbers lie well inside what is tried: the strategies also give some near the end of 64 bits."""
    return all(
        not isinstance(operand, int) or abs(operand) <= 4
        for compare in tree.comparisons()
        for operand in compare.operands
    )


def possible(tree: Condition) -> bool:
    return all(
        operand >= 0
        for compare in tree.comparisons()
        for operand in compare.operands
        if compare.left.metric.type == "percent" and type(operand) is int
    )


@settings(max_examples=60)
@given(st.lists(trees(SMALL).filter(small).filter(possible), min_size=1, max_size=4))
def test_the_same_as_trying_everything(rules: list[Condition]) -> None:
    bound = [Bound(rule, 2) for rule in rules]
    held = [[holds(rule, point) for rule in bound] for point in EVERYTHING]
    found = look(*rules)
    assert found.complete
    first = {next((number for number, one in enumerate(row) if one), None) for row in held}
    assert {hidden.rule for hidden in found.unreachable} == set(range(len(rules))) - first
    assert (found.gap is not None) is (None in first)
    pairs = {(a, b) for row in held for b in range(len(rules)) for a in range(b) if row[a] and row[b]}
    assert {(overlap.first, overlap.second) for overlap in found.overlaps} == pairs
    whole: dict[Left, Any] = dict.fromkeys(SMALL, None)
    if found.gap is not None:
        assert not any(holds(rule, {**whole, **found.gap}) for rule in bound)
    for overlap in found.overlaps:
        assert holds(bound[overlap.first], {**whole, **overlap.example})
        assert holds(bound[overlap.second], {**whole, **overlap.example})


@pytest.mark.parametrize("tree", [Any_((at_least(5), Not(at_least(5)))), Not(All((at_least(5), Not(at_least(5)))))])
def test_a_condition_that_always_holds_leaves_nothing(tree: Condition) -> None:
    assert look(tree).gap is None
