"""Rows that imports rejected are destroyed by import when their time is over, as customers are (DES-01, DES-06)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from casework import Hours, Office
from desks import ADMIN, STEWARD, SUPERVISOR
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from crmctl.retention.decide import DUE, GRACE, RUNNING
from crmctl.retention.rejected import Terms
from crmctl.sheets.tables import batch, rejected_row

ROWS = "customer_type,name,mobile\nindividual,王导入,13600000001\nalien,李不要,13600000002\nalien,赵不要,13600000003\n"


def imported(office: Office, name: str = "rejected.csv", text: str = ROWS) -> int:
    """Import a file of which two rows are rejected; return the number of the import."""
    return int(office.json(STEWARD, "customer", "import", written(office, name, text), status=3)["batch"])


def written(office: Office, name: str, text: str) -> Path:
    path = office.desk.folder.parent / name
    path.write_text(text, "utf-8")
    return path


def later(hours: Hours, office: Office, days: int) -> None:
    """Let days go by in which cron did its work."""
    hours.forward(days=days)
    office.json(ADMIN, "keys", "rotate")


def count(office: Office, number: int) -> int:
    """Return how many rejected rows an import has."""
    query = select(func.count().label("n")).select_from(rejected_row).where(rejected_row.c.batch_id == number)
    return int(office.desk.rows(query)[0]["n"])


def approved(office: Office, *words: object) -> int:
    """Plan and let somebody else agree; return the number of the plan."""
    plan = int(office.json(STEWARD, "purge", "plan", *words)["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    return plan


def kept(made: dict[str, object]) -> dict[int, object]:
    """Return the imports that a plan lists, with why they stay."""
    told = made["rejected_rows"]
    assert isinstance(told, dict)
    return {each["batch"]: each["kept"] for each in told["imports"]}


def test_from_plan_to_proof(office: Office, hours: Hours) -> None:
    """DES-01, DES-04, DES-06: after twelve months and the window, by a plan of its own, with a record that says so."""
    number = imported(office)
    later(hours, office, 380)
    made = office.json(STEWARD, "purge", "plan", "--kind", "rejected_rows", "--dry-run")
    assert (kept(made), made["rejected_rows"]["states"]) == ({}, {"grace": 1})
    later(hours, office, 30)
    plan = approved(office, "--kind", "rejected_rows")
    shown = office.json(STEWARD, "purge", "show", plan)
    assert shown["destroy"] == {}
    assert kept(shown)[number] is None
    assert shown["rows"] == {"rejected_row": 2}
    rehearsed = office.json(STEWARD, "purge", "run", plan, "--dry-run")["purges"][0]
    assert number in rehearsed["imports"]
    assert count(office, number) == 2
    done = office.json(STEWARD, "purge", "run", plan)["purges"][0]
    assert (done["destroyed"], done["rows"], done["imports_spared"]) == (0, {"rejected_row": 2}, {})
    assert number in done["imports"]
    assert count(office, number) == 0
    office.sound()
    verified = office.json(STEWARD, "purge", "verify", plan)
    assert verified["clean"]
    assert {each["check"]: each["looked"] for each in verified["checks"]}["rejected_rows"] == 1
    record = json.loads(office.desk.say(STEWARD, "purge", "show", plan, "--record").stdout)
    assert {"batch": number, "rejected_rows": 2} in record["imports"]["destroyed"]
    assert (record["destroyed"], record["digests"]) == (0, 1)
    entries = [body for body in office.desk.entries("purge.run") if body.get("batch") == number]
    assert [(body["n"], body["obj"]) for body in entries] == [(2, f"plan:{plan}")]


def test_what_is_left_of_an_import(office: Office, hours: Hours) -> None:
    """Counts and the file's hash stay; its name, its cells and its key are gone, and work goes on."""
    number = imported(office)
    later(hours, office, 410)
    plan = approved(office, "--kind", "rejected_rows")
    office.json(STEWARD, "purge", "run", plan)
    shown = office.json(STEWARD, "batch", "show", number)
    assert (shown["file"], shown["rejected"], shown["reasons"]) == (None, 2, {})
    assert shown["destroyed_at"]
    assert "rejected.csv" not in office.desk.say(STEWARD, "batch", "show", number).stdout
    for words in ((), ("--export", office.desk.folder.parent / "again.csv")):
        assert office.desk.refusal(STEWARD, "batch", "rejects", number, *words, status=1) == "BATCH_DESTROYED"
    assert not (office.desk.folder.parent / "again.csv").exists()
    (row,) = office.desk.rows(select(batch.c.sealed).where(batch.c.batch_id == number))
    assert bytes(row["sealed"]) == b""
    following = imported(office, "next.csv", ROWS.replace("136", "137"))
    assert following == number + 1
    assert kept(office.json(STEWARD, "purge", "plan", "--kind", "rejected_rows")) == {}


