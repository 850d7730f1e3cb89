"""Which rules of a list can never apply, what none covers, what more than one covers: exactly, not by sampling.

Between two neighbouring operands a comparison does not change. So one point for each operand, each stretch between
two, "missing", and each code used and one other, taken in every combination, stand for all there is. The combinations
are the bits of one integer and a comparison is the set of those where it holds, so that `all`, `any` and `not` are
`&`, `|` and `~`, and twenty rules over 200,000 combinations take milliseconds.

Left sides are taken as independent: that six months can bring no more than twelve is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from math import prod

from crmctl.errors import InvalidInput
from crmctl.policy.conditions import All, Any_, Bound, Compare, Condition, Figures, Not, bound, undecided
from crmctl.policy.evaluate import compared
from crmctl.policy.metrics import MOST_PLACES, Left, Value

MOST_POINTS = 200_000
OTHER = "…"  # a text or code that no rule names

Codes = Callable[[str], Collection[str] | None]
Point = dict[Left, Value]


@dataclass(frozen=True, slots=True)
class Unreachable:
    """A rule that is never the first to hold: the earlier ones in `behind` take its cases; none if it never holds."""

    rule: int
    behind: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two rules that hold together, for instance here."""

    first: int
    second: int
    example: Point


@dataclass(frozen=True, slots=True)
class Coverage:
    """What the analysis found; rules are counted from 0. Nothing was looked at unless `complete`."""

    points: int
    complete: bool
    unreachable: tuple[Unreachable, ...] = ()
    gap: Point | None = None  # an example of what no rule covers
    overlaps: tuple[Overlap, ...] = ()


@dataclass(frozen=True, slots=True)
class _Axis:
    """The points of one left side, and how many combinations pass before it moves on to the next."""

    left: Left
    points: tuple[Value, ...]
    stride: int


def analyse(rules: Sequence[Bound | None], codes: Codes, most: int = MOST_POINTS) -> Coverage:
    """Return what an ordered list of rules leaves out, repeats and never reaches; None is a rule that always holds.

    `codes` gives the codes that policies define of something, None where they define none. Beyond `most` combinations
    nothing is looked at, and the answer says so.
    """
    trees = [rule.tree if rule else None for rule in rules]
    axes = _axes([tree for tree in trees if tree is not None], codes)
    points = prod(len(axis.points) for axis in axes)
    if points > most:
        return Coverage(points, complete=False)
    everything = (1 << points) - 1
    sets = [everything if tree is None else _holding(tree, axes, points) for tree in trees]
    left_over, unreachable = everything, []
    for position, here in enumerate(sets):
        if not here & left_over:
            behind = tuple(earlier for earlier in range(position) if sets[earlier] & here)
            unreachable.append(Unreachable(position, behind))
        left_over &= ~here
    gap = _point(left_over, axes) if left_over else None
    return Coverage(points, True, tuple(unreachable), gap, tuple(_overlaps(sets, axes)))


def _overlaps(sets: Sequence[int], axes: Sequence[_Axis]) -> Iterator[Overlap]:
    for second, there in enumerate(sets):
        for first in range(second):
            both = sets[first] & there
            if both:
                yield Overlap(first, second, _point(both, axes))


def _axes(trees: Sequence[Condition], codes: Codes) -> list[_Axis]:
    operands: dict[Left, set[int | str | bool]] = {}
    for tree in trees:
        for compare in tree.comparisons():
            found = operands.setdefault(compare.left, set())
            if compare.operator != "exists":
                found.update(operand for operand in compare.operands if isinstance(operand, int | str))
    axes, stride = [], 1
    for left, found in operands.items():
        axes.append(_Axis(left, _points(left, found, codes), stride))
        stride *= len(axes[-1].points)
    return axes


def _points(left: Left, operands: Collection[int | str | bool], codes: Codes) -> tuple[Value, ...]:
    """Return one value for everything that the comparisons can tell apart; a missing one last."""
    metric = left.metric
    missing: tuple[Value, ...] = () if metric.always else (None,)
    if metric.type == "flag":
        return (False, True, *missing)
    if metric.numeric:
        return (*_numbers(left, sorted(operand for operand in operands if isinstance(operand, int))), *missing)
    used = sorted(operand for operand in operands if isinstance(operand, str))
    known = metric.codes or (codes(metric.what) if metric.what and not metric.open else None)
    others = sorted(set(known) - set(used)) if known else [OTHER]
    return (*used, *others[:1], *missing)


def _numbers(left: Left, operands: Sequence[int]) -> Iterator[int]:
    """Yield each operand and one number of each stretch between, below and above them, within what can be."""
    metric = left.metric
    least, most = metric.limits() if metric.type not in ("money", "number") else (None, None)
    if not operands:
        yield least or 0
        return
    if least is None or operands[0] > least:
        yield operands[0] - 1
    for position, operand in enumerate(operands):
        yield operand
        following = operands[position + 1] if position + 1 < len(operands) else None
        if (following is None and (most is None or operand < most)) or (following or 0) > operand + 1:
            yield operand + 1


def _holding(tree: Condition, axes: Sequence[_Axis], points: int) -> int:
    """Return the set of combinations where a condition holds."""
    match tree:
        case All(parts):
            return reduce(int.__and__, (_holding(part, axes, points) for part in parts))
        case Any_(parts):
            return reduce(int.__or__, (_holding(part, axes, points) for part in parts))
        case Not(part):
            return ((1 << points) - 1) & ~_holding(part, axes, points)
        case Compare(left):
            axis = next(axis for axis in axes if axis.left == left)
            return _striped([compared(tree, value) for value in axis.points], axis.stride, points)
    raise TypeError(type(tree).__name__)


def _striped(held: Sequence[bool], stride: int, points: int) -> int:
    """Return the combinations whose value on one axis is among those held: stripes, repeated over all."""
    run = (1 << stride) - 1
    stripe = sum(run << (position * stride) for position, one in enumerate(held) if one)
    period = stride * len(held)
    while period < points:  # doubled until it covers all, then cut
        stripe |= stripe << period
        period *= 2
    return stripe & ((1 << points) - 1)


def _point(found: int, axes: Sequence[_Axis]) -> Point:
    """Return the first combination of a set."""
    position = (found & -found).bit_length() - 1
    return {axis.left: axis.points[position // axis.stride % len(axis.points)] for axis in axes}


def numbered(conditions: Sequence[Condition | None], figure: Figures) -> list[Bound | None] | None:
    """Return conditions to analyse, with their numbers; None while one is undecided or no number (said elsewhere)."""
    rules: list[Bound | None] = []
    for condition in conditions:
        if condition is None:
            rules.append(None)
            continue
        try:
            if undecided(condition, figure):
                return None
            rules.append(bound(condition, figure, MOST_PLACES))
        except InvalidInput:
            return None
    return rules
