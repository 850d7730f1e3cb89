"""What the tables of commands are made of: plain classes, for named tuples and dataclasses are built at import."""

from __future__ import annotations


class Entry:
    """One command: its words, the `module:function` behind them, its line in the list."""

    __slots__ = ("help", "path", "target")

    def __init__(self, path: str, target: str, help: str) -> None:
        self.path = path
        self.target = target
        self.help = help
