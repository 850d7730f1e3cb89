"""The sample of the tour: what a newcomer is shown must be true, teachable, and about nobody."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crmctl.customers.candidates import candidate
from crmctl.customers.decide import ADD_CONTACT, CREATE, DUPLICATE, REJECT, Known, decide
from crmctl.customers.headerindex import HeaderIndex
from crmctl.customers.headers import map_headers
from crmctl.customers.model import Rejected
from crmctl.customers.rows import compile_rows
from crmctl.locate import shipped
from crmctl.policy import load
from crmctl.setup import demo

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
ENCODINGS = {"customers_zh.csv": "gb18030", "customers_zh_fixed.csv": "gb18030", "customers_en.csv": "utf-8"}
NAMES = {CREATE: "created", ADD_CONTACT: "updated", DUPLICATE: "duplicate", REJECT: "rejected"}


def records(name: str) -> list[list[str]]:
    text = (Path(demo.SAMPLE) / name).read_bytes().decode(ENCODINGS[name])
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def outcomes(name: str) -> tuple[Counter[str], Counter[str], list[str]]:
    """Return counts, reasons, and flags of an import into an empty base."""
    settings = load(shipped("policies")).settings("customers")
    header, *body = records(name)
    read = compile_rows(settings, map_headers(header, HeaderIndex(settings)), zone="Asia/Shanghai", at=AT)
    rows = [read(number, cells) for number, cells in enumerate(body, start=2)]
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    flags: list[str] = []
    good = []
    for row in rows:
        if isinstance(row, Rejected):
            counts["rejected"] += 1
            reasons.update(reason.code for reason in row.reasons)
        else:
            good.append(candidate(row, ident))
            flags += row.flags
    for decision in decide(good, Known(), Known(), Known(), "create").decisions:
        counts[NAMES[decision.operation]] += 1
        flags += [decision.flag] if decision.flag else []
        reasons.update([decision.code] if decision.code else [])
    return counts, reasons, flags


def ident(kind: int, value: str) -> bytes:
    return bytes((kind,)) + hashlib.sha256(value.encode()).digest()[:16]


def test_the_chinese_sample_teaches_every_outcome() -> None:
    counts, reasons, flags = outcomes("customers_zh.csv")
    assert counts == {"created": 42, "updated": 3, "duplicate": 4, "rejected": 9}
    assert set(reasons) == {
        "MOBILE_INVALID",
        "EMAIL_INVALID",
        "DATE_INVALID",
        "AMOUNT_INVALID",
        "TYPE_UNKNOWN",
        "REQUIRED_MISSING",
        "IDENTITY_CONFLICT",
    }
    assert flags == ["SHARED_KEY"]


def test_the_corrected_rows_are_all_created() -> None:
    counts, reasons, flags = outcomes("customers_zh_fixed.csv")
    assert counts == {"created": 9}
    assert not reasons and not flags


def test_the_english_sample_has_foreign_numbers_and_the_same_lessons() -> None:
    counts, reasons, flags = outcomes("customers_en.csv")
    assert counts == {"created": 27, "updated": 2, "duplicate": 3, "rejected": 7}
    assert len(reasons) == 7
    assert sorted(flags) == ["PHONE_NOT_VALIDATED", "SHARED_KEY"]


def test_the_chinese_files_are_what_a_chinese_desk_saves() -> None:
    data = (Path(demo.SAMPLE) / "customers_zh.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        data.decode("utf-8")
    assert data.count(b"\r\n") == len(records("customers_zh.csv"))
    assert records("customers_zh.csv")[0] == records("customers_zh_fixed.csv")[0]


@pytest.mark.parametrize("name", ENCODINGS)
def test_nobody_can_be_reached(name: str) -> None:
    text = (Path(demo.SAMPLE) / name).read_bytes().decode(ENCODINGS[name]).lower()
    domains = set(re.findall(r"[@＠]([a-z0-9.-]+)", text))
    assert domains
    assert all(re.fullmatch(r"([a-z0-9-]+\.)*example\.(cn|com|net|org)", domain) for domain in domains)
