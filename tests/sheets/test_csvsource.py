"""CSV as people really save it: encodings, delimiters, line ends, titles, torn quotes, broken lines. Nothing lost."""

from __future__ import annotations

import csv
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strategies import CELLS, TORN_BYTES, csv_bytes

from crmctl.customers.policy import CustomersSettings
from crmctl.errors import CrmctlError, InvalidInput
from crmctl.sheets.source import SourceOptions, inspect, rows

Read = Callable[..., Any]
TABLE = [
    ["客户名称", "联系人", "手机", "邮箱"],
    ["杭州甲有限公司", "王五", "13812345678", "a@b.cn"],
    ["张三", "", "13912345678", ""],
]
quick = hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def refused(read: Read, data: bytes | str, **options: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(data, **options)
    assert caught.value.exit_code == 4 and caught.value.message and caught.value.hint
    return caught.value


@pytest.fixture(scope="module")
def expected(read: Read) -> list[Any]:
    outcomes = read(csv_bytes(TABLE)).outcomes
    assert [row.personal or row.contact for row in outcomes] == [
        {"name": "王五", "mobile": "+8613812345678", "email": "a@b.cn"},
        {"name": "张三", "mobile": "+8613912345678"},
    ]
    return list(outcomes)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-32"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_however_it_is_saved(read: Read, expected: list[Any], encoding: str, delimiter: str, end: str) -> None:
    reading = read(csv_bytes(TABLE, encoding=encoding, delimiter=delimiter, end=end))
    assert reading.outcomes == expected
    assert reading.info.dialect.delimiter == delimiter
    assert reading.info.encoding.codec.removesuffix("-le") == encoding.removesuffix("-sig")


def test_the_encoding_is_said(read: Read) -> None:
    assert read(csv_bytes(TABLE)).info.encoding.how == "utf-8"
    assert read(csv_bytes(TABLE, encoding="gb18030")).info.encoding.how == "gb18030"
    assert read(csv_bytes(TABLE, encoding="utf-16")).info.encoding.how == "mark"
    assert "encoding GB18030" in read(csv_bytes(TABLE, encoding="gbk")).info.remarks()


def test_the_person_may_name_encoding_and_delimiter(read: Read, expected: list[Any]) -> None:
    assert read(csv_bytes(TABLE, encoding="utf-16-le"), encoding="utf-16").outcomes == expected
    assert read(csv_bytes(TABLE, encoding="gb18030"), encoding="gbk").outcomes == expected
    assert read(csv_bytes(TABLE, encoding="utf-16-be"), encoding="UTF-16BE").outcomes == expected
    assert read(csv_bytes(TABLE, delimiter="\t"), delimiter="tab").outcomes == expected
    assert refused(read, csv_bytes(TABLE), encoding="klingon").code == "ENCODING_UNKNOWN"
    assert refused(read, csv_bytes(TABLE), encoding="base64").code == "ENCODING_UNKNOWN"
    assert refused(read, csv_bytes(TABLE, encoding="gb18030"), encoding="utf-8").code == "ENCODING_INVALID"
    with pytest.raises(InvalidInput, match="--delimiter"):
        read(csv_bytes(TABLE), delimiter="ab")


def test_two_encodings_in_one_file_are_never_guessed(read: Read) -> None:
    data = csv_bytes(TABLE) + "李四,,13712345678,\r\n".encode("gb18030")
    problem = refused(read, data)
    assert problem.code == "ENCODING_MIXED" and "line 4" in problem.message
    problem = refused(read, csv_bytes(TABLE) + b"\xff\xfe,,,\r\n", encoding="utf-8")
    assert problem.code == "ENCODING_INVALID" and "line 4" in problem.message
    assert f"byte {len(csv_bytes(TABLE)) + 1})" in problem.message
    problem = refused(read, csv_bytes(TABLE, encoding="gb18030") + b"\xff\xff,,,\r\n")
    assert problem.code == "ENCODING_INVALID" and "neither UTF-8 nor GB18030" in problem.message


@pytest.mark.parametrize("cut", [1, 2])
def test_a_cut_character_at_the_end(read: Read, cut: int) -> None:
    data = "姓名\n张三\n李四".encode()
    assert refused(read, data[:-cut], encoding="utf-8").code == "ENCODING_INVALID"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "FILE_EMPTY"),
        (b"\xef\xbb\xbf", "FILE_EMPTY"),
        (b" \r\n\r\n ", "FILE_EMPTY"),
        (b"\n" * 20_000, "FILE_EMPTY"),
        (b"<html><table><tr><td>1</td></tr></table>", "FILE_HTML"),
        ("\ufeff  <!DOCTYPE html><html>".encode("utf-16"), "FILE_HTML"),
        (b'<?xml version="1.0"?><Workbook/>', "FILE_HTML"),
        (b"MIME-Version: 1.0\r\n", "FILE_HTML"),
        (b"%PDF-1.7\n", "FILE_BINARY"),
        (b"\x89PNG\r\n\x1a\n", "FILE_BINARY"),
        (bytes(range(256)) * 8, "FILE_BINARY"),
        (b'{"customers": []}', "FILE_JSON"),
        (b'[{"name": "x"}]', "FILE_JSON"),
        (csv_bytes(TABLE, encoding="utf-16-le"), "NUL_BYTES"),
        (csv_bytes(TABLE) + b"a\0b,,,\r\n", "NUL_BYTES"),
        (csv_bytes([*TABLE, ["a\0b", "", "", ""]], encoding="utf-16"), "NUL_BYTES"),
        ("客户名称,手机\n".encode(), "NO_ROWS"),
        ("客户名称,手机\n,\n ,\n".encode(), "NO_ROWS"),
        ("手机,邮箱\n13812345678,\n".encode(), "COLUMN_MISSING"),
        ("客户名称,星座\n张三,狮子\n".encode(), "COLUMN_UNKNOWN"),
        ("客户名称,\n张三,狮子\n".encode(), "COLUMN_UNKNOWN"),
        (b"name,name\na,b\n", "HEADER_TWICE"),
        (b"1,2,3\n4,5,6\n", "HEADER_MISSING"),
        ((",".join(["name", *(f"x{i}" for i in range(300))]) + "\na\n").encode(), "COLUMNS_TOO_MANY"),
        (b"name\n" + b"x" * 20_000 + b"\n", "CSV_TORN"),
        (b"name\n" + b"x" * 3_000_000, "RECORD_TOO_LONG"),
    ],
)
def test_what_is_no_customer_file(read: Read, data: bytes, code: str) -> None:
    assert refused(read, data).code == code


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ('"张三,13812345678\n李四,13912345678\n', "line 2"),
        ('张三,13812345678\n"李四,13912345678\n王五,1\n', "line 3"),
        ('张三,"138\n李四,"139\n', "line 2"),
        ('张三,1\n"李"四,13912345678\n', "line 3"),
        ('张三,"1\n李四,1\n王五,1"\n赵六,"1"\n', "line 2 and closes in line 4"),
    ],
)
def test_a_torn_quote_is_told_with_the_line_where_it_opens(read: Read, body: str, line: str) -> None:
    head = "客户名称,手机,公司,地址,省,市\n"
    problem = refused(read, head + body.replace("\n", ",,,,\n"))
    assert problem.code == "CSV_TORN" and line in problem.message


