"""Books handed over, accepted, given back; sheet and WeCom file; customers that go back to a pool (OWN-02, OWN-03)."""

from __future__ import annotations

import csv
import io
import re
import stat
import zipfile
from typing import Any

import pytest
from desks import SUPERVISOR
from officeworld import ANNA, BEN, STEWARD, Office
from sqlalchemy import insert, select

from crmctl.complaints.tables import complaint
from crmctl.customers.ownership import ownership
from crmctl.owners import wecom
from crmctl.owners.applying import CHUNK
from crmctl.owners.handing import shared
from crmctl.store.engine import write

BOOK = (4, 5, 6, 7)


def test_a_book_changes_hands_and_nothing_else_does(office: Office) -> None:
    office.give("A1", *BOOK)
    office.give("B2", 8)
    since = office.desk.rows(ownership.select())[0]["since_at"]
    values = {
        "staff_id": office.ids["A1"], "since_at": since, "reason": "manual",
        "rule": "", "policy": "", "policy_version": 0, "inputs": "{}", "run_id": 1, "ordered_by": "x", "customer_id": 4,
    }  # fmt: skip
    with write(office.desk.engine) as conn:
        for number, role in ((90_001, "first_receiver"), (90_002, "collaborator")):
            conn.execute(insert(ownership).values(**values, ownership_id=number, role=role))
    planned = office.json("owner", "handover", "A1", "--to", "B2", "--dry-run")
    assert (planned["handed_over"], planned["handover"]) == (4, None)
    assert office.open()[4] == office.ids["A1"]
    done = office.json("owner", "handover", "A1", "--to", "B2", "--reason", "move")
    assert (done["handed_over"], done["missed"], done["reason"]) == (4, 0, "move")
    assert [(row["number"], row["customers"]) for row in done["to"]] == [("B2", 4)]
    assert office.open() == dict.fromkeys((*BOOK, 8), office.ids["B2"])
    assert office.items(1) == dict.fromkeys(BOOK, (office.ids["B2"], "open"))
    rows = office.desk.rows(ownership.select().where(ownership.c.customer_id == 4))
    assert {(row["role"], row["until_at"] is None, row["end_reason"]) for row in rows} == {
        ("owner", False, "handover"), ("owner", True, None), ("first_receiver", True, None),
        ("collaborator", True, None),
    }  # fmt: skip
    assert office.json("owner", "handover", "A1", "--to", "B2", status=1)["code"] == "NO_CUSTOMERS"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--to", "A1"), "SAME_PERSON"),
        (("--to", "C3"), "UNTRAINED"),
        (("--to", "D4"), "UNSIGNED"),
        (("--to", "F6"), "INACTIVE"),
        (("--to", "E5"), "CAPACITY_FULL"),
        (("--to", "nobody"), "STAFF_UNKNOWN"),
        (("--to", "B2", "--partial", "C-4,C-8"), "OTHER_OWNER"),
    ],
)
def test_what_cannot_be_handed_over(office: Office, words: Any, code: str) -> None:
    office.give("A1", *BOOK)
    office.give("B2", 8)
    assert office.say("staff", "update", "E5", "--capacity", "3").exit_code == 0
    before = office.owners()
    assert office.json("owner", "handover", "A1", *words, status=1)["code"] == code
    assert office.owners() == before


def test_a_part_of_a_book(office: Office) -> None:
    office.give("A1", *BOOK)
    done = office.json("owner", "handover", "A1", "--to", "B2", "--partial", "C-000004,5")
    assert (done["handed_over"], set(office.items(1))) == (2, {4, 5})
    assert office.json("owner", "handover", "A1", "--to", "B2", "--share", 50)["handed_over"] == 1
    assert list(office.open().values()).count(office.ids["A1"]) == 1


@pytest.mark.parametrize("words", ["", " , ", "，、"])
def test_a_part_that_names_nobody_is_not_everybody(office: Office, words: str) -> None:
    office.give("A1", *BOOK)
    before = office.owners()
    done = office.say("owner", "handover", "A1", "--to", "B2", "--partial", words)
    assert done.exit_code == 4 and "--partial" in done.stderr
    assert office.owners() == before


@pytest.mark.parametrize("share", [1, 25, 33, 50, 99])
def test_a_share_is_spread_over_tiers_whatever_the_order(share: int) -> None:
    book = [(number, "core" if number % 4 == 0 else "ordinary") for number in range(1, 401)]
    taken = shared(7, book, share)
    assert taken == shared(7, book[::-1], share)
    assert len(taken) == 400 * share // 100
    core = sum(number % 4 == 0 for number in taken)
    assert abs(core - share) <= 1  # of a hundred


