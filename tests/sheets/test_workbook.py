"""Workbooks as desks keep them, and those that must not be opened: XLSX, XLS, ODS, bombs, passwords, damage."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import odf.opendocument
import odf.table
import odf.text
import pytest
import xlsxwriter
import xlwt

from crmctl.customers.policy import CustomersSettings
from crmctl.errors import InvalidInput
from crmctl.sheets import containers
from crmctl.sheets.policy import FileLimits
from crmctl.sheets.workbook import Workbook

Read = Callable[..., Any]
HEAD = ["客户名称", "联系人", "手机", "客户编号", "生日", "最近跟进时间", "年合作额(万元)", "备注"]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def xlsx(*sheets: tuple[str, list[list[Any]]], hidden: tuple[str, ...] = (), merge: str = "") -> bytes:
    """Return a workbook; numbers, days and times as such."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    day, moment = book.add_format({"num_format": "yyyy/m/d"}), book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    for name, rows in sheets:
        sheet = book.add_worksheet(name)
        if name in hidden:
            sheet.hide()
        for i, row in enumerate(rows):
            for j, value in enumerate(row):
                if isinstance(value, datetime):
                    sheet.write_datetime(i, j, value, moment)
                elif isinstance(value, date):
                    sheet.write_datetime(i, j, value, day)
                elif value is not None:
                    sheet.write(i, j, value)
        if merge:
            sheet.merge_range(merge, rows[0][0])
    book.close()
    return stream.getvalue()


def xls(rows: list[list[Any]]) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("客户")
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            sheet.write(i, j, value)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def ods(rows: list[list[str]]) -> bytes:
    document = odf.opendocument.OpenDocumentSpreadsheet()
    table = odf.table.Table(name="客户")
    for row in rows:
        line = odf.table.TableRow()
        for value in row:
            cell = odf.table.TableCell(valuetype="string")
            cell.addElement(odf.text.P(text=value))
            line.addElement(cell)
        table.addElement(line)
    document.spreadsheet.addElement(table)
    stream = io.BytesIO()
    document.write(stream)
    return stream.getvalue()


def zipped(**entries: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/").replace("_dot_", "."), data)
    return stream.getvalue()


def refused(read: Read, data: bytes, **options: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(data, **options)
    assert caught.value.exit_code == 4 and caught.value.hint
    return caught.value


TYPED = [
    "杭州甲有限公司", "王五", 13812345678, 1001, date(1988, 6, 18), datetime(2024, 6, 25, 10, 37), 1.5, "a_x000D_\nb",
]  # fmt: skip


def test_numbers_days_and_times_become_what_a_person_reads(read: Read) -> None:
    row = read(xlsx(("客户", [HEAD, TYPED]))).valid[0]
    assert row.contact == {"name": "王五", "mobile": "+8613812345678", "birthday": "1988-06-18"}
    assert row.attributes["external_code"] == "1001"
    assert (row.clear["last_contact_at"], row.clear["annual_amount"]) == ("2024-06-25T02:37:00Z", 1_500_000)
    assert row.personal["notes"] == "a\nb"


def test_digits_that_the_spreadsheet_lost_are_told(read: Read) -> None:
    head = ["姓名", "身份证号", "客户编号", "备注"]
    rejected = read(xlsx(("客户", [head, ["张三", 110101199003071234, 1.1e17, True]]))).reasons
    assert rejected == [(2, "CODE_DAMAGED", "id_card"), (2, "CODE_DAMAGED", "external_code")]


def test_old_and_open_workbooks_read_the_same(read: Read) -> None:
    table = [
        ["姓名", "手机", "生日"],
        ["张三", "13812345678", "1988-06-18"],
        ["李四", "１３９１２３４５６７８", "1988年6月18日"],
    ]
    expected = read("\n".join(",".join(row) for row in table) + "\n").outcomes
    for kind, data in (("xlsx", xlsx(("x", table))), ("xls", xls(table)), ("ods", ods(table))):
        reading = read(data)
        assert (reading.info.kind, reading.outcomes) == (kind, expected)


def test_titles_merged_cells_and_empty_corners(read: Read) -> None:
    table = [
        ["客户档案（单位：万元）", None, None, None], [None] * 4, ["公司名称", "联系方式", None, "年合作额"],
        [None, "联系人", "手机", None], ["甲公司", "张三", 13812345678, 2], [None] * 4, ["乙公司", None, None, 3],
    ]  # fmt: skip
    reading = read(xlsx(("x", [[None, *row] for row in [[]] + table]), merge=""))
    assert reading.info.header == ("", "公司名称", "联系人", "手机", "年合作额")
    assert [(row.number, row.clear["company_name"], row.clear["annual_amount"]) for row in reading.valid] == [
        (6, "甲公司", 2_000_000), (8, "乙公司", 3_000_000),
    ]  # fmt: skip
    assert (reading.info.header_number, reading.info.header_double, reading.info.blank) == (5, True, 1)


def test_the_first_visible_sheet_that_looks_like_customers(read: Read) -> None:
    notes = ("说明", [["请按要求填写"], ["一行一个联系人"]])
    old = ("旧", [["姓名", "手机"], ["李四", "13912345678"]])
    new = ("新", [["姓名", "手机"], ["张三", "13812345678"]])
    book = xlsx(notes, old, new, hidden=("旧",))
    assert read(book).valid[0].personal["name"] == "张三"
    assert read(book).info.sheet_name == "新"
    assert read(book, sheet="旧").valid[0].personal["name"] == "李四"
    assert read(book, sheet="3").valid[0].personal["name"] == "张三"
    problem = refused(read, book, sheet="别的")
    assert problem.code == "SHEET_UNKNOWN" and "2 旧" in problem.hint


def test_columns_without_header_matter_only_with_values(read: Read) -> None:
    assert read(xlsx(("x", [["姓名", None, "手机"], ["张三", None, "13812345678"]]))).valid
    problem = refused(read, xlsx(("x", [["姓名", None], ["张三", "什么"]])))
    assert problem.code == "COLUMN_UNKNOWN" and "column B" in problem.message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (xlsx(("x", [])), "FILE_EMPTY"),
        (xlsx(("x", [["姓名", "手机"]])), "NO_ROWS"),
        (OLE + b"\0" * 600 + "EncryptedPackage".encode("utf-16-le") + b"\0" * 600, "WORKBOOK_ENCRYPTED"),
        (OLE + b"\0" * 600 + "WordDocument".encode("utf-16-le") + b"\0" * 600, "FILE_BINARY"),
        (OLE + b"\0" * 600 + "Workbook".encode("utf-16-le") + b"\0" * 600, "WORKBOOK_BROKEN"),
        (zipped(hello_dot_txt=b"x"), "FILE_ARCHIVE"),
        (zipped(xl__workbook_dot_xml=b"<workbook/>"), "WORKBOOK_BROKEN"),
        (zipped(xl__workbook_dot_xml=b"<x/>", xl__worksheets__sheet1_dot_xml=b"\0" * (30 << 20)), "WORKBOOK_BOMB"),
        (zipped(**{f"x{i}": b"" for i in range(1001)}), "WORKBOOK_BOMB"),
        (zipped(xl__workbook_dot_xml=b"<x/>", **{"..__..__etc__passwd": b"x"}), "WORKBOOK_BROKEN"),
        (
            zipped(content_dot_xml=b"x", **{"META-INF__manifest_dot_xml": b"<manifest:encryption-data/>"}),
            "WORKBOOK_ENCRYPTED",
        ),
        (xlsx(("x", [["姓名"], ["张三"]]))[:-400], "WORKBOOK_BROKEN"),
        (b"PK\x03\x04" + os.urandom(2000), "WORKBOOK_BROKEN"),
        (b"PK\x05\x06" + b"\0" * 18, "FILE_ARCHIVE"),
    ],
)
def test_what_must_not_be_opened(read: Read, data: bytes, code: str) -> None:
    assert refused(read, data).code == code


