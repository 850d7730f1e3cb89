"""By no command and no role is a complaint closed early, deleted, back-dated, or handled by whom it is about.

CMP-13, CMP-23. Every command of the noun is tried by every role; a new one that is not tried here fails the first test.
Each attempt is in the log, and names the complaint once the program knew which was meant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from casework import ADMIN, AGENT, AUDITOR, DEPUTY, HANDLER, SECOND, STEWARD, SUPERVISOR, TWIN, Hours, Office
from desks import CUSTOMERS
from sqlalchemy import Engine, delete, event, update

from crmctl.cases.tables import case_number
from crmctl.cli.table import COMMANDS
from crmctl.complaints.policy import ACTS
from crmctl.policy import load
from crmctl.runs import run as runs
from crmctl.security.permissions import grants, matches
from crmctl.store.engine import write

VERBS = tuple(each.path.partition(" ")[2] for each in COMMANDS if each.path.startswith("complaint "))
READING = ("show", "list", "statistics", "form", "file", "template")
# What works on all of them at once has its own tests; nobody but cron and the information post runs it.
BULK = ("import", "escalate")
ROLES = {"admin": ADMIN, "steward": STEWARD, "auditor": AUDITOR, "supervisor": DEPUTY, "complaints": SECOND,
         "agent": AGENT}  # fmt: skip
DATED = ("respond", "verify", "propose", "agree", "refuse", "rectify", "progress", "mediate", "handoff", "answer",
         "revisit", "legal-review")  # fmt: skip


def words(office: Office, verb: str, number: str) -> list[str]:
    """Return a command on a complaint as somebody would type it who means to have it done."""
    text = office.text("理由")
    more: Mapping[str, list[str]] = {
        "verify": ["--department", "安装部", "--cause", "process"],
        "propose": ["--measures", text, "--due", "2026-12-11"],
        "handoff": ["--to", "K1"],
        "answer": ["--department", "安装部"],
        "classify": ["--severity", "serious", "--reason", text],
        "revisit": ["--settled"],
        "review": ["--passed"],
        "analyse": ["--root-cause", text, "--improvement", text],
        "reopen": ["--reason", text],
        "mark-duplicate": ["--of", number, "--reason", text],
        "extend": ["--stage", "feedback", "--reason", text],
        "link": ["C-2"],
        "attach": [text[1:]],
    }
    return ["complaint", verb, number, *more.get(verb, [])]


STEPS = tuple(verb for verb in VERBS if verb not in (*READING, *BULK, "open"))


def part(office: Office, full: bool) -> tuple[str, ...]:
    """Return the steps that are tried: all on SQLite, every third on PostgreSQL unless at full scale."""
    return STEPS if full or office.desk.engine.dialect.name == "sqlite" else STEPS[::3]


def test_every_command_is_tried_here() -> None:
    """A command that is added to the noun is added here; what the policy may give to posts are these very acts."""
    assert set(STEPS) == set(ACTS) - {"open"}
    assert set(DATED) <= set(STEPS)
    assert set(VERBS) == {*STEPS, *READING, *BULK, "open"}


@pytest.fixture
def forbidden() -> Iterator[list[str]]:
    """Statements that take something of a complaint away, or write history anew: there are none."""
    found: list[str] = []

    def watch(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
        said = " ".join(statement.split()).casefold()
        taken = said.startswith(("delete from complaint", "delete from case_number", "delete from satisfaction"))
        if taken or said.startswith(("update complaint_event", "update complaint_file", "update case_number")):
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", watch)
    yield found
    event.remove(Engine, "before_cursor_execute", watch)
    assert found == []


STATES = ("accepted", "verify", "propose", "agree", "rectify")


@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize("state", STATES)
def test_closed_early_by_nobody(office: Office, state: str, full: bool) -> None:
    """CMP-13: in no state but the last, by no role, in none of the ways that close."""
    number, done = office.open(), office.open("C-2")
    office.through(done)
    if state != "accepted":
        office.through(number, state)
    text = office.text("理由")
    ways = (
        ["close", number], ["close", number, "--without-agreement"], ["close", number, "--without-agreement", "--ask"],
        ["mark-duplicate", number, "--of", number, "--reason", text],
        ["mark-duplicate", number, "--of", done, "--reason", text],
        ["review", number, "--passed"],
    )  # fmt: skip
    whose = ROLES.values() if full or state == "rectify" else (SECOND, DEPUTY)
    before = office.row(number)
    for uid in whose:
        for way in ways:
            if way[0] == "review" and state == "rectify" and uid != AGENT:
                continue  # a review is due then; it closes nothing
            noted = office.attempts()
            tried = office.desk.say(uid, "complaint", *way)
            assert tried.exit_code in (1, 6), (uid, way, tried)
            assert office.attempts() > noted, (uid, way)
            office.hours.forward(minutes=2)
        assert office.desk.say(uid, "complaint", "close", number, "--dry-run").exit_code in (1, 6)
    assert office.row(number) == before
    named = [entry for entry in office.entries(number) if entry["result"] == "refused"]
    assert {entry["actor"]["person"] for entry in named} >= {"du.f", "qi.x"}


@pytest.mark.usefixtures("forbidden")
@pytest.mark.parametrize("uid", [AGENT, TWIN, SUPERVISOR])
def test_handled_by_nobody_it_is_about(office: Office, uid: int, full: bool) -> None:
    """By her account, her other one, and her superior, with every command there is.

    An agent is told first that the customer of `link` is not hers.
    """
    number = office.open(about="K3", receiver="K3")
    before = office.whole()
    verbs = [verb for verb in part(office, full) if (uid, verb) != (AGENT, "link")]
    for verb in verbs:
        office.hours.forward(minutes=2)
        assert office.desk.refusal(uid, *words(office, verb, number)) == "RECUSED"
    assert office.whole() == before
    named = [entry for entry in office.entries(number) if entry["result"] == "denied"]
    assert {entry["act"] for entry in named} == {f"complaint.{verb}" for verb in verbs}
    assert {(entry["actor"]["uid"], *entry["codes"]) for entry in named} == {(uid, "RECUSED")}


@pytest.mark.usefixtures("forbidden")
def test_nobody_does_what_no_role_of_theirs_grants(office: Office, full: bool) -> None:
    """Every role that access.yaml gives no such act is turned away, and that is in the log."""
    number = office.open()
    access = runs.access_of(load(office.desk.folder / "policies"))
    before, tried = office.whole(), 0
    for name, uid in ROLES.items():
        role = access.roles[name]
        for verb in (*part(office, full), "open"):
            act = f"complaint.{verb}"
            if grants(role.can, act) and not matches(role.deny, act):
                continue
            office.hours.forward(minutes=2)
            line = office.opening() if verb == "open" else words(office, verb, number)
            assert office.desk.refusal(uid, *line) in ("ACT_NOT_GRANTED", "ACT_DENIED")
            entry = office.desk.entries(act)[-1]
            assert (entry["result"], entry["actor"]["uid"]) == ("denied", uid)
            tried += 1
    assert office.whole() == before
    assert tried >= 2 * len(part(office, full)), "administrator and auditor do none of it"


@pytest.mark.usefixtures("forbidden")
def test_back_dated_by_nobody(office: Office, full: bool) -> None:
    """Beyond the policy's bound, into the future, or without a reason: not with any command that takes a time."""
    number = office.open()
    before = office.whole()
    office.hours.forward(days=5)
    late = ("--late-reason", "忘了")
    codes = set()
    for verb in [verb for verb in part(office, full) if verb in DATED]:
        for at in ((office.hours.local(days=4.9), *late), (office.hours.local(seconds=-1), *late),
                   (office.hours.local(hours=1),)):  # fmt: skip
            found = office.desk.json(HANDLER, *words(office, verb, number), "--at", *at, status=_status(verb))
            codes.add(found["code"])
            entry = office.entries(number)[-1]
            assert (entry["act"], entry["result"], entry["codes"]) == (f"complaint.{verb}", "refused", [found["code"]])
    assert {"AT_TOO_EARLY", "AT_FUTURE", "AT_WITHOUT_REASON"} <= codes
    assert office.whole() == before


