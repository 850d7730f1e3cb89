"""Decisions on order rows: each rule, and that a file's result does not depend on how it is cut."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from crmctl.orders.decide import CREATE, DUPLICATE, REJECT, UNCHANGED, UPDATE, Decision, Facts, decide
from crmctl.orders.model import Called, Name, OrderRow, Stored, Value

HOLDERS: dict[Name, list[int]] = {b"one": [1], b"two": [2], b"both": [1, 2]}
NEW: dict[str, Value] = {"amount": 5, "ordered_on": "2026-01-05"}


def row(number: str, *names: Name, **values: Any) -> OrderRow:
    return OrderRow(2, number, tuple((name,) for name in names), values or dict(NEW), (), [])


def known(customer: int = 1, **values: Any) -> dict[str, Stored]:
    return {"A": Stored(customer, 7, {**NEW, **values})}


def outcome(given_row: OrderRow, orders: dict[str, Stored] | None = None, seen: set[str] | None = None) -> Any:
    decision = decide([given_row], Facts(HOLDERS, orders or {}, seen or set()))[0]
    return decision.outcome, decision.customer_id, [reason["code"] for reason in decision.reasons]


def test_whose_order_it_is() -> None:
    assert outcome(row("A", b"one")) == (CREATE, 1, [])
    assert outcome(row("A", b"one", b"both")) == (CREATE, 1, [])
    assert outcome(row("A", b"one", b"nobody")) == (CREATE, 1, [])
    assert outcome(row("A", b"nobody")) == (REJECT, 0, ["CUSTOMER_UNKNOWN"])
    assert outcome(row("A")) == (REJECT, 0, ["CUSTOMER_UNKNOWN"])
    assert outcome(row("A", b"both")) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])
    assert outcome(row("A", b"one", b"two")) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])


def called(organisation: Name, person: Name, *names: Name) -> OrderRow:
    return row("A", *names)._replace(called=(Called(organisation, person),))


def test_a_name_is_an_organisations_or_the_only_persons_who_has_it() -> None:
    assert outcome(called(b"one", b"nobody")) == (CREATE, 1, [])
    assert outcome(called(b"nobody", b"two")) == (CREATE, 2, [])
    assert outcome(called(b"nobody", b"nobody")) == (REJECT, 0, ["CUSTOMER_UNKNOWN"])
    assert outcome(called(b"nobody", b"both")) == (REJECT, 0, ["NAME_SHARED"])
    assert outcome(called(b"one", b"two")) == (REJECT, 0, ["NAME_SHARED"])
    assert outcome(called(b"nobody", b"both"), known()) == (UNCHANGED, 0, [])
    assert outcome(called(b"nobody", b"two"), known()) == (REJECT, 0, ["ORDER_OF_ANOTHER"])


def test_a_persons_name_tells_apart_but_contradicts_nothing() -> None:
    assert outcome(called(b"nobody", b"two", b"both")) == (CREATE, 2, [])
    assert outcome(called(b"nobody", b"nobody", b"both")) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])
    assert outcome(called(b"nobody", b"both", b"both")) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])
    assert outcome(called(b"nobody", b"two", b"one")) == (CREATE, 1, [])
    assert outcome(called(b"nobody", b"two", b"nobody")) == (REJECT, 0, ["CUSTOMER_UNKNOWN"])
    assert outcome(called(b"two", b"nobody", b"one")) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])
    assert outcome(called(b"two", b"nobody", b"nobody")) == (CREATE, 2, [])


def test_candidates_of_a_shared_name_are_all_who_have_it() -> None:
    decision = decide([called(b"one", b"both")], Facts(HOLDERS, {}, set()))[0]
    assert decision.reasons == ({"code": "NAME_SHARED", "field": "", "candidates": [1, 2]},)


def test_a_known_order_says_whose_it_is_where_the_row_leaves_it_open() -> None:
    assert outcome(row("A"), known()) == (UNCHANGED, 0, [])
    assert outcome(row("A", b"both"), known()) == (UNCHANGED, 0, [])
    assert outcome(row("A", b"two"), known()) == (REJECT, 0, ["ORDER_OF_ANOTHER"])
    assert outcome(row("A", b"one", b"two"), known()) == (REJECT, 0, ["CUSTOMER_AMBIGUOUS"])
    assert outcome(row("A", b"nobody"), known()) == (REJECT, 0, ["CUSTOMER_UNKNOWN"])


def test_candidates_are_numbers_of_customers() -> None:
    decision = decide([row("A", b"both")], Facts(HOLDERS, {}, set()))[0]
    assert decision.reasons == ({"code": "CUSTOMER_AMBIGUOUS", "field": "", "candidates": [1, 2]},)


def test_what_a_new_order_needs_a_known_one_has() -> None:
    assert outcome(row("A", b"one", paid_on="2026-01-07")) == (REJECT, 0, ["REQUIRED", "REQUIRED"])
    assert outcome(row("A", paid_on="2026-01-07"), known()) == (UPDATE, 1, [])
    assert outcome(row("A", amount=6), known()) == (UPDATE, 1, [])


def test_an_order_is_taken_once_in_a_file() -> None:
    assert outcome(row("A"), known(), {"A"}) == (DUPLICATE, 0, [])
    assert outcome(row("A", amount=6), known(), {"A"}) == (REJECT, 0, ["ORDER_TWICE"])
    rows = [row("A", b"one"), row("A", b"one"), row("A", b"one", amount=6), row("A", b"two")]
    found = decide(rows, Facts(HOLDERS, {}, set()))
    assert [decision.outcome for decision in found] == [CREATE, DUPLICATE, REJECT, REJECT]
    rows = [row("A", b"nobody"), row("A", b"one")]
    found = decide(rows, Facts(HOLDERS, {}, set()))
    assert [decision.reasons[0]["code"] for decision in found] == ["CUSTOMER_UNKNOWN", "ORDER_TWICE"]


names = st.lists(st.sampled_from([b"one", b"two", b"both", b"nobody"]), max_size=2)
values = st.fixed_dictionaries(
    {}, optional={"amount": st.sampled_from([5, 6, -1]), "ordered_on": st.just("2026-01-05"), "paid_on": st.just("x")}
)
rows_of_a_file = st.lists(
    st.builds(lambda number, who, what: row(number, *who)._replace(values=what), st.sampled_from("ABC"), names, values),
    max_size=12,
)


def taken(rows: list[OrderRow], size: int) -> tuple[list[Decision], dict[str, Any]]:
    """Decide in chunks of `size`, writing each before the next."""
    orders: dict[str, Stored] = {"C": Stored(2, 9, dict(NEW))}
    seen: set[str] = set()
    decisions = []
    for at in range(0, len(rows), size):
        block = rows[at : at + size]
        found = decide(block, Facts(HOLDERS, dict(orders), frozenset(seen)))
        for item, decision in zip(block, found, strict=True):
            if decision.outcome in (CREATE, UPDATE):
                orders[item.number] = Stored(decision.customer_id, 1, decision.values)
            seen.add(item.number)
        decisions += found
    return decisions, {number: (order.customer_id, order.values) for number, order in orders.items()}


@given(rows_of_a_file, st.integers(1, 5))
def test_chunks_do_not_matter(rows: list[OrderRow], size: int) -> None:
    whole, orders = taken(rows, 100)
    cut, same = taken(rows, size)
    assert [(d.outcome, d.customer_id, d.reasons) for d in cut] == [
        (d.outcome, d.customer_id, d.reasons) for d in whole
    ]
    assert same == orders


@given(rows_of_a_file)
def test_the_second_time_nothing_is_created_or_changed(rows: list[OrderRow]) -> None:
    _decisions, orders = taken(rows, 3)
    stored = {number: Stored(who, 1, values) for number, (who, values) in orders.items()}
    again = decide(rows, Facts(HOLDERS, stored, set()))
    assert {decision.outcome for decision in again} <= {UNCHANGED, DUPLICATE, REJECT}
