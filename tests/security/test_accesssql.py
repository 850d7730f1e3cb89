"""Mode server: the script of `access sql`, applied to a real PostgreSQL with real logins, and what they can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import postgres
import psycopg
import pytest
from psycopg import errors, sql
from realm import ADMIN, AGENT, AUDITOR, OTHER, PEOPLE, STEWARD, SUPERVISOR, Realm, login

from crmctl import clock


@pytest.fixture
def kind() -> str:
    return "postgresql"


@pytest.fixture
def server(realm: Realm, postgres_server: postgres.Server) -> Iterator[postgres.Server]:
    """The realm in mode server: logins for everybody, the script applied twice."""
    realm.owned()
    with postgres_server.connect() as conn:
        for name in PEOPLE:
            conn.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(login(name))))
    apply(realm, postgres_server)
    apply(realm, postgres_server)
    yield postgres_server
    with postgres_server.connect(database(realm)) as conn:
        groups = sql.SQL(", ").join(map(sql.Identifier, GROUPS))
        conn.execute(sql.SQL("DROP OWNED BY {}").format(groups))
        for name in [*(login(name) for name in PEOPLE), *GROUPS]:
            conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


GROUPS = (
    "crm_admin", "crm_steward", "crm_auditor", "crm_supervisor", "crm_complaints", "crm_agent", "crm_user",
)  # fmt: skip


def database(realm: Realm) -> str:
    return re.findall(r"@/(\w+)\?", realm.url)[0]


def apply(realm: Realm, server: postgres.Server) -> None:
    done = realm.say(ADMIN, "access", "sql")
    assert done.exit_code == 0, done.stderr
    with server.connect(database(realm)) as conn:
        conn.execute(done.stdout)  # type: ignore[call-overload]


def as_login(realm: Realm, server: postgres.Server, name: str) -> psycopg.Connection[Any]:
    return psycopg.connect(host=str(server.socket_folder), user=login(name), dbname=database(realm), autocommit=True)


def serve(realm: Realm, name: str) -> None:
    """Put the workspace into mode server with somebody's login."""
    path = realm.folder / "crmctl.yaml"
    text = re.sub(r"postgresql://\w+@", f"postgresql://{login(name)}@", path.read_text("utf-8"))
    path.write_text(re.sub(r"^mode: .*\n", "", text, flags=re.M) + "\nmode: server\n", "utf-8")


HANGING = ("contact", "identity", "change", "tier_change", "purchase_order")


def test_agents_see_their_own_rows_through_any_client(realm: Realm, server: postgres.Server) -> None:
    owners = {"chen.x": [1, 2], "he.l": [3], "li.na": [1, 2, 3, 4], "an.q": [1, 2, 3, 4]}
    for name, own in owners.items():
        with as_login(realm, server, name) as conn:
            seen = conn.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()
            assert [row[0] for row in seen] == own
            for table in HANGING:
                query = sql.SQL("SELECT DISTINCT customer_id FROM {} WHERE customer_id > 0").format(
                    sql.Identifier(table)
                )
                assert {row[0] for row in conn.execute(query)} <= set(own), table
    with as_login(realm, server, "chen.x") as conn:
        assert {row[0] for row in conn.execute("SELECT customer_id FROM identity")} == {1, 2}
        conn.execute("SET ROLE crm_agent")  # a group of one's own changes nothing
        assert conn.execute("SELECT count(*) FROM customer").fetchone() == (2,)
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("SET ROLE crm_steward")


@pytest.mark.parametrize("statement", [
    "UPDATE audit_entry SET body = '{}'", "DELETE FROM audit_entry", "TRUNCATE audit_entry", "DELETE FROM audit_head",
    "DELETE FROM change", "UPDATE change SET leaf = ''", "DELETE FROM policy_version", "DROP TABLE denial",
    "ALTER TABLE customer DISABLE ROW LEVEL SECURITY", "CREATE TABLE mine (x int)", "DELETE FROM run",
    "SELECT * FROM crm_access.login", "DELETE FROM look", "UPDATE checkpoint SET size = 0",
])  # fmt: skip
def test_nobody_changes_what_is_written(realm: Realm, server: postgres.Server, statement: str) -> None:
    for name in PEOPLE:
        with as_login(realm, server, name) as conn, pytest.raises(errors.InsufficientPrivilege):
            conn.execute(statement)  # type: ignore[call-overload]


