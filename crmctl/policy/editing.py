"""Change single values of a policy file and nothing else: comments, order and layout stay as they are.

The tree of the file knows where each value is written; only those characters are replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal

from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.policy.nodes import Node, Path, Scalar, dotted, follow
from crmctl.policy.problems import Mark

_BREAK = re.compile(r"\r\n|\r|\n")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_BOM = "\ufeff"


def edited(data: bytes, root: Node, changes: Mapping[Path, int | Decimal | str]) -> bytes:
    """Return the file with the values at these paths replaced. `root` is the tree of exactly these bytes.

    Raises InvalidInput for a value that is no single value, or spans lines.
    """
    text = data.decode("utf-8")
    mark = _BOM if text.startswith(_BOM) else ""
    text = text[len(mark) :]
    starts = [0, *(found.end() for found in _BREAK.finditer(text))]
    spans = [(*_span(text, starts, root, path), scalar(value)) for path, value in changes.items()]
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return (mark + text).encode("utf-8")


def scalar(value: int | Decimal | str) -> str:
    """Return a value as a policy file writes it; texts are quoted."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _span(text: str, starts: list[int], root: Node, path: Path) -> tuple[int, int]:
    found = follow(root, path)
    node = found.node
    if isinstance(node, Scalar) and not found.skipped:
        start = _offset(starts, node.mark)
        if node.plain and text.startswith(node.text, start):
            return start, start + len(node.text)
        quoted = _QUOTED.match(text, start)
        if quoted and not node.plain and not _BREAK.search(quoted.group()):
            return start, quoted.end()
    raise InvalidInput(
        _("line {line}: {field} is not written in one line").format(line=node.mark.line, field=dotted(path)),
        hint=_("write it in one line, as `value: unset`"),
        code="VALUE_NOT_EDITABLE",
    )


def _offset(starts: list[int], mark: Mark) -> int:
    return starts[mark.line - 1] + mark.column - 1
