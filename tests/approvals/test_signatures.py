"""Signed decisions, by a real ssh-keygen: whose, over what, for what; and rows made in the database alone (A20)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from office import HASH, Office
from sqlalchemy import insert, select, update

from crmctl import clock
from crmctl.approvals.tables import approval, approval_decision
from crmctl.errors import CrmctlError
from crmctl.store.engine import write

LI, WANG, ZHAO, HE = 1001, 1002, 1003, 1005
SIGNED = "by: [supervisor], assurance: signed"

pytestmark = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="no ssh-keygen on this machine")


class Ring:
    """People's SSH keys, and the file of those whose signatures count."""

    def __init__(self, folder: Path, workspace: Path) -> None:
        self.folder = folder
        self.signers = workspace / "policies" / "allowed_signers"
        for name in ("wang.j", "zhao.m", "chen.b", "stranger"):
            words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(folder / name)]
            subprocess.run(words, check=True)
        self.allow("wang.j", "zhao.m", "chen.b")

    def allow(self, *people: str) -> None:
        """Write the file: these people, each with their own key."""
        lines = [f"{name} {(self.folder / f'{name}.pub').read_text()}" for name in people]
        self.signers.write_text("".join(lines))
        self.signers.chmod(0o600)

    def sign(self, name: str, statement: str, namespace: str = "crmctl-approval") -> Path:
        """Sign a text with a person's key; return the signature's file."""
        text = self.folder / "statement"
        signature = self.folder / "statement.sig"
        signature.unlink(missing_ok=True)
        text.write_text(statement)
        key = str(self.folder / name)
        subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", namespace, "-f", key, str(text)], check=True)
        return signature.rename(self.folder / f"{name}-{namespace}-{hash(statement)}.sig")


@pytest.fixture
def ring(office: Office, tmp_path: Path) -> Ring:
    """Keys, and access.yaml that wants a signature of a supervisor."""
    folder = tmp_path / "keys"
    folder.mkdir()
    office.access(rule=SIGNED, signers="policies/allowed_signers")
    return Ring(folder, office.folder)


def said(office: Office, uid: int, number: int, *words: str) -> str:
    """Return the statement as a file would have it."""
    done = office.say(uid, "approval", "statement", number, *words)
    assert done.exit_code == 0, done.stderr
    return str(done.stdout)


def test_a_signature_approves(office: Office, ring: Ring) -> None:
    office.ask()
    statement = said(office, WANG, 1)
    assert statement.startswith('crmctl-approval-v1\n{"act":"tier.regrade","approval":1,"decision":"approve",')
    assert HASH in statement
    done = office.approve(WANG, 1, "--signature", ring.sign("wang.j", statement))
    assert (done["state"], done["assurance"]) == ("approved", "signed")
    (made,) = office.json(LI, "approval", "show", 1)["decisions"]
    assert made["statement"] == statement
    assert made["signers_hash"] == subprocess.run(
        ["sha256sum", str(ring.signers)], capture_output=True, text=True, check=True
    ).stdout[:64]  # fmt: skip
    assert office.use() == 1


def test_what_is_shown_verifies_with_openssh_alone(office: Office, ring: Ring, tmp_path: Path) -> None:
    office.ask()
    office.approve(WANG, 1, "--signature", ring.sign("wang.j", said(office, WANG, 1)))
    (made,) = office.json(LI, "approval", "show", 1)["decisions"]
    signature = tmp_path / "shown.sig"
    signature.write_text(made["signature"])
    words = ["ssh-keygen", "-Y", "verify", "-f", str(ring.signers), "-I", "wang.j", "-n", "crmctl-approval", "-s"]
    done = subprocess.run([*words, str(signature)], input=made["statement"].encode(), capture_output=True)
    assert done.returncode == 0, done.stderr


def test_without_a_signature_it_is_not_sure_enough(office: Office, ring: Ring) -> None:
    office.ask()
    assert office.refusal(WANG, 1) == "ASSURANCE_TOO_WEAK"
    assert office.state(1) == "open"


