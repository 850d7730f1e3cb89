"""Conditions: what a policy compares before it decides, as a tree of frozen dataclasses.

A condition is a mapping in the file: `{annual_amount: {gte: $core_annual_amount}}`. Several keys in one mapping mean
all of them; so do several operators under one left side; `all`, `any` and `not` combine. It means the same in Python
(`evaluate`) and in SQL (`conditionsql`), and has two values only: a comparison whose left side is missing is false
whatever the operator, `ne` and `not_in` included; `exists` asks for presence; `not` is plain negation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Literal, TypeAlias

from pydantic import GetCoreSchemaHandler
from pydantic import GetJsonSchemaHandler as JsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from crmctl.errors import InvalidInput, ValueUndecided
from crmctl.i18n import _
from crmctl.policy.metrics import Left, Metric
from crmctl.policy.model import Reference, ValueRef
from crmctl.policy.nodes import Path

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "between", "exists"]
OPERATORS: tuple[Operator, ...] = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "not_in", "between", "exists")
LISTS: frozenset[str] = frozenset({"in", "not_in", "between"})
GROUPS = ("all", "any", "not")
MARKER = "x-crmctl-condition"  # where a JSON Schema has a condition; schema.py puts the definition there
MOST = 2**63 - 1  # what both databases can compare

Operand: TypeAlias = "int | Decimal | str | bool"
Figures: TypeAlias = "Callable[[int | Decimal | ValueRef], Decimal | None]"


class Condition:
    """Base of All, Any_, Not and Compare, and the type of a settings field that holds a condition."""

    __slots__ = ()

    def comparisons(self) -> Iterator[Compare]:
        """Yield every comparison inside, in the order of the file."""
        yield from ()

    def lefts(self) -> tuple[Left, ...]:
        """Return the left sides it needs, each once."""
        return tuple(dict.fromkeys(compare.left for compare in self.comparisons()))

    def references(self) -> Iterator[tuple[Reference, Path]]:
        """Yield every `$name` and every code, with its place inside the condition."""
        for compare in self.comparisons():
            for position, operand in enumerate(compare.operands):
                if isinstance(operand, Reference):
                    yield operand, (*compare.at, position) if compare.operator in LISTS else compare.at

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _accepted, serialization=core_schema.plain_serializer_function_ser_schema(written)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: JsonSchemaHandler) -> dict[str, Any]:
        return {"type": "object", MARKER: True}


@dataclass(frozen=True, slots=True)
class All(Condition):
    """Every part holds."""

    parts: tuple[Condition, ...]

    def comparisons(self) -> Iterator[Compare]:
        """Yield every comparison inside."""
        for part in self.parts:
            yield from part.comparisons()


@dataclass(frozen=True, slots=True)
class Any_(Condition):
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def comparisons(self) -> Iterator[Compare]:
        """Yield every comparison inside."""
        for part in self.parts:
            yield from part.comparisons()


@dataclass(frozen=True, slots=True)
class Not(Condition):
    """The part does not hold; a missing left side inside makes its comparison false, and this true."""

    part: Condition

    def comparisons(self) -> Iterator[Compare]:
        """Yield every comparison inside."""
        yield from self.part.comparisons()


@dataclass(frozen=True, slots=True)
class Compare(Condition):
    """One comparison. As read, numbers are whole units or `$name`; bound, integers in the metric's smallest unit."""

    left: Left
    operator: Operator
    operands: tuple[Operand, ...]  # one, or those of a list
    at: Path = field(default=(), compare=False)  # where the operator stands inside the condition

    def comparisons(self) -> Iterator[Compare]:
        """Yield itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Bound:
    """A condition whose numbers are decided: integers, with money in minor units of so many decimals."""

    tree: Condition
    decimals: int

    def lefts(self) -> tuple[Left, ...]:
        """Return the left sides it needs, each once."""
        return self.tree.lefts()


@cache
def code_of(what: str) -> type[Reference]:
    """Return the type of references to a code of `what`: the loader checks them against the policies' codes."""
    parts = {"what": what, "__slots__": (), "__reduce__": lambda self: (_coded, (what, str(self)))}
    return type(f"{what}_code", (Reference,), parts)


