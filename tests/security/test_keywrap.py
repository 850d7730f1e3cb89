"""Wrapped keys open under their own master key, for their own owner, and nowhere else."""

from __future__ import annotations

import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.errors import CrmctlError, IntegrityFailed, KeyMissing
from crmctl.security.keywrap import OWNER_KINDS, KeyWrapper

INSTANCE = os.urandom(16)
MASTERS = {1: os.urandom(32), 2: os.urandom(32)}
WRAPPER = KeyWrapper(INSTANCE, MASTERS)


@given(st.sampled_from(sorted(OWNER_KINDS)), st.lists(st.integers(1, 2**63 - 1), max_size=20, unique=True))
def test_what_was_wrapped_unwraps(kind, ids):
    keys = WRAPPER.new_keys(kind, ids)
    rows = WRAPPER.wrap(keys)
    assert [WRAPPER.unwrap(row) for row in rows] == keys
    assert len({key.secret for key in keys}) == len(ids)
    assert all(key.secret not in row[3] for key, row in zip(keys, rows, strict=True))


def test_new_keys_are_wrapped_under_the_newest_master_and_old_ones_still_open():
    old = KeyWrapper(INSTANCE, {1: MASTERS[1]})
    keys = old.new_keys("customer", [5])
    assert [row[4] for row in WRAPPER.wrap(keys)] == [2]
    assert WRAPPER.unwrap(old.wrap(keys)[0]) == keys[0]


def test_a_row_of_somebody_else_is_refused():
    first, second = WRAPPER.wrap(WRAPPER.new_keys("customer", [1, 2]))
    swapped = {
        "key of another customer": (first[0], first[1], first[2], second[3], first[4]),
        "other generation": (first[0], first[1], 2, first[3], first[4]),
        "other kind": (2, first[1], first[2], first[3], first[4]),
        "unknown kind": (99, first[1], first[2], first[3], first[4]),
        "other master": (first[0], first[1], first[2], first[3], 1),
        "cut short": (first[0], first[1], first[2], first[3][:20], first[4]),
        "empty": (first[0], first[1], first[2], b"", first[4]),
    }
    for row in swapped.values():
        with pytest.raises(IntegrityFailed) as failure:
            WRAPPER.unwrap(row)
        assert failure.value.code == "KEY_BROKEN"
    with pytest.raises(IntegrityFailed):
        KeyWrapper(os.urandom(16), MASTERS).unwrap(first)


def test_a_missing_master_key_is_named():
    row = WRAPPER.wrap(WRAPPER.new_keys("customer", [1]))[0]
    with pytest.raises(KeyMissing) as failure:
        KeyWrapper(INSTANCE, {1: MASTERS[1]}).unwrap(row)
    assert failure.value.code == "MASTER_MISSING" and "2" in failure.value.message


def test_every_flipped_bit_of_a_wrapped_key_is_noticed():
    row = WRAPPER.wrap(WRAPPER.new_keys("customer", [1]))[0]
    for position in range(len(row[3]) * 8):
        damaged = bytearray(row[3])
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(CrmctlError):
            WRAPPER.unwrap((*row[:3], bytes(damaged), row[4]))


def test_an_index_key_is_bound_to_its_epoch():
    secret = os.urandom(32)
    wrapped = WRAPPER.wrap_index(secret, 4)
    assert WRAPPER.unwrap_index(wrapped, 4, 2) == secret
    for epoch, master in ((5, 2), (4, 1)):
        with pytest.raises(IntegrityFailed):
            WRAPPER.unwrap_index(wrapped, epoch, master)


def test_of_several_generations_the_last_row_wins():
    from crmctl.security.sealing import DataKey

    keys = [DataKey("customer", 9, generation, os.urandom(32)) for generation in (1, 2)]
    assert WRAPPER.unwrap_all(WRAPPER.wrap(keys)) == {9: keys[1]}


def test_a_wrapper_travels_and_shows_no_master_key():
    row = WRAPPER.wrap(WRAPPER.new_keys("batch", [1]))[0]
    assert pickle.loads(pickle.dumps(WRAPPER)).unwrap(row) == WRAPPER.unwrap(row)
    assert repr(WRAPPER) == "KeyWrapper(epoch=2)"
    assert WRAPPER.proof(1) != WRAPPER.proof(2)
