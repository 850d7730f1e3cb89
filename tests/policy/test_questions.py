"""The open questions: what they say, in which language, and as files to fill in and to print."""

from __future__ import annotations

import io
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from python_calamine import load_workbook

from crmctl import i18n
from crmctl.policy import load
from crmctl.policy.answers import HEADINGS
from crmctl.policy.questionfiles import cells, page, workbook
from crmctl.policy.questions import Question, Said, Waiting, questions, unit_words

Edit = Callable[[str, str, str], None]


def asked(folder: Path, name: str) -> Question:
    (found,) = [question for question in questions(load(folder)) if question.name == name]
    return found


def test_every_undecided_value_is_a_question(folder: Path, edit: Edit) -> None:
    policies = load(folder)
    names = [question.name for question in questions(policies)]
    assert names == [undecided.name for undecided in policies.undecided()]
    assert "core_annual_amount" in names
    edit("company.yaml", "core_annual_amount:\n      value: unset", "core_annual_amount:\n      value: 1000000")
    assert [question.name for question in questions(load(folder))] == [n for n in names if n != "core_annual_amount"]


def test_a_question_says_all_that_bears_on_it(folder: Path) -> None:
    question = asked(folder, "tier_regrade_months")
    policies = load(folder)
    line = policies.policy("tiers").marks.at(("settings", "regrade_every")).line
    assert question.label == "Grades are looked at again after"
    assert question.unit == "months"
    assert question.clauses == (Said("004 §5⑥", policies.clauses["004 §5⑥"].text["en"]),)
    assert question.variants == (Said("004 §5⑥", "regularly"), Said("000 §五(三)1", "regularly"))
    about = "Tiers and maintenance standards"
    assert question.rules == (Waiting(f"tiers.yaml:{line} regrade_every", about),)
    assert question.rules[0].line == f"{about} (tiers.yaml:{line})"
    assert [rule.words for rule in asked(folder, "core_annual_amount").rules][:1] == [f"{about} · Core"]


def test_in_the_readers_language(folder: Path) -> None:
    i18n.use("zh")
    question = asked(folder, "core_annual_amount")
    assert question.label == "核心客户年度合作额下限（元）"
    assert question.rules[0].words == "客户分级标准与维护标准 · 核心客户"
    assert unit_words(question.unit) == "元"


def test_a_value_without_words_is_asked_by_its_name(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "  values:\n", "  values:\n    bonus: {value: unset}\n")
    question = asked(folder, "bonus")
    assert (question.label, question.unit, question.rules, question.clauses) == ("bonus", None, (), ())
    assert cells(question) == {**dict.fromkeys(HEADINGS, ""), "name": "bonus", "label": "bonus"}


def test_the_json_form_leaves_room_for_the_answer(folder: Path) -> None:
    found = asked(folder, "tier_regrade_months").as_dict()
    assert found["answer"] is None
    assert found["variants"][0] == {"clause": "004 §5⑥", "says": "regularly"}


def test_the_workbook_holds_every_question_and_takes_what_fits(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "  values:\n", "  values:\n    formula: {value: unset, unit: text, labels: {en: '=1+1'}}\n")
    found = questions(load(folder))
    data = workbook(found, HEADINGS)
    sheet = load_workbook(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    assert sheet[0] == list(HEADINGS.values())
    assert [row[0] for row in sheet[1:]] == [question.name for question in found]
    assert [row[1] for row in sheet[1:]] == [question.label for question in found]
    assert {row[-1] for row in sheet[1:]} == {""}
    import zipfile

    xml = zipfile.ZipFile(io.BytesIO(data)).read("xl/worksheets/sheet1.xml").decode()
    assert xml.count("<dataValidation ") == len(found)
    assert "<f>" not in xml
    assert 'type="textLength"' in xml
    assert 'type="whole"' in xml
    assert 'type="decimal"' in xml


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.names: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_loads_nothing_and_escapes_everything(folder: Path, edit: Edit) -> None:
    edit("company.yaml", "  values:\n", "  values:\n    odd: {value: unset, labels: {en: '<script>a & b'}}\n")
    policies = load(folder)
    text = page(questions(policies), "A & B <Ltd>", "2026-11-22")
    tags = Tags()
    tags.feed(text)
    assert (tags.open, tags.links) == ([], [])
    assert "script" not in tags.names
    assert "url(" not in text
    assert "A &amp; B &lt;Ltd&gt;" in text
    assert "&lt;script&gt;a &amp; b" in text
    assert text.count("<section>") == len(questions(policies))
    assert "004 §5⑥ regularly" in text


def test_a_page_without_questions_says_so() -> None:
    assert "Every value is decided." in page((), "A", "today")


@pytest.mark.parametrize("unit", ["percent", "count", "wan_yuan", "text", None])
def test_every_unit_has_a_cell(unit: str | None) -> None:
    question = Question("x", "X", unit, (), (), ())  # type: ignore[arg-type]
    assert workbook([question], HEADINGS)