def test_a_leavers_book_goes_where_the_policy_says_and_never_over_capacity(office: Office) -> None:
    office.give("F6", *range(4, 16))
    for number in ("E001", "E003", "E004", "E008"):
        assert office.say("staff", "deactivate", number).exit_code == 0
    assert office.say("staff", "update", "B2", "--capacity", "2").exit_code == 0
    assert office.say("staff", "update", "E5", "--capacity", "1").exit_code == 0
    planned = office.json("owner", "handover", "F6", "--by-policy", "--dry-run")
    done = office.json("owner", "handover", "F6", "--by-policy")
    assert planned["to"] == done["to"] and planned["stays"] == done["stays"] == {"FULL": 1}
    assert {row["number"]: row["customers"] for row in done["to"]} == {"A1": 8, "B2": 2, "E5": 1}
    assert done["reason"] == "leave"
    assert len(office.items(1)) == 11
    assert office.json("owner", "list", "--unfit")["customers"] == 1


def test_a_book_that_nobody_can_take_is_no_handover(office: Office) -> None:
    office.desk.edit(
        "owners.yaml",
        "code: all, labels: {zh: 全部, en: All}",
        "code: all, labels: {zh: 全部}, staff: {departments: [nowhere]}",
    )
    office.give("A1", *BOOK)
    done = office.json("owner", "handover", "A1", "--by-policy")
    assert (done["handed_over"], done["handover"], done["stays"]) == (0, None, {"DEPARTMENT": 4})
    assert office.json("owner", "handover", "list")["handovers"] == []
    told = office.say("owner", "handover", "A1", "--by-policy").stdout
    assert "4 customers stay: nobody is of a department that the rule asks for" in told
    office.desk.edit("owners.yaml", "owner: grading post\n", "owner: grading post\nmode: report\n")
    assert "no owners policy that acts" in office.say("owner", "handover", "A1", "--by-policy").stdout


def test_who_takes_over_accepts_their_own(office: Office) -> None:
    office.give("A1", *BOOK)
    office.json("owner", "handover", "A1", "--to", "B2")
    assert office.json("owner", "handover", "accept", 1, uid=ANNA, status=1)["code"] == "NOTHING_OPEN"
    assert office.json("owner", "handover", "show", 1, uid=ANNA)["handovers"][0]["from"] == office.ids["A1"]
    part = office.json("owner", "handover", "accept", 1, "--partial", "4", uid=BEN)
    assert (part["accepted"], part["open"], part["state"]) == (1, 3, "open")
    assert office.json("owner", "handover", "accept", 1, "--partial", "4", uid=BEN, status=1)["code"] == "NOTHING_OPEN"
    rest = office.json("owner", "handover", "accept", 1, uid=BEN)
    assert (rest["accepted"], rest["open"], rest["state"]) == (3, 0, "accepted")
    (head,) = office.json("owner", "handover", "list")["handovers"]
    assert [head[name] for name in ("customers", "accepted", "returned", "state", "ordered_by")] == [
        4, 4, 0, "accepted", "zhou.m",
    ]  # fmt: skip
    assert office.json("owner", "handover", "list", "--open")["handovers"] == []


def test_what_is_given_back_goes_to_whoever_had_it_or_to_the_pool(office: Office) -> None:
    office.give("A1", *BOOK)
    office.json("owner", "handover", "A1", "--to", "B2")
    back = office.json("owner", "handover", "return", 1, "--partial", "4", uid=BEN)
    assert (back["returned"], back["returned_to"]) == (1, office.ids["A1"])
    assert office.open()[4] == office.ids["A1"]
    pool = office.json("owner", "handover", "return", 1, "--partial", "5", "--pool", uid=BEN)
    assert (pool["returned_to"], office.owners()[5]) == (None, None)
    assert office.say("staff", "deactivate", "A1").exit_code == 0
    gone = office.json("owner", "handover", "return", 1, "--partial", "6", uid=BEN)
    assert (gone["returned_to"], office.owners()[6]) == (None, None)
    office.give("E5", 7)  # somebody was quicker: it stays theirs
    assert office.json("owner", "handover", "return", 1, uid=BEN)["missed"] == 1
    assert office.owners()[7] == office.ids["E5"]


