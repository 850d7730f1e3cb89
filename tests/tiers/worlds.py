"""Random companies for tests of grading: policies with scopes and exceptions, customers, orders, overrides, waits.

What is true of a customer is computed here in plain Python from what was generated, never asked of the database.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert

from crmctl.customers.tables import customer
from crmctl.locate import shipped
from crmctl.orders.tables import purchase_order
from crmctl.policy import load
from crmctl.policy.company import CompanySettings, OrgUnit, ValueEntry
from crmctl.policy.conditionfile import operators_of
from crmctl.policy.conditions import All, Any_, Compare, Condition, Not, code_of
from crmctl.policy.header import Exemption, Scope
from crmctl.policy.metrics import BY_NAME, Left, Value
from crmctl.policy.model import ValueRef
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.windows import Window, window
from crmctl.tiers.policy import TiersSettings
from crmctl.tiers.tables import tier_grace, tier_override

ZONES = ("Asia/Shanghai", "America/New_York", "Pacific/Apia", "UTC")
DAYS = (date(2024, 2, 29), date(2024, 3, 31), date(2025, 2, 28), date(2025, 3, 9), date(2025, 11, 2), date(2026, 1, 1))
TYPES = ("enterprise", "individual", "government")
UNITS = {"head": None, "north": "head", "beijing": "north", "south": "head"}
CODES = ("a", "b", "c", "d")
WINDOWS = tuple(filter(None, map(window, ("1 month", "12 months", "1 year", "30 days", "1 day", "2 weeks"))))
VALUES = {
    "big": ValueEntry(value=1, unit="wan_yuan"),  # 10,000 whole units
    "small": ValueEntry(value=Decimal("12.5") * 2, unit="yuan"),
}
CUSTOMER_LEFTS = tuple(
    Left(BY_NAME[name])
    for name in (
        "customer_type", "status", "stage", "tier", "org_unit", "region", "completeness", "annual_amount",
        "days_since_last_contact", "days_since_added", "flagged",
    )
)  # fmt: skip
ORDER_LEFTS = (
    *(
        Left(BY_NAME[name], each)
        for name in ("order_amount", "order_count", "average_order_amount", "product_lines")
        for each in WINDOWS[:2] + WINDOWS[3:4]
    ),
    Left(BY_NAME["days_since_last_order"]),
)
ANNUAL, LAST_ORDER = Left(BY_NAME["annual_amount"]), Left(BY_NAME["days_since_last_order"])
WORDS: Mapping[str, tuple[str, ...]] = {
    "customer_type": TYPES,
    "status": ("draft", "archived"),
    "stage": ("lead", "won"),
    "tier": CODES,
    "org_unit": tuple(UNITS),
    "region": ("华东", "华北"),
}


@dataclass(frozen=True)
class Order:
    """One order; `amount` in minor units of the home currency, None where no rate is known."""

    ordered_on: date
    amount: int | None
    product_line: str | None


@dataclass(frozen=True)
class Someone:
    """One customer with everything a grade may rest on; moments are UTC."""

    number: int
    kind: str
    status: str
    stage: str | None
    tier: str | None
    org_unit: str | None
    region: str | None
    completeness: int | None
    annual_amount: int | None
    last_contact_at: datetime | None
    created_at: datetime
    flags: str | None
    orders: tuple[Order, ...] = ()
    overrides: tuple[Mapping[str, Any], ...] = ()  # rows; one at most is in force on a day
    since: date | None = None


@dataclass(frozen=True)
class World:
    """A company on a day. `decimals` are those of its currency."""

    policies: PolicySet
    at: datetime
    decimals: int
    people: tuple[Someone, ...]

    def _repr_pretty_(self, printer: Any, _cycle: bool) -> None:
        """Tell what matters of it: hypothesis would print every policy file."""
        told = [
            (each.name, each.mode, each.scope.model_dump(exclude_defaults=True), each.exceptions, each.settings)
            for each in self.policies.of_kind("tiers")
        ]
        printer.text(f"World({self.at.isoformat()} {self.at.tzinfo}, {self.decimals}, {told}, {self.people})")

    @property
    def day(self) -> date:
        """The company's day."""
        return self.at.date()


