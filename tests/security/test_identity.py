"""Blind indexes: equal values meet, kinds and epochs stay apart, nothing shows the value."""

from __future__ import annotations

import hashlib
import hmac
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmctl.security.identity import DIGEST_BYTES, IDENTITY_KINDS, BlindIndex

KEY = bytes(range(32))
INDEX = BlindIndex(KEY, 3)


@given(st.sampled_from(sorted(IDENTITY_KINDS)), st.text(max_size=300))
def test_the_digest_is_the_documented_one(name, value):
    value = value.encode("utf-8", "ignore").decode()
    derived = hmac.new(KEY, b"bidx|" + name.encode(), hashlib.sha256).digest()
    wanted = hmac.new(derived, value.encode(), hashlib.sha256).digest()[:16]
    assert INDEX.digest(IDENTITY_KINDS[name], value) == wanted


def test_one_value_has_unrelated_digests_of_each_kind_and_key():
    digests = [BlindIndex(key, 1).digest(kind, "13812345678") for key in (KEY, bytes(32)) for kind in range(1, 12)]
    assert len(set(digests)) == 22 and {len(digest) for digest in digests} == {DIGEST_BYTES}


def test_a_pickled_index_gives_the_same_digests_and_shows_no_key():
    copy = pickle.loads(pickle.dumps(INDEX))
    assert copy.epoch == 3 and copy.digest(1, "x") == INDEX.digest(1, "x")
    assert repr(INDEX) == "BlindIndex(epoch=3)"


def test_kinds_keep_their_numbers():
    """They are stored: a changed number would make every look-up miss."""
    assert dict(IDENTITY_KINDS) == {
        "mobile": 1,
        "email": 2,
        "landline": 3,
        "uscc": 4,
        "id_card": 5,
        "external_userid": 6,
        "org_name": 7,
        "external_code": 8,
        "person_name": 9,
        "row": 10,
        "contact_name": 11,
    }


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        INDEX.digest(99, "x")
