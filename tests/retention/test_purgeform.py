"""The approval form of a purge (销毁审批表): one page that says what the plan says, and names nobody."""

from __future__ import annotations

import html as entities
import re
import stat
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from casework import AUDITOR, HANDLER, STEWARD, SUPERVISOR, Hours, Office
from desks import ADMIN, PERSONAL
from doomed import PLAN, Doomed

from crmctl import printed
from crmctl.retention import formsheet
from crmctl.retention.form import TEMPLATE, Import, Known, known
from crmctl.retention.policy import CustomerRule
from crmctl.retention.records import Destruction
from crmctl.store import engine
from crmctl.use.copies import Copy

# Of a full page: rendered, it leaves room for more; see formsheet.
MOST_LETTERS, MOST_LINES = 3500, 36


def later(hours: Hours, office: Office) -> None:
    """Let the years go by after which customers may be destroyed."""
    hours.forward(days=31 * 36)
    office.json(ADMIN, "keys", "rotate")  # the newest entry of the log is of today


def written(office: Office, number: int, *words: object, uid: int = STEWARD) -> tuple[str, dict[str, Any]]:
    """Write a form; return its page and what was told."""
    out = office.desk.folder.parent / f"form-{len(list(office.desk.folder.parent.iterdir()))}.html"
    told = office.json(uid, "purge", "form", number, "--out", out, *words)
    assert told["path"] == str(out)
    return out.read_text("utf-8"), told


