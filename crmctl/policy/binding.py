"""From plain data to settings: pydantic decides, its errors are told in our words at the place in the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from crmctl.i18n import _
from crmctl.policy.model import PATTERN_HINTS, Settings, Wrong
from crmctl.policy.nodes import Fields, Found, Items, Node, Path, Scalar, Step, dotted, follow
from crmctl.policy.problems import Mark, Report, shown, suggest
from crmctl.policy.scalars import Plain, misread
from crmctl.policy.shapes import keys_at

Model = TypeVar("Model", bound=Settings)


@dataclass(frozen=True, slots=True)
class _Fault:
    """One pydantic error, found again in the tree."""

    kind: str
    location: Path
    context: Mapping[str, Any]
    reason: str
    found: Found
    prefix: Path
    model: type[Settings]

    @property
    def field(self) -> str:
        return dotted((*self.prefix, *self.found.path))

    @property
    def last(self) -> str:
        return str(self.found.path[-1]) if self.found.path else ""

    @property
    def of_key(self) -> bool:
        return self.location[-1:] == ("[key]",)

    def spoilt(self, broken: Collection[Mark]) -> bool:
        """Say whether the mistake behind it has been told already."""
        if self.kind in ("missing", "extra_forbidden"):
            return self.found.key in broken
        return self.found.node.mark in broken

    @property
    def branch(self) -> int | None:
        """The position in the location of the first step that is no key of the file but a branch of a union."""
        end = len(self.location) - (self.kind == "missing" or self.of_key)
        return next((position for position in self.found.skipped if position < end), None)


@dataclass(frozen=True, slots=True)
class _Told:
    """What to say about a fault; at the value unless another mark is given."""

    code: str
    message: str
    hint: str = ""
    mark: Mark | None = None


def bind(model: type[Model], node: Node, data: Plain, report: Report, prefix: Path = ()) -> Model | None:
    """Return `data` as `model`, or None after noting every reason why not; `prefix` is where it lies in the file."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
    for fault in _best_branches([_fault(detail, node, prefix, model) for detail in details]):
        if fault.spoilt(report.broken):
            continue
        told = tell(fault)
        report.add(told.mark or fault.found.node.mark, told.code, told.message, told.hint)
    return None


def _fault(detail: Any, node: Node, prefix: Path, model: type[Settings]) -> _Fault:  # noqa: ANN401  ErrorDetails
    context = detail.get("ctx") or {}
    wrong = context.get("error")
    inside = wrong.at if isinstance(wrong, Wrong) else ()
    location = (*detail["loc"], *inside)
    return _Fault(detail["type"], location, context, detail["msg"], follow(node, location), prefix, model)


def _best_branches(faults: list[_Fault]) -> list[_Fault]:
    """Of the branches of a union that all failed, keep the one the writer most likely meant; they share one place.

    The branch whose errors lie deepest was understood furthest; at equal depth the one whose type fits, else the first.
    """
    groups: dict[Path, dict[Step, list[_Fault]]] = {}
    for fault in faults:
        branch = fault.branch
        root, name = (fault.location, "") if branch is None else (fault.location[:branch], fault.location[branch])
        groups.setdefault(root, {}).setdefault(name, []).append(fault)
    kept = []
    for branches in groups.values():
        kept += max(branches.values(), key=_understood)
    return [fault for fault in kept if not (fault.kind == "too_short" and _inside(fault, kept))]


def _understood(group: Iterable[_Fault]) -> tuple[int, bool]:
    faults = list(group)
    return max(len(fault.found.path) for fault in faults), all(_fits(fault) for fault in faults)


def _fits(fault: _Fault) -> bool:
    if fault.kind == "literal_error":
        return isinstance(fault.found.node, Scalar)
    return fault.kind not in _WANTED


def _inside(outer: _Fault, faults: list[_Fault]) -> bool:
    """Say whether a list counts as too short only because its items are wrong."""
    path = outer.found.path
    return any(len(fault.found.path) > len(path) and fault.found.path[: len(path)] == path for fault in faults)


def tell(fault: _Fault) -> _Told:
    """Return what to say about a fault, in the reader's language."""
    for kinds, teller in _TELLERS:
        if fault.kind in kinds or any(fault.kind.startswith(kind) for kind in kinds if kind.endswith("_")):
            return teller(fault)
    return _Told("P208", _("{field}: {reason}").format(field=fault.field, reason=fault.reason))


def _missing(fault: _Fault) -> _Told:
    field = dotted((*fault.prefix, *fault.found.path, str(fault.location[-1])))
    return _Told("P105", _("{field}: missing").format(field=field), "", fault.found.mark)


def _extra(fault: _Fault) -> _Told:
    hint = suggest(fault.last, keys_at(fault.model, fault.location[:-1])) or _("see: crmctl policy schema")
    if "：" in fault.last:
        hint = _("a key ends with an ASCII colon and a space, not with '：'")
    return _Told("P103", _("{name}: unknown key").format(name=shown(fault.last)), hint, fault.found.mark)