@pytest.mark.parametrize(("name", "statement"), [
    ("an.q", "UPDATE customer SET tier = 'core'"), ("an.q", "DELETE FROM contact"),
    ("an.q", "INSERT INTO change SELECT * FROM change"), ("chen.x", "UPDATE customer SET owner_id = 1"),
    ("chen.x", "UPDATE staff SET uids = '0'"), ("li.na", "UPDATE staff SET uids = '0'"),
    ("wang.j", "DELETE FROM customer"), ("chen.x", "SELECT * FROM rejected_row"),
    ("zhou.m", "INSERT INTO customer SELECT * FROM customer"), ("li.na", "DELETE FROM legal_hold_item"),
    ("li.na", "UPDATE change SET leaf = salt"), ("li.na", "DELETE FROM change"), ("li.na", "DELETE FROM look"),
    ("wang.j", "UPDATE change SET salt = NULL"), ("an.q", "DELETE FROM destruction"),
    ("an.q", "UPDATE legal_hold SET lifted_by = 'an.q'"), ("chen.x", "DELETE FROM legal_hold_item"),
])  # fmt: skip
def test_who_may_not_by_access_yaml_may_not_by_sql(
    realm: Realm, server: postgres.Server, name: str, statement: str
) -> None:
    with as_login(realm, server, name) as conn, pytest.raises(errors.InsufficientPrivilege):
        conn.execute(statement)  # type: ignore[call-overload]


def test_the_program_works_for_a_steward(realm: Realm, server: postgres.Server, tmp_path: Path) -> None:
    serve(realm, "li.na")
    sheet = tmp_path / "new.csv"
    head = "customer_type,company,name,mobile,email,uscc,external_code"
    sheet.write_text(f"{head}\nenterprise,丁四样例有限公司,周大福,13800000009,z@example.com,,K9\n"
                     f"enterprise,甲一样例有限公司,王小明,13800000001,new@example.com,91330106MA2CCCCC52,K1\n"
                     f"enterprise,,,1,,,\n", "utf-8")  # fmt: skip
    told = realm.json(STEWARD, "customer", "import", sheet, "--mode", "upsert", status=3)
    assert (told["created"], told["updated"], told["rejected"]) == (1, 1, 1)
    assert [row["customer"] for row in realm.json(STEWARD, "customer", "list")["customers"]] == [1, 2, 3, 4, 5]
    assert realm.json(STEWARD, "customer", "find", "--mobile", "13800000009")["customers"][0]["customer"] == 5
    assert realm.say(STEWARD, "customer", "history", "1").exit_code == 0
    assert realm.json(STEWARD, "batch", "rejects", told["batch"])["run_id"]
    assert realm.say(STEWARD, "staff", "list").exit_code == 0
    assert realm.json(STEWARD, "audit", "verify", status=14)["ok"]
    assert realm.json(STEWARD, "keys", "status", status=6)["code"] == "ACT_NOT_GRANTED"


def test_a_hold_is_set_by_one_and_lifted_by_another(realm: Realm, server: postgres.Server, tmp_path: Path) -> None:
    """DES-07: each does what the role may, through a login of their own; who sets it cannot lift it."""
    reason = tmp_path / "reason.txt"
    reason.write_text("because", "utf-8")
    why = ("--reason", f"@{reason}")
    serve(realm, "li.na")
    assert realm.json(STEWARD, "hold", "set", 1, "--kind", "audit", *why)["held"] == 1
    assert realm.json(STEWARD, "hold", "set", 1, 2, "--hold", 1, *why)["held"] == 1
    assert realm.json(STEWARD, "hold", "lift", 1, *why, status=6)["code"] == "ACT_DENIED"
    serve(realm, "an.q")
    assert realm.json(AUDITOR, "hold", "show", 1)["first"] == [1, 2]
    serve(realm, "wang.j")
    assert not realm.json(SUPERVISOR, "hold", "lift", 1, 1, *why)["whole"]
    assert realm.json(SUPERVISOR, "hold", "lift", 1, *why)["whole"]


