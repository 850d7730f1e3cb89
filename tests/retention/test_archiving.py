"""Customers who are put away (封存): stored and used for nothing, until a rule destroys them (DES-01, PIPL art. 47)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from casework import Hours, Office
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR
from doomed import PLAN
from sqlalchemy import select

from crmctl import policy
from crmctl.audit.tables import change
from crmctl.customers.tables import customer
from crmctl.locate import shipped
from crmctl.retention import archiving
from crmctl.runs import chunks
from crmctl.runs.run import Run

LEADS = """\
    - code: never_bought
      labels: {zh: 未成交客户, en: Customers who never bought}
"""
AWAY = """\
    - code: put_away
      labels: {zh: 已封存客户, en: Customers who are put away}
      when: {status: {eq: put_away}}
      since: [put_away, complaint]
      keep: {months: 12}
      source: ["003 §3.六 6.1"]
"""
PUT = """\
      then: archive
      minimums:
        - since: [added]
          keep: {months: 600}
          basis: {zh: 法, en: the law}
"""
SINCE = "      since: [last_contact, contract_end, complaint, added]\n"
EVERYBODY = [1, 2, 3]


@pytest.fixture
def ready(office: Office, hours: Hours) -> Office:
    """An office in which a plan to put everybody away is agreed to."""
    office.desk.edit("retention.yaml", LEADS, AWAY + LEADS)
    office.desk.edit("retention.yaml", SINCE, SINCE + PUT)
    hours.forward(days=31 * 36)
    office.json(ADMIN, "keys", "rotate")
    made = office.json(STEWARD, "purge", "plan")
    assert (made["archive"], made["destroy"]) == ({"never_bought": 3}, {})
    office.json(SUPERVISOR, "purge", "approve", PLAN)
    return office


def statuses(office: Office) -> dict[int, str]:
    """Return the status of each customer there is."""
    query = select(customer.c.customer_id, customer.c.status).order_by(customer.c.customer_id)
    return {row["customer_id"]: row["status"] for row in office.desk.rows(query)}


def test_put_away_by_a_plan_somebody_agreed_to(ready: Office) -> None:
    """DES-01: after approval they are stored, shown by their own list alone, and their record is no destruction."""
    told = ready.desk.say(SUPERVISOR, "purge", "show", PLAN, "--lang", "en").stdout
    assert "never_bought 3" in told
    assert ready.json(SUPERVISOR, "approval", "show", 1)["about"]["archive"] == {"never_bought": 3}
    rehearsed = ready.json(STEWARD, "purge", "run", PLAN, "--dry-run")["purges"][0]
    assert (rehearsed["archived"], rehearsed["destroyed"]) == (3, 0)
    before = statuses(ready)
    done = ready.json(STEWARD, "purge", "run", PLAN)["purges"][0]
    assert (done["archived"], done["destroyed"], done["spared"], done["rows"]) == (3, 0, {}, {})
    assert set(statuses(ready).values()) == {"put_away"}
    assert ready.json(STEWARD, "customer", "list")["customers"] == []
    listed = ready.json(STEWARD, "customer", "list", "--status", "put_away")["customers"]
    assert [each["customer"] for each in listed] == EVERYBODY
    reveal = ("customer", "show", "C-2", "--reveal", "mobile", "--purpose", "contact")
    assert ready.desk.refusal(STEWARD, *reveal, status=1) == "CUSTOMER_PUT_AWAY"
    export = ("customer", "export", "--fields", "company_name", "--purpose", "contact", "--recipient", "sales")
    out = ("--status", "put_away", "--out", ready.desk.folder.parent / "away.csv")
    assert ready.desk.refusal(STEWARD, *export, *out, status=1) == "NO_CUSTOMERS"
    items = ready.json(STEWARD, "purge", "show", PLAN, "--customers")
    assert {(each["becomes"], each["why"]) for each in items["customers"]} == {("archived", "never_bought")}
    assert items["archived"] == 3
    assert ready.json(STEWARD, "purge", "verify", PLAN)["clean"]
    record = json.loads(ready.desk.say(AUDITOR, "purge", "show", PLAN, "--record").stdout)
    assert (record["archived"], record["destroyed"], record["digests"]) == (3, 0, 0)
    assert ready.json(STEWARD, "purge", "run", PLAN, status=8)["code"] == "PLAN_APPLIED"
    assert ready.json(STEWARD, "customer", "recall", *EVERYBODY)["restored"] == 3
    assert statuses(ready) == before
    ready.sound()


def test_once_put_away_no_plan_puts_away_again(ready: Office, hours: Hours) -> None:
    """DES-01: the rule before it counts from there; when that is over they are destroyed like anybody."""
    ready.json(STEWARD, "purge", "run", PLAN)
    again = ready.json(STEWARD, "purge", "plan", "--kind", "customers")
    assert (again["archive"], again["destroy"], again["states"]) == ({}, {}, {"running": 3})
    assert ready.json(STEWARD, "policy", "explain", "C-2")["retention"]["rule"] == "put_away"
    hours.forward(days=367)
    ready.json(ADMIN, "keys", "rotate")
    last = ready.json(STEWARD, "purge", "plan", "--kind", "customers")
    assert last["destroy"] == {"put_away": 3}
    ready.json(SUPERVISOR, "purge", "approve", last["plan"])
    assert ready.json(STEWARD, "purge", "run", last["plan"])["purges"][0]["destroyed"] == 3
    assert statuses(ready) == {}


def test_who_is_held_or_edited_after_the_approval_stays(ready: Office) -> None:
    """DES-07: looked at again as those who are destroyed are."""
    ready.json(ADMIN, "hold", "set", "C-1", "--kind", "legal", "--reason", ready.text("诉讼"))
    ready.json(STEWARD, "customer", "cancel", "C-2")
    done = ready.json(STEWARD, "purge", "run", PLAN, status=3)["purges"][0]
    assert (done["archived"], done["spared"]) == (1, {"hold:legal": 1, "edited": 1})
    assert statuses(ready) == {1: statuses(ready)[1], 2: "cancelled", 3: "put_away"}
    kept = ready.json(STEWARD, "purge", "show", PLAN, "--kept")["customers"]
    assert [(each["customer"], each["becomes"], each["why"]) for each in kept] == [
        ("C-000001", "kept", "hold:legal"),
        ("C-000002", "kept", "edited"),
    ]


def test_who_asks_is_destroyed_when_the_law_lets_go(ready: Office, hours: Hours) -> None:
    """PIPL 47: a request is never answered by putting away; a period of the law comes before it all the same."""
    made = ready.json(STEWARD, "purge", "plan", "--customer", "C-3")
    assert (made["destroy"], made["archive"], made["keep"]) == ({}, {}, {"minimum": 1})
    hours.forward(days=31 * 600)
    ready.json(ADMIN, "keys", "rotate")
    made = ready.json(STEWARD, "purge", "plan", "--customer", "C-3")
    assert (made["destroy"], made["archive"]) == ({"never_bought": 1}, {})


def test_what_was_agreed_to_be_destroyed_is_not_where_the_rule_became_another(office: Office, hours: Hours) -> None:
    """DES-02: whoever comes under a rule that puts away, with a period of the law, is spared by a plan to destroy."""
    young = (
        LEADS.replace("never_bought", "young").replace("未成交", "新录入")
        + """\
      when: {days_since_added: {lt: 1120}}
      since: [added]
      keep: {months: 12}
      source: ["003 §3.六 6.1"]
