"""Exports that outsiders verify: what is in them, how they are checked, by both verifiers and by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from bundles import CUSTOMER, START, Log, Signer, build, export
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete, update

from crmctl.audit import note
from crmctl.audit.bundle import new_folder
from crmctl.audit.bundle_verify import Verdict, verify_bundle
from crmctl.audit.export import Wanted
from crmctl.audit.tables import audit_entry, change, checkpoint, look
from crmctl.audit.verifier import verify_audit
from crmctl.errors import IntegrityFailed, Refused, StorageFailed
from crmctl.store.engine import open_engine, write

VERIFIER = Path(verify_audit.__file__)
KEY = Signer().vkey
PERIOD = Wanted(since=START + timedelta(minutes=60), until=START + timedelta(minutes=190))
BY_HAND = "set -eu\n"
PAGES = ("VERIFY.md", "VERIFY.zh.md")


def verdict(folder: Path, pin: str, *, whole: bool = False, key: str = KEY) -> Verdict:
    """What the program says; the other verifier must say the same."""
    found = verify_bundle(folder, [note.parse_vkey(key)], pin, whole=whole)
    other = verify_audit.verify(str(folder), [verify_audit.parse_key(key)], pin, whole)
    assert verify_audit.exit_status(other) == found.exit_code
    assert {code for code, _subject, _message in other.problems} == {problem.code for problem in found.problems}
    return found


def codes(found: Verdict) -> list[str]:
    return sorted({problem.code for problem in found.problems})


def by_hand(folder: Path, pin: Path, page: str = "VERIFY.md", key: str = KEY) -> subprocess.CompletedProcess[str]:
    """Run what a page says, in the folder, with openssl and sha256sum."""
    script = "".join(re.findall(r"```bash\n(.*?)```", (VERIFIER.parent / page).read_text("utf-8"), re.DOTALL))
    pem = pin.with_suffix(".pem")
    pem.write_text(note.pem(note.parse_vkey(key)))
    env = {"PATH": os.defpath, "KEY": str(pem), "PIN": str(pin), "TMPDIR": str(pin.parent)}
    return subprocess.run(["bash", "-c", BY_HAND + script], cwd=folder, env=env, capture_output=True, text=True)


@pytest.mark.parametrize("wanted", [Wanted(), PERIOD, Wanted(customer=CUSTOMER)], ids=["all", "period", "customer"])
def test_an_export_is_valid_for_everybody(engine: Engine, tmp_path: Path, wanted: Wanted) -> None:
    """Whichever checkpoint the auditor holds: the first, or the newest."""
    _log, notes = build(engine)
    folder = export(engine, tmp_path / "b", wanted)
    for pin in notes:
        found = verdict(folder, pin)
        assert (found.exit_code, found.kind, found.size, found.signed) == (0, wanted.kind, 250, 250)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("wanted", [Wanted(), PERIOD, Wanted(customer=CUSTOMER)], ids=["all", "period", "customer"])
def test_by_hand(sqlite_url: str, tmp_path: Path, wanted: Wanted, page: str) -> None:
    """What VERIFY.md says, typed in: it verifies, and it finds an entry that was changed."""
    engine = open_engine(sqlite_url)
    _log, notes = build(engine)
    folder = export(engine, tmp_path / "b", wanted)
    engine.dispose()
    pin = tmp_path / "pin.note"
    pin.write_text(notes[2])
    done = by_hand(folder, pin, page)
    assert (done.returncode, done.stdout.count("Signature Verified Successfully")) == (0, 2), done.stderr
    assert "in the signed log of 250 entries" in done.stdout
    if wanted.kind == "all":
        assert "the first 250 entries give the root of newest" in done.stdout
        assert "give the root of pin.note" in done.stdout
    assert by_hand(folder, pin, page, Signer(seed=2).vkey).returncode != 0
    text = (folder / "entries.jsonl").read_text()
    for forged in (text.replace("customer.show", "customer.list", 1), text.replace('"n":1', '"n":2', 1)):
        (folder / "entries.jsonl").write_text(forged)
        assert by_hand(folder, pin, page).returncode != 0
        sums = (folder / "SHA256SUMS").read_text()
        mended = sha256(forged.encode()).hexdigest()
        (folder / "SHA256SUMS").write_text(re.sub(r"[0-9a-f]{64}  entries", f"{mended}  entries", sums))
        done = by_hand(folder, pin, page)
        assert done.returncode == 13 and "NOT VALID" in done.stdout


def test_both_languages_say_the_same_commands() -> None:
    scripts = [
        re.findall(r"```bash\n(.*?)```", (VERIFIER.parent / page).read_text("utf-8"), re.DOTALL) for page in PAGES
    ]
    assert scripts[0] == scripts[1] and len(scripts[0]) == 2


def test_where_nothing_of_the_program_is(sqlite_url: str, tmp_path: Path, full: bool) -> None:
    """A log of 100,000 entries (a twentieth outside `make full`): its own verifier, isolated, in a bare folder."""
    engine = open_engine(sqlite_url)
    log = Log(engine)
    number = 100_000 if full else 5_000
    log.shows([place % 900 + 1 for place in range(number - 50)])
    pin = log.signed()
    log.lists(3, [CUSTOMER, 8])
    log.shows([1] * 49)
    log.signed()
    (tmp_path / "pin.note").write_text(pin)
    (tmp_path / "key").write_text(KEY + "\n")
    for name, wanted in (("all", Wanted()), ("one", Wanted(customer=CUSTOMER))):
        folder = export(engine, tmp_path / name, wanted)
        words = [sys.executable, "-I", "verify_audit.py", "--key", "../key", "--pin", "../pin.note"]
        env = {"PATH": os.defpath, "PYTHONPATH": ""}
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"of {number} entries; signed: {number}" in done.stdout
        assert f"manifest: sha256 {sha256((folder / 'manifest.json').read_bytes()).hexdigest()}" in done.stdout
        assert done.stdout.endswith("VALID, and signed to the end\n")
    engine.dispose()


def test_the_newest_entries_may_be_unsigned(engine: Engine, tmp_path: Path) -> None:
    log, notes = build(engine)
    log.shows([CUSTOMER])
    assert verdict(export(engine, tmp_path / "all"), notes[-1]).exit_code == 14
    assert verdict(export(engine, tmp_path / "one", Wanted(customer=CUSTOMER)), notes[-1]).exit_code == 14
    assert verdict(export(engine, tmp_path / "other", Wanted(customer=25)), notes[-1]).exit_code == 0
    assert verdict(export(engine, tmp_path / "period", PERIOD), notes[-1]).exit_code == 0


def test_a_checkpoint_of_yours_alone_signs_as_well(engine: Engine, tmp_path: Path) -> None:
    """The auditor's own checkpoint may be newer than those in the export, if the log has that many entries."""
    log, notes = build(engine)
    log.shows([1, 2])
    pin = log.signed()
    with write(engine) as conn:
        conn.execute(delete(checkpoint).where(checkpoint.c.size > 250))
    folder = export(engine, tmp_path / "b")
    assert (verdict(folder, pin).exit_code, verdict(folder, notes[0]).exit_code) == (0, 14)