def test_a_signature_of_somebody_else_or_for_something_else(office: Office, ring: Ring) -> None:
    office.ask()
    office.ask(LI, "plan:13")
    mine = said(office, WANG, 1)
    forged = {
        "another key": ring.sign("zhao.m", mine),
        "a key of nobody": ring.sign("stranger", mine),
        "another namespace": ring.sign("wang.j", mine, "file"),
        "another approval": ring.sign("wang.j", said(office, WANG, 2)),
        "another decision": ring.sign("wang.j", said(office, WANG, 1, "--decision", "reject")),
        "another person's statement": ring.sign("wang.j", said(office, ZHAO, 1)),
        "another plan": ring.sign("wang.j", mine.replace(HASH, "b" * 64)),
        "more records": ring.sign("wang.j", mine.replace('"rows":3', '"rows":4')),
        "a later end": ring.sign("wang.j", mine.replace('"expires_at":"2', '"expires_at":"3')),
        "a newline less": ring.sign("wang.j", mine.rstrip("\n")),
    }
    refused = {why: office.refusal(WANG, 1, "--signature", file) for why, file in forged.items()}
    assert refused == dict.fromkeys(forged, "SIGNATURE_REFUSED")
    assert office.rows(select(approval_decision)) == []
    assert [entry["result"] for entry in office.entries("approval.approve")] == ["denied"] * len(forged)
    assert office.approve(WANG, 1, "--signature", ring.sign("wang.j", mine))["state"] == "approved"


def test_a_signature_is_not_used_again_for_the_next_request(office: Office, ring: Ring) -> None:
    """The same plan asked for again is another approval: the old signature says nothing of it."""
    office.ask()
    signature = ring.sign("wang.j", said(office, WANG, 1))
    office.approve(WANG, 1, "--signature", signature)
    office.use()
    assert office.ask() == 2
    assert office.refusal(WANG, 2, "--signature", signature) == "SIGNATURE_REFUSED"


def test_somebody_without_an_account_signs_and_another_hands_it_in(office: Office, ring: Ring) -> None:
    office.ask()
    statement = said(office, HE, 1, "--by", "chen.b")
    done = office.approve(HE, 1, "--by", "chen.b", "--signature", ring.sign("chen.b", statement))
    assert (done["person"], done["assurance"], done["state"]) == ("chen.b", "signed", "approved")
    assert office.use() == 1


def test_a_key_taken_off_the_list_does_not_count_any_more(office: Office, ring: Ring) -> None:
    office.ask()
    office.approve(WANG, 1, "--signature", ring.sign("wang.j", said(office, WANG, 1)))
    ring.allow("zhao.m")
    with pytest.raises(CrmctlError) as refused:
        office.use()
    assert (refused.value.exit_code, refused.value.code) == (6, "APPROVAL_MISSING")


def test_the_database_alone_forges_no_approval(office: Office, ring: Ring) -> None:
    office.ask()
    signature = ring.sign("stranger", said(office, WANG, 1)).read_text()
    with write(office.engine) as conn:
        told = {
            "approval_id": 1, "decision_id": 1, "decision": "approve", "person": "wang.j", "assurance": "signed",
            "entered_by": "wang.j", "run_id": 1, "signature": signature, "statement": "x", "decided_at": clock.now(),
        }  # fmt: skip
        conn.execute(insert(approval_decision).values(**told))
        conn.execute(update(approval).values(state="approved", assurance="recorded"))
    with pytest.raises(CrmctlError) as refused:
        office.use()
    assert (refused.value.exit_code, refused.value.code) == (6, "APPROVAL_MISSING")


def test_a_signed_statement_is_of_its_row(office: Office, ring: Ring) -> None:
    """What was signed names the hash: a row moved to another plan afterwards takes no signature along."""
    office.ask()
    office.approve(WANG, 1, "--signature", ring.sign("wang.j", said(office, WANG, 1)))
    with write(office.engine) as conn:
        conn.execute(update(approval).values(subject_hash="b" * 64))
    with pytest.raises(CrmctlError) as refused:
        office.use(subject_hash="b" * 64)
    assert refused.value.code == "APPROVAL_MISSING"


def test_signers_that_others_may_change_are_not_believed(office: Office, ring: Ring) -> None:
    office.ask()
    signature = ring.sign("wang.j", said(office, WANG, 1))
    ring.signers.chmod(0o666)
    assert office.refusal(WANG, 1, "--signature", signature) == "SIGNERS_NOT_OURS"
    ring.signers.unlink()
    assert office.refusal(WANG, 1, "--signature", signature, status=4) == "FILE_UNREADABLE"


def test_what_is_no_signature(office: Office, ring: Ring, tmp_path: Path) -> None:
    office.ask()
    junk = tmp_path / "junk"
    junk.write_bytes(b"\x00\xff approve")
    assert office.refusal(WANG, 1, "--signature", junk, status=4) == "SIGNATURE_INVALID"
    junk.write_text("-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n")
    assert office.refusal(WANG, 1, "--signature", junk) == "SIGNATURE_REFUSED"
