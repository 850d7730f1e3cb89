"""Conditions in `policy schema`: JSON Schema for editors, rows for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from crmctl.i18n import N_, _
from crmctl.policy.conditionfile import OVER, operators_of
from crmctl.policy.conditions import LISTS, MARKER, Operator
from crmctl.policy.metrics import METRICS, Metric
from crmctl.policy.model import ValueRef

NAME = "Condition"
REFERENCE = {"$ref": f"#/$defs/{NAME}"}
WINDOW_PATTERN = "^[1-9][0-9]{0,4} (day|week|month|year)s?$"

GROUPS = (
    ("all", N_("every one of these conditions holds")),
    ("any", N_("at least one of these conditions holds")),
    ("not", N_("this condition does not hold")),
)


def place(schema: dict[str, Any]) -> None:
    """Put the definition of a condition into a JSON Schema, wherever a field of it holds one."""
    if _refer(schema):
        schema.setdefault("$defs", {})[NAME] = definition()


def _refer(node: Any) -> bool:
    """Turn every marker below `node` into a reference; say whether there was one."""
    if isinstance(node, list):
        return True in [_refer(part) for part in node]
    if not isinstance(node, dict):
        return False
    if node.pop(MARKER, False):
        del node["type"]
        node.update(REFERENCE)
        return True
    return True in [_refer(part) for part in node.values()]


def definition() -> dict[str, Any]:
    """Return the JSON Schema of a condition."""
    several = {"type": "array", "minItems": 1, "items": REFERENCE}
    properties: dict[str, Any] = {
        name: {**(REFERENCE if name == "not" else several), "description": _(meaning)} for name, meaning in GROUPS
    }
    properties.update((metric.name, _comparisons(metric)) for metric in METRICS)
    return {"type": "object", "minProperties": 1, "additionalProperties": False, "properties": properties}


def _comparisons(metric: Metric) -> dict[str, Any]:
    properties = {operator: _operand(metric, operator) for operator in operators_of(metric)}
    found = {"type": "object", "additionalProperties": False, "description": _(metric.label), "minProperties": 1}
    if metric.windowed:
        over = {"type": "string", "pattern": WINDOW_PATTERN}
        return {**found, "properties": {OVER: over, **properties}, "required": [OVER], "minProperties": 2}
    return {**found, "properties": properties}


def _operand(metric: Metric, operator: Operator) -> dict[str, Any]:
    if operator == "exists":
        return {"type": "boolean"}
    one = _one(metric)
    if operator not in LISTS:
        return one
    length = {"minItems": 2, "maxItems": 2} if operator == "between" else {"minItems": 1}
    return {"type": "array", "items": one, **length}


def _one(metric: Metric) -> dict[str, Any]:
    if metric.type == "flag":
        return {"type": "boolean"}
    if metric.codes:
        return {"enum": list(metric.codes)}
    if not metric.numeric:
        return {"type": "string", **({"pattern": metric.code_pattern} if metric.type == "code" else {"minLength": 1})}
    least, most = metric.limits()
    number = {"type": "number" if metric.most_places() else "integer", "minimum": least, "maximum": most}
    return {"anyOf": [number, {"type": "string", "pattern": ValueRef.pattern}]}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield what a condition may hold: key, type, meaning."""
    for name, meaning in GROUPS:
        yield name, _("condition") if name == "not" else _("list of {items}").format(items=_("condition")), _(meaning)
    for metric in METRICS:
        over = f"{OVER}, " if metric.windowed else ""
        yield metric.name, f"{_kind(metric)}: {over}{', '.join(operators_of(metric))}", _(metric.label)


def _kind(metric: Metric) -> str:
    if metric.type == "code":
        return _("code of {what}").format(what=metric.what) if metric.what else " | ".join(metric.codes)
    words = {
        "money": _("amount"),
        "number": _("number"),
        "count": _("number"),
        "days": _("days"),
        "percent": _("percent"),
        "text": _("text"),
        "flag": "true | false",
    }
    return words[metric.type]
