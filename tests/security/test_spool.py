"""Standard input kept sealed: the same bytes come back, from anywhere; nothing altered or cut goes unnoticed."""

from __future__ import annotations

import hashlib
import io
import os
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmctl.errors import IntegrityFailed, InvalidInput, KeyMissing, Refused
from crmctl.security import spool
from crmctl.security.sealing import DataKey, Sealer
from crmctl.security.spool import open_spool, write_spool

KEY = DataKey("batch", 5, 1, bytes(range(32)))
SEALER = Sealer(bytes(range(16)))


class Trickle(io.RawIOBase):
    """A pipe that gives what it has, never what was asked for."""

    def __init__(self, data: bytes) -> None:
        self._left = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._left.read(min(size, 777))


@pytest.fixture
def small_segments(monkeypatch):
    monkeypatch.setattr(spool, "SEGMENT", 16)
    monkeypatch.setattr(spool, "_stored", 16 + 28)


def kept(path, data, key=KEY, sealer=SEALER):
    with open_spool(path, key, sealer) as stream:
        return stream.read() == data


@given(data=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_size_comes_back(small_segments, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("s") / "spool"
    assert write_spool(path, Trickle(data), KEY, SEALER) == (hashlib.sha256(data).hexdigest(), len(data))
    assert kept(path, data)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 48])
def test_whole_segments_and_empty_input(small_segments, tmp_path, size):
    data = os.urandom(size)
    write_spool(tmp_path / "s", io.BytesIO(data), KEY, SEALER)
    assert kept(tmp_path / "s", data)


def test_real_segments_are_a_mebibyte_and_memory_is_flat(tmp_path):
    block = os.urandom(1 << 20)

    class Large(io.RawIOBase):
        left = 24 * len(block) + 5

        def read(self, size: int = -1) -> bytes:
            part = block[: min(size, self.left)]
            self.left -= len(part)
            return part

    tracemalloc.start()
    _digest, size = write_spool(tmp_path / "s", Large(), KEY, SEALER)
    with open_spool(tmp_path / "s", KEY, SEALER) as stream:
        total = sum(len(part) for part in iter(lambda: stream.read(100_000), b""))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == size == 24 * len(block) + 5
    assert peak < 10 << 20
    assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600


@given(moves=st.lists(st.tuples(st.integers(0, 110), st.integers(0, 60)), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_reads_like_a_file(small_segments, tmp_path_factory, moves):
    data = bytes(range(100))
    path = tmp_path_factory.mktemp("s") / "spool"
    write_spool(path, io.BytesIO(data), KEY, SEALER)
    plain = io.BytesIO(data)
    with open_spool(path, KEY, SEALER) as sealed:
        for position, size in moves:
            assert sealed.seek(position) == plain.seek(position)
            assert sealed.read(size) == plain.read(size)
            assert sealed.tell() == plain.tell()
        assert sealed.seek(-3, os.SEEK_END) == 97 and sealed.read() == data[97:]
        assert sealed.seek(0) == 0 and sealed.seek(2, os.SEEK_CUR) == 2
        with pytest.raises(ValueError):
            sealed.seek(-1)


def test_text_readers_take_it(tmp_path):
    write_spool(tmp_path / "s", io.BytesIO("姓名,手机\n张三,13812345678\n".encode("gb18030")), KEY, SEALER)
    with io.TextIOWrapper(open_spool(tmp_path / "s", KEY, SEALER), "gb18030") as text:
        assert list(text) == ["姓名,手机\n", "张三,13812345678\n"]


def test_nothing_of_the_input_is_in_the_file(tmp_path):
    write_spool(tmp_path / "s", io.BytesIO(b"13812345678," * 9000), KEY, SEALER)
    assert b"1381234" not in (tmp_path / "s").read_bytes()


def test_every_cut_is_noticed(small_segments, tmp_path):
    data = os.urandom(50)
    write_spool(tmp_path / "s", io.BytesIO(data), KEY, SEALER)
    whole = (tmp_path / "s").read_bytes()
    assert len(whole) > 200
    for length in range(len(whole)):
        (tmp_path / "s").write_bytes(whole[:length])
        with pytest.raises(IntegrityFailed):
            kept(tmp_path / "s", data)
    (tmp_path / "s").write_bytes(whole + b"x")
    with pytest.raises(IntegrityFailed):
        kept(tmp_path / "s", data)


def test_every_flipped_bit_is_noticed(small_segments, tmp_path):
    data = os.urandom(40)
    write_spool(tmp_path / "s", io.BytesIO(data), KEY, SEALER)
    whole = (tmp_path / "s").read_bytes()
    for position in range(len(whole) * 8):
        damaged = bytearray(whole)
        damaged[position // 8] ^= 1 << position % 8
        (tmp_path / "s").write_bytes(damaged)
        with pytest.raises((IntegrityFailed, KeyMissing)):
            kept(tmp_path / "s", data)


def test_segments_cannot_be_exchanged(small_segments, tmp_path):
    for name in ("a", "b"):
        write_spool(tmp_path / name, io.BytesIO(bytes(48)), KEY, SEALER)
    first, second = ((tmp_path / name).read_bytes() for name in ("a", "b"))
    head, cell = len(first) - 3 * 44, 44
    swapped = first[:head] + first[head + cell : head + 2 * cell] + first[head : head + cell] + first[head + 2 * cell :]
    foreign = first[: head + cell] + second[head + cell :]
    doubled = first[: head + cell] + first[head:]
    for broken in (swapped, foreign, doubled):
        (tmp_path / "c").write_bytes(broken)
        with pytest.raises(IntegrityFailed):
            kept(tmp_path / "c", bytes(48))


def test_another_key_or_workspace_does_not_open_it(tmp_path):
    write_spool(tmp_path / "s", io.BytesIO(b"data"), KEY, SEALER)
    for key in (
        DataKey("batch", 6, 1, KEY.secret),
        DataKey("batch", 5, 2, KEY.secret),
        DataKey("batch", 5, 1, bytes(32)),
    ):
        with pytest.raises(KeyMissing):
            open_spool(tmp_path / "s", key, SEALER)
    with pytest.raises(IntegrityFailed):
        open_spool(tmp_path / "s", KEY, Sealer(bytes(16)))


def test_it_appears_whole_or_not_at_all(tmp_path):
    class Failing(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_spool(tmp_path / "s", Failing(), KEY, SEALER)
    assert list(tmp_path.iterdir()) == []
    write_spool(tmp_path / "s", io.BytesIO(b"1"), KEY, SEALER)
    with pytest.raises(Refused):
        write_spool(tmp_path / "s", io.BytesIO(b"2"), KEY, SEALER)
    with pytest.raises(InvalidInput):
        open_spool(tmp_path / "gone", KEY, SEALER)
