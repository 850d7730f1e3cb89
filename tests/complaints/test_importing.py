"""Sheets of complaints on both databases: what becomes of rows, the second time, dry runs, strangers, the past."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from casework import ADMIN, AGENT, AUDITOR, HANDLER, STEWARD, Office
from sqlalchemy import select

from crmctl.complaints.tables import complaint, complaint_event
from crmctl.customers.tables import customer

HEADER = (
    "投诉编号,客户编号,客户名称,手机号,投诉人,联系方式,渠道,类别,严重程度,"
    "投诉事由,诉求,接到时间,被投诉人,首问责任人,处理人,状态,结案时间\n"
)
SECRETS = ("孙大圣", "13511113333", "门锁三天坏两次", "全部换新锁")
GOOD = "T1,K1,,,孙大圣,13511113333,电话,质量问题,重大,门锁三天坏两次,全部换新锁,2026-11-23 08:30,Ann,L1,K2,处理中,\n"
COUNTED = ("read", "created", "duplicate", "rejected")


class Sheets:
    """Files that are imported in the office."""

    def __init__(self, office: Office) -> None:
        self.office, self.files = office, 0

    def write(self, text: str) -> Path:
        self.files += 1
        path = self.office.desk.folder.parent / f"sheet{self.files}.csv"
        path.write_text(text, "utf-8")
        return path

    def take(self, text: str, *words: object, uid: int = STEWARD, status: int = 0) -> dict[str, Any]:
        """Import a text; return the document."""
        return self.office.json(uid, "complaint", "import", self.write(text), *words, status=status)

    def reasons(self, number: int) -> list[tuple[int, str, str]]:
        """Return what is in a batch's quarantine: row, code, field."""
        found = self.office.json(STEWARD, "batch", "rejects", number)
        return [(row["row"], row["code"], row["field"]) for row in found["rejects"]]

    def rows(self) -> list[Any]:
        """Return every complaint by its number."""
        return self.office.desk.rows(select(complaint).order_by(complaint.c.complaint_id))

    def private(self, number: str) -> dict[str, Any]:
        """Return a complaint's document with its texts in clear."""
        return self.office.json(HANDLER, "complaint", "show", number, "--reveal")


@pytest.fixture
def sheets(office: Office) -> Sheets:
    """Sheets in the office."""
    return Sheets(office)


def counts(outcome: dict[str, Any]) -> tuple[int, ...]:
    """Return how many rows were read, became complaints, were known, were rejected."""
    return tuple(outcome[name] for name in COUNTED)


def test_a_row_becomes_a_complaint_like_one_that_is_opened(sheets: Sheets) -> None:
    """CMP-02, CMP-03: number, limits and sealed texts; times, staff and state as the sheet says."""
    office = sheets.office
    opened = office.row(office.open())
    done = sheets.take(HEADER + GOOD)
    assert counts(done) == (1, 1, 0, 0)
    (_, row) = sheets.rows()
    ids = office.staff_ids
    assert (row["number"], row["status"], row["customer_id"]) == ("CMP-20261123-0002", "accepted", 1)
    assert (row["category"], row["severity"], row["channel"]) == ("quality", "serious", "phone")
    assert (row["about"], row["first_receiver_id"], row["handler_id"]) == (str(ids["K3"]), ids["L1"], ids["K2"])
    assert (row["batch_id"], row["feedback_due_at"]) == (done["batch"], opened["feedback_due_at"])
    shown = sheets.private(row["number"])
    assert (shown["received_at"], shown["accepted_at"]) == ("2026-11-23T08:30:00+08:00", "2026-11-23T09:00:00+08:00")
    assert tuple(shown["texts"][name] for name in ("complainant", "contact", "matter", "demand")) == SECRETS
    assert shown["events"][0]["texts"] == {"external": "T1", "late": f"batch {done['batch']}"}
    assert {each["stage"] for each in shown["deadlines"]} == {"respond", "verify", "feedback", "progress"}
    office.through(row["number"], "verify")


def test_nothing_of_a_sheet_lies_in_clear(sheets: Sheets) -> None:
    office = sheets.office
    sheets.take(HEADER + GOOD + GOOD.replace("T1,K1", "T2,K9"), status=3)
    for row in office.desk.rows(select(complaint)) + office.desk.rows(select(complaint_event)):
        assert not [secret for secret in SECRETS if secret.encode() in repr(dict(row)).encode()]
    assert not [secret for secret in SECRETS for entry in office.desk.log() if secret.encode() in entry]


