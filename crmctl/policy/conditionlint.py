"""What conditions get wrong that only company.yaml shows: values of another unit, too fine, in the wrong order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from pydantic import BaseModel

from crmctl.i18n import _
from crmctl.policy.conditions import Compare, Condition, Operand
from crmctl.policy.metrics import Metric, Type
from crmctl.policy.model import Finding, Settings, ValueRef
from crmctl.policy.nodes import Path
from crmctl.policy.policyset import Known
from crmctl.policy.shapes import alternatives, fields, is_model, item_type, value_type

_UNITS: Mapping[Type, tuple[str, ...]] = {
    "money": ("yuan", "wan_yuan"),
    "number": ("points", "count", "percent"),
    "count": ("count",),
    "days": ("days",),
    "percent": ("percent",),
}


def findings(settings: Settings, known: Known) -> Iterator[Finding]:
    """Yield what is wrong with the values that conditions anywhere in the settings refer to."""
    for condition, at in conditions(settings, ()):
        for compare in condition.comparisons():
            yield from _comparison(compare, at, known)


def conditions(value: object, at: Path) -> Iterator[tuple[Condition, Path]]:
    """Yield every condition in settings, with its place."""
    if isinstance(value, Condition):
        yield value, at
    elif isinstance(value, Settings):
        for name, key in _fields(type(value)):
            yield from conditions(getattr(value, name), (*at, key))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from conditions(item, (*at, str(key)))
    elif isinstance(value, tuple | list):
        for position, item in enumerate(value):
            yield from conditions(item, (*at, position))


@cache
def _fields(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Return the fields below which a condition may stand, as the model and as the file call them."""
    return tuple(
        (name, info.alias or name) for name, info in model.model_fields.items() if _reaches(info.annotation, (model,))
    )


def _reaches(annotation: Any, above: tuple[type[BaseModel], ...]) -> bool:
    for kind in alternatives(annotation):
        inner = item_type(kind) or value_type(kind)
        if inner is not None and _reaches(inner, above):
            return True
        if is_model(kind):  # what nests itself is searched
            if kind in above or any(_reaches(info.annotation, (*above, kind)) for info in fields(kind).values()):
                return True
        elif isinstance(kind, type) and issubclass(kind, Condition):
            return True
    return False


def _comparison(compare: Compare, at: Path, known: Known) -> Iterator[Finding]:
    metric = compare.left.metric
    if not metric.numeric:
        return
    places = dict(compare.references())
    numbers = [_number(operand, known) for operand in compare.operands]
    for operand, number in zip(compare.operands, numbers, strict=True):
        if isinstance(operand, ValueRef):
            yield from _value(metric, operand, number, (*at, *places[operand]), known)
    if compare.operator == "between" and None not in numbers and numbers[0] > numbers[1]:  # type: ignore[operator]
        yield Finding(
            (*at, *compare.at),
            _("the least ({least}) is above the greatest ({most})").format(least=numbers[0], most=numbers[1]),
            _("nothing would fit; write the smaller number first"),
        )


def _number(operand: Operand, known: Known) -> Decimal | None:
    return known.figure(operand) if isinstance(operand, int | Decimal | ValueRef) else None


def _value(metric: Metric, value: ValueRef, number: Decimal | None, at: Path, known: Known) -> Iterator[Finding]:
    entry = known.values.get(value.name)
    if entry is None:
        return  # told as a reference to nothing
    wanted = _UNITS[metric.type]
    if entry.unit is not None and entry.unit not in wanted:
        message = _("{name} is in {unit}, {metric} is not").format(name=value, unit=entry.unit, metric=metric.name)
        yield Finding(at, message, _("allowed: {names}").format(names=", ".join(wanted)))
        return
    if number is None:
        return
    least, most = metric.limits()
    if not least <= number <= most:
        message = _("{name} is {number}, out of range for {metric}").format(
            name=value, number=number, metric=metric.name
        )
        yield Finding(at, message, _("from {least} to {most}").format(least=least, most=most))
    elif number.scaleb(metric.most_places()) % 1:
        message = _("{name} is {number}: finer than {metric} is counted").format(
            name=value, number=number, metric=metric.name
        )
        yield Finding(at, message, _("round it in company.yaml"))
