"""The bytes of an exported file, row by row in flat memory: CSV, XLSX, NDJSON or JSON, hashed as they are written."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from crmctl.customers.cells import Cells
from crmctl.errors import Refused
from crmctl.i18n import _
from crmctl.sheets.formats.texts import inert

Values = Mapping[str, Any]
Put = Callable[[Values, Values, Values], None]
SCHEMA = "crmctl/customer-export/1"
_MAX_ROWS = 1_048_576
_MAX_CELL = 32_767


class Digesting:
    """A stream that only goes forward, and the hash and size of what went through it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        """Write bytes."""
        self._digest.update(data)
        self.size += len(data)
        return self._stream.write(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._stream.flush()

    def hexdigest(self) -> str:
        """Return the SHA-256 of everything written so far."""
        return self._digest.hexdigest()


@contextmanager
def writer(form: str, to: Digesting, cells: Cells, folder: Path, run_id: int | None) -> Iterator[Put]:
    """Yield the function that writes one row: clear values, sealed ones, contact person. The end is written after it.

    The rows of a workbook wait in `folder`, the workspace's own, until it is whole.
    """
    forms = {"csv": _csv, "xlsx": _xlsx, "ndjson": _ndjson, "json": _json}
    with forms[form](to, cells, folder, run_id) as put:
        yield put


@contextmanager
def _csv(to: Digesting, cells: Cells, _folder: Path, _run_id: int | None) -> Iterator[Put]:
    buffer = io.StringIO()
    lines = csv.writer(buffer, lineterminator="\r\n")

    def send(row: list[str]) -> None:
        lines.writerow([inert(cell) for cell in row])
        to.write(buffer.getvalue().encode("utf-8"))
        buffer.seek(0)
        buffer.truncate()

    to.write("\ufeff".encode())
    send(cells.headings())
    yield lambda clear, personal, person: send(cells.line(clear, personal, person))


@contextmanager
def _ndjson(to: Digesting, cells: Cells, _folder: Path, _run_id: int | None) -> Iterator[Put]:
    def put(clear: Values, personal: Values, person: Values) -> None:
        to.write(json.dumps(cells.record(clear, personal, person)).encode("ascii") + b"\n")

    yield put


@contextmanager
def _json(to: Digesting, cells: Cells, _folder: Path, run_id: int | None) -> Iterator[Put]:
    first = True

    def put(clear: Values, personal: Values, person: Values) -> None:
        nonlocal first
        to.write(b"\n  " if first else b",\n  ")
        first = False
        to.write(json.dumps(cells.record(clear, personal, person)).encode("ascii"))

    head = json.dumps({"schema": SCHEMA, "run_id": run_id})[:-1]
    to.write(f'{head}, "customers": ['.encode("ascii"))
    yield put
    to.write(b"\n]}\n")


@contextmanager
def _xlsx(to: Digesting, cells: Cells, folder: Path, _run_id: int | None) -> Iterator[Put]:
    """Write a workbook of texts: nothing is rounded, nothing is run; XlsxWriter keeps its rows in files meanwhile."""
    import xlsxwriter

    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder) as waiting:
        options = {
            "constant_memory": True, "tmpdir": waiting, "strings_to_formulas": False, "strings_to_urls": False,
            "strings_to_numbers": False,
        }  # fmt: skip
        book = xlsxwriter.Workbook(to, options)
        page = book.add_worksheet()
        bold, quoted = book.add_format({"bold": True}), book.add_format({"quote_prefix": True})
        page.freeze_panes(1, 0)
        for place, heading in enumerate(cells.headings()):
            page.write_string(0, place, heading, bold)
        line = 0

        def put(clear: Values, personal: Values, person: Values) -> None:
            nonlocal line
            line += 1
            if line >= _MAX_ROWS:
                raise Refused(_("a workbook holds 1,048,576 rows"), hint=_("use -o csv"), code="SHEET_FULL")
            for place, text in enumerate(cells.line(clear, personal, person)):
                if len(text) > _MAX_CELL:
                    raise Refused(
                        _("a workbook's cell holds 32,767 characters"), hint=_("use -o csv"), code="SHEET_FULL"
                    )
                if text:
                    page.write_string(line, place, text, quoted if inert(text) != text else None)

        yield put
        book.close()