def test_rows_say_why_they_are_no_complaints(sheets: Sheets) -> None:
    rest = "王五,13511114444,电话,质量,,坏了,换,"
    text = HEADER + (
        f"A1,K9,,,{rest},,,,,\n"  # 2: a customer there is not
        f"A2,K1,,13712345670,{rest},,,,,\n"  # 3: two customers
        ",,,,王五,13511114444,电话,质量,,坏了,换,,,,,,\n"  # 4: nothing of a customer
        "A3,K1,,,王五,13511114444,飞鸽,质量,,坏了,换,,,,,,\n"  # 5
        "A4,K1,,,王五,13511114444,电话,胡说,,坏了,换,,,,,,\n"  # 6
        "A5,K1,,,王五,13511114444,电话,质量,天大,坏了,换,,,,,,\n"  # 7
        "A6,K2,,,,,电话,质量,,,换,,,,,,\n"  # 8: texts are missing
        "A7,K1,,,王五,13511114444,,,,坏了,换,,,,,,\n"  # 9: channel and category are missing
        f"A8,K1,,,{rest}2026-11-24 08:00,,,,,\n"  # 10: to come
        f"A9,K1,,,{rest}2026-11-10,,,,,\n"  # 11: long ago
        f"B1,K1,,,{rest},,,,已结案,\n"  # 12
        f"B2,K1,,,{rest},,,,,2026-11-20\n"  # 13
        f"B3,K1,,,{rest},Nobody;Ann,,,,\n"  # 14
        f"B4,K1,,,{rest},,,K7,,\n"  # 15
        f"B5,K1,,,{rest},,K1 K2,,,\n"  # 16
        f"B6,K1,,,{rest},,K1;K2,,,\n"  # 17
        f"B7,K1,,,{rest}2026-13-01,,,,什么,\n"  # 18
    )
    sheets.office.json(ADMIN, "staff", "deactivate", "K7", "--left-on", "2026-11-01")
    done = sheets.take(text, status=3)
    assert counts(done) == (17, 0, 0, 17)
    assert sheets.reasons(done["batch"]) == [
        (2, "CUSTOMER_UNKNOWN", ""),
        (3, "CUSTOMER_AMBIGUOUS", ""),
        (4, "CUSTOMER_UNKNOWN", ""),
        (5, "CHANNEL_UNKNOWN", "channel"),
        (6, "CATEGORY_UNKNOWN", "category"),
        (7, "SEVERITY_UNKNOWN", "severity"),
        (8, "REQUIRED", "complainant"),
        (8, "REQUIRED", "contact"),
        (8, "REQUIRED", "matter"),
        (9, "REQUIRED", "channel"),
        (9, "REQUIRED", "category"),
        (10, "AT_FUTURE", "received_at"),
        (11, "AT_TOO_EARLY", "received_at"),
        (12, "CLOSED_IN_FILE", "status"),
        (13, "CLOSED_IN_FILE", "closed_at"),
        (14, "STAFF_UNKNOWN", "about"),
        (15, "NOT_IN_POST", "handler"),
        (16, "STAFF_UNKNOWN", "receiver"),
        (17, "STAFF_AMBIGUOUS", "receiver"),
        (18, "DATE_INVALID", "received_at"),
        (18, "VALUE_UNKNOWN", "status"),
    ]
    assert sheets.rows() == []


@pytest.mark.parametrize(
    ("header", "cell", "whose"),
    [
        ("CRM客户号", "C-000002", 2),
        ("客户编号", "K2", 2),
        ("客户名称", "杭州示例科技有限公司", 1),
        ("客户名称", "赵敏敏", 3),
        ("手机号", "137 1234 5670", 2),
        ("邮箱", "zhang.sf@example.com", 2),
        ("联系电话", "13612345671", 3),
    ],
)
def test_a_customer_is_known_by_whatever_the_row_says(sheets: Sheets, header: str, cell: str, whose: int) -> None:
    text = f"工单号,{header},投诉人,联系方式,问题描述,诉求\n1,{cell},王五,010-88886666,坏了,换\n"
    if header == "联系电话":
        text = f"工单号,{header},投诉人,问题描述,诉求\n1,{cell},王五,坏了,换\n"
    done = sheets.take(text, "--channel", "电话", "--category", "other")
    assert (counts(done), sheets.rows()[0]["customer_id"]) == ((1, 1, 0, 0), whose)


