"""Help pages: wrapped and aligned by displayed width, so that Chinese keeps its columns."""

from __future__ import annotations

import os
from collections.abc import Iterable

import click

from crmctl.cli.screen import width
from crmctl.i18n import _

MAX_WIDTH = 100
_WIDE = "\u2e80-\u303f\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef"
_NOT_FIRST = "。，；：、？！）」』》】…%"
_NOT_LAST = "（「『《【"


def page_width() -> int:
    """Return the columns a help page may use: COLUMNS, else the terminal's, else 80; at most 100."""
    try:
        columns = int(os.environ.get("COLUMNS", "0")) or os.get_terminal_size(1).columns
    except (ValueError, OSError):
        columns = 80
    return max(min(columns, MAX_WIDTH), 50) - 2


def wrap(text: str, columns: int) -> list[str]:
    """Return `text` broken into lines of at most `columns` displayed columns; Chinese breaks between characters."""
    lines: list[str] = []
    line = ""
    for piece in _units(text):
        if line and width(line + piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece if line else piece.lstrip()
    return [*lines, line.rstrip()] if line.strip() else lines


def _units(text: str) -> list[str]:
    """Split into what must stay together: words, Chinese characters with the punctuation that clings to them."""
    if text.isascii():
        return [unit for word in text.split() for unit in (word, " ")]
    import re

    units: list[str] = []
    for piece in re.findall(rf"\s+|[{_WIDE}]|[^\s{_WIDE}]+", text):
        clings = units and (piece[0] in _NOT_FIRST or units[-1][-1] in _NOT_LAST)
        if clings and not piece.isspace():
            units[-1] += piece
        else:
            units.append(" " if piece.isspace() else piece)
    return units


class Page(click.HelpFormatter):
    """Click's formatter with our widths; paragraphs are separated by blank lines, `\\b` keeps lines as they are."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        self.write(f"{_('Usage:')} {prog} {args}".rstrip() + "\n")

    def write_heading(self, heading: str) -> None:
        """Write a section's heading."""
        self.write(" " * self.current_indent + _("{heading}:").format(heading=heading) + "\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs."""
        indent = " " * self.current_indent
        for number, paragraph in enumerate(text.strip("\n").split("\n\n")):
            if number:
                self.write("\n")
            verbatim = paragraph.startswith("\b")
            raw = paragraph.lstrip("\b\n").split("\n") if verbatim else []
            for line in raw or wrap(paragraph, self.width - self.current_indent):
                self.write(f"{indent}{line}\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write terms with their explanations in two columns."""
        listed = list(rows)
        first = min(max((width(term) for term, _text in listed), default=0), col_max) + col_spacing
        indent = " " * self.current_indent
        for term, text in listed:
            lines = wrap(text, max(self.width - first - self.current_indent, 20)) or [""]
            if width(term) > first - col_spacing:
                self.write(f"{indent}{term}\n")
            else:
                self.write(f"{indent}{term}{' ' * (first - width(term))}{lines.pop(0)}".rstrip() + "\n")
            for line in lines:
                self.write(f"{indent}{' ' * first}{line}\n")


class Context(click.Context):
    """A context whose help is a Page of the terminal's width."""

    formatter_class = Page

    def make_formatter(self) -> click.HelpFormatter:
        """Return the page help is written on."""
        return Page(width=page_width())


SETTINGS: dict[str, object] = {"help_option_names": ["-h", "--help"]}


def write_examples(page: click.HelpFormatter, examples: Iterable[str]) -> None:
    """Begin a help page with what people copy."""
    page.write(f"{_('Example:')}\n")
    for example in examples:
        page.write(f"  {example}\n")
    page.write("\n")
