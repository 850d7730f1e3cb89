"""Reads a workbook in a process of its own, with little memory and no rights it does not need. Run by path.

Frames on both pipes: 4 bytes of length (big-endian), then JSON, or for the first frame in the workbook itself. Asked
{"preview": i} and {"rows": i}, it answers with blocks of records [[cell, …], …] and then {"end": true}; in the end
or when something is wrong {"error": code}. Values become text here: what a person would read in the cell.
"""

from __future__ import annotations

import ctypes
import io
import os
import re
import resource
import signal
import struct
import sys
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO

import orjson
from python_calamine import CalamineWorkbook, load_workbook

PREVIEW = 14
BLOCK = 500
MEMORY = 1536 << 20
SECONDS = 600
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_EXACT = 10**15  # beyond, a spreadsheet has lost digits
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")  # how OOXML writes control characters
_length = struct.Struct(">I")


def confine(parent: int) -> None:
    """Die with the parent; no core dump, no files written, bounded memory and time."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_DUMPABLE, 0)
    if os.getppid() != parent:
        os._exit(1)
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_AS, MEMORY),
    ):
        highest = resource.getrlimit(limit)[1]
        most = most if highest == resource.RLIM_INFINITY else min(most, highest)
        resource.setrlimit(limit, (most, most))


def receive(stream: BinaryIO) -> bytes:
    """Return the next frame; b"" at the end."""
    head = stream.read(_length.size)
    return stream.read(_length.unpack(head)[0]) if len(head) == _length.size else b""


def send(stream: BinaryIO, answer: Any) -> None:
    """Write one frame."""
    data = orjson.dumps(answer)
    stream.write(_length.pack(len(data)) + data)


def text(value: object) -> str:
    """Return what a person reads in a cell: whole numbers without .0, days and times in ISO form."""
    if isinstance(value, str):
        return _ESCAPED.sub(lambda m: chr(int(m.group(1), 16)), value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        if abs(value) >= _EXACT:
            return f"{value:.14E}"
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return "" if value is None else str(value)


def answer_rows(workbook: CalamineWorkbook, index: int, most: int, cells: int, out: BinaryIO) -> None:
    """Send the first `most` records (0: all) of a sheet, or the error that it has more than `cells` cells."""
    sheet = workbook.get_sheet_by_index(index)
    last_row, last_column = sheet.end or (0, 0)
    if (last_row + 1) * (last_column + 1) > cells:
        send(out, {"error": "cells"})
        return
    left = [""] * (sheet.start[1] if sheet.start else 0)
    block: list[Any] = []
    for number, values in enumerate(sheet.iter_rows(), start=1):
        if most and number > most:
            break
        block.append(left + [text(value) for value in values])
        if len(block) == BLOCK:
            send(out, block)
            out.flush()
            block = []
    if block:
        send(out, block)
    send(out, {"end": True})


def serve(source: BinaryIO, out: BinaryIO) -> None:
    """Answer questions about the workbook in the first frame until there are no more."""
    try:
        cells = orjson.loads(receive(source))["cells"]
        workbook = load_workbook(io.BytesIO(receive(source)))
        visible = [not str(meta.visible).endswith("Hidden") for meta in workbook.sheets_metadata]
        send(out, {"sheets": workbook.sheet_names, "visible": visible})
        out.flush()
        while question := receive(source):
            asked = orjson.loads(question)
            if "preview" in asked:
                answer_rows(workbook, asked["preview"], PREVIEW, cells, out)
            else:
                answer_rows(workbook, asked["rows"], 0, cells, out)
            out.flush()
    except BrokenPipeError:
        os._exit(1)
    except MemoryError:
        send(out, {"error": "memory"})
    except Exception as error:  # whatever a parser makes of a strange file
        code = "password" if type(error).__name__ == "PasswordError" or "assword" in str(error) else "broken"
        send(out, {"error": code})
    out.flush()


if __name__ == "__main__":
    confine(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
