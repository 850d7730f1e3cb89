"""Whom a reference means."""

from __future__ import annotations

from datetime import date

import pytest

from crmctl.staff.model import Directory, Staff, id_text

PEOPLE = Directory(
    (
        Staff(1, "1001", "王小明", wecom_id="wxm"),
        Staff(2, "1002", "王小明"),
        Staff(3, "S-000001", "Nancy Davolio", left_on=date(2026, 1, 1)),
        Staff(4, "wxm2", "wxm"),
        Staff(12, "7", "李四"),
    )
)


@pytest.mark.parametrize(
    ("reference", "ids"),
    [
        ("1001", [1]),
        (" １００１ ", [1]),
        ("S-000012", [12]),
        ("s12", [12]),
        ("12", []),  # a number of nobody is not taken for a staff id: that would be somebody else
        ("S-000001", [3]),  # a staff number comes before a staff id
        ("wxm", [1]),  # a WeCom account before a name
        ("WXM2", [4]),
        ("王小明", [1, 2]),
        ("nancy  davolio", [3]),
        ("NANCYDAVOLIO", [3]),
        ("李四", [12]),
        ("nobody", []),
        ("", []),
        ("S-", []),
        ("S-２", [2]),
        ("S-x", []),
    ],
)
def test_whom_a_reference_means(reference: str, ids: list[int]) -> None:
    assert [person.staff_id for person in PEOPLE.meant(reference)] == ids


def test_who_is_in_post_on_a_day() -> None:
    assert 3 not in [person.staff_id for person in PEOPLE.of(date(2026, 1, 1))]
    assert 3 in [person.staff_id for person in PEOPLE.of(date(2025, 12, 31))]


def test_a_staff_id_leads_back_to_its_person() -> None:
    assert [person.staff_id for person in PEOPLE.meant(id_text(12))] == [12]
