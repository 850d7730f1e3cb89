"""Exceptions from a policy (`exceptions` in the head of a file): whom each concerns, until when.

`match` names customers by number, by facts compared for equality (a list: any of them), or both, which must then all
hold. What is no fact of a customer on its own, such as an amount over a window, cannot be matched by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from pydantic import ValidationError

from crmctl.i18n import _
from crmctl.policy.conditionfile import Faults, parsed
from crmctl.policy.conditions import All, Condition
from crmctl.policy.metrics import METRICS
from crmctl.policy.model import Code, Many, Text
from crmctl.policy.problems import shown, suggest

if TYPE_CHECKING:
    from crmctl.policy.header import Exemption

CUSTOMER = "customer"
FIELDS = tuple(metric.name for metric in METRICS if not metric.windowed)
_NUMBER = re.compile(r"(?:[Cc]-?)?0*([1-9][0-9]{0,17})", re.ASCII)

Match = dict[Code, Text | bool | int | Many[Text | bool | int]]


@dataclass(frozen=True, slots=True)
class Exempt:
    """An exception in force: the customers of these numbers (any, where there are none) for whom the condition holds.

    The condition refers to no value of company.yaml.
    """

    numbers: tuple[int, ...]
    condition: Condition | None
    reason: str
    approved_by: str
    expires: date  # the last day it holds


def exempt(exemption: Exemption) -> Exempt:
    """Return what an exception of a file means."""
    found = {name: value for name, value in exemption.match.items() if name != CUSTOMER}
    parts = tuple(parsed(_comparison(name, value)) for name, value in found.items())
    named = exemption.match.get(CUSTOMER)
    return Exempt(
        numbers=tuple(_numbers(named, Faults())) if named is not None else (),
        condition=All(parts) if len(parts) > 1 else parts[0] if parts else None,
        reason=exemption.reason,
        approved_by=exemption.approved_by,
        expires=exemption.expires,
    )


def checked(match: Match) -> Match:
    """Return `match` as it is. Raises pydantic's ValidationError with everything in it that means nothing."""
    faults = Faults()
    for name, value in match.items():
        if name == CUSTOMER:
            _numbers(value, faults)
        elif name in FIELDS:
            try:
                parsed(_comparison(name, value))
            except ValidationError as error:
                faults.take(error)
        else:
            message = _("not a field that exceptions can match by")
            faults.wrong((name,), "P103", message, suggest(name, (CUSTOMER, *FIELDS)), on_key=True)
    if faults.found:
        raise ValidationError.from_exception_data("Exemption", faults.found)
    return match


def _comparison(name: str, value: object) -> Mapping[str, Mapping[str, object]]:
    return {name: {"in": list(value)} if isinstance(value, list | tuple) else {"eq": value}}


def _numbers(value: object, faults: Faults) -> list[int]:
    """Return the customer numbers, noting what is none: C-000123, or 123."""
    several = isinstance(value, list | tuple)
    items = value if isinstance(value, list | tuple) else (value,)
    found = []
    if not items:
        faults.wrong((CUSTOMER,), "P207", _("must not be empty"))
    for position, item in enumerate(items):
        number = None if isinstance(item, bool) else _NUMBER.fullmatch(str(item))
        if number is None:
            at = (CUSTOMER, position) if several else (CUSTOMER,)
            message = _("'{text}' is no customer number").format(text=shown(str(item)))
            faults.wrong(at, "P205", message, _("write it as C-000123"))
        else:
            found.append(int(number[1]))
    return found