def _coded(what: str, text: str) -> Reference:
    """Return a code again in another process, where its type is made anew."""
    return code_of(what)(text)


def undecided(condition: Condition, figure: Figures) -> tuple[str, ...]:
    """Return the names of the values the condition needs that `figure` does not know, each once."""
    names = [
        operand.name
        for compare in condition.comparisons()
        for operand in compare.operands
        if isinstance(operand, ValueRef) and figure(operand) is None
    ]
    return tuple(dict.fromkeys(names))


def bound(condition: Condition, figure: Figures, decimals: int) -> Bound:
    """Return the condition with every number decided; `decimals` are those of the home currency.

    `figure` gives a number in whole units, None while it is undecided. Raises ValueUndecided naming every such value,
    InvalidInput for a number finer than the metric or beyond 64 bits.
    """
    names = undecided(condition, figure)
    if names:
        raise ValueUndecided(
            _("not decided yet: {names}").format(names=", ".join(f"${name}" for name in names)),
            hint=_("set them under values in company.yaml"),
            details={"values": list(names)},
        )
    return Bound(_bound(condition, figure, decimals), decimals)


def _bound(condition: Condition, figure: Figures, decimals: int) -> Condition:
    match condition:
        case All(parts):
            return All(tuple(_bound(part, figure, decimals) for part in parts))
        case Any_(parts):
            return Any_(tuple(_bound(part, figure, decimals) for part in parts))
        case Not(part):
            return Not(_bound(part, figure, decimals))
        case Compare(left, operator, operands, at):
            return Compare(left, operator, tuple(_decided(left, each, figure, decimals) for each in operands), at)
    raise TypeError(type(condition).__name__)


def _decided(left: Left, operand: Operand, figure: Figures, decimals: int) -> int | str | bool:
    if isinstance(operand, bool):
        return operand
    if isinstance(operand, str) and not isinstance(operand, ValueRef):
        return str(operand)
    number = figure(operand)
    assert number is not None  # else `undecided` has named it
    return smallest(left.metric, number, decimals, str(operand))


def smallest(metric: Metric, number: Decimal, decimals: int, name: str) -> int:
    """Return a number in the metric's smallest unit, exactly; `name` is what the file calls it.

    Raises InvalidInput for a number finer than that unit or beyond 64 bits.
    """
    places = decimals if metric.type == "money" else metric.places
    scaled = number.scaleb(places)
    if scaled != scaled.to_integral_value():
        raise InvalidInput(
            _("{metric}: {number} has more decimals than its {places}").format(
                metric=metric.name, number=name, places=places
            ),
            hint=_("round it in the policy"),
        )
    if abs(scaled) > MOST:
        raise InvalidInput(_("{metric}: {number} is too large").format(metric=metric.name, number=name))
    return int(scaled)


def written(condition: Condition) -> dict[str, Any]:
    """Return a condition as a file writes it; comparisons that must all hold share one mapping where they can."""
    match condition:
        case All(parts):
            return _merged([written(part) for part in parts])
        case Any_(parts):
            return {"any": [written(part) for part in parts]}
        case Not(part):
            return {"not": written(part)}
        case Compare(left, operator, operands):
            told = [_plain(operand) for operand in operands]
            over = {"over": left.window.text} if left.window else {}
            return {left.metric.name: {**over, operator: told if operator in LISTS else told[0]}}
    raise TypeError(type(condition).__name__)


def _merged(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the parts in one mapping, else under `all` where a key would stand twice with another meaning."""
    found: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            before = found.setdefault(key, {})
            if not before:
                found[key] = value
            elif _agree(key, before, value):
                found[key] = {**before, **value}
            else:
                return {"all": parts}
    return found


def _agree(key: str, one: Any, other: Any) -> bool:
    """Say whether the operators of two mappings of one left side can stand in one mapping."""
    if key in GROUPS or one.get("over") != other.get("over"):
        return False
    return not ((one.keys() & other.keys()) - {"over"})


def _plain(operand: Operand) -> Any:
    return str(operand) if isinstance(operand, str) else operand


def _accepted(data: Any) -> Condition:
    if isinstance(data, Condition):
        return data
    from crmctl.policy.conditionfile import parsed

    return parsed(data)
