"""The company of the scripted year: three org units with calendars of their own, four complaints policies, people.

On 1 July its policies change: every limit is halved, their versions go up. Nothing else about them is anybody's.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import workspaces
import yaml
from golden import Result, call

SHIPPED = Path(__file__).parents[2] / "policies"
STEWARD, SUPERVISOR, ADMIN, HANDLERS = 1001, 1002, 1004, (2001, 2002, 2003)
TYPES = ("enterprise", "enterprise", "individual", "government", "industry")
TIERS = ("core", "important", "ordinary", "potential", "")
UNITS = ("head", "head", "north", "hotline")
CALENDARS = {"working": "calendar.yaml", "north": "calendar.north.yaml", "hotline": "calendar.hotline.yaml"}
CALENDAR_OF = {"head": "working", "north": "north", "hotline": "hotline"}
VALUES = {  # before July and from then on; no limit at all where None
    "complaint_response_minutes": (30, 15),
    "complaint_feedback_days": (7, 4),
    "complaint_plan_days": (3, 2),
    "complaint_progress_days": (None, 2),
    "complaint_analysis_days": (10, 5),
}
HALVES = {"24 hours": "12 hours", "48 hours": "24 hours", "1 working day": "4 working hours",
          "1 working hour": "30 working minutes", "15 working minutes": "8 working minutes",
          "4 working hours": "2 working hours", "2 days": "1 day", "15 days": "7 days"}  # fmt: skip
NORTH = """\
kind: calendar
schema: 1
name: north
version: 1
owner: information post
scope: {org_unit: [north]}
settings:
  hours:
    - {days: [mon, tue, wed, thu, fri], shifts: ["08:30-11:30", "13:30-17:30"]}
    - {days: [sat], shifts: ["08:30-12:00"]}
  holidays: CN
  fixed_holidays: ["01-01", "05-01", "10-01"]
  days_off:
    - {date: 2026-07-18, labels: {en: Works outing}}
  days_worked:
    - {date: 2026-10-06, labels: {en: Stock-taking}, shifts: ["10:00-15:00"]}
    - {date: 2026-03-08, labels: {en: Fair}}
"""
HOTLINE = """\
kind: calendar
schema: 1
name: hotline
version: 1
owner: information post
scope: {org_unit: [hotline]}
settings:
  hours:
    - {days: [mon, tue, wed, thu, fri, sat, sun], shifts: ["00:00-02:00", "08:00-24:00"]}
  holidays: none
  fixed_holidays: ["01-01"]
"""


def make(folder: Path, database: str) -> None:
    """Make the company's workspace with the policies it has until July, at the time the clock shows."""
    workspaces.make(folder, database)
    policies = folder / "policies"
    shutil.copy(SHIPPED / "_demo_company.yaml", policies / "company.yaml")
    _write_people(policies / "access.yaml")
    (policies / CALENDARS["north"]).write_text(NORTH, "utf-8")
    (policies / CALENDARS["hotline"]).write_text(HOTLINE, "utf-8")
    _edit(policies / "company.yaml", "  default_org_unit: head", (
        "    - {code: north, labels: {en: North branch}}\n    - {code: hotline, labels: {en: Hotline}}\n"
        "  default_org_unit: head"
    ))  # fmt: skip
    _decide(policies / "company.yaml", 0)
    _limits_by_kind(policies / "complaints.yaml")
    (policies / "complaints.north.yaml").write_text(_with_pauses((policies / "complaints.yaml").read_text("utf-8")))


def _edit(path: Path, old: str, new: str) -> None:
    found = path.read_text("utf-8")
    assert found.count(old) == 1, (path.name, old, found.count(old))
    path.write_text(found.replace(old, new), "utf-8")


def _write_people(path: Path) -> None:
    people = {"li.na": (STEWARD, "steward"), "wang.j": (SUPERVISOR, "supervisor"), "zhou.m": (ADMIN, "admin")}
    people |= {f"han.{uid}": (uid, "complaints") for uid in HANDLERS}
    papers = "confidentiality_signed: 2025-12-01, training_passed: 2025-12-01"
    lines = [f'    "{name}": {{uids: [{uid}], roles: [{role}], {papers}}}\n' for name, (uid, role) in people.items()]
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"  people:.*?\n\n", lambda _found: "  people:\n" + "".join(lines) + "\n", text,
                           count=1, flags=re.S), "utf-8")  # fmt: skip


