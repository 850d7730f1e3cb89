"""Conditions in SQL: an expression with bound parameters that is true or false, never NULL, on both databases.

Numbers are compared as 64-bit integers and texts for equality only, so that neither collation nor floating point can
come between what SQL and Python say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    String,
    and_,
    case,
    cast,
    literal,
    not_,
    null,
    or_,
)

from crmctl.policy.conditions import All, Any_, Bound, Compare, Condition, Not
from crmctl.policy.metrics import Left, Metric

Column = ColumnElement[Any]


def compiled(condition: Bound, columns: Mapping[Left, Column]) -> ColumnElement[bool]:
    """Return the expression that is true exactly for the rows whose facts `evaluate` says the condition holds for.

    Raises KeyError for a left side without a column, TypeError for a column whose type is not the metric's: numbers
    must be integers in the smallest unit, flags booleans, the rest texts.
    """
    return _compiled(condition.tree, columns)


def first(conditions: Sequence[Bound | None], columns: Mapping[Left, Column]) -> ColumnElement[Any]:
    """Return the expression that is what `evaluate.first` says of a row's facts: a position, or NULL."""
    branches: list[tuple[ColumnElement[bool], ColumnElement[int]]] = []
    for position, condition in enumerate(conditions):
        if condition is None:
            last = literal(position, Integer)
            return case(*branches, else_=last) if branches else last
        branches.append((compiled(condition, columns), literal(position, Integer)))
    return case(*branches, else_=null()) if branches else cast(null(), Integer)


def _compiled(node: Condition, columns: Mapping[Left, Column]) -> ColumnElement[bool]:
    match node:
        case All(parts):
            return and_(*(_compiled(part, columns) for part in parts))
        case Any_(parts):
            return or_(*(_compiled(part, columns) for part in parts))
        case Not(part):
            return not_(_compiled(part, columns))
        case Compare(left):
            column = columns[left]
            _fits(left.metric, column)
            return _comparison(node, column)
    raise TypeError(type(node).__name__)


def _fits(metric: Metric, column: Column) -> None:
    kind = column.type
    wanted: type[Any] = Integer if metric.numeric else Boolean if metric.type == "flag" else String
    if not isinstance(kind, wanted) or isinstance(kind, Numeric | Float):
        raise TypeError(f"{metric.name}: column of type {kind!r} where {wanted.__name__} is wanted")


def _comparison(compare: Compare, column: Column) -> ColumnElement[bool]:
    """Return one comparison; with NULL on the left `IS NOT NULL` makes it false, whatever the second half says."""
    present = column.is_not(None)
    if compare.operator == "exists":
        return present if compare.operands[0] else column.is_(None)
    operands = [_parameter(compare, operand) for operand in compare.operands]
    first = operands[0]
    match compare.operator:
        case "eq":
            held = column == first
        case "ne":
            held = column != first
        case "gt":
            held = column > first
        case "gte":
            held = column >= first
        case "lt":
            held = column < first
        case "lte":
            held = column <= first
        case "in":
            held = column.in_(operands)
        case "not_in":
            held = column.not_in(operands)
        case "between":
            held = and_(column >= first, column <= operands[1])
    return and_(present, held)


def _parameter(compare: Compare, operand: object) -> ColumnElement[Any]:
    """Return an operand as a bound parameter; numbers as 64 bits, whatever the column has."""
    if compare.left.metric.numeric:
        return literal(operand, BigInteger)
    if compare.left.metric.type == "flag":
        return literal(operand, Boolean)
    return literal(operand, String)