def test_a_purge_by_three_people(realm: Realm, server: postgres.Server) -> None:
    """DES-02, DES-04: one plans and destroys, another agrees, a third proves it: each through a login of their own."""
    serve(realm, "li.na")
    made = realm.json(STEWARD, "purge", "plan", "--customer", 4)
    serve(realm, "wang.j")
    realm.json(SUPERVISOR, "purge", "approve", made["plan"])
    serve(realm, "li.na")
    assert realm.json(STEWARD, "purge", "run", made["plan"])["purges"][0]["destroyed"] == 1
    serve(realm, "an.q")
    assert realm.json(AUDITOR, "purge", "verify", made["plan"])["clean"]
    assert realm.json(AUDITOR, "purge", "show", made["plan"])["state"] == "verified"


def test_paper_through_logins(realm: Realm, server: postgres.Server, tmp_path: Path) -> None:
    """SEC-06, DES-03: a steward registers it, purges whom it is about, says that it is destroyed; others only look."""
    place = tmp_path / "place.txt"
    place.write_text("cabinet 3", "utf-8")
    words = ("paper", "add", "--customer", 3, "--customer", 4, "--kind", "folder", "--keeper", "li.na")
    serve(realm, "li.na")
    assert realm.json(STEWARD, *words, "--place", f"@{place}")["items"][0]["item"] == 1
    assert realm.json(STEWARD, "paper", "move", 1, "--keeper", "wang.j")["items"][0]["keeper"] == "wang.j"
    made = realm.json(STEWARD, "purge", "plan", "--customer", 4)
    serve(realm, "wang.j")
    realm.json(SUPERVISOR, "purge", "approve", made["plan"])
    serve(realm, "li.na")
    realm.json(STEWARD, "purge", "run", made["plan"])
    said = ("paper", "destroyed", 1, "--method", "redacted")
    serve(realm, "an.q")
    assert realm.json(AUDITOR, *said, status=6)["code"] == "ACT_NOT_GRANTED"
    assert realm.json(AUDITOR, "paper", "list", "--plan", made["plan"])["items"][0]["state"] == "due"
    serve(realm, "li.na")
    assert realm.json(STEWARD, *said)["items"][0]["state"] == "kept"


def test_rejected_rows_and_the_list_through_logins(realm: Realm, server: postgres.Server, tmp_path: Path) -> None:
    """DES-06: a steward empties an import, an auditor clears the list of whose day is over."""
    policy = realm.folder / "policies" / "retention.yaml"
    listed = "  do_not_recreate: {keep: {months: 12}}\n  plan_valid_hours: 72"
    policy.write_text(policy.read_text("utf-8").replace("  plan_valid_hours: 72", listed), "utf-8")
    serve(realm, "li.na")
    sheet = tmp_path / "bad.csv"
    sheet.write_text("customer_type,name,mobile\nalien,某人,13800000077\n", "utf-8")
    number = realm.json(STEWARD, "customer", "import", sheet, status=3)["batch"]
    as_owner(realm, server, f"UPDATE batch SET ended_at = '2020-01-01' WHERE batch_id = {number}")
    plans = [realm.json(STEWARD, "purge", "plan", *words)["plan"] for words in (("--kind", "rejected_rows"),
             ("--customer", 4))]  # fmt: skip
    serve(realm, "wang.j")
    for plan in plans:
        realm.json(SUPERVISOR, "purge", "approve", plan)
    serve(realm, "li.na")
    done = realm.json(STEWARD, "purge", "run")["purges"]
    assert [(each["destroyed"], each["imports"]) for each in done] == [(0, [number]), (1, [])]
    assert realm.json(STEWARD, "customer", "import", sheet, status=3)["rejected"] == 1  # reads the list
    serve(realm, "an.q")
    assert all(realm.json(AUDITOR, "purge", "verify", plan)["clean"] for plan in plans)
    as_owner(realm, server, "UPDATE do_not_recreate SET until_on = '2020-01-01'")
    realm.json(AUDITOR, "purge", "horizon")
    with as_login(realm, server, "an.q") as conn:
        assert conn.execute("SELECT count(*) FROM do_not_recreate").fetchone() == (0,)


