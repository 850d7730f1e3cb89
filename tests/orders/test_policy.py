"""The shipped order policy, what it shares with the customers policy, and what is wrong with a broken one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from crmctl import policy
from crmctl.errors import CrmctlError
from crmctl.locate import shipped
from crmctl.orders.model import VALUES
from crmctl.orders.policy import COLUMNS, OrdersSettings
from crmctl.sheets.headerindex import HeaderIndex


def test_conventions_are_those_of_customers(settings: OrdersSettings) -> None:
    shared = policy.load(shipped("policies")).settings("customers")
    assert settings.currency == "CNY"
    assert settings.units == shared.units  # type: ignore[attr-defined]
    assert settings.limits == shared.limits  # type: ignore[attr-defined]
    assert settings.dates == shared.dates  # type: ignore[attr-defined]


def test_what_the_file_itself_says_comes_first(settings: OrdersSettings) -> None:
    own = policy.load(shipped("policies")).settings("orders")
    assert isinstance(own, OrdersSettings)
    mine = OrdersSettings(fields=own.fields, dates="day_first")
    assert mine.sharing(settings).dates == "day_first"
    assert mine.sharing(settings).currencies == settings.currencies


def test_every_column_of_an_order_has_a_field(settings: OrdersSettings) -> None:
    assert {*COLUMNS} - {"number"} == {*VALUES} - {"home_amount"}
    assert COLUMNS.keys() <= settings.by_code.keys()


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("订单号", "number"), ("订单编号", "number"), ("orderID", "number"), ("order_no", "number"),
        ("客户编号", "customer_code"), ("customerID", "customer_code"), ("客户名称", "company_name"),
        ("金额", "amount"), ("订单金额(万元)", "amount"), ("amount_usd", "amount"), ("下单日期", "ordered_on"),
        ("orderDate", "ordered_on"), ("发货日期", "delivered_on"), ("shippedDate", "delivered_on"),
        ("付款日期", "paid_on"), ("产品线", "product_line"), ("币种", "currency"), ("手机", "mobile"),
    ],
)  # fmt: skip
def test_headers(settings: OrdersSettings, header: str, field: str) -> None:
    index = HeaderIndex(settings)
    assert index.names[index.split(header)[0]] == [field]


def test_no_header_means_two_fields(settings: OrdersSettings) -> None:
    index = HeaderIndex(settings)
    assert {key: codes for key, codes in index.names.items() if len(codes) > 1} == {}
    assert index.ignored & index.names.keys() == set()


@pytest.mark.parametrize(
    ("text", "broken", "told"),
    [
        ("{USD: $usd_rate}", "{USD: 0}", "above 0"),
        ("{USD: $usd_rate}", "{usd: 7}", "usd"),
        ("    - code: paid_on\n", "    - code: invoiced_on\n", "invoiced_on"),
        ("    - code: number\n", "    - code: order_no\n", "number"),
        ("      identity: org_name\n", "      identity: uscc\n", "has the format uscc"),
        ("      choices: currencies\n", "      choices: coins\n", "coins"),
    ],
)
def test_broken(tmp_path: Path, text: str, broken: str, told: str) -> None:
    folder = tmp_path / "policies"
    shutil.copytree(shipped("policies"), folder)
    path = folder / "orders.yaml"
    content = path.read_text("utf-8")
    assert content.count(text) == 1
    path.write_text(content.replace(text, broken), "utf-8")
    with pytest.raises(CrmctlError) as refused:
        policy.load(folder)
    problems = (refused.value.details or {})["problems"]
    assert {Path(problem["path"]).name for problem in problems} == {"orders.yaml"}
    assert any(told in f"{problem['message']} {problem['hint']}" for problem in problems)
