"""A file that its owner opened for us is shown by its name and reached by its descriptor, never by the name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from crmctl import files
from crmctl.files import Lent, atomic_output, lend, open_input


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Lent]:
    path = tmp_path / "客户.csv"
    path.write_bytes(b"one\ntwo\n")
    handle = os.open(path, os.O_RDONLY)
    yield lend(handle, str(path))
    os.close(handle)
    files._lent.clear()


def test_its_name_leads_nowhere(source: Lent) -> None:
    assert str(source).endswith("客户.csv") and Path(str(source)).exists()
    assert f"{source}" == str(source) and source.name == "客户.csv"
    assert not source.exists() and not Path(source).exists() and not os.path.lexists(source)
    with pytest.raises(NotADirectoryError):
        source.read_bytes()
    with pytest.raises(NotADirectoryError):
        Path(source).write_bytes(b"")


def test_it_is_read_from_its_beginning_each_time_also_by_a_copy_of_the_path(source: Lent) -> None:
    for path in (source, Path(source), source.absolute()):
        with open_input(path) as stream:
            assert stream.read() == b"one\ntwo\n"


def test_its_owner_hears_of_a_whole_file_only(tmp_path: Path) -> None:
    heard: list[str] = []
    path = tmp_path / "out"
    with path.open("wb") as target:
        lent = lend(target.fileno(), "out", lambda: heard.append("whole"))
        with pytest.raises(RuntimeError, match="midway"), atomic_output(lent) as stream:
            stream.write(b"half")
            raise RuntimeError("midway")
        assert heard == []
        os.ftruncate(target.fileno(), 0)
        os.lseek(target.fileno(), 0, os.SEEK_SET)
        with atomic_output(lent) as stream:
            stream.write(b"all")
    files._lent.clear()

    assert (heard, path.read_bytes()) == (["whole"], b"all")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
