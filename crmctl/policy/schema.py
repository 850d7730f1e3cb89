"""What a policy kind may contain: a table for people, JSON Schema for editors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from crmctl.i18n import _, lang
from crmctl.policy import conditionschema
from crmctl.policy.conditions import Condition
from crmctl.policy.header import Header, scope_of
from crmctl.policy.kinds import KINDS, Kind
from crmctl.policy.model import Reference
from crmctl.policy.shapes import alternatives, fields, is_model, item_type, value_type

DEEPEST = 8


class Row(NamedTuple):
    """One field: its path (`[]` a list's items, `*` any key), type, whether it must be there, default, meaning."""

    name: str
    type: str
    required: bool
    default: str
    meaning: str


def rows(model: type[BaseModel], prefix: str = "", depth: int = 0) -> Iterator[Row]:
    """Yield the fields of a model and of the models inside it."""
    for name, info in fields(model).items():
        path = f"{prefix}{name}"
        meaning = _(info.description) if info.description else ""
        yield Row(path, type_text(info.annotation), info.is_required(), default_text(info), meaning)
        if depth < DEEPEST:
            for kind, inside in _inside(info.annotation, path):
                yield from rows(kind, f"{inside}.", depth + 1)


def _inside(annotation: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:  # noqa: ANN401
    for kind in alternatives(annotation):
        if is_model(kind):
            yield kind, path
        elif item_type(kind) is not None:
            yield from _inside(item_type(kind), f"{path}[]")
        elif value_type(kind) is not None:
            yield from _inside(value_type(kind), f"{path}.*")


def select(found: list[Row], field: str) -> list[Row]:
    """Return the rows of `field` (written without `[]` and `*`) and of what lies below it; of a condition, its keys."""
    chosen = [row for row in found if (plain := plain_name(row.name)) == field or plain.startswith(f"{field}.")]
    several = _("list of {items}").format(items=_("condition"))
    if len(chosen) == 1 and chosen[0].type in (_("condition"), several):
        prefix = chosen[0].name + ("[]" if chosen[0].type == several else "")
        chosen += [Row(f"{prefix}.{key}", kind, False, "", told) for key, kind, told in conditionschema.rows()]
    return chosen


def plain_name(name: str) -> str:
    """Return a row's path without the signs for items and keys."""
    return name.replace("[]", "").replace(".*", "")


def type_text(annotation: Any) -> str:  # noqa: ANN401  a type annotation can be anything
    """Return a type in words."""
    kinds = list(alternatives(annotation))
    if Decimal in kinds and int in kinds:
        kinds.remove(int)
    return _(" or ").join(dict.fromkeys(_one_type(kind) for kind in kinds))


def _one_type(kind: Any) -> str:  # noqa: ANN401
    if get_origin(kind) is Literal:
        return " | ".join(_plain(choice) for choice in get_args(kind))
    if item_type(kind) is not None:
        return _("list of {items}").format(items=type_text(item_type(kind)))
    if value_type(kind) is not None:
        return _("mapping of {items}").format(items=type_text(value_type(kind)))
    if is_model(kind):
        return _("mapping")
    if isinstance(kind, type) and issubclass(kind, Condition):
        return _("condition")
    if isinstance(kind, type) and issubclass(kind, Reference):
        return {"value": "$name", "clause": _("clause")}.get(kind.what) or _("code of {what}").format(what=kind.what)
    words = {str: _("text"), int: _("whole number"), Decimal: _("number"), bool: "true | false", date: _("date")}
    return words.get(kind) or _("anything")


def default_text(info: FieldInfo) -> str:
    """Return a field's default as a file would write it; empty where there is none."""
    value = info.get_default(call_default_factory=True, validated_data={}) if not info.is_required() else None
    if value is None or value == () or value == {} or isinstance(value, BaseModel):
        return ""
    return ", ".join(map(_plain, value)) if isinstance(value, tuple) else _plain(value)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_schema(kind: Kind) -> dict[str, Any]:
    """Return the JSON Schema of a whole file of a kind, header included; keys `x-…` are the user's own.

    Meanings are in the reader's language.
    """
    kind_type: Any = Literal[kind.name]
    settings = kind.model()
    scope: Any = scope_of(settings.scopes)
    whole = create_model(
        "PolicyFile",
        __base__=Header,
        kind=(kind_type, ...),
        scope=(scope, Header.model_fields["scope"]),
        settings=(settings, ...),
    )
    found = whole.model_json_schema(by_alias=True)
    conditionschema.place(found)
    _finish(found)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": f"crmctl policy: {kind.name}"}


def cases_schema() -> dict[str, Any]:
    """Return the JSON Schema of a file of cases."""
    from crmctl.policy.casefile import CaseFile

    found = CaseFile.model_json_schema(by_alias=True)
    _finish(found)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "crmctl policy: tests"}


def json_texts() -> dict[str, str]:
    """Return the JSON Schema of every kind of policy, and of cases (`tests`), by name, in the reader's language."""
    return {**{kind.name: json_text(kind) for kind in KINDS}, "tests": _written(cases_schema())}


def json_text(kind: Kind) -> str:
    """Return the JSON Schema of a whole file of a kind, written out, in the reader's language."""
    return _json_text(kind, lang())


@cache
def _json_text(kind: Kind, language: str) -> str:
    return _written(json_schema(kind))


def _written(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _finish(node: Any) -> None:  # noqa: ANN401  any part of a JSON Schema
    if isinstance(node, Mapping):
        if isinstance(node, dict) and node.get("additionalProperties") is False:
            node["patternProperties"] = {"^x-": {}, **node.get("patternProperties", {})}
        if isinstance(node, dict) and isinstance(node.get("description"), str):
            node["description"] = _(node["description"])
        for part in node.values():
            _finish(part)
    elif isinstance(node, list):
        for part in node:
            _finish(part)
