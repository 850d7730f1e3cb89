"""An envelope opens in its own place under its own key, and nowhere else (security.md A18, F7)."""

from __future__ import annotations

import hashlib
import hmac
import os
import pickle

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from crmctl.errors import CrmctlError, IntegrityFailed, KeyMissing
from crmctl.security.sealing import OVERHEAD, DataKey, Place, Sealer, hmac_of_key, pad

INSTANCE = bytes(range(16))
PLACE = Place("customer", "sealed")
SEALER = Sealer(INSTANCE)
KEY = DataKey("customer", 123, 1, bytes(range(32)))


class Counting:
    """A cipher that says how often it was asked to decrypt."""

    def __init__(self, key: bytes) -> None:
        self.asked = 0
        self._real = AESGCM(key)

    def decrypt(self, *arguments):
        self.asked += 1
        return self._real.decrypt(*arguments)


@given(st.binary(max_size=2000), st.integers(1, 2**63 - 1), st.integers(1, 2**32 - 1), st.integers(0, 2**63 - 1))
def test_what_was_sealed_opens(plaintext, owner, generation, object_id):
    key = DataKey("customer", owner, generation, os.urandom(32))
    envelope = SEALER.seal(key, PLACE, plaintext, object_id=object_id)
    assert len(envelope) == len(plaintext) + OVERHEAD
    assert SEALER.open(key, PLACE, envelope, object_id) == plaintext


def test_the_envelope_is_laid_out_as_documented():
    nonce = bytes(range(100, 112))
    envelope = SEALER.seal(KEY, PLACE, b"secret", nonce)
    header = bytes([0xC1, 0x01, 0, 0, 0, 1])
    commitment = hmac.digest(
        KEY.secret, b"crmctl/v1/commit" + b"customer" + (123).to_bytes(8) + (1).to_bytes(4), "sha256"
    )
    bound = header + b"".join(
        len(part).to_bytes(2) + part for part in (INSTANCE, b"customer", b"sealed", (123).to_bytes(8))
    )
    assert envelope == header + commitment + nonce + AESGCM(KEY.secret).encrypt(nonce, b"secret", bound)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300))
def test_the_fast_hmac_is_hmac(key, message):
    assert hmac_of_key(key, message) == hmac.new(key, message, hashlib.sha256).digest()


def test_every_seal_has_its_own_nonce():
    nonces = {SEALER.seal(KEY, PLACE, b"x")[38:50] for _ in range(2000)}
    assert len(nonces) == 2000


def test_a_forked_child_draws_other_nonces():
    SEALER.seal(KEY, PLACE, b"x")  # the block is filled before the fork
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, SEALER.seal(KEY, PLACE, b"x")[38:50])
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 12)
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 12
    assert theirs not in {SEALER.seal(KEY, PLACE, b"x")[38:50] for _ in range(600)}


MOVED = {
    "other customer, same key bytes": lambda: (SEALER, DataKey("customer", 124, 1, KEY.secret), PLACE, 0),
    "other kind of owner": lambda: (SEALER, DataKey("batch", 123, 1, KEY.secret), PLACE, 0),
    "other column": lambda: (SEALER, KEY, Place("customer", "notes"), 0),
    "other table": lambda: (SEALER, KEY, Place("contact", "sealed"), 0),
    "table and column run together": lambda: (SEALER, KEY, Place("customers", "ealed"), 0),
    "other row of the same customer": lambda: (SEALER, KEY, PLACE, 7),
    "other workspace": lambda: (Sealer(bytes(16)), KEY, PLACE, 0),
    "key of a later generation": lambda: (SEALER, DataKey("customer", 123, 2, KEY.secret), PLACE, 0),
    "another key": lambda: (SEALER, DataKey("customer", 123, 1, bytes(32)), PLACE, 0),
}


@pytest.mark.parametrize("case", MOVED)
def test_a_moved_envelope_does_not_open(case):
    envelope = SEALER.seal(KEY, PLACE, b"secret")
    assert SEALER.open(KEY, PLACE, envelope) == b"secret"
    sealer, key, place, object_id = MOVED[case]()
    with pytest.raises((IntegrityFailed, KeyMissing)) as failure:
        sealer.open(key, place, envelope, object_id)
    assert failure.value.code in ("SEAL_BROKEN", "KEY_WRONG")
    assert "secret" not in failure.value.message


