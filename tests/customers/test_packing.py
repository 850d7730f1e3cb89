"""Packed rows: what the decider sees, what waits to be sealed, and how little of it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from crmctl.customers.model import Row
from crmctl.customers.packing import Packer, ident_function
from crmctl.customers.policy import CustomersSettings
from crmctl.customers.record import Completeness
from crmctl.security.identity import IDENTITY_KINDS, BlindIndex

Read = Callable[..., Any]
INDEX = BlindIndex(b"k" * 32, 1)
HEADER = "公司名称,联系人,手机,邮箱,客户编号,备注"


@pytest.fixture
def packer(settings: CustomersSettings) -> Packer:
    return Packer(settings, ident_function(INDEX, "erp"), "erp", keep_rows=False)


def mark(kind: str, value: str) -> bytes:
    number = IDENTITY_KINDS[kind]
    return INDEX.digest(number, value) + bytes((number,))


def only(read: Read, text: str) -> Row:
    (row,) = read(text).valid
    assert isinstance(row, Row)
    return row


def test_an_organisation(read: Read, packer: Packer) -> None:
    cells = ["甲有限公司", "王五", "13812345678", "a@b.cn", "KH1", ""]
    candidate, packed = packer.pack(only(read, f"{HEADER}\n{','.join(cells)}\n"), cells)
    company, code = mark("org_name", "甲有限公司"), mark("external_code", "erp\x1fKH1")
    mobile, email = mark("mobile", "+8613812345678"), mark("email", "a@b.cn")
    contact = mark("contact_name", "王五")
    assert set(candidate.unique) == {company, code}
    assert set(candidate.supporting) == set(candidate.contact_keys) == {mobile, email}
    assert (candidate.name, candidate.contact_name, candidate.has_contact) == (company, contact, True)
    assert not candidate.bare
    assert set(packed.marks) == {
        (company, True, False), (code, True, False), (contact, False, True), (mobile, False, True),
        (email, False, True),
    }  # fmt: skip
    assert orjson.loads(packed.cells) == cells
    assert packed.contact is not None
    assert orjson.loads(packed.contact) == {"name": "王五", "mobile": "+8613812345678", "email": "a@b.cn"}
    assert packed.row is None


def test_a_person_without_any_key_is_known_by_its_row(read: Read, packer: Packer) -> None:
    row = only(read, "姓名,备注\n王五,老客户\n")
    (candidate, packed), (again, _) = packer.pack(row, ["王五", "老客户"]), packer.pack(row, ["王五", "老客户"])
    assert candidate.bare
    assert candidate.unique == again.unique
    assert candidate.unique[0][16] == IDENTITY_KINDS["row"]
    assert candidate.name == mark("person_name", "王五")
    assert (candidate.unique[0], True, False) in packed.marks


@pytest.mark.parametrize("length", range(1, 40))
def test_what_waits_to_be_sealed_is_padded(read: Read, packer: Packer, length: int) -> None:
    cells = ["王五", "n" * length]
    _candidate, packed = packer.pack(only(read, f"姓名,备注\n{','.join(cells)}\n"), cells)
    assert len(packed.personal) % 16 == 0
    assert orjson.loads(packed.personal) == {"name": "王五", "notes": "n" * length}


def test_packed_rows_are_small(read: Read, packer: Packer) -> None:
    rows = [
        (only(read, f"{HEADER}\n甲公司{i},王五,,a{i}@b.cn,,{'n' * i}\n"), ["甲公司", "n" * i]) for i in range(1, 100)
    ]
    packer.pack(*rows[0])
    tracemalloc.start()
    try:
        kept = [packer.pack(row, cells) for row, cells in rows]
        size, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size / len(kept) < 2000  # orjson's own results would take three kilobytes alone


def test_completeness_is_that_of_the_filled_fields(settings: CustomersSettings) -> None:
    fresh, used = Completeness(settings), Completeness(settings)
    full = {"type": "enterprise", "company_name": "甲", "region": "浙江省", "industry": "it"}
    for clear in (full, {"type": "enterprise"}, {**full, "tier": "A"}, full):
        for places in ((), (["name", "mobile"],), (["name"], ["mobile", "email"])):
            assert used.of(clear, *places) == fresh.of(clear, *places)
            assert used.of(clear, *places) == Completeness(settings).of(clear, *places)
    assert used.of(full, ["name", "mobile"]) > used.of({"type": "enterprise"})