def test_values_before_changes_through_logins(realm: Realm, server: postgres.Server, tmp_path: Path) -> None:
    """DES-06: a steward empties them, an auditor proves it."""
    serve(realm, "li.na")
    made = realm.json(STEWARD, "customer", "cancel", 4)
    as_owner(realm, server, f"UPDATE run SET ended_at = '2020-01-01' WHERE run_id = {made['run_id']}")
    plan = realm.json(STEWARD, "purge", "plan", "--kind", "old_values")["plan"]
    serve(realm, "wang.j")
    realm.json(SUPERVISOR, "purge", "approve", plan)
    serve(realm, "li.na")
    (done,) = realm.json(STEWARD, "purge", "run", plan)["purges"]
    assert done["old_values"] == {"runs": 1, "changes": 1}
    serve(realm, "an.q")
    assert realm.json(AUDITOR, "purge", "verify", plan)["clean"]


def test_vacuuming_is_the_owner_s(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "zhou.m")
    assert realm.json(ADMIN, "db", "vacuum", status=6)["code"] == "DATABASE_OWNER_ONLY"
    (denied,) = realm.entries("db.vacuum")
    assert denied["result"] == "denied"


def as_owner(realm: Realm, server: postgres.Server, statement: str) -> None:
    """Execute a statement as the owner of the database."""
    with server.connect(database(realm)) as conn:
        assert conn.execute(statement).rowcount  # type: ignore[call-overload]


def test_the_program_works_for_an_agent_and_an_auditor(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "chen.x")
    assert [row["customer"] for row in realm.json(AGENT, "customer", "list")["customers"]] == [1, 2]
    assert realm.say(AGENT, "customer", "show", "1").exit_code == 0
    assert realm.json(AGENT, "customer", "show", "3", status=1)["code"] == "CUSTOMER_UNKNOWN"
    serve(realm, "an.q")
    assert realm.json(AUDITOR, "audit", "verify", "--changes", status=14)["ok"]
    assert realm.json(AUDITOR, "access", "review")["people"]


def test_a_regrade_by_the_administrator(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "zhou.m")
    assert realm.say(ADMIN, "tier", "regrade").exit_code == 0
    assert realm.say(ADMIN, "staff", "update", "E6", "--level", "senior").exit_code == 0


OWNERS = {
    "audit.prune": ("audit", "prune", "--before", "2026-01-01"),
    "keys.rotate": ("keys", "rotate", "--index"),
}


@pytest.mark.parametrize("act", OWNERS)
def test_what_only_the_owner_may_is_refused_to_a_login_before_it_begins(
    realm: Realm, server: postgres.Server, act: str
) -> None:
    realm.edit("audit.yaml", "#   keep_bodies: 36 months", "keep_bodies: 36 months")
    serve(realm, "zhou.m")
    before = realm.json(ADMIN, "keys", "status")["indexes"]
    for more in ((), ("--dry-run",)):
        told = realm.json(ADMIN, *OWNERS[act], *more, status=6)
        assert told["code"] == "DATABASE_OWNER_ONLY"
        assert login("zhou.m") in told["message"] and "owner" in told["hint"]
    (denied,) = realm.entries(act)
    assert (denied["result"], denied["codes"]) == ("denied", ["DATABASE_OWNER_ONLY"])
    assert realm.json(ADMIN, "keys", "status")["indexes"] == before
    assert realm.say(ADMIN, "customer", "find", "--number", "1").exit_code == 0


def test_rows_that_row_policies_hide_are_not_taken_or_given_back(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "chen.x")
    for words in (("owner", "take", "4"), ("owner", "handover", "return", "1")):
        assert realm.json(AGENT, *words, status=6)["code"] == "ROWS_HIDDEN"


def test_signing_and_a_new_master_key_need_no_owner(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "zhou.m")
    assert realm.json(ADMIN, "audit", "checkpoint")["new"]
    told = realm.json(ADMIN, "keys", "rotate")
    assert (told["epoch"], told["left"]) == (2, 0)
    assert realm.json(ADMIN, "audit", "verify", status=14)["ok"]
    with realm.engine.begin() as conn:  # whose signer is told to this workspace alone
        conn.exec_driver_sql("DELETE FROM checkpoint")


