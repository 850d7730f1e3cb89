"""Pages that are printed and signed: rendered from a room's template, nothing in them runs or is loaded."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from itertools import accumulate
from typing import Any

_NARROW = frozenset("abcdefghijklnopqrstuvxyz0123456789 .,;:!'-/()[]|")


def html(room: str, template: str, sheet: Any) -> bytes:  # noqa: ANN401 - whatever the template shows
    """Return `sheet` as a page by a template of a room's package: everything in it is escaped.

    A template may include `form.css`, how forms of one page look.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def text(name: str) -> str:
        return files("crmctl" if name.endswith(".css") else room).joinpath(name).read_text("utf-8")

    surroundings = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(text)
    )
    return surroundings.get_template(template).render(sheet=sheet).encode("utf-8")


@dataclass(frozen=True)
class Part:
    """A table of the form: title, headings, rows of text, and what is left out of it."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    more: str = ""


@dataclass
class Cutter:
    """Cuts texts to their space, and knows whether it had to."""

    cut: bool = field(default=False)

    def fit(self, text: Any, width: int) -> str:  # noqa: ANN401 - whatever shows as text
        """Return a text in one line of so many half letters at most; what is left out is shown by `…`.

        A Chinese character or a capital has two half letters, what is narrow has one.
        """
        plain = " ".join(str(text or "").split())
        ends = list(accumulate(1 if letter in _NARROW else 2 for letter in plain))
        if not ends or ends[-1] <= width:
            return plain
        self.cut = True
        return plain[: bisect_right(ends, width - 2)] + "…"