def months_back(day: date, months: int) -> date:
    """Return the same day so many months earlier, or the last of that month."""
    years, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(years, month + 1, min(day.day, monthrange(years, month + 1)[1]))


def inside(day: date, over: Window, end: date) -> bool:
    """Say whether `day` lies in a window that ends with `end`."""
    last_outside = months_back(end, over.months) if over.months else end - timedelta(days=over.days)
    return last_outside < day <= end


def facts_of(one: Someone, lefts: Sequence[Left], at: datetime) -> dict[Left, Value]:
    """Return what is true of a customer at a time in the company's zone."""
    return {left: _fact(one, left, at) for left in lefts}


def _fact(one: Someone, left: Left, at: datetime) -> Value:
    name, day = left.metric.name, at.date()
    if name in ("status", "stage", "tier", "org_unit", "region", "completeness", "annual_amount"):
        return getattr(one, name)  # type: ignore[no-any-return]
    if name == "customer_type":
        return one.kind
    if name == "flagged":
        return bool(one.flags)
    if name == "days_since_last_contact":
        return None if one.last_contact_at is None else _days(one.last_contact_at, at)
    if name == "days_since_added":
        return _days(one.created_at, at)
    made = [order for order in one.orders if order.ordered_on <= day]
    if name == "days_since_last_order":
        return (day - max(order.ordered_on for order in made)).days if made else None
    assert left.window is not None
    here = [order for order in made if inside(order.ordered_on, left.window, day)]
    amounts = [order.amount for order in here if order.amount is not None]
    if name == "order_amount":
        return sum(amounts) if made else None
    if name == "order_count":
        return len(here)
    if name == "product_lines":
        return len({order.product_line for order in here} - {None})
    assert name == "average_order_amount"
    return int(Decimal(sum(amounts)) / len(amounts)) if amounts else None


def _days(moment: datetime, at: datetime) -> int:
    assert at.tzinfo is not None
    return max(0, (at.date() - moment.astimezone(at.tzinfo).date()).days)


def put(conn: Connection, world: World) -> None:
    """Write the customers of a world in place of those there are."""
    for table in (customer, purchase_order, tier_override, tier_grace):
        conn.execute(delete(table))
    now = datetime(2026, 1, 5, tzinfo=UTC)
    own = {"created_at": now, "updated_at": now, "version": 1}
    _insert(conn, customer, [_row(one) for one in world.people])
    _insert(
        conn,
        purchase_order,
        [
            {
                "customer_id": one.number, "order_id": number, "number": str(number), "source": "default",
                "amount": order.amount or 0, "currency": "CNY", "home_amount": order.amount,
                "ordered_on": order.ordered_on.isoformat(), "product_line": order.product_line, **own,
            }
            for one in world.people
            for number, order in enumerate(one.orders, 1)
        ],
    )  # fmt: skip
    held = [{**row, "customer_id": one.number} for one in world.people for row in one.overrides]
    _insert(conn, tier_override, [{name: row[name] for name in row if name != "set_on"} for row in held])
    waits = [
        {"customer_id": one.number, "to_tier": "x", "since_on": one.since.isoformat(), "run_id": 1}
        for one in world.people
        if one.since
    ]
    _insert(conn, tier_grace, waits)


