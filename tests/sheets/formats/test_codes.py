"""统一社会信用代码, ID cards, codes: check digits against python-stdnum, old forms, damage."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import ric, uscc

from crmctl.sheets.formats.codes import read_code, read_id_card, read_uscc
from crmctl.sheets.formats.texts import Fault, full_width

SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def with_check(body: str) -> str:
    total = sum(SIGNS.index(sign) * pow(3, i, 31) for i, sign in enumerate(body))
    return body + SIGNS[-total % 31]


@given(st.sampled_from("123456789ANY"), st.text(SIGNS, min_size=16, max_size=16))
def test_right_check_digits_are_accepted_and_wrong_ones_refused(first: str, rest: str) -> None:
    code = with_check(first + rest)
    assert read_uscc(code) == code
    wrong = code[:17] + SIGNS[(SIGNS.index(code[17]) + 1) % 31]
    with pytest.raises(Fault, match="USCC_INVALID"):
        read_uscc(wrong)


@given(st.from_regex(r"[1-8][1-9][0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}", fullmatch=True))
def test_what_stdnum_accepts_is_accepted(body: str) -> None:
    code = with_check(body)
    if uscc.is_valid(code):
        assert read_uscc(code) == code


@pytest.mark.parametrize(
    "text", ["N2330106MF00000010", "A1110000000000001", "91330106ma2ccccc52", "9133-0106 MA2CCCCC52"]
)
def test_spellings_and_first_signs(text: str) -> None:
    plain = text.upper().replace("-", "").replace(" ", "")
    code = plain if len(plain) == 18 else with_check(plain)
    assert read_uscc(text if len(plain) == 18 else code) == code
    assert read_uscc(full_width(code)) == code


def test_old_registration_numbers_and_lookalikes() -> None:
    assert read_uscc("330106000012345") == "330106000012345"
    assert read_uscc("110108000000016") == "110108000000016"  # its check digit says that it is no ID card
    for text in ("110105491231003", "91330106MA2CCCCC5", "9.13301E+17", "ABC", "91330106MA2CCCCC5I"):
        with pytest.raises(Fault):
            read_uscc(text)


@given(
    st.sampled_from(["110105", "440106", "330106", "510107"]),
    st.dates(date(1930, 1, 1), date(2020, 1, 1)),
    st.integers(1, 999),
)
def test_id_cards_agree_with_stdnum(region: str, born: date, order: int) -> None:
    body = f"{region}{born:%Y%m%d}{order:03}"
    valid = [body + check for check in "0123456789X" if ric.is_valid(body + check)]
    assume(valid)  # some regions are younger than the people
    number = valid[0]
    assert read_id_card(number.lower()) == number
    wrong = body + ("0" if number[-1] != "0" else "1")
    with pytest.raises(Fault, match="ID_CARD_INVALID"):
        read_id_card(wrong)


def test_the_old_form_is_completed() -> None:
    assert read_id_card("110105491231002") == "11010519491231002X"


@pytest.mark.parametrize("text", ["11010519490230002X", "000105194912310021", "1101051949123100", "440106199913010018"])
def test_impossible_id_cards(text: str) -> None:
    with pytest.raises(Fault, match="ID_CARD_INVALID"):
        read_id_card(text)


def test_codes_are_kept_unless_a_spreadsheet_spoiled_them() -> None:
    assert read_code(" ＫＨ-００１ ") == "KH-001"
    assert read_code("0012E3") == "0012E3"
    assert read_code("1E5") == "1E5"
    with pytest.raises(Fault, match="CODE_DAMAGED"):
        read_code("1.10101E+17")