def test_the_sheet_has_both_sides_and_nothing_in_clear(office: Office) -> None:
    office.give("A1", *BOOK)
    office.json("owner", "handover", "A1", "--to", "B2")
    page, book = office.desk.folder.parent / "1.html", office.desk.folder.parent / "1.xlsx"
    done = office.say("owner", "handover", "sheet", 1, "-o", "html", "--out", page)
    assert (done.exit_code, done.stdout) == (0, "")
    text = page.read_text("utf-8")
    for wanted in (
        "Handover sheet 1",
        "Anna (A1)",
        "Ben (B2)",
        "C-000007",
        "公司004有限公司",
        "none recorded",
        "does not keep these yet: write them in by hand",
        "Signature",
    ):
        assert wanted in text
    assert "联系人001" not in text and "13800000001" not in text
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert office.say("owner", "handover", "sheet", 1, "-o", "html", "--out", page).exit_code == 1
    assert office.say("owner", "handover", "sheet", 1, "--lang", "zh", "--out", book).exit_code == 0
    inside = zipfile.ZipFile(io.BytesIO(book.read_bytes())).read("xl/sharedStrings.xml").decode()
    assert "公司004有限公司" in inside and "13800000001" not in inside
    kinds = [copy["kind"] for copy in office.json("use", "copies", uid=SUPERVISOR)["copies"]]
    assert kinds == ["handover sheet", "handover sheet"]
    (begun, finished, *_more) = office.desk.entries("owner.handover.sheet")
    assert (begun["result"], begun["looks"], finished["result"]) == ("begun", 4, "done")


def test_what_people_typed_is_text_on_the_page(office: Office) -> None:
    assert office.say("staff", "update", "B2", "--name", "<script>alert(1)</script>").exit_code == 0
    office.give("A1", 4)
    office.json("owner", "handover", "A1", "--to", "B2")
    page = office.desk.folder.parent / "1.html"
    assert office.say("owner", "handover", "sheet", 1, "-o", "html", "--out", page).exit_code == 0
    assert "<script>" not in page.read_text("utf-8") and "&lt;script&gt;" in page.read_text("utf-8")


def test_the_transfer_file_respects_the_limits_of_wecom(office: Office) -> None:
    office.give("A1", *BOOK)
    out = office.desk.folder.parent
    for time, (giver, taker) in enumerate((("A1", "B2"), ("B2", "A1"), ("A1", "B2")), start=1):
        office.json("owner", "handover", giver, "--to", taker)
        words = ("owner", "handover", "wecom", time, "--purpose", "contact", "--out", out / f"{time}.json")
        if time < 3:
            done = office.json(*words, uid=STEWARD)
            assert (done["customers"], done["others"]) == (4, [])
    refused = office.json(*words, uid=STEWARD, status=1)
    assert refused["code"] == "NOTHING_TO_TRANSFER" and not (out / "3.json").exists()
    assert [each["code"] for each in refused["details"]["others"]] == ["TRANSFER_LIMIT"] * 4
    told = office.document(out / "1.json")
    assert told["interface"] == "externalcontact/transfer_customer"
    (call,) = told["calls"]
    assert (call["handover_userid"], call["takeover_userid"]) == ("anna", "ben")
    assert call["external_userid"] == ["wm00001", "wm00002", "wm00003", "wm00004"]
    words = ("owner", "handover", "wecom", 2, "--purpose", "contact", "--out", out / "again.json")
    assert office.json(*words, uid=STEWARD, status=1)["details"]["others"][0]["code"] == "IN_A_FILE"
    assert office.say("staff", "deactivate", "A1").exit_code == 0
    words = ("owner", "handover", "wecom", 3, "--purpose", "contact", "-o", "csv", "--out", out / "3.csv")
    assert office.say(*words, uid=STEWARD).exit_code == 0
    rows = list(csv.DictReader(io.StringIO((out / "3.csv").read_text("utf-8"))))
    assert [row["interface"] for row in rows] == ["externalcontact/resigned/transfer_customer"] * 4


def test_a_call_has_a_hundred_at_most() -> None:
    calls = [wecom.Call("a", "b", tuple(f"wm{n}" for n in range(wecom.A_CALL)))]
    assert wecom.json_bytes("x", calls).count(b"wm") == 100
    assert (wecom.A_CALL, wecom.TRANSFERS, wecom.DAYS, CHUNK) == (100, 2, 90, 10_000)


def test_external_ids_leave_only_with_the_right_to_export_them(office: Office) -> None:
    office.give("A1", 4)
    office.json("owner", "handover", "A1", "--to", "B2")
    out = office.desk.folder.parent / "w.json"
    words = ("owner", "handover", "wecom", 1, "--out", out)
    assert office.json(*words, "--purpose", "contact", status=6)["code"] == "FIELD_NOT_EXPORTED"
    assert office.json(*words, "--purpose", "analysis", uid=STEWARD, status=6)["code"] == "FIELD_NOT_EXPORTED"
    assert office.json(*words, "--purpose", "advertising", uid=STEWARD, status=6)["code"] == "PURPOSE_FORBIDDEN"
    assert not out.exists()