"""
    )
    office.desk.edit("retention.yaml", LEADS, AWAY + young + LEADS)
    office.desk.edit("retention.yaml", SINCE, SINCE + PUT)
    hours.forward(days=1119)
    office.json(ADMIN, "keys", "rotate")
    assert office.json(STEWARD, "purge", "plan")["destroy"] == {"young": 3}
    office.json(SUPERVISOR, "purge", "approve", PLAN)
    hours.forward(days=1)
    done = office.json(STEWARD, "purge", "run", PLAN, status=3)["purges"][0]
    assert (done["destroyed"], done["archived"], done["spared"]) == (0, 0, {"not_due": 3})
    again = office.json(STEWARD, "purge", "plan")
    assert (again["archive"], again["destroy"]) == ({"never_bought": 3}, {})


def test_an_unidentified_complainant_is_not_put_away(office: Office, hours: Hours) -> None:
    """CMP-02: nobody could be found out any more; the plan says that a rule for them is missing."""
    office.desk.edit("retention.yaml", LEADS, AWAY + LEADS)
    office.desk.edit("retention.yaml", SINCE, SINCE + PUT)
    number = office.open("")
    hours.forward(hours=1)
    office.through(number)
    hours.forward(days=31 * 36)
    office.json(ADMIN, "keys", "rotate")
    made = office.json(STEWARD, "purge", "plan", "--kind", "customers")
    assert (made["archive"], made["keep"]) == ({"never_bought": 3}, {"unidentified": 1})


def test_what_it_was_before_outlives_the_old_values(ready: Office, hours: Hours) -> None:
    """UPD-09: who is put away comes back years later, when values before changes are gone from the log."""
    before = statuses(ready)
    ready.json(STEWARD, "purge", "run", PLAN)
    hours.forward(days=31 * 10)
    ready.json(ADMIN, "keys", "rotate")
    shown = ready.json(STEWARD, "customer", "show", "C-1")["customer"]
    assert (shown["status"], shown["put_away_from"]) == ("put_away", before[1])
    made = ready.json(STEWARD, "purge", "plan", "--kind", "old_values")
    if made["approval"] is not None:
        ready.json(SUPERVISOR, "purge", "approve", made["plan"])
        ready.json(STEWARD, "purge", "run", made["plan"])
    assert ready.json(STEWARD, "customer", "recall", *EVERYBODY)["restored"] == 3
    assert statuses(ready) == before


def test_an_open_complaint_of_theirs_is_reason_enough_to_look(ready: Office) -> None:
    """PIPL 47: nothing is done with them but storing, and answering them."""
    ready.json(STEWARD, "purge", "run", PLAN)
    number = ready.open("C-2")
    look = ("customer", "show", "C-2", "--reveal", "mobile")
    assert ready.json(STEWARD, *look, "--ticket", number)["revealed"] == ["mobile"]
    assert ready.json(STEWARD, *look, "--purpose", "complaint", "--ticket", number)["revealed"] == ["mobile"]
    assert ready.desk.refusal(STEWARD, *look, "--purpose", "contact", status=1) == "CUSTOMER_PUT_AWAY"


def test_who_should_have_been_put_away_is_overdue(ready: Office, hours: Hours) -> None:
    """DES-05: a supervision counts them with those who should have been destroyed."""
    hours.forward(days=400)
    ready.json(ADMIN, "keys", "rotate")
    found = ready.json(AUDITOR, "purge", "supervise")
    assert found["due"] == {"never_bought": 3}


def test_interrupted_it_goes_on(ready: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is put away once, with one change, whatever is interrupted."""
    monkeypatch.setattr(archiving, "AT_ONCE", 1)
    written = chunks.write

    def write_two(run: Run, ordinal: int, *more: Any, **named: Any) -> Any:
        if ordinal == 2:
            raise KeyboardInterrupt
        return written(run, ordinal, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "write", write_two)
        assert ready.desk.say(STEWARD, "purge", "run", PLAN).exit_code == 130
    assert sorted(statuses(ready).values()).count("put_away") == 2
    listed = ready.json(STEWARD, "purge", "list")["purges"][0]
    assert (listed["state"], listed["archive"], listed["destroy"]) == ("begun", 3, 0)
    rehearsed = ready.json(STEWARD, "purge", "run", PLAN, "--dry-run")["purges"][0]
    assert (rehearsed["archived"], rehearsed["spared"], rehearsed["resumed"]) == (3, {}, True)
    done = ready.json(STEWARD, "purge", "run", PLAN)["purges"][0]
    assert (done["archived"], done["resumed"]) == (3, True)
    query = select(change.c.customer_id).where(change.c.object == "customer", change.c.fields.contains("put_away_at"))
    assert sorted(row["customer_id"] for row in ready.desk.rows(query)) == EVERYBODY
    ready.sound()