def _insert(conn: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        conn.execute(insert(table), rows)


def _row(one: Someone) -> dict[str, Any]:
    return {
        "customer_id": one.number, "type": one.kind, "status": one.status, "stage": one.stage, "tier": one.tier,
        "org_unit": one.org_unit, "region": one.region, "completeness": one.completeness,
        "annual_amount": one.annual_amount, "last_contact_at": one.last_contact_at, "created_at": one.created_at,
        "updated_at": one.created_at, "flags": one.flags, "version": 1, "derived_version": 0, "sealed": b"",
        "sealed_hash": b"",
    }  # fmt: skip


# What is generated: operands and values come from the same few numbers, so that they often meet.


def _amounts(decimals: int) -> list[int]:
    unit = 10**decimals
    return [0, 1, 10 * unit - 1, 10 * unit, 10 * unit + 1, 25 * unit, 10_000 * unit - 1, 10_000 * unit, -5 * unit]


def _numbers(left: Left, decimals: int) -> list[int]:
    kind = left.metric.type
    if kind == "money":
        return _amounts(decimals)
    return {"count": [0, 1, 2, 3], "days": [0, 1, 29, 30, 31, 366], "percent": [0, 50, 99, 100]}[kind]


@st.composite
def _comparisons(draw: st.DrawFn, lefts: Sequence[Left], decimals: int) -> Compare:
    side = draw(st.sampled_from(lefts))
    operator = draw(st.sampled_from(operators_of(side.metric)))
    if operator == "exists":
        return Compare(side, operator, (draw(st.booleans()),))
    one: st.SearchStrategy[Any] = st.booleans()
    if side.metric.numeric:
        places = decimals if side.metric.type == "money" else 0
        one = st.sampled_from([Decimal(number).scaleb(-places) for number in _numbers(side, decimals)])
        if side.metric.type == "money":
            one = st.one_of(one, st.sampled_from([ValueRef("$big"), ValueRef("$small")]))
    elif side.metric.type != "flag":
        one = st.sampled_from([code_of(side.metric.what or "x")(word) for word in WORDS[side.metric.name]])
    if operator in ("in", "not_in"):
        return Compare(side, operator, tuple(draw(st.lists(one, min_size=1, max_size=2))))
    if operator == "between":
        return Compare(side, operator, (draw(one), draw(one)))
    return Compare(side, operator, (draw(one),))


def conditions(lefts: Sequence[Left], decimals: int, leaves: int = 4) -> st.SearchStrategy[Condition]:
    """Return conditions as a file's are, numbers in whole units or `$name`."""
    return st.recursive(
        _comparisons(lefts, decimals),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Any_(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=leaves,
    )


@st.composite
def _settings(draw: st.DrawFn, decimals: int) -> TiersSettings:
    score = draw(st.booleans())
    lefts = (*CUSTOMER_LEFTS, *ORDER_LEFTS)
    condition = st.one_of(conditions(lefts, decimals), conditions([ANNUAL], decimals, 1))
    count = draw(st.integers(1, 4))
    ranks = sorted(draw(st.lists(st.integers(1, 9), min_size=count, max_size=count, unique=True)))
    decimal = st.decimals(0, 100, places=3, allow_nan=False)
    tiers: list[dict[str, Any]] = []
    for position, rank in enumerate(ranks):
        tier: dict[str, Any] = {
            "code": CODES[position], "rank": rank, "labels": {"zh": CODES[position]}, "source": [],
            "standard": {"contact": {"as_needed": True}, "source": []},
        }  # fmt: skip
        open_ended = position == count - 1 and draw(st.booleans())  # now and then nobody takes the rest
        if not open_ended:
            tier |= {"min_score": draw(decimal)} if score else {"when": draw(condition)}
        tiers.append(tier)
    data: dict[str, Any] = {"model": "score" if score else "threshold", "tiers": tiers}
    if score:
        data["score"] = draw(st.lists(_measures(condition, decimal), min_size=1, max_size=3))
    data["annual_amount"] = draw(st.lists(_origins(), max_size=3))
    if draw(st.booleans()):
        data["downgrade_after"] = draw(st.sampled_from([0, 1, 3, 12]))
    return TiersSettings.model_validate(data)


@st.composite
def _measures(draw: st.DrawFn, condition: Any, decimal: Any) -> dict[str, Any]:
    bands = [
        {"points": draw(st.integers(0, 100)), **({"when": draw(condition)} if draw(st.booleans()) else {})}
        for _number in range(draw(st.integers(1, 3)))
    ]
    return {"code": "m", "labels": {"zh": "m"}, "weight": draw(decimal), "bands": bands}


@st.composite
def _origins(draw: st.DrawFn) -> dict[str, Any]:
    found: dict[str, Any] = {"from": draw(st.sampled_from(["orders", "declared", "orders_else_declared"]))}
    if found["from"] != "declared":
        found["over"] = draw(st.sampled_from(WINDOWS)).text
    if draw(st.integers(0, 3)):
        found["types"] = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=2))
    return found


