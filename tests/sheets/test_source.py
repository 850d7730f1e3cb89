"""What `inspect` tells: digest, mapping, figures of amounts, remarks; it travels to another process."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Callable
from typing import Any, BinaryIO, cast

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from strategies import csv_bytes

from crmctl.customers.policy import CustomersSettings
from crmctl.sheets.source import SourceOptions, inspect, rows
from crmctl.sheets.torncells import Pieces, TornCells

Read = Callable[..., Any]


class Narrow(io.RawIOBase):
    """A seekable source that gives a few bytes at a time, as a sealed spool may."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readinto(self, buffer: Any) -> int:
        part = self._inner.read(min(len(buffer), 7))
        buffer[: len(part)] = part
        return len(part)


def test_digest_and_size(read: Read) -> None:
    data = csv_bytes([["姓名"], ["张三"]])
    info = read(data).info
    assert (info.sha256, info.size) == (hashlib.sha256(data).hexdigest(), len(data))


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16"])
def test_sources_that_give_little_at_a_time(read: Read, settings: CustomersSettings, encoding: str) -> None:
    data = csv_bytes([["姓名", "备注"], *([f"张{i}", "备注" * i] for i in range(40))], encoding=encoding)
    handle = cast("BinaryIO", Narrow(data))
    info = inspect(handle, settings, SourceOptions(), name="file")
    numbers = [number for block in rows(handle, info, settings, SourceOptions()) for number, _cells in block]
    assert numbers == list(range(2, 42))
    assert info.sha256 == hashlib.sha256(data).hexdigest()
    assert not handle.closed


def test_what_was_found_is_picklable(read: Read) -> None:
    info = read("公司名称;年合作额(万元)\n甲;5\n").info
    again = pickle.loads(pickle.dumps(info))
    assert again == info and again.mapping.has("annual_amount")


def test_figures_show_a_wrong_unit(read: Read) -> None:
    data = (
        "公司名称,年合作额(万元),注册资本\n" + "".join(f"甲{i},{i},\n" for i in range(1, 102)) + "乙,面议,￥100\n丙,,\n"
    )
    amount, capital = read(data).info.figures
    assert (amount.field, amount.unit, amount.currency) == ("annual_amount", 10_000, "CNY")
    assert (amount.least, amount.median, amount.greatest) == (1_000_000, 51_000_000, 101_000_000)
    assert (amount.filled, amount.unreadable) == (101, 1)
    assert (capital.least, capital.greatest, capital.filled) == (10_000, 10_000, 1)


def test_figures_are_in_the_currency_of_the_column(read: Read) -> None:
    figures = read("姓名,年合作额(日元)\n张三,1200\n李四,3400\n王五,$99999999\n").info.figures[0]
    assert (figures.currency, figures.decimals) == ("JPY", 0)
    assert (figures.filled, figures.least, figures.greatest) == (3, 1200, 3400)


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=60))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_figures_of_few_amounts_are_exact(read: Read, amounts: list[int]) -> None:
    figures = read("姓名,年合作额\n" + "".join(f"张三,{amount}\n" for amount in amounts)).info.figures[0]
    ordered = sorted(amount * 100 for amount in amounts)
    assert (figures.least, figures.greatest) == (ordered[0], ordered[-1])
    assert figures.median == ordered[len(ordered) // 2]


def test_many_amounts_are_sampled(read: Read) -> None:
    figures = read("姓名,年合作额\n" + "".join(f"张三,{i}\n" for i in range(30_000))).info.figures[0]
    assert (figures.least, figures.greatest, figures.filled) == (0, 2_999_900, 30_000)
    assert abs(figures.median - 1_500_000) < 30_000


def test_remarks_tell_what_was_found(read: Read) -> None:
    reading = read("名单\n姓名\t手机\t星座\n张三\t\t狮子\n".encode("gb18030"), drop_unknown=True)
    assert reading.info.remarks() == ["encoding GB18030", "separator tab", "header in row 2", "left out: 星座"]


def marked(lengths: list[int], width: int) -> list[bool]:
    pieces = Pieces(width)
    found = []
    for number, length in enumerate(lengths, start=1):
        record = (number, ["x"] * length)
        found += pieces.take(record) if length < width else [*pieces.free(), record]
    found += pieces.free()
    assert [(number, len(cells)) for number, cells in found] == list(enumerate(lengths, start=1))
    return [isinstance(cells, TornCells) for _number, cells in found]


def test_pieces_of_a_broken_record() -> None:
    assert marked([5, 3, 3, 5], 5) == [False, True, True, False]
    assert marked([2, 3, 2], 5) == [True, True, True]
    assert marked([5, 3, 5, 3, 5], 5) == [False] * 5
    assert marked([3, 3, 3, 5], 5) == [False] * 4
    assert marked([2] * 30, 5) == [False] * 30


def test_amounts_with_commas_are_weighed_like_others(read: Read) -> None:
    cells = [f'"{i:,}.50"' if i % 2 else f"{i}.50" for i in range(1000, 21_000)]
    cells += ['"1,2"', "面议", '"12,345"']
    figures = read("姓名,年合作额\n" + "".join(f"张三,{cell}\n" for cell in cells)).info.figures[0]
    assert (figures.least, figures.greatest) == (100_050, 2_099_950)
    assert (figures.filled, figures.unreadable) == (20_001, 2)
