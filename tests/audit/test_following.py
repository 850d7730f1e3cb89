"""Following a log from where it was signed last: what does not extend that is refused, whatever was done to it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.audit import entries, tree
from crmctl.audit.following import Position, follow
from crmctl.errors import IntegrityFailed

Build = Callable[..., dict[str, Any]]


def log(size: int, kind: int = 0, beginning: list[bytes] | None = None) -> list[bytes]:
    """A log of so many entries, going on from `beginning`."""
    made = list(beginning or [])
    prev = tree.leaf_hash(made[-1]) if made else entries.GENESIS
    while len(made) < size:
        made.append(entries.line({"act": f"test.{kind}"}, len(made), prev))
        prev = tree.leaf_hash(made[-1])
    return made


LOG = log(20)
SIGNED = follow(LOG[:9], Position())


def refused(lines: list[bytes], start: Position = SIGNED, marks: dict[int, bytes] | None = None) -> str:
    with pytest.raises(IntegrityFailed) as caught:
        follow(lines, start, marks)
    assert (caught.value.exit_code, caught.value.code) == (13, "LOG_NOT_EXTENDED")
    return caught.value.message


@given(signed=st.integers(0, 20), end=st.integers(1, 20), first=st.integers(0, 20))
def test_it_may_begin_anywhere_up_to_what_was_signed(signed: int, end: int, first: int) -> None:
    signed, first = min(signed, end), min(first, signed, end - 1)
    start = follow(LOG[:signed], Position()) if signed else Position()
    reached = follow(LOG[first:end], start)
    assert reached.size == end
    assert reached.root == tree.root(map(tree.leaf_hash, LOG[:end]))
    assert reached.last_leaf == tree.leaf_hash(LOG[end - 1])


@given(
    signed=st.integers(1, 19), first=st.integers(0, 19), at=st.integers(0, 19), seed=st.integers(0, 9),
    act=st.sampled_from(["edit", "drop", "swap", "repeat", "other"]),
)  # fmt: skip
def test_nothing_that_was_tampered_with_is_followed(signed: int, first: int, at: int, seed: int, act: str) -> None:
    """Whatever is done to an entry shown, the link of the next, or of what was signed, does not fit any more."""
    first = min(first, signed - 1)
    at = max(min(at, 18), first)
    shown = {number: LOG[number] for number in range(first, 20)}
    lines = [*shown.values()]
    place = at - first
    if act == "edit":
        text = bytearray(lines[place])
        spot = random.Random(seed).randrange(len(text))
        text[spot] ^= 1
        lines[place] = bytes(text)
    elif act == "drop" and place:
        del lines[place]
    elif act == "swap":
        lines[place : place + 2] = reversed(lines[place : place + 2])
    elif act == "repeat":
        lines.insert(place, lines[place])
    else:
        lines = log(20, 1, LOG[:at])[first:]
        if at >= signed:  # what was not signed yet may be rewritten whole: nobody can say
            assert follow(lines, follow(LOG[:signed], Position())).size == 20
            return
    refused(lines, follow(LOG[:signed], Position()))


def test_an_older_copy_is_refused_though_it_grew_again() -> None:
    assert "it ends after 7 entries, 9 were signed" in refused(LOG[:7])
    for size in (9, 12):
        grown = log(size, 1, LOG[:7])
        assert "entry 8 is not the one that was signed" in refused(grown)
        assert "entry 8 is not the one that was signed" in refused(grown[8:])
    assert "entry 9 does not follow" in refused(log(12, 1, LOG[:7])[9:])


def test_what_is_not_there_is_refused() -> None:
    assert "entry 8, which was signed, is not there" in refused([])
    assert "no entries at all" in refused([], Position())
    assert "entries 9 to 9 are missing" in refused(LOG[10:])
    assert "entries 0 to 0 are missing" in refused(LOG[1:], Position())
    assert "entry 12 does not follow" in refused(LOG[:12] + LOG[13:])


@pytest.mark.parametrize(
    "line",
    [b"", b"x", b"[]", b"{}", b'{"seq":0}', b'{"seq":"0","prev":""}', b'{"seq":true,"prev":""}', b"\xff",
     b'{"seq":-1,"prev":""}', b'{"seq":0,"prev":null}', b'{"seq":0,"prev":"","x":"' + b"x" * 9000 + b'"}'],
)  # fmt: skip
def test_lines_that_are_no_entries_are_refused(line: bytes) -> None:
    assert "the first line is no entry" in refused([line], Position())
    assert "entry 9 is no entry" in refused([*LOG[:9], line])


def test_known_roots_are_compared_on_the_way() -> None:
    roots = {size: tree.root(map(tree.leaf_hash, LOG[:size])) for size in (9, 12, 20)}
    assert follow(LOG, SIGNED, roots).size == 20
    assert follow(LOG, Position(), roots).size == 20
    assert "the first 12 entries do not give" in refused(LOG, SIGNED, {**roots, 12: bytes(32)})
    assert "the first 9 entries do not give" in refused(LOG, SIGNED, {9: bytes(32)})
    assert "it ends after 20 entries, 21 were signed" in refused(LOG, SIGNED, {21: bytes(32)})


def test_positions_are_kept_and_read_back() -> None:
    assert Position.read(json.loads(json.dumps(SIGNED.document()))).root == SIGNED.root
    assert Position.read(Position().document()).size == 0
    for change in ({"size": 8}, {"size": "x"}, {"last_leaf": "00"}, {"frontier": "zz"}, {"frontier": "00"},
                   {"last_leaf": "00" * 32}, {"size": -1}):  # fmt: skip
        with pytest.raises(ValueError, match=r".+"):
            Position.read({**SIGNED.document(), **change})
    with pytest.raises(ValueError, match="missing"):
        Position.read({"size": 1})
