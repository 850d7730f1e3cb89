"""Text: width, invisible signs, the quote before formulas, comparable forms."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.sheets.formats.texts import (
    FORMULA,
    folded,
    notes,
    organisation_key,
    person_key,
    plain,
    unquoted,
    wording,
)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("  张三 ", "张三"),
        ("ＡＢＣ１２３", "ABC123"),
        ("北京（甲）公司", "北京（甲）公司"),
        ("张\u200b三\ufeff", "张三"),
        ("a\tb\r\nc", "a b c"),
        ("张\u3000三", "张 三"),
        ("a\xa0b", "a b"),
        ("evil\x1b[31m", "evil[31m"),
        ("\u202eabc", "abc"),
        ("Mataderos  2312", "Mataderos  2312"),
    ],
)
def test_wording(cell: str, expected: str) -> None:
    assert wording(cell) == expected


def test_notes_keep_lines_and_punctuation() -> None:
    assert notes(" 老客户，\r\n需跟进：合同\x00 ") == "老客户，\n需跟进：合同"
    assert notes("１２３") == "１２３"


def test_plain_is_compatible_form_on_one_line() -> None:
    assert plain("（＋８６）１３８\n") == "(+86)138"


@pytest.mark.parametrize(
    "names",
    [
        ("companyName", "company_name", "Company Name", "COMPANY-NAME", "ｃｏｍｐａｎｙ　ｎａｍｅ"),
        ("E-mail", "email"),
        ("客户 名称", "客户名称"),
    ],
)
def test_headers_are_compared_without_case_width_and_separators(names: tuple[str, ...]) -> None:
    assert len({folded(name) for name in names}) == 1


def test_registered_names_are_exact() -> None:
    assert organisation_key("北京（甲）有限公司") == organisation_key("北京(甲) 有限公司")
    assert organisation_key("甲有限公司") != organisation_key("甲公司")
    assert organisation_key("Acme, Inc.") == organisation_key("ACME Inc")
    assert organisation_key("???") == "???"
    assert person_key("王 小明") == person_key("王小明")


@given(st.text(st.sampled_from([*FORMULA, "'", "a", "8", " "]), max_size=6))
def test_neutralising_and_reading_cancel_out(value: str) -> None:
    neutral = "'" + value if value.lstrip("'")[:1] and value.lstrip("'")[0] in FORMULA else value
    assert unquoted(neutral) == value


@given(st.text(max_size=30))
def test_forms_are_stable(text: str) -> None:
    for form in (plain, wording, notes, folded):
        assert form(form(text)) == form(text)


def test_folding_keeps_letters_and_digits_of_every_script() -> None:
    for sign in map(chr, [*range(0xD800), *range(0xE000, 0x30000)]):
        found = normalize("NFKC", f"A{sign}_ b").casefold()
        assert folded(f"A{sign}_ b") == "".join(letter for letter in found if letter.isalnum())