def test_quotes_and_line_feeds_inside_cells_are_fine(read: Read) -> None:
    table = [["姓名", "地址", "备注"], ["张三", "路 1 号\n2 楼", '要求"月结30天", 急'], ["李四", "", "x"]]
    reading = read(csv_bytes(table))
    assert [row.number for row in reading.valid] == [2, 3]
    assert reading.valid[0].personal["notes"] == '要求"月结30天", 急'
    assert reading.valid[0].personal["address"] == "路 1 号 2 楼"


def test_blank_lines_count_for_numbers_but_not_as_rows(read: Read) -> None:
    reading = read("姓名,手机\n\n张三,13812345678\n,\n  , \n李四,13912345678\n\n\x1a")
    assert [row.number for row in reading.outcomes] == [3, 6]
    assert (reading.info.records, reading.info.blank) == (2, 5)


def test_broken_lines_are_rejected_whole_and_short_rows_are_not(read: Read) -> None:
    head = "公司名称,联系人,地址,手机\n"
    broken = read(head + "甲公司,张三,浙江省\n杭州市,13812345678\n乙公司,李四,上海,13912345678\n")
    assert broken.reasons == [(2, "FEWER_CELLS", ""), (3, "FEWER_CELLS", "")]
    assert [row.number for row in broken.valid] == [4]
    short = read(head + "甲公司,张三\n乙公司,李四,上海,13912345678\n丙公司\n")
    assert [row.clear["company_name"] for row in short.valid] == ["甲公司", "乙公司", "丙公司"]
    longer = read(head + "甲公司,张三,x,13812345678,,\n乙公司,李四,上海,13912345678,错\n")
    assert [row.number for row in longer.valid] == [2]
    assert longer.reasons == [(3, "MORE_CELLS", "")]


def test_titles_above_the_header(read: Read) -> None:
    reading = read("客户清单（单位：万元）,,\n\n公司名称,联系人,年合作额\n甲公司,李四,12.5\n")
    assert (reading.info.header_number, reading.valid[0].number) == (3, 4)
    assert reading.valid[0].clear["annual_amount"] == 12_500_000
    assert "header in row 3" in reading.info.remarks()


def test_a_header_of_two_lines(read: Read) -> None:
    reading = read("公司名称,联系人,联系方式,,地址\n,,手机,邮箱,\n甲公司,李四,13812345678,a@b.cn,路\n")
    assert reading.valid[0].contact == {"name": "李四", "mobile": "+8613812345678", "email": "a@b.cn"}
    assert reading.info.header == ("公司名称", "联系人", "手机", "邮箱", "地址")
    merged = read("公司名称,人员,,地址\n,姓名,手机,\n甲公司,李四,13812345678,路\n")
    assert merged.info.header == ("公司名称", "姓名", "手机", "地址")


