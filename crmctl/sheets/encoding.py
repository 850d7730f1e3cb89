"""The encoding of a text file: byte-order mark, then strict UTF-8, then GB18030. Told, never guessed silently."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from crmctl.errors import InvalidInput
from crmctl.i18n import _

BLOCK = 1 << 20
# Longest first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = ("utf-16", "utf-32")
_ALIASES = {"gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "ansi": "gb18030", "unicode": "utf-16"}


class Encoding(NamedTuple):
    """A file's encoding: codec, bytes of its mark, and how it was found: mark, utf-8, gb18030 or option."""

    codec: str
    skip: int
    how: str


class Bytes(NamedTuple):
    """What one pass over the bytes tells: digest, size, where strict UTF-8 ends, the first NUL, a line without end."""

    sha256: str
    size: int
    not_utf8: int | None
    nul: int | None
    endless: bool
    ascii: bool


def weigh(handle: BinaryIO, longest_line: int) -> Bytes:
    """Read the whole file once, in flat memory; `longest_line` is in bytes, an approximate guard."""
    digest, size, nul, bad, endless, ascii_only = hashlib.sha256(), 0, None, None, False, True
    decoder = codecs.getincrementaldecoder("utf-8")()
    unbroken = 0
    for block in _blocks(handle):
        digest.update(block)
        if nul is None and (found := block.find(b"\0")) >= 0:
            nul = size + found
        if bad is None:
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                bad = size - pending + error.start
        ascii_only = ascii_only and block.isascii()
        if b"\n" in block or b"\r" in block:
            unbroken = len(block) - 1 - max(block.rfind(b"\n"), block.rfind(b"\r"))
        else:
            unbroken += len(block)
        endless = endless or unbroken > longest_line
        size += len(block)
    if bad is None and decoder.getstate()[0]:
        bad = size - len(decoder.getstate()[0])
    return Bytes(digest.hexdigest(), size, bad, nul, endless, ascii_only)


def _blocks(handle: BinaryIO) -> Iterator[bytes]:
    handle.seek(0)
    while block := handle.read(BLOCK):
        yield block


def find_encoding(handle: BinaryIO, weight: Bytes, wanted: str | None, name: str) -> Encoding:
    """Return the file's encoding. Raises InvalidInput when it is none, mixes two, or holds NUL bytes."""
    handle.seek(0)
    start = handle.read(4)
    mark = next(((bom, codec) for bom, codec in _MARKS if start.startswith(bom)), None)
    if wanted:
        codec = _codec(wanted)
        if mark and codec in (mark[1], mark[1][:6]):
            return Encoding(mark[1], len(mark[0]), "option")
        encoding = Encoding(f"{codec}-le" if codec in _WIDE else codec, 0, "option")
    elif mark:
        encoding = Encoding(mark[1], len(mark[0]), "mark")
    elif weight.not_utf8 is None:
        encoding = Encoding("utf-8", 0, "utf-8")
    else:
        encoding = Encoding("gb18030", 0, "gb18030")
    if weight.nul is not None and not encoding.codec.startswith(_WIDE):
        line = line_of(handle, weight.nul)
        raise InvalidInput(
            _("{name}: line {line} holds a NUL byte: no CSV text").format(name=name, line=line),
            hint=_("if it is Unicode text from Excel, give --encoding utf-16; otherwise save it as CSV again"),
            code="NUL_BYTES",
        )
    if encoding.how == "gb18030":
        _refuse_mixture(handle, weight, name)
    return encoding


def _codec(wanted: str) -> str:
    name = wanted.strip().lower().replace("_", "-")
    name = _ALIASES.get(name, name)
    try:
        "".encode(name)
        codec = codecs.lookup(name)
    except LookupError:
        codec = None
    if codec is None:
        raise InvalidInput(
            _("--encoding {name}: no such encoding").format(name=wanted),
            hint=_("usual ones: utf-8, gb18030, utf-16"),
            code="ENCODING_UNKNOWN",
        )
    return "utf-8" if codec.name == "utf-8-sig" else codec.name


def _refuse_mixture(handle: BinaryIO, weight: Bytes, name: str) -> None:
    """Refuse a file whose lines are partly UTF-8, partly not: read as GB18030 they would become garbage silently.

    By chance a line of GB18030 is UTF-8 too, but then hardly ever Chinese.
    """
    mixed = first = number = 0
    handle.seek(0)
    for number, line in enumerate(handle, start=1):  # noqa: B007 - the last number counts the lines
        if line.isascii():
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            continue
        if any("\u4e00" <= sign <= "\u9fff" for sign in text):
            mixed += 1
            first = first or number
    if mixed > number // 10_000:
        assert weight.not_utf8 is not None
        raise InvalidInput(
            _("{name}: two encodings in one file: line {one} is UTF-8, line {other} is not").format(
                name=name, one=first, other=line_of(handle, weight.not_utf8)
            ),
            hint=_("save it again in one encoding; --encoding gb18030 reads it as GB18030 all the same"),
            code="ENCODING_MIXED",
        )


def undecodable(handle: BinaryIO, encoding: Encoding, name: str) -> InvalidInput:
    """Return the error for a file that is not in `encoding`, with line and byte."""
    decoder = codecs.getincrementaldecoder(encoding.codec)()
    position = 0
    for block in _blocks(handle):
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(block)
        except UnicodeDecodeError as error:
            position += error.start - pending
            break
        position += len(block)
    line = line_of(handle, position)
    codec = encoding.codec.upper()
    if encoding.how == "gb18030":
        message = _("{name}: line {line} (byte {byte}) is neither UTF-8 nor GB18030")
    else:
        message = _("{name}: line {line} (byte {byte}) is not {codec}")
    return InvalidInput(
        message.format(name=name, line=line, byte=position + 1, codec=codec),
        hint=_("save the file again as UTF-8 or as a workbook, or name its encoding with --encoding"),
        code="ENCODING_INVALID",
    )


def line_of(handle: BinaryIO, position: int) -> int:
    """Return the line a byte lies in, counted from 1."""
    line, at = 1, 0
    for block in _blocks(handle):
        part = block[: position - at]
        line += part.count(b"\n") or part.count(b"\r")
        at += len(block)
        if at >= position:
            break
    return line
