"""Results in the form the caller asked for, on standard output.

- table: for people, in their language; nothing cut off; hostile characters visible.
- json: one object, `schema` and `run_id` first. To a terminal readable UTF-8 with control, bidirectional and invisible
  characters escaped, elsewhere plain ASCII: the same value either way. Keys are only ever added.
- ndjson: one object a row, for results without bounds.
- csv, xlsx: files for people (see `sheet`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crmctl.cli.escape import HOSTILE, safe
from crmctl.cli.screen import is_terminal
from crmctl.errors import UsageProblem
from crmctl.i18n import _, pick, speak

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

Label = str | Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """One column: its `code` (JSON key, never translated), its heading (message id or {zh, en}), how a value shows."""

    code: str
    label: Label = ""
    show: Callable[[Any], str] | None = None  # value → text for people; programs get the value itself
    right: bool = False
    detail: bool = False  # for programs only

    def heading(self, headers: str) -> str:
        """Return the heading: `headers` is "zh", "en", "code" or "" for the language in use."""
        if headers == "code" or not self.label:
            return self.code
        if isinstance(self.label, str):
            return speak(self.label, headers)
        return self.label.get(headers) or pick(dict(self.label), self.code)

    def text(self, value: Any) -> str:
        """Return what people see of a value."""
        if value is None:
            return ""
        if self.show is not None:
            return self.show(value)
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, list | tuple):
            return ", ".join(str(item) for item in value)
        return str(value)


@dataclass(frozen=True)
class Table:
    """Rows under columns. `key` is where json puts them in the document ("" keeps them out of it)."""

    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    key: str = ""

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each row as code → value."""
        codes = [column.code for column in self.columns]
        for row in self.rows:
            yield dict(zip(codes, row, strict=True))

    @property
    def shown(self) -> list[tuple[int, Column]]:
        """Return position and column of those people see."""
        return [(place, column) for place, column in enumerate(self.columns) if not column.detail]


Part = Table | str


def emit(call: Invocation, document: Mapping[str, Any], *parts: Part) -> None:
    """Write the result. `document` is what programs get; `parts` (tables and lines) are what people get, in order.

    Under json each table with a `key` is put into the document as a list of objects. csv, xlsx and ndjson take the
    one table. Raises UsageProblem where there is none, or where xlsx would go to a terminal.
    """
    tables = [part for part in parts if isinstance(part, Table)]
    if call.output == "json":
        _write_json(call, document, tables)
    elif call.output == "ndjson" and len(tables) == 1:
        _write_lines(dumps(record) for record in tables[0].records())
    elif call.output == "ndjson":
        _write_lines([dumps(_whole(call, document, tables))])
    elif call.output in ("csv", "xlsx"):
        from crmctl.cli import sheet

        if len(tables) != 1:
            raise UsageProblem(_("{command}: the result is no table").format(command=call.command))
        sheet.write(call.output, tables[0], call.headers)
    else:
        _write_lines(_for_people(document, parts))


def schema_of(command: str) -> str:
    """Return the `schema` of a command's document: crmctl/customer-list/1."""
    return f"crmctl/{command.replace(' ', '-')}/1"


def _head(call: Invocation, document: Mapping[str, Any]) -> dict[str, Any]:
    return {"schema": schema_of(call.command), "run_id": None, **document}


def _whole(call: Invocation, document: Mapping[str, Any], tables: Sequence[Table]) -> dict[str, Any]:
    return {**_head(call, document), **{table.key: list(table.records()) for table in tables if table.key}}


def _write_json(call: Invocation, document: Mapping[str, Any], tables: Sequence[Table]) -> None:
    _write_lines([dumps(_whole(call, document, tables), indent=2)])


def dumps(value: Any, indent: int | None = None) -> str:
    """Return JSON: readable on a terminal, ASCII elsewhere, harmless on both."""
    if not is_terminal(sys.stdout):
        return json.dumps(value, indent=indent, default=_primitive)
    text = json.dumps(value, indent=indent, default=_primitive, ensure_ascii=False)
    return "\n".join(HOSTILE.sub(_escape, line) for line in text.split("\n"))


def _primitive(value: Any) -> Any:
    """Return a JSON form of anything else: the work is done by now, its result must come out."""
    if isinstance(value, Mapping):
        return dict(value)
    return sorted(value, key=str) if isinstance(value, set | frozenset) else str(value)


def _escape(match: Any) -> str:
    return json.dumps(match.group())[1:-1]


def _write_lines(lines: Iterable[str]) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")


def _for_people(document: Mapping[str, Any], parts: Sequence[Part]) -> Iterator[str]:
    if not parts:
        pairs = [(key, value) for key, value in document.items() if value is not None]
        yield from grid(Table((Column("key"), Column("value")), pairs), "code").split("\n")[2:]
    for part in parts:
        yield grid(part) if isinstance(part, Table) else safe(part)


def grid(table: Table, headers: str = "") -> str:
    """Return a table for people, aligned by displayed width; values are shown as they are, never cut."""
    from tabulate import tabulate

    shown = table.shown
    rows = [[safe(column.text(row[place])) for place, column in shown] for row in table.rows]
    return tabulate(
        rows,
        headers=[safe(column.heading(headers)) for _place, column in shown],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["right" if column.right else "left" for _place, column in shown] if rows else None,
    )