def test_a_file_of_them_keeps_them(office: Office, hours: Hours) -> None:
    """DES-06: while a copy is outside its import stays, listed; one made after the approval is seen as well."""
    first, second = imported(office), imported(office, "second.csv", ROWS.replace("136", "138"))
    out = office.desk.folder.parent / "out.csv"
    office.json(STEWARD, "batch", "rejects", first, "--export", out)
    later(hours, office, 410)
    plan = approved(office)
    assert kept(office.json(STEWARD, "purge", "show", plan))[first] == "copies"
    office.json(STEWARD, "batch", "rejects", second, "--export", office.desk.folder.parent / "late.csv")
    done = office.json(STEWARD, "purge", "run", plan, status=3)["purges"][0]
    assert done["imports_spared"] == {str(second): "copies"}
    assert (count(office, first), count(office, second)) == (2, 2)
    verified = office.json(STEWARD, "purge", "verify", plan)
    assert verified["clean"]
    out.unlink()
    office.json(STEWARD, "use", "destroyed", 1)
    later(hours, office, 1)
    plan = approved(office)
    office.json(STEWARD, "purge", "run", plan)
    assert (count(office, first), count(office, second)) == (0, 2)
    office.sound()


def test_a_hold_on_everybody_keeps_them(office: Office, hours: Hours) -> None:
    """DES-07: nobody knows whose they are, so what holds everybody holds them; before the plan and after it."""
    number = imported(office)
    later(hours, office, 410)
    plan = approved(office, "--kind", "rejected_rows")
    office.json(ADMIN, "hold", "set", "--everybody", "--kind", "audit", "--reason", office.text("审计中"))
    assert kept(office.json(STEWARD, "purge", "plan", "--kind", "rejected_rows"))[number] == "hold:audit"
    done = office.json(STEWARD, "purge", "run", plan, status=3)["purges"][0]
    assert (done["imports"], done["imports_spared"][str(number)]) == ([], "hold:audit")
    assert count(office, number) == 2


def test_a_kind_without_a_period_stops_only_itself(office: Office, hours: Hours) -> None:
    """DES-01: purge refuses for a kind without a value; the other goes on when it is named."""
    number = imported(office)
    later(hours, office, 410)
    value = "rejected_row_retention_months:\n      value: "
    office.desk.edit("company.yaml", f"{value}12", f"{value}unset")
    refused = office.desk.json(STEWARD, "purge", "plan", status=4)
    assert refused["code"] == "VALUE_UNDECIDED"
    assert "rejected_row_retention_months" in refused["message"]
    assert kept(office.json(STEWARD, "purge", "plan", "--kind", "customers")) == {}
    office.desk.edit("company.yaml", f"{value}unset", f"{value}12")
    office.desk.edit(
        "company.yaml", "lead_retention_months:\n      value: 24", "lead_retention_months:\n      value: unset"
    )
    assert office.desk.refusal(STEWARD, "purge", "plan", status=4) == "VALUE_UNDECIDED"
    plan = approved(office, "--kind", "rejected_rows")
    assert number in office.json(STEWARD, "purge", "run", plan)["purges"][0]["imports"]


def test_an_import_that_was_never_finished_counts_from_its_beginning(office: Office, hours: Hours) -> None:
    """Nobody finishes it any more: what it rejected goes, and the same file may be imported as a new one."""
    number = imported(office)
    office.sql(f"UPDATE batch SET state = 'interrupted', ended_at = NULL WHERE batch_id = {number}")
    path = office.desk.folder.parent / "rejected.csv"
    assert office.desk.refusal(STEWARD, "customer", "import", path, status=1) == "BATCH_UNFINISHED"
    later(hours, office, 410)
    office.json(STEWARD, "purge", "run", approved(office, "--kind", "rejected_rows"))
    assert office.desk.refusal(STEWARD, "batch", "resume", number, path, status=1) == "BATCH_DESTROYED"
    assert imported(office) > number


def test_rows_of_nobody_are_nobody_s_request(office: Office) -> None:
    words = ("purge", "plan", "--customer", "C-1", "--kind", "rejected_rows")
    assert office.desk.refusal(STEWARD, *words, status=2) == "USAGE"


def test_only_the_policy_for_everybody_says_how_long(office: Office) -> None:
    folder = office.desk.folder / "policies"
    text = (folder / "retention.yaml").read_text("utf-8")
    head = "kind: retention\nname: people\nscope: {customer_type: [individual]}"
    (folder / "retention.people.yaml").write_text(text.replace("kind: retention", head, 1), "utf-8")
    done = office.desk.json(STEWARD, "policy", "validate", status=4)
    problems = [(each["code"], each["message"].partition(":")[0]) for each in done["problems"]]
    assert problems == [("P208", name) for name in ("rejected_rows", "old_values", "supervision")]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)), st.integers(0, 900))
def test_the_last_day_counts_whole(began: datetime, days: int) -> None:
    """What ended on the last day of the period is over on the day after its last minute, by the company's day."""
    at = began.replace(tzinfo=UTC)
    midnight = datetime(began.year, began.month, began.day, tzinfo=UTC)
    terms = Terms(midnight + timedelta(days=1), midnight - timedelta(days=days))
    assert terms.state(at) == GRACE if at >= terms.destroyed else DUE
    assert terms.state(midnight + timedelta(days=1)) == RUNNING
    assert terms.state(terms.destroyed - timedelta(seconds=1)) == DUE
