"""Streams in UTF-8 whatever the locale; widths as displayed."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO


def use_utf8() -> None:
    """Make standard output and error UTF-8, even where the locale is C; what cannot be encoded is escaped.

    A stream that the caller closed becomes the null device: else the next file opened, perhaps the database, would
    take its number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - lives as long as we
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


def is_terminal(stream: TextIO | Any) -> bool:
    """Say whether a person looks at this stream."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def width(text: str) -> int:
    """Return the columns `text` takes on a terminal; Chinese characters take two."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)