def test_who_complains_is_the_customer_unless_the_row_says_who(sheets: Sheets) -> None:
    text = "工单号,客户名称,手机号,渠道,类别,事由,诉求\n1,张三丰,13712345670,微信,价格,多收,退\n"
    sheets.take(text)
    texts = sheets.private(sheets.rows()[0]["number"])["texts"]
    assert (texts["complainant"], texts["contact"]) == ("张三丰", "13712345670")


@pytest.mark.parametrize("number", ["T1", ""])
def test_the_same_file_again_creates_nothing(sheets: Sheets, number: str) -> None:
    """Whether its rows have numbers or not, and whatever is added to it."""
    text = HEADER + GOOD.replace("T1", number) + GOOD.replace("T1", number).replace("三天", "两天").replace("T", "U")
    if number:
        text = HEADER + GOOD + GOOD.replace("T1", "T2")
    assert counts(sheets.take(text)) == (2, 2, 0, 0)
    before = sheets.office.whole()
    sheets.office.hours.forward(hours=3)
    assert counts(sheets.take(text)) == (2, 0, 2, 0)
    assert sheets.office.whole() == before
    grown = text + GOOD.replace("T1", "T9" if number else "").replace("三天", "一天")
    assert counts(sheets.take(grown)) == (3, 1, 2, 0)


def test_a_row_twice_in_a_file_is_one_complaint(sheets: Sheets) -> None:
    plain = GOOD.replace("T1", "")
    for chunk in (1, 50):
        text = HEADER + GOOD.replace("T1", f"T{chunk}") * 2 + plain.replace("三天", f"{chunk}天") * 2
        assert counts(sheets.take(text, "--chunk", chunk)) == (4, 2, 2, 0)


def test_a_number_given_twice_to_different_complaints_is_told(sheets: Sheets) -> None:
    later = GOOD.replace("08:30", "08:45")
    done = sheets.take(HEADER + GOOD + later, status=3)
    assert (counts(done), sheets.reasons(done["batch"])) == ((2, 1, 0, 1), [(3, "NUMBER_TAKEN", "number")])
    again = sheets.take(HEADER + later, status=3)
    assert (counts(again), sheets.reasons(again["batch"])) == ((1, 0, 0, 1), [(2, "NUMBER_TAKEN", "number")])
    silent = GOOD.replace("2026-11-23 08:30", "")
    assert counts(sheets.take(HEADER + silent)) == (1, 0, 1, 0)


def test_numbers_belong_to_their_system(sheets: Sheets) -> None:
    named = GOOD.replace("K1", "", 1).replace(",,,,", ",,杭州示例科技有限公司,,", 1)
    assert counts(sheets.take(HEADER + named, "--source", "hotline")) == (1, 1, 0, 0)
    assert counts(sheets.take(HEADER + named, "--source", "shop")) == (1, 1, 0, 0)
    assert counts(sheets.take(HEADER + named, "--source", "hotline")) == (1, 0, 1, 0)
    assert sheets.take(HEADER + GOOD, "--source", "shop2", status=3)["reasons"] == {"CUSTOMER_UNKNOWN": 1}


def test_strangers_are_rejected_unless_wanted(sheets: Sheets) -> None:
    """A provisional customer each, with a key of its own; what the row says of them is kept, sealed."""
    text = HEADER + (
        "S1,K9,,13800001111,陌生人,13511115555,电话,态度,,骂人,道歉,,,,,,\n"
        "S2,,,,陌生人,13511115555,电话,态度,,骂人,道歉,,,,,,\n"
        ",,,,陌生人,13511115555,电话,态度,,骂人,道歉,,,,,,\n"
    )
    refused = sheets.take(text, status=3)
    assert refused["reasons"] == {"CUSTOMER_UNKNOWN": 3}
    office = sheets.office
    known = max(row["customer_id"] for row in office.desk.rows(select(customer.c.customer_id)))
    dry = sheets.take(text, "--unidentified", "--dry-run", status=3)
    assert (counts(dry), sheets.rows()) == ((3, 2, 0, 1), [])
    done = sheets.take(text, "--unidentified", status=3)
    assert (counts(done), done["reasons"]) == ((3, 2, 0, 1), {"NUMBER_NEEDED": 1})
    rows = sheets.rows()
    assert len({row["customer_id"] for row in rows}) == 2
    query = select(customer.c.status).where(customer.c.customer_id > known).order_by(customer.c.customer_id)
    assert [row["status"] for row in office.desk.rows(query)] == ["provisional"] * 2
    shown = sheets.private(rows[0]["number"])
    assert shown["events"][0]["texts"] == {"external": "S1", "whose": "K9; 13800001111"}
    assert counts(sheets.take(text, "--unidentified", status=3)) == (3, 0, 2, 1)