def visible(page: str) -> str:
    """Return what somebody sees of a page, as text."""
    body = page[page.index("<body>") :]
    return " ".join(entities.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_form_says_what_the_plan_says(office: Office, hours: Hours) -> None:
    """DES-02: who signs it knows how many go by which rule and clause, what goes with them, and until when."""
    later(hours, office)
    office.json(ADMIN, "hold", "set", "C-1", "--kind", "legal", "--reason", office.text("诉讼保全"))
    made = office.json(STEWARD, "purge", "plan")
    shown = office.json(STEWARD, "purge", "show", made["plan"])
    page, told = written(office, made["plan"])
    text = visible(page)
    assert told["hash"] == shown["fingerprint"][:16]
    for piece in (
        f"plan {made['plan']}", "Customers who never bought 2 PIPL art. 19", "003 §3.六 6.1", told["hash"], "li.na",
        shown["planned_at"][:16].replace("T", " "), shown["expires_at"][:16].replace("T", " "), "customer 2",
        "held: legal proceedings 1", "waits for somebody else's approval", "Signature and day",
        f"crmctl purge show {made['plan']}",
    ):  # fmt: skip
        assert piece in text, piece
    assert made["batches"] == [1]
    assert re.search(r"Source files to dispose of .* 1 customers [\d-]+ [\d:]+ [0-9a-f]{16} ", text)
    assert not any(each in page for each in (*PERSONAL, "诉讼保全", "C-00"))


def test_it_goes_on_with_what_became_of_it(office: Office, hours: Hours) -> None:
    later(hours, office)
    number = office.json(STEWARD, "purge", "plan")["plan"]
    before, told = written(office, number)
    assert "Approvals there are" not in before
    office.json(SUPERVISOR, "purge", "approve", number)
    approved = visible(written(office, number)[0])
    assert re.search(r"Approvals there are .*wang\.j from their own account", approved)
    office.json(STEWARD, "purge", "run", number)
    office.json(STEWARD, "purge", "verify", number)
    shown = office.json(STEWARD, "purge", "show", number)
    page, again = written(office, number, uid=AUDITOR)
    text = visible(page)
    assert again["hash"] == told["hash"] == shown["fingerprint"][:16]
    for piece in (
        "done and verified", "Customers destroyed 3", f"SHA-256 {shown['record_sha256']}",
        shown["shredded_at"][:16].replace("T", " "), shown["erasure_complete_after"][:16].replace("T", " "),
    ):  # fmt: skip
        assert piece in text, piece


def test_a_copy_that_holds_some_of_them_is_listed(office: Office, hours: Hours) -> None:
    """DES-06: what somebody took away has to be asked for."""
    number = office.open()
    out = office.desk.folder.parent / "complaint.html"
    copy = office.json(HANDLER, "complaint", "form", number, "--out", out)
    office.through(number)
    later(hours, office)
    made = office.json(STEWARD, "purge", "plan", "--customer", "C-1")
    text = visible(written(office, made["plan"])[0])
    assert made["copies"] == [copy["copy"]]
    assert f"{copy['copy']} complaint form hu.y {copy['sha256'][:16]}" in text
    assert "at the request of the persons themselves" in text


def test_other_policies_by_now_are_not_told_as_the_plan_s(office: Office, hours: Hours) -> None:
    later(hours, office)
    number = office.json(STEWARD, "purge", "plan")["plan"]
    office.desk.edit("retention.yaml", "the shortest time the purpose needs", "something else")
    text = visible(written(office, number)[0])
    assert "never_bought 3" in text and "something else" not in text
    assert "The policies are others by now" in text


def test_the_page_is_in_the_reader_s_language_and_loads_nothing(office: Office, hours: Hours) -> None:
    later(hours, office)
    number = office.json(STEWARD, "purge", "plan")["plan"]
    page, _told = written(office, number, "--lang", "zh")
    assert '<html lang="zh-CN">' in page
    for piece in ("销毁审批表", "未成交客户", "个人信息保护法第十九条"):
        assert piece in page, piece
    assert "default-src 'none'" in page and "size: A4 portrait" in page
    assert not re.search(r"<script|\b(src|href)\s*=|url\(|@import", page)


def test_each_form_is_in_the_log_and_no_file_is_overwritten(office: Office, hours: Hours) -> None:
    """ACC-07: it names no customer, so it is no copy to be destroyed; that it was read is on record all the same."""
    later(hours, office)
    number = office.json(STEWARD, "purge", "plan")["plan"]
    _page, told = written(office, number)
    path = Path(told["path"])
    data = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (len(data), sha256(data).hexdigest()) == (told["bytes"], told["sha256"])
    entry = office.desk.entries("purge.show")[-1]
    assert (entry["obj"], entry["source"], entry["run"]) == (f"plan:{number}", told["sha256"], told["run_id"])
    assert office.json(SUPERVISOR, "use", "copies")["copies"] == []
    assert office.desk.refusal(STEWARD, "purge", "form", number, "--out", path, status=1) == "FILE_EXISTS"
    assert path.read_bytes() == data
    other = path.with_name("other.html")
    assert office.desk.refusal(STEWARD, "purge", "form", number + 1, "--out", other, status=1) == "PLAN_UNKNOWN"
    assert office.desk.refusal(HANDLER, "purge", "form", number, "--out", other) == "ACT_NOT_GRANTED"
    with office.desk.broken_log():
        assert office.desk.say(STEWARD, "purge", "form", number, "--out", other).exit_code != 0
    assert not other.exists() and list(other.parent.glob(".other*")) == []


def test_whatever_the_plan_has_it_stays_one_page(doomed: Doomed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Letters and lines are bounded, and the page says what is left out."""
    long, real = {"zh": "长" * 99, "en": "长" * 99}, formsheet._basis
    rule = CustomerRule(
        code="long", labels=long, since=("added",), keep={"days": 1}, basis=long, source=["003 §3.六 6.1"] * 40
    )
    monkeypatch.setattr(formsheet, "_basis", lambda desk, _rule: real(desk, rule))
    with doomed.opened() as run:
        with engine.read(run.engine) as conn:
            found = known(conn, run, PLAN)
        full = _full(found)
        page = printed.html("crmctl.retention", TEMPLATE, formsheet.sheet(run, full)).decode()
    assert len(visible(page)) <= MOST_LETTERS
    assert page.count("<tr>") <= MOST_LINES
    assert "15 more: crmctl purge show 1" in visible(page)  # rules


def _full(found: Known) -> Known:
    """Return what is known with more of everything than a page holds."""
    many = {f"rule_{number}_{'长' * 60}": 10**9 for number in range(formsheet.RULES + 15)}
    rows = {f"some_long_table_{number}": 10**9 for number in range(40)}
    summary = {
        "destroy": many, "keep": many, "rows": rows, "asked": 1, "batches": [*range(99)], "copies": [*range(99)],
        "paper_planned": 10**9,
    }  # fmt: skip
    plan = replace(found.purge.plan, summary=summary, policy_hash="other", person="长" * 99)
    at = plan.created_at
    listed = 4
    imports = tuple(Import(10**9, "customer", "f" * 64, at) for _each in range(listed))
    copy = Copy(
        10**9, 1, None, None, "complaint form", "f" * 64, 1, 1, "长" * 99, None, None, [], at, None, at, "长", None
    )
    decision = replace(found.approved[0], person="长" * 99, for_person="长" * 99, document="长" * 99)
    done = Destruction(PLAN, "verified", 1, at, at, 1, at, {"destroyed": 1, "spared": many}, b"1", "{}", b"f" * 32, 1)
    purge = replace(found.purge, plan=plan, destruction=done, state="verified")
    return Known(purge, found.fingerprint, (decision,) * 9, imports, (copy,) * listed)
