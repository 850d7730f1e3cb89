"""The tree of one policy file: every value knows where it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crmctl.policy.problems import START, Mark


@dataclass(slots=True)
class Scalar:
    """One value as written; `plain` when unquoted."""

    mark: Mark
    text: str
    plain: bool


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    values: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Entry:
    """One key with its value."""

    mark: Mark
    value: Node


@dataclass(slots=True)
class Fields:
    """A mapping."""

    mark: Mark
    entries: dict[str, Entry] = field(default_factory=dict)


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Found:
    """How far a path of keys and positions leads into a tree."""

    node: Node
    key: Mark | None  # where the last key is written; None at the top and for list items
    path: tuple[str | int, ...]  # the part of the path that exists
    rest: tuple[str | int, ...]  # the part that does not


def follow(root: Node, path: Sequence[str | int]) -> Found:
    """Follow `path` as far as it exists."""
    node, key = root, None
    for done, step in enumerate(path):
        if isinstance(node, Fields) and step in node.entries:
            entry = node.entries[str(step)]
            node, key = entry.value, entry.mark
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.values):
            node, key = node.values[step], None
        else:
            return Found(node, key, tuple(path[:done]), tuple(path[done:]))
    return Found(node, key, tuple(path), ())


@dataclass(frozen=True, slots=True)
class Marks:
    """Where each part of a policy is written."""

    root: Node | None

    def at(self, path: Sequence[str | int]) -> Mark:
        """Return the mark of the value at `path`, or of the nearest thing around it."""
        return follow(self.root, path).node.mark if self.root else START

    def key(self, path: Sequence[str | int]) -> Mark:
        """Return the mark of the key at `path`; of the value where there is no key."""
        if self.root is None:
            return START
        found = follow(self.root, path)
        return found.key or found.node.mark
