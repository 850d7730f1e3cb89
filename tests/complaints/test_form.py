"""The complaint form (投诉处理单): one page, nothing that runs, and the hash that says of which state it is."""

from __future__ import annotations

import html as entities
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from casework import AGENT, AUDITOR, DEPUTY, HANDLER, SECOND, SUPERVISOR, TEXTS, Office

from crmctl.complaints import formsheet

LONG = "一二三四五六七八九十" * 1900
# Of a full page: rendered, it leaves room for two lines more; see formsheet and the style of the page.
MOST_LETTERS, MOST_LINES = 3200, 34


def written(office: Office, number: str, *words: object, uid: int = HANDLER) -> tuple[str, dict[str, Any]]:
    """Write a form; return its page and what was told."""
    out = office.desk.folder.parent / f"form-{len(list(office.desk.folder.parent.iterdir()))}.html"
    told = office.json(uid, "complaint", "form", number, "--out", out, *words)
    assert told["path"] == str(out)
    return out.read_text("utf-8"), told


def visible(page: str) -> str:
    """Return what somebody sees of a page, as text."""
    body = page[page.index("<body>") :]
    return " ".join(entities.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_form_has_who_when_and_what(office: Office) -> None:
    """CMP-15: each stage with the person responsible and the time; plans with the customer's answer; satisfaction."""
    number = office.open(receiver="K2")
    office.verify(number, "--text", office.text("核实属实"))
    office.hours.forward(minutes=5)
    office.propose(number, "2026-11-30")
    office.step(number, "refuse", "--text", office.text("不够"))
    office.propose(number, "2026-12-01")
    office.step(number, "agree", "--text", office.text("客户说可以"), uid=SECOND)
    office.step(number, "rectify", "--text", office.text("已更换"))
    office.step(number, "revisit", "--settled", "--score", 92, "--text", office.text("比较满意"))
    page, told = written(office, number)
    text = visible(page)
    for piece in (
        number, *TEXTS.values(), "更换压缩机", "补偿五百元", "不够", "客户说可以", "已更换", "比较满意", "核实属实",
        "Hu Y (K1)", "Qi X (K2)", "2026-11-23 09:05", "2026-11-30 23:59", "2026-12-01 23:59", "92 of 100", "安装部",
        "Faulty process", told["hash"], "Signature and day", "1 working day", "C-000001",
    ):  # fmt: skip
        assert piece in text, piece
    # Verified at 09:00 within one working day; the second plan was agreed to.
    assert re.search(
        r"Verification Hu Y \(K1\) 2026-11-23 09:00 1 working day 2026-11-24 18:00 2026-11-23 09:00 yes", text
    )
    assert re.search(r"1 2026-11-23 09:05 更换压缩机; 补偿五百元 2026-11-30 23:59 2026-11-23 09:05 refused: 不够", text)
    assert "Handling plan ×2" in text
    assert "…" not in text


def test_the_page_is_in_the_reader_s_language(office: Office) -> None:
    number = office.open()
    page, _told = written(office, number, "--lang", "zh")
    assert '<html lang="zh-CN">' in page and "受理编号" in page
    assert '<html lang="en">' in written(office, number)[0]


def test_whatever_the_texts_are_it_stays_one_page(office: Office) -> None:
    """Letters and lines are bounded, and the page says what is cut."""
    number = office.desk.json(HANDLER, *_long(office))["number"]
    office.step(number, "verify", "--department", "长" * 200, "--cause", "process", "--text", office.text(LONG))
    for _round in range(8):
        plan = ("--measures", office.text(LONG), "--compensation", office.text(LONG))
        office.step(number, "propose", *plan, "--due", "2026-12-11")
        office.step(number, "refuse", "--text", office.text(LONG))
        office.step(number, "progress", "--text", office.text(LONG))
    office.propose(number)
    office.step(number, "agree", "--text", office.text(LONG))
    office.step(number, "rectify", "--text", office.text(LONG))
    office.step(number, "revisit", "--settled", "--score", 90, "--text", office.text(LONG))
    office.step(number, "review", "--passed", "--text", office.text(LONG), uid=SECOND)
    office.step(number, "analyse", "--root-cause", office.text(LONG), "--improvement", office.text(LONG))
    page, _told = written(office, number)
    text = visible(page)
    assert len(text) <= MOST_LETTERS
    assert page.count("<tr>") <= MOST_LINES
    assert "… is cut" in text and "more are left out" in text
    assert "size: A4 portrait" in page


def _long(office: Office) -> list[object]:
    words = office.opening()
    for name in TEXTS:
        words[words.index(f"--{name}") + 1] = office.text(f"{name} {LONG}\n\n\n{name}")
    return list(words)


def test_texts_are_text_and_nothing_is_loaded(office: Office) -> None:
    words = office.opening()
    words[words.index("--matter") + 1] = office.text("<script>alert(1)</script> {{ 7*7 }} \" onmouseover='x' &amp;")
    number = office.desk.json(HANDLER, *words)["number"]
    page, _told = written(office, number)
    assert "<script" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }}" in page
    assert "default-src 'none'" in page
    assert not re.search(r"\b(src|href)\s*=|url\(|@import", page)


