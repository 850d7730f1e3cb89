"""A function written as source, line by line, with the objects that its lines name, and then compiled."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from textwrap import dedent, indent
from types import CodeType
from typing import Any


class Draft:
    """The body of one function being written."""

    def __init__(self, head: str, **objects: Any) -> None:
        self.lines = [head]
        self.depth = 1
        self.objects: dict[str, Any] = dict(objects)

    def write(self, text: str, **objects: Any) -> None:
        """Add lines, and what they name; a name that stands for something else already is a mistake."""
        for name, value in objects.items():
            assert self.objects.setdefault(name, value) is value, name
        self.lines.append(indent(dedent(text).strip("\n"), "    " * self.depth))

    def begin(self, line: str) -> None:
        """Add the first line of a block."""
        self.write(line)
        self.depth += 1

    def end(self, text: str = "") -> None:
        """End a block, with `text` behind it."""
        self.depth -= 1
        if text:
            self.write(text)

    def compiled(self, name: str) -> Callable[..., Any]:
        """Return the function `name`.

        The text is this program's own: what a policy says stands in it as a literal (`repr`) only.
        """
        objects = dict(self.objects)
        exec(_code("\n".join(self.lines)), objects)
        found: Callable[..., Any] = objects[name]
        return found


@lru_cache(maxsize=32)
def _code(source: str) -> CodeType:
    """Return the code of a text: customer types often share it, and compiling takes some 5 ms."""
    return compile(source, "<usual rows>", "exec")


class Memory(dict[str, Any]):
    """What a reader answered to the cells it was asked, for the first `most` different ones."""

    def __init__(self, read: Callable[[str], Any], most: int) -> None:
        super().__init__()
        self.read = read
        self.most = most

    def __missing__(self, cell: str) -> Any:
        value = self.read(cell)
        if len(self) < self.most:
            self[cell] = value
        return value
