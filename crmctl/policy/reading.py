"""The strict reading of one YAML file: bytes → a tree of nodes that know their line and column.

Built from parser events, not from `yaml.compose`: events come one at a time, so that aliases are never expanded and
reading stops at the first bracket that is nested too deep (200 kB of `[` keep libyaml busy for two minutes).
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from crmctl.i18n import _
from crmctl.policy.nodes import Entry, Fields, Items, Node, Scalar
from crmctl.policy.problems import START, Mark, Report, shown
from crmctl.policy.scalars import misread

MOST_BYTES = 256 * 1024
MOST_EVENTS = 20_000
DEEPEST = 20
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What YAML does not allow at all, and what changes the order or look of a line without being seen.
_INVISIBLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)
_TABBED = re.compile(r"^ *\t", re.MULTILINE)


def read_tree(data: bytes, report: Report) -> Node | None:
    """Return the tree of a file's bytes, noting every problem of form; None when there is no tree to go on with."""
    if len(data) > MOST_BYTES:
        report.add(START, "P102", _("larger than {limit} KiB").format(limit=MOST_BYTES // 1024))
        return None
    text = _decode(data, report)
    if text is None or _invisible(text, report):
        return None
    composer = _Composer(report)
    try:
        for event in yaml.parse(text, Loader=LOADER):
            if not composer.take(event):
                break
    except yaml.YAMLError as error:
        _not_yaml(text, error, report)
        return None
    except RecursionError:  # the fallback parser in Python, on what libyaml would call a syntax error
        report.add(START, "P109", _("nested too deep"))
        return None
    if composer.root is None and not report.errors:
        report.add(START, "P116", _("the file is empty"), _("see: crmctl policy schema"))
    return composer.root


def _decode(data: bytes, report: Report) -> str | None:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        report.add(Mark(line, column), "P110", _("not UTF-8"), _("save the file as UTF-8"))
        return None


def _invisible(text: str, report: Report) -> bool:
    for found in _INVISIBLE.finditer(text):
        if report.full:
            break
        name = f"U+{ord(found.group()):04X}"
        report.add(
            _mark_at(text, found.start()), "P114", _("invisible character {name}").format(name=name), _("remove it")
        )
    return report.errors


def _mark_at(text: str, position: int) -> Mark:
    return Mark(text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position))


def _not_yaml(text: str, error: yaml.YAMLError, report: Report) -> None:
    """Say in our words what the parser did not understand; tabs, the commonest cause, each by its place."""
    for found in _TABBED.finditer(text):
        if report.full:
            return
        mark = _mark_at(text, found.end() - 1)
        report.add(mark, "P113", _("tab in the indentation"), _("indent with spaces"))
    if any(problem.code == "P113" for problem in report.problems):
        return
    place = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    mark = Mark(place.line + 1, place.column + 1) if place else START
    told = " ".join(str(part) for part in (getattr(error, "problem", ""), getattr(error, "context", "")) if part)
    report.add(
        mark, "P101", _("not YAML: {reason}").format(reason=told or type(error).__name__), _syntax_hint(text, mark)
    )


def _syntax_hint(text: str, mark: Mark) -> str:
    lines = text.splitlines()
    near = "".join(lines[max(0, mark.line - 2) : mark.line])
    if "：" in near:
        return _("a key ends with an ASCII colon and a space, not with '：'")
    if "\t" in near:
        return _("indent with spaces, not with tabs")
    return _("look at the indentation, at quotes and brackets left open, and quote texts that hold ': ' or ' #'")


class _Composer:
    """Turns events into nodes; every construct that could hide something is a problem, not a feature."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.root: Node | None = None
        self.documents = self.events = 0
        self.stack: list[Items | Fields] = []
        self.pending: list[tuple[str | None, Mark] | None] = []  # the key each open mapping waits to see valued

    def take(self, event: yaml.Event) -> bool:
        """Handle one event; False stops reading."""
        self.events += 1
        if self.events > MOST_EVENTS:
            return self._give_up(_mark(event), "P102", _("more than {limit} values").format(limit=MOST_EVENTS))
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, _mark(event))
        elif isinstance(event, yaml.CollectionStartEvent):
            return self._open(event, _mark(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self.stack.pop()
            self.pending.pop()
        elif isinstance(event, yaml.AliasEvent):
            mark, name = _mark(event), shown(event.anchor or "")
            self.report.spoil(mark, "P106", _("*{name}: an alias").format(name=name), _("write the value out"))
            self._place(Scalar(mark, "", plain=False))
        elif isinstance(event, yaml.DocumentStartEvent):
            return self._document(event)
        return not self.report.full

    def _give_up(self, mark: Mark, code: str, message: str) -> bool:
        self.report.add(mark, code, message)
        self.root = None
        return False

    def _document(self, event: yaml.DocumentStartEvent) -> bool:
        self.documents += 1
        if event.version or event.tags:
            self.report.add(_mark(event), "P108", _("a YAML directive"), _("remove the line that begins with %"))
        if self.documents > 1:
            self.report.add(_mark(event), "P111", _("a second document"), _("one policy per file: remove the '---'"))
            return False
        return True

    def _refuse_extras(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent, mark: Mark) -> None:
        if event.anchor:
            name = shown(event.anchor)
            self.report.spoil(mark, "P106", _("&{name}: an anchor").format(name=name), _("write the value out"))
        if event.tag:
            self.report.spoil(mark, "P108", _("{tag}: a tag").format(tag=shown(event.tag)), _("remove it"))

    def _scalar(self, event: yaml.ScalarEvent, mark: Mark) -> None:
        if event.anchor or event.tag:
            self._refuse_extras(event, mark)
        hidden = event.style == '"' and _INVISIBLE.search(event.value)  # written as an escape
        if hidden:
            name = f"U+{ord(hidden.group()):04X}"
            self.report.spoil(mark, "P114", _("invisible character {name}").format(name=name), _("remove it"))
        self._place(Scalar(mark, event.value, plain=event.implicit[0] and not event.style))

    def _open(self, event: yaml.CollectionStartEvent, mark: Mark) -> bool:
        self._refuse_extras(event, mark)
        if len(self.stack) >= DEEPEST:
            return self._give_up(mark, "P109", _("nested deeper than {limit} levels").format(limit=DEEPEST))
        mapping = isinstance(event, yaml.MappingStartEvent)
        node: Items | Fields = Fields(mark, bool(event.flow_style)) if mapping else Items(mark)
        self._place(node)
        self.stack.append(node)
        self.pending.append(None)
        return True

    def _place(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if isinstance(parent, Items):
            parent.values.append(node)
            return
        key = self.pending[-1]
        if key is None:
            self.pending[-1] = (self._key(node, parent), node.mark)
            return
        self.pending[-1] = None
        if key[0] is not None:
            parent.entries[key[0]] = Entry(key[1], node)

    def _key(self, node: Node, parent: Fields) -> str | None:
        """Return the key's text, or None when its value is to be passed over."""
        if not isinstance(node, Scalar):
            self.report.add(node.mark, "P117", _("a list or mapping as key"), _("a key is a word"))
            return None
        name = node.text
        if node.mark in self.report.broken:
            return None
        if node.plain and name == "<<":
            self.report.add(node.mark, "P107", _("<<: a merge key"), _("write the keys out"))
            return None
        if node.plain and misread(name):
            self.report.add(node.mark, "P117", _("{name}: not plain text").format(name=shown(name)), _quote(name))
            return None
        if name in parent.entries:
            first = parent.entries[name].mark.line
            self.report.add(
                node.mark,
                "P104",
                _("{name}: repeated").format(name=shown(name)),
                _("the first is in line {line}; keep one").format(line=first),
            )
            return None
        return name


def _quote(text: str) -> str:
    return _('quote it: "{text}"').format(text=shown(text))


def _mark(event: yaml.Event) -> Mark:
    place = event.start_mark
    return Mark(place.line + 1, place.column + 1) if place else START