def test_the_hash_is_of_the_state_and_check_says_so(office: Office) -> None:
    number, other = office.open(), office.open("C-2")
    _page, told = written(office, number)
    again = written(office, number)[1]
    assert told["hash"] == again["hash"] and re.fullmatch("[0-9a-f]{12}", told["hash"])
    compared = office.json(AUDITOR, "complaint", "form", number, "--check", told["hash"].upper())
    assert compared["same"] is True
    assert office.json(AUDITOR, "complaint", "form", other, "--check", told["hash"], status=1)["same"] is False
    office.step(number, "progress", "--text", office.text("正在处理"))
    changed = office.json(HANDLER, "complaint", "form", number, "--check", told["hash"], status=1)
    assert (changed["same"], changed["given"]) == (False, told["hash"]) and changed["hash"] != told["hash"]
    office.desk.json(HANDLER, "complaint", "form", number, "--check", changed["hash"])
    assert office.desk.refusal(HANDLER, "complaint", "form", number, "--check", "x" * 12, status=4) == "HASH_INVALID"
    assert office.desk.refusal(HANDLER, "complaint", "form", number, status=2)
    assert office.desk.refusal(HANDLER, "complaint", "form", "CMP-20200101-0001", "--check", "0" * 12, status=1)


def test_each_form_is_a_reveal_and_a_registered_copy(office: Office) -> None:
    """ACC-04, DES-07: logged before it is written, owner-only, with purpose and ticket, in the register of copies."""
    number = office.open()
    _page, told = written(office, number)
    path = Path(told["path"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    begun, done = office.desk.entries("complaint.reveal")[-2:]
    assert (begun["ticket"], begun["purpose"], begun["fields"]) == (
        number, "complaint", ["complainant", "contact", "matter", "demand", "nature", "events"],
    )  # fmt: skip
    assert done["obj"] == f"copy:{told['copy']}" and done["source"] == told["sha256"]
    (copy,) = office.json(SUPERVISOR, "use", "copies")["copies"]
    assert (copy["kind"], copy["sha256"], copy["copy"]) == ("complaint form", told["sha256"], told["copy"])
    assert office.desk.refusal(HANDLER, "complaint", "form", number, "--out", path, status=1) == "FILE_EXISTS"
    assert len(office.json(SUPERVISOR, "use", "copies")["copies"]) == 1


def test_who_may_not_read_its_texts_writes_no_form(office: Office) -> None:
    number = office.open()
    out = office.desk.folder.parent / "no.html"
    assert office.desk.refusal(AUDITOR, "complaint", "form", number, "--out", out) == "ACT_NOT_GRANTED"
    assert office.desk.refusal(AGENT, "complaint", "form", number, "--out", out, status=1) == "COMPLAINT_UNKNOWN"
    assert not out.exists()


def test_a_closed_one_needs_a_purpose(office: Office) -> None:
    number = office.open()
    office.through(number)
    out = office.desk.folder.parent / "closed.html"
    assert office.desk.refusal(HANDLER, "complaint", "form", number, "--out", out, status=4) == "PURPOSE_MISSING"
    assert not out.exists()
    page, _told = written(office, number, "--purpose", "complaint", "--ticket", "CRM-4711", uid=DEPUTY)
    assert "closed" in visible(page)


def test_nothing_is_left_where_the_log_cannot_be_written(office: Office) -> None:
    number = office.open()
    out = office.desk.folder.parent / "unlogged.html"
    with office.desk.broken_log():
        assert office.desk.say(HANDLER, "complaint", "form", number, "--out", out).exit_code != 0
    assert not out.exists() and list(out.parent.glob(".unlogged*")) == []


@pytest.mark.parametrize(
    ("text", "width", "wanted"),
    [("a b\n c", 5, "a b c"), ("abcdef", 5, "abc…"), ("甲乙丙", 5, "甲…"), ("甲乙", 4, "甲乙"), (None, 3, "")],
)
def test_cutting(text: str | None, width: int, wanted: str) -> None:
    cutter = formsheet.Cutter()
    assert cutter.fit(text, width) == wanted
    assert cutter.cut is wanted.endswith("…")
