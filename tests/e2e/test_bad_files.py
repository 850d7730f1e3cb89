"""Files that cannot be imported: status 4, one line, no batch, no run, nothing left anywhere."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import oracle
import pytest
from commands import crmctl
from sqlalchemy import func, select

from crmctl.audit.tables import audit_entry
from crmctl.customers import tables
from crmctl.runs import tables as run_tables
from crmctl.sheets import tables as sheet_tables
from crmctl.store import engine

HEADER = "name,company,customer_type,mobile,email\r\n"
ROW = "张示例,,individual,13900010001,zhang@example.cn\r\n"


def encrypted(path: Path) -> None:
    """A compound file with the streams that an encrypted workbook has; nobody can read on without the password."""
    sector = 512
    head = bytearray(sector)
    head[:8] = bytes.fromhex("d0cf11e0a1b11ae1")
    struct.pack_into("<HHHHH", head, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<IIIIIIIII", head, 40, 0, 1, 1, 0, 4096, 0xFFFFFFFE, 0, 0xFFFFFFFE, 0)
    for place in range(76, sector, 4):
        struct.pack_into("<I", head, place, 0xFFFFFFFF)
    struct.pack_into("<I", head, 76, 0)
    table = struct.pack("<II", 0xFFFFFFFD, 0xFFFFFFFE) + b"\xff" * (sector - 8)
    entries = b""
    for name, kind, child in (("Root Entry", 5, 1), ("EncryptedPackage", 2, 2), ("EncryptionInfo", 2, -1)):
        text = name.encode("utf-16-le") + b"\0\0"
        entry = bytearray(128)
        entry[: len(text)] = text
        struct.pack_into(
            "<HBBiii", entry, 64, len(text), kind, 1, -1, child if kind == 2 else -1, child if kind == 5 else -1
        )
        struct.pack_into("<IQ", entry, 116, 0xFFFFFFFE, 0)
        entries += bytes(entry)
    path.write_bytes(bytes(head) + table + entries.ljust(sector, b"\0"))


def bomb(path: Path) -> None:
    """A workbook of half a megabyte that would unpack to half a gigabyte."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            block = b"<c><v>1</v></c>" * 65_536
            for _ in range(300):
                sheet.write(block)


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(content.encode()) and None


BAD: dict[str, tuple[str, Callable[[Path], None]]] = {
    "empty": ("customers.csv", text("")),
    "only a header": ("customers.csv", text(HEADER)),
    "blank lines": ("customers.csv", text("\r\n\r\n,,,,\r\n")),
    "binary": ("customers.csv", lambda path: path.write_bytes(os.urandom(4096)) and None),
    "nul bytes": ("customers.csv", text(HEADER + ROW.replace("示", "\0"))),
    "an encrypted workbook": ("customers.xlsx", encrypted),
    "a zip bomb": ("customers.xlsx", bomb),
    "no workbook at all": ("customers.xlsx", text("PK\x03\x04 and then nothing")),
    "HTML named .xls": ("customers.xls", text("<html><body><table><tr><td>name</td></tr></table></body></html>")),
    "a torn quote": ("customers.csv", text(HEADER + '"张示例,,individual,13900010001,\r\n' + ROW)),
    "a required column missing": ("customers.csv", text("mobile,email\r\n13900010001,zhang@example.cn\r\n")),
    "an unknown column": ("customers.csv", text(HEADER.replace("email", "shoe size") + ROW)),
    "two headers of one field": ("customers.csv", text(HEADER.replace("email", "mobile") + ROW)),
    "a folder": ("customers.csv", lambda path: path.mkdir()),
    "nothing there": ("customers.csv", lambda _path: None),
    "a pipe": ("customers.csv", lambda path: os.mkfifo(path)),
}


# What the line names where it is not the file as a whole.
WHERE = {
    "a required column missing": "name",
    "an unknown column": "shoe size",
    "two headers of one field": "mobile",
}


def counts(folder: Path) -> dict[str, int]:
    """Return how many rows every table of the database has that an import could touch, and what lies around."""
    everything = (
        tables.customer, tables.contact, tables.identity, sheet_tables.batch, sheet_tables.rejected_row, run_tables.run,
        run_tables.reservation, audit_entry,
    )  # fmt: skip
    with oracle.opened(folder) as run:
        with engine.read(run.engine) as conn:
            found = {
                table.name: int(conn.execute(select(func.count()).select_from(table)).scalar_one())
                for table in everything
            }
        found |= {f"keys of kind {kind}": run.keys.count(kind) for kind in ("customer", "batch")}
        found["spool"] = len(list(run.workspace.spool.iterdir()))
        found["reports"] = len(list((folder / "reports").iterdir()))
    return found


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_imported(make: Any, tmp_path: Path, case: str) -> None:
    name, write = BAD[case]
    folder, path = make("sqlite"), tmp_path / name
    write(path)
    before = counts(folder)

    done = crmctl(folder, "customer", "import", path)

    told = done.err.decode().splitlines()
    assert (done.status, done.out) == (4, b""), told
    assert told[0].startswith("crmctl: ")
    assert WHERE.get(case, name) in told[0]
    assert all(line.startswith("  → ") for line in told[1:]), told
    assert len(told) <= 2
    assert counts(folder) == before


@pytest.mark.parametrize("case", ["empty", "binary", "a torn quote", "an unknown column", "a required column missing"])
def test_the_same_on_standard_input_and_in_a_dry_run(make: Any, kind: str, tmp_path: Path, case: str) -> None:
    folder, path = make(kind), tmp_path / "customers.csv"
    BAD[case][1](path)
    before = counts(folder)

    for words, stdin in ((("-",), path.read_bytes()), ((path, "--dry-run"), None), ((path,), None)):
        done = crmctl(folder, "customer", "import", *words, "-o", "json", stdin=stdin)
        assert (done.status, done.failure["exit_code"], done.out) == (4, 4, b""), done.err
        assert done.failure["message"]
        assert done.failure["code"] not in ("INPUT_INVALID", "REFUSED")
    assert counts(folder) == before


def test_a_thousand_and_one_troubles_are_not_refused_whole(make: Any, tmp_path: Path) -> None:
    """The control: a file whose rows are wrong is no bad file. Its good row comes in, the others wait in quarantine."""
    folder, path = make("sqlite"), tmp_path / "customers.csv"
    path.write_text(HEADER + ROW + ROW.replace("13900010001", "nonsense") * 3, "utf-8")

    done = crmctl(folder, "customer", "import", path, "-o", "json")

    assert (done.status, done.document["created"], done.document["rejected"]) == (3, 1, 3)
