"""Ways around that a hostile reader found: each is closed, and stays so (CMP-08, CMP-13, CMP-15, CMP-23)."""

from __future__ import annotations

from casework import HANDLER, SECOND, SUPERVISOR, Hours, Office


def test_a_duplicate_is_the_same_customers_and_the_later_one(office: Office, hours: Hours) -> None:
    first = office.open("C-1")
    hours.forward(hours=1)
    later, others = office.open("C-1"), office.open("C-2")
    why = ("--reason", office.text("同一件事"))
    assert office.refused(others, "mark-duplicate", "--of", first, *why) == "OTHER_CUSTOMER"
    assert office.refused(first, "mark-duplicate", "--of", later, *why) == "NO_ORIGINAL", "no limit starts anew"
    assert office.step(later, "mark-duplicate", "--of", first, *why)["status"] == "duplicate"


def test_a_duplicate_hides_nobody_it_is_about(office: Office, hours: Hours) -> None:
    first = office.open()
    hours.forward(hours=1)
    second = office.open(about="K2")
    why = ("--reason", office.text("同一件事"))
    assert office.refused(second, "mark-duplicate", "--of", first, *why) == "ABOUT_MISSING"
    office.step(first, "verify", "--department", "安装部", "--cause", "process", "--about", "K2")
    assert office.step(second, "mark-duplicate", "--of", first, *why)["status"] == "duplicate"


def test_whom_it_is_about_may_turn_out_late(office: Office) -> None:
    """Also once a plan is agreed: whoever it is about handles it no longer."""
    number = office.open(handler="K2")
    office.through(number, "agree")
    office.step(number, "verify", "--department", "安装部", "--cause", "conduct", "--about", "K2")
    assert office.row(number)["handler_id"] is None
    assert office.row(number)["status"] == "agreed"


def test_not_settled_another_plan_is_owed_on_a_clock(office: Office) -> None:
    number = office.open()
    office.through(number, "rectify")
    office.step(number, "revisit", "--not-settled")
    assert [each["stopped_at"] is None for each in office.clocks(number, "revisit")] == [False]
    assert office.clocks(number, "propose")[-1]["stopped_at"] is None


def test_a_review_that_fails_is_no_disagreement_of_the_customer(office: Office) -> None:
    """A-07: plans are refused by the customer, not by a colleague."""
    number = office.open()
    office.through(number, "rectify")
    office.step(number, "review", "--not-passed", uid=SUPERVISOR)
    office.step(number, "mediate")
    assert office.refused(number, "close", "--without-agreement") == "PLANS_TOO_FEW"


def test_nobody_closes_against_the_customer_alone(office: Office) -> None:
    """Where access.yaml asks for nobody, it is not done."""
    path = office.desk.folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    begin = text.index("    complaint.close-without-agreement:")
    end = text.index("    purge.run:", begin)
    path.write_text(text[:begin] + text[end:], "utf-8")
    number = office.open()
    office.verify(number)
    for _plan in range(2):
        office.propose(number)
        office.step(number, "refuse")
    office.step(number, "mediate")
    assert office.refused(number, "close", "--without-agreement") == "CLOSING_WITHOUT_APPROVER"


def test_what_is_over_is_not_promised(office: Office, hours: Hours) -> None:
    number = office.open()
    office.verify(number)
    office.step(number, "propose", "--measures", office.text("换件"), "--due", hours.local(hours=-3))
    hours.forward(hours=5)
    assert office.refused(number, "agree") == "PLAN_PASSED"


def test_another_category_can_make_it_more_severe(office: Office) -> None:
    """CMP-06: a complaint about personal information is serious, whatever it was opened as."""
    number = office.open(category="other")
    office.step(number, "classify", "--category", "privacy", "--reason", office.text("理由"))
    assert office.row(number)["severity"] == "serious"
    assert "reviewed" in office.json(HANDLER, "complaint", "show", number)["missing"]


def test_who_handled_it_once_does_not_review_it(office: Office) -> None:
    """CMP-15, also where a colleague entered every step."""
    number = office.open(handler="K2")
    office.through(number, "rectify")
    office.step(number, "handoff", "--to", "K1")
    assert office.refused(number, "review", "--passed", uid=SECOND, status=6) == "OWN_WORK"
