"""Signed notes against the published examples, against openssl, and against what is almost a note."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from crmctl.audit import note

# c2sp.org/signed-note v1.1.0, section "Verifier keys"; golang.org/x/mod sumdb/note, example and tests.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE_TEXT = "This is an example message.\n"
EXAMPLE_LINE = (
    "— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
EXAMPLE = f"{EXAMPLE_TEXT}\n{EXAMPLE_LINE}"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
# c2sp.org/tlog-checkpoint, and the poem of c2sp.org/signed-note v1.0.0, whose text has a blank line of its own.
CHECKPOINT = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)
POEM = (
    "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n"
    "— quasimodo.example/salvatore "
    "NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n"
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
NAME = "crm.example.cn/audit"


def test_the_published_examples_verify() -> None:
    assert note.verify(EXAMPLE, EXAMPLE_KEY)
    both = f"{PETER_TEXT}\n{PETER_LINE}{ENOCH_LINE}"
    assert note.verify(both, PETER_KEY)
    assert note.verify(both, ENOCH_KEY)
    assert not note.verify(both, EXAMPLE_KEY)
    assert [line.name for line in note.parse(both).signatures] == ["PeterNeumann", "EnochRoot"]


def test_signing_gives_the_published_bytes() -> None:
    private = Ed25519PrivateKey.from_private_bytes(PETER_SEED)
    assert note.vkey("PeterNeumann", private.public_key().public_bytes_raw()) == PETER_KEY
    assert note.sign(PETER_TEXT, "PeterNeumann", private) == f"{PETER_TEXT}\n{PETER_LINE}"


@pytest.mark.parametrize("text", [EXAMPLE_KEY, PETER_KEY, ENOCH_KEY])
def test_verifier_keys_are_read_and_written(text: str) -> None:
    key = note.parse_vkey(text)
    assert str(key) == text == note.vkey(key.name, key.public)
    assert key.key_id.hex() == text.split("+")[1]


def test_the_published_checkpoint_is_read() -> None:
    text, signatures = note.parse(CHECKPOINT)
    found = note.parse_checkpoint(text)
    assert (found.origin, found.size, found.root.hex()[:8]) == ("example.com/behind-the-sofa", 20852163, "0ac5186a")
    assert note.checkpoint_text(*found) == text
    assert signatures[0].name == found.origin


def test_the_text_may_hold_blank_lines() -> None:
    text, signatures = note.parse(POEM)
    assert text.endswith("sole:\n\ned è subito sera.\n")
    assert len(signatures) == 1


@given(text=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=50))
def test_what_is_signed_is_read_back(text: str) -> None:
    signed = note.sign(text + "\n", NAME, KEY)
    assert note.parse(signed).text == text + "\n"
    assert note.verify(signed, note.vkey(NAME, PUBLIC))
    assert not note.verify(signed, note.vkey(NAME, OTHER.public_key().public_bytes_raw()))
    assert not note.verify(signed, note.vkey("crm.example.cn/other", PUBLIC))


def test_every_flipped_bit_is_seen() -> None:
    key = note.parse_vkey(EXAMPLE_KEY)
    whole = EXAMPLE.encode()
    missed = []
    for place in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        text = changed.decode(errors="surrogateescape")
        if note.verify(text, key):
            missed.append(place)
    assert missed == []


def test_lines_of_unknown_keys_are_ignored_whatever_they_say() -> None:
    shared_name = f"— example.com/foo {base64.b64encode(b'abcd' + bytes(64)).decode()}\n"
    shared_id = f"— example.org {EXAMPLE_LINE.split()[2]}\n"
    long = f"— witness.example {base64.b64encode(bytes(4900)).decode()}\n"
    assert note.verify(f"{EXAMPLE_TEXT}\n{shared_name}{shared_id}{long}{EXAMPLE_LINE}{PETER_LINE}", EXAMPLE_KEY)
    assert not note.verify(f"{EXAMPLE_TEXT}\n{shared_name}{shared_id}", EXAMPLE_KEY)


def test_a_wrong_line_of_the_known_key_spoils_the_note() -> None:
    signature = base64.b64decode(EXAMPLE_LINE.split()[2])
    wrong = f"— example.com/foo {base64.b64encode(signature[:4] + bytes(64)).decode()}\n"
    short = f"— example.com/foo {base64.b64encode(signature[:40]).decode()}\n"
    for lines in (wrong, short, wrong + EXAMPLE_LINE, EXAMPLE_LINE + wrong, EXAMPLE_LINE + short):
        assert not note.verify(f"{EXAMPLE_TEXT}\n{lines}", EXAMPLE_KEY)
    assert note.verify(f"{EXAMPLE_TEXT}\n{EXAMPLE_LINE}{EXAMPLE_LINE}", EXAMPLE_KEY)


def test_sixteen_signatures_and_more_are_read() -> None:
    lines = "".join(f"— w{number}.example {base64.b64encode(bytes(76)).decode()}\n" for number in range(99))
    assert note.verify(f"{EXAMPLE_TEXT}\n{lines}{EXAMPLE_LINE}", EXAMPLE_KEY)
    assert not note.verify(f"{EXAMPLE_TEXT}\n{lines}{EXAMPLE_LINE}{EXAMPLE_LINE}", EXAMPLE_KEY)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "\n",
        EXAMPLE_TEXT,
        EXAMPLE_LINE,
        EXAMPLE_TEXT + EXAMPLE_LINE,
        EXAMPLE[:-1],
        EXAMPLE + "\n",
        EXAMPLE.replace("\n", "\r\n"),
        EXAMPLE.replace("—", "--"),
        EXAMPLE.replace("— ", "—\u00a0"),
        EXAMPLE.replace("is an", "is\tan"),
        EXAMPLE.replace("is an", "is\x00an"),
        EXAMPLE + "unsigned line\n",
        EXAMPLE.replace("aQM=", "aQM"),
        EXAMPLE.replace("aQM=", "aQN="),
        EXAMPLE.replace("aQM=", "aQM==="),
        EXAMPLE.replace("— example.com/foo Uw2QOkn8", "— example.com/foo  Uw2QOkn8"),
        EXAMPLE.replace("— example.com/foo", "— example.com/\u3000foo"),
        f"{EXAMPLE_TEXT}\n— example.com/foo\n",
        f"{EXAMPLE_TEXT}\n— example.com/foo Uw2QOg==\n",
        EXAMPLE.replace("example message", "\ud800"),
    ],
)
def test_what_is_no_note_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="note|base64|surrogates"):
        note.parse(wrong)
    assert not note.verify(wrong, EXAMPLE_KEY)


def test_a_note_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        note.parse("x" * (1 << 20) + EXAMPLE)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "example.com/foo",
        "example.com/foo+530d903a",
        "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
        " +530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
    ],
)
def test_what_is_no_verifier_key_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="verifier key|base64"):
        note.parse_vkey(wrong)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u00a0b", "a\u2028b", "a\x1bb"])
def test_names_that_cannot_stand_in_a_line_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"not of its form|not base64|control"):
        note.sign(EXAMPLE_TEXT, name, KEY)
    with pytest.raises(ValueError, match="not of its form"):
        note.vkey(name, PUBLIC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n1\n",
        "\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n01\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n-1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n1\u0663\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n",
        "origin\n1\nCsUYapGG\n",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=",
        "origin\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\nextension\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checkpoint|base64"):
        note.parse_checkpoint(text)


@pytest.mark.parametrize(("origin", "size", "root"), [("", 1, bytes(32)), ("a\nb", 1, bytes(32)), ("a", -1, bytes(32)),
                                                      ("a", 1, b"short")])  # fmt: skip
def test_no_checkpoint_is_written_that_could_not_be_read(origin: str, size: int, root: bytes) -> None:
    with pytest.raises(ValueError, match="checkpoint"):
        note.checkpoint_text(origin, size, root)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_agrees(tmp_path: Path) -> None:
    """With shell tools alone: the first three lines, the last 64 bytes of the last line, the key as PEM."""
    signed = note.sign(note.checkpoint_text(NAME, 7, bytes(32)), NAME, KEY)
    (tmp_path / "note").write_text(signed, "utf-8")
    (tmp_path / "pem").write_text(note.pem(note.parse_vkey(note.vkey(NAME, PUBLIC))), "ascii")
    script = (
        "head -n 3 note > body && tail -n 1 note | awk '{print $3}' | base64 -d | tail -c 64 > sig && "
        "openssl pkeyutl -verify -rawin -pubin -inkey pem -in body -sigfile sig"
    )
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, "Verified Successfully" in done.stdout) == (0, True), done.stderr
    (tmp_path / "note").write_text(signed.replace("\n7\n", "\n8\n"), "utf-8")
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, capture_output=True).returncode != 0
