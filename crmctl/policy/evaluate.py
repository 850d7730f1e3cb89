"""Conditions in Python: whether one holds for some facts, and the trace that explains why.

The same as `conditionsql` says of the same facts, which is a tested property. Every comparison is made, so that a trace
is complete; `holds` alone is for many facts and makes no trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crmctl.policy.conditions import LISTS, All, Any_, Bound, Compare, Condition, Not
from crmctl.policy.metrics import Left, Value

Facts = Mapping[Left, Value]


@dataclass(frozen=True, slots=True)
class Trace:
    """What became of one node of a bound condition: `value` is the left side's, of comparisons only."""

    node: Condition
    holds: bool
    parts: tuple[Trace, ...] = ()
    value: Value = None

    def comparisons(self) -> Iterator[Trace]:
        """Yield the traces of the comparisons, in the order of the file."""
        if isinstance(self.node, Compare):
            yield self
        for part in self.parts:
            yield from part.comparisons()

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON; numbers are integers in the metric's smallest unit."""
        match self.node:
            case Compare(left, operator, operands):
                return {
                    "left": left.text,
                    "value": self.value,
                    "operator": operator,
                    "operand": list(operands) if operator in LISTS else operands[0],
                    "holds": self.holds,
                }
            case All():
                word = "all"
            case Any_():
                word = "any"
            case _:
                word = "not"
        return {word: [part.as_dict() for part in self.parts], "holds": self.holds}


@dataclass(frozen=True, slots=True)
class Near:
    """A comparison that stands in the way: it should have come out as `wanted` and did not.

    `distance` is the least change of the value that turns it, in the metric's smallest unit; None where nothing is
    known of the customer, or the left side is no number.
    """

    compare: Compare
    value: Value
    wanted: bool
    distance: int | None


def evaluate(condition: Bound, facts: Facts) -> Trace:
    """Return whether a condition holds for facts, with all that was compared.

    Raises KeyError for a left side the facts do not name, TypeError for a fact of another type than its metric's.
    """
    return _traced(condition.tree, facts)


def holds(condition: Bound, facts: Facts) -> bool:
    """Return what `evaluate` would, without the trace."""
    return _holds(condition.tree, facts)


def first(conditions: Sequence[Bound | None], facts: Facts) -> int | None:
    """Return the position of the first condition that holds, None being one that always does; None when none holds."""
    for position, condition in enumerate(conditions):
        if condition is None or holds(condition, facts):
            return position
    return None


def near(trace: Trace) -> tuple[Near, ...]:
    """Return the comparisons that stand in the way of a condition that does not hold; none when it holds.

    Of `any`, every part that fails is one way to go; below `not`, what stands in the way is what holds.
    """
    return tuple(_near(trace, True))


def _traced(node: Condition, facts: Facts) -> Trace:
    match node:
        case Compare(left):
            value = facts[left]
            return Trace(node, compared(node, value), value=value)
        case All(parts):
            traces = tuple(_traced(part, facts) for part in parts)
            return Trace(node, all(trace.holds for trace in traces), traces)
        case Any_(parts):
            traces = tuple(_traced(part, facts) for part in parts)
            return Trace(node, any(trace.holds for trace in traces), traces)
        case Not(part):
            inside = _traced(part, facts)
            return Trace(node, not inside.holds, (inside,))
    raise TypeError(type(node).__name__)


def _holds(node: Condition, facts: Facts) -> bool:
    match node:
        case Compare(left):
            return compared(node, facts[left])
        case All(parts):
            return all(_holds(part, facts) for part in parts)
        case Any_(parts):
            return any(_holds(part, facts) for part in parts)
        case Not(part):
            return not _holds(part, facts)
    raise TypeError(type(node).__name__)


_OPERATIONS: Mapping[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "eq": lambda value, operands: value == operands[0],
    "ne": lambda value, operands: value != operands[0],
    "gt": lambda value, operands: value > operands[0],
    "gte": lambda value, operands: value >= operands[0],
    "lt": lambda value, operands: value < operands[0],
    "lte": lambda value, operands: value <= operands[0],
    "in": lambda value, operands: value in operands,
    "not_in": lambda value, operands: value not in operands,
    "between": lambda value, operands: operands[0] <= value <= operands[1],
}


def compared(compare: Compare, value: Value) -> bool:
    """Return whether one bound comparison holds for a value. Raises TypeError for a value of another type."""
    if compare.operator == "exists":
        return (value is not None) is compare.operands[0]
    if value is None:
        return False
    kind = compare.left.metric.type
    wanted = int if compare.left.metric.numeric else bool if kind == "flag" else str
    if type(value) is not wanted:  # a float, a Decimal or a flag among numbers would be another comparison in SQL
        raise TypeError(f"{compare.left.text}: {type(value).__name__} where {wanted.__name__} is wanted")
    return _OPERATIONS[compare.operator](value, compare.operands)


def _near(trace: Trace, wanted: bool) -> Iterator[Near]:
    if trace.holds is wanted:
        return
    match trace.node:
        case Compare() as compare:
            yield Near(compare, trace.value, wanted, _distance(compare, trace.value, wanted))
        case Not():
            yield from _near(trace.parts[0], not wanted)
        case _:
            for part in trace.parts:
                yield from _near(part, wanted)


def _distance(compare: Compare, value: Value, wanted: bool) -> int | None:
    if not compare.left.metric.numeric or value is None or compare.operator == "exists":
        return None
    numbers = [operand for operand in compare.operands if isinstance(operand, int)]
    turning = [number + step for number in numbers for step in (-1, 0, 1) if _in_reach(compare, number + step)]
    steps = [number - value for number in turning if compared(compare, number) is wanted and isinstance(value, int)]
    return min(steps, key=abs, default=None)


def _in_reach(compare: Compare, number: int) -> bool:
    """Say whether the left side could ever be that number: no count is below 0, no share above 100."""
    metric = compare.left.metric
    least, most = metric.limits()
    return metric.type in ("money", "number") or least <= number <= most
