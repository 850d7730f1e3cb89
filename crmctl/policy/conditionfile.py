"""From the plain data of a policy file to a condition: every mistake is told at its place, in one pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TypeGuard

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from crmctl.i18n import _
from crmctl.policy.conditions import (
    GROUPS,
    LISTS,
    OPERATORS,
    All,
    Any_,
    Compare,
    Condition,
    Not,
    Operand,
    Operator,
    code_of,
)
from crmctl.policy.metrics import BY_NAME, Left, Metric
from crmctl.policy.model import ValueRef, Wrong
from crmctl.policy.nodes import Path
from crmctl.policy.problems import shown, suggest
from crmctl.policy.windows import Window, window

EQUALITY: tuple[Operator, ...] = ("eq", "ne", "in", "not_in", "exists")
OVER = "over"
MOST_OPERANDS = 500  # in one condition; SQLite takes expressions up to 1000 deep


def operators_of(metric: Metric) -> tuple[Operator, ...]:
    """Return the operators a metric can be compared with."""
    if metric.numeric:
        return OPERATORS
    return ("eq", "ne", "exists") if metric.type == "flag" else EQUALITY


def parsed(data: object) -> Condition:
    """Return the condition that plain data says. Raises pydantic's ValidationError with every fault."""
    faults = Faults()
    found = _mapping(data, (), faults)
    if found is not None and sum(len(compare.operands) for compare in found.comparisons()) > MOST_OPERANDS:
        faults.wrong((), "P207", _("more than {limit} things to compare with").format(limit=MOST_OPERANDS))
    if faults.found or found is None:
        raise ValidationError.from_exception_data("Condition", faults.found)
    return found


class Faults:
    """Gathers what is wrong with one thing of a file; places are counted from its root."""

    def __init__(self) -> None:
        self.found: list[InitErrorDetails] = []

    def wrong(self, at: Path, code: str, message: str, hint: str = "", *, on_key: bool = False) -> None:
        """Note a fault in our words."""
        told = Wrong(message, hint, code=code, on_key=on_key)
        self.found.append({"type": "value_error", "loc": at, "input": None, "ctx": {"error": told}})

    def known(self, at: Path, kind: str, **context: object) -> None:
        """Note a fault that has its words already, for every model."""
        self.found.append({"type": kind, "loc": at, "input": None, "ctx": context})

    def take(self, error: ValidationError, at: Path | None = None) -> None:
        """Note the faults of something inside, all of them at `at` where that is given."""
        for detail in error.errors(include_url=False):
            loc = detail["loc"] if at is None else at
            self.found.append({"type": detail["type"], "loc": loc, "input": None, "ctx": detail.get("ctx", {})})


def _mapping(data: object, at: Path, faults: Faults) -> Condition | None:
    if not isinstance(data, dict):
        faults.known(at, "dict_type")
        return None
    if not data:
        faults.wrong(at, "P207", _("an empty condition"), _("leave it out, or name what is compared"))
    return _joined([_part(key, value, (*at, key), faults) for key, value in data.items()])


def _joined(parts: list[Condition | None]) -> Condition | None:
    sound = [part for part in parts if part is not None]
    if len(sound) < len(parts) or not sound:
        return None
    return sound[0] if len(sound) == 1 else All(tuple(sound))


def _part(key: str, data: object, at: Path, faults: Faults) -> Condition | None:
    if key == "not":
        inside = _mapping(data, at, faults)
        return None if inside is None else Not(inside)
    if key in GROUPS:
        parts = _list(data, at, faults)
        return None if parts is None else All(parts) if key == "all" else Any_(parts)
    if key in BY_NAME:
        return _comparisons(BY_NAME[key], data, at, faults)
    hint = suggest(key, [*BY_NAME, *GROUPS]) or _("see: crmctl policy schema")
    if key in OPERATORS:
        hint = _("name first what is compared: {{annual_amount: {{{operator}: …}}}}").format(operator=key)
    faults.wrong(at, "P103", _("nothing of that name can be compared"), hint, on_key=True)
    return None


def _list(data: object, at: Path, faults: Faults) -> tuple[Condition, ...] | None:
    if not isinstance(data, list):
        faults.known(at, "list_type")
        return None
    if not data:
        faults.wrong(at, "P207", _("must not be empty"))
        return None
    parts = [_mapping(part, (*at, position), faults) for position, part in enumerate(data)]
    for position, part in enumerate(parts):
        if part is not None and part in parts[:position]:
            faults.wrong((*at, position), "P301", _("repeats item {number}").format(number=parts.index(part) + 1))
    sound = [part for part in parts if part is not None]
    return tuple(sound) if len(sound) == len(parts) else None


def _comparisons(metric: Metric, data: object, at: Path, faults: Faults) -> Condition | None:
    if not isinstance(data, dict):
        hint = _("write {metric}: {{{operator}: …}}").format(metric=metric.name, operator=operators_of(metric)[0])
        faults.wrong(at, "P201", _("an operator is wanted"), hint)
        return None
    over = _window(metric, data, at, faults)
    left = Left(metric, over)
    operators = [key for key in data if key != OVER]
    if not operators:
        allowed = ", ".join(operators_of(metric))
        faults.wrong(at, "P207", _("an operator is wanted"), _("allowed: {names}").format(names=allowed))
    return _joined([_compare(left, key, data[key], (*at, key), faults) for key in operators])


