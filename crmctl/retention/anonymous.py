"""What customers leave behind who are anonymised: numbers under values that tell nobody apart (PIPL art. 73).

Whatever is personal is sealed and goes with the key, so only what lies clear can be left, by a list of the policy:
kept, generalised, masked. Everything else is deleted. Nothing is left of a single customer: those whose values came out
alike are one number, and where they are too few it is a number under no values at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from crmctl.clock import parse_stamp
from crmctl.retention.policy import Anonymise

MASK = "***"  # of whatever length: how long a name is tells it from others
AMOUNT = "annual_amount"
COLUMN_OF: Mapping[str, str] = {"customer_type": "type"}  # where column and field have different names
Left = Mapping[str, str | int]


@dataclass(frozen=True)
class Terms:
    """How to read what is generalised: the company's zone, its currency and the decimals of that."""

    zone: ZoneInfo
    currency: str
    decimals: int


def columns(specs: Iterable[Anonymise]) -> tuple[str, ...]:
    """Return the columns of customers that these lists read."""
    fields = {name for each in specs for name in (*each.keep, *each.generalise, *each.mask)}
    names = {COLUMN_OF.get(name, name) for name in fields}
    return tuple(sorted(names | {"currency"} if AMOUNT in names else names))


def left(spec: Anonymise, row: Mapping[str, Any], terms: Terms) -> Left:
    """Return what is left of a customer's `row` under a list, by field; what is not known is left out."""
    found: dict[str, str | int | None] = {}
    found.update((name, row[COLUMN_OF.get(name, name)]) for name in spec.keep)
    found.update((name, _masked(row[name], length)) for name, length in spec.mask.items())
    found.update((name, _generalised(name, step, row, terms)) for name, step in spec.generalise.items())
    return {name: value for name, value in found.items() if value is not None}


def _masked(value: str | None, length: int) -> str | None:
    """Return the beginning of a text; one no longer than what is shown of it would be shown whole."""
    return None if value is None else (value[:length] if len(value) > length else "") + MASK


def _generalised(name: str, step: int | str, row: Mapping[str, Any], terms: Terms) -> Any:  # noqa: ANN401
    value = row[name]
    if value is None or isinstance(step, str):
        return None if value is None else _period(value, str(step), terms.zone)
    if name != AMOUNT:
        return value - value % step
    if row["currency"] not in (None, terms.currency):
        return None  # steps are those of the home currency
    whole = value // 10**terms.decimals
    return whole - whole % step


def _period(moment: str, step: str, zone: ZoneInfo) -> str:
    """Return the year, quarter or month of a moment on the company's clock."""
    day = parse_stamp(moment).astimezone(zone)
    if step == "year":
        return f"{day:%Y}"
    return f"{day:%Y-%m}" if step == "month" else f"{day:%Y}-Q{(day.month + 2) // 3}"


def dumps(values: Left) -> str:
    """Return the values of a group as they are stored: alike are those whose text is the same."""
    return orjson.dumps(dict(values), option=orjson.OPT_SORT_KEYS).decode()
