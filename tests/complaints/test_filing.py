"""`complaint file`: what is kept with a complaint leaves as a logged, registered, owner-only copy (CMP-12, DES-07)."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path

import pytest
from casework import AUDITOR, HANDLER, SECOND, SUPERVISOR, Office

CONTENT = bytes(range(256)) * 40 + "投诉信".encode()


@pytest.fixture
def kept(office: Office) -> str:
    """A complaint with a file."""
    number = office.open()
    path = office.desk.folder.parent / "letter.bin"
    path.write_bytes(CONTENT)
    office.step(number, "attach", path)
    return number


def out_of(office: Office, name: str = "out.bin") -> Path:
    """Return a path beside the workspace."""
    return office.desk.folder.parent / name


def test_the_same_bytes_come_out_registered_and_owner_only(office: Office, kept: str) -> None:
    out = out_of(office)
    told = office.json(HANDLER, "complaint", "file", kept, 1, "--out", out)
    assert out.read_bytes() == CONTENT
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert (told["number"], told["file"], told["bytes"]) == (kept, 1, len(CONTENT))
    digest = hashlib.sha256(CONTENT).hexdigest()
    (copy,) = office.json(SUPERVISOR, "use", "copies")["copies"]
    assert (copy["kind"], copy["sha256"], copy["rows"]) == ("complaint file", digest, 1)
    begun, done = office.desk.entries("complaint.reveal")[-2:]
    assert (begun["fields"], begun["ticket"]) == (["file"], kept)
    assert (done["obj"], done["source"]) == (f"copy:{copy['copy']}", digest)


def test_a_file_there_is_not_and_a_name_that_is_taken(office: Office, kept: str) -> None:
    other, taken = office.open("C-2"), out_of(office, "taken")
    taken.write_text("mine")
    assert (
        office.desk.refusal(HANDLER, "complaint", "file", kept, 7, "--out", out_of(office), status=1) == "FILE_UNKNOWN"
    )
    assert (
        office.desk.refusal(HANDLER, "complaint", "file", other, 1, "--out", out_of(office), status=1) == "FILE_UNKNOWN"
    )
    assert office.desk.refusal(HANDLER, "complaint", "file", kept, 1, "--out", taken, status=1) == "FILE_EXISTS"
    assert taken.read_text() == "mine" and not out_of(office).exists()
    assert office.json(SUPERVISOR, "use", "copies")["copies"] == []


def test_who_may_not_and_a_closed_one_without_purpose(office: Office, kept: str) -> None:
    out = out_of(office)
    assert office.desk.refusal(AUDITOR, "complaint", "file", kept, 1, "--out", out) == "ACT_NOT_GRANTED"
    office.through(kept)
    assert office.desk.refusal(SECOND, "complaint", "file", kept, 1, "--out", out, status=4) == "PURPOSE_MISSING"
    assert not out.exists()
    told = office.json(
        SECOND, "complaint", "file", kept, 1, "--out", out, "--purpose", "complaint", "--ticket", "CRM-4711"
    )
    assert told["bytes"] == len(CONTENT)


def test_nothing_leaves_unlogged(office: Office, kept: str) -> None:
    out = out_of(office)
    with office.desk.broken_log():
        assert office.desk.say(HANDLER, "complaint", "file", kept, 1, "--out", out).exit_code != 0
    assert not out.exists()
