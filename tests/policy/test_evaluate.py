"""Conditions in Python, and the same in SQL on both databases: random conditions and rows, boundaries on purpose."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Boolean, Column, Float, Integer, MetaData, Numeric, Table, Text, case, insert, select
from sqlalchemy.engine import Engine
from strategies import LEFTS, facts, left, trees

from crmctl import i18n
from crmctl.policy.conditions import All, Any_, Bound, Compare, Condition, Not, Operator
from crmctl.policy.conditionsql import compiled
from crmctl.policy.conditionwords import Words, grouped
from crmctl.policy.evaluate import Near, evaluate, holds, near
from crmctl.policy.metrics import BY_NAME, Left, Value
from crmctl.policy.windows import window
from crmctl.store.engine import write

AMOUNT, TIER = Left(BY_NAME["annual_amount"]), Left(BY_NAME["tier"])
ORDERS = Left(BY_NAME["order_amount"], window("12 months"))
SHARE, FLAG = Left(BY_NAME["completeness"]), Left(BY_NAME["flagged"])
TYPES = {"flag": Boolean, "code": Text, "text": Text}


def comparison(side: Left, operator: Operator, *operands: Any) -> Compare:
    return Compare(side, operator, operands)


def said(tree: Condition, known: dict[Left, Value]) -> bool:
    trace = evaluate(Bound(tree, 2), known)
    assert trace.holds is holds(Bound(tree, 2), known)
    return trace.holds


@pytest.mark.parametrize(
    ("operator", "operands", "held"),
    [
        ("eq", (5,), {5}),
        ("ne", (5,), {4, 6}),
        ("gt", (5,), {6}),
        ("gte", (5,), {5, 6}),
        ("lt", (5,), {4}),
        ("lte", (5,), {4, 5}),
        ("in", (4, 6), {4, 6}),
        ("not_in", (4, 6), {5}),
        ("between", (4, 5), {4, 5}),
        ("between", (5, 4), set()),
        ("exists", (True,), {4, 5, 6}),
        ("exists", (False,), {None}),
    ],
)
def test_what_each_operator_means(operator: Operator, operands: tuple[Any, ...], held: set[int | None]) -> None:
    tree = comparison(AMOUNT, operator, *operands)
    assert {value for value in (None, 4, 5, 6) if said(tree, {AMOUNT: value})} == held
    assert {value for value in (None, 4, 5, 6) if said(Not(tree), {AMOUNT: value})} == {None, 4, 5, 6} - held


@pytest.mark.parametrize("value", [5.0, True, "5"])
def test_a_fact_of_another_type_is_no_fact(value: Any) -> None:
    with pytest.raises(TypeError, match="annual_amount"):
        evaluate(Bound(comparison(AMOUNT, "gte", 5), 2), {AMOUNT: value})


def test_a_fact_that_was_not_asked_for_is_an_error() -> None:
    with pytest.raises(KeyError):
        evaluate(Bound(comparison(AMOUNT, "exists", False), 2), {})


def test_the_trace_has_every_comparison_decided_or_not() -> None:
    tree = Any_(
        (
            comparison(AMOUNT, "gte", 5),
            All((comparison(TIER, "in", "core", "important"), Not(comparison(FLAG, "eq", True)))),
        )
    )
    trace = evaluate(Bound(tree, 2), {AMOUNT: 7, TIER: None, FLAG: True})
    assert [(part.value, part.holds) for part in trace.comparisons()] == [(7, True), (None, False), (True, True)]
    assert json.loads(json.dumps(trace.as_dict())) == {
        "any": [
            {"left": "annual_amount", "value": 7, "operator": "gte", "operand": 5, "holds": True},
            {
                "all": [
                    {"left": "tier", "value": None, "operator": "in", "operand": ["core", "important"], "holds": False},
                    {
                        "not": [{"left": "flagged", "value": True, "operator": "eq", "operand": True, "holds": True}],
                        "holds": False,
                    },
                ],
                "holds": False,
            },
        ],
        "holds": True,
    }


@pytest.mark.parametrize(
    ("operator", "operands", "value", "distance"),
    [
        ("gte", (100,), 88, 12),
        ("gt", (100,), 88, 13),
        ("lte", (100,), 112, -12),
        ("lt", (100,), 100, -1),
        ("eq", (100,), 88, 12),
        ("ne", (100,), 100, -1),
        ("in", (10, 100), 88, 12),
        ("not_in", (10, 11), 11, 1),
        ("between", (50, 60), 88, -28),
        ("between", (60, 50), 88, None),
        ("gte", (100,), None, None),
        ("exists", (True,), None, None),
    ],
)
def test_how_near_a_miss_was(operator: Operator, operands: tuple[Any, ...], value: int | None, distance: int) -> None:
    compare = comparison(AMOUNT, operator, *operands)
    trace = evaluate(Bound(compare, 2), {AMOUNT: value})
    assert near(trace) == (Near(compare, value, True, distance),)


def test_only_what_stands_in_the_way_is_near() -> None:
    amount, share, tier = comparison(AMOUNT, "gte", 9), comparison(SHARE, "gte", 80), comparison(TIER, "eq", "core")
    tree = All((Any_((amount, share)), Not(tier), comparison(FLAG, "eq", False)))
    missed = near(evaluate(Bound(tree, 2), {AMOUNT: 5, SHARE: 70, TIER: "core", FLAG: False}))
    assert missed == (Near(amount, 5, True, 4), Near(share, 70, True, 10), Near(tier, "core", False, None))
    assert near(evaluate(Bound(tree, 2), {AMOUNT: 9, SHARE: 0, TIER: None, FLAG: False})) == ()


def test_a_share_above_100_is_no_way_out() -> None:
    (found,) = near(evaluate(Bound(Not(comparison(SHARE, "gte", 100)), 2), {SHARE: 100}))
    assert found.distance == -1
    (found,) = near(evaluate(Bound(comparison(SHARE, "ne", 100), 2), {SHARE: 100}))
    assert found.distance == -1
    (found,) = near(evaluate(Bound(comparison(SHARE, "gt", 100), 2), {SHARE: 100}))
    assert found.distance is None


@given(trees(), facts())
def test_a_distance_is_the_least_that_turns_the_comparison(tree: Condition, known: dict[Left, Any]) -> None:
    trace = evaluate(Bound(tree, 2), known)
    missed = near(trace)
    assert bool(missed) or trace.holds
    for one in missed:
        assert (one.distance is None) or one.distance != 0
        if one.distance is not None and one.value is not None:
            assert said(one.compare, {one.compare.left: int(one.value) + one.distance}) is one.wanted
            less = int(one.value) + one.distance - (1 if one.distance > 0 else -1)
            metric, (least, most) = one.compare.left.metric, one.compare.left.metric.limits()
            if metric.type in ("money", "number") or least <= less <= most:  # a number that could be
                assert said(one.compare, {one.compare.left: less}) is not one.wanted


def test_words() -> None:
    words = Words(2, "CNY", lambda what, code: {("tier", "core"): "Core"}.get((what, code), code))
    compare = comparison(ORDERS, "gte", 100_000_000)
    (found,) = near(evaluate(Bound(compare, 2), {ORDERS: 98_800_000}))
    assert words.near(found) == ("amount of orders, last 12 months ≥ 1,000,000.00 yuan: short by 12,000.00 yuan")
    i18n.use("zh")
    assert words.near(found).endswith("12,000.00 元")
    i18n.use("en")
    (found,) = near(evaluate(Bound(comparison(AMOUNT, "lt", 5), 2), {AMOUNT: 10}))
    assert words.near(found).endswith(": over by 0.06 yuan")
    (found,) = near(evaluate(Bound(comparison(TIER, "in", "core", "x"), 2), {TIER: None}))
    assert words.near(found) == "tier is one of: Core, x: is unknown"
    (found,) = near(evaluate(Bound(Not(comparison(TIER, "eq", "core")), 2), {TIER: "core"}))
    assert words.near(found) == "not: tier = Core: is Core"
    assert words.facts({AMOUNT: -5, SHARE: 80, FLAG: True, TIER: None}) == (
        "annual cooperation amount: -0.05 yuan; completeness of the record: 80 %; "
        "flagged for a second look: yes; tier: unknown"
    )
    assert words.comparison(comparison(SHARE, "between", 10, 20)) == "completeness of the record from 10 % to 20 %"
    assert words.comparison(comparison(TIER, "exists", False)) == "tier is unknown"
    assert Words(0, "JPY").value(AMOUNT, 1234) == "1,234 JPY"
    assert [grouped(-1234567, 2), grouped(5, 3), grouped(1000, 0)] == ["-12,345.67", "0.005", "1,000"]


def table() -> Table:
    columns: list[Column[Any]] = [Column("id", Integer, primary_key=True, autoincrement=False)]
    for number, side in enumerate(LEFTS):
        columns.append(Column(f"c{number}", TYPES.get(side.metric.type, BigInteger)()))
    return Table("sample", MetaData(), *columns, prefixes=["TEMPORARY"])


def test_sql_and_python_agree(engine: Engine) -> None:
    sample = table()
    columns = {side: sample.c[f"c{number}"] for number, side in enumerate(LEFTS)}

    @settings(max_examples=250)
    @given(trees(), st.lists(facts(), min_size=1, max_size=8))
    def agree(tree: Condition, rows: list[dict[Left, Any]]) -> None:
        bound = Bound(tree, 2)
        conn.execute(sample.delete())
        conn.execute(
            insert(sample),
            [{"id": number, **{columns[side].name: row[side] for side in LEFTS}} for number, row in enumerate(rows)],
        )
        expression = compiled(bound, columns)
        expected = {number for number, row in enumerate(rows) if holds(bound, row)}
        assert set(conn.scalars(select(sample.c.id).where(expression))) == expected
        assert set(conn.scalars(select(sample.c.id).where(~expression))) == set(range(len(rows))) - expected
        marked = conn.execute(select(sample.c.id, case((expression, 1), else_=0), expression.is_(None)))
        assert [tuple(map(int, row)) for row in sorted(marked)] == [
            (number, number in expected, 0) for number in range(len(rows))
        ]

    with write(engine) as conn:
        sample.create(conn)
        agree()


def test_every_operand_is_a_bound_parameter(engine: Engine) -> None:
    sample = table()
    columns = {side: sample.c[f"c{number}"] for number, side in enumerate(LEFTS)}
    kind, amount = LEFTS[7], LEFTS[0]
    tree = All((Compare(kind, "in", ("x' OR '1'='1", "y")), Compare(amount, "between", (12345, 67890))))
    text = str(compiled(Bound(tree, 2), columns).compile(engine))
    assert "OR" not in text
    assert "12345" not in text


@pytest.mark.parametrize(
    ("side", "kind"),
    [
        (AMOUNT, Float()),
        (AMOUNT, Numeric(18, 2)),
        (AMOUNT, Text()),
        (TIER, Integer()),
        (FLAG, Integer()),
        (AMOUNT, Boolean()),
    ],
)
def test_columns_of_another_type_are_refused(side: Left, kind: Any) -> None:
    with pytest.raises(TypeError, match=side.metric.name):
        compiled(Bound(Compare(side, "exists", (True,)), 2), {side: Column("x", kind)})


def test_a_left_side_without_a_column_is_an_error() -> None:
    with pytest.raises(KeyError):
        compiled(Bound(Compare(left("other", "days"), "exists", (True,)), 2), {})
