"""Accepted at once: a number, a time limit to tell, what the limits depend on; nothing in clear (CMP-02, CMP-03)."""

from __future__ import annotations

from pathlib import Path

import pytest
from casework import AGENT, HANDLER, SECRETS, STEWARD, SUPERVISOR, TEXTS, ZONE, Office
from sqlalchemy import select

from crmctl.customers.tables import customer


def without(line: list[str], option: str) -> list[str]:
    """Return a command line without an option and its value."""
    at = line.index(option)
    return line[:at] + line[at + 2 :]


@pytest.mark.parametrize("field", TEXTS)
def test_without_what_the_policy_wants_none_is_registered(office: Office, field: str) -> None:
    """CMP-02: missing ones block registration, each by its name; a blank one is none."""
    line = without(office.opening(), f"--{field}")
    found = office.json(HANDLER, *line, status=4)
    assert (found["code"], found["details"]["fields"]) == ("FIELD_MISSING", [field])
    assert office.json(HANDLER, *line, f"--{field}", office.text("  "), status=2)["code"] == "USAGE"
    assert office.whole() == []
    assert [each["codes"] for each in office.desk.entries("complaint.open")] == [["FIELD_MISSING"]]


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("channel", "pigeon", "CHANNEL_UNKNOWN"),
        ("category", "weather", "CATEGORY_UNKNOWN"),
        ("severity", "huge", "SEVERITY_UNKNOWN"),
    ],
)
def test_codes_there_are_none_of(office: Office, option: str, value: str, code: str) -> None:
    assert office.desk.refusal(HANDLER, *office.opening(**{option: value}), status=4) == code


def test_codes_as_people_write_them(office: Office) -> None:
    """CMP-01, CMP-06: labels and synonyms; the severity of the category unless another is given."""
    row = office.row(office.open(channel="热线", category="质量问题"))
    assert (row["channel"], row["category"], row["severity"]) == ("phone", "quality", "general")
    row = office.row(office.open(channel="Phone", category="信息泄露"))
    assert (row["category"], row["severity"]) == ("privacy", "serious")
    assert office.row(office.open(category="隐私", severity="特大"))["severity"] == "critical"


def test_a_text_too_long(office: Office) -> None:
    line = without(office.opening(), "--matter")
    assert office.desk.refusal(HANDLER, *line, "--matter", office.text("长" * 20_001), status=4) == "VALUE_TOO_LONG"
    office.json(HANDLER, *line, "--matter", office.text("长" * 20_000))


def test_numbers_count_the_company_s_days(office: Office) -> None:
    """CMP-03: from 1 each day of the company, whatever the day is elsewhere."""
    office.hours.to("2026-11-23T23:59:59")
    assert [office.open(), office.open("C-2")] == ["CMP-20261123-0001", "CMP-20261123-0002"]
    office.hours.forward(seconds=1)
    assert office.open() == "CMP-20261124-0001"


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("2026-12-02T18:00:01", "FEEDBACK_TOO_LATE"),
        ("2027-11-01", "FEEDBACK_TOO_LATE"),
        ("2026-11-23T09:00", "FEEDBACK_PASSED"),
        ("2026-11-20", "FEEDBACK_PASSED"),
        ("soon", "TIME_INVALID"),
    ],
)
def test_the_date_that_is_told_is_bounded(office: Office, by: str, code: str) -> None:
    """CMP-03: earlier than the policy's as one likes, never later, never gone by."""
    assert office.desk.refusal(HANDLER, *office.opening(feedback_by=by), status=4) == code
    assert office.whole() == []


@pytest.mark.parametrize(
    ("by", "due"), [("2026-12-02T18:00", "2026-12-02T18:00:00"), ("2026-11-25", "2026-11-25T23:59:59")]
)
def test_the_date_that_is_told_stands(office: Office, by: str, due: str) -> None:
    opened = office.json(HANDLER, *office.opening(feedback_by=by))
    assert opened["feedback_due_at"] == f"{due}+08:00"
    (clock,) = office.clocks(opened["number"], "feedback")
    assert (clock["within"], clock["told"]) == ("promised", 1)
    assert clock["due_at"].astimezone(ZONE).isoformat() == f"{due}+08:00"


def test_without_a_limit_to_tell_there_is_no_acceptance(office: Office) -> None:
    """CMP-03: while the company has not decided, whoever accepts it gives the date."""
    path = office.desk.folder / "policies" / "company.yaml"
    text = path.read_text("utf-8")
    at = text.index("    complaint_feedback_days:")
    path.write_text(text[:at] + text[at:].replace("value: 7", "value: unset", 1), "utf-8")
    assert office.desk.refusal(HANDLER, *office.opening(), status=4) == "FEEDBACK_UNDECIDED"
    assert office.open(feedback_by="2027-06-30").endswith("-0001")


