"""Texts → drafts → rows → drafts."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.audit.changes import clear_json
from crmctl.policy.policyset import PolicySet
from crmctl.sheets.formats.texts import Fault
from crmctl.sheets.readers import Read
from crmctl.staff import columns, tables
from crmctl.staff.drafting import columns_of, context_of, draft_of, merged, readers
from crmctl.staff.policy import settings_of

AT = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
DAY = date(2026, 11, 21)


@pytest.fixture(scope="module")
def read(policies: PolicySet) -> dict[str, Read]:
    settings = settings_of(policies)
    return readers(settings, context_of(policies, settings, AT))


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("number", " １００１ ", "1001"),
        ("post", "分级岗", "grading"),
        ("level", "高级", "senior"),
        ("org_unit", "HQ", "head"),
        ("region", "浙江", "浙江省"),
        ("region", "WA", "WA"),
        ("capacity", "1,200", 1200),
        ("capacity", "0", 0),
        ("languages", "英语、普通话;英文", ("en", "zh")),
        ("uids", "1002, 1001 1002", (1001, 1002)),
        ("uids", "", None),
        ("trained_on", "2026年3月5日", "2026-03-05"),
        ("joined_on", "1992-05-01 00:00:00.000", "1992-05-01"),
        ("department", "无", None),
    ],
)
def test_what_a_text_says(read: dict[str, Read], field: str, text: str, value: Any) -> None:
    assert read[field](text) == value


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("post", "飞行员", "VALUE_UNKNOWN"),
        ("languages", "英语;火星语", "VALUE_UNKNOWN"),
        ("capacity", "-1", "NUMBER_INVALID"),
        ("capacity", "1000001", "NUMBER_OUT_OF_RANGE"),
        ("uids", "root", "UIDS_INVALID"),
        ("uids", "4294967295", "UIDS_INVALID"),
        ("trained_on", "2026-11-22", "DATE_OUT_OF_RANGE"),  # nobody passes a training tomorrow
        ("joined_on", "2026-02-30", "DATE_INVALID"),
        ("number", "1.38E+10", "CODE_DAMAGED"),
    ],
)
def test_what_a_text_cannot_say(read: dict[str, Read], field: str, text: str, code: str) -> None:
    with pytest.raises(Fault) as fault:
        read[field](text)
    assert fault.value.code == code


texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=8)
days = st.dates(date(2000, 1, 1), date(2030, 1, 1)).map(date.isoformat)
drafts = st.fixed_dictionaries(
    {"number": texts, "name": texts},
    optional={
        "post": texts,
        "capacity": st.integers(0, 10**6),
        "languages": st.lists(st.sampled_from(["de", "en", "zh"]), min_size=1, unique=True).map(sorted).map(tuple),
        "uids": st.lists(st.integers(0, 2**32 - 2), min_size=1, unique=True).map(sorted).map(tuple),
        "left_on": days,
        "job_title": texts,
        "skills": st.lists(texts, min_size=1, max_size=3).map(tuple),
    },
)


@given(drafts)
def test_a_row_holds_its_draft(draft: dict[str, Any]) -> None:
    row = columns_of(draft, DAY)
    assert draft_of(row) == draft
    clear_json(row)  # what the change log hashes are primitives
    assert row["state"] == ("inactive" if draft.get("left_on", "9") <= DAY.isoformat() else "active")


def test_a_blank_clears() -> None:
    assert merged({"number": "1", "level": "mid"}, {"level": None, "post": "grading"}) == {
        "number": "1",
        "post": "grading",
    }


def test_bulk_rows_have_every_column_of_their_table() -> None:
    assert {column.name for column in tables.staff.columns} == {*columns.STAFF}
    assert {column.name for column in tables.absence.columns} == {*columns.ABSENCE}
