"""What conditions may compare: the registry of metrics, each computed by the room its target names.

A fact is an integer in the metric's smallest unit, a text or a flag; None where nothing is known. The same metric over
two windows is two facts: `Left`, a metric with its window, is the key of facts and columns alike.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from typing import Any, Literal, Protocol

from crmctl.i18n import LANGUAGES, N_, _, speak
from crmctl.policy.model import CODE_PATTERN, NAME_PATTERN
from crmctl.policy.windows import Window, window

Type = Literal["money", "number", "count", "days", "percent", "code", "text", "flag"]
Value = int | str | bool | None
NUMERIC: frozenset[Type] = frozenset({"money", "number", "count", "days", "percent"})

MOST_AMOUNT = 10**13  # whole units of a currency; with four decimals it still fits 64 bits
MOST_COUNT = 10**9
MOST_PLACES = 4  # decimals of the finest currency


@dataclass(frozen=True, slots=True)
class Metric:
    """One left side of conditions.

    Facts of `money` are minor units of the home currency; of `number` integers with `places` decimals taken out; of
    `count`, `days` and `percent` whole numbers; of `code` and `text` texts; of `flag` true or false.
    """

    name: str
    label: str = field(compare=False)  # N_ message
    type: Type = field(compare=False)
    target: str = field(compare=False)  # "module:attr" of the room's Source, resolved on use
    unit: str = field(default="", compare=False)  # N_ message with {count}, for people
    windowed: bool = field(default=False, compare=False)
    what: str = field(default="", compare=False)  # what a code is a code of; other policies define them
    codes: tuple[str, ...] = field(default=(), compare=False)  # the codes, where the program itself defines them
    places: int = field(default=0, compare=False)
    always: bool = field(default=False, compare=False)  # never missing
    open: bool = field(default=False, compare=False)  # besides the codes, texts as they came may be stored

    @property
    def labels(self) -> Mapping[str, str]:
        """What people call it, in both languages."""
        return {language: speak(self.label, language) for language in LANGUAGES}

    @property
    def numeric(self) -> bool:
        """Whether its facts are numbers, which have an order."""
        return self.type in NUMERIC

    @property
    def code_pattern(self) -> str:
        """The pattern of its codes; those of a list of names (浙江省) are names."""
        return NAME_PATTERN if self.open else CODE_PATTERN

    def most_places(self) -> int:
        """Return how many decimals an operand may have; of money, in any currency."""
        return MOST_PLACES if self.type == "money" else self.places

    def limits(self) -> tuple[int, int]:
        """Return the least and the greatest number an operand may be, in whole units; a fact is never outside."""
        if self.type in ("money", "number"):
            return -MOST_AMOUNT, MOST_AMOUNT
        return 0, 100 if self.type == "percent" else MOST_COUNT


@dataclass(frozen=True, slots=True)
class Left:
    """A metric, over a window where it takes one: what a fact or a column is the value of."""

    metric: Metric
    window: Window | None = None

    @property
    def text(self) -> str:
        """Its name in files and JSON: `annual_amount`, `order_amount over 12 months`."""
        return f"{self.metric.name} over {self.window.text}" if self.window else self.metric.name

    @property
    def words(self) -> str:
        """Its name for people, in the reader's language."""
        name = _(self.metric.label)
        return _("{metric}, {window}").format(metric=name, window=self.window.words) if self.window else name


Within = Callable[[Any], Any]  # from a column of customer numbers to the condition on it


class Columns(Protocol):
    """What a room computes for all customers at once: a column for each left side, and where they come from."""

    @property
    def columns(self) -> Mapping[Left, Any]:
        """The SQLAlchemy columns; integers, texts or booleans of declared type, NULL where nothing is known."""

    @property
    def source(self) -> Any:
        """A selectable with one row a customer at most and a column `customer_id`: `customer` itself, or to be joined
        to it by a left outer join. Customers without a row have NULL, or 0 where the column says so by coalesce.
        """