def test_received_earlier(office: Office) -> None:
    """CMP-02: how long registration took is measured, from when it was received; all else begins with acceptance."""
    number = office.open(at="2026-11-22T20:15", late_reason="周末值班")
    row = office.row(number)
    assert row["received_at"].astimezone(ZONE).isoformat() == "2026-11-22T20:15:00+08:00"
    assert row["accepted_at"] == office.hours.at
    (register,) = office.clocks(number, "register")
    assert (register["started_at"], register["stopped_at"]) == (row["received_at"], row["accepted_at"])
    (respond,) = office.clocks(number, "respond")
    assert respond["started_at"] == row["received_at"], "the customer waits from then on"
    (verify,) = office.clocks(number, "verify")
    assert verify["started_at"] == row["accepted_at"]


def test_the_policy_of_its_channel_and_its_terms_for_good(office: Office) -> None:
    """001 through WeCom; and a complaint keeps what it was accepted under, whatever the policy says later."""
    wecom, phone = office.open(channel="企微"), office.open()
    assert [office.row(number)["policy"] for number in (wecom, phone)] == ["wecom", "complaints"]
    (clock,) = office.clocks(wecom, "respond")
    assert clock["within"] == "1 working hour"
    before = office.row(phone)["terms"]
    office.desk.edit("complaints.yaml", "{within: 1 working day,", "{within: 9 working days,")
    office.desk.edit("complaints.yaml", "    - {what: settled", "    # - {what: settled")
    office.through(phone, "rectify")
    assert office.step(phone, "close", status=1)["details"]["missing"] == ["revisited", "settled"]
    assert office.row(phone)["terms"] == before
    later = office.open()
    assert office.clocks(later, "verify")[0]["within"] == "9 working days"


def test_a_dry_run_says_what_it_would_be(office: Office) -> None:
    before = len(office.desk.log())
    told = office.json(HANDLER, *office.opening(), "--dry-run")
    assert (told["number"], told["run_id"], told["feedback_due_at"]) == (None, None, "2026-12-02T18:00:00+08:00")
    office.json(HANDLER, *office.opening(""), "--dry-run")
    assert office.whole() == []
    assert len(office.desk.log()) == before
    assert office.open().endswith("-0001")


def test_whose_it_is_is_found_out_later(office: Office) -> None:
    """A provisional customer with a key of its own; linked, the complaint keeps its row, and its owner knows of it."""
    number = office.open("", uid=HANDLER)
    row = office.row(number)
    (who,) = office.desk.rows(select(customer.c.status).where(customer.c.customer_id == row["customer_id"]))
    assert who["status"] == "provisional"
    other = office.open("")
    nobody = f"C-{office.row(other)['customer_id']}"
    assert office.refused(number, "link", nobody) == "PROVISIONAL"
    assert office.step(number, "link", "C-99", status=1)["code"] == "CUSTOMER_UNKNOWN"
    assert office.desk.refusal(AGENT, "complaint", "show", number, status=1) == "COMPLAINT_UNKNOWN"
    office.step(number, "link", "C-2", "--reason", office.text("回电确认"), uid=STEWARD)
    office.step(number, "link", "C-3", uid=STEWARD)
    after = office.row(number)
    assert (after["customer_id"], after["linked_customer_id"]) == (row["customer_id"], 3)
    assert office.kinds(number) == ["accepted", "linked", "linked"]
    assert office.refused(office.open(), "link", "C-2") == "NOT_PROVISIONAL"
    office.sql("UPDATE customer SET owner_id = :staff WHERE customer_id = 3", staff=office.staff_ids["K3"])
    office.step(number, "respond", uid=AGENT)
    office.sql("UPDATE customer SET owner_id = NULL WHERE customer_id = 3")
    office.through(number)


def test_nothing_of_it_is_in_clear(office: Office) -> None:
    """Texts are sealed: neither database nor log nor output has them, but for whoever reveals them."""
    number = office.open()
    office.through(number, "agree")
    office.step(number, "progress", "--text", office.text("客户说可以"))
    said = [office.desk.say(SUPERVISOR, "complaint", "show", number).stdout]
    said += [row.decode() for row in office.desk.log()] + list(map(str, office.whole()))
    if office.desk.engine.dialect.name == "sqlite":
        office.desk.engine.dispose()
        said += [path.read_bytes().decode("utf-8", "replace") for path in files(office.desk.folder / "data")]
    for secret in SECRETS:
        assert not [text for text in said if secret in text], "a text in clear"
    clear = office.desk.say(HANDLER, "complaint", "show", number, "--reveal").stdout
    assert all(secret in clear for secret in SECRETS)


def files(folder: Path) -> list[Path]:
    """Return every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]