def _decide(path: Path, period: int) -> None:
    """Write the values of a period into company.yaml."""
    text = path.read_text("utf-8")
    for name, of_period in VALUES.items():
        value = "unset" if of_period[period] is None else str(of_period[period])
        text, n = re.subn(rf"(    {name}:\n      value: )\S+", rf"\g<1>{value}", text)
        assert n == 1, name
    path.write_text(text, "utf-8")


def _limits_by_kind(path: Path) -> None:
    """Let limits depend on severity, tier and channel, as variants of one stage."""
    respond = "        - {number: $complaint_response_minutes"
    propose = "        - {number: $complaint_plan_days"
    _edit(path, respond, "        - {within: 15 working minutes, severity: [critical]}\n" + respond)
    _edit(path, propose, "        - {within: 1 working day, tier: [core]}\n" + propose)
    _edit(path, "        - {within: 1 working day, source: [\"004 §11(二)\"]}", (
        "        - {within: 4 working hours, channel: [phone, authority]}\n"
        "        - {within: 2 days, channel: [mail], customer_type: [individual]}\n"
        "        - {within: 1 working day, source: [\"004 §11(二)\"]}"
    ))  # fmt: skip


def _with_pauses(text: str) -> str:
    """Return the policy as the branch has it: clocks stand still, days end at the time of day they began."""
    text = text.replace("version: 1\n", "name: north\nversion: 1\nscope: {org_unit: [north]}\n", 1)
    for stage in ("respond", "verify", "propose", "feedback", "progress", "revisit"):
        text, n = re.subn(rf"(    - code: {stage}\n(?:      .*\n)*?      ends: .*\n)", r"\1      pauses: true\n", text)
        assert n == 1, stage
    text = re.sub(r"waiting: \{.*\}", (
        "waiting: {from: [handed, proposed], until: [answered, progressed, agreed, refused, closed, duplicated]}"
    ), text)  # fmt: skip
    text = text.replace("unit: working_day,", "unit: working_day, ends: elapsed,", 1)
    return text.replace(
        "{number: $complaint_response_minutes,", "{calendar: hotline, number: $complaint_response_minutes,"
    )


def change(folder: Path) -> None:
    """Change the policies as of July: limits are halved, one that was not decided is, versions are 2."""
    policies = folder / "policies"
    _decide(policies / "company.yaml", 1)
    for path in (policies / "company.yaml", *policies.glob("complaints*.yaml")):
        text = re.sub(r"^version: 1$", "version: 2", path.read_text("utf-8"), count=1, flags=re.M)
        text = re.sub(r"(- \{within: )([0-9][a-z0-9 ]*)", lambda found: found[1] + HALVES[found[2]], text)
        path.write_text(text, "utf-8")


def calendars(folder: Path) -> Mapping[str, Any]:
    """Return the settings of each calendar as its file has them, by name."""
    files = {name: folder / "policies" / file for name, file in CALENDARS.items()}
    return {name: yaml.safe_load(path.read_text("utf-8"))["settings"] for name, path in files.items()}


def staff_sheet() -> str:
    """Return the register: the handlers, and somebody complaints are about."""
    head = "工号,姓名,系统账号编号,岗前培训通过日期,保密协议签署日期,入职日期\n"
    lines = [f"H{uid},Handler {uid},{uid},2025-12-05,2025-12-05,2025-01-01\n" for uid in HANDLERS]
    return head + "".join(lines) + "S9,Seller,,2025-12-05,2025-12-05,2025-01-01\n"


def customer_sheet(number: int) -> str:
    """Return customers of every type, tier and org unit."""
    lines = ["customer_type,company_name,name,mobile,tier,org_unit\n"]
    for n in range(number):
        kind = TYPES[n % len(TYPES)]
        firm = "" if kind == "individual" else f"公司{n:05}有限公司"
        lines.append(f"{kind},{firm},联系人{n},138{n:08},{TIERS[n // 5 % len(TIERS)]},{UNITS[n // 3 % len(UNITS)]}\n")
    return "".join(lines)


def said(folder: Path, *words: object) -> Result:
    """Run a command that ends well."""
    done = call(["-w", str(folder), *map(str, words)])
    assert done.exit_code == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done
