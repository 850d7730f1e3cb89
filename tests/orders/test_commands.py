"""`crmctl order …` from the command line: import, list, template, resume, permissions."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from golden import Result, call

HEADER = "订单号,客户编号,金额(万元),下单日期,付款日期\n"
ROWS = "".join(f"A{n:03d},K{n % 3 + 1},{n + 1},2026-01-{n % 28 + 1:02d},\n" for n in range(60))


def crmctl(folder: Path, *words: object, stdin: str = "") -> Result:
    return call(["-w", str(folder), *map(str, words)], stdin=stdin.encode())


@pytest.fixture
def filled(world: Any) -> Any:
    assert world.orders(HEADER + ROWS).counts["created"] == 60
    return world


def listed(world: Any, *words: str) -> dict[str, Any]:
    done = crmctl(world.folder, "order", "list", "-o", "json", *words)
    assert done.exit_code == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def numbers(document: dict[str, Any]) -> list[str]:
    return [order["number"] for order in document["orders"]]


def test_import_from_standard_input_and_again(world: Any) -> None:
    words = ("order", "import", "-", "--source", "erp", "--chunk", "7", "-o", "json")
    first = crmctl(world.folder, *words, stdin=HEADER + ROWS)
    assert first.exit_code == 0, first.stderr
    document = json.loads(first.stdout)
    assert [document[name] for name in ("read", "created", "unchanged", "rejected")] == [60, 60, 0, 0]
    assert document["schema"] == "crmctl/order-import/1"
    assert document["money"][0]["unit"] == 10000
    again = json.loads(crmctl(world.folder, *words, stdin=HEADER + ROWS).stdout)
    assert [again[name] for name in ("read", "created", "unchanged", "rejected")] == [60, 0, 60, 0]
    assert {*again} == {*document}


def test_rejected_rows_end_with_3_and_go_to_a_file(world: Any, tmp_path: Path) -> None:
    path = world.file(HEADER + "A1,K1,1,2026-01-05,\nA2,nobody,1,2026-01-05,\n")
    rejects = tmp_path / "rejects.csv"
    done = crmctl(world.folder, "order", "import", path, "--source", "erp", "--rejects", rejects, "-o", "json")
    assert (done.exit_code, json.loads(done.stdout)["reasons"]) == (3, {"CUSTOMER_UNKNOWN": 1})
    rows = list(csv.reader(io.StringIO(rejects.read_text("utf-8-sig"))))
    assert rows[1][:5] == ["A2", "nobody", "1", "2026-01-05", ""]
    assert rows[1][5:7] == ["3", "CUSTOMER_UNKNOWN"]
    corrected = rejects.read_text("utf-8").replace("nobody", "K2")
    assert world.orders(corrected).counts["created"] == 1
    shown = json.loads(crmctl(world.folder, "batch", "list", "-o", "json").stdout)["batches"]
    assert [(batch["kind"], batch["created"], batch["rejected"]) for batch in shown] == [
        ("order", 1, 0),
        ("order", 1, 1),
        ("customer", 3, 0),
    ]
    told = json.loads(crmctl(world.folder, "batch", "rejects", "2", "-o", "json").stdout)["rejects"]
    assert told[0]["reason"] == "no customer has what the row says of its customer"


def test_an_unknown_column_stops_the_file(world: Any) -> None:
    path = world.file("订单号,客户编号,金额,下单日期,鞋码\nA1,K1,1,2026-01-05,42\n")
    done = crmctl(world.folder, "order", "import", path, "--source", "erp", "-o", "json")
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (4, "COLUMN_UNKNOWN")
    assert crmctl(world.folder, "order", "import", path, "--source", "erp", "--drop-unknown").exit_code == 0


def test_pages_follow_each_other_without_gap(filled: Any) -> None:
    found: list[str] = []
    after: list[str] = []
    while True:
        page = listed(filled, "--limit", "25", *after)
        found += numbers(page)
        if page["next"] is None:
            break
        after = ["--after", page["next"]]
    assert sorted(found) == [f"A{n:03d}" for n in range(60)]


def test_filters(filled: Any) -> None:
    of_two = listed(filled, "--customer", "C-000002")
    assert {order["customer"] for order in of_two["orders"]} == {2}
    assert len(of_two["orders"]) == 20
    days = [order["ordered_on"] for order in listed(filled, "--from", "2026-01-27", "--to", "2026-01-28")["orders"]]
    assert sorted({*days}) == ["2026-01-27", "2026-01-28"]
    assert len(days) == 4
    assert numbers(listed(filled, "--number", "A007")) == ["A007"]
    assert numbers(listed(filled, "--number", "none")) == []
    assert listed(filled, "--batch", "2", "--count")["count"] == 60
    assert listed(filled, "--batch", "1", "--count")["count"] == 0
    assert listed(filled, "--no-rate", "--count")["count"] == 0
    one = listed(filled, "--number", "A007")["orders"][0]
    assert (one["amount"], one["amount_text"], one["home_amount"], one["currency"]) == (
        8000000, "80,000.00", 8000000, "CNY",
    )  # fmt: skip


@pytest.mark.parametrize("words", [("--from", "tomorrow"), ("--after", "1"), ("--customer", "K1")])
def test_what_cannot_be_asked(world: Any, words: tuple[str, str]) -> None:
    done = crmctl(world.folder, "order", "list", *words)
    assert done.exit_code in (2, 4)
    assert words[1] in done.stderr


def test_each_look_is_one_entry(filled: Any) -> None:
    listed(filled, "--customer", "2")
    shown = json.loads(crmctl(filled.folder, "audit", "list", "-o", "json", "--action", "order.*").stdout)
    acts = [entry["act"] for entry in shown["entries"]]
    assert acts.count("order.list") == 1
    assert acts.count("order.import") == 3  # begun, one chunk, done


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_empty_sheet_imports_without_mapping(world: Any, tmp_path: Path, lang: str, form: str) -> None:
    out = tmp_path / f"orders.{form}"
    assert crmctl(world.folder, "order", "template", "--lang", lang, "-o", form, "--out", out).exit_code == 0
    done = crmctl(world.folder, "order", "import", out, "--dry-run", "-o", "json")
    assert (done.exit_code, json.loads(done.stderr)["code"]) == (4, "NO_ROWS")
    if form == "csv":
        row = ["B1", "K1", "", "", "", "", "12.5", "2026-01-05", "", "", ""]
        filled = out.read_text("utf-8-sig") + ",".join(row) + "\n"
        assert world.orders(filled).counts["created"] == 1
