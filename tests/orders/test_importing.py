"""Importing orders on both databases: what becomes of rows, the second time, chunk sizes, dry runs, the log."""

from __future__ import annotations

from typing import Any

import pytest

from crmctl.errors import LimitExceeded
from crmctl.sheets import quarantine

HEADER = "订单号,客户编号,客户名称,金额,下单日期,发货日期,产品线\n"
FIRST = HEADER + (
    "A1,K1,甲一样例有限公司,100.50,2026-01-05,2026-01-09,门窗\n"
    "A2,K2,,2万元,2026年1月6日,,\n"
    "A3,,丙三样例有限公司,USD 10.01,2026/1/7,NULL,五金\n"
    "A4,K9,,5,2026-01-08,,\n"
    "A5,K1,乙二样例有限公司,5,2026-01-08,,\n"
    "A6,K1,,abc,2026-02-30,,\n"
    "A7,,,5,2026-01-08,,\n"
    "A1,K1,,100.5,2026-01-05,,\n"
    "A2,K2,,30000,2026-01-06,,\n"
    "A8,K1,,5,,,\n"
    "A9,K3,,-12.5,2026-01-09,,\n"
    ",K3,,1,2026-01-09,,\n"
    "A10,K3,,7 EUR,2026-01-09,,\n"
)


def test_rows_become_orders_or_say_why_not(world: Any, counts: Any) -> None:
    outcome = world.orders(FIRST)
    assert counts(outcome) == {"read": 13, "created": 5, "duplicate": 1, "rejected": 7, "flagged": 1}
    assert [
        (row["number"], row["customer_id"], row["amount"], row["currency"], row["home_amount"])
        for row in world.stored()
    ] == [
        ("A1", 1, 10050, "CNY", 10050),
        ("A10", 3, 700, "EUR", None),
        ("A2", 2, 2000000, "CNY", 2000000),
        ("A3", 3, 1001, "USD", 7107),  # 10.01 × 7.1 = 71.071
        ("A9", 3, -1250, "CNY", -1250),
    ]
    assert [(row["ordered_on"], row["delivered_on"], row["product_line"]) for row in world.stored()[::3]] == [
        ("2026-01-05", "2026-01-09", "门窗"),
        ("2026-01-07", None, "五金"),
    ]
    assert world.reasons(outcome.batch) == [
        (5, "CUSTOMER_UNKNOWN", ""),
        (6, "CUSTOMER_AMBIGUOUS", ""),
        (7, "DATE_INVALID", "ordered_on"),
        (7, "AMOUNT_INVALID", "amount"),
        (8, "CUSTOMER_UNKNOWN", ""),
        (10, "ORDER_TWICE", "number"),
        (11, "REQUIRED", "ordered_on"),
        (13, "REQUIRED", "number"),
    ]
    assert outcome.reasons == {
        "AMOUNT_INVALID": 1, "CUSTOMER_AMBIGUOUS": 1, "CUSTOMER_UNKNOWN": 2, "DATE_INVALID": 1, "ORDER_TWICE": 1,
        "REQUIRED": 2,
    }  # fmt: skip
    assert world.problems() == []


def test_the_second_time_changes_nothing(world: Any, counts: Any) -> None:
    world.orders(FIRST)
    before = world.stored()
    again = world.orders(FIRST)
    assert counts(again) == {"read": 13, "unchanged": 5, "duplicate": 1, "rejected": 7}
    assert world.stored() == before
    assert world.problems() == []


