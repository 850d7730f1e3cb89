"""`policy schema KIND --template`: a file of a kind to fill in.

What must be there comes first, with values of the right form, `…` where only the company knows. What may be there
stands behind `#`, with its default or an example: a line means what it says once its sign is removed, from outside in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from crmctl.i18n import _
from crmctl.policy.conditions import Condition
from crmctl.policy.header import Header, scope_of
from crmctl.policy.kinds import Kind
from crmctl.policy.model import CODE_PATTERN, ClauseRef, Reference, ValueRef
from crmctl.policy.scalars import misread
from crmctl.policy.shapes import fields, is_model, item_type, value_type

DEEPEST = 8
WIDTH = 44  # where meanings begin
BLANK = "…"
_STEP = "  "
_EXAMPLES: Mapping[str, str] = {
    CODE_PATTERN: "code",
    ValueRef.pattern: "$name",
    ClauseRef.pattern: '"001 §1"',
    r"^[a-z][a-z0-9_]*$": "name",
    r"^§\S.*$": '"§1"',
    r"^\S+$": '"001"',
    "^[A-Z]{2}$": "CN",
    "^[A-Z]{3}$": "CNY",
}


class _Shape(NamedTuple):
    """One of the types a value may have, with the constraints written beside it."""

    kind: Any
    notes: tuple[Any, ...]


def template(kind: Kind) -> str:
    """Return the text of the file."""
    given = {"kind": kind.name, "schema": "1", "version": "1"}
    lines = [
        schema_line(kind.name),
        f"# {_(kind.meaning)}",
        "#",
        "# " + _("Fill in what stands here; remove the # before whatever else you need."),
    ]
    for name, info in _ordered(Header):
        if name in given:
            lines.append(_told(f"{name}: {given[name]}", info))
        elif name == "scope":
            if not kind.model().scopes:
                continue  # such a policy is for everybody: there is nothing to fill in
            usable = copy(info)
            usable.annotation = scope_of(kind.model().scopes)
            lines += _field(name, usable, 0)
        elif name != "settings":
            lines += _field(name, info, 0)
    lines += ["", "settings:", *_indented(_model(kind.model(), 0))]
    return "\n".join(map(_aligned, lines)) + "\n"


def schema_line(kind: str) -> str:
    """Return the line by which editors find the schema of a file that lies in a workspace's folder of policies."""
    return f"# yaml-language-server: $schema=schema/{kind}.json"


def _ordered(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    return sorted(fields(model).items(), key=lambda item: not item[1].is_required())


def _model(model: type[BaseModel], depth: int) -> Iterator[str]:
    """Yield the lines of a model's fields; the first is never behind `#`, for something must stand there."""
    for position, (name, info) in enumerate(_ordered(model)):
        yield from _field(name, info, depth, shown=position == 0)


def _field(name: str, info: FieldInfo, depth: int, *, shown: bool = False) -> Iterator[str]:
    lines = list(_entry(name, info, depth))
    yield from lines if shown or info.is_required() else (f"# {line}" for line in lines)


def _entry(name: str, info: FieldInfo, depth: int) -> Iterator[str]:
    shapes = [_Shape(shape.kind, (*info.metadata, *shape.notes)) for shape in _shapes(info.annotation)]
    deeper = next((shape.kind for shape in shapes if _has_model(shape.kind)), None)
    if info.examples:
        yield _told(f"{name}: {_scalar(info.examples[0])}", info)
    elif deeper is not None and depth < DEEPEST:
        yield _told(f"{name}:", info)
        yield from _indented(_lines(deeper, depth + 1))
    else:
        default = None if info.is_required() else info.get_default(call_default_factory=True, validated_data={})
        text = _scalar(default) if isinstance(default, str | int | tuple) and default != () else _inline(shapes[0])
        yield _told(f"{name}: {text}", info)


def _lines(kind: Any, depth: int) -> Iterator[str]:
    """Yield the lines of something with a model inside: the model, a list, a mapping."""
    if is_model(kind):
        yield from _model(kind, depth)
        return
    item, value = item_type(kind), value_type(kind)
    inner = next(shape.kind for shape in _shapes(item or value) if _has_model(shape.kind))
    lines = list(_lines(inner, depth + 1))
    if item is not None:
        yield f"- {lines[0]}"
        yield from _indented(lines[1:])
    else:
        yield f"{_inline(next(_shapes(get_args(kind)[0])))}:"
        yield from _indented(lines)


def _shapes(annotation: Any, notes: tuple[Any, ...] = ()) -> Iterator[_Shape]:
    """Yield the plain types of an annotation, each with its constraints; None is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *more = get_args(annotation)
        flat = [part for note in more for part in (note.metadata if isinstance(note, FieldInfo) else [note])]
        yield from _shapes(inner, (*flat, *notes))
    elif origin is not None and item_type(annotation) is None and value_type(annotation) is None and origin != Literal:
        for part in get_args(annotation):
            yield from _shapes(part, notes)
    elif annotation is not type(None):
        yield _Shape(annotation, notes)


def _has_model(annotation: Any) -> bool:
    inner = item_type(annotation) or value_type(annotation)
    return is_model(annotation) or (inner is not None and any(_has_model(shape.kind) for shape in _shapes(inner)))


def _inline(shape: _Shape) -> str:
    """Return an example of a type without models inside, in one line."""
    kind = shape.kind
    if get_origin(kind) is Literal:
        return _scalar(get_args(kind)[0])
    if item_type(kind) is not None:
        least = max([1, *_noted(shape, "min_length")])
        return f"[{', '.join([_inline(next(_shapes(item_type(kind))))] * least)}]"
    if value_type(kind) is not None:
        value = _inline(next(_shapes(value_type(kind))))
        return "{" + ", ".join(f"{key}: {value}" for key in _keys(get_args(kind)[0])) + "}"
    if isinstance(kind, type) and issubclass(kind, Condition):
        return "{annual_amount: {gte: 1}}"
    return _simple(shape)


def _simple(shape: _Shape) -> str:
    kind = shape.kind
    pattern = kind.pattern if isinstance(kind, type) and issubclass(kind, Reference) else None
    pattern = next(iter(_noted(shape, "pattern")), pattern)
    if kind in (int, Decimal):
        return str(max([1, *_noted(shape, "ge"), *(limit + 1 for limit in _noted(shape, "gt"))]))
    examples = {bool: "true", date: "2026-01-01"}
    return examples.get(kind) or _EXAMPLES.get(str(pattern), BLANK)


def _noted(shape: _Shape, name: str) -> list[Any]:
    """Return what the constraints beside a type say under a name."""
    return [found for note in shape.notes if (found := getattr(note, name, None)) is not None]


def _keys(annotation: Any) -> tuple[str, ...]:
    shape = next(_shapes(annotation))
    return get_args(shape.kind) if get_origin(shape.kind) is Literal else (_inline(shape),)


def _scalar(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_scalar(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) and misread(value) and value != "off" else str(value)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"{_STEP}{line}" for line in lines)


def _told(text: str, info: FieldInfo) -> str:
    """Return a line with the field's meaning behind it, to be aligned once the line has its place."""
    return f"{text}\t{_(info.description)}" if info.description else text


def _aligned(line: str) -> str:
    text, tab, meaning = line.partition("\t")
    return f"{text:<{WIDTH}}  # {meaning}" if tab else line
