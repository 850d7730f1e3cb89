"""E-mail addresses: the fast path against email-validator, spellings, faults."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from crmctl.sheets.formats.emails import quick_email, read_emails
from crmctl.sheets.formats.texts import Fault


@given(
    st.one_of(
        st.emails(),
        st.text("aZ09.-_+@＠ \u00e4", max_size=40),
        st.from_regex(r"[a-z0-9._+-]{1,20}@[a-z0-9.-]{1,20}\.[a-z]{1,10}", fullmatch=True),
    )
)
def test_the_fast_path_is_a_subset_of_the_library(text: str) -> None:
    quick = quick_email(text)
    if quick is not None:
        assert validate_email(text.strip(), check_deliverability=False).normalized.lower() == quick


@given(st.emails())
def test_what_the_library_accepts_is_read(address: str) -> None:
    try:
        expected = validate_email(address.lower(), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return
    if not any(sign in address for sign in "'/|[]\"<>"):
        assert read_emails(address) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ZHANG.2@QQ.COM", ["zhang.2@qq.com"]),
        (" wang@163.com ", ["wang@163.com"]),
        ("wang＠163．com", ["wang@163.com"]),
        ("mailto:a@b.cn", ["a@b.cn"]),
        ("王五 <Wang.Wu@example.com.cn>", ["wang.wu@example.com.cn"]),
        ("a@b.cn; c@d.cn", ["a@b.cn", "c@d.cn"]),
        ("a@b.cn、c@d.cn", ["a@b.cn", "c@d.cn"]),
        ("张三@例子.中国", ["张三@例子.中国"]),
    ],
)
def test_spellings(text: str, expected: list[str]) -> None:
    assert read_emails(text) == expected


@pytest.mark.parametrize(
    "text",
    ["wang.163.com", "a@mail..x", "a@mail..example.com", "a@b", "@b.cn", "a@", "a b@c.cn", "a@b@c.cn", "a@b.test",
     "a@localhost", ".a@b.cn", "a.@b.cn", "a@-b.cn", "无", "a@b.cn;no"],
)  # fmt: skip
def test_faults(text: str) -> None:
    with pytest.raises(Fault, match="EMAIL_INVALID"):
        read_emails(text)


@given(st.text(max_size=60))
def test_reading_never_fails_otherwise(text: str) -> None:
    try:
        assert all("@" in address for address in read_emails(text))
    except Fault as problem:
        assert problem.code == "EMAIL_INVALID"
