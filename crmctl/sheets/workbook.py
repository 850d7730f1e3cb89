"""Workbooks (XLSX, XLSB, XLS, ODS), read by a Rust parser in a confined process; see `workbookchild`.

The bytes go to it through a pipe, never through a file in the clear; records come back in blocks. Formulas give the
values last computed; macros, links and embedded objects are never looked at.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets.headerindex import HeaderIndex
from crmctl.sheets.headerrow import HeaderRow, Record, find_header
from crmctl.sheets.policy import FileLimits

_CHILD = Path(__file__).with_name("workbookchild.py")
_length = struct.Struct(">I")
_ENOUGH = 2


class Workbook:
    """A workbook open in its child process. Use as a context manager; the child is gone afterwards."""

    def __init__(self, handle: BinaryIO, size: int, limits: FileLimits, name: str) -> None:
        self.name = name
        self.limits = limits
        if size > limits.workbook_bytes:
            raise self._too_large()
        self.child = subprocess.Popen(
            [sys.executable, "-I", str(_CHILD), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ},
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        try:
            self._send_workbook(handle, size)
            answer = self._receive()
            self.sheets: list[str] = answer["sheets"]
            self.visible: list[bool] = answer["visible"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child, whatever it is doing."""
        self.child.kill()
        for pipe in (self.child.stdin, self.child.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()
        self.child.wait()

    def preview(self, sheet: int) -> list[Record]:
        """Return the first records of a sheet, with their numbers."""
        self._ask({"preview": sheet})
        return list(enumerate((cells for block in self._blocks() for cells in block), start=1))

    def blocks(self, sheet: int) -> Iterator[list[list[str]]]:
        """Yield all records of a sheet in blocks, blank ones too: cells as text."""
        self._ask({"rows": sheet})
        yield from self._blocks()

    def _send_workbook(self, handle: BinaryIO, size: int) -> None:
        handle.seek(0)
        self._ask({"cells": self.limits.workbook_cells})
        self._write(_length.pack(size))
        while block := handle.read(1 << 20):
            self._write(block)

    def _ask(self, question: dict[str, int]) -> None:
        data = orjson.dumps(question)
        self._write(_length.pack(len(data)) + data)

    def _write(self, data: bytes) -> None:
        assert self.child.stdin is not None
        try:
            self.child.stdin.write(data)
            self.child.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None

    def _blocks(self) -> Iterator[list[list[str]]]:
        while True:
            answer = self._receive()
            if isinstance(answer, dict):
                return
            yield answer

    def _receive(self) -> Any:  # noqa: ANN401 - JSON
        assert self.child.stdout is not None
        head = self.child.stdout.read(_length.size)
        data = self.child.stdout.read(_length.unpack(head)[0]) if len(head) == _length.size else b""
        if not data:
            raise self._died()
        answer = orjson.loads(data)
        if isinstance(answer, dict) and "error" in answer:
            raise self._refused(answer["error"])
        return answer

    def _refused(self, code: str) -> InvalidInput:
        if code == "password":
            return InvalidInput(
                _("{name}: the workbook is protected with a password").format(name=self.name),
                hint=_("open it, take the password off (File → Info → Protect), save it, and import it again"),
                code="WORKBOOK_ENCRYPTED",
            )
        if code in ("cells", "memory"):
            return self._too_large()
        return InvalidInput(
            _("{name}: the workbook is damaged").format(name=self.name),
            hint=_("open it in Excel or WPS, save it again, or save the table as CSV"),
            code="WORKBOOK_BROKEN",
        )

    def _died(self) -> InvalidInput:
        self.child.kill()
        return self._too_large() if self.child.wait() < 0 else self._refused("broken")

    def _too_large(self) -> InvalidInput:
        return InvalidInput(
            _("{name}: the workbook is too large").format(name=self.name),
            hint=_("save the table as CSV, which has no such limit"),
            code="WORKBOOK_TOO_LARGE",
        )


def find_sheet(
    book: Workbook, wanted: str | None, index: HeaderIndex, chosen: frozenset[str]
) -> tuple[int, HeaderRow | None]:
    """Return the sheet to read and its header: the one asked for by name or number, else the first with known headers.

    Raises InvalidInput when there is no such sheet.
    """
    if wanted is not None:
        sheet = _asked(book, wanted)
        return sheet, find_header(_filled(book.preview(sheet)), index, chosen)
    first: tuple[int, HeaderRow | None] | None = None
    for sheet, visible in enumerate(book.visible):
        if not visible:
            continue
        header = find_header(_filled(book.preview(sheet)), index, chosen)
        if header and header.known >= _ENOUGH and header.known * 2 >= sum(bool(cell.strip()) for cell in header.cells):
            return sheet, header
        if header and first is None:
            first = sheet, header
    return first or (0, None)


def _filled(records: Sequence[Record]) -> list[Record]:
    return [(number, cells) for number, cells in records if any(cell.strip() for cell in cells)]


def _asked(book: Workbook, wanted: str) -> int:
    if wanted in book.sheets:
        return book.sheets.index(wanted)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(book.sheets):
        return int(wanted) - 1
    raise InvalidInput(
        _("{name}: there is no sheet {sheet}").format(name=book.name, sheet=wanted),
        hint=_("its sheets are: {sheets}").format(
            sheets=", ".join(f"{number} {sheet}" for number, sheet in enumerate(book.sheets, start=1))
        ),
        code="SHEET_UNKNOWN",
    )
