"""Answers to the questions: from the rows of a filled-in sheet to numbers, and into company.yaml.

Columns may stand in any order and under headings of either language; rows without an answer are passed over. Everything
that is wrong is told at once, as file:row:column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

from crmctl.errors import InvalidInput, PolicyInvalid
from crmctl.i18n import LANGUAGES, N_, _, speak
from crmctl.policy.company import CompanySettings, ValueEntry
from crmctl.policy.editing import edited
from crmctl.policy.loader import invalid
from crmctl.policy.model import Wrong, folded
from crmctl.policy.nodes import Fields, Path
from crmctl.policy.policyset import Policy, PolicySet
from crmctl.policy.problems import Mark, Report, shown, suggest
from crmctl.policy.rewriting import rechecked
from crmctl.policy.units import number_in

HEADINGS: Mapping[str, str] = {
    "name": N_("Name"),
    "label": N_("What is asked"),
    "unit": N_("Unit"),
    "clauses": N_("Clause"),
    "variants": N_("What the documents give"),
    "rules": N_("Rules that wait for it"),
    "answer": N_("Answer"),
}
_OTHER_HEADINGS: Mapping[str, tuple[str, ...]] = {
    "name": ("value", "数值", "数值名"),
    "label": ("question", "问题", "事项"),
    "unit": ("计量单位",),
    "answer": ("decision", "value to use", "回答", "决定", "填写", "取值"),
}
_NO_ANSWER = frozenset(map(folded, ("", "-", "—", "/", "unset", "tbd", "?", "待定", "未定", "未决定")))
_HEADER_WITHIN = 20  # rows

Record: TypeAlias = "tuple[int, Sequence[str]]"  # a row's number in the file, its cells
Number: TypeAlias = "int | Decimal | str"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one row of the sheet says."""

    name: str
    value: Number


@dataclass(frozen=True, slots=True)
class Change:
    """A value and what it was before; `unset` while it was undecided."""

    name: str
    before: Number
    after: Number


@dataclass(frozen=True, slots=True)
class Answered:
    """The policies with the answers in them, checked; `data` is the new company file `path`. Nothing is written yet."""

    changes: tuple[Change, ...]
    unchanged: tuple[str, ...]
    policies: PolicySet
    path: str
    data: bytes


def read(records: Iterable[Record], policies: PolicySet, path: str) -> tuple[Answer, ...]:
    """Return the answers of a sheet; `path` is what messages call it.

    Raises InvalidInput for a sheet without the columns, PolicyInvalid with every wrong answer of it.
    """
    rows = iter(records)
    columns = _columns(rows, path)
    report = Report(path)
    labels = _labels(policies.values)
    found: dict[str, tuple[int, Number]] = {}
    for number, cells in rows:
        texts = {key: cells[place].strip() if place < len(cells) else "" for key, place in columns.items()}
        if folded(texts["answer"]) in _NO_ANSWER:
            continue
        mark = Mark(number, columns["answer"] + 1)
        name = _named(texts, labels, policies.values, report, Mark(number, columns.get("name", columns["answer"]) + 1))
        value = _value(texts, policies.values[name], report, mark) if name else None
        if not name or value is None:
            continue
        first, before = found.setdefault(name, (number, value))
        if before != value:
            message = _("{name} is answered otherwise in row {row}").format(name=name, row=first)
            report.add(mark, "P104", message, _("keep one"))
    if report.errors:
        raise _refused(report)
    return tuple(Answer(name, value) for name, (_row, value) in found.items())


def answered(policies: PolicySet, answers: Sequence[Answer]) -> Answered:
    """Return the policies with the answers in company.yaml and its version one higher, where any of them is new.

    Raises PolicyInvalid with every problem that the whole set would then have, InvalidInput for a value that cannot be
    edited in place.
    """
    company = policies.policy("company")
    before = policies.values
    news = [answer for answer in answers if before[answer.name].value != answer.value]
    unchanged = tuple(answer.name for answer in answers if answer not in news)
    data = policies.files[company.path]
    if not news:
        return Answered((), unchanged, policies, company.path, data)
    data = edited(data, company.marks.root, _edits(company, news))
    after = rechecked(policies, company.path, data, _("with these answers"))
    for answer in news:
        if after.values[answer.name].value != answer.value:
            raise AssertionError(f"{answer.name} did not arrive in {company.path}")
    changes = tuple(Change(answer.name, before[answer.name].value, answer.value) for answer in news)
    return Answered(changes, unchanged, after, company.path, data)


def _edits(company: Policy, news: Sequence[Answer]) -> dict[Path, Number]:
    assert isinstance(company.settings, CompanySettings)
    root = company.marks.root
    assert isinstance(root, Fields)
    settings = root.entries["settings"].value
    assert isinstance(settings, Fields)
    values = settings.entries["values"].value
    assert isinstance(values, Fields)
    edits: dict[Path, Number] = {("version",): company.version + 1}
    for answer in news:
        long = isinstance(values.entries[answer.name].value, Fields)
        edits[("settings", "values", answer.name, *(["value"] if long else []))] = answer.value
    return edits


def _columns(rows: Iterable[Record], path: str) -> dict[str, int]:
    """Return the position of each column that is known, once the header row has been passed."""
    headings = _headings()
    for number, cells in rows:
        found: dict[str, int] = {}
        for place, cell in enumerate(cells):
            key = headings.get(folded(cell))
            if key:
                found.setdefault(key, place)
        if "answer" in found and ("name" in found or "label" in found):
            return found
        if number >= _HEADER_WITHIN:
            break
    raise InvalidInput(
        _("{path}: no row with the headings {name} and {answer}").format(
            path=path, name=_(HEADINGS["name"]), answer=_(HEADINGS["answer"])
        ),
        hint=_("fill in what crmctl policy questions -o xlsx writes"),
        code="ANSWERS_NO_HEADER",
    )


def _headings() -> dict[str, str]:
    found = {}
    for key, label in HEADINGS.items():
        names = (key, label, *(speak(label, language) for language in LANGUAGES), *_OTHER_HEADINGS.get(key, ()))
        found.update({folded(name): key for name in names})
    return found


def _labels(values: Mapping[str, ValueEntry]) -> dict[str, str]:
    """Return the value each label means; labels that two values share mean none."""
    found: dict[str, list[str]] = {}
    for name, entry in values.items():
        for label in {folded(label) for label in (entry.labels or {}).values()}:
            found.setdefault(label, []).append(name)
    return {label: names[0] for label, names in found.items() if len(names) == 1}


def _named(
    texts: Mapping[str, str], labels: Mapping[str, str], values: Mapping[str, ValueEntry], report: Report, mark: Mark
) -> str | None:
    name, label = texts.get("name", "").removeprefix("$"), texts.get("label", "")
    if name in values:
        return name
    if not name and folded(label) in labels:
        return labels[folded(label)]
    message = _("no value {name} in company.yaml").format(name=shown(name or label) or "-")
    report.add(mark, "P302", message, suggest(name, values) if name else "")
    return None


def _value(texts: Mapping[str, str], entry: ValueEntry, report: Report, mark: Mark) -> Number | None:
    try:
        return number_in(texts["answer"], entry.unit, texts.get("unit", ""))
    except Wrong as wrong:
        report.add(mark, wrong.code, wrong.message, wrong.hint)
        return None


def _refused(report: Report) -> PolicyInvalid:
    found = invalid(report.problems, report.path)
    found.code = "ANSWERS_INVALID"
    return found