_WANTED: Mapping[str, Callable[[], str]] = {
    "string_type": lambda: _("a text"),
    "int_type": lambda: _("a whole number"),
    "int_from_float": lambda: _("a whole number"),
    "bool_type": lambda: _("true or false"),
    "date_type": lambda: _("a date such as 2026-01-05"),
    "is_instance_of": lambda: _("a number"),
    "decimal_type": lambda: _("a number"),
    "float_type": lambda: _("a number"),
    "list_type": lambda: _("a list"),
    "tuple_type": lambda: _("a list"),
    "set_type": lambda: _("a list"),
    "frozen_set_type": lambda: _("a list"),
    "dict_type": lambda: _("a mapping of keys to values"),
    "mapping_type": lambda: _("a mapping of keys to values"),
    "model_type": lambda: _("a mapping of keys to values"),
    "model_attributes_type": lambda: _("a mapping of keys to values"),
}

_UNQUOTED = frozenset({"int_type", "bool_type", "date_type", "is_instance_of", "decimal_type", "float_type"})


def _type(fault: _Fault) -> _Told:
    node = fault.found.node
    if fault.kind == "string_type" and isinstance(node, Scalar) and node.plain and misread(node.text):
        text = shown(node.text)
        message = _("{field}: a text is wanted, but {text} is read as something else").format(
            field=fault.field, text=text
        )
        return _Told("P202", message, _('quote it: "{text}"').format(text=text))
    message = _("{field}: {wanted} is wanted, not {found}").format(
        field=fault.field, wanted=_WANTED[fault.kind](), found=_found(node)
    )
    return _Told("P201", message, _unquote(node) if fault.kind in _UNQUOTED else "")


def _unquote(node: Node) -> str:
    return _("write it without quotes") if isinstance(node, Scalar) and not node.plain else ""


def _found(node: Node) -> str:
    if isinstance(node, Items):
        return _("a list")
    if isinstance(node, Fields):
        return _("a mapping of keys to values")
    return f"'{shown(node.text)}'"


def _choice(fault: _Fault) -> _Told:
    expected = str(fault.context.get("expected", ""))
    allowed = re.findall(r"'([^']*)'", expected)
    if fault.of_key:
        hint = suggest(fault.last, allowed)
        return _Told("P103", _("{name}: unknown key").format(name=shown(fault.last)), hint, fault.found.mark)
    node = fault.found.node
    message = _("{field}: {found} is not allowed").format(field=fault.field, found=_found(node))
    if isinstance(node, Scalar) and node.text in (expected, *allowed):
        hint = _unquote(node)
    else:
        hint = suggest(node.text, allowed) if isinstance(node, Scalar) else ""
    return _Told("P203", message, hint or _("allowed: {names}").format(names=expected))


def _range(fault: _Fault) -> _Told:
    limits = {
        "ge": _("{field}: must be at least {limit}"),
        "gt": _("{field}: must be more than {limit}"),
        "le": _("{field}: must be at most {limit}"),
        "lt": _("{field}: must be less than {limit}"),
        "multiple_of": _("{field}: must be a multiple of {limit}"),
    }
    for name, message in limits.items():
        if name in fault.context:
            return _Told("P204", message.format(field=fault.field, limit=fault.context[name]))
    return _Told("P204", _("{field}: {reason}").format(field=fault.field, reason=fault.reason))


def _length(fault: _Fault) -> _Told:
    context = fault.context
    if "min_length" in context:
        if context["min_length"] == 1:
            return _Told("P207", _("{field}: must not be empty").format(field=fault.field))
        message = _("{field}: at least {limit} wanted").format(field=fault.field, limit=context["min_length"])
    else:
        message = _("{field}: at most {limit} allowed").format(field=fault.field, limit=context.get("max_length"))
    return _Told("P207", message)


def _pattern(fault: _Fault) -> _Told:
    pattern = str(fault.context.get("pattern", ""))
    hint = _(PATTERN_HINTS[pattern]) if pattern in PATTERN_HINTS else _("pattern: {pattern}").format(pattern=pattern)
    if fault.of_key:
        message = _("{name}: the key is malformed").format(name=shown(fault.last))
        return _Told("P205", message, hint, fault.found.mark)
    message = _("{field}: {found} is malformed").format(field=fault.field, found=_found(fault.found.node))
    return _Told("P205", message, hint)


def _refused(fault: _Fault) -> _Told:
    wrong = fault.context.get("error")
    if not isinstance(wrong, Wrong):
        wrong = Wrong(str(wrong))
    message = _("{field}: {reason}").format(field=fault.field, reason=wrong.message) if fault.field else wrong.message
    return _Told(wrong.code, message, wrong.hint, fault.found.mark if fault.of_key or wrong.on_key else None)


_TELLERS: tuple[tuple[Sequence[str], Callable[[_Fault], _Told]], ...] = (
    (("missing",), _missing),
    (("extra_forbidden",), _extra),
    (tuple(_WANTED), _type),
    (("literal_error", "enum"), _choice),
    (("greater_than", "greater_than_equal", "less_than", "less_than_equal", "multiple_of"), _range),
    (("string_too_short", "string_too_long", "too_short", "too_long"), _length),
    (("string_pattern_mismatch",), _pattern),
    (("value_error", "assertion_error"), _refused),
)