def _status(verb: str) -> int:
    """What comes first: that it is not its turn, or that the time is impossible."""
    return 4 if verb in ("respond", "verify", "progress", "mediate", "handoff", "legal-review") else 1


def test_received_long_ago_is_not_entered_unseen(office: Office) -> None:
    """CMP-02: when it was received is bounded as well, and the attempt names the customer."""
    for at, code in ((office.hours.local(days=4), "AT_TOO_EARLY"), (office.hours.local(hours=-1), "AT_FUTURE")):
        line = [*office.opening(), "--at", at, "--late-reason", "忘了"]
        assert office.desk.refusal(HANDLER, *line, status=4) == code
        entry = office.desk.entries("complaint.open")[-1]
        assert (entry["result"], entry["codes"], entry["obj"]) == ("refused", [code], "customer:1")
    assert office.whole() == []
    number = office.open()
    assert number.endswith("-0001"), "what was refused took no number"


def test_no_step_looks_back(office: Office) -> None:
    """--as-of is for reading: no step is judged by another day than today."""
    number = office.open()
    before = office.whole()
    for verb in STEPS:
        tried = office.desk.say(HANDLER, *words(office, verb, number), "--as-of", "2026-11-01")
        assert tried.exit_code == 2, (verb, tried)
    assert office.whole() == before


