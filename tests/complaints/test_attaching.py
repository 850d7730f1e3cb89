"""Supporting material: kept sealed, within the policy's size and number, given back as it was (CMP-12, INF-08)."""

from __future__ import annotations

from pathlib import Path

import pytest
from casework import HANDLER, Office
from sqlalchemy import select

from crmctl.complaints.tables import complaint_file

LETTER = "投诉信：漏水照片三张".encode() * 20


def written(office: Office, content: bytes, name: str = "赵铁柱的信.pdf") -> Path:
    """Write a file to attach."""
    path = office.desk.folder.parent / name
    path.write_bytes(content)
    return path


def test_kept_sealed_and_given_back_as_it_was(office: Office) -> None:
    number = office.open()
    path = written(office, LETTER)
    office.step(number, "attach", path, "--text", office.text("客户来信"))
    (event,) = office.events(number)[1:]
    assert (event["kind"], event["data"]) == ("attached", f'{{"file":1,"size":{len(LETTER)}}}')
    (row,) = office.desk.rows(select(complaint_file))
    assert (row["size"], row["person"]) == (len(LETTER), "hu.y")
    for part in (LETTER[:30], "赵铁柱".encode()):
        assert part not in bytes(row["sealed"])
        assert not [body for body in office.desk.log() if part in body]
    shown = office.json(HANDLER, "complaint", "show", number)
    assert shown["files"] == [{"file": 1, "bytes": len(LETTER)}]
    out = office.desk.folder.parent / "back.pdf"
    office.json(HANDLER, "complaint", "file", number, 1, "--out", out)
    assert out.read_bytes() == LETTER
    assert out.stat().st_mode & 0o077 == 0
    assert office.desk.refusal(HANDLER, "complaint", "file", number, 2, "--out", f"{out}2", status=1) == "FILE_UNKNOWN"
    office.sound()


@pytest.mark.parametrize(("size", "code"), [(1_000_000, ""), (1_000_001, "FILE_TOO_LARGE"), (0, "FILE_EMPTY")])
def test_its_size_is_bounded(office: Office, size: int, code: str) -> None:
    for name in ("complaints", "complaints.wecom", "complaints.handbook", "complaints.regulator"):
        office.desk.edit(f"{name}.yaml", "max_megabytes: 10,", "max_megabytes: 1,")
    number = office.open()
    path = written(office, b"x" * size)
    if code:
        assert office.step(number, "attach", path, status=4)["code"] == code
        assert office.desk.rows(select(complaint_file)) == []
    else:
        office.step(number, "attach", path)


def test_another_policy_allows_more_than_this_one(office: Office) -> None:
    """The limit is that of the complaint's own policy, not the largest there is."""
    office.desk.edit("complaints.yaml", "max_megabytes: 10,", "max_megabytes: 1,")
    number = office.open()
    assert office.refused(number, "attach", str(written(office, b"x" * 1_000_001)), status=4) == "FILE_TOO_LARGE"


def test_their_number_is_bounded_also_after_closing(office: Office) -> None:
    office.desk.edit("complaints.yaml", "max_files: 50", "max_files: 2")
    number = office.open()
    path = written(office, LETTER)
    office.step(number, "attach", path)
    office.through(number)
    office.step(number, "attach", path)
    assert office.refused(number, "attach", str(path), status=4) == "FILES_TOO_MANY"
    assert office.row(number)["status"] == "closed"


def test_a_policy_may_want_it_before_closing(office: Office) -> None:
    """CMP-13."""
    office.desk.edit("complaints.yaml", "  closing:\n", "  closing:\n    - {what: attached}\n")
    number = office.open()
    office.through(number, "revisit")
    assert office.step(number, "close", status=1)["details"]["missing"] == ["attached"]
    office.step(number, "attach", written(office, LETTER))
    assert office.step(number, "close")["status"] == "closed"
