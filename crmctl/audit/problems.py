"""What verification found: problems, the first hundred in full, the rest counted."""

from __future__ import annotations

from typing import NamedTuple

KEPT = 100


class Problem(NamedTuple):
    """One thing that does not verify: a stable `code`, its subject (`entry:7`, `chunk:3/0`, `customer:12`), why."""

    code: str
    subject: str
    message: str


class Problems:
    """A list that stays small however much is wrong."""

    def __init__(self) -> None:
        self.first: list[Problem] = []
        self.total = 0

    def add(self, code: str, subject: str, message: str) -> None:
        """Note one problem."""
        self.total += 1
        if len(self.first) < KEPT:
            self.first.append(Problem(code, _printable(subject), _printable(message)))

    def extend(self, others: Problems) -> None:
        """Take over what another list has."""
        self.first += others.first[: KEPT - len(self.first)]
        self.total += others.total


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()  # what was tampered with may hold lone surrogates
