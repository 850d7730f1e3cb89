"""Functions written as source, and memories of readers."""

from __future__ import annotations

import pytest

from crmctl.customers.drafting import Draft, Memory


def test_blocks_and_objects() -> None:
    draft = Draft("def double(x):", limit=3)
    draft.begin("if x < limit:")
    draft.write("return times(x)", times=lambda x: 2 * x)
    draft.end("return None")
    double = draft.compiled("double")
    assert [double(2), double(3)] == [4, None]


def test_a_name_stands_for_one_object() -> None:
    draft = Draft("def f():", one=1)
    with pytest.raises(AssertionError):
        draft.write("return one", one=2)


def test_memory_asks_once_and_holds_so_many() -> None:
    asked: list[str] = []
    memory = Memory(lambda cell: asked.append(cell) or cell.upper(), 2)
    assert [memory[cell] for cell in "aabbcc"] == list("AABBCC")
    assert asked == ["a", "b", "c", "c"]
    assert len(memory) == 2