def test_a_log_shorter_than_your_checkpoint_was_cut(engine: Engine, tmp_path: Path) -> None:
    log, _notes = build(engine)
    folder = export(engine, tmp_path / "b")
    log.shows([1])
    assert codes(verdict(folder, log.signed())) == ["PIN_BEYOND"]


def test_whole_wants_everything(engine: Engine, tmp_path: Path) -> None:
    _log, notes = build(engine)
    assert verdict(export(engine, tmp_path / "all"), notes[-1], whole=True).exit_code == 0
    for name, wanted in (("period", PERIOD), ("one", Wanted(customer=CUSTOMER))):
        assert codes(verdict(export(engine, tmp_path / name, wanted), notes[-1], whole=True)) == ["SCOPE_PART"]


def test_your_key_and_checkpoint_decide(engine: Engine, tmp_path: Path) -> None:
    _log, notes = build(engine)
    folder = export(engine, tmp_path / "b")
    other = Signer(seed=2)
    assert "PIN_SIGNATURE" in codes(verdict(folder, notes[-1], key=other.vkey))
    assert codes(verdict(folder, "no note\n")) == ["PIN_FORM"]
    said = note.parse_checkpoint(note.parse(notes[-1]).text)
    assert codes(verdict(folder, Signer().sign(250, bytes(32)))) == ["PIN_ROOT"]
    foreign = Signer(name="crm.example.cn/audit/other")
    assert "CHECKPOINT_ORIGIN" in codes(verdict(folder, foreign.sign(said.size, said.root)))


def test_a_checkpoint_within_what_is_not_shown_cannot_be_compared(engine: Engine, tmp_path: Path) -> None:
    """One that the company's log does not know: a sign by itself that something is wrong there."""
    build(engine)
    folder = export(engine, tmp_path / "b", Wanted(customer=25))
    assert codes(verdict(folder, Signer().sign(101, bytes(32)))) == ["PIN_PLACE"]


def test_what_a_purge_destroyed_stays_proved(engine: Engine, tmp_path: Path) -> None:
    _log, notes = build(engine)
    with write(engine) as conn:
        conn.execute(update(change).where(change.c.customer_id == CUSTOMER).values(salt=None))
        conn.execute(update(look).where(look.c.customer_id == CUSTOMER).values(salt=None))
    folder = export(engine, tmp_path / "b", Wanted(customer=CUSTOMER))
    assert verdict(folder, notes[-1]).exit_code == 0
    assert {json.loads(line)["content"] for line in (folder / "leaves.jsonl").read_text().splitlines()} == {None}
    assert "其中 1 处内容已销毁" in (folder / "summary.zh.md").read_text("utf-8")


