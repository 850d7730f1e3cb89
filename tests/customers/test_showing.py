"""What people see of customers: amounts in whole units of their own currency."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import workspaces
from golden import Result, call

HEADER = "客户名称,统一社会信用代码,联系人,手机号码,年合作额,币种,注册资本,信用额度"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a customer in yen (1), one in yuan (2) and one with other amounts in other currencies (3)."""
    place = tmp_path_factory.mktemp("showing")
    rows = (
        "株式会社甲,,张三,13900000001,1234567,JPY,,",
        "乙公司,,李四,13900000002,1234567,CNY,,",
        "丙公司,,王五,13900000003,,,500000日元,￥1234.5",
    )
    (place / "rows.csv").write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    folder = workspaces.make(place / "w")
    done = crmctl(folder, "customer", "import", str(place / "rows.csv"))
    assert done.exit_code == 0, done.stderr + done.stdout
    return folder


def crmctl(folder: Path, *words: str) -> Result:
    return call(["-w", str(folder), *words])


def shown(folder: Path, number: int, *words: str) -> dict[str, str]:
    lines = crmctl(folder, "customer", "show", str(number), *words).stdout.splitlines()[2:]
    return {heading: value for heading, _, value in (line.strip().partition("  ") for line in lines)}


def value(lines: dict[str, str], heading: str) -> str:
    return lines[heading].strip()


def test_an_amount_has_the_decimals_of_its_currency(folder: Path) -> None:
    assert value(shown(folder, 1), "Annual amount") == "1,234,567"
    assert value(shown(folder, 2), "Annual amount") == "1,234,567.00"


def test_programs_get_minor_units(folder: Path) -> None:
    document = json.loads(crmctl(folder, "customer", "show", "1", "-o", "json").stdout)
    assert document["customer"]["annual_amount"] == 1234567
    assert document["customer"]["currency"] == "JPY"


def test_other_amounts_name_a_currency_that_is_not_the_usual_one(folder: Path) -> None:
    lines = shown(folder, 3)
    assert value(lines, "Registered capital") == "500,000 JPY"
    assert value(lines, "Credit limit") == "1,234.50"
    assert not any("currency" in heading for heading in lines)


def test_a_contact_has_a_name_of_its_own(folder: Path) -> None:
    shown_zh = crmctl(folder, "customer", "show", "1", "--lang", "zh").stdout
    assert re.search(r"^对接人 1 +姓名 +张\*$", shown_zh, re.MULTILINE), shown_zh
    assert "联系人" not in shown_zh


def test_the_dry_run_shows_amounts_in_the_currency_of_the_column(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "yen.csv"
    path.write_text("客户名称,联系人,手机号码,年合作额(日元)\n丁公司,赵六,13900000004,98765\n", "utf-8")
    told = crmctl(folder, "customer", "import", str(path), "--dry-run").stdout
    assert re.search(r"JPY +1 +98,765 +98,765 +98,765$", told, re.MULTILINE), told
