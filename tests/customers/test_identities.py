"""Comparable forms of stored values, and of what people ask for."""

from __future__ import annotations

import pytest

from crmctl.customers.identities import asked_value, identity_value, identity_values
from crmctl.errors import InvalidInput


def test_stored_values() -> None:
    assert identity_values("mobile", "+8613812345678; +8613912345678") == ("+8613812345678", "+8613912345678")
    assert identity_values("landline", "(5) 555-4729") == ()
    assert identity_value("landline", "+862158881234;ext=12") == "+862158881234;ext=12"
    assert identity_value("landline", "58881234") == ""
    assert identity_value("org_name", "北京（甲）公司") == identity_value("org_name", "北京(甲)公司")


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("mobile", "138 1234 5678", "+8613812345678"),
        ("landline", "(021) 58881234", "+862158881234"),
        ("email", "A@B.CN", "a@b.cn"),
        ("uscc", "91330106ma2ccccc52", "91330106MA2CCCCC52"),
        ("external_code", " ALFKI ", "ALFKI"),
        ("org_name", "ACME, Inc", "acmeinc"),
        ("person_name", "王 小明", "王小明"),
    ],
)
def test_what_people_ask_for_meets_what_is_stored(kind: str, text: str, expected: str) -> None:
    assert asked_value(kind, text) == expected


def test_a_wrong_question_is_an_error_without_the_value() -> None:
    with pytest.raises(InvalidInput) as caught:
        asked_value("mobile", "1381234567O")
    assert caught.value.exit_code == 4
    assert "1381234567O" not in caught.value.message + caught.value.hint