def test_a_sheet_with_one_cell_in_each_corner_ends_the_child_not_us(read: Read) -> None:
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True})
    sheet = book.add_worksheet()
    sheet.write(0, 0, "姓名")
    sheet.write(1_048_575, 16_383, "z")
    book.close()
    assert refused(read, stream.getvalue()).code == "WORKBOOK_TOO_LARGE"


def test_entities_of_a_document_type_are_not_expanded(read: Read) -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    book = io.BytesIO(xlsx(("x", [["姓名"], ["&&&"]])))
    changed = io.BytesIO()
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(changed, "w") as new:
        for entry in old.infolist():
            text = old.read(entry)
            if entry.filename == "xl/sharedStrings.xml":
                text = text.replace(b"<sst", bomb.encode() + b"<sst", 1).replace(b"&amp;&amp;&amp;", b"&b;")
            new.writestr(entry.filename, text)
    try:
        outcomes = read(changed.getvalue()).outcomes
    except InvalidInput as problem:
        assert problem.code == "WORKBOOK_BROKEN"
    else:
        assert "ha" not in str(outcomes)


def test_limits_of_the_policy(settings: CustomersSettings) -> None:
    data = xlsx(("x", [["姓名", "手机"], ["张三", "1"]]))
    for limits, most in ((FileLimits(workbook_bytes=100), "bytes"), (FileLimits(workbook_cells=3), "cells")):
        with pytest.raises(InvalidInput) as caught, Workbook(io.BytesIO(data), len(data), limits, "file") as book:
            book.preview(0)
        assert caught.value.code == "WORKBOOK_TOO_LARGE", most


def test_the_child_ends_with_the_block_and_is_confined(settings: CustomersSettings) -> None:
    data = xlsx(("x", [["姓名"], ["张三"]]))
    with Workbook(io.BytesIO(data), len(data), settings.limits, "file") as book:
        pid = book.child.pid
        limits = Path(f"/proc/{pid}/limits").read_text()
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert book.child.poll() is not None
    address_space = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert "unlimited" not in address_space.split("  ")[1]
    assert "张三".encode() not in arguments + environment
    assert b"HOME" not in environment


def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    file = tmp_path / "x.xlsx"
    file.write_bytes(xlsx(("x", [["姓名"], ["张三"]])))
    code = (
        "import sys, io, time; from crmctl.sheets.workbook import Workbook; "
        "from crmctl.sheets.policy import FileLimits; "
        "data = open(sys.argv[1], 'rb').read(); "
        "book = Workbook(io.BytesIO(data), len(data), FileLimits(), 'x'); "
        "print(book.child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        parent.kill()
    for _attempt in range(200):
        if not Path(f"/proc/{child}").exists() or _zombie(child):
            return
        time.sleep(0.05)
    pytest.fail("the child outlived its parent")


def _zombie(pid: int) -> bool:
    try:
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


def test_central_directories_are_checked_before_unpacking(monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped(xl__workbook_dot_xml=b"<x/>", big=b"\0" * (3 << 20))
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_a, **_k: pytest.fail("unpacked"))
    with pytest.raises(InvalidInput) as caught:
        containers.kind_of(io.BytesIO(data), len(data), "file")
    assert caught.value.code == "WORKBOOK_BOMB"
