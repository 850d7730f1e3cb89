"""What a file is, by its first bytes, and what makes a workbook unfit before it is parsed (security.md A6, A7)."""

from __future__ import annotations

import re
import struct
import zipfile
from pathlib import PurePosixPath
from typing import BinaryIO

from crmctl.errors import InvalidInput
from crmctl.i18n import _

MOST_ENTRIES = 1_000
MOST_BYTES = 200 << 20  # of one entry, unpacked
MOST_BYTES_IN_ALL = 500 << 20
MOST_RATIO = 200
_RATIO_FREE = 1 << 20  # small entries may be as uniform as they like
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_END = b"PK\x05\x06"
_END_RECORD = struct.Struct("<4s4H2LH")
_MARKUP = re.compile(rb"<(?:!doctype|html|head|body|table|\?xml|meta|style|script|mime)", re.IGNORECASE)
_BINARIES = (
    b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"7z\xbc\xaf", b"Rar!", b"\x1f\x8b", b"SQLite format 3", b"\x7fELF",
    b"PAR1", b"MZ\x90", b"BM6", b"BZh", b"\xfd7zXZ", b"Obj\x01",
)  # fmt: skip
_CONTROL = re.compile(rb"[\x01-\x08\x0e-\x19\x1b-\x1f\x7f]")


def kind_of(handle: BinaryIO, size: int, name: str, *, wide: bool = False) -> str:
    """Return csv, xlsx, xlsb, ods or xls; `wide` says that text may be UTF-16.

    Raises InvalidInput for everything else, saying what it is.
    """
    handle.seek(0)
    start = handle.read(8192)
    if not start.strip(b" \t\r\n\0\xef\xbb\xbf\xff\xfe") and size <= len(start):
        raise InvalidInput(
            _("{name}: the file is empty").format(name=name), hint=_("check the export"), code="FILE_EMPTY"
        )
    if start.startswith((b"PK\x03\x04", _END)):
        return _zip_kind(handle, size, name)
    if start.startswith(_OLE):
        return _ole_kind(handle, name)
    text = start.replace(b"\0", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _MARKUP.match(text) or text[:13].lower() == b"mime-version:":
        raise InvalidInput(
            _("{name}: is a web page, whatever its name says").format(name=name),
            hint=_("open it in Excel or WPS and save it as .xlsx"),
            code="FILE_HTML",
        )
    if start.startswith(_BINARIES) or (not wide and len(_CONTROL.findall(start)) > max(8, len(start) // 32)):
        raise _unfit(name, "FILE_BINARY", _("{name}: is neither CSV text nor a workbook"))
    if re.match(rb"(?:\{\s*[\"}]|\[\s*[\[{\"])", text):
        raise _unfit(name, "FILE_JSON", _("{name}: looks like JSON"))
    return "csv"


def _unfit(name: str, code: str, message: str, hint: str = "") -> InvalidInput:
    return InvalidInput(
        message.format(name=name), hint=hint or _("save the table as CSV (UTF-8) or as .xlsx"), code=code
    )


def _zip_kind(handle: BinaryIO, size: int, name: str) -> str:
    """Return the kind of a zipped workbook, its central directory checked before anything is unpacked."""
    if _declared_entries(handle, size) > MOST_ENTRIES:
        raise _bomb(name)
    try:
        with zipfile.ZipFile(handle) as archive:
            entries = archive.infolist()
            names = {entry.filename for entry in entries}
            _check_entries(entries, name)
            if "META-INF/manifest.xml" in names and "content.xml" in names:
                with archive.open("META-INF/manifest.xml") as manifest:
                    if b"encryption-data" in manifest.read(1 << 20):
                        raise _encrypted(name)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError, ValueError) as error:
        raise _unfit(name, "WORKBOOK_BROKEN", _("{name}: the workbook is damaged")) from error
    for kind, marker in (("xlsx", "xl/workbook.xml"), ("xlsb", "xl/workbook.bin"), ("ods", "content.xml")):
        if marker in {entry.lower() for entry in names}:
            return kind
    raise _unfit(name, "FILE_ARCHIVE", _("{name}: is a zip archive, no workbook"), _("unpack it first"))


def _declared_entries(handle: BinaryIO, size: int) -> int:
    """Return how many entries the end of the archive declares: read by hand, so that a million cost nothing."""
    handle.seek(max(0, size - 65_557))
    tail = handle.read(65_557)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_RECORD.size:
        return 0
    return int(_END_RECORD.unpack_from(tail, at)[4])  # 0xFFFF (zip64) is more than any workbook has


def _check_entries(entries: list[zipfile.ZipInfo], name: str) -> None:
    if sum(entry.file_size for entry in entries) > MOST_BYTES_IN_ALL:
        raise _bomb(name)
    for entry in entries:
        path = PurePosixPath(entry.filename.replace("\\", "/"))
        if entry.flag_bits & 0x1:
            raise _encrypted(name)
        if path.is_absolute() or ".." in path.parts:
            raise _unfit(name, "WORKBOOK_BROKEN", _("{name}: the workbook holds paths outside itself"))
        if entry.file_size > MOST_BYTES:
            raise _bomb(name)
        if entry.file_size > _RATIO_FREE and entry.file_size > MOST_RATIO * max(1, entry.compress_size):
            raise _bomb(name)


def _ole_kind(handle: BinaryIO, name: str) -> str:
    """Return xls. An encrypted .xlsx is such a file too: its streams are named in the directory, in UTF-16."""
    marks = {mark: mark.encode("utf-16-le") for mark in ("EncryptedPackage", "Workbook", "Book", "WordDocument")}
    found: set[str] = set()
    handle.seek(0)
    before = b""
    while block := handle.read(1 << 20):
        window = before + block
        found |= {mark for mark, sought in marks.items() if sought in window}
        before = block[-64:]
    if "EncryptedPackage" in found:
        raise _encrypted(name)
    if found & {"Workbook", "Book"}:
        return "xls"
    raise _unfit(name, "FILE_BINARY", _("{name}: is neither CSV text nor a workbook"))


def _encrypted(name: str) -> InvalidInput:
    return InvalidInput(
        _("{name}: the workbook is protected with a password").format(name=name),
        hint=_("open it, take the password off (File → Info → Protect), save it, and import it again"),
        code="WORKBOOK_ENCRYPTED",
    )


def _bomb(name: str) -> InvalidInput:
    return InvalidInput(
        _("{name}: the workbook unpacks to more than it should").format(name=name),
        hint=_("save the table as CSV"),
        code="WORKBOOK_BOMB",
    )
