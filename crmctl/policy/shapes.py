"""The shape of settings models, walked by path: which fields are allowed at a place, and what a field accepts."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

Step = str | int


def alternatives(annotation: Any) -> Iterator[Any]:  # noqa: ANN401  a type annotation can be anything
    """Yield the plain types an annotation stands for, without Annotated and unions; None is left out."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from alternatives(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from alternatives(part)
    elif annotation is not type(None):
        yield annotation


def fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return a model's fields by the name the file uses."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def item_type(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type of a list's items, or None when it is no list."""
    if get_origin(annotation) in (list, tuple, set, frozenset):
        arguments = get_args(annotation)
        return arguments[0] if arguments else None
    return None


def value_type(annotation: Any) -> Any:  # noqa: ANN401
    """Return the type of a mapping's values, or None when it is no mapping."""
    arguments = get_args(annotation)
    return arguments[1] if get_origin(annotation) in (dict, Mapping) and len(arguments) == 2 else None


def types_at(annotation: Any, path: Sequence[Step]) -> list[Any]:  # noqa: ANN401
    """Return the plain types a value at `path` may have; steps that lead nowhere (union branches) are passed over."""
    found = list(alternatives(annotation))
    for step in path:
        further = [part for kind in found for part in _step(kind, step)]
        found = further or found
    return found


def _step(kind: Any, step: Step) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(step, int):
        yield from alternatives(item_type(kind))
    elif is_model(kind):
        field = fields(kind).get(step)
        if field is not None:
            yield from alternatives(field.annotation)
    else:
        yield from alternatives(value_type(kind))


def is_model(kind: Any) -> bool:  # noqa: ANN401
    """Return whether a type is a pydantic model."""
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def keys_at(annotation: Any, path: Sequence[Step]) -> set[str]:  # noqa: ANN401
    """Return the keys allowed in the mapping at `path`; empty when any is."""
    return {name for kind in types_at(annotation, path) if is_model(kind) for name in fields(kind)}
