"""`crmctl policy questions`: the open questions in every form, and the answers back into company.yaml."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.cli.render import Column, Table
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _, pick
from crmctl.policy import rewriting
from crmctl.policy.answers import HEADINGS, Record, answered, read
from crmctl.policy.questionfiles import cells, page, workbook
from crmctl.policy.questions import Question, questions

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation
    from crmctl.policy.policyset import PolicySet

ACT = "policy.answer"
MOST_BYTES = 4 << 20
MOST_CELLS = 200_000
_SHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # XLSX and ODS, XLS
_COLUMNS = tuple(Column(code, label) for code, label in HEADINGS.items())
_CHANGES = (Column("name", N_("Name")), Column("before", N_("Before")), Column("after", N_("After")))


def tell(call: Invocation, policies: PolicySet) -> None:
    """Write every open question in the form asked for."""
    found = questions(policies)
    if call.output == "html":
        _write_page(found, policies)
    elif call.output == "xlsx":
        from crmctl.cli.sheet import binary_output

        headings = {column.code: column.heading(call.headers) for column in _COLUMNS}
        binary_output().write(workbook(found, headings))
    elif call.output == "json":
        call.emit({"hash": policies.hash, "questions": [question.as_dict() for question in found]})
    elif call.output == "csv":
        rows = [list(cells(question).values()) for question in found]
        call.emit({}, Table(_COLUMNS, rows))
    else:
        call.emit({}, *(line for question in found for line in _lines(question)), _counted(found))


def _lines(question: Question) -> Iterator[str]:
    """Yield a question as people read it on a screen: its name, then what bears on it."""
    told = cells(question)
    yield f"{question.name}: {question.label}"
    for code in ("unit", "clauses", "variants", "rules"):
        for text in told[code].split("\n") if told[code] else ():
            yield f"  {_(HEADINGS[code])}: {text}"
    yield ""


def _counted(found: Sequence[Question]) -> str:
    if not found:
        return _("Every value is decided.")
    return _("Undecided: {count}. To fill in: crmctl policy questions -o xlsx > FILE").format(count=len(found))


def _write_page(found: Sequence[Question], policies: PolicySet) -> None:
    import sys

    from crmctl import clock

    day = clock.local(clock.now(), policies.company.timezone)[:10]
    made = _("{day}, policies {hash}").format(day=day, hash=policies.hash[:12])
    sys.stdout.write(page(found, pick(dict(policies.company.name.items())), made))


def records(path: Path) -> Iterator[Record]:
    """Yield the rows of a filled-in sheet, CSV or workbook, each with its number in the file."""
    from crmctl.cli.sheet import restored
    from crmctl.files import open_input

    with open_input(path) as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InvalidInput(
            _("{path}: is too large to be such a sheet").format(path=path),
            hint=_("fill in what crmctl policy questions -o xlsx writes"),
            code="ANSWERS_TOO_LARGE",
        )
    rows = _workbook_rows(data, path) if data.startswith(_SHEETS) else _csv_rows(data, path)
    for number, row in rows:
        yield number, [restored(cell) for cell in row]


def _workbook_rows(data: bytes, path: Path) -> Iterator[Record]:
    """Yield the rows of a workbook's visible sheets until one of them has the headings."""
    from crmctl.sheets.policy import FileLimits
    from crmctl.sheets.workbook import Workbook

    limits = FileLimits(workbook_bytes=MOST_BYTES, workbook_cells=MOST_CELLS)
    with Workbook(io.BytesIO(data), len(data), limits, str(path)) as book:
        shown = [number for number, visible in enumerate(book.visible) if visible]
        number = 0
        for block in book.blocks(shown[0] if shown else 0):
            for cells_of_row in block:
                number += 1
                yield number, cells_of_row


def _csv_rows(data: bytes, path: Path) -> Iterator[Record]:
    from crmctl.sheets.encoding import find_encoding, weigh

    handle = io.BytesIO(data)
    encoding = find_encoding(handle, weigh(handle, MOST_BYTES), None, str(path))
    try:
        text = data[encoding.skip :].decode(encoding.codec)
    except UnicodeDecodeError:
        raise InvalidInput(
            _("{path}: is neither UTF-8 nor GB18030").format(path=path),
            hint=_("save it as a workbook, or as CSV in UTF-8"),
            code="ENCODING_UNKNOWN",
        ) from None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    try:
        yield from enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), start=1)
    except csv.Error:
        raise InvalidInput(
            _("{path}: a quotation mark is not closed").format(path=path),
            hint=_("save it as a workbook, or as CSV again"),
            code="CSV_TORN",
        ) from None


def answer(call: Invocation, path: Path) -> None:
    """Write the answers of a sheet into company.yaml, and what was there before to the caller."""
    with rewriting.allowed(call, "policy questions", ACT) as ground:
        done = answered(ground.policies, read(records(path), ground.policies, str(path)))
        run_id = None
        if done.changes and not call.dry_run:
            names = tuple(change.name for change in done.changes)
            counts = {"changed": len(names), "unchanged": len(done.unchanged)}
            new = rewriting.Rewritten(done.policies, done.path, done.data, len(names), names, counts)
            run_id = rewriting.write(call, ground, new)
    changes = [(each.name, each.before, each.after) for each in done.changes]
    left = len(done.policies.undecided())
    document = {
        "run_id": run_id,
        "dry_run": call.dry_run,
        "changed": len(changes),
        "unchanged": len(done.unchanged),
        "undecided": left,
        "version": done.policies.policy("company").version,
        "hash": done.policies.hash,
    }
    line = (
        _("{changed} values would be decided or changed") if call.dry_run else _("{changed} values decided or changed")
    )
    summary = _("; ").join((line, _("unchanged: {unchanged}"), _("still undecided: {undecided}"))).format(**document)
    call.emit(document, *([Table(_CHANGES, changes, key="values")] if changes or call.as_json else []), summary)
