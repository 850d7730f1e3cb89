"""Progress on a terminal: one line on standard error, rewritten; nothing under cron, in a pipe or with -q."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crmctl.cli.escape import safe
from crmctl.cli.screen import is_terminal, width
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

_PERIOD = 0.1  # seconds between two drawings


class Progress:
    """A count that goes up. Without a terminal it only counts."""

    def __init__(self, label: str, total: int | None, visible: bool) -> None:
        self.done = 0
        self.total = total
        self._label = label
        self._visible = visible
        self._started = self._drawn = time.monotonic()
        self._width = 0

    def advance(self, rows: int = 1) -> None:
        """Count `rows` more, and draw when the last drawing is old enough."""
        self.done += rows
        if self._visible and time.monotonic() - self._drawn >= _PERIOD:
            self._draw()

    def relabel(self, label: str) -> None:
        """Name what is being done now."""
        self._label = label

    def line(self, elapsed: float) -> str:
        """Return what is drawn after `elapsed` seconds: label, count, share if the total is known, rows a second."""
        count = f"{self.done:,}"
        if self.total:
            count += f" / {self.total:,}  {min(self.done * 100 // self.total, 100)}%"
        rate = self.done / elapsed if elapsed > 0 else 0.0
        return _("{label}  {count}  {rate}/s").format(label=safe(self._label), count=count, rate=f"{rate:,.0f}")

    def _draw(self) -> None:
        now = time.monotonic()
        self._drawn = now
        text = self.line(now - self._started)
        limit = _columns() - 1
        while width(text) > limit:
            text = text[:-1]
        self._write(text + " " * max(self._width - width(text), 0))
        self._width = width(text)

    def clear(self) -> None:
        """Take the line off the screen."""
        if self._visible and self._width:
            self._write(" " * self._width)
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text}")
        sys.stderr.flush()


def _columns() -> int:
    try:
        return os.get_terminal_size(2).columns
    except OSError:
        return 80


@contextlib.contextmanager
def progress(call: Invocation, label: str, total: int | None = None) -> Iterator[Progress]:
    """Show progress while the block runs; the line is gone afterwards."""
    visible = not call.quiet and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
    shown = Progress(label, total, visible)
    try:
        yield shown
    finally:
        shown.clear()
