"""Every subtree of a log's tree within reach, in flat memory: what proofs of a part of a log are made of.

The hashes of each level lie in a nameless file one after the other, so that any subtree is one read. They are hashes of
entries and tell nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from types import TracebackType
from typing import IO

from crmctl.audit.tree import EMPTY_ROOT, HASH_SIZE, inclusion_ranges, node_hash

_AT_ONCE = 1 << 15


class Subtrees:
    """The tree over `leaves`; a context manager, whose files are gone afterwards."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        self._files = contextlib.ExitStack()
        self._levels = [self._file()]
        rest = iter(leaves)
        while block := list(islice(rest, _AT_ONCE)):
            self._levels[0].write(b"".join(block))
        self.size = self._levels[0].tell() // HASH_SIZE
        self._levels[0].flush()
        while self.size >> len(self._levels):
            self._levels.append(self._above(self._levels[-1], self.size >> len(self._levels)))

    def __enter__(self) -> Subtrees:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def _file(self) -> IO[bytes]:
        return self._files.enter_context(tempfile.TemporaryFile())

    def _above(self, below: IO[bytes], count: int) -> IO[bytes]:
        """Return the file of the `count` parents of the nodes in `below`."""
        level = self._file()
        for start in range(0, count, _AT_ONCE):
            wanted = min(count - start, _AT_ONCE) * 2
            data = os.pread(below.fileno(), wanted * HASH_SIZE, start * 2 * HASH_SIZE)
            width = 2 * HASH_SIZE
            level.write(b"".join(sha256(b"\x01" + data[at : at + width]).digest() for at in range(0, len(data), width)))
        level.flush()
        return level

    def node(self, start: int, level: int) -> bytes:
        """Return the root of the full subtree of 2**level leaves that begins at leaf `start`, a multiple of that."""
        return os.pread(self._levels[level].fileno(), HASH_SIZE, (start >> level) * HASH_SIZE)

    def root(self, start: int, end: int) -> bytes:
        """Return the root of leaves [start, end); `start` must be where the RFC's division of a tree puts it."""
        if start == end:
            return EMPTY_ROOT
        found = b""
        for at, count in reversed(list(full_subtrees(start, end))):
            node = self.node(at, count.bit_length() - 1)
            found = node_hash(node, found) if found else node
        return found

    def inclusion(self, index: int, size: int) -> list[tuple[str, bytes]]:
        """Return the proof of leaf `index` in the tree of the first `size`: side (L, R) and hash, nearest first."""
        ranges = inclusion_ranges(index, size)
        return [("L" if end <= index else "R", self.root(start, end)) for start, end in ranges]


def full_subtrees(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the largest full subtrees, as (first leaf, number of leaves), that make up leaves [start, end)."""
    while start < end:
        count = 1 << (end - start).bit_length() - 1
        if start:
            count = min(count, start & -start)
        yield start, count
        start += count


def hidden(shown: Iterable[tuple[int, int]], size: int, cuts: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the full subtrees of what is not in `shown` (runs [start, end), in order) of the first `size` leaves.

    No subtree lies across one of `cuts`, sizes at which somebody holds a root.
    """
    bounds = sorted({cut for cut in cuts if 0 < cut < size})
    place, at = 0, 0
    for start, end in [*shown, (size, size)]:
        while place < start:
            while at < len(bounds) and bounds[at] <= place:
                at += 1
            stop = min(start, bounds[at]) if at < len(bounds) else start
            yield from full_subtrees(place, stop)
            place = stop
        place = max(place, end)
