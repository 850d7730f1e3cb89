"""RFC 6962 trees against the published vectors and against the recursive definition."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.audit import tree

# The known answers of the Certificate Transparency reference implementation (merkletree tests; transparency-dev/merkle
# testonly/constants.go): eight inputs, the roots of their prefixes, inclusion and consistency proofs.
INPUTS = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
L1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
N23 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
N47 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
L4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
N45 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
N67 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
INCLUSION = {
    (0, 1): [],
    (0, 8): [L1, N23, N47],
    (5, 8): [L4, N67, ROOTS[4]],
    (2, 3): [ROOTS[2]],
    (1, 5): [ROOTS[1], N23, L4],
}
CONSISTENCY = {(1, 1): [], (1, 8): [L1, N23, N47], (6, 8): [N45, N67, ROOTS[4]], (2, 5): [N23, L4]}
LEAVES = [tree.leaf_hash(content) for content in INPUTS]

hashes = st.binary(min_size=1, max_size=1).map(lambda seed: sha256(seed).digest())


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return sha256(b"\x01" + naive_root(leaves[:k]) + naive_root(leaves[k:])).digest()


def naive_path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of section 2.1.2."""
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    if m <= k:
        return [*naive_subproof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_subproof(m - k, leaves[k:], False), naive_root(leaves[:k])]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size: int) -> None:
    assert tree.root(LEAVES[:size]).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_published_inclusion_proofs(index: int, size: int) -> None:
    proof = tree.inclusion_proof(LEAVES[:size], index)
    assert [node.hex() for node in proof] == INCLUSION[index, size]
    assert tree.verify_inclusion(LEAVES[index], index, size, proof, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), CONSISTENCY)
def test_published_consistency_proofs(old: int, size: int) -> None:
    proof = tree.consistency_proof(LEAVES[:size], old)
    assert [node.hex() for node in proof] == CONSISTENCY[old, size]
    assert tree.verify_consistency(old, size, proof, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[size]))


@given(st.lists(hashes, max_size=70), st.integers(0, 70))
def test_root_equals_the_definition_however_the_leaves_come(leaves: list[bytes], cut: int) -> None:
    frontier = tree.Frontier()
    frontier.extend(leaves[:cut])
    frontier = tree.Frontier.from_bytes(frontier.size, frontier.to_bytes())
    for leaf in leaves[cut:]:
        frontier.append(leaf)
    assert frontier.root() == naive_root(leaves) == tree.root(iter(leaves))
    assert frontier.size == len(leaves)


@pytest.mark.parametrize("cuts", [(1024,), (1023, 1025), (1, 2048), (1500, 3000, 3), (7, 1017, 2048)])
def test_blocks_give_the_same_tree(cuts: tuple[int, ...]) -> None:
    leaves = [sha256(number.to_bytes(4, "big")).digest() for number in range(sum(cuts))]
    frontier = tree.Frontier()
    done = 0
    for cut in cuts:
        frontier.extend(leaves[done : done + cut])
        done += cut
        assert frontier.root() == naive_root(leaves[:done])


@given(st.lists(hashes, min_size=1, max_size=70), st.data())
def test_proofs_equal_the_definition_and_verify(leaves: list[bytes], data: st.DataObject) -> None:
    size = len(leaves)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    whole = naive_root(leaves)
    inclusion = tree.inclusion_proof(leaves, index)
    consistency = tree.consistency_proof(leaves, old)
    assert inclusion == naive_path(index, leaves)
    assert consistency == naive_subproof(old, leaves, True)
    assert tree.verify_inclusion(leaves[index], index, size, inclusion, whole)
    assert tree.verify_consistency(old, size, consistency, naive_root(leaves[:old]), whole)


@given(st.integers(1, 70), st.data())
def test_spoiled_proofs_do_not_verify(size: int, data: st.DataObject) -> None:
    leaves = [sha256(number.to_bytes(2, "big")).digest() for number in range(size)]
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    whole, old_root = naive_root(leaves), naive_root(leaves[:old])
    inclusion, consistency = tree.inclusion_proof(leaves, index), tree.consistency_proof(leaves, old)
    other = b"\xff" * 32
    assert not tree.verify_inclusion(other, index, size, inclusion, whole)
    assert not tree.verify_inclusion(leaves[index], index, size, [*inclusion, other], whole)
    assert not tree.verify_inclusion(leaves[index], index, size, inclusion, other)
    assert not tree.verify_inclusion(leaves[index], size, size, inclusion, whole)
    assert not tree.verify_consistency(old, size, consistency, other, whole)
    assert not tree.verify_consistency(old, size, consistency, old_root, other)
    assert not tree.verify_consistency(old, size, [*consistency, other], old_root, whole)
    assert not tree.verify_consistency(0, size, consistency, old_root, whole)
    for proof, check in (
        (inclusion, lambda path: tree.verify_inclusion(leaves[index], index, size, path, whole)),
        (consistency, lambda path: tree.verify_consistency(old, size, path, old_root, whole)),
    ):
        for place in range(len(proof)):
            assert not check([*proof[:place], other, *proof[place + 1 :]])
        if proof:
            assert not check(proof[:-1])


def test_a_frontier_that_cannot_be_is_refused() -> None:
    for size, packed in ((3, b"\0" * 32), (0, b"\0" * 32), (1, b"\0" * 31), (2, b"\0" * 33)):
        with pytest.raises(ValueError, match="frontier"):
            tree.Frontier.from_bytes(size, packed)


def test_ranges_outside_the_tree_are_refused() -> None:
    with pytest.raises(ValueError, match="leaf"):
        tree.inclusion_ranges(3, 3)
    with pytest.raises(ValueError, match="older"):
        tree.consistency_ranges(4, 3)