def test_what_is_long_ago_comes_in_only_as_migrated_and_the_log_says_so(sheets: Sheets) -> None:
    text = HEADER + GOOD.replace("2026-11-23 08:30", "2024-02-01 10:00")
    assert sheets.take(text, status=3)["reasons"] == {"AT_TOO_EARLY": 1}
    done = sheets.take(text, "--migrated")
    (row,) = sheets.rows()
    assert (counts(done), row["status"], row["batch_id"]) == ((1, 1, 0, 0), "accepted", done["batch"])
    shown = sheets.private(row["number"])
    assert (shown["received_at"], shown["accepted_at"]) == ("2024-02-01T10:00:00+08:00", "2026-11-23T09:00:00+08:00")
    assert shown["events"][0]["data"]["migrated"] is True
    begun = [entry for entry in sheets.office.desk.entries("complaint.import") if entry["result"] == "begun"]
    assert [entry.get("codes") for entry in begun] == [None, ["MIGRATED"]]
    tomorrow = GOOD.replace("T1", "T7").replace("11-23 08", "11-24 08")
    assert sheets.take(HEADER + tomorrow, "--migrated", status=3)["reasons"] == {"AT_FUTURE": 1}


def test_the_chunk_size_changes_nothing_and_numbers_have_no_gaps(sheets: Sheets) -> None:
    """CMP-03: the acceptance numbers of the day, one after the other."""
    body = "".join(GOOD.replace("T1", f"N{n}").replace("K1", "K9" if n % 5 == 0 else "K2") for n in range(1, 41))
    assert counts(sheets.take(HEADER + body, "--chunk", 7, status=3)) == (40, 32, 0, 8)
    sheets.office.open()
    assert counts(sheets.take(HEADER + body.replace("N", "M"), "--chunk", 1000, status=3)) == (40, 32, 0, 8)
    rows = sheets.rows()
    assert [row["number"] for row in rows] == [f"CMP-20261123-{n:04}" for n in range(1, 66)]


def test_a_dry_run_says_the_same_and_writes_nothing(sheets: Sheets) -> None:
    office = sheets.office
    text = HEADER + GOOD + GOOD + GOOD.replace("T1,K1", "T2,K9")
    before, log = office.whole(), len(office.desk.log())
    dry = sheets.take(text, "--dry-run", "--chunk", 1, status=3)
    assert (dry["batch"], dry["run_id"], office.whole(), len(office.desk.log())) == (None, None, before, log)
    done = sheets.take(text, "--chunk", 1, status=3)
    assert (counts(dry), dry["reasons"]) == (counts(done), done["reasons"]) == ((3, 1, 1, 1), {"CUSTOMER_UNKNOWN": 1})


def test_whom_it_is_about_does_not_handle_it(sheets: Sheets) -> None:
    """CMP-09: nobody handles it yet, where the sheet names that person, or their superior, as handler."""
    boss = GOOD.replace(",Ann,L1,K2,", ",Ann,,W1,").replace("T1", "T2")
    sheets.take(HEADER + GOOD.replace(",Ann,L1,K2,", ",Ann,,Ann,") + boss)
    assert [row["handler_id"] for row in sheets.rows()] == [None, None]


