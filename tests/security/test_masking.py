"""Masks show enough to recognise and never enough to use (A22; GB/T 35273-2020 7.2)."""

from __future__ import annotations

import typing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.security.masking import KINDS, mask

EXAMPLES = [
    ("name", "张三", "张*"),
    ("name", "张三丰", "张*"),
    ("name", " 张三 ", "张*"),
    ("name", "欧阳娜娜", "欧阳*"),
    ("name", "欧阳娜", "欧阳*"),
    ("name", "欧阳", "欧*"),
    ("name", "諸葛孔明", "諸葛*"),
    ("name", "张", "*"),
    ("name", "John Smith", "J*"),
    ("name", "阿卜杜拉·买买提", "阿*"),
    ("mobile", "13812345678", "138******78"),
    ("mobile", "+8613812345678", "+86138******78"),
    ("mobile", "138 1234 5678", "138 **** **78"),
    ("phone", "010-12345678", "010-******78"),
    ("phone", "+12025550123", "+120******23"),
    ("phone", "(0755) 8888-1234 转 801", "(075*) ****-**** * *01"),
    ("phone", "10086", "1****"),
    ("phone", "110", "***"),
    ("email", "alice@qq.com", "a***@q***.com"),
    ("email", "a@qq.com", "***@q***.com"),
    ("email", "li.na@mail.example.com.cn", "l***@m***.cn"),
    ("email", "root@localhost", "r***@l***"),
    ("email", "not an address", "***"),
    ("id", "110101199003078515", "1****************5"),
    ("id", "1234567", "*******"),
    ("code", "CUST-2024-0815", "CU***15"),
    ("code", "A1", "***"),
    ("text", "投诉内容", "***"),
    ("address", "北京市朝阳区建国路88号", "北京市朝阳区***"),
    ("address", "广东省深圳市南山区科技园", "广东省深圳市***"),
    ("address", "内蒙古自治区呼和浩特市新城区", "内蒙古自治区***"),
    ("address", "上海市浦东新区世纪大道100号", "上海市浦东新***"),
    ("address", "朝阳区建国路", "朝阳区***"),
    ("address", "10 Downing Street", "***"),
    ("date", "1990-03-07", "1990-**-**"),
    ("date", "1990年3月7日", "1990-**-**"),
    ("date", "7 March", "***"),
    ("none", "某某有限公司", "某某有限公司"),
    ("none", "", ""),
    ("name", "", ""),
    ("never heard of", "value", "***"),
]


@pytest.mark.parametrize(("kind", "value", "wanted"), EXAMPLES)
def test_examples(kind, value, wanted):
    assert mask(kind, value) == wanted


personal = st.sampled_from([kind for kind in KINDS if kind != "none"])
values = st.one_of(
    st.text(min_size=1, max_size=40),
    st.from_regex(r"\+?[0-9 -]{1,16}", fullmatch=True),
    st.from_regex(r"[a-z*.]{1,4}@[a-z*.]{1,5}", fullmatch=True),
    st.text("张三欧阳北京市朝阳区县路*- 19", min_size=1, max_size=14),
)


@given(personal, values)
def test_a_mask_never_holds_the_whole_value(kind, value):
    if len(value) >= 2:
        assert value not in mask(kind, value)
    else:
        assert mask(kind, value).strip("*") == "" or not value.strip()


@given(personal, values)
def test_masking_again_shows_nothing_more(kind, value):
    once = mask(kind, value)
    shown = [sign for sign in once if sign != "*"]
    for sign in mask(kind, once):
        if sign != "*":
            assert sign in shown
    assert sum(sign != "*" for sign in mask(kind, once)) <= len(shown)


@given(
    st.sampled_from(["mobile", "phone", "id", "code", "name", "text", "date"]),
    st.from_regex(r"1[0-9]{10}", fullmatch=True),
)
def test_at_most_five_of_eleven_digits_are_shown(kind, value):
    assert sum(sign.isdigit() for sign in mask(kind, value)) <= 5


@given(st.text("0123456789", min_size=1, max_size=20))
def test_shorter_numbers_show_less(value):
    shown = mask("phone", value)
    assert len(shown) == len(value) or set(shown) == {"*"}
    assert sum(sign.isdigit() for sign in shown) <= len(value) * 5 // 11


@given(st.text("张三李四王五欧阳", min_size=2, max_size=4))
def test_the_length_of_a_name_does_not_show(value):
    assert len(mask("name", value)) == (3 if value[:2] == "欧阳" and len(value) > 2 else 2)


def test_the_field_policy_knows_these_kinds():
    from crmctl.customers import policy

    assert set(typing.get_args(policy.Mask)) == set(KINDS)
