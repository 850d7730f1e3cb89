"""Days from iCal files: what a title means, which days an event covers, what is rejected."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl import i18n
from crmctl.errors import InvalidInput
from crmctl.worktime.ical import MOST_BYTES, meaning, read

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(autouse=True)
def english() -> None:
    i18n.use("en")


def ics(*events: str) -> bytes:
    blocks = ["\r\n".join(("BEGIN:VEVENT", *event.split("|"), "END:VEVENT")) for event in events]
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//t//t", *blocks, "END:VCALENDAR", "")).encode()


def days(*events: str) -> list[tuple[str, bool]]:
    told, rejected = read(ics(*events), "a.ics", SHANGHAI)
    assert rejected == ()
    return [(each.day.isoformat(), each.worked) for each in told]


def reasons(*events: str) -> list[str]:
    told, rejected = read(ics(*events), "a.ics", SHANGHAI)
    assert told == ()
    return [each.reason for each in rejected]


@pytest.mark.parametrize(
    "title",
    ["元旦（班）", "国庆节 补班 第1天/共2天", "春节上班", "国庆节班", "[班] 端午节", "班", "调休上班",
     "Make-up working day", "makeup day", "Working Day (Spring Festival)", "Labour Day make-up"],
)  # fmt: skip
def test_titles_of_worked_days(title: str) -> None:
    assert meaning(title) is True


@pytest.mark.parametrize(
    "title",
    [
        "元旦（休）",
        "国庆节 假期 第1天/共7天",
        "春节放假",
        "休",
        "[休] 端午节",
        "国庆节休",
        "Public Holiday",
        "Day off",
        "公休日",
    ],
)
def test_titles_of_days_off(title: str) -> None:
    assert meaning(title) is False


@pytest.mark.parametrize(
    "title", ["", "妇女节", "国庆节", "调休", "值班表", "培训班", "休 / 班", "Meeting", "Workdays report", "放假前上班"]
)
def test_titles_that_say_neither_or_both(title: str) -> None:
    assert meaning(title) is None
    assert reasons(f"DTSTART;VALUE=DATE:20270101|SUMMARY:{title}") == ["the title says neither off nor worked, or both"]


def test_titles_are_one_line_without_what_is_not_seen() -> None:
    told, _rejected = read(ics("DTSTART;VALUE=DATE:20270101|SUMMARY:元旦\u200b\\n休 \u202e假期"), "a.ics", SHANGHAI)
    assert [each.title for each in told] == ["元旦 休 假期"]


def test_all_day_events_end_on_the_day_before_their_end() -> None:
    event = "DTSTART;VALUE=DATE:20270101|DTEND;VALUE=DATE:20270104|SUMMARY:元旦（休）"
    assert days(event) == [("2027-01-01", False), ("2027-01-02", False), ("2027-01-03", False)]
    assert days("DTSTART;VALUE=DATE:20270101|SUMMARY:休") == [("2027-01-01", False)]
    assert days("DTSTART;VALUE=DATE:20270101|DURATION:P2D|SUMMARY:休") == [
        ("2027-01-01", False),
        ("2027-01-02", False),
    ]


def test_events_with_times_lie_on_days_of_the_company() -> None:
    """20:00 UTC is the next morning in Shanghai; what ends at midnight does not touch the next day."""
    assert days("DTSTART:20270105T200000Z|DTEND:20270106T100000Z|SUMMARY:补班") == [("2027-01-06", True)]
    assert days("DTSTART:20270105T010000Z|DTEND:20270105T160000Z|SUMMARY:补班") == [("2027-01-05", True)]
    assert days("DTSTART:20270105T090000|DTEND:20270105T180000|SUMMARY:补班") == [("2027-01-05", True)]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("SUMMARY:休", "has no beginning"),
        ("DTSTART:soon|SUMMARY:休", "its times are not understood"),
        ("DTSTART:090000|SUMMARY:休", "its times are not understood"),
        ("DTSTART;VALUE=DATE:20270101|DTSTART;VALUE=DATE:20270102|SUMMARY:休", "its times are not understood"),
        ("DTSTART;VALUE=DATE:20270101|STATUS:CANCELLED|SUMMARY:休", "was cancelled"),
        ("DTSTART;VALUE=DATE:20270101|RRULE:FREQ=YEARLY|SUMMARY:休", "repeats; write its days out"),
        ("DTSTART;VALUE=DATE:20270103|DTEND;VALUE=DATE:20270101|SUMMARY:休", "ends before it begins"),
        ("DTSTART;VALUE=DATE:20270101|DTEND;VALUE=DATE:20290101|SUMMARY:休", "is longer than a year"),
    ],
)
def test_events_that_are_rejected(event: str, reason: str) -> None:
    assert reasons(event) == [reason]


def test_a_day_that_is_off_and_worked_is_rejected_the_second_time() -> None:
    first, second = "DTSTART;VALUE=DATE:20270101|SUMMARY:休", "DTSTART;VALUE=DATE:20270101|SUMMARY:补班"
    told, rejected = read(ics(first, second, first), "a.ics", SHANGHAI)
    assert [(each.day, each.worked) for each in told] == [(date(2027, 1, 1), False)]
    assert [each.reason for each in rejected] == ["2027-01-01 is off and worked in the same file"]


@pytest.mark.parametrize(
    "data", [b"", b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", b"hello", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\r\n", b"PK\x03\x04"]
)
def test_what_is_no_ical_file(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"a\.ics: is no iCal file"):
        read(data, "a.ics", SHANGHAI)


def test_a_file_too_large_is_not_read() -> None:
    with pytest.raises(InvalidInput, match="too large"):
        read(b" " * (MOST_BYTES + 1), "a.ics", SHANGHAI)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: ics(f"DTSTART:{text}|SUMMARY:休")))
def test_no_bytes_are_a_bug(data: bytes) -> None:
    try:
        read(data, "a.ics", SHANGHAI)
    except InvalidInput as refused:
        assert refused.code == "ICAL_INVALID"