@st.composite
def _exceptions(draw: st.DrawFn, decimals: int) -> Exemption:
    match: dict[str, Any] = {}
    if draw(st.booleans()):
        match["customer"] = draw(st.lists(st.integers(1, 12).map(lambda n: f"C-{n}"), min_size=1, max_size=3))
    if draw(st.booleans()):
        match["customer_type"] = draw(st.sampled_from([*TYPES, list(TYPES[:2])]))
    if draw(st.booleans()):
        match["annual_amount"] = draw(st.sampled_from([0, 10, 25]))
    if draw(st.booleans()):
        match["tier"] = draw(st.sampled_from(CODES))
    if not match or draw(st.integers(0, 3)) == 0:
        match["days_since_last_order"] = draw(st.sampled_from([0, 1, 30]))
    expires = draw(st.sampled_from([DAYS[0], DAYS[3], DAYS[-1]]))
    return Exemption.model_validate({"match": match, "reason": "r", "approved_by": "p", "expires": expires})


@cache
def _starter() -> PolicySet:
    return load(shipped("policies"))


@st.composite
def _policies(draw: st.DrawFn, zone: str, decimals: int) -> PolicySet:
    starter = _starter()
    company = starter.policy("company")
    assert isinstance(company.settings, CompanySettings)
    units = tuple(OrgUnit.model_validate({"code": c, "labels": {"zh": c}, "parent": p}) for c, p in UNITS.items())
    told = company.settings.model_copy(update={"timezone": zone, "org_units": units, "values": VALUES})
    scopes = [
        Scope.model_validate({"customer_type": ["enterprise"], "org_unit": ["north"]}),
        Scope.model_validate({"customer_type": ["individual", "government"]}),
        Scope.model_validate({"org_unit": ["north"]}),
        Scope(),
    ]
    found = draw(st.lists(st.sampled_from(scopes), min_size=1, max_size=3, unique_by=lambda scope: scope.key))
    base = starter.policy("tiers")
    tiers: list[Policy] = [
        replace(
            base, name=f"t{number}", path=f"tiers.t{number}.yaml", scope=scope, settings=draw(_settings(decimals)),
            mode=draw(st.sampled_from(["enforce", "enforce", "report"])),
            exceptions=tuple(draw(st.lists(_exceptions(decimals), max_size=2))),
        )
        for number, scope in enumerate(found)
    ]  # fmt: skip
    others = [policy for policy in starter.policies if policy.kind not in ("company", "tiers")]
    return PolicySet((replace(company, settings=told), *others, *tiers), starter.files)


def _order_days(day: date) -> list[date]:
    """Return days on both sides of where windows begin and end."""
    found = [day - timedelta(days=1), day, day + timedelta(days=1)]
    for each in WINDOWS:
        last_outside = months_back(day, each.months) if each.months else day - timedelta(days=each.days)
        found += [last_outside - timedelta(days=1), last_outside, last_outside + timedelta(days=1)]
    return found


@st.composite
def _moments(draw: st.DrawFn, day: date, zone: str) -> datetime:
    """Return a moment just before or after midnight of some day in a zone, or at noon."""
    back = draw(st.sampled_from([0, 1, 29, 30, 31, 120, 240, 366, -1]))
    clock = draw(st.sampled_from([time(0), time(23, 59, 59), time(12), time(1, 30)]))
    local = datetime.combine(day - timedelta(days=back), clock, ZoneInfo(zone))
    return local.replace(fold=draw(st.integers(0, 1))).astimezone(UTC)