def test_cancelled_and_put_away_it_comes_back_step_by_step(office: Office, hours: Hours) -> None:
    """UPD-09: recalled it is cancelled, as it was; undone, what it was before that."""
    office.desk.edit("retention.yaml", LEADS, AWAY + LEADS)
    cancelled = "      since: [cancelled, last_order, contract_end, complaint]\n"
    office.desk.edit("retention.yaml", cancelled, cancelled + "      then: archive\n")
    office.desk.edit("retention.yaml", AWAY, "")
    office.desk.edit("retention.yaml", "    # Cancelled (注销)", AWAY + "    # Cancelled (注销)")
    first = statuses(office)[1]
    office.json(STEWARD, "customer", "cancel", "C-1")
    hours.forward(days=31 * 8)
    office.json(ADMIN, "keys", "rotate")
    made = office.json(STEWARD, "purge", "plan")
    assert made["archive"] == {"cancelled": 1}
    office.json(SUPERVISOR, "purge", "approve", made["plan"])
    office.json(STEWARD, "purge", "run", made["plan"])
    assert statuses(office)[1] == "put_away"
    assert office.json(STEWARD, "customer", "cancel", "C-1", "C-2", status=1)["code"] == "CUSTOMER_PUT_AWAY"
    assert office.json(STEWARD, "customer", "cancel", "C-1", "--undo")["unchanged"] == 1
    override = ("tier", "override", "C-1", "--pin", "core", "--reason", "x")
    assert office.desk.refusal(SUPERVISOR, *override, status=1) == "CUSTOMER_PUT_AWAY"
    assert office.json(STEWARD, "customer", "recall", "C-1", "C-2")["restored"] == 1
    assert statuses(office)[1] == "cancelled"
    assert office.json(STEWARD, "customer", "cancel", "C-1", "--undo")["restored"] == 1
    assert statuses(office)[1] == first
    office.sound()


