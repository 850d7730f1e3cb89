"""Phone numbers: the fast path against the library, spellings, faults, foreign numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import MOBILE_SPELLINGS, spelled

from crmctl.sheets.formats.phones import (
    ELSEWHERE,
    MOBILE_PREFIXES,
    quick_abroad,
    quick_mobile,
    read_mobiles,
    read_phones,
)
from crmctl.sheets.formats.texts import Fault

MOBILE = phonenumbers.PhoneNumberType.MOBILE


def known(text: str, region: str | None = "CN") -> str | None:
    """Return what the library alone makes of a number: E.164 of a valid mobile."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    valid = phonenumbers.is_valid_number(number) and phonenumbers.number_type(number) == MOBILE
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None


def fault(function: object, *arguments: str) -> str:
    with pytest.raises(Fault) as caught:
        function(*arguments)  # type: ignore[operator]
    return caught.value.code


@pytest.mark.parametrize("prefix", range(130, 200))
def test_every_prefix_agrees_with_the_library(prefix: int) -> None:
    for rest in ("00000000", "12345678", "55512345", "99999999"):
        number = f"{prefix}{rest}"
        expected = known(number)
        assert (str(prefix) not in MOBILE_PREFIXES) or expected == "+86" + number
        if expected:
            assert read_mobiles(number)[0] == (expected, True, True)
        else:
            assert fault(read_mobiles, number) == "MOBILE_INVALID"


@given(st.text("0123456789+-() １２８６　", max_size=20))
def test_the_fast_path_is_a_subset_of_the_library(text: str) -> None:
    quick = quick_mobile(text)
    assert quick is None or quick == known(text)


@given(st.sampled_from(sorted(MOBILE_PREFIXES)), st.integers(0, 99_999_999), st.sampled_from(MOBILE_SPELLINGS))
def test_all_spellings_are_one_number(prefix: str, rest: int, spelling: str) -> None:
    mobile = f"{prefix}{rest:08}"
    assert read_mobiles(spelled(mobile, spelling)) == [("+86" + mobile, True, True)]


@pytest.mark.parametrize(
    "text",
    ["1381234567O", "1381234567", "138123456789", "12345678901", "23812345678", "14012345678", "16812345678", "abc",
     "手机", "021-58881234", "400-820-8820", "+86 1381234567", "0086 140 1234 5678", "138-1234-567"],
)  # fmt: skip
def test_what_is_no_mobile(text: str) -> None:
    assert fault(read_mobiles, text) == "MOBILE_INVALID"


@pytest.mark.parametrize("text", ["1.38E+10", "1.38123E10", "1.38e+10"])
def test_damage_by_a_spreadsheet(text: str) -> None:
    assert fault(read_mobiles, text) == "CODE_DAMAGED"
    assert fault(read_phones, text) == "CODE_DAMAGED"


@pytest.mark.parametrize(
    ("text", "region", "number"),
    [
        ("021-58881234", "CN", "+862158881234"),
        ("(010) 6552-9988", "CN", "+861065529988"),
        ("０７５５—８８８８８８８８".replace("—", "-"), "CN", "+8675588888888"),
        ("0755-88888888-801", "CN", "+8675588888888;ext=801"),
        ("021-58881234转12", "CN", "+862158881234;ext=12"),
        ("021-58881234 ext. 12", "CN", "+862158881234;ext=12"),
        ("400-820-8820", "CN", "+864008208820"),
        ("+44 20 7946 0958", "CN", "+442079460958"),
        ("0044 20 7946 0958", "CN", "+442079460958"),
        ("030-0074321", "DE", "+49300074321"),
        ("(604) 555-4729", "CA", "+16045554729"),
        ("+86 10 65529988", "DE", "+861065529988"),
        ("+86 10 65529988", "CN", "+861065529988"),
        ("13812345678", "CN", "+8613812345678"),
    ],
)
def test_landlines_and_numbers_of_the_world(text: str, region: str, number: str) -> None:
    assert [(phone.number, phone.valid) for phone in read_phones(text, region)] == [(number, True)]


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("(5) 555-4729", "MX"),
        ("88.60.15.31", "FR"),
        ("0452-076545", "CH"),
        ("555-0100", ELSEWHERE),
        ("58881234", "CN"),
        ("229.077.5154", "CN"),
        ("397.884.0519x718", "CN"),
        ("+1 555 010", "CN"),
    ],
)
def test_foreign_and_local_numbers_are_kept_as_written(text: str, region: str) -> None:
    assert [(phone.number, phone.valid) for phone in read_phones(text, region)] == [(text, False)]


@pytest.mark.parametrize("text", ["call me", "1234", "1381234567O", "14012345678", "12 34 5x", "1" * 25, "+86 123456"])
def test_what_is_no_phone(text: str) -> None:
    assert fault(read_phones, text) == "PHONE_INVALID"


def test_a_foreign_mobile() -> None:
    assert read_mobiles("+1 415-555-2672") == [("+14155552672", False, True)]
    assert read_mobiles("(415) 555-2672")[0] == ("(415) 555-2672", True, False)
    assert read_mobiles("0171 1234567", "DE")[0].number == "+491711234567"


def test_several_numbers_in_a_cell() -> None:
    for cell in ("13812345678;13912345678", "13812345678、139 1234 5678", "['13812345678','13912345678']",
                 "13812345678/13912345678", "13812345678\n13912345678"):  # fmt: skip
        assert [phone.number for phone in read_mobiles(cell)] == ["+8613812345678", "+8613912345678"]
    assert fault(read_mobiles, "13812345678;1391234567") == "MOBILE_INVALID"


@given(st.text(max_size=40))
def test_reading_never_fails_otherwise(text: str) -> None:
    for reader in (read_mobiles, read_phones):
        for region in ("CN", "US", ELSEWHERE, "XX"):
            try:
                found = reader(text, region)
            except Fault as problem:
                assert problem.code in ("MOBILE_INVALID", "PHONE_INVALID", "CODE_DAMAGED")
            else:
                assert found


def _numbers_of_all_countries() -> Iterator[str]:
    """Yield an example of every kind of number of every region, and what is nearly one."""
    dice = random.Random(3)  # noqa: S311 - the same numbers every time
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            text = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            code = len(str(example.country_code)) + 1
            at = dice.randrange(code, len(text))
            yield from (text, text[:-1], text + "1", f"{text[:code]} 0{text[code:]}", f"{text[:code]} {text[code:]}")
            yield text[:at] + dice.choice("0123456789") + text[at + 1 :]


def test_numbers_of_other_countries_are_what_the_library_says() -> None:
    answered = 0
    for text in _numbers_of_all_countries():
        found = quick_abroad(text)
        if found is None:
            continue  # the library is asked itself
        number = phonenumbers.parse(text, "CN")
        assert phonenumbers.is_valid_number(number), text
        assert found.number == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        assert (found.mobile, found.valid) == (phonenumbers.number_type(number) == MOBILE, True), text
        answered += 1
    assert answered > 2000


@pytest.mark.parametrize(
    "text", ["13812345678", "+8613812345678", "+0123456789", "+1 713", "+999123456789", "+٤٤7427509107"]
)
def test_what_is_no_number_of_another_country(text: str) -> None:
    assert quick_abroad(text) is None
