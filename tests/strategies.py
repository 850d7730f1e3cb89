"""Generators of customer files for property tests, and spellings of the same value."""

from __future__ import annotations

import csv
import io

from hypothesis import strategies as st

MOBILE_SPELLINGS = (
    "{0}", "+86{0}", "+86 {0}", "0086{0}", "86-{0}", "（+86）{0}", "{1}-{2}-{3}", "{1} {2} {3}", "(+86) {1} {2} {3}",
    "86{0}", " {0} ", "{4}",
)  # fmt: skip


def full_width(text: str) -> str:
    """Return ASCII text in full-width signs."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)


def spelled(mobile: str, spelling: str) -> str:
    """Return an 11-digit mobile as people write it."""
    return spelling.format(mobile, mobile[:3], mobile[3:7], mobile[7:], full_width(mobile))


def csv_bytes(rows: list[list[str]], *, encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n") -> bytes:
    """Return rows as CSV."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    return text.getvalue().encode(encoding)


NAMES = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=4)
CELLS = st.text(
    st.one_of(
        st.sampled_from("张三李四,;\"'\n\r\t =+-@1２（）\u200b\u3000\\/|#"),
        st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"),
    ),
    max_size=20,
)
# Bytes that are nearly CSV: quotes, line ends, delimiters and pieces of UTF-8 and GB18030 in any order.
TORN_BYTES = st.lists(
    st.sampled_from(
        [b",", b'"', b"\n", b"\r\n", b"\r", b";", b"\t", b"a", b"13812345678", "张三".encode(),
         "李四".encode("gb18030"), b"\xff", b"\0", b" ", b'""', "手机".encode(), b"\xef\xbb\xbf"]
    ),
    max_size=60,
).map(b"".join)  # fmt: skip