def test_without_a_limit_to_tell_nothing_is_begun(sheets: Sheets) -> None:
    """CMP-03: the value that the policy waits for is decided first."""
    office = sheets.office
    before = office.json(STEWARD, "batch", "list")["batches"]
    office.desk.edit("complaints.yaml", "number: $complaint_feedback_days", "number: $no_answer_days")
    values = "  values:\n    no_answer_days: {value: unset, unit: days, labels: {zh: 无, en: None}}\n"
    office.desk.edit("company.yaml", "  values:\n", values)
    assert office.desk.refusal(STEWARD, "complaint", "import", sheets.write(HEADER + GOOD), status=4) == (
        "FEEDBACK_UNDECIDED"
    )
    assert office.json(STEWARD, "batch", "list")["batches"] == before


def test_columns_are_mapped_or_dropped_or_stop_the_file(sheets: Sheets) -> None:
    text = "工单号,客户编号,谁,联系方式,渠道,类别,事由,诉求,天气\n1,K1,王五,139,电话,质量,坏了,换,晴\n"
    assert sheets.take(text, status=4)["code"] == "COLUMN_UNKNOWN"
    mapping = sheets.office.desk.folder.parent / "mapping.yaml"
    mapping.write_text("mapping: {谁: complainant}\n", "utf-8")
    assert counts(sheets.take(text, "--mapping", mapping, "--drop-unknown")) == (1, 1, 0, 0)
    assert sheets.take("客户编号,投诉人\nK1,王五\n", status=4)["code"] == "COLUMN_MISSING"


def test_rejected_rows_are_written_corrected_and_imported_again(sheets: Sheets) -> None:
    path = sheets.office.desk.folder.parent / "rejects.csv"
    done = sheets.take(HEADER + GOOD + GOOD.replace("T1", "T2").replace("电话", "飞鸽"), "--rejects", path, status=3)
    assert (done["rejects_file"], counts(done)) == (str(path), (2, 1, 0, 1))
    text = path.read_text("utf-8-sig")
    assert "飞鸽" in text
    assert counts(sheets.take(text.replace("飞鸽", "电话"))) == (1, 1, 0, 0)


def test_who_may_not_import_or_sees_not_all_customers_does_not(sheets: Sheets) -> None:
    """ACC-01: an import concerns all customers."""
    path = sheets.write(HEADER + GOOD)
    refusals = {AUDITOR: "ACT_NOT_GRANTED", HANDLER: "ACT_DENIED", AGENT: "ACT_SCOPE_TOO_NARROW"}
    for uid, code in refusals.items():
        assert sheets.office.desk.refusal(uid, "complaint", "import", path) == code
    assert sheets.rows() == []


def test_the_empty_sheet_is_one_that_imports(sheets: Sheets) -> None:
    office = sheets.office
    empty = office.desk.say(STEWARD, "complaint", "template", "-o", "csv", "--lang", "zh")
    header = empty.stdout.lstrip("\ufeff").splitlines()[0]
    assert {"投诉编号", "渠道*", "类别*", "投诉事由*", "诉求*", "投诉人*", "联系方式*"} <= set(header.split(","))
    cells = {
        "投诉编号": "1",
        "客户编号": "K1",
        "渠道*": "电话",
        "类别*": "产品质量",
        "投诉事由*": "坏了",
        "诉求*": "换",
    }
    cells |= {"投诉人*": "王五", "联系方式*": "139", "接到时间": "2026-11-23 08:00"}
    row = ",".join(cells.get(name, "") for name in header.split(","))
    assert counts(sheets.take(f"{header}\n{row}\n")) == (1, 1, 0, 0)
    out = office.desk.folder.parent / "empty.xlsx"
    office.desk.say(STEWARD, "complaint", "template", "-o", "xlsx", "--out", out)
    assert office.desk.refusal(STEWARD, "complaint", "import", out, status=4) == "NO_ROWS"


def test_an_import_is_a_batch_like_any_other(sheets: Sheets) -> None:
    done = sheets.take(HEADER + GOOD + GOOD.replace("T1,K1", "T2,K9"), status=3)
    listed = sheets.office.json(STEWARD, "batch", "list")["batches"][0]
    assert (listed["batch"], listed["kind"], counts(listed)) == (done["batch"], "complaint", (2, 1, 0, 1))
    (entry,) = [each for each in sheets.office.desk.entries("complaint.import") if "rows" in each]
    assert (entry["rows"], entry["codes"], entry["counts"]["created"]) == ([2, 3], ["CUSTOMER_UNKNOWN"], 1)
