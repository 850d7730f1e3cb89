"""The questions as files to hand round: a workbook with a column to fill in, a page to print."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from crmctl.i18n import N_, _, lang
from crmctl.policy.answers import HEADINGS
from crmctl.policy.company import Unit
from crmctl.policy.questions import Question, unit_words

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.workbook import Workbook

HOW: tuple[str, ...] = (
    N_("The written policies leave these numbers to the company. Until one is decided, no rule that needs it applies."),
    N_("Write each decision under Answer; leave open what is not decided yet."),
    N_("A number without a unit is in the unit of its row; another may be written behind it: 100万元, 2 years."),
    N_("98 percent is written 98 or 98 %."),
    N_("Give the sheet back to the administrator: crmctl policy questions --import FILE"),
)
_WIDTHS: Mapping[str, int] = {
    "name": 26, "label": 34, "unit": 10, "clauses": 44, "variants": 34, "rules": 44, "answer": 20,
}  # fmt: skip
_MOST = 10**13


def cells(question: Question) -> dict[str, str]:
    """Return what each column says of a question; several things of one kind stand on lines of their own."""
    return {
        "name": question.name,
        "label": question.label,
        "unit": unit_words(question.unit),
        "clauses": "\n".join(said.line for said in question.clauses),
        "variants": "\n".join(said.line for said in question.variants),
        "rules": "\n".join(rule.line for rule in question.rules),
        "answer": "",
    }


def workbook(questions: Sequence[Question], headings: Mapping[str, str]) -> bytes:
    """Return a workbook: the questions with a column for the answers, which takes what fits the unit, and notes."""
    import xlsxwriter

    stream = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(stream, options) as book:
        styles = _styles(book)
        page = book.add_worksheet(_("Questions"))
        notes = book.add_worksheet(_("How to fill in"))
        page.freeze_panes(1, 0)
        page.set_landscape()
        page.set_paper(9)  # A4
        page.fit_to_pages(1, 0)
        page.repeat_rows(0)
        for place, code in enumerate(HEADINGS):
            page.set_column(place, place, _WIDTHS[code])
            page.write_string(0, place, headings[code], styles["head"])
        for row, question in enumerate(questions, start=1):
            for place, text in enumerate(cells(question).values()):
                page.write_string(row, place, text, styles["cell"])
            page.write_blank(row, place, None, styles["share" if question.unit == "percent" else "answer"])
            page.data_validation(row, place, row, place, _validation(question.unit))
        notes.set_column(0, 0, 100)
        for row, line in enumerate(HOW):
            notes.write_string(row, 0, _(line), styles["cell"])
    return stream.getvalue()


def _styles(book: Workbook) -> dict[str, Format]:
    plain = {"text_wrap": True, "valign": "top", "border": 1}
    return {
        "head": book.add_format({**plain, "bold": True, "bg_color": "#F2F2F2"}),
        "cell": book.add_format({"text_wrap": True, "valign": "top"}),
        "answer": book.add_format({**plain, "bg_color": "#FFF9E5"}),
        "share": book.add_format({**plain, "bg_color": "#FFF9E5", "num_format": '0.####"%"'}),
    }


def _validation(unit: Unit | None) -> dict[str, Any]:
    """Return what the answer's cell takes; money may also be written with its unit, so there a doubt only warns."""
    if unit is None:
        told = _told(_("a number"), "warning")
        return {"validate": "decimal", "criteria": "between", "minimum": 0, "maximum": _MOST, **told}
    if unit == "text":
        return {"validate": "length", "criteria": "<=", "value": 2000, **_told(_("a text"), "stop")}
    words = unit_words(unit)
    if unit == "percent":
        told = _told(_("a number from 0 to 100"), "warning")
        return {"validate": "decimal", "criteria": "between", "minimum": 0, "maximum": 100, **told}
    whole = unit in ("count", "minutes", "days", "months")
    kind = "integer" if whole else "decimal"
    told = _told(_("a number of {unit}; another unit is written behind it").format(unit=words), "warning")
    return {"validate": kind, "criteria": "between", "minimum": 0, "maximum": 10**9 if whole else _MOST, **told}


def _told(text: str, kind: str) -> dict[str, str]:
    return {
        "input_title": _("Answer"),
        "input_message": text,
        "error_title": _("Answer"),
        "error_message": text,
        "error_type": kind,
    }


_STYLE = """
body { font: 11pt/1.5 "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", sans-serif; margin: 2em auto;
  max-width: 52em; color: #111; }
h1 { font-size: 1.4em; } h2 { font-size: 1.1em; margin: 0; }
section { border: 1px solid #999; padding: .8em 1em; margin: 1em 0; break-inside: avoid; }
dl { display: grid; grid-template-columns: 9em 1fr; gap: .2em 1em; margin: .6em 0; }
dt { color: #555; } dd { margin: 0; } code { font-size: .9em; color: #555; }
.answer { border-bottom: 1px solid #111; height: 2em; } footer { color: #555; font-size: .9em; }
@media print { body { margin: 0; max-width: none; } }
"""


def page(questions: Sequence[Question], company: str, made: str) -> str:
    """Return an HTML page to print; it loads nothing from anywhere. `made` says of when and of which policies it is."""
    title = _("{company}: questions that the written policies leave open").format(company=company)
    how = "".join(f"<li>{escape(_(line))}</li>" for line in HOW[:2])
    sections = "".join(map(_section, questions)) or f"<p>{escape(_('Every value is decided.'))}</p>"
    language = "zh-CN" if lang() == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n<ul>{how}</ul>\n{sections}\n"
        f"<footer>{escape(made)}</footer>\n</body>\n</html>\n"
    )


def _section(question: Question) -> str:
    unit = unit_words(question.unit)
    told = cells(question)
    lines = "".join(
        f"<dt>{escape(_(HEADINGS[code]))}</dt><dd>{_lines(told[code])}</dd>"
        for code in ("unit", "clauses", "variants", "rules")
        if told[code]
    )
    answer = f'<dt>{escape(_(HEADINGS["answer"]))}</dt><dd class="answer" title="{escape(unit)}"></dd>'
    head = f"<h2>{escape(question.label)}</h2><code>{escape(question.name)}</code>"
    return f"<section>{head}<dl>{lines}{answer}</dl></section>\n"


def _lines(text: str) -> str:
    return "<br>".join(escape(line) for line in text.split("\n"))