def test_the_session_must_be_the_same_persons(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "li.na")
    assert realm.json(OTHER, "customer", "list", status=6)["code"] == "DATABASE_ROLE_OF_ANOTHER"
    denied = realm.entries("customer.list")[-1]
    assert (denied["result"], denied["actor"]["person"]) == ("denied", "he.l")
    path = realm.folder / "crmctl.yaml"
    path.write_text(path.read_text("utf-8").replace(login("li.na"), "postgres"), "utf-8")
    assert realm.json(STEWARD, "customer", "list", status=6)["code"] == "DATABASE_ROLE_TOO_STRONG"


def test_who_loses_a_role_or_has_not_signed_loses_the_group(realm: Realm, server: postgres.Server) -> None:
    realm.edit("access.yaml", "pg: [test_chen_x], roles: [agent]", "pg: [test_chen_x], roles: []")
    path = realm.folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    he = next(line for line in text.splitlines() if "he.l" in line)
    path.write_text(text.replace(he, he.replace("confidentiality_signed: 2026-01-01, ", "")), "utf-8")
    apply(realm, server)
    for name in ("chen.x", "he.l"):
        with as_login(realm, server, name) as conn, pytest.raises(errors.InsufficientPrivilege):
            conn.execute("SELECT customer_id FROM customer")
    with as_login(realm, server, "li.na") as conn:
        assert conn.execute("SELECT count(*) FROM customer").fetchone() == (4,)


def test_who_stands_in_sees_the_customers_while_the_absence_lasts(realm: Realm, server: postgres.Server) -> None:
    today = clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()
    seen = {}
    for after, until in {1: 5, -9: -1, 0: 0}.items():
        span = ["--from", str(today + timedelta(after)), "--until", str(today + timedelta(until))]
        told = realm.json(ADMIN, "staff", "absence", "add", "E5", *span, "--deputy", "E6")
        with as_login(realm, server, "he.l") as conn:
            rows = conn.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall()
        seen[after] = [row[0] for row in rows]
    assert seen == {1: [3], -9: [3], 0: [1, 2, 3]}
    serve(realm, "he.l")
    assert realm.json(OTHER, "customer", "list", "--count")["count"] == 3
    with realm.engine.begin() as conn:
        number = told["absence"]["absence_id"]
        conn.exec_driver_sql(f"UPDATE absence SET cancelled_at = now() WHERE absence_id = {number}")
    assert realm.json(OTHER, "customer", "list", "--count")["count"] == 1


def test_a_collaborator_sees_the_customer_and_does_not_take_it_over(realm: Realm, server: postgres.Server) -> None:
    today = clock.now().astimezone(ZoneInfo("Asia/Shanghai")).date()
    serve(realm, "chen.x")
    told = realm.json(AGENT, "owner", "collaborator", "add", "1", "E6", "--until", today)
    mine = "WHERE customer_id = 1"
    with as_login(realm, server, "he.l") as conn:
        assert conn.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall() == [(1,), (3,)]
        assert conn.execute("SELECT DISTINCT customer_id FROM contact ORDER BY 1").fetchall() == [(1,), (3,)]
        found = conn.execute(f"SELECT role, run_id FROM ownership {mine}").fetchall()
        assert found == [("collaborator", told["run_id"])]
        for statement in (f"UPDATE customer SET owner_id = 2 {mine}", f"UPDATE ownership SET until_on = NULL {mine}"):
            assert conn.execute(statement).rowcount == 0, statement
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute(
                f"INSERT INTO ownership SELECT customer_id, 99, staff_id, 'owner', since_at FROM ownership {mine}"
            )
    serve(realm, "he.l")
    assert realm.say(OTHER, "customer", "show", "1").exit_code == 0
    assert realm.json(OTHER, "owner", "collaborator", "end", "1", "E6", status=1)["code"] == "NOT_THE_OWNER"
    with realm.engine.begin() as conn:
        conn.exec_driver_sql(f"UPDATE ownership SET until_on = '{today - timedelta(days=1)}'")
    assert realm.json(OTHER, "customer", "list", "--count")["count"] == 1
    with as_login(realm, server, "he.l") as own:
        assert own.execute("SELECT customer_id FROM customer").fetchall() == [(3,)]
    serve(realm, "chen.x")
    realm.json(AGENT, "owner", "collaborator", "add", "1", "E6")
    assert realm.json(AGENT, "owner", "collaborator", "end", "1", "E6")["run_id"]
    with as_login(realm, server, "he.l") as own:
        assert own.execute("SELECT customer_id FROM customer").fetchall() == [(3,)]


