"""The tree of one policy file: every value knows where it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from crmctl.policy.problems import Mark

Step = str | int
Path = tuple[Step, ...]


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
    """A mapping; `flow` when written in { }."""

    mark: Mark
    flow: bool = False
    entries: dict[str, Entry] = field(default_factory=dict)


Node = Scalar | Items | Fields


@dataclass(frozen=True, slots=True)
class Found:
    """How far a path of keys and positions leads into a tree."""

    node: Node
    key: Mark | None  # where the last key is written; None at the top and for list items
    path: Path  # the steps that exist
    skipped: tuple[int, ...] = ()  # positions in the path of the steps that do not

    @property
    def mark(self) -> Mark:
        """The mark of the key, or of the value where there is no key."""
        return self.key or self.node.mark


def follow(root: Node, path: Sequence[Step]) -> Found:
    """Follow `path`, passing over the steps that the tree does not have."""
    node: Node = root
    key: Mark | None = None
    taken: list[Step] = []
    skipped = []
    for position, step in enumerate(path):
        if isinstance(node, Fields) and isinstance(step, str) and step in node.entries:
            entry = node.entries[step]
            node, key = entry.value, entry.mark
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.values):
            node, key = node.values[step], None
        else:
            skipped.append(position)
            continue
        taken.append(step)
    return Found(node, key, tuple(taken), tuple(skipped))


def dotted(path: Sequence[Step]) -> str:
    """Return a path as people write it: `settings.tiers[2].rank`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


@dataclass(frozen=True, slots=True)
class Marks:
    """Where each part of a policy is written."""

    root: Node

    def at(self, path: Sequence[Step]) -> Mark:
        """Return the mark of the value at `path`, or of the nearest thing around it."""
        return follow(self.root, path).node.mark

    def key(self, path: Sequence[Step]) -> Mark:
        """Return the mark of the key at `path`; of the value where there is no key."""
        return follow(self.root, path).mark
