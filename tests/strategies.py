"""Generators of customer files for property tests, and spellings of the same value."""

from __future__ import annotations

import csv
import io

from hypothesis import strategies as st

from crmctl.customers.formats.texts import full_width

MOBILE_SPELLINGS = (
    "{0}", "+86{0}", "+86 {0}", "0086{0}", "86-{0}", "（+86）{0}", "{1}-{2}-{3}", "{1} {2} {3}", "(+86) {1} {2} {3}",
    "86{0}", " {0} ", "{4}",
)  # fmt: skip


def spelled(mobile: str, spelling: str) -> str:
    """Return an 11-digit mobile as people write it."""
    return spelling.format(mobile, mobile[:3], mobile[3:7], mobile[7:], full_width(mobile))


def csv_bytes(
    rows: list[list[str]], *, encoding: str = "utf-8", delimiter: str = ",", end: str = "\r\n", quote_all: bool = False
) -> bytes:
    """Return rows as CSV. The writer leaves line ends bare that are not its own: `quote_all` for any cells."""
    text = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue().encode(encoding)


NAMES = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5), min_size=2, max_size=4)
CELLS = st.text(
    st.one_of(
        st.sampled_from("张三李四,;\"'\n\r\t =+-@1２（）\u200b\u3000\\/|#"),
        st.characters(blacklist_categories=["Cs", "Cc"]),
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