def test_the_org_unit_of_a_login(realm: Realm, server: postgres.Server) -> None:
    realm.edit("access.yaml", "scope: own", "scope: org_unit")
    realm.edit("access.yaml", "pg: [test_chen_x]", "pg: [test_chen_x], org_unit: head")
    with realm.engine.begin() as conn:
        conn.exec_driver_sql("UPDATE customer SET org_unit = 'head' WHERE customer_id IN (2, 4)")
    apply(realm, server)
    with as_login(realm, server, "chen.x") as own:
        assert own.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall() == [(2,), (4,)]
    with as_login(realm, server, "he.l") as own:
        assert own.execute("SELECT customer_id FROM customer").fetchall() == []


def test_mode_server_needs_a_server(tmp_path: Path) -> None:
    import workspaces
    from golden import call

    folder = workspaces.make(tmp_path / "w")
    config = folder / "crmctl.yaml"
    config.write_text(re.sub(r"^mode: .*$", "mode: server", config.read_text("utf-8"), flags=re.M), "utf-8")
    told = call(["-w", str(folder), "customer", "list", "-o", "json"])
    assert told.exit_code == 4 and "MODE_NEEDS_POSTGRESQL" in told.stderr


SAID = ("--complainant", "王小明", "--contact", "13800000001", "--matter", "渗水三天", "--demand", "上门维修")
OPEN = ("--channel", "phone", "--category", "quality", *SAID)
OF_COMPLAINTS = ("complaint_event", "complaint_clock", "complaint_file", "case_number", "satisfaction")


def complaints_seen(realm: Realm, server: postgres.Server, name: str) -> dict[str, list[int]]:
    """Return the numbers of complaints of which somebody sees rows through any client, by table."""
    own = {"case_number": "object_id", "satisfaction": "related_id"}
    seen = {}
    with as_login(realm, server, name) as conn:
        for table in ("complaint", *OF_COMPLAINTS):
            query = sql.SQL("SELECT DISTINCT {} FROM {} ORDER BY 1").format(
                sql.Identifier(own.get(table, "complaint_id")), sql.Identifier(table)
            )
            seen[table] = [row[0] for row in conn.execute(query)]
    return seen


def test_complaints_are_of_whose_customer_it_is_and_of_who_handles_them(
    realm: Realm, server: postgres.Server, tmp_path: Path
) -> None:
    """ACC-01, CMP-02: rows of complaints are cut like those of customers; whoever handles one sees that one besides."""
    photo = tmp_path / "photo.txt"
    photo.write_text("样例", "utf-8")
    serve(realm, "he.l")
    theirs = realm.json(OTHER, "complaint", "open", "C-3", *OPEN)["number"]
    handed = realm.json(OTHER, "complaint", "open", "C-3", *OPEN, "--handler", "E5")["number"]
    assert realm.json(OTHER, "complaint", "open", "C-1", *OPEN, status=1)["code"] == "CUSTOMER_UNKNOWN"
    serve(realm, "chen.x")
    realm.json(AGENT, "complaint", "open", "C-1", *OPEN)
    for words in (("respond", handed, "--text", "已回电"), ("attach", handed, photo)):
        assert realm.json(AGENT, "complaint", *words)["status"] == "accepted"
    assert realm.json(AGENT, "complaint", "show", handed, "--reveal")["texts"]["matter"] == "渗水三天"
    assert realm.json(AGENT, "complaint", "show", theirs, status=1)["code"] == "COMPLAINT_UNKNOWN"
    assert realm.json(AGENT, "customer", "show", "3", status=1)["code"] == "CUSTOMER_UNKNOWN"

    every = complaints_seen(realm, server, "li.na")
    assert (every["complaint"], every["complaint_file"]) == ([1, 2, 3], [2])
    for name, own in {"he.l": [1, 2], "chen.x": [2, 3]}.items():
        wanted = {table: [number for number in rows if number in own] for table, rows in every.items()}
        assert complaints_seen(realm, server, name) == wanted, name
    with as_login(realm, server, "chen.x") as conn:
        assert conn.execute("SELECT count(*) FROM customer WHERE customer_id = 3").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM change WHERE customer_id = 3").fetchone() == (0,)
        assert conn.execute("UPDATE complaint SET handler_id = NULL WHERE complaint_id = 1").rowcount == 0
        for statement in (
            "DELETE FROM complaint", "DELETE FROM complaint_event", "UPDATE complaint_event SET data = '{}'",
            "DELETE FROM case_number", "UPDATE case_number SET number = number",
        ):  # fmt: skip
            with pytest.raises(errors.InsufficientPrivilege):
                conn.execute(statement)  # type: ignore[call-overload]
    with as_login(realm, server, "an.q") as conn, pytest.raises(errors.InsufficientPrivilege):
        conn.execute("UPDATE complaint SET status = 'closed'")


