"""Generators for property tests: customer files, spellings of the same value, conditions and facts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from crmctl.policy.conditionfile import operators_of
from crmctl.policy.conditions import All, Any_, Compare, Condition, Not
from crmctl.policy.metrics import Left, Metric, Type
from crmctl.policy.windows import window
from crmctl.sheets.formats.texts import full_width

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


def left(name: str, kind: Type, over: str = "", **more: Any) -> Left:
    """Return a left side of a metric made up for a test."""
    return Left(Metric(name, name, kind, "nowhere:source", windowed=bool(over), **more), window(over) if over else None)


# One left side of every type, and one metric over two windows.
LEFTS = (
    left("amount", "money"),
    left("bought", "money", "12 months"),
    left("bought", "money", "30 days"),
    left("score", "number", places=2),
    left("visits", "count", "1 year"),
    left("quiet", "days"),
    left("filled", "percent"),
    left("kind", "code", what="kind"),
    left("word", "text"),
    left("marked", "flag"),
)
WORDS = ("a", "b", "B", "ä", "客户", "a ", "")
_NEAR = st.integers(-3, 3)
_FAR = st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63) + 1, 10**17])
NUMBERS = st.one_of(_NEAR, _NEAR, _NEAR, _FAR)


def values(side: Left) -> st.SearchStrategy[Any]:
    """Return values a left side may have, none missing."""
    if side.metric.numeric:
        return NUMBERS
    return st.booleans() if side.metric.type == "flag" else st.sampled_from(WORDS)


@st.composite
def comparisons(draw: st.DrawFn, lefts: Sequence[Left] = LEFTS) -> Compare:
    """Return one bound comparison; operands and values come from the same few numbers, so that they often meet."""
    side = draw(st.sampled_from(lefts))
    operator = draw(st.sampled_from(operators_of(side.metric)))
    if operator == "exists":
        return Compare(side, operator, (draw(st.booleans()),))
    if operator in ("in", "not_in"):
        found = draw(st.lists(values(side), min_size=1, max_size=3, unique=True))
        return Compare(side, operator, tuple(found))
    if operator == "between":
        return Compare(side, operator, (draw(values(side)), draw(values(side))))
    return Compare(side, operator, (draw(values(side)),))


def trees(lefts: Sequence[Left] = LEFTS) -> st.SearchStrategy[Condition]:
    """Return bound conditions of a few levels."""
    return st.recursive(
        comparisons(lefts),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Any_(tuple(parts))),
            inner.map(Not),
        ),
        max_leaves=8,
    )


def facts(lefts: Sequence[Left] = LEFTS) -> st.SearchStrategy[dict[Left, Any]]:
    """Return the facts of one customer; a third are missing."""
    return st.fixed_dictionaries({side: st.one_of(st.none(), values(side), values(side)) for side in lefts})