def test_the_line_for_excel(read: Read, expected: list[Any]) -> None:
    data = b"sep=;\r\n" + csv_bytes(TABLE, delimiter=";")
    assert read(data).outcomes == expected
    assert read(b"SEP=|\n" + csv_bytes(TABLE, delimiter="|", end="\n")).outcomes == expected
    torn = refused(read, b'sep=,\nname,mobile\n"x,1\n')
    assert "line 3" in torn.message


def test_the_delimiter_is_told_by_the_header_not_by_the_cells(read: Read) -> None:
    reading = read("姓名;备注\n张三;a,b,c,d\n李四;e,f,g,h\n")
    assert [row.personal["notes"] for row in reading.valid] == ["a,b,c,d", "e,f,g,h"]
    assert read("姓名\n张三\n").valid[0].personal == {"name": "张三"}


def test_limit_and_resuming(settings: CustomersSettings) -> None:
    table = [["姓名", "备注"], *([f"张{i}", "x"] for i in range(50))]
    handle = io.BytesIO(csv_bytes(table))

    def numbers(after: int = 0, **chosen: Any) -> list[int]:
        options = SourceOptions(**chosen)
        info = inspect(handle, settings, options, name="file")
        return [n for block in rows(handle, info, settings, options, start_after=after, block=7) for n, _c in block]

    assert numbers() == list(range(2, 52))
    assert numbers(after=20) == list(range(21, 52))
    assert numbers(limit=10) == list(range(2, 12))
    assert numbers(limit=10, after=5) == list(range(6, 12))
    assert numbers(limit=99) == list(range(2, 52))
    assert numbers(after=51) == []


def test_a_file_that_changes_between_the_passes(settings: CustomersSettings) -> None:
    handle = io.BytesIO(csv_bytes([["姓名"], ["张三"], ["李四"]]))
    info = inspect(handle, settings, SourceOptions(), name="file")
    for data in (csv_bytes([["姓名"], ["张三"]]), csv_bytes([["姓名"], ["张三"], ["李四"], ["王五"]])):
        with pytest.raises(InvalidInput) as caught:
            list(rows(io.BytesIO(data), info, settings, SourceOptions()))
        assert caught.value.code == "FILE_CHANGED"


def test_an_unknown_type_is_refused(read: Read) -> None:
    assert refused(read, csv_bytes(TABLE), type="alien").code == "TYPE_UNKNOWN"


def test_no_message_holds_a_cell(read: Read) -> None:
    for data in (
        "张三疯,13812345678,a@b.cn\n李四,13912345678,c@d.cn\n",
        '姓名,手机\n"张三疯,1\n',
        "姓名,手机\n张三疯,1\x00\n",
        "姓名\n张三疯\n".encode() + b"\xff\n",
    ):
        assert "张三疯" not in str(vars(refused(read, data)))


def test_memory_is_flat(settings: CustomersSettings) -> None:
    line = f"张三,13812345678,浙江省杭州市西湖区路 1 号,{'备注' * 700}\r\n"
    peaks = []
    for count in (2_000, 6_000):
        handle = io.BytesIO(("姓名,手机,地址,备注\r\n" + line * count).encode())
        tracemalloc.start()
        info = inspect(handle, settings, SourceOptions(), name="file")
        assert sum(len(block) for block in rows(handle, info, settings, SourceOptions(), block=50)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 1_000_000 < 20_000_000


def test_the_field_limit_of_the_csv_module_is_left_alone(read: Read) -> None:
    before = csv.field_size_limit()
    read(csv_bytes(TABLE))
    assert csv.field_size_limit() == before


@given(TORN_BYTES)
@example(b'a,"\n')
@example(b"\xef\xbb\xbf,")
@quick
def test_any_bytes_under_a_header_are_counted_or_refused(read: Read, body: bytes) -> None:
    data = "姓名,手机,备注,地址,省,市\n".encode() + body
    try:
        reading = read(data)
    except CrmctlError as problem:
        assert problem.exit_code == 4
        return
    info = reading.info
    assert len(reading.outcomes) == info.records
    assert [row.number for row in reading.outcomes] == sorted({row.number for row in reading.outcomes})
    text = data[info.encoding.skip :].decode(info.encoding.codec)
    lenient = list(csv.reader(io.StringIO(text, newline=""), delimiter=info.dialect.delimiter))
    assert info.records + info.blank == len(lenient) - info.header_number


@given(TORN_BYTES)
@quick
def test_any_bytes_at_all_are_read_or_refused(read: Read, data: bytes) -> None:
    try:
        read(data)
    except CrmctlError as problem:
        assert problem.exit_code == 4


@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-16", "gb18030"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
@quick
def test_whatever_is_written_properly_is_read_back(
    read: Read, records: list[list[str]], delimiter: str, encoding: str, end: str
) -> None:
    table = [["姓名", "公司名称", "备注"], *(["张三", *cells[1:]] for cells in records)]
    data = csv_bytes(table, encoding=encoding, delimiter=delimiter, end=end, quote_all=True)
    reading = read(data, delimiter=delimiter)
    assert (reading.info.records, len(reading.outcomes)) == (len(records), len(records))