def test_the_summary_is_in_plain_words(engine: Engine, tmp_path: Path) -> None:
    build(engine)
    folder = export(engine, tmp_path / "b", Wanted(customer=CUSTOMER))
    chinese = (folder / "summary.zh.md").read_text("utf-8")
    assert "第 6 条，2026-07-01 08:07:00 +08:00：李娜 查看了该客户 (customer.show)，用途 complaint" in chinese
    english = (folder / "summary.en.md").read_text("utf-8")
    assert "No. 31, 2026-07-01 08:32:00 +08:00: 李娜 listed customers, this one among them" in english


def test_nothing_signed_nothing_to_verify(engine: Engine, tmp_path: Path) -> None:
    Log(engine).shows([1])
    with pytest.raises(Refused, match="nothing of the log is signed"):
        export(engine, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_only_believed_checkpoints_leave(engine: Engine, tmp_path: Path) -> None:
    """A note that somebody put into the database spoils no export."""
    log, notes = build(engine)
    log.shows([1])
    log.signed(Signer(seed=2))
    folder = export(engine, tmp_path / "b")
    assert (folder / "checkpoints.txt").read_text().count("%%") == len(notes) - 1
    assert verdict(folder, notes[0]).exit_code == 14


def test_many_checkpoints_are_thinned_and_every_pin_still_fits(sqlite_url: str, tmp_path: Path) -> None:
    engine = open_engine(sqlite_url)
    log = Log(engine)
    notes = []
    for number in range(230):
        log.shows([number % 40 + 1])
        notes.append(log.signed())
    folder = export(engine, tmp_path / "b", Wanted(customer=CUSTOMER))
    engine.dispose()
    kept = (folder / "checkpoints.txt").read_text().split("%%\n")
    assert len(kept) <= 100 and kept[-1] == notes[-1]
    keys = [note.parse_vkey(KEY)]
    assert {verify_bundle(folder, keys, pin).exit_code for pin in notes} == {0}


def test_a_log_with_holes_is_not_exported(engine: Engine, tmp_path: Path) -> None:
    build(engine)
    with write(engine) as conn:
        conn.execute(delete(audit_entry).where(audit_entry.c.seq == 40))
    with pytest.raises(IntegrityFailed):
        export(engine, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_nobody_of_that_number(engine: Engine, tmp_path: Path) -> None:
    build(engine)
    for wanted in (Wanted(customer=999), Wanted(since=START + timedelta(days=9))):
        with pytest.raises(Refused):
            export(engine, tmp_path / "b", wanted)


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_folder(tmp_path / "b") as folder:
        folder.write("one", [b"1"])
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with new_folder(tmp_path / "b") as folder:
        folder.write("one", [b"1"])
    with pytest.raises(Refused), new_folder(tmp_path / "b"):
        pass
    with pytest.raises(StorageFailed), new_folder(tmp_path / "no" / "b"):
        pass
    assert (tmp_path / "b" / "one").read_bytes() == b"1"


def test_signatures_are_judged_as_the_library_judges_them() -> None:
    """Ours is forty lines of arithmetic: thousands of sound and damaged signatures, held against the library's."""
    import random

    from cryptography.exceptions import InvalidSignature

    dice = random.Random(8032)
    for _case in range(150):
        key = Ed25519PrivateKey.from_private_bytes(dice.randbytes(32))
        public, message = key.public_key().public_bytes_raw(), dice.randbytes(dice.randrange(90))
        signature = key.sign(message)
        for _damage in range(4):
            assert verify_audit.ed25519(public, message, signature) == _library(
                key, message, signature, InvalidSignature
            )
            at = dice.randrange(64)
            signature = signature[:at] + bytes([signature[at] ^ 1 << dice.randrange(8)]) + signature[at + 1 :]
    order = (verify_audit.L + int.from_bytes(key.sign(b"")[32:], "little")).to_bytes(33, "little")[:32]
    assert not verify_audit.ed25519(public, b"", key.sign(b"")[:32] + order), "a second signature for the same text"
    for broken in (b"", bytes(63), bytes(65)):
        assert not verify_audit.ed25519(public, b"", broken)
    assert not verify_audit.ed25519(b"\xff" * 32, b"", bytes(64))


def _library(key: Ed25519PrivateKey, message: bytes, signature: bytes, invalid: type[Exception]) -> bool:
    try:
        key.public_key().verify(signature, message)
    except invalid:
        return False
    return True


def test_the_published_vector() -> None:
    """RFC 8032 7.1, test 2."""
    public = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify_audit.ed25519(public, b"\x72", signature)
    assert not verify_audit.ed25519(public, b"\x73", signature)