@pytest.mark.usefixtures("forbidden")
def test_no_other_command_takes_anything_away(office: Office) -> None:
    """Whatever works on customers, batches, owners, tiers and the log leaves complaints as they are."""
    number = office.open()
    office.through(office.open(), "agree")
    sheet = office.desk.folder.parent / "again.csv"
    sheet.write_text(CUSTOMERS, "utf-8")
    before = office.whole()
    for uid, line in (
        (STEWARD, ("customer", "import", str(sheet), "--mode", "upsert", "--blank", "clear")),
        (STEWARD, ("batch", "resume", 1)), (ADMIN, ("batch", "resume", 1)), (STEWARD, ("batch", "rejects", 1)),
        (ADMIN, ("tier", "regrade")), (ADMIN, ("owner", "assign")), (ADMIN, ("owner", "reclaim")),
        (ADMIN, ("audit", "prune")), (ADMIN, ("keys", "rotate")), (ADMIN, ("staff", "deactivate", "K1")),
        (AUDITOR, ("customer", "history", "1")),
    ):  # fmt: skip
        office.desk.say(uid, *line)
        assert office.whole() == before, line
    assert office.row(number)["status"] == "accepted"


BEHIND = {
    "a complaint is gone": "DELETE FROM complaint WHERE complaint_id = 1",
    "it looks closed": "UPDATE complaint SET status = 'closed' WHERE complaint_id = 1",
    "it is about nobody": "UPDATE complaint SET about = NULL WHERE complaint_id = 1",
    "somebody else received it": "UPDATE complaint SET first_receiver_id = 1 WHERE complaint_id = 1",
    "its terms are others": "UPDATE complaint SET terms = '{}' WHERE complaint_id = 1",
    "an event is gone": "DELETE FROM complaint_event WHERE kind = 'refused'",
    "an event was earlier": "UPDATE complaint_event SET at = '2026-11-22T00:00:00Z' WHERE kind = 'verified'",
    "a settled revisit": "UPDATE complaint_event SET kind = 'agreed' WHERE kind = 'refused'",
    "a clock is gone": "DELETE FROM complaint_clock WHERE stage = 'verify'",
    "a limit is longer": "UPDATE complaint_clock SET due_at = '2027-12-01T00:00:00Z' WHERE stage = 'feedback'",
    "a file is gone": "DELETE FROM complaint_file",
    "a file is another": "UPDATE complaint_file SET sealed = (SELECT sealed FROM complaint WHERE complaint_id = 1)",
    "an answer is gone": "DELETE FROM satisfaction",
    "an answer is better": "UPDATE satisfaction SET score = 100",
    "what was said is another": "UPDATE complaint SET sealed = (SELECT sealed FROM complaint_file)",
}


def test_behind_the_back_of_the_program_it_is_found(office: Office) -> None:
    """`audit verify --rows` finds whatever was changed or deleted by hand; put back, all is well again."""
    number = office.open(about="K3")
    office.verify(number)
    office.propose(number)
    office.step(number, "refuse")
    office.step(number, "attach", office.text("附件")[1:])
    office.through(number, "revisit", start="propose")
    tables = ("complaint", "complaint_event", "complaint_clock", "complaint_file", "satisfaction")
    for what, statement in BEHIND.items():
        for table in tables:
            office.sql(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")  # noqa: S608
        office.sql(statement)
        assert office.json(AUDITOR, "audit", "verify", "--rows", status=13)["problems"], what
        for table in tables:
            office.sql(f"DELETE FROM {table}")  # noqa: S608
            office.sql(f"INSERT INTO {table} SELECT * FROM kept_{table}")  # noqa: S608
            office.sql(f"DROP TABLE kept_{table}")
    office.sound()


def test_a_clock_set_back_helps_nobody(office: Office, hours: Hours) -> None:
    """What is on record keeps the order of time: with the machine's clock set back nothing can be entered before it."""
    number = office.open()
    office.hours.forward(hours=5)
    office.verify(number)
    hours.at = hours.at.replace(hour=2)
    assert office.refused(number, "progress", status=4) == "CLOCK_BEHIND"
    hours.forward(hours=9)
    office.step(number, "progress")


def test_a_complaint_taken_out_of_the_index_is_found_all_the_same(office: Office) -> None:
    """CMP-23: neither without its line in the look-up of numbers, nor with one that leads to another complaint."""
    first, other = office.open(), office.open()
    with write(office.desk.engine) as conn:
        conn.execute(delete(case_number).where(case_number.c.number == first))
    assert office.json(HANDLER, "complaint", "show", first)["number"] == first
    with write(office.desk.engine) as conn:
        conn.execute(update(case_number).where(case_number.c.number == other).values(object_id=1, customer_id=2))
    assert office.json(HANDLER, "complaint", "show", other)["number"] == other
