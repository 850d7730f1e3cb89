"""Values before changes go by run when their time is over; the log still verifies (DES-01, DES-06, DES-07)."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from casework import ZONE, Hours, Office
from desks import ADMIN, AUDITOR, CUSTOMERS, STEWARD, SUPERVISOR
from doomed import STRUCK
from sqlalchemy import insert, select, update

from crmctl import clock
from crmctl.audit.changes import CHANGE_COLUMNS, leaf_of
from crmctl.audit.tables import change
from crmctl.backups.tables import backup
from crmctl.runs.tables import run
from crmctl.store.engine import write

KIND = ("--kind", "old_values")
MONTHS = 37  # the period of the example company, and the window behind it


def changed(office: Office, old: str = "13712345670", new: str = "13712349999") -> int:
    """Correct a value by importing the sheet anew; return the number of the run."""
    path = office.desk.folder.parent / f"{new}.csv"
    path.write_text(CUSTOMERS.replace(old, new), "utf-8")
    done = office.json(STEWARD, "customer", "import", path, "--mode", "update")
    assert done["updated"] >= 1
    return int(done["run_id"])


def later(hours: Hours, office: Office, months: int = MONTHS) -> None:
    """Let months go by in which cron did its work."""
    hours.forward(days=31 * months)
    office.json(ADMIN, "keys", "rotate")


def images(office: Office, *where: Any) -> int:
    """Return how many changes have anything of what was before them."""
    columns = change.c
    rows = office.desk.rows(select(columns.before_clear, columns.before_sealed).where(*where))
    return sum(any(value is not None for value in row.values()) for row in rows)


def of(number: int) -> Any:
    return change.c.run_id == number


def salts(office: Office) -> list[tuple[Any, ...]]:
    """Return whatever of the change log a purge of old values leaves alone."""
    names = [column for column in change.c if column.name not in ("before_clear", "before_sealed")]
    return sorted(tuple(row.values()) for row in office.desk.rows(select(*names)))


def approved(office: Office, *words: object) -> int:
    """Plan and let somebody else agree; return the number of the plan."""
    plan = int(office.json(STEWARD, "purge", "plan", *(words or KIND))["plan"])
    office.json(SUPERVISOR, "purge", "approve", plan)
    return plan


def purged(office: Office, plan: int, status: int = 0) -> dict[str, Any]:
    """Carry a plan out; return what it says it did."""
    (done,) = office.json(STEWARD, "purge", "run", plan, status=status)["purges"]
    return dict(done)


def struck(office: Office, plan: int, point: str = "") -> subprocess.CompletedProcess[bytes]:
    """Carry a plan out in a process of its own, two changes in a transaction, struck at a point."""
    head = [sys.executable, STRUCK, point, STEWARD, office.hours.at.isoformat(), "-w", office.desk.folder]
    line = [*map(str, [*head, "purge", "run", plan, "-o", "json"])]
    return subprocess.run(line, capture_output=True, timeout=120, check=False)


def recorded(office: Office, plan: int) -> dict[str, Any]:
    """Prove a purge; return its record."""
    assert office.json(STEWARD, "purge", "verify", plan)["clean"]
    return dict(json.loads(office.desk.say(STEWARD, "purge", "show", plan, "--record").stdout))


def test_from_plan_to_proof(office: Office, hours: Hours) -> None:
    """DES-01, DES-04, DES-06: when its period is over a change forgets what was before, and stays provable."""
    number = changed(office)
    assert images(office, of(number)) > 0
    later(hours, office, 36)
    made = office.json(STEWARD, "purge", "plan", *KIND, "--dry-run")["old_values"]
    assert (made["runs"], made["changes"], made["states"].keys() & {"due"}) == (0, 0, set())
    later(hours, office, 2)
    before, whole, total = salts(office), images(office), images(office, of(number))
    plan = approved(office)
    shown = office.json(STEWARD, "purge", "show", plan)
    assert (shown["destroy"], shown["rows"]) == ({}, {})
    assert shown["old_values"]["changes"] >= total
    rehearsed = office.json(STEWARD, "purge", "run", plan, "--dry-run")["purges"][0]
    assert images(office) == whole
    done = purged(office, plan)
    assert rehearsed["old_values"] == done["old_values"]
    assert (done["destroyed"], done["rows"], done["old_values_spared"]) == (0, {}, {})
    assert images(office, of(number)) == 0
    kept = [row for row in salts(office) if row in before]
    assert kept == before
    office.sound()
    assert office.json(AUDITOR, "audit", "verify", "--rows", status=14)["ok"]
    verified = office.json(STEWARD, "purge", "verify", plan)
    assert {each["check"]: each["found"] for each in verified["checks"]}["old_values"] == 0
    record = recorded(office, plan)
    assert {"run": number, "changes": total} in record["old_values"]["destroyed"]
    assert record["digests"] == len(record["old_values"]["destroyed"])
    assert record["policy"][0]["basis"]["old_values"]
    entries = [body for body in office.desk.entries("purge.run") if body.get("emptied") == number]
    assert [(body["n"], body["obj"]) for body in entries] == [(total, f"plan:{plan}")]
    again = office.json(STEWARD, "purge", "plan", *KIND)
    assert (again["approval"], again["old_values"]["runs"]) == (None, 0)


def test_a_kind_without_a_period_stops_only_itself(office: Office, hours: Hours) -> None:
    """DES-01: an unset value stops its own kind."""
    changed(office)
    later(hours, office)
    value = "old_value_retention_months:\n      value: "
    office.desk.edit("company.yaml", f"{value}36", f"{value}unset")
    refused = office.desk.json(STEWARD, "purge", "plan", status=4)
    assert (refused["code"], "old_value_retention_months" in refused["message"]) == ("VALUE_UNDECIDED", True)
    for kind in ("customers", "rejected_rows"):
        assert office.json(STEWARD, "purge", "plan", "--kind", kind)["old_values"]["runs"] == 0
    office.desk.edit("company.yaml", f"{value}unset", f"{value}36")
    lead = "lead_retention_months:\n      value: "
    office.desk.edit("company.yaml", f"{lead}24", f"{lead}unset")
    assert purged(office, approved(office))["old_values"]["runs"] >= 1


def test_never_without_a_rule(office: Office, hours: Hours) -> None:
    path = office.desk.folder / "policies" / "retention.yaml"
    text = path.read_text("utf-8")
    path.write_text(text[: text.index("  old_values:")] + text[text.index("  plan_valid_hours") :], "utf-8")
    changed(office)
    later(hours, office)
    assert office.json(STEWARD, "purge", "plan", *KIND)["old_values"]["states"] == {}


def test_who_is_held_keeps_theirs(office: Office, hours: Hours) -> None:
    """DES-07: a hold on one customer, set before the plan or after it; lifted, the next plan takes what stayed."""
    number, last = changed(office, "示例路1号", "示例路2号"), changed(office)
    later(hours, office)
    total = images(office)
    office.json(ADMIN, "hold", "set", "C-2", "--kind", "legal", "--reason", office.text("诉讼"))
    made = office.json(STEWARD, "purge", "plan", *KIND)["old_values"]
    assert made["kept"]["hold:legal"] == images(office, change.c.customer_id == 2) > 0
    assert made["changes"] + made["kept"]["hold:legal"] == total
    plan = approved(office)
    office.json(ADMIN, "hold", "set", "C-1", "--kind", "audit", "--reason", office.text("审计"))
    theirs = images(office, change.c.customer_id == 1)
    done = purged(office, plan, status=3)
    assert done["old_values_spared"]["hold:audit"] == theirs == images(office, change.c.customer_id == 1) > 0
    assert images(office, change.c.customer_id == 2) == made["kept"]["hold:legal"]
    assert number < last
    office.sound()
    assert recorded(office, plan)["old_values"]["spared"] == done["old_values_spared"]
    for hold in (1, 2):
        office.json(ADMIN, "hold", "lift", hold, "--reason", office.text("已结"))
    done = purged(office, approved(office))
    assert done["old_values"]["changes"] >= theirs
    assert images(office, change.c.run_id <= last) == 0
    assert office.json(STEWARD, "purge", "verify", plan)["clean"]
    office.sound()


def test_an_open_complaint_keeps_them_as_well(office: Office, hours: Hours) -> None:
    """DES-07, CMP-12: what a case may need stays until it is closed."""
    changed(office)
    later(hours, office)
    office.open("C-2")
    made = office.json(STEWARD, "purge", "plan", *KIND)["old_values"]
    assert made["kept"] == {"hold:complaint": images(office, change.c.customer_id == 2)}


def test_a_hold_on_everybody_keeps_all(office: Office, hours: Hours) -> None:
    """DES-07: before the plan, and after it."""
    changed(office)
    later(hours, office)
    plan, before = approved(office), images(office)
    office.json(ADMIN, "hold", "set", "--everybody", "--kind", "audit", "--reason", office.text("审计中"))
    made = office.json(STEWARD, "purge", "plan", *KIND)
    assert (made["old_values"]["runs"], made["old_values"]["kept"], made["approval"]) == (
        0, {"hold:audit": before}, None,
    )  # fmt: skip
    done = purged(office, plan, status=3)
    assert (done["old_values"]["runs"], done["old_values_spared"]) == (0, {"hold:audit": before})


def test_what_machines_write_spoils_nothing(office: Office, hours: Hours) -> None:
    """A nightly regrade between plan and run is of another run, which is younger."""
    changed(office)
    later(hours, office)
    plan = approved(office)
    office.json(ADMIN, "keys", "rotate")
    path = office.desk.folder.parent / "bought.csv"
    path.write_text("number,customer_number,amount,ordered_on\nO1,C-2,900000.00,2029-12-30\n", "utf-8")
    office.json(ADMIN, "order", "import", path)
    office.json(ADMIN, "tier", "regrade")
    fresh = images(office)
    done = purged(office, plan)
    assert done["old_values_spared"] == {}
    assert images(office) == fresh - done["old_values"]["changes"] > 0
    office.sound()


def test_a_cancellation_cannot_be_taken_back_any_more(office: Office, hours: Hours) -> None:
    """UPD-09: what it was before is destroyed, so that nobody guesses; not even from a cancellation before that."""
    office.json(STEWARD, "customer", "cancel", "C-1", "C-2")
    office.json(STEWARD, "customer", "cancel", "C-1", "--undo")
    office.json(STEWARD, "customer", "cancel", "C-1")
    later(hours, office)
    office.json(ADMIN, "hold", "set", "C-2", "--kind", "legal", "--reason", office.text("诉讼"))
    purged(office, approved(office), status=3)
    for words in (("C-1",), ("C-1", "--dry-run"), ("C-1", "C-2")):
        code = office.desk.refusal(STEWARD, "customer", "cancel", *words, "--undo", status=1)
        assert code == "STATUS_DESTROYED"
    assert office.json(STEWARD, "customer", "cancel", "C-2", "--undo")["restored"] == 1
    office.sound()


POINTS = {
    "nothing is emptied yet": "before:1:crmctl.retention.clearing:_piece",
    "some is emptied, not committed": "before:1:crmctl.audit.entries:append:'emptied'",
    "some is emptied": "before:2:crmctl.retention.clearing:_piece",
    "all is emptied": "before:1:crmctl.retention.clearing:_close",
    "it is on record": "after:1:crmctl.retention.clearing:clear",
}


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(office: Office, hours: Hours, where: str) -> None:
    """DES-06: killed anywhere the log is sound, the same command goes on, nothing is counted twice or left."""
    number = changed(office, "示例路1号", "示例路2号")
    last = changed(office)
    later(hours, office)
    plan = approved(office)
    before = images(office)
    assert before > 2
    done = struck(office, plan, f"SIGKILL:{POINTS[where]}")
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b""), done.stderr
    office.sound()
    again = struck(office, plan)
    assert again.returncode == 0, again.stderr
    (outcome,) = json.loads(again.stdout)["purges"]
    assert (outcome["resumed"], outcome["old_values"]["changes"]) == (True, before)
    assert images(office, change.c.run_id.in_((number, last))) == 0
    record = recorded(office, plan)["old_values"]
    assert sum(each["changes"] for each in record["destroyed"]) == before
    told = [body for body in office.desk.entries("purge.run") if "emptied" in body]
    assert sum(body["n"] for body in told) == before
    office.sound()


def test_a_run_that_never_ended_counts_from_its_beginning(office: Office, hours: Hours) -> None:
    number = changed(office)
    with write(office.desk.engine) as conn:
        conn.execute(update(run).where(run.c.run_id == number).values(state="interrupted", ended_at=None))
    later(hours, office)
    purged(office, approved(office))
    assert images(office, of(number)) == 0


def test_who_asks_is_destroyed_whole(office: Office) -> None:
    assert office.desk.refusal(STEWARD, "purge", "plan", "--customer", "C-1", *KIND, status=2) == "USAGE"


def test_images_that_nobody_took_rightly_are_missed(office: Office, hours: Hours) -> None:
    """`audit verify` compares how many are gone with what the log says; others, and one more, are problems."""
    number, other = changed(office, "示例路1号", "示例路2号"), changed(office)
    later(hours, office)
    office.json(ADMIN, "hold", "set", "C-1", "--kind", "legal", "--reason", office.text("诉讼"))
    purged(office, approved(office), status=3)
    assert office.desk.problems() == []
    left = images(office, of(number))
    assert left > 0
    undone = []
    with write(office.desk.engine) as conn:
        for row in conn.execute(select(change).where(of(number), change.c.before_clear.is_not(None))).mappings():
            undone.append((row["change_id"], row["before_clear"], row["before_sealed"]))
        conn.execute(update(change).where(of(number)).values(before_clear=None, before_sealed=None))
    assert "CHANGE_IMAGE" in office.desk.problems()
    with write(office.desk.engine) as conn:
        for place, clear, sealed in undone:
            values = {"before_clear": clear, "before_sealed": sealed}
            conn.execute(update(change).where(change.c.change_id == place).values(**values))
    assert other > number
    assert office.desk.problems() == []


def test_a_pruned_log_cannot_say_it_any_more(office: Office, hours: Hours) -> None:
    """Whose entries have no text is not blamed for what a purge took; what is edited there still shows."""
    number = changed(office)
    later(hours, office)
    purged(office, approved(office))
    later(hours, office, 8)
    office.desk.edit("audit.yaml", "  #   keep_bodies: 36 months", "  keep_bodies: 6 months")
    office.json(ADMIN, "audit", "checkpoint")
    before = f"{hours.at - timedelta(days=200):%Y-%m-%d}"
    asked = office.json(ADMIN, "audit", "prune", "--before", before, "--ask")["approval"]
    office.json(SUPERVISOR, "approval", "approve", asked)
    office.json(ADMIN, "audit", "prune", "--before", before)
    assert not any(b"emptied" in body for body in office.desk.log())
    assert office.desk.problems() == []
    with write(office.desk.engine) as conn:
        conn.execute(update(change).where(of(number)).values(leaf=bytes(32)))
    assert {"CHANGE_LEAF", "PRUNE_KEPT"} <= set(office.desk.problems())
    with write(office.desk.engine) as conn:
        for row in conn.execute(select(change).where(of(number))).mappings().all():
            leaf = leaf_of(tuple(row[name] for name in CHANGE_COLUMNS))
            conn.execute(update(change).where(change.c.change_id == row["change_id"]).values(leaf=leaf))


def a_backup(office: Office) -> None:
    """Enter a backup of the data, made now, into the register."""
    values = {"location": "/backups/1", "run_id": 1, "bytes": 1, "manifest_hash": bytes(32), "log_size": 1}
    with write(office.desk.engine) as conn:
        conn.execute(
            insert(backup).values(
                backup_id=1, kind="data", state="verified", made_at=office.hours.at, master_epoch=1, counts="{}",
                **values,
            )
        )  # fmt: skip


def test_a_backup_made_before_keeps_them(office: Office, hours: Hours) -> None:
    """DES-03: deleted, not shut away: the record says so, and the purge is complete with the last such backup."""
    changed(office)
    later(hours, office)
    plan = approved(office)
    a_backup(office)
    purged(office, plan)
    record = recorded(office, plan)
    assert record["old_values"]["opened_by"] == [1]
    kept = hours.at + timedelta(days=365)  # $backup_keep_days
    assert record["erasure_complete_after"] == clock.local(kept, ZONE.key)
    (horizon,) = office.json(ADMIN, "purge", "horizon")["purges"]
    assert (horizon["backups"], horizon["complete_at"]) == ([1], None)
    for months in (12, 2):
        later(hours, office, months)
    for epoch in horizon["master_keys"]:
        office.json(ADMIN, "keys", "destroy", epoch, "--yes")
    (horizon,) = office.json(ADMIN, "purge", "horizon")["purges"]
    assert (horizon["master_keys"], horizon["backups"], horizon["complete_at"]) == ([], [1], None)
    office.sql(f"UPDATE backup SET state = 'removed', removed_at = '{hours.at.isoformat()}'")
    (horizon,) = office.json(ADMIN, "purge", "horizon")["purges"]
    assert horizon["complete_at"] is not None


def test_when_nobody_says_how_long_backups_are_kept(office: Office, hours: Hours) -> None:
    """DES-03: then nobody can say from when on they are gone."""
    changed(office)
    later(hours, office)
    office.desk.edit("backup.yaml", "keep_data: {days: $backup_keep_days, sets: 2}", "keep_data: {sets: 2}")
    plan = approved(office)
    a_backup(office)
    purged(office, plan)
    assert recorded(office, plan)["erasure_complete_after"] is None
    assert office.json(STEWARD, "purge", "list")["purges"][0]["erasure_complete_after"] is None
    (horizon,) = office.json(ADMIN, "purge", "horizon")["purges"]
    assert (horizon["expected"], horizon["complete_at"]) == (None, None)