def test_a_relabelled_generation_is_refused():
    """An old envelope whose header was edited to name the new generation: the commitment gives it away."""
    envelope = bytearray(SEALER.seal(KEY, PLACE, b"secret"))
    envelope[2:6] = (2).to_bytes(4)
    newer = DataKey("customer", 123, 2, bytes(31) + b"n")
    with pytest.raises(KeyMissing):
        SEALER.open(newer, PLACE, bytes(envelope))


def test_one_ciphertext_for_two_keys_is_refused_before_anything_is_decrypted():
    """AES-GCM commits to no key; whoever writes the database must not make one envelope mean two things."""
    envelope = SEALER.seal(KEY, PLACE, b"secret")
    other = DataKey("customer", 123, 1, os.urandom(32))
    other._cipher = Counting(other.secret)
    with pytest.raises(KeyMissing) as failure:
        SEALER.open(other, PLACE, envelope)
    assert failure.value.code == "KEY_WRONG" and failure.value.exit_code == 12
    assert other._cipher.asked == 0
    forged = envelope[:6] + other.commitment + envelope[38:]  # the commitment swapped as well: the tag says no
    with pytest.raises(IntegrityFailed):
        SEALER.open(other, PLACE, forged)
    assert other._cipher.asked == 1


def test_every_flipped_bit_is_noticed():
    envelope = SEALER.seal(KEY, PLACE, b"a name, a number")
    for position in range(len(envelope) * 8):
        damaged = bytearray(envelope)
        damaged[position // 8] ^= 1 << position % 8
        with pytest.raises(CrmctlError) as failure:
            SEALER.open(KEY, PLACE, bytes(damaged))
        assert failure.value.exit_code in (12, 13)


@given(st.integers(0, OVERHEAD + 20))
def test_a_cut_envelope_is_noticed(length):
    envelope = SEALER.seal(KEY, PLACE, b"a" * 32)
    with pytest.raises(CrmctlError):
        SEALER.open(KEY, PLACE, envelope[:length])


def test_the_reserved_algorithm_is_not_read():
    envelope = bytearray(SEALER.seal(KEY, PLACE, b"x"))
    envelope[1] = 0x10
    with pytest.raises(IntegrityFailed):
        SEALER.open(KEY, PLACE, bytes(envelope))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_json_comes_back_and_shows_no_exact_length(value):
    envelope = SEALER.seal_json(KEY, PLACE, value)
    assert (len(envelope) - OVERHEAD) % 16 == 0
    assert SEALER.open_json(KEY, PLACE, envelope) == value


def test_names_of_two_and_three_characters_look_alike():
    short, longer = (SEALER.seal_json(KEY, PLACE, {"name": name}) for name in ("张三", "欧阳娜娜"))
    assert len(short) == len(longer)


def test_sealed_text_that_is_no_json_is_reported_as_broken():
    with pytest.raises(IntegrityFailed):
        SEALER.open_json(KEY, PLACE, SEALER.seal(KEY, PLACE, b"{not json"))


@given(st.binary(max_size=100))
def test_padding_adds_spaces_only(plaintext):
    padded = pad(plaintext)
    assert len(padded) % 16 == 0 and padded[: len(plaintext)] == plaintext
    assert padded[len(plaintext) :].strip(b" ") == b""
    assert len(padded) - len(plaintext) < 16


def test_keys_and_sealers_travel_but_never_show_their_secret():
    key = pickle.loads(pickle.dumps(KEY))
    assert key == KEY and key.commitment == KEY.commitment
    assert pickle.loads(pickle.dumps(SEALER)).open(key, PLACE, SEALER.seal(KEY, PLACE, b"x")) == b"x"
    assert DataKey("customer", 123, 1, bytes(32)) != KEY
    shown = f"{KEY!r} {KEY}"
    assert KEY.secret.hex() not in shown and repr(KEY.secret) not in shown