def test_who_is_not_looked_after_goes_back_to_the_pool(office: Office) -> None:
    """Windows by tier, by last contact and by the end of the contract; of whom nothing is known nothing is done."""
    day = office.day
    office.update(
        8,
        tier=["core", "core", "important", "important", "ordinary", "ordinary", "core", "important"],
        last_contact_at=[day(-70), day(-50), day(-40), day(-40), day(-300), "", "", day(-40)],
        contract_end_on=["", "", day(-20), day(20), day(-150), day(-150), "", ""],
    )
    office.give("B2", *range(4, 12))
    fresh = office.json("owner", "reclaim", "--dry-run")
    assert fresh["by_rule"] == {"pools[0].reclaim[2]": 2}  # the others' owner has only just begun
    office.sql("UPDATE ownership SET since_at = '2026-01-05T00:00:00Z'")
    planned = office.json("owner", "reclaim", "--dry-run")
    done = office.json("owner", "reclaim", "--max-changes", 10)
    assert planned["by_rule"] == done["by_rule"] == {
        "pools[0].reclaim[0]": 1, "pools[0].reclaim[1]": 2, "pools[0].reclaim[2]": 1,
    }  # fmt: skip
    assert (done["reclaimed"], done["unknown"]) == (4, 2)
    gone = {number for number, owner in office.owners().items() if owner is None and 4 <= number < 12}
    assert gone == {4, 6, 8, 9}
    (row,) = office.json("owner", "history", 4)["history"]
    assert (row["ended_because"], row["to"] is not None) == ("reclaim", True)
    assert office.json("owner", "reclaim")["reclaimed"] == 0


def test_reclaiming_stays_within_the_limits(office: Office) -> None:
    office.desk.edit("owners.yaml", "limits: {max_percent: 100}", "limits: {max_changes: 1}")
    office.update(3, tier=["core"] * 3, last_contact_at=[office.day(-70)] * 3)
    office.give("B2", 4, 5, 6)
    office.sql("UPDATE ownership SET since_at = '2026-01-05T00:00:00Z'")
    assert office.json("owner", "reclaim", "--dry-run", status=7)["reclaimed"] == 3
    assert office.json("owner", "reclaim", status=7)["code"] == "LIMIT_EXCEEDED"
    assert len(office.open()) == 3
    assert office.json("owner", "reclaim", "--max-changes", 3)["reclaimed"] == 3


def test_a_policy_that_only_reports_takes_nothing(office: Office) -> None:
    office.desk.edit("owners.yaml", "owner: grading post\n", "owner: grading post\nmode: report\n")
    office.update(1, tier=["core"], last_contact_at=[office.day(-70)])
    office.give("B2", 4)
    office.sql("UPDATE ownership SET since_at = '2026-01-05T00:00:00Z'")
    done = office.json("owner", "reclaim")
    assert (done["reclaimed"], done["reported"]) == (0, 1)
    assert office.open() == {4: office.ids["B2"]}


def test_the_sheet_lists_open_complaints_and_leaves_them_as_they_are(office: Office) -> None:
    """OWN-02, OWN-03: handler and first receiver stay; the sheet says which complaints the giver goes on handling."""
    office.give("A1", *BOOK)
    said = ("--complainant", "联系人004", "--contact", "13800000004", "--matter", "渗水三天", "--demand", "上门维修")
    words = ("complaint", "open", "C-4", "--channel", "phone", "--category", "quality", *said)
    mine = office.json(*words, uid=ANNA)["number"]
    others = office.json(*words, "--handler", "E5", uid=SUPERVISOR)["number"]
    done_with = office.json(*words, uid=ANNA)["number"]
    office.json("complaint", "mark-duplicate", done_with, "--of", mine, "--reason", "同一来电", uid=ANNA)
    somebody = ("complaint", "open", "--unidentified", *words[3:])
    linked = office.json(*somebody, uid=SUPERVISOR)["number"]
    office.json("complaint", "link", linked, "C-5", "--reason", "回电核对", uid=SUPERVISOR)
    office.json(*words[:2], "C-8", *words[3:], uid=SUPERVISOR)  # of nobody who is handed over
    before = office.desk.rows(select(complaint).order_by(complaint.c.complaint_id))

    office.json("owner", "handover", "A1", "--to", "B2")

    assert office.desk.rows(select(complaint).order_by(complaint.c.complaint_id)) == before
    page = office.desk.folder.parent / "complaints.html"
    assert office.say("owner", "handover", "sheet", 1, "-o", "html", "--out", page).exit_code == 0
    text = page.read_text("utf-8")
    rows = re.findall(r"<td>(C-\d+)</td><td>(CMP-[-\d]+)</td>.*?<td>([^<]*)</td></tr>", text)
    assert rows == [("C-000004", mine, "Anna (A1), still"), ("C-000004", others, "Eve (E5)"), ("C-000005", linked, "")]
    assert re.search(rf"Goes on handling</th><td>{mine}</td>", text)
    assert "Anna (A1)</td><td>Anna (A1), still" in text
    assert "渗水" not in text and done_with not in text
    assert "none recorded" in text and "write them in by hand" in text  # orders; promises