class Source(Protocol):
    """What a metric's target is: one object a room, which answers for all of the room's metrics.

    `at` is an aware time in the company's zone; windows end on its day, inclusive.
    """

    def columns(self, lefts: Collection[Left], at: datetime, within: Within | None = None) -> Columns:
        """Return the columns for these left sides; where only some customers are asked for, `within` says which."""

    def facts(
        self, conn: Any, customers: Collection[int], lefts: Collection[Left], at: datetime
    ) -> Mapping[int, Mapping[Left, Value]]:
        """Return the same values, read for these customers."""


_CUSTOMERS = "crmctl.customers.metrics:source"
_ORDERS = "crmctl.orders.metrics:source"
_COMPLAINTS = "crmctl.complaints.metrics:source"
STATUSES = ("draft", "submitted", "returned", "archived", "cancelled", "put_away", "provisional")

METRICS: tuple[Metric, ...] = (
    Metric("customer_type", N_("customer type"), "code", _CUSTOMERS, what="customer_type", always=True),
    Metric("status", N_("record status"), "code", _CUSTOMERS, codes=STATUSES, always=True),
    Metric("stage", N_("lifecycle stage"), "code", _CUSTOMERS, what="stages"),
    Metric("tier", N_("tier"), "code", _CUSTOMERS, what="tier"),
    Metric("org_unit", N_("organisation unit"), "code", _CUSTOMERS, what="org_unit"),
    Metric("region", N_("region"), "code", _CUSTOMERS, what="regions", open=True),
    Metric("industry", N_("industry"), "code", _CUSTOMERS, what="industries", open=True),
    Metric("source", N_("source of the customer"), "code", _CUSTOMERS, what="sources", open=True),
    Metric("completeness", N_("completeness of the record"), "percent", _CUSTOMERS, N_("{count} %")),
    Metric("annual_amount", N_("annual cooperation amount"), "money", _CUSTOMERS),
    Metric("days_since_last_contact", N_("days since the last contact"), "days", _CUSTOMERS, N_("{count} days")),
    Metric("days_since_added", N_("days since the record was added"), "days", _CUSTOMERS, N_("{count} days")),
    Metric("days_since_contract_end", N_("days since the contract ended"), "days", _CUSTOMERS, N_("{count} days")),
    Metric("days_since_cancelled", N_("days since it was cancelled"), "days", _CUSTOMERS, N_("{count} days")),
    Metric("days_since_put_away", N_("days since it was put away"), "days", _CUSTOMERS, N_("{count} days")),
    Metric("flagged", N_("flagged for a second look"), "flag", _CUSTOMERS, always=True),
    Metric("order_amount", N_("amount of orders"), "money", _ORDERS, windowed=True),
    Metric("order_count", N_("number of orders"), "count", _ORDERS, N_("{count} orders"), True, always=True),
    Metric("average_order_amount", N_("average amount of an order"), "money", _ORDERS, windowed=True),
    Metric(
        "product_lines", N_("product lines bought"), "count", _ORDERS, N_("{count} lines"), windowed=True, always=True
    ),
    Metric("days_since_last_order", N_("days since the last order"), "days", _ORDERS, N_("{count} days")),
    Metric(
        "days_since_complaint",
        N_("days since a complaint was closed, 0 while one is open"),
        "days",
        _COMPLAINTS,
        N_("{count} days"),
    ),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


def left_named(text: str) -> Left | None:
    """Return the left side that `Left.text` writes; None when there is none, or the window is missing or unneeded."""
    name, over, written = text.partition(" over ")
    metric, found = BY_NAME.get(name), window(written) if over else None
    if metric is None or bool(over) != metric.windowed or (over and found is None):
        return None
    return Left(metric, found)


def by_source(lefts: Collection[Left]) -> dict[str, list[Left]]:
    """Return left sides by the target that computes them, each once."""
    found: dict[str, list[Left]] = {}
    for left in dict.fromkeys(lefts):
        found.setdefault(left.metric.target, []).append(left)
    return found


def source_at(target: str) -> Source:
    """Return the object a target names; the room is imported now."""
    module, _colon, name = target.partition(":")
    found: Source = getattr(import_module(module), name)
    return found


def names_of(metrics: Sequence[Metric] = METRICS) -> list[str]:
    """Return the names conditions may use."""
    return [metric.name for metric in metrics]