def test_an_update_keeps_what_is_blank_and_logs_what_was(world: Any, counts: Any) -> None:
    world.orders(FIRST)
    paid = world.orders("订单号,付款日期,金额,币种\nA1,2026-02-01,,\nA3,2026-02-02,11,USD\nA2,,,\nA77,2026-02-02,,\n")
    assert counts(paid) == {"read": 4, "updated": 2, "unchanged": 1, "rejected": 1}
    rows = {row["number"]: row for row in world.stored()}
    assert {name: rows["A1"][name] for name in ("amount", "paid_on", "delivered_on", "version")} == {
        "amount": 10050, "paid_on": "2026-02-01", "delivered_on": "2026-01-09", "version": 2,
    }  # fmt: skip
    assert (rows["A3"]["amount"], rows["A3"]["home_amount"], rows["A3"]["version"]) == (1100, 7810, 2)
    assert rows["A2"]["version"] == 1
    assert world.reasons(paid.batch) == [(5, "CUSTOMER_UNKNOWN", "")]
    assert world.problems() == []
    with world.run("audit list") as run:
        assert changes_of(run) == [("create", "[]")] * 5 + [
            ("update", '["paid_on"]'),
            ("update", '["amount","home_amount","paid_on"]'),
        ]


def changes_of(run: Any) -> list[tuple[str, str]]:
    from sqlalchemy import select

    from crmctl.audit.tables import change
    from crmctl.store import engine

    query = select(change.c.operation, change.c.fields, change.c.change_id).where(change.c.object == "order")
    with engine.read(run.engine) as conn:
        return [(row[0], row[1]) for row in conn.execute(query.order_by(change.c.change_id))]


def test_an_order_stays_with_its_customer(world: Any, counts: Any) -> None:
    world.orders(HEADER + "A1,K1,,100,2026-01-05,,\n")
    other = world.orders(HEADER + "A1,K2,,100,2026-01-05,,\n")
    assert world.reasons(other.batch) == [(2, "ORDER_OF_ANOTHER", "number")]
    elsewhere = world.orders("订单号,公司名称,金额,下单日期\nA1,乙二样例有限公司,100,2026-01-05\n", source="shop")
    assert counts(elsewhere) == {"read": 1, "created": 1}
    assert [(row["source"], row["customer_id"]) for row in world.stored()] == [("erp", 1), ("shop", 2)]


def test_codes_belong_to_their_system(world: Any) -> None:
    outcome = world.orders(HEADER + "A1,K1,,100,2026-01-05,,\n", source="shop")
    assert world.reasons(outcome.batch) == [(2, "CUSTOMER_UNKNOWN", "")]


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("CRM客户号", "C-000002"),
        ("客户名称", "乙二样例有限公司"),
        ("手机", "138 0000 0002"),
        ("customerID", "K2"),
    ],
)
def test_a_customer_is_found_by_each_of_its_names(world: Any, header: str, cell: str) -> None:
    world.orders(f"orderID,{header},total,orderDate\n7,{cell},12,2026-01-05\n")
    assert [(row["customer_id"], row["amount"]) for row in world.stored()] == [(2, 1200)]


PEOPLE = """客户类型,客户编号,公司名称,姓名,手机号
个人客户,P1,,林一样,13800000011
个人客户,P2,,Ada  Sample,13800000012
个人客户,P3,,同名,13800000013
个人客户,P4,,同名,13800000014
企业客户,K5,戊五样例有限公司,林一样,13800000015
"""
BY_NAME = """订单号,客户姓名,手机,金额,下单日期
N1,林一样,,1,2026-01-05
N2,ＡＤＡ Sample,,1,2026-01-05
N3,同名,,1,2026-01-05
N4,同名,13800000014,1,2026-01-05
N5,林一样,13800000019,1,2026-01-05
N6,查无此人,,1,2026-01-05
"""


def test_individuals_are_found_by_a_name_that_only_one_of_them_has(world: Any, counts: Any) -> None:
    assert world.customers(PEOPLE).counts["created"] == 5
    for size in (1, 100):
        rehearsed = world.orders(BY_NAME, dry_run=True, chunk=size)
        assert counts(rehearsed) == {"read": 6, "created": 3, "rejected": 3}
    outcome = world.orders(BY_NAME)
    assert outcome.counts == rehearsed.counts
    assert [(row["number"], row["customer_id"]) for row in world.stored()] == [("N1", 4), ("N2", 5), ("N4", 7)]
    with world.run("batch rejects") as run:
        rejected = [(row[0], row[1], row[-1]) for row in quarantine.reasons(run, outcome.batch, 10)]
    assert rejected == [(4, "NAME_SHARED", [6, 7]), (6, "CUSTOMER_UNKNOWN", []), (7, "CUSTOMER_UNKNOWN", [])]
    assert world.problems() == []


