"""Days and moments: spellings, serial numbers, ambiguity, plausibility, zones with summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.sheets.formats.dates import day_reader, moment_reader
from crmctl.sheets.formats.texts import Fault

ask = day_reader("ask", None, None)
moment = moment_reader("ask", "Asia/Shanghai", None, None)


def fault(read: object, cell: str) -> str:
    with pytest.raises(Fault) as caught:
        read(cell)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize(
    "cell",
    ["2026-03-05", "2026/3/5", "2026.3.5", "2026年3月5日", "2026年03月05", "20260305", "２０２６／３／５",
     " 2026-3-5 ", "46086",
     "46086.0", "2026-03-05 00:00:00", "2026-03-05T00:00:00.000", "5 Mar 2026", "Mar 5, 2026", "5-Mar-2026",
     "March 5 2026", "2026/3/5 0:00"],
)  # fmt: skip
def test_spellings_of_one_day(cell: str) -> None:
    assert ask(cell) == "2026-03-05"


@pytest.mark.parametrize(
    "cell",
    ["2024-02-30", "2026-13-01", "2026/0/5", "20261301", "明天", "2026", "2026-03", "2026年3月", "3月5日", "1-1",
     "99999",
     "2026-03-05x", "0", "2026-W10-4", "2026-03-05 25:00", "May 2026", "13/13/2026", "9999999999999"],
)  # fmt: skip
def test_what_is_no_day(cell: str) -> None:
    assert fault(ask, cell) == "DATE_INVALID"


def test_days_before_months() -> None:
    assert fault(ask, "3/5/2026") == "DATE_AMBIGUOUS"
    assert ask("25/12/2026") == ask("12/25/2026") == "2026-12-25"
    assert ask("5/5/2026") == "2026-05-05"
    assert day_reader("month_first", None, None)("3/5/2026") == "2026-03-05"
    assert day_reader("day_first", None, None)("3/5/2026") == "2026-05-03"


def test_plausibility() -> None:
    read = day_reader("ask", date(1900, 1, 1), date(2026, 11, 21))
    assert read("2026-11-21") == "2026-11-21"
    assert fault(read, "2026-11-22") == fault(read, "1899/12/31") == fault(read, "22 Nov 2026") == "DATE_OUT_OF_RANGE"


@pytest.mark.parametrize(
    ("cell", "stamp"),
    [
        ("2024-06-25 10:37:00", "2024-06-25T02:37:00Z"),
        ("2024-06-25T10:37:00", "2024-06-25T02:37:00Z"),
        ("2024/6/25 10:37", "2024-06-25T02:37:00Z"),
        ("2024年6月25日 10时37分", "2024-06-25T02:37:00Z"),
        ("2024年6月25日 下午3:20", "2024-06-25T07:20:00Z"),
        ("6/25/2024 3:20 PM", "2024-06-25T07:20:00Z"),
        ("2024-06-25 12:05 AM", "2024-06-24T16:05:00Z"),
        ("2024-06-25", "2024-06-24T16:00:00Z"),
        ("20240625103700", "2024-06-25T02:37:00Z"),
        ("2024-06-25T02:37:00Z", "2024-06-25T02:37:00Z"),
        ("2024-06-25T02:37:00.000+00:00", "2024-06-25T02:37:00Z"),
        ("2024-06-25 10:37:00 +0800", "2024-06-25T02:37:00Z"),
        ("45468.4423611111", "2024-06-25T02:37:00Z"),
        ("1719283020", "2024-06-25T02:37:00Z"),
        ("1719283020000", "2024-06-25T02:37:00Z"),
        ("2024-06-25 10:37:00.999", "2024-06-25T02:37:00Z"),
    ],
)
def test_moments(cell: str, stamp: str) -> None:
    assert moment(cell) == stamp


def test_moments_that_are_none_and_moments_out_of_range() -> None:
    assert fault(moment, "2024-02-30 10:00:00") == "DATE_INVALID"
    assert fault(moment, "2024-02-20 10:61:00") == "DATE_INVALID"
    assert fault(moment, "2024-06-25 10:37 somewhen") == "DATE_INVALID"
    read = moment_reader("ask", "Asia/Shanghai", date(1980, 1, 1), date(2026, 11, 22))
    assert read("2026-11-22 23:59:59") == "2026-11-22T15:59:59Z"
    assert fault(read, "2026-11-23 00:00:00") == fault(read, "1979-12-31 23:59:59") == "DATE_OUT_OF_RANGE"


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda m: m.replace(microsecond=0)),
    st.sampled_from(["Asia/Shanghai", "America/St_Johns", "Europe/Berlin", "Australia/Lord_Howe", "UTC"]),
)
def test_the_fast_path_is_the_zone(naive: datetime, zone: str) -> None:
    here = naive.replace(tzinfo=ZoneInfo(zone))
    expected = here.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    read = moment_reader("ask", zone, None, None)
    assert read(naive.isoformat(" ")) == expected
    assert read(naive.isoformat(" ")) == expected  # from memory
    assert read(naive.strftime("%Y/%m/%d %H:%M:%S")) == expected


@given(st.dates(date(1930, 1, 1), date(2110, 1, 1)))
def test_serial_numbers_count_from_1900(day: date) -> None:
    assert ask(str((day - date(1899, 12, 30)) // timedelta(days=1))) == day.isoformat()


@given(st.text(st.sampled_from("0123456789-/.: 年月日时TZ+上下午PM"), max_size=25))
def test_reading_never_fails_otherwise(text: str) -> None:
    for read in (ask, moment):
        try:
            assert len(read(text)) in (10, 20)
        except Fault as problem:
            assert problem.code.startswith("DATE_")