def _window(metric: Metric, data: Mapping[str, object], at: Path, faults: Faults) -> Window | None:
    if metric.windowed and OVER not in data:
        message = _("a window is wanted: over how long {metric} is counted").format(metric=metric.name)
        faults.wrong(at, "P105", message, _("for example over: 12 months"), on_key=True)
    if OVER not in data:
        return None
    written = data[OVER]
    if not metric.windowed:
        message = _("{metric} is not counted over a window").format(metric=metric.name)
        faults.wrong((*at, OVER), "P103", message, _("remove it"), on_key=True)
        return None
    found = window(written) if isinstance(written, str) else None
    if found is None:
        message = _("not a window, or longer than a hundred years")
        faults.wrong((*at, OVER), "P205", message, _("a number and days, weeks, months or years: 12 months"))
    return found


def _compare(left: Left, key: str, data: object, at: Path, faults: Faults) -> Compare | None:
    metric, allowed = left.metric, operators_of(left.metric)
    if key not in OPERATORS:
        hint = suggest(key, [*allowed, *([OVER] if metric.windowed else [])])
        faults.wrong(at, "P103", _("unknown operator"), hint, on_key=True)
        return None
    operator: Operator = key
    if operator not in allowed:
        message = _("{operator} does not compare {metric}").format(operator=key, metric=metric.name)
        faults.wrong(at, "P203", message, _("allowed: {names}").format(names=", ".join(allowed)), on_key=True)
        return None
    if operator == "exists":
        if not isinstance(data, bool):
            faults.known(at, "bool_type")
        return Compare(left, operator, (bool(data),), at)
    if operator not in LISTS:
        single = _operand(metric, data, at, faults)
        return None if single is None else Compare(left, operator, (single,), at)
    operands = _operands(metric, data, operator, at, faults)
    return None if operands is None else Compare(left, operator, operands, at)


def _operands(metric: Metric, data: object, operator: str, at: Path, faults: Faults) -> tuple[Operand, ...] | None:
    if not isinstance(data, list):
        faults.known(at, "list_type")
        return None
    if not data:
        faults.wrong(at, "P207", _("must not be empty"))
        return None
    found = [_operand(metric, item, (*at, position), faults) for position, item in enumerate(data)]
    for position, item in enumerate(found):
        if item is not None and item in found[:position] and operator != "between":
            message = _("repeats item {number}").format(number=found.index(item) + 1)
            faults.wrong((*at, position), "P301", message)
    if operator == "between" and len(data) != 2:
        faults.wrong(at, "P207", _("two numbers are wanted, the least and the greatest"))
        return None
    sound = tuple(item for item in found if item is not None)
    if len(sound) < len(found):
        return None
    if operator == "between" and _is_number(sound[0]) and _is_number(sound[1]) and sound[0] > sound[1]:
        faults.wrong(at, "P301", _("the least is above the greatest"), _("write the smaller number first"))
    return sound


def _operand(metric: Metric, data: object, at: Path, faults: Faults) -> Operand | None:
    if metric.numeric:
        return _number(metric, data, at, faults)
    if metric.type == "flag":
        if not isinstance(data, bool):
            faults.known(at, "bool_type")
            return None
        return data
    return _text(metric, data, at, faults)


def _text(metric: Metric, data: object, at: Path, faults: Faults) -> str | None:
    if not isinstance(data, str):
        faults.known(at, "string_type")
        return None
    if metric.type == "text":
        if not data:
            faults.wrong(at, "P207", _("must not be empty"))
        return data
    if metric.codes:
        if data not in metric.codes:
            message = _("no {what} '{code}'").format(what=metric.name, code=shown(data))
            faults.wrong(at, "P307", message, suggest(data, metric.codes))
        return data
    pattern = metric.code_pattern
    if not re.match(pattern, data) or len(data) > 100:
        faults.known(at, "string_pattern_mismatch", pattern=pattern)
        return None
    return code_of(metric.what)(data)


def _number(metric: Metric, data: object, at: Path, faults: Faults) -> Operand | None:
    if isinstance(data, str) and data.startswith("$"):
        if not re.match(ValueRef.pattern, data) or len(data) > 100:
            faults.known(at, "string_pattern_mismatch", pattern=ValueRef.pattern)
            return None
        return ValueRef(data)
    if not _is_number(data):
        faults.wrong(at, "P201", _("a number or $name is wanted"), _("the names are in company.yaml"))
        return None
    places, (least, most) = metric.most_places(), metric.limits()
    if not least <= data <= most:
        limits = _("from {least} to {most}").format(least=least, most=most)
        faults.wrong(at, "P204", _("out of range"), limits)
    elif data.as_integer_ratio()[1] != 1 and Decimal(data).scaleb(places) % 1:
        message = (
            _("a whole number is wanted") if not places else _("more than {places} decimals").format(places=places)
        )
        faults.wrong(at, "P204", message)
    return data


def _is_number(data: object) -> TypeGuard[int | Decimal]:
    return isinstance(data, int | Decimal) and not isinstance(data, bool)