def test_an_agent_registers_a_complainant_nobody_knows_and_links_them(realm: Realm, server: postgres.Server) -> None:
    serve(realm, "chen.x")
    found = realm.json(AGENT, "complaint", "open", "--unidentified", *OPEN)
    number, customer = found["number"], found["customer"]
    realm.json(AGENT, "complaint", "respond", number, "--text", "已回电")
    realm.json(AGENT, "complaint", "link", number, "C-1", "--reason", "回电核对")
    assert realm.json(AGENT, "customer", "list", "--count")["count"] == 2
    with as_login(realm, server, "he.l") as conn:  # that there is somebody is no secret; the complaint is
        assert conn.execute("SELECT customer_id FROM customer ORDER BY 1").fetchall() == [(3,), (customer,)]
        for table in ("complaint", "complaint_event", "case_number", "change"):
            query = sql.SQL("SELECT FROM {} WHERE customer_id = %s").format(sql.Identifier(table))
            assert conn.execute(query, (customer,)).fetchall() == [], table
    with as_login(realm, server, "chen.x") as conn:
        more = f"customer_id, status, type, created_at, updated_at, version, derived_version) SELECT {customer} + 50"
        rest = "type, created_at, updated_at, 1, 0 FROM customer LIMIT 1"
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute(f"INSERT INTO customer ({more}, 'archived', {rest}")
    serve(realm, "an.q")
    assert realm.json(AUDITOR, "audit", "verify", "--changes", status=14)["ok"]


def test_a_revisit_and_an_escalation_by_their_roles(realm: Realm, server: postgres.Server) -> None:
    """Whoever is on the complaint post does it all; the hourly job raises what is late; neither needs the owner."""
    realm.edit("access.yaml", "pg: [test_wang_j], roles: [supervisor]", "pg: [test_wang_j], roles: [complaints]")
    apply(realm, server)
    serve(realm, "wang.j")
    number = realm.json(SUPERVISOR, "complaint", "open", "C-3", *OPEN)["number"]
    plan = ("--measures", "换件", "--due", "2099-01-01T12:00")
    steps: tuple[tuple[Any, ...], ...] = (
        ("respond", "--text", "已回电"), ("verify", "--department", "客服部", "--cause", "product", "--text", "属实"),
        ("propose", *plan), ("agree", "--text", "同意"), ("rectify", "--text", "已换"),
        ("revisit", "--score", "5", "--settled", "--text", "满意"),
    )  # fmt: skip
    for verb, *words in steps:
        realm.json(SUPERVISOR, "complaint", verb, number, *words)
    assert complaints_seen(realm, server, "wang.j")["satisfaction"] == [1]
    assert complaints_seen(realm, server, "chen.x")["satisfaction"] == []
    serve(realm, "zhou.m")
    assert realm.say(ADMIN, "complaint", "escalate").exit_code == 0
