"""Merkle trees of RFC 6962 section 2.1 over SHA-256: roots in flat memory, inclusion and consistency proofs.

A proof is a list of subtree roots. `inclusion_ranges` and `consistency_ranges` say which subtrees, so that whoever
holds the leaves in a file or a table computes each root by streaming only that range.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import islice

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
_BLOCK_LEVEL = 10
_BLOCK = 1 << _BLOCK_LEVEL  # leaves hashed level by level at once: half the time of one by one
Range = tuple[int, int]


def leaf_hash(content: bytes) -> bytes:
    """Return the leaf of `content`: SHA-256(0x00 ‖ content)."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the parent of two nodes: SHA-256(0x01 ‖ left ‖ right)."""
    return sha256(b"\x01" + left + right).digest()


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root of the tree with these leaf hashes, in order; `EMPTY_ROOT` when there are none."""
    frontier = Frontier()
    frontier.extend(leaves)
    return frontier.root()


class Frontier:
    """The right edge of a growing tree: its size and the roots of its full subtrees, largest first."""

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Iterable[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)
        if len(self.peaks) != size.bit_count() or any(len(peak) != HASH_SIZE for peak in self.peaks):
            raise ValueError("a tree's frontier has one hash of 32 bytes for each bit set in its size")

    @classmethod
    def from_bytes(cls, size: int, packed: bytes) -> Frontier:
        """Return the frontier `to_bytes` packed; ValueError when it cannot belong to a tree of `size` leaves."""
        return cls(size, [packed[start : start + HASH_SIZE] for start in range(0, len(packed), HASH_SIZE)])

    def to_bytes(self) -> bytes:
        """Return the peaks, one after the other; at most 63 hashes."""
        return b"".join(self.peaks)

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash."""
        self._push(leaf, 0)

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order, fast: full blocks are hashed level by level."""
        rest = iter(leaves)
        for leaf in islice(rest, -self.size % _BLOCK):
            self._push(leaf, 0)
        while block := list(islice(rest, _BLOCK)):
            if len(block) == _BLOCK:
                self._push(_perfect_root(block), _BLOCK_LEVEL)
            else:
                for leaf in block:
                    self._push(leaf, 0)

    def add_subtree(self, node: bytes, level: int) -> None:
        """Add the root of a full subtree of 2**level leaves. Raises ValueError where none of that size can stand."""
        if self.size % (1 << level):
            raise ValueError("a subtree begins at a multiple of its size")
        self._push(node, level)

    def _push(self, node: bytes, level: int) -> None:
        """Add a full subtree of 2**level leaves; the size must be a multiple of that."""
        peaks = self.peaks
        above = self.size >> level
        while above & 1:
            node = sha256(b"\x01" + peaks.pop() + node).digest()
            above >>= 1
        peaks.append(node)
        self.size += 1 << level

    def root(self) -> bytes:
        """Return the root of the tree so far."""
        if not self.peaks:
            return EMPTY_ROOT
        node = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            node = node_hash(peak, node)
        return node


def _perfect_root(nodes: list[bytes]) -> bytes:
    """Return the root over 2**n nodes."""
    while len(nodes) > 1:
        pairs = iter(nodes)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return nodes[0]


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size` (≥ 2): leaves of the left subtree."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the leaf ranges [start, end) whose roots prove leaf `index` in a tree of `size`, nearest first."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """Return the leaf ranges whose roots prove that a tree of `size` extends one of `old` leaves (RFC 6962 2.1.2)."""
    if not 0 < old <= size:
        raise ValueError("the older tree must have leaves and no more than the newer")
    path: list[Range] = []
    start, end = 0, size
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    if start:  # the last subtree common to both is a node of the new tree, not the whole old one
        path.append((start, end))
    return path[::-1]


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the proof that the leaf hash at `index` is in the tree of `leaves`."""
    return [root(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]


def consistency_proof(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """Return the proof that the tree of `leaves` extends the tree of its first `old` leaves."""
    return [root(leaves[start:end]) for start, end in consistency_ranges(old, len(leaves))]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected: bytes) -> bool:
    """Say whether `proof` puts the leaf hash at `index` of the tree with that size and root (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    node, at, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            node = node_hash(sibling, node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and node == expected


def verify_consistency(old: int, size: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Say whether `proof` shows the tree of `size` to extend the one of `old` leaves (RFC 9162 2.1.4.2)."""
    if not 0 < old <= size:
        return False
    if old == size:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    at, last = old - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_node = new_node = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old_node, new_node = node_hash(sibling, old_node), node_hash(sibling, new_node)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_node = node_hash(new_node, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and old_node == old_root and new_node == new_root