OTHERS = AWAY.replace("status: {eq: put_away}", "status: {eq: cancelled}")


ARCHIVE = "      then: archive\n"
IN_USE = (
    AWAY.replace("put_away\n", "in_use\n", 1).replace("{status: {eq: put_away}}", "{not: {status: {eq: put_away}}}")
    + ARCHIVE
)


@pytest.mark.parametrize(
    ("before", "edit", "sound"),
    [
        ("", (SINCE, SINCE + "      then: archive\n"), False),
        (AWAY, (SINCE, SINCE + "      then: archive\n"), True),
        (OTHERS, (SINCE, SINCE + "      then: archive\n"), False),
        (AWAY + "      then: archive\n", (SINCE, SINCE + "      then: archive\n"), False),
        (AWAY.replace("status: {eq: put_away}", "days_since_put_away: {gte: 0}"), (SINCE, SINCE + ARCHIVE), True),
        (AWAY.replace("{status: {eq: put_away}}", "{not: {status: {ne: put_away}}}"), (SINCE, SINCE + ARCHIVE), True),
        (IN_USE + AWAY, ("", ""), True),
        (IN_USE.replace("not: {status: {eq", "any: [{status: {eq").replace("}}}", "}}]}") + AWAY, ("", ""), False),
    ],
)
def test_nobody_is_put_away_for_good_by_oversight(
    tmp_path: Path, before: str, edit: tuple[str, str], sound: bool
) -> None:
    """DES-01: data do not lie about indefinitely: a rule that puts away wants one before it that counts from there."""
    for path in shipped("policies").glob("*.yaml"):
        (tmp_path / path.name).write_text(path.read_text("utf-8"), "utf-8")
    file = tmp_path / "retention.yaml"
    file.write_text(file.read_text("utf-8").replace(LEADS, before + LEADS).replace(*edit), "utf-8")
    found = [each.message for each in policy.check(tmp_path).problems]
    wrong = any("never destroyed" in message or "永远不会销毁" in message for message in found)
    assert wrong is not sound, found