@st.composite
def _held(draw: st.DrawFn, day: date, zone: str) -> tuple[dict[str, Any], ...]:
    """Return overrides as they come about: each lifts the one before, if that holds still; days may be to come."""
    rows: list[dict[str, Any]] = []
    set_on = day - timedelta(days=draw(st.integers(0, 3)))
    for number in range(1, 1 + draw(st.sampled_from([0, 0, 1, 1, 2, 3]))):
        until = draw(st.sampled_from([None, set_on, set_on + timedelta(days=1), set_on + timedelta(days=3)]))
        made = datetime.combine(set_on, draw(st.sampled_from([time(0), time(23, 59, 59)])), ZoneInfo(zone))
        rows.append(
            {
                "override_id": number, "kind": draw(st.sampled_from(["pin", "floor", "ceiling"])),
                "tier": draw(st.sampled_from([*CODES, "gone"])), "until_on": until and until.isoformat(),
                "person": "p", "lifted_on": None, "created_at": made.astimezone(UTC), "set_on": set_on,
                "updated_at": made.astimezone(UTC), "version": 1, "sealed": b"", "sealed_hash": b"",
            }
        )  # fmt: skip
        set_on += timedelta(days=draw(st.integers(0, 2)))
        if draw(st.booleans()) and (until is None or until >= set_on):
            rows[-1]["lifted_on"] = set_on.isoformat()
        elif until is None or until >= set_on:
            break
    return tuple(rows)


def in_force(rows: Sequence[Mapping[str, Any]], day: date) -> Iterator[Mapping[str, Any]]:
    """Yield the overrides in force on a day."""
    for row in rows:
        begun = row["set_on"] <= day
        lifted = row["lifted_on"] is not None and date.fromisoformat(row["lifted_on"]) <= day
        over = row["until_on"] is not None and date.fromisoformat(row["until_on"]) < day
        if begun and not lifted and not over:
            yield row


@st.composite
def _people(draw: st.DrawFn, day: date, zone: str, decimals: int) -> tuple[Someone, ...]:
    amounts = st.one_of(st.none(), st.sampled_from(_amounts(decimals)))
    order = st.builds(
        Order, st.sampled_from(_order_days(day)), amounts, st.one_of(st.none(), st.sampled_from(["x", "y"]))
    )
    moment = _moments(day, zone)
    since = [months_back(day, months) + timedelta(days=days) for months in (0, 1, 3, 12) for days in (-1, 0, 1)]

    def word(name: str, *, missing: bool = True) -> Any:
        words = st.sampled_from(WORDS[name])
        return st.one_of(st.none(), words, words) if missing else words

    return tuple(
        Someone(
            number=number,
            kind=draw(word("customer_type", missing=False)),
            status=draw(word("status", missing=False)),
            stage=draw(word("stage")),
            tier=draw(st.sampled_from([None, *CODES, *CODES, "gone"])),
            org_unit=draw(word("org_unit")),
            region=draw(word("region")),
            completeness=draw(st.sampled_from([None, 0, 50, 99, 100])),
            annual_amount=draw(amounts),
            last_contact_at=draw(st.one_of(st.none(), moment)),
            created_at=draw(moment),
            flags=draw(st.sampled_from([None, "", "NO_IDENTITY"])),
            orders=tuple(draw(st.lists(order, max_size=4))),
            overrides=draw(_held(day, zone)),
            since=draw(st.one_of(st.none(), st.sampled_from(since))),
        )
        for number in range(1, 1 + draw(st.integers(1, 12)))
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Return a company with its customers on a day."""
    zone, day, decimals = draw(st.sampled_from(ZONES)), draw(st.sampled_from(DAYS)), draw(st.sampled_from([0, 2]))
    at = datetime.combine(day, draw(st.sampled_from([time(0), time(12), time(23, 59, 59)])), ZoneInfo(zone))
    return World(draw(_policies(zone, decimals)), at, decimals, draw(_people(day, zone, decimals)))