def test_a_cell_that_cannot_be_read_matters_only_where_no_other_names_the_customer(world: Any) -> None:
    outcome = world.orders("订单号,客户编号,手机,金额,下单日期\nA1,K1,12,1,2026-01-05\nA2,,12,1,2026-01-05\n")
    assert [row["number"] for row in world.stored()] == ["A1"]
    assert world.reasons(outcome.batch) == [(3, "MOBILE_INVALID", "mobile")]


@pytest.mark.parametrize("size", [1, 3, 7])
def test_the_result_does_not_depend_on_the_chunk_size(world: Any, counts: Any, size: int) -> None:
    outcome = world.orders(FIRST, chunk=size)
    assert counts(outcome) == {"read": 13, "created": 5, "duplicate": 1, "rejected": 7, "flagged": 1}
    assert [row for row, _code, _field in world.reasons(outcome.batch)] == [5, 6, 7, 7, 8, 10, 11, 13]
    assert [row["order_id"] for row in world.stored()] == [1, 5, 2, 3, 4]
    assert world.problems() == []


def test_a_dry_run_says_what_the_run_then_does(world: Any, counts: Any) -> None:
    for size in (1, 100):
        rehearsed = world.orders(FIRST, dry_run=True, chunk=size)
        assert (rehearsed.run_id, rehearsed.batch) == (None, None)
        assert world.stored() == []
        assert counts(rehearsed) == {"read": 13, "created": 5, "duplicate": 1, "rejected": 7, "flagged": 1}
    assert rehearsed.reasons == world.orders(FIRST).reasons
    changed = FIRST.replace("100.50", "101.50").replace("100.5,", "101.5,")
    rehearsed = world.orders(changed, dry_run=True, chunk=1)
    assert counts(rehearsed) == counts(world.orders(changed))
    assert rehearsed.counts["updated"] == 1


def test_rates_of_the_day_count_when_a_file_is_imported_again(world: Any, counts: Any) -> None:
    text = HEADER + "A1,K1,,100 USD,2026-01-05,,\n"
    world.orders(text)
    company = world.folder / "policies" / "company.yaml"
    company.write_text(company.read_text("utf-8").replace("value: 7.1\n", "value: unset\n"), "utf-8")
    unknown = world.orders(text)
    assert counts(unknown) == {"read": 1, "updated": 1, "flagged": 1}
    assert [row["home_amount"] for row in world.stored()] == [None]
    company.write_text(company.read_text("utf-8").replace("value: unset\n", "value: 7.25\n"), "utf-8")
    assert counts(world.orders(text)) == {"read": 1, "updated": 1}
    assert [row["home_amount"] for row in world.stored()] == [72500]
    assert world.problems() == []


def test_limits_stop_before_the_chunk_that_goes_beyond(world: Any, counts: Any) -> None:
    def rows(amount: int) -> str:
        return HEADER + "".join(f"A{n},K1,,{amount},2026-01-05,,\n" for n in range(300))

    world.orders(rows(5))
    with pytest.raises(LimitExceeded):
        world.orders(rows(6), chunk=100)  # half of 300 is 150
    assert sum(row["amount"] == 600 for row in world.stored()) == 100
    from crmctl.sheets import intake

    with world.run("batch resume", lock="import") as run:
        finished = intake.resume(run, 3, "", 300, lambda _rows: None)
    assert counts(finished) == {"read": 300, "updated": 300}
    assert world.problems() == []
